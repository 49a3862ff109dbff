"""Who else is making a node's result on the same store."""

from vilax.ablation.graph import PREPARATION, Node
from vilax.artifacts.store import Store
from vilax.config.locate import store_dir


def held_by(node: Node) -> str:
    """Who makes a node's result at this moment, in words; empty: nobody.

    Data and picture features are not asked about: whatever could run beside them needs them.
    """
    if node.kind in PREPARATION:
        return ""
    kind, _, name = node.key.partition(":")
    lock = Store(store_dir()).lock(f"{kind}-{name}")
    with lock.attempt() as is_free:
        return "" if is_free else lock.holder()
