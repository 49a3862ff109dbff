"""Pages become pairs, another order, or fewer pictures; nothing else is touched."""

from hypothesis import given
from hypothesis import strategies as st

from vilax.config.schema.selection import Derivation
from vilax.data.derive import derive
from vilax.data.document import Document, Image, Segment, Text

A, B, C = Image(b"a"), Image(b"b"), Image(b"c")
# t1 i1 t2 t3 i2 t4, as the page reader gives it (paper section 3.2)
PAGE = Document(
    "page", "pages", (Text("t1", sentence=2), A, Text("t2 t3", sentence=2), B, Text("t4"))
)


def shapes(documents: list[Document]) -> list[list[str]]:
    return [
        [s.text if isinstance(s, Text) else s.data.decode() for s in document.segments]
        for document in documents
    ]


def test_pairs_are_the_papers() -> None:
    pairs = derive(PAGE, Derivation(pairs=True))
    assert shapes(pairs) == [["a", "t2"], ["b", "t4"]]
    assert [pair.key for pair in pairs] == ["page~1", "page~2"]
    together = Document("p", "c", (A, B, Text("t1 t2", sentence=2)))
    assert shapes(derive(together, Derivation(pairs=True))) == [["a", "t1"], ["b", "t1"]]
    assert derive(Document("p", "c", (Text("alone"),)), Derivation(pairs=True)) == []


def test_images_first() -> None:
    # Section 4.4: i1 i2 t1 t2 for i1 t1 i2 t2
    assert shapes(derive(PAGE, Derivation(order="images_first"))) == [["a", "b", "t1 t2 t3 t4"]]


def test_loss_on_the_sentence_behind_a_picture() -> None:
    (page,) = derive(PAGE, Derivation(loss="following"))
    assert [(s.text, s.loss) for s in page.segments if isinstance(s, Text)] == [
        ("t1", False),
        ("t2", True),
        (" t3", False),
        ("t4", True),
    ]


def test_fewer_pictures() -> None:
    page = Document("p", "c", (A, Text("t1"), B, Text("t2"), C, Text("t3")))
    assert shapes(derive(page, Derivation(images=2))) == [["a", "t1", "b", "t2 t3"]]
    assert shapes(derive(page, Derivation(images=1, pairs=True))) == [["a", "t1 t2 t3"]]
    assert derive(page, Derivation(images=9)) == [page]


def test_conversations_and_texts_pass() -> None:
    asked = Document("p", "c", (A, Text("q", loss=False, role="user"), Text("a", role="assistant")))
    plain = Document("p", "c", (Text("text"),))
    for derivation in (
        Derivation(images=1),
        Derivation(order="images_first"),
        Derivation(pairs=True),
        Derivation(),
    ):
        assert derive(asked, derivation) == [asked]
        if not derivation.pairs:
            assert derive(plain, derivation) == [plain]


segments: st.SearchStrategy[list[Segment]] = st.lists(
    st.builds(Text, st.sampled_from(["x", "y z", "w"])) | st.sampled_from([A, B, C]), max_size=8
)
derivations = st.builds(
    Derivation,
    images=st.none() | st.integers(1, 4),
    pairs=st.booleans(),
    order=st.sampled_from(["interleaved", "images_first"]),
    loss=st.sampled_from(["all", "following"]),
)


@given(segments, derivations)
def test_nothing_is_invented(shape: list[Segment], derivation: Derivation) -> None:
    document = Document("p", "c", tuple(shape))
    before = " ".join(s.text for s in shape if isinstance(s, Text)).split()
    made = derive(document, derivation)
    pictures = [s for d in made for s in d.segments if isinstance(s, Image)]
    words = [w for d in made for s in d.segments if isinstance(s, Text) for w in s.text.split()]
    assert len(pictures) <= sum(isinstance(s, Image) for s in shape)
    if derivation.images is not None:
        assert len(pictures) <= derivation.images
    if not derivation.pairs:
        assert words == before or not made
    if derivation.pairs:
        assert all([type(s) for s in d.segments] == [Image, Text] for d in made)
