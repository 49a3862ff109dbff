"""Schema of the judge: which language model scores answers, and how it is asked.

Its key is no setting: it is read from the environment (VILAX_JUDGE_API_KEY, else OPENAI_API_KEY).
"""

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from vilax.config.schema.base import Node, execution


class Judge(Node):
    """A language model behind an OpenAI-compatible endpoint that scores answers."""

    model: str | None = Field(None, min_length=1)
    """Name of the model at the endpoint; null: the one that the task's reference asks."""
    base_url: str = execution("https://api.openai.com/v1")
    """Address of the endpoint, a local one such as http://localhost:8000/v1 included."""
    prompt: str = "reference"
    """Wording: reference, vilax (our own), or a file with a jinja2 template."""
    runs: int = Field(1, ge=1, le=100)
    """Times that each answer is judged; figures are means, with their standard deviation."""
    max_tokens: int | None = Field(None, ge=1)
    """Longest reply; null: the reference's. A model that thinks aloud needs more."""
    parallel: int = execution(8, ge=1, le=256)
    """Requests under way at one time."""
    timeout: float = execution(60.0, gt=0, allow_inf_nan=False)
    """Seconds that a request may take before it is tried again."""
    retries: int = execution(6, ge=0, le=100)
    """Times that a request that failed is tried again."""
    patience: float = execution(600.0, ge=0, allow_inf_nan=False)
    """Seconds after which a request that keeps failing is given up, waiting included."""

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, url: str) -> str:
        # The address is written into results: what could hold a secret is refused, unsaid.
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("expected an address such as http://localhost:8000/v1")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "expected an address without user, password, ? or #: a key belongs into the"
                " environment as VILAX_JUDGE_API_KEY"
            )
        return url.rstrip("/")
