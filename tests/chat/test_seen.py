"""The prompt as it is shown: every token, pictures by number, the counts."""

from pathlib import Path

from tests.chat.subjects import picture, random_subject
from vilax.chat.seen import seen
from vilax.chat.settings import Settings
from vilax.chat.talk import Exchange, Talk, said
from vilax.data.document import Document, Image
from vilax.data.inspect.spelling import Spelling
from vilax.data.tiles import InternvlTiling, TileTokens
from vilax.evaluation.subject import Subject


def test_a_prompt_is_shown_token_for_token(tmp_path: Path) -> None:
    subject = random_subject()
    one, two, three = (
        Image(picture(tmp_path / f"{level}.png", level).read_bytes()) for level in (5, 80, 200)
    )
    shot = Exchange((one, said("what is this ?", "user")), "apple")
    talk = Talk(subject, "qa", shots=[shot])
    question = (two, three, said("which is zorgly ?", "user"))
    view = seen(talk.prepare(question, Settings(8)).prompt, subject, Spelling(subject.tokenizer))
    # The micro tokenizer has one token for a word, and none for the made-up one.
    assert view.text == (
        "[picture 1: 4 visual tokens]question : what is this ? answer : apple"
        "[picture 2: 4 visual tokens][picture 3: 4 visual tokens]"
        "question : which is <unk> ? answer :"
    )
    words = view.text.replace("visual tokens]", "").replace("[picture ", "").split()
    assert view.visual == 12 and view.pictures == 3
    assert view.tokens == 12 + len([word for word in words if not word[0].isdigit()])
    assert view.summary.startswith(f"{view.tokens} tokens, 12 of them visual (3 pictures)")
    assert "context has 128" in view.summary


def test_pictures_in_tiles_are_shown_with_their_own_numbers_of_tokens(tmp_path: Path) -> None:
    bare = random_subject()
    rule = TileTokens(InternvlTiling(10, 6), 4)
    subject = Subject(bare.model, bare.tokenizer, bare.features, rule)
    wide = Image(picture(tmp_path / "wide.png", 5).read_bytes())
    small = Image(wide.data, (10, 10))
    prompt = subject.prompts.prompt(
        Document("x", "x", (wide, small, said("what is this ?", "user"))), "qa"
    )
    view = seen(prompt, subject, Spelling(subject.tokenizer))
    assert view.text.startswith("[picture 1: 12 visual tokens][picture 2: 4 visual tokens]question")
    assert (view.visual, view.pictures) == (16, 2)
