"""Texts as whole arrays: words, what stands between them, how they are written.

Python never loops over words: a batch of texts is one array of code points, words are found,
folded and hashed by operations on it, and what stands between two words is a set of bits.

Cost: about 6 microseconds a text of 100 characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.hashing import Hashes, Marks, Places, Spans, word_hash
from pipelines.places.spelling import LIGATURES, SAME

Codes = NDArray[np.uint32]
Bits = NDArray[np.uint16]

READ_LIMIT = 10_000  # characters read of one text: an article says early where it happens
BATCH_CHARS = 200_000  # arrays of one batch stay near the processor's cache
_END, _CUT, _OPEN, _CLOSE = "\x1e", "\x1f", "\x02", "\x03"  # of a text, a link, a hashtag

SPACE, HYPHEN, APOSTROPHE, SLASH, STOP, BREAK, COLON, COMMA = (1 << n for n in range(8))
PAREN, CLOSING, QUOTE, DASH, LINKED, OTHER = (1 << n for n in range(8, 14))
SOFT = SPACE | HYPHEN | APOSTROPHE | SLASH  # what may stand inside a name
SOFT_LIMIT = 3  # characters of it

_LINK = re.compile(r"(?:https?://|www\.)\S+")
_HANDLE = re.compile(r"[@＠]\w(?:[\w.@-]{0,80}\w)?")
_HASHTAG = re.compile(r"[#＃](\w{1,100})")
_JOINT = re.compile(
    r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Ý0-9])|(?<=[A-ZÀ-Ý])(?=[A-ZÀ-Ý][a-zà-ÿ]|\d)|_|(?<=\d)(?=[^\W\d])"
)
_MARKS = re.compile(f"[{_END}{_CUT}{_OPEN}{_CLOSE}]")  # ours; in a text they would mean nothing
_APOSTROPHES = "’ʼ`´"


@dataclass(frozen=True, slots=True)
class Read:
    """The words of a batch of texts, all arrays in the order of the words.

    `text` is what was read, `starts` and `ends` bound each word in it, `row` is its text.
    `hashes` are of the folded word, `written` of the word in small letters with its accents.
    `before` and `after` hold the bits of what stands beside a word in its text (BREAK at the start
    of one), and `joins[i]` says that word i and the next may be one name. `first` and `last` bound
    the words of each text.
    """

    text: str
    starts: Places
    ends: Places
    row: Places
    hashes: Hashes
    written: Hashes
    before: Bits
    after: Bits
    joins: Marks
    is_capital: Marks
    is_shouted: Marks
    has_accent: Marks
    is_digits: Marks
    in_tag: Marks
    first: Places
    last: Places

    def word(self, at: int) -> str:
        """The word at a place, as it is written."""
        return self.text[self.starts[at] : self.ends[at]]

    def between(self, first: int, last: int) -> str:
        """The words from a place to another, as they are written."""
        return self.text[self.starts[first] : self.ends[last]]


def batches(
    texts: Sequence[str], squashed: Callable[[str], str | None]
) -> Iterator[tuple[int, Read]]:
    """The words of texts, some hundreds of texts at a time, with the place of the first.

    `squashed` gives the name of several words that a hashtag spells, or none.
    """
    first = size = 0
    for place, text in enumerate(texts):
        size += min(len(text), READ_LIMIT) + 1
        if size > BATCH_CHARS:
            yield first, read(texts[first : place + 1], squashed)
            first, size = place + 1, 0
    if first < len(texts):
        yield first, read(texts[first:], squashed)


def read(texts: Sequence[str], squashed: Callable[[str], str | None]) -> Read:
    """The words of one batch of texts."""
    text = _prepared(texts, squashed)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    classes = _classes()[codes]
    starts, ends = _bounds(classes == 0)
    edges = np.flatnonzero(codes == ord(_END))
    row = np.searchsorted(edges, starts) - 1
    before, after = _beside(classes, starts, ends, edges, row)
    small = _small()[codes]
    plain = _plain()[small]
    hashes = _same(Spans(plain).hashes(starts, ends))
    is_saint = np.isin(hashes, _saints()) & (ends - starts <= 3)
    joins = np.zeros(len(starts), np.bool_)
    soft = (before[1:] & ~np.uint16(SOFT)) == 0
    soft |= is_saint[:-1] & ((before[1:] & ~np.uint16(SPACE | STOP)) == 0)
    joins[:-1] = soft & (starts[1:] - ends[:-1] <= SOFT_LIMIT)
    capitals = _sums(small != codes)
    accents = _sums(plain != small)
    digits = _sums(_digits()[codes])
    tagged = np.cumsum(codes == ord(_OPEN)) - np.cumsum(codes == ord(_CLOSE))
    lengths = ends - starts
    is_shouted = (capitals[ends] - capitals[starts] == lengths) & (lengths > 1)
    counts = np.arange(len(texts) + 1)
    bounds = np.searchsorted(row, counts)
    return Read(
        text=text,
        starts=starts,
        ends=ends,
        row=row,
        hashes=hashes,
        written=Spans(small).hashes(starts, ends),
        before=before,
        after=after,
        joins=joins,
        is_capital=small[starts] != codes[starts],
        is_shouted=is_shouted,
        has_accent=accents[ends] > accents[starts],
        is_digits=digits[ends] - digits[starts] == lengths,
        in_tag=tagged[starts] > 0,
        first=bounds[:-1],
        last=bounds[1:] - 1,
    )


def _prepared(texts: Sequence[str], squashed: Callable[[str], str | None]) -> str:
    """The texts as one, without links and handles, hashtags opened into their words."""
    cut = (_MARKS.sub(" ", text[:READ_LIMIT]) for text in texts)
    joined = _END + _END.join(cut) + _END
    if not joined.isascii():
        for apostrophe in _APOSTROPHES:
            joined = joined.replace(apostrophe, "'")
        joined = unicodedata.normalize("NFKC", joined)
        for ligature, spelt in LIGATURES.items():
            joined = joined.replace(ligature, spelt)
    if "://" in joined or "www." in joined:
        joined = _LINK.sub(_CUT, joined)
    if "@" in joined:
        joined = _HANDLE.sub(_CUT, joined)
    if "#" in joined:
        joined = _HASHTAG.sub(lambda found: _opened(found[1], squashed), joined)
    return joined


def _opened(tag: str, squashed: Callable[[str], str | None]) -> str:
    """The words of a hashtag between marks, so that no name runs across its ends."""
    spelt = squashed(tag)
    return f"{_OPEN}{_JOINT.sub(' ', tag) if spelt is None else spelt}{_CLOSE}"


@cache
def _classes() -> Bits:
    """The bits of every code point: 0 for what words are made of."""
    table = np.full(0x110000, OTHER, np.uint16)
    for code in range(0x30000):
        if chr(code).isalnum():
            table[code] = 0
    for first, last in ((0x0300, 0x036F), (0x064B, 0x065F), (0x0900, 0x097F)):
        table[first : last + 1] = 0  # combining marks belong to the word they stand on
    signs = {
        " \t\u00a0\u202f": SPACE, "-‐‑": HYPHEN, "'_": APOSTROPHE, "/": SLASH, ".!?…": STOP,
        f"\n\r{_END}{_OPEN}{_CLOSE}|•": BREAK, _CUT: LINKED, ":": COLON, ",;": COMMA, "([": PAREN,
        ")]": CLOSING, "«»\"“”": QUOTE, "–—": DASH,
    }  # fmt: skip
    for chars, bit in signs.items():
        table[[ord(char) for char in chars]] = bit
    return table


@cache
def _digits() -> Marks:
    table = np.zeros(0x110000, np.bool_)
    table[ord("0") : ord("9") + 1] = True
    return table


@cache
def _small() -> Codes:
    """Every code point in small letters, where that is one code point."""
    table = np.arange(0x110000, dtype=np.uint32)
    for code in range(0x2000):
        lower = chr(code).lower()
        table[code] = ord(lower) if len(lower) == 1 else code
    return table


@cache
def _plain() -> Codes:
    """Every code point without its accents."""
    table = np.arange(0x110000, dtype=np.uint32)
    for code in range(0x2000):
        table[code] = ord(unicodedata.normalize("NFD", chr(code))[0])
    return table


def _bounds(is_word: Marks) -> tuple[Places, Places]:
    begins, finishes = is_word.copy(), is_word.copy()
    begins[1:] &= ~is_word[:-1]
    finishes[:-1] &= ~is_word[1:]
    return np.flatnonzero(begins), np.flatnonzero(finishes) + 1


def _beside(
    classes: Bits, starts: Places, ends: Places, edges: Places, row: Places
) -> tuple[Bits, Bits]:
    """The bits of what stands before and after each word, up to the edges of its text."""
    if not len(starts):
        return np.zeros(0, np.uint16), np.zeros(0, np.uint16)
    gap_starts = np.maximum(np.concatenate([edges[:1], ends[:-1]]), edges[row])
    gap_ends = np.minimum(np.concatenate([starts[1:], edges[-1:]]), edges[row + 1])
    return _union(classes, gap_starts, starts), _union(classes, ends, gap_ends)


def _union(classes: Bits, starts: Places, ends: Places) -> Bits:
    """The bits of each span together; of an empty one, those of the character that follows."""
    places = np.empty(2 * len(starts), np.int64)
    places[0::2], places[1::2] = starts, ends
    return np.bitwise_or.reduceat(classes, places)[0::2]


def _sums(marks: Marks) -> Places:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(marks)])


@cache
def _saints() -> Hashes:
    return np.array([word_hash(word) for word in SAME.values() if word != "les"], np.uint64)


def _same(hashes: Hashes) -> Hashes:
    """Hashes with those of short forms made those of the long."""
    for short, long in SAME.items():
        hashes = np.where(hashes == np.uint64(word_hash(short)), np.uint64(word_hash(long)), hashes)
    return hashes
