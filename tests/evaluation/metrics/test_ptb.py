"""Tokens of captions (protocols 10): the expected ones are those of CoreNLP 3.4.1 itself."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilax.evaluation.metrics.ptb import DROPPED, ptb_tokenise

CASES = [
    ("A man's dog isn't on the couch, is it?", "a man 's dog is n't on the couch is it"),
    ("The two dogs' bowls can't be he'll've.", "the two dogs bowls ca n't be he 'll 've"),
    (
        "He cannot, won't and shouldn't; gonna wanna gotta gimme lemme 'tis 'twas",
        "he can not wo n't and should n't gon na wan na got ta gim me lem me 't is 't was",
    ),
    ("I'm they're we've she'd IT'S DON'T dont", "i 'm they 're we 've she 'd it 's do n't dont"),
    (
        "It\u2019s the cat\u2019s \u201cbig\u201d \u2018toy\u2019 \u201elow\u201f \xabx\xbb",
        "it 's the cat 's big toy \u201e low \u201f x",
    ),
    (
        "a t-shirt, x-ray & well-known 3-d rock'n'roll o'clock y'all d'you 'em ma'am c'mon",
        "a t-shirt x-ray & well-known 3-d rock 'n' roll o'clock y' all d'you 'em ma'am c'mon",
    ),
    ("He said \"hello\" and 'bye' to ``them''", "he said hello and bye to them"),
    (
        "at 4 p.m. in the U.S. by Dr. Smith vs. St. John's Ave.",
        "at 4 p.m. in the u.s. by dr. smith vs. st. john 's ave.",
    ),
    (
        "etc. Inc. Co. Ltd. Jan. Mon. Calif. Jr. Ph.D. e.g. i.e. approx. dept.",
        "etc. inc. co. ltd. jan. mon. calif. jr. ph.d. e.g. i.e. approx dept.",
    ),
    ("no. 5, No. five, fig. 2 and pp. 3", "no. 5 no five fig. 2 and pp. 3"),
    ("Mass. ill. Ill. miss. del. La. la. tex.", "mass. ill ill. miss del la. la tex"),
    ("letter A. and C. Fields", "letter a. and c. fields"),
    (
        "$5.00, US$5, \u20ac20 \xa33.50 5\xa2 \xa5100 50% #1 1,000 3.5 .5 -5 +3",
        "$ 5.00 us$ 5 $ 20 # 3.50 5 cents \xa5 100 50 % # 1 1,000 3.5 .5 -5 +3",
    ),
    (
        "1/2 cup, 1 1/2 cups, 2-1/2, \xbd \xbe \u2154 \u215b 1\xbd",
        "1/2 cup 1\xa01/2 cups 2-1/2 1/2 3/4 2/3 \u215b 1 1/2",
    ),
    (
        "10:30 4:30pm 10am 12/25/2010 1-2-99 1990s '90s '70 90's 5th",
        "10:30 4:30 pm 10am 12/25/2010 1-2-99 1990s '90s '70 90 's 5th",
    ),
    (
        "call (555) 555-1234 or 555.123.4567 or 1 800 555 1234",
        "call -lrb-555-rrb-\xa0555-1234 or 555.123.4567 or 1 800\xa0555\xa01234",
    ),
    (
        "a 6'2\" man, 5' tall, 12\" ruler, 72\xb0F 5\xb0 C",
        "a 6 2 man 5 tall 12 ruler 72 \xb0 f 5 \xb0 c",
    ),
    (
        "foo@bar.com http://a.b/c?d=e&f*g https://x.y/(z)",
        "foo@bar.com http://a.b/c?d=e&f*g https://x.y/ -lrb- z -rrb-",
    ),
    (
        "www.test.org/p test.com photo.jpg my_file.txt",
        "www.test.org / p test.com photo.jpg my_file txt",
    ),
    (
        "@user #hashtag # 1 C++ c# g++ AT&T R&B b&w B&amp;B S&P-500",
        "@user #hashtag # 1 c++ c# g + + at&t r&b b & w b&b s&p-500",
    ),
    ("(a) [b] {c} <d> << >>", "-lrb- a -rrb- -lsb- b -rsb- -lcb- c -rcb- <d> << >>"),
    ('<br> <a href="x y"> a < b > c -LRB-', '<br> <a\xa0href="x\xa0y"> a < b > c -lrb-'),
    (
        "wait... what.... .. . . . \u2026 -- --- ---- ----- - \u2013 \u2014 a--b x\u2014y",
        "wait what ----- a b x y",
    ),
    ("Wow!! Really?! OK!? ??? ; : , ' \" `", "wow !! really ?! ok !? ???"),
    (
        "and/or he/she w/ 24/7 1920x1080 * ** \\* _ __ a_b ~ ^ | = == + @@ % && \\",
        "and/or he/she w / 24/7 1920x1080 * ** \\* _ __ a_b ~ ^ | = = = + @@ % & & \\",
    ),
    (
        "nice :) :-( ;D =P :] <3 ^_^ (^_^) -_- done :)",
        "nice :-rrb- :--lrb- ;d =p :] < 3 ^_^ -lrb-^_^-rrb- -_- done :-rrb-",
    ),
    (
        "&amp; &lt; &gt; &quot;x&quot; &apos;s &nbsp; &#39; caf&eacute; &mdash;",
        "& < > x 's &#39; caf&eacute;",
    ),
    (
        "caf\xe9 na\xefve Z\xfcrich \u6771\u4eac \u65e5\u672c\u8a9e \ud55c\uad6d",
        "caf\xe9 na\xefve z\xfcrich \u6771\u4eac \u65e5\u672c\u8a9e \ud55c\uad6d",
    ),
    (
        "\u0130stanbul \u039f\u0394\u039f\u03a3 e\u0301",
        "i\u0307stanbul \u03bf\u03b4\u03bf\u03c2 e\u0301",
    ),
    (
        "smile \U0001f600\U0001f436 end \u2764\ufe0f \u2022 \xb7 \xa9 \u2122 \u2192 \xd7 \xb2",
        "smile end \u2764 \u2022 \xb7 \xa9 \u2122 \u2192 \xd7 \xb2",
    ),
    (
        "soft\xadhyphen zero\u200bwidth no\xa0break tab\there",
        "softhyphen zero width no break tab here",
    ),
    ("hello.World the end.The yes!No a.b.c", "hello.world the end.the yes!no a.b.c"),
    ("  lead  and trail  ", "lead and trail"),
    ("", ""),
    ("...", ""),
    (". ! ?", ""),
    (
        "Ford's '57 Chevy, 'til noon, 'cause n't s'mores l'amour d'Artagnan O'Brien",
        "ford 's '57 chevy 'til noon 'cause n't s'mores l'amour d'artagnan o'brien",
    ),
    (
        "non-U.S. pre- -post anti-war mid-1990s 3-year-old",
        "non-u.s. pre post anti-war mid-1990s 3-year-old",
    ),
    (
        "Yahoo! cont'd. cap'n c'est nor'easter Dunkin' somethin' ol'",
        "yahoo cont'd. cap'n c'est nor'easter dunkin' somethin' ol'",
    ),
    (
        "a 1.5-in. gap, co. ltd., pty. ltd. a.k.a. J.R.R. Tolkien U.S",
        "a 1.5-in gap co. ltd. pty. ltd. a.k.a. j.r.r. tolkien u.s",
    ),
    ("A sign reads STOP.\nTwo people wait", "a sign reads stop two people wait"),
    ("**bold** and *it* 1. First 2) second", "** bold ** and * it * 1 first 2 -rrb- second"),
]


@pytest.mark.parametrize(("caption", "tokens"), CASES)
def test_tokens_of_the_reference(caption: str, tokens: str) -> None:
    assert ptb_tokenise(caption) == tokens


@pytest.mark.parametrize(
    ("caption", "tokens"),
    [
        # The last line of a file without its end would give ": -rrb-" and "' 90".
        ("done :)", "done :-rrb-"),
        ("summer of '90", "summer of '90"),
        # Before a line that begins with "A", or with a digit, the reference has "x" and "no.".
        ("the letter X.", "the letter x."),
        ("he says no.", "he says no"),
    ],
)
def test_a_caption_is_a_line_before_any_other(caption: str, tokens: str) -> None:
    assert ptb_tokenise(caption) == tokens


def test_other_line_breaks_are_spaces() -> None:
    assert ptb_tokenise("a\rb\x0cc\u2028d") == "a b c d"


def test_half_a_character_is_no_error() -> None:
    assert ptb_tokenise("a \ud83d b") == "a b"
    assert "\ud83d" not in ptb_tokenise("http://a.b/\ud83dc")


@given(st.text(max_size=40))
def test_any_text_has_tokens_without_punctuation(text: str) -> None:
    tokens = ptb_tokenise(text)
    assert not DROPPED & set(tokens.split(" "))
    assert "\n" not in tokens


@given(st.lists(st.sampled_from(["a", "dog", "cat's", "isn't", "(x)", "$5", "and/or", "u.s."])))
def test_words_are_split_one_by_one(words: list[str]) -> None:
    """None of these words looks at the next."""
    assert ptb_tokenise(" ".join(words)) == " ".join(map(ptb_tokenise, words))


def test_imports_alone_and_builds_nothing() -> None:
    code = (
        "import sys; from vilax.evaluation.metrics import ptb, ptb_grammar;"
        "sys.exit(bool({'torch', 'numpy', 'transformers'} & set(sys.modules))"
        " or ptb_grammar.grammar.cache_info().currsize)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
