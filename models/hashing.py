"""Hashes of spans of text, each in constant time, and classes of characters as tables.

A polynomial prefix hash modulo 2^64 gives the hash of any span by one subtraction and one product
(Rabin and Karp 1987; the multiplier is odd, hence invertible).
"""

from __future__ import annotations

import re
from functools import cache

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]
Marks = NDArray[np.bool_]

CHAIN = np.uint64(0xD6E8FEB86659FD93)  # joins the hashes of neighbouring words
_MULTIPLIER = 0x9E3779B97F4A7C15  # odd: 2^64 divided by the golden ratio (Knuth, TAOCP 3, 6.4)
_MASK = (1 << 64) - 1


@cache
def matching(pattern: str) -> Marks:
    """Which code points, 0 to 0x10FFFF, a pattern of one character matches."""
    every = np.arange(0x110000, dtype=np.uint32).tobytes().decode("utf-32-le", "surrogatepass")
    found = np.zeros(len(every), np.bool_)
    for run in re.finditer(f"(?:{pattern})+", every):
        found[run.start() : run.end()] = True
    return found


@cache
def _powers(size: int) -> tuple[Hashes, Hashes]:
    """The powers 0 to `size` of the multiplier and of its inverse, modulo 2^64."""
    inverse = pow(_MULTIPLIER, -1, 1 << 64)
    made = []
    for factor in (_MULTIPLIER, inverse):
        steps = np.full(size + 1, factor, np.uint64)
        steps[0] = 1
        made.append(np.cumprod(steps))
    return made[0], made[1]


class Spans:
    """Hashes of spans of an array of code points, each in constant time."""

    __slots__ = ("_inverses", "_prefix")

    def __init__(self, codes: Codes) -> None:
        size = 1 << max(len(codes) + 1, 2).bit_length()
        powers, self._inverses = _powers(size)
        terms = (codes.astype(np.uint64) + np.uint64(1)) * powers[: len(codes)]
        self._prefix = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms)])

    def hashes(self, starts: Places, ends: Places) -> Hashes:
        """The hash of `codes[start:end]` for each pair; equal spans have equal hashes."""
        spans: Hashes = self._prefix[ends] - self._prefix[starts]
        return spans * self._inverses[starts]


def word_hash(word: str) -> int:
    """The hash that `Spans` gives a word, in plain arithmetic."""
    terms = ((ord(c) + 1) * pow(_MULTIPLIER, i, 1 << 64) for i, c in enumerate(word))
    return sum(terms) & _MASK
