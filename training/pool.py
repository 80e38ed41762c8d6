"""Samples kept on the device and drawn again and again, varied each time: a GPU, or a core with AMX, learns faster than cores
draw."""

import threading
from collections.abc import Iterable

import torch


class Pool:
    """The latest `capacity` samples of endless batches, each a list of tensors of one length; `draw` waits for `least`."""

    def __init__(self, batches: Iterable[list[torch.Tensor]], capacity: int, least: int, device: torch.device):
        self.capacity, self.least, self.device = capacity, least, device
        self.kept: list[torch.Tensor] = []
        self.drawn = 0
        self.fault: BaseException | None = None
        self.more = threading.Condition()
        threading.Thread(target=self.fill, args=(batches,), daemon=True).start()

    def fill(self, batches: Iterable[list[torch.Tensor]]):
        try:
            for batch in batches:
                if not self.kept:
                    self.kept = [
                        torch.empty((self.capacity, *part.shape[1:]), dtype=part.dtype, device=self.device) for part in batch
                    ]
                places = torch.arange(self.drawn, self.drawn + len(batch[0])) % self.capacity
                for kept, part in zip(self.kept, batch, strict=True):
                    kept[places.to(self.device)] = part.to(self.device)
                with self.more:
                    self.drawn += len(batch[0])
                    self.more.notify()
            raise EOFError("the samples ended")
        except BaseException as fault:  # told by whoever draws next
            with self.more:
                self.fault = fault
                self.more.notify()

    def draw(self, count: int) -> list[torch.Tensor]:
        """So many of them at random, on the device."""
        with self.more:
            self.more.wait_for(lambda: self.drawn >= self.least or self.fault)
        if self.fault:
            raise RuntimeError("no more samples for the pool") from self.fault
        places = torch.randint(min(self.drawn, self.capacity), (count,), device=self.device)
        return [kept[places] for kept in self.kept]


def uniform(count: int, low: float, high: float, device: torch.device) -> torch.Tensor:
    return torch.empty(count, device=device).uniform_(low, high)


def normal(count: int, spread: float, device: torch.device) -> torch.Tensor:
    return torch.randn(count, device=device) * spread
