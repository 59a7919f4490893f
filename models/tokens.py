"""Prepared texts as words: one array of code points for a batch, and the spans that are words.

Every step is an operation on whole arrays, so that Python never loops over words: a polynomial
prefix hash modulo 2^64 gives the hash of any span by one subtraction and one product (Rabin and
Karp 1987; the multiplier is odd, hence invertible).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.text import SEPARATOR

Codes = NDArray[np.uint32]
Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]
Marks = NDArray[np.bool_]

BATCH_CHARS = 200_000  # arrays of one batch stay near the processor's cache
_MULTIPLIER = 0x9E3779B97F4A7C15  # odd: 2^64 divided by the golden ratio (Knuth, TAOCP 3, 6.4)
_MASK = (1 << 64) - 1

SPACE, WORD, SIGN, STOP, APOSTROPHE = range(5)


@cache
def _classes() -> NDArray[np.uint8]:
    """The class of every code point."""
    table = np.zeros(0x110000, np.uint8)
    for code in range(0x30000):
        char = chr(code)
        if char.isalnum() or char == "_":
            table[code] = WORD
        elif code >= 0x2190 and not char.isspace():
            table[code] = SIGN
    table[[ord(c) for c in "!?‹›€%"]] = SIGN
    table[[ord(c) for c in "‹›"]] = WORD
    table[[ord(c) for c in ".,;:…"]] = STOP
    table[ord("'")] = APOSTROPHE
    for first, last in ((0x0300, 0x036F), (0x064B, 0x065F), (0x0900, 0x097F)):
        table[first : last + 1] = WORD  # combining marks belong to the word they stand on
    return table


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


@dataclass(frozen=True, slots=True)
class Tokens:
    """The words, signs and stops of a batch.

    `codes` and `classes` hold every code point, `rows` the text it belongs to. `starts` and
    `ends` bound each token, `row` is its text; `follows[i]` says that token i + 1 is of the same
    text as token i; `is_read` is false for a stop, which only ends a clause.
    """

    count: int
    codes: Codes
    classes: NDArray[np.uint8]
    rows: Places
    starts: Places
    ends: Places
    row: Places
    follows: Marks
    is_read: Marks


def batches(prepared: Sequence[str]) -> Iterator[Tokens]:
    """The tokens of prepared texts, some thousands of texts at a time, in order."""
    first = size = 0
    for place, text in enumerate(prepared):
        size += len(text) + 1
        if size > BATCH_CHARS:
            yield tokens(prepared[first : place + 1])
            first, size = place + 1, 0
    if first < len(prepared):
        yield tokens(prepared[first:])


def tokens(prepared: Sequence[str]) -> Tokens:
    """The tokens of one batch of prepared texts."""
    joined = SEPARATOR + SEPARATOR.join(prepared) + SEPARATOR
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    classes = _classes()[codes]
    rows = np.cumsum(codes == ord(SEPARATOR)) - 1
    starts, ends = _bounds(classes)
    row = rows[starts]
    return Tokens(
        count=len(prepared),
        codes=codes,
        classes=classes,
        rows=rows,
        starts=starts,
        ends=ends,
        row=row,
        follows=row[1:] == row[:-1],
        is_read=classes[starts] != STOP,
    )


def words(read: Tokens) -> list[list[str]]:
    """The tokens of each text as words, signs and stops: what vectors are trained on."""
    text = read.codes.tobytes().decode("utf-32-le", "surrogatepass")
    found: list[list[str]] = [[] for _ in range(read.count)]
    for row, start, end in zip(
        read.row.tolist(), read.starts.tolist(), read.ends.tolist(), strict=True
    ):
        found[row].append(text[start:end])
    return found


def _bounds(classes: NDArray[np.uint8]) -> tuple[Places, Places]:
    """Where words (with the apostrophe that elides them), signs and stops begin and end."""
    is_word, single = classes == WORD, (classes == SIGN) | (classes == STOP)
    begins, finishes = is_word.copy(), is_word.copy()
    begins[1:] &= ~is_word[:-1]
    finishes[:-1] &= ~is_word[1:]
    starts = np.flatnonzero(begins | single)
    lasts = np.flatnonzero(finishes | single)
    is_elided = is_word[lasts] & (classes[lasts + 1] == APOSTROPHE)
    return starts, lasts + 1 + is_elided
