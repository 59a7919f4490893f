"""Finds the terms of every topic in a batch by hashes of words, not by searching text.

A term is one to six words; `*` at its end stands for any ending of a single word, elsewhere for
an optional s, e or x ("demandeur* d'asile"). Case and accents do not count. A text with a context
of `exclude` has no hit of that topic. The same terms find the weak examples of training and are
read at run time, so that both see the same.

Cost: about 5 microseconds a text of 100 characters.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from models.taxonomy import taxonomy
from models.text import SEPARATOR, prepare, unaccented
from models.tokens import Hashes, Marks, Places, Spans, Tokens, batches, tokens

_LONGEST = 6
_CHAIN = np.uint64(0xD6E8FEB86659FD93)
_SIEVE_BITS = 18
_ENDINGS = ("", "s", "e", "x", "es")

Owners = dict[int, set[int]]  # hash of a term: places of its topics


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The terms of one kind: whole ones by number of words, stems by number of characters."""

    whole: dict[int, Owners]
    stems: dict[int, Owners]


@dataclass(frozen=True, slots=True)
class Found:
    """One term in a text: its row, the place of its topic, the span of its characters."""

    row: int
    topic: int
    start: int
    end: int


def digest() -> str:
    """What the terms of all topics are, as SHA-256: weights trained on others are refused."""
    parts = [[topic.id, topic.keywords, topic.exclude] for topic in taxonomy()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def _lexicons(lang: str) -> tuple[Lexicon, Lexicon]:
    """The terms that speak for topics in a language, and those that exclude them."""
    topics = taxonomy()
    wanted = _lexicon(((i, t.keywords[lang]) for i, t in enumerate(topics)), lang=lang)
    return wanted, _lexicon(((i, t.exclude[lang]) for i, t in enumerate(topics)), lang=lang)


def _lexicon(owned: Iterable[tuple[int, Sequence[str]]], *, lang: str) -> Lexicon:
    whole: dict[int, Owners] = defaultdict(lambda: defaultdict(set))
    stems: dict[int, Owners] = defaultdict(lambda: defaultdict(set))
    for topic, terms in owned:
        for term in terms:
            if term.endswith("*") and " " not in term and "'" not in term:
                _put(stems, term[:-1], topic, lang=lang, by_chars=True)
                continue
            for spelt in _variants(term):
                _put(whole, spelt, topic, lang=lang, by_chars=False)
    return Lexicon(whole, stems)


def _variants(term: str) -> Iterator[str]:
    """A term with each inner `*` as nothing or a plural ending."""
    parts = term.split("*")
    for endings in product(_ENDINGS, repeat=len(parts) - 1):
        yield "".join(a + b for a, b in zip(parts, (*endings, ""), strict=True))


def _put(table: dict[int, Owners], term: str, topic: int, *, lang: str, by_chars: bool) -> None:
    read = tokens(prepare([term], lang=lang))
    hashes = _token_hashes(read)
    size = len(term) if by_chars else len(hashes)
    for chained in _windows(hashes, read.follows, min(len(hashes), _LONGEST))[:1]:
        table[size][int(chained)].add(topic)


def _token_hashes(read: Tokens) -> Hashes:
    return Spans(unaccented(read.codes)).hashes(read.starts, read.ends)


def _windows(hashes: Hashes, follows: Marks, size: int) -> Hashes:
    """The hash of each run of `size` tokens; 0 where the run would leave its text."""
    chained, is_whole = hashes.copy(), np.ones(len(hashes), np.bool_)
    for step in range(1, size):
        chained[:-step] = chained[:-step] * _CHAIN + hashes[step:]
        is_whole[-step:] = False
        is_whole[:-step] &= follows[step - 1 :]
    return np.where(is_whole, chained, np.uint64(0))


def find(read: Tokens, *, lang: str) -> list[Found]:
    """Every term of every topic in a batch, but for topics that the text excludes."""
    spans = Spans(unaccented(read.codes))
    hashes = spans.hashes(read.starts, read.ends)
    wanted, unwanted = _lexicons(lang)
    excluded = {(hit.row, hit.topic) for hit in _search(unwanted, read, hashes, spans)}
    hits = _search(wanted, read, hashes, spans)
    return [hit for hit in hits if (hit.row, hit.topic) not in excluded]


def _search(lexicon: Lexicon, read: Tokens, hashes: Hashes, spans: Spans) -> Iterator[Found]:
    for size, owners in lexicon.whole.items():
        for place, topics in _lookup(_windows(hashes, read.follows, size), owners):
            yield from _found(read, place, place + size - 1, topics)
    lengths = read.ends - read.starts
    for size, owners in lexicon.stems.items():
        longer = np.flatnonzero(lengths >= size)
        starts = read.starts[longer]
        for place, topics in _lookup(spans.hashes(starts, starts + size), owners):
            yield from _found(read, int(longer[place]), int(longer[place]), topics)


def _found(read: Tokens, first: int, last: int, topics: set[int]) -> Iterator[Found]:
    row, start, end = int(read.row[first]), int(read.starts[first]), int(read.ends[last])
    return (Found(row, topic, start, end) for topic in topics)


def _lookup(hashes: Hashes, owners: Owners) -> Iterator[tuple[int, set[int]]]:
    for place in np.flatnonzero(_sieve(tuple(owners))[_slots(hashes)]):
        if topics := owners.get(int(hashes[place])):
            yield int(place), topics


@cache
def _sieve(keys: tuple[int, ...]) -> Marks:
    sieve = np.zeros(1 << _SIEVE_BITS, np.bool_)
    sieve[_slots(np.array(keys, np.uint64))] = True
    return sieve


def _slots(hashes: Hashes) -> Places:
    return (hashes * _CHAIN >> np.uint64(64 - _SIEVE_BITS)).astype(np.int64)


def weights(read: Tokens, hits: Sequence[Found], *, count: int) -> NDArray[np.float32]:
    """How much of each text is about each topic by its terms: `(n, count)` float32 in 0..2.

    One term in a short text counts 1; a single term in an article of 400 words 0.16.
    """
    found = np.zeros((read.count, count), np.float32)
    for hit in {(hit.row, hit.topic, hit.start) for hit in hits}:
        found[hit[0], hit[1]] += 1.0
    words = np.bincount(read.row[read.is_read], minlength=read.count)
    scale = np.sqrt(np.maximum(words, 10) / 10.0)
    return np.minimum(found / scale[:, None], 2.0).astype(np.float32)


def hidden(prepared: Sequence[str], *, lang: str, topic: int) -> list[str]:
    """Prepared texts without the terms of one topic, so that what stands around is learnt."""
    kept: list[str] = []
    for read in batches(prepared):
        is_shown = np.ones(len(read.codes), np.bool_)
        for hit in find(read, lang=lang):
            if hit.topic == topic:
                is_shown[hit.start : hit.end] = False
        shown = read.codes[is_shown].tobytes().decode("utf-32-le", "surrogatepass")
        kept += shown.split(SEPARATOR)[1:-1]
    return kept
