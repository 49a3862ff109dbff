"""The processes that share one evaluation, started by torchrun or SLURM's equivalent."""

import os
from dataclasses import dataclass
from datetime import timedelta

import torch

WAIT = timedelta(days=7)
"""How long a process waits for the others: the slowest batch of the largest suite, and then some.
A process that dies takes the others with it through its launcher."""


@dataclass(frozen=True)
class Peers:
    """This process among those of an evaluation.

    Attributes:
        rank: number of this process; 0 writes the results.
        world: number of processes.
    """

    rank: int = 0
    world: int = 1

    def agree(self, decided: bool) -> bool:
        """What the first process has decided."""
        if self.world == 1:
            return decided
        flag = torch.tensor([int(decided)])
        torch.distributed.broadcast(flag, 0)
        return bool(flag.item())

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            torch.distributed.barrier()


ALONE = Peers()
"""One process that shares with nobody."""


def join_peers() -> Peers:
    """The processes that a launcher has started; this one alone where there is none."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return ALONE
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo", timeout=WAIT)
    return Peers(torch.distributed.get_rank(), world)
