"""Letters and digits as the Stanford tokeniser of 2014 knew them: Unicode 6."""

import unicodedata

from vilax.evaluation.metrics.ptb_patterns import inside

# Category of a letter today, none then: assigned later, or put into this category later.
_later_letters = inside(
    r"\u037f\u0528-\u052f\u0560\u0588\u05ef\u0860-\u086a\u0870-\u0887\u0889-\u088f\u08a1"
    r"\u08ad-\u08c9\u0978\u0980\u09fc\u0af9\u0c34\u0c5a-\u0c5d\u0c80\u0cdc-\u0cdd\u0d04"
    r"\u0d54-\u0d56\u0d5f\u0e86\u0e89\u0e8c\u0e8e-\u0e93\u0e98\u0ea0\u0ea8-\u0ea9\u0eac"
    r"\u13f5\u13f8-\u13fd\u16f1-\u16f8\u170d\u171f\u1878\u191d-\u191e\u19b0-\u19c0\u19c8-\u19c9"
    r"\u1b4c\u1c80-\u1c8a\u1c90-\u1cba\u1cbd-\u1cbf\u1cf2-\u1cf3\u1cfa\u2c2f\u2c5f"
    r"\u312e-\u312f\u31bb-\u31bf\u4db6-\u4dbf\u9fcd-\u9fff\ua698-\ua69d\ua78f\ua794-\ua79f"
    r"\ua7ab-\ua7f1\ua7f2-\ua7f7\ua8fd-\ua8fe\ua9e0-\ua9e4\ua9e6-\ua9ef\ua9fa-\ua9fe"
    r"\uaa7e-\uaa7f\uab30-\uab5a\uab5c-\uab69\uab70-\uabbf"
)
_former_letters = inside(r"\u1885-\u1886")
_later_digits = inside(r"\u0de6-\u0def\ua9f0-\ua9f9")

WORD_SIGNS = (
    r"\u00ad\u02c2-\u02c5\u02d2-\u02df\u02e5-\u02eb\u02ed\u02ef-\u036f\u0375\u0378-\u0379"
    r"\u0384-\u0385\u03f6\u0483-\u0487\u055a-\u055f\u0591-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5"
    r"\u05c7\u0615-\u061a\u064b-\u065e\u0670\u06d6-\u06e4\u06e7-\u06ed\u06fd-\u06fe\u070f\u0711"
    r"\u0730-\u074c\u07a6-\u07b0\u07eb-\u07f3\u0900-\u0903\u093c\u093e-\u094e\u0951-\u0955"
    r"\u0962-\u0963\u0981-\u0983\u09bc\u09be-\u09c4\u09c7-\u09c8\u09cb-\u09cd\u09d7\u09e2-\u09e3"
    r"\u0a01-\u0a03\u0a3c\u0a3e-\u0a4f\u0a81-\u0a83\u0abc\u0abe-\u0acf\u0b82\u0bbe-\u0bc2"
    r"\u0bc6-\u0bc8\u0bca-\u0bcd\u0c01-\u0c03\u0c3e-\u0c56\u0d3e-\u0d44\u0d46-\u0d48\u0e31"
    r"\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd"
)
"""What else stands in words: accents and vowel signs that follow letters, the soft hyphen."""


def is_letter(code: int) -> bool:
    """Whether a code point was a letter."""
    if _former_letters(code):
        return True
    return unicodedata.category(chr(code))[0] == "L" and not _later_letters(code)


def is_digit(code: int) -> bool:
    """Whether a code point was a decimal digit."""
    return unicodedata.category(chr(code)) == "Nd" and not _later_digits(code)
