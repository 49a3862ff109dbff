"""Our conversation templates as transformers' chat templates."""

from transformers import PreTrainedTokenizerBase

from vilax.config.schema.data import Template
from vilax.data.chat import IMAGE, Chat
from vilax.data.markup import Markup
from vilax.data.prompt import PromptEncoder
from vilax.data.templates import Style

SAID = "c['text'] | replace('<image>', '<IMAGE>')"
"""A text of a message: as in training, a literal placeholder in it is no picture."""

WHOLE = "m['content'] | replace('<image>', '<IMAGE>')"


def jinja_of(template: Template, tokenizer: PreTrainedTokenizerBase) -> str:
    """A Jinja template that writes conversations as the training prompt code does.

    Contents are texts, or lists of ``{"type": "image"}`` and ``{"type": "text", "text": ...}``;
    roles are ``user`` and ``assistant`` in turn.

    Raises:
        ConfigError: no such template, or it does not go with the tokenizer.
    """
    encoder = PromptEncoder(tokenizer, 0)
    style = encoder.style(template)
    if isinstance(style, Chat):
        return _of_tokenizer(style)
    return _of_style(style, tokenizer, _Runs(tokenizer, encoder))


def use_chat_template(tokenizer: PreTrainedTokenizerBase, jinja: str) -> None:
    """Give a tokenizer a chat template, and see that nothing is put around what that writes.

    A processor has its tokenizer add BOS where a rendered conversation does not begin with it.
    """
    tokenizer.chat_template = jinja
    asked = [{"role": "user", "content": "a"}]
    rendered = str(tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True))
    begins = bool(tokenizer.bos_token) and rendered.startswith(str(tokenizer.bos_token))
    if (
        not begins
        and tokenizer("a")["input_ids"] != tokenizer("a", add_special_tokens=False)["input_ids"]
    ):
        tokenizer.add_bos_token = False
        tokenizer.add_eos_token = False


class _Runs:
    """Writes pieces that are tokenised apart into one text that gives the same tokens.

    SentencePiece puts a space before a text, but transformers' port of it only before the first of
    several: there a space is written where a piece begins.

    Attributes:
        special, text: what is written before a piece, after a special token and after a text.
        spaced: whether a piece that begins with a space loses it for that.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, encoder: PromptEncoder) -> None:
        self._markup = Markup(tokenizer)
        eos, leads = str(tokenizer.eos_token), ("", " ")

        def ids(text: str) -> list[int]:
            return list(tokenizer(text, add_special_tokens=False)["input_ids"])

        alone = [*ids(eos), *encoder.text("a")]
        self.special = next((lead for lead in leads if ids(f"{eos}{lead}a") == alone), "")
        self.spaced = encoder.text(" a") == encoder.text("a")
        self.text = " " if self.spaced else ""

    def begin(self) -> str:
        """Definitions that the other pieces use."""
        if not self.spaced:
            return ""
        return (
            "{% set at = namespace(lead='', fresh=true) %}"
            "{% macro put(text) %}"
            "{% set rest = text[1:] if at.fresh and text[:1] == ' ' else text %}"
            "{% if text %}{% set at.fresh = false %}{% endif %}"
            "{% if rest %}{{ at.lead + rest }}{% set at.lead = '' %}{% endif %}"
            "{% endmacro %}"
        )

    def put(self, expression: str) -> str:
        """A text, joined to the one before it."""
        return "{{ put(" + expression + ") }}" if self.spaced else "{{ " + expression + " }}"

    def apart(self) -> str:
        """What follows is tokenised apart from the text before it."""
        return self._fresh(self.text)

    def token(self, expression: str) -> str:
        """A special token."""
        return "{{ " + expression + " }}" + self._fresh(self.special)

    def _fresh(self, lead: str) -> str:
        if not self.spaced:
            return ""
        return "{% set at.lead = " + quoted(lead) + " %}{% set at.fresh = true %}"

    def fixed(self, text: str) -> str:
        """A template's own string, in which special tokens are tokens."""
        found, start = "", 0
        for begin, end, _ in self._markup.places(text):
            if text[start:begin]:
                found += self.put(quoted(text[start:begin]))
            found += self.token(quoted(text[begin:end]))
            start = end
        return found + (self.put(quoted(text[start:])) if text[start:] else "")


