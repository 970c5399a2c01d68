"""What happens when a device has not the memory for a batch?

The batch is halved, and what fitted is where the next batches begin, twice as large each time; an item that does not
fit alone goes to the CPU; one that does not fit there either is given up by itself, and its neighbours are done.

Source: accelerate's find_executable_batch_size, which halves but gives up at one. Covered: CUDA's OutOfMemoryError,
older RuntimeErrors with the same words, MemoryError. Not covered: the kernel's killer, which asks nobody (sandbox.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory was lacking, whoever raised it."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in WORDS)
    )


class Halving(Generic[T, R]):
    """Calls `work` on as many items as fit, `on_cpu` on single ones that do not; remembers what fitted."""

    def __init__(self, work: Callable[[Sequence[T]], R], on_cpu: Callable[[Sequence[T]], R]) -> None:
        self._work = work
        self._on_cpu = on_cpu
        self.fitted: int | None = None  # items at once; None while nothing was too large

    def __call__(self, items: Sequence[T]) -> Iterator[tuple[list[int], R | None]]:
        """(places in `items`, their result) in order; None for an item that fits nowhere."""
        pending = [list(range(len(items)))] if items else []
        while pending:
            places = pending.pop()
            if self.fitted is not None and len(places) > self.fitted:
                pending += [places[self.fitted :], places[: self.fitted]]
                continue
            result = self._try(self._work, [items[n] for n in places])
            if result is not None:
                if self.fitted is not None and len(places) == self.fitted:
                    self.fitted *= 2  # one large item does not make the rest slow
                yield places, result
            elif len(places) > 1:
                self.fitted = len(places) // 2
                pending.append(places)
            else:
                yield places, self._try(self._on_cpu, [items[places[0]]])

    def _try(self, work: Callable[[Sequence[T]], R], items: Sequence[T]) -> R | None:
        try:
            return work(items)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        # Only here is the failed attempt's memory free: while the error is handled, its traceback holds it.
        if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None
