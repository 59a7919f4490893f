"""Sequences of any length in batches that waste little: sorted, and bounded in padded tokens.

A batch of a fixed number of texts is as wide as its longest: in the order of arrival half of what
a model computes is padding. Here equal lengths stand together, and a batch holds as many texts as
fit in a budget of tokens, so that memory and time of a run do not depend on who writes how long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BUDGET = 512  # padded tokens of a batch, chosen by tests/bench/bench_checkpoint.py

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text or pair of texts as a model reads it: its tokens, and which text each is of."""

    ids: list[int]
    types: list[int]


def batches(lengths: Sequence[int], *, budget: int = BUDGET) -> Iterator[list[int]]:
    """Places in order of length, in groups of at most `budget` padded tokens, at least one each."""
    own: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if own and (len(own) + 1) * lengths[place] > budget:
            yield own
            own = []
        own.append(place)
    if own:
        yield own


def padded(sequences: Sequence[Tokens], *, pad_id: int) -> tuple[Ints, Ints, Ints]:
    """Tokens, mask and types of a batch, each `(n, widest)`."""
    shape = len(sequences), max(len(each.ids) for each in sequences)
    ids, mask = np.full(shape, pad_id, np.int64), np.zeros(shape, np.int64)
    types = np.zeros(shape, np.int64)
    for row, own in enumerate(sequences):
        ids[row, : len(own.ids)] = own.ids
        mask[row, : len(own.ids)] = 1
        types[row, : len(own.ids)] = own.types
    return ids, mask, types
