"""Letters from responses, as each reference finds them (checked against the references)."""

import pytest

from vilax.config.errors import ConfigError
from vilax.evaluation.metrics import option_letter

OPTIONS = {"A": "a cat", "B": "a dog", "C": "None", "D": "a red bus"}


@pytest.mark.parametrize(
    ("style", "response", "letter"),
    [
        ("llava_scienceqa", "B", "B"),
        ("llava_scienceqa", "B.", None),
        ("llava_scienceqa", "B. a dog", "B"),
        ("llava_scienceqa", "The answer is B.", "B"),
        ("llava_scienceqa", "The answer is B", None),
        ("llava_scienceqa", "The answer is B. The answer is B.", None),
        ("llava_scienceqa", "E", None),
        ("lmms_seedbench", "apple", "A"),
        ("lmms_seedbench", " d) ", "D"),
        ("lmms_seedbench", "E.", None),
        ("lmms_seedbench", "", None),
        ("vlmevalkit", "The answer is (B).", "B"),
        ("vlmevalkit", "B is what I would choose among all of these", None),
        ("vlmevalkit", "I'm sorry, but without the image provided I cannot", "Z"),
        ("vlmevalkit", "the answer is **c** as one can see in the picture on top", "C"),
        ("vlmevalkit", "it is a dog", "B"),
        ("vlmevalkit", "a cat and a dog", None),
        ("vlmevalkit", "答案是B", None),
        ("vlmevalkit", "\uff22", None),
        ("vlmevalkit", "the answer is clearly what one can see in the picture on top", "C"),
        ("vlmevalkit", "Failed to obtain answer via API. B", None),
        ("vlmevalkit", "Z", "Z"),
        ("mmbench", "A dog and a cat sit here", None),
        ("mmbench", "(A) is right, not the others", "A"),
        ("mmbench", "B:", "B"),
        ("mmbench", "it is a red bus", "D"),
        ("mmmu", "A. a cat", None),
        ("mmmu", "I take (B) over (D)", "D"),
        ("mmmu", "A or B", "B"),
        ("mmmu", "答案是B", None),
        ("mmmu", "What I see here is a dog.", "B"),
        ("videomme", "Best answer: D", "B"),
        ("videomme", "The best answer is D", "D"),
        ("videomme", "Answer: D", "D"),
        ("videomme", "A man on D", "A"),
        ("videomme", "Cannot say", "C"),
        ("videomme", "b", None),
        ("strict", "(B).", "B"),
        ("strict", "Because", None),
    ],
)
def test_rules(style: str, response: str, letter: str | None) -> None:
    assert option_letter(response, OPTIONS, style) == letter  # type: ignore[arg-type]


def test_an_unknown_style_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'vlmevalkit'"):
        option_letter("A", OPTIONS, "vlmeval")  # type: ignore[arg-type]