def quoted(text: str) -> str:
    """A string of Jinja."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def _of_style(style: Style, tokenizer: PreTrainedTokenizerBase, runs: _Runs) -> str:
    image, eos = runs.token(quoted(IMAGE)), runs.token("eos_token")
    if style.close_turns and style.ends:
        end = runs.token(quoted(style.ends[0]))
    else:
        end = eos if style.close_turns else ""
    only_images = (
        "{% if m['content'] is not string %}{% for c in m['content'] %}"
        "{% if c['type'] == 'image' %}" + image + "{% endif %}{% endfor %}{% endif %}"
    )
    gap = "{% if not loop.first %}" + runs.fixed(style.turn_gap) + "{% endif %}"
    if style.drop_user:
        user = only_images
    else:
        inline = image + runs.fixed(style.image_suffix)
        if style.image_first:
            inline = "{% if not loop.first %}" + runs.put(quoted(" ")) + "{% endif %}"
            pictures = "m['content'] is not string and m['content'] | selectattr('type', 'equalto',"
            pictures += " 'image') | list"
            gap = "{% if " + pictures + " %}" + only_images + "{% else %}" + gap + "{% endif %}"
        user = gap + runs.fixed(style.user_prefix) + _content(runs, inline)
        user += runs.fixed(style.user_suffix)
    assistant = (
        runs.fixed(style.assistant_prefix)
        + runs.apart()
        + (runs.put(quoted(style.answer_space)) if style.answer_space else "")
        + _content(runs, image)
        + runs.apart()
        + (runs.fixed(style.assistant_suffix) + runs.apart() if style.assistant_suffix else "")
        + end
    )
    is_closed = " and messages[-1]['role'] != 'assistant'" if style.close_turns else ""
    return (
        runs.begin()
        + (runs.token("bos_token") if style.opens and tokenizer.bos_token else "")
        + runs.fixed(style.system)
        + "{% for m in messages %}"
        + "{% if m['role'] not in ('user', 'assistant') or"
        + " (not loop.first and loop.previtem['role'] == m['role']) %}"
        + "{{ raise_exception('expected user and assistant in turn, got ' + m['role']) }}"
        + "{% elif m['role'] == 'user' %}"
        + user
        + "{% else %}"
        + assistant
        + "{% endif %}{% endfor %}{% if add_generation_prompt %}"
        + "{% if messages[-1]['role'] == 'user' %}"
        + runs.fixed(style.assistant_prefix)
        + "{% endif %}{% elif true"
        + is_closed
        + " %}"
        + eos
        + "{% endif %}"
    )


def _content(runs: _Runs, image: str) -> str:
    return (
        "{% if m['content'] is string %}"
        + runs.put(WHOLE)
        + "{% else %}{% for c in m['content'] %}{% if c['type'] == 'image' %}"
        + image
        + "{% else %}"
        + runs.put(SAID)
        + "{% endif %}{% endfor %}{% endif %}"
    )


def _of_tokenizer(chat: Chat) -> str:
    """The LLM's own template, given texts with a placeholder for each picture."""
    image = quoted(IMAGE) + " + ('\\n' if m['role'] == 'user' else '')"
    return (
        "{% set talk = namespace(turns=[]) %}{% for m in messages %}{% set said %}"
        "{% if m['content'] is string %}{{ " + WHOLE + " }}{% else %}"
        "{% for c in m['content'] %}{% if c['type'] == 'image' %}{{ " + image + " }}{% else %}"
        "{{ " + SAID + " }}{% endif %}{% endfor %}{% endif %}{% endset %}"
        "{% set talk.turns = talk.turns + [dict(m, content=said)] %}{% endfor %}"
        "{% set messages = talk.turns %}" + chat.template
    )
