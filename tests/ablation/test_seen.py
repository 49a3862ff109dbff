"""What stored runs saw, held against what the comparison holds equal."""

from pathlib import Path

from rich.console import Console

from tests.ablation.fakes import FakeStore, freezing
from tests.ablation.test_collect import publish
from vilax.ablation.control import prove
from vilax.ablation.graph import build
from vilax.ablation.seen import seen
from vilax.cli.check import stored_summary, table


def stored(folder: Path, images: int) -> FakeStore:
    """All stages of all arms; arm d's own pretrain saw so many pictures, the others' 20."""
    store = FakeStore()
    for node in build([freezing((0,))], store.lookup()).nodes.values():
        users = {user.split("/")[0] for user in node.users}
        if node.kind == "stage":
            changes = {"images": images} if (node.stage, users) == ("pretrain", {"d"}) else {}
            publish(store, node, folder, **changes)
    return store


def printed(store: FakeStore) -> str:
    resolved = freezing((0,))
    console = Console(width=160)
    with console.capture() as text:
        console.print(table(resolved, prove(resolved), seen(resolved, store.lookup())))
    return text.get()


def test_an_arm_that_saw_fewer_pictures_is_a_fault(tmp_path: Path) -> None:
    store = stored(tmp_path, 15)
    found = seen(freezing((0,)), store.lookup())
    assert len(found.faults) == 1
    assert "pretrain was to hold images equal and saw" in found.faults[0]
    assert "d: 15" in found.faults[0]
    line = next(one for one in printed(store).splitlines() if "pretrain: images seen" in one)
    assert line.rstrip().endswith("NOT EQUAL")


def test_arms_that_saw_the_same_are_controlled(tmp_path: Path) -> None:
    store = stored(tmp_path, 20)
    found = seen(freezing((0,)), store.lookup())
    assert (found.faults, found.missing) == ((), ())
    assert "NOT EQUAL" not in printed(store)
    assert stored_summary(found) == "what stored runs saw was compared"


def test_what_is_not_stored_is_said() -> None:
    resolved = freezing((0,))
    assert stored_summary(seen(resolved, FakeStore().lookup())).startswith("no run is stored")
