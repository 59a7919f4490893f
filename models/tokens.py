"""Prepared texts as words: one array of code points for a batch, and the spans that are words.

Every step is an operation on whole arrays, so that Python never loops over words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from models.hashing import Codes, Hashes, Marks, Places, Spans, matching
from models.text import SEPARATOR, unaccented

BATCH_CHARS = 200_000  # arrays of one batch stay near the processor's cache

SPACE, WORD, SIGN, STOP, APOSTROPHE = range(5)


@cache
def _classes() -> NDArray[np.uint8]:
    """The class of every code point."""
    table = np.zeros(0x110000, np.uint8)
    table[0x2190:0x30000] = SIGN
    table[matching(r"\s")] = SPACE
    table[matching(r"\w")] = WORD
    table[[ord(c) for c in "!?‹›€%"]] = SIGN
    table[[ord(c) for c in "‹›"]] = WORD
    table[[ord(c) for c in ".,;:…"]] = STOP
    table[ord("'")] = APOSTROPHE
    for first, last in ((0x0300, 0x036F), (0x064B, 0x065F), (0x0900, 0x097F)):
        table[first : last + 1] = WORD  # combining marks belong to the word they stand on
    return table


@dataclass(frozen=True)
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

    @cached_property
    def hashes(self) -> Hashes:
        """The hash of each token."""
        return Spans(self.codes).hashes(self.starts, self.ends)

    @cached_property
    def bare(self) -> Codes:
        """The code points without accents."""
        return unaccented(self.codes)

    @cached_property
    def bare_words(self) -> Spans:
        """Spans of words without accents; what is no part of a word is a space."""
        return Spans(np.where(self.classes == WORD, self.bare, np.uint32(ord(" "))))


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
