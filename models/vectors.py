"""Word vectors learnt from open French text, looked up by hash: known words, and parts of others.

A known word has a row of its own; any other is the mean of the rows of its runs of 3 to 5
characters without accents, so that a misspelling lies near the word it means. Trained by
`models.pretrain`; stored as one byte a value.

Cost: about 2 microseconds a text of 100 characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.hashing import Hashes, Marks, Places
from models.tokens import WORD, Tokens

PART_SIZES = (3, 4, 5)
PART_BITS = 16
_SLOT_BITS = 18
_SPREAD = np.uint64(0xD6E8FEB86659FD93)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Known words as sorted hashes `(v,)` with rows `(v, d)` float32; parts `(2**16, d)`."""

    hashes: Hashes
    rows: Floats
    parts: Floats

    def places(self, hashes: Hashes) -> Places:
        """The row of each word, -1 for one that is not known."""
        spots = np.searchsorted(self.hashes, hashes)
        spots[spots == len(self.hashes)] = 0
        return np.where(self.hashes[spots] == hashes, spots, -1)


def packed(vectors: Vectors) -> dict[str, NDArray[Any]]:
    """Vectors as small arrays: a byte a value, a scale a row."""
    tensors: dict[str, NDArray[Any]] = {"words.hashes": vectors.hashes}
    for name, rows in (("words", vectors.rows), ("parts", vectors.parts)):
        top = np.maximum(np.abs(rows).max(axis=1), 1e-9)
        tensors[f"{name}.bytes"] = np.rint(127.0 * rows / top[:, None]).astype(np.int8)
        tensors[f"{name}.top"] = top.astype(np.float16)
    return tensors


def unpacked(tensors: Mapping[str, NDArray[Any]]) -> Vectors:
    """The vectors that `packed` stored."""
    rows, parts = (_floats(tensors, name) for name in ("words", "parts"))
    return Vectors(tensors["words.hashes"], rows, parts)


def _floats(tensors: Mapping[str, NDArray[Any]], name: str) -> Floats:
    made: Floats = tensors[f"{name}.bytes"].astype(np.float32)
    made *= (tensors[f"{name}.top"].astype(np.float32) / 127.0)[:, None]
    return made


def part_bucket(hashes: Hashes) -> Places:
    """The row of `parts` for the hash of a run of characters."""
    return (hashes * _SPREAD >> np.uint64(64 - PART_BITS)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Found:
    """The words of a batch among the vectors.

    `places` (tokens,): the row of each, -1 for a strange one; `strange`: the tokens that are;
    `shares` (len(strange), 2**16): how much each part makes of them, rows that sum to 1.
    """

    places: Places
    strange: Places
    shares: csr_matrix


def find(read: Tokens, vectors: Vectors) -> Found:
    """Where the words of a batch stand; looked up once for all tables that have these words."""
    places, _ = known(read, vectors)
    strange = np.flatnonzero(places < 0)
    return Found(places, strange, _shares(read, strange))


def composed(read: Tokens, chosen: Places, parts: Floats) -> Floats:
    """The vectors of some tokens (places in `read`) from their parts: `(len(chosen), d)`."""
    return np.asarray(_shares(read, chosen) @ parts, np.float32)


def _shares(read: Tokens, chosen: Places) -> csr_matrix:
    total = csr_matrix((len(chosen), 1 << PART_BITS), dtype=np.float32)
    count = np.zeros(len(chosen), np.int64)
    for rooms, buckets in _part_buckets(read, chosen):
        pointers = np.concatenate([[0], np.cumsum(rooms)])
        ones = np.ones(len(buckets), np.float32)
        total += csr_matrix((ones, buckets, pointers), total.shape)
        count += rooms
    total.data /= np.repeat(np.maximum(count, 1), np.diff(total.indptr)).astype(np.float32)
    return total


def _part_buckets(read: Tokens, chosen: Places) -> Iterator[tuple[Places, Places]]:
    """For each size, how many parts each of `chosen` has, and their buckets in a row.

    The edges of a word count as spaces.
    """
    first, last = read.starts[chosen] - 1, read.starts[chosen] + _word_sizes(read, chosen) + 1
    for size in PART_SIZES:
        rooms = np.maximum(last - first - size + 1, 0)
        owner = np.repeat(np.arange(len(chosen)), rooms)
        step = np.arange(len(owner)) - np.repeat(np.cumsum(rooms) - rooms, rooms)
        starts = first[owner] + step
        yield rooms, part_bucket(read.bare_words.hashes(starts, starts + size))


def _word_sizes(read: Tokens, chosen: Places) -> Places:
    """The length of each word without the apostrophe that elides it."""
    ends = read.ends[chosen]
    is_elided = (read.classes[ends - 1] != WORD) & (ends - read.starts[chosen] > 1)
    return np.asarray(ends - read.starts[chosen] - is_elided)


def known(read: Tokens, vectors: Vectors) -> tuple[Places, Marks]:
    """The row of each token and whether it is known."""
    places = vectors.places(read.hashes)
    return places, places >= 0
