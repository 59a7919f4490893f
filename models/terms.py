"""Finds the terms of every topic, act and service in a batch by hashes of words, in whole arrays.

A term is one to six words; `*` at its end stands for any ending of a single word, elsewhere for
an optional s, e or x ("demandeur* d'asile"). Case and accents do not count, and a term is read as
a text is (`models.text`). A term that would be nothing but the mark of a place, an origin or a
first name is left out: where somebody is from is about nothing.

Cost: about 8 microseconds a text of 100 characters for some 12,000 terms.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import checkpoint, lexicons
from models.hashing import CHAIN, Hashes, Marks, Places, Spans
from models.text import impartial_words, prepare, unaccented
from models.tokens import Tokens, batches

TASK = "terms"
_LONGEST = 6
_SIEVE_BITS = 18
_ENDINGS = ("", "s", "e", "x", "es")
_SILENT = {"‹lieu›", "‹origine›", "‹prénom›", "‹fête›", "‹lien›"}
_MARK = re.compile(r"‹\w+›|\w+")


@dataclass(frozen=True, slots=True)
class Index:
    """Terms of one size: sorted hashes and, for each, the labels that own it."""

    keys: Hashes
    pointers: Places
    owners: Places
    sieve: Marks


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The terms of a language: whole ones by number of words, stems by number of characters."""

    whole: dict[int, Index]
    stems: dict[int, Index]


@dataclass(frozen=True, slots=True)
class Hits:
    """Terms found in a batch: rows, places of labels, spans of characters; equal lengths."""

    row: Places
    label: Places
    start: Places
    end: Places

    def of(self, label: int) -> Hits:
        """The hits of one label."""
        chosen = self.label == label
        return Hits(self.row[chosen], self.label[chosen], self.start[chosen], self.end[chosen])


@cache
def lexicon(lang: str) -> Lexicon:
    """Every term of a language: as they were packed, or from their files if those have changed."""
    path = checkpoint.WEIGHTS / f"{TASK}.safetensors"
    if path.is_file():
        stored = checkpoint.read(checkpoint.WEIGHTS, TASK, task=TASK)
        if stored.description.terms_sha256 == lexicons.digest():
            return _unpacked(stored.tensors, lang)
    return compiled(lang)


def pack(folder: Path, *, version: str, features_version: int) -> str:
    """Write the terms of all languages in a form that loads at once; the hash of the file."""
    tensors: dict[str, NDArray[Any]] = {}
    for lang in lexicons.LANGUAGES:
        both = compiled(lang)
        for kind, indexes in (("whole", both.whole), ("stems", both.stems)):
            for size, index in indexes.items():
                name = f"{lang}.{kind}.{size}"
                tensors[f"{name}.keys"] = index.keys
                tensors[f"{name}.pointers"] = index.pointers.astype(np.int32)
                tensors[f"{name}.owners"] = index.owners.astype(np.int16)
    description = checkpoint.Description(
        model_id="vigie-terms",
        version=version,
        task=TASK,
        labels=lexicons.labels(),
        languages=lexicons.LANGUAGES,
        features_version=features_version,
        seed=0,
        training=(),
        thresholds={},
        terms_sha256=lexicons.digest(),
    )
    return checkpoint.write(folder, TASK, description, tensors)


def _unpacked(tensors: Mapping[str, NDArray[Any]], lang: str) -> Lexicon:
    found: dict[str, dict[int, Index]] = {"whole": {}, "stems": {}}
    names = {name.rsplit(".", 1)[0] for name in tensors if name.startswith(f"{lang}.")}
    for name in sorted(names, key=lambda each: int(each.split(".")[2])):
        _, kind, size = name.split(".")
        keys, pointers, owners = (tensors[f"{name}.{p}"] for p in ("keys", "pointers", "owners"))
        own = Index(keys, pointers.astype(np.int64), owners.astype(np.int64), _sieve(keys))
        found[kind][int(size)] = own
    return Lexicon(found["whole"], found["stems"])


def compiled(lang: str) -> Lexicon:
    """Every term of a language, of every label of `lexicons.labels()`, from their files."""
    whole: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    stems: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    owned = [(term, place) for place, own in enumerate(lexicons.terms(lang)) for term in own]
    plain = [each for each in owned if not _is_stem(each[0])]
    for term, place in owned:
        if _is_stem(term):
            stem = term[:-1].lower()
            stems[len(stem)][_hash(stem)].add(place)
            plain += [(word, place) for word in _replaced(stem)]
    spelt = [(variant, place) for term, place in plain for variant in _variants(term)]
    for hashed, size, place in _hashed(spelt, lang=lang):
        whole[size][hashed].add(place)
    return Lexicon(
        {size: _index(keys) for size, keys in sorted(whole.items())},
        {size: _index(keys) for size, keys in sorted(stems.items())},
    )


def _is_stem(term: str) -> bool:
    return term.endswith("*") and not re.search(r"[ '’-]", term)


def _replaced(stem: str) -> Iterator[str]:
    """Words of that stem which a text never shows, since they are read as another."""
    return (word for word in impartial_words() if word.startswith(stem))


def _variants(term: str) -> Iterator[str]:
    """A term with each `*` as nothing or a plural ending."""
    parts = term.split("*")
    for endings in product(_ENDINGS, repeat=len(parts) - 1):
        yield "".join(a + b for a, b in zip(parts, (*endings, ""), strict=True))


def _hash(word: str) -> int:
    codes = np.frombuffer(word.encode("utf-32-le"), np.uint32)
    return int(Spans(unaccented(codes)).hashes(np.array([0]), np.array([len(codes)]))[0])


def _hashed(spelt: Sequence[tuple[str, int]], *, lang: str) -> Iterator[tuple[int, int, int]]:
    """Hash, number of words and label of each term that says something."""
    prepared = prepare([term for term, _ in spelt], lang=lang)
    at = 0
    for read in batches(prepared):
        hashes = _token_hashes(read)
        firsts = np.searchsorted(read.row, np.arange(read.count + 1))
        for row in range(read.count):
            first, last = int(firsts[row]), int(firsts[row + 1])
            size = last - first
            said = set(_MARK.findall(prepared[at + row]))
            is_silent = bool(said) and said <= _SILENT
            if 0 < size <= _LONGEST and not is_silent:
                yield _chained(hashes[first:last]), size, spelt[at + row][1]
        at += read.count


def _chained(hashes: Hashes) -> int:
    total = hashes[:1].copy()
    for each in hashes[1:]:
        total = total * CHAIN + each
    return int(total[0])


def _index(keys: dict[int, set[int]]) -> Index:
    ordered = sorted(keys)
    hashes = np.array(ordered, np.uint64)
    sizes = [len(keys[key]) for key in ordered]
    owners = np.array([label for key in ordered for label in sorted(keys[key])], np.int64)
    return Index(hashes, np.concatenate([[0], np.cumsum(sizes)]), owners, _sieve(hashes))


def _sieve(keys: Hashes) -> Marks:
    sieve = np.zeros(1 << _SIEVE_BITS, np.bool_)
    sieve[_slots(keys)] = True
    return sieve


def _token_hashes(read: Tokens) -> Hashes:
    return Spans(read.bare).hashes(read.starts, read.ends)


def _slots(hashes: Hashes) -> Places:
    return (hashes * CHAIN >> np.uint64(64 - _SIEVE_BITS)).astype(np.int64)


def find(read: Tokens, *, lang: str) -> Hits:
    """Every term of every label in a batch; none of a language without terms."""
    parts = list(_search(read, lexicon(lang))) if lang in lexicons.LANGUAGES else []
    nothing = np.zeros((4, 0), np.int64)
    return Hits(*np.concatenate([nothing, *parts], axis=1))


def _search(read: Tokens, lexicon: Lexicon) -> Iterator[Places]:
    spans = Spans(read.bare)
    hashes = spans.hashes(read.starts, read.ends)
    chained, is_whole = hashes.copy(), np.ones(len(hashes), np.bool_)
    for size in range(1, max(lexicon.whole, default=0) + 1):
        if size > 1:
            chained[: 1 - size] = chained[: 1 - size] * CHAIN + hashes[size - 1 :]
            is_whole[1 - size :] = False
            is_whole[: 1 - size] &= read.follows[size - 2 :]
        if size in lexicon.whole:
            places = np.flatnonzero(is_whole & lexicon.whole[size].sieve[_slots(chained)])
            yield _owned(read, lexicon.whole[size], chained[places], places, places + size - 1)
    lengths = read.ends - read.starts
    for size, index in lexicon.stems.items():
        places = np.flatnonzero(lengths >= size)
        begun = spans.hashes(read.starts[places], read.starts[places] + size)
        is_near = index.sieve[_slots(begun)]
        yield _owned(read, index, begun[is_near], places[is_near], places[is_near])


def _owned(read: Tokens, index: Index, hashes: Hashes, first: Places, last: Places) -> Places:
    """Row, label, start and end of each owner of each hash that is a term."""
    spots = np.minimum(np.searchsorted(index.keys, hashes), len(index.keys) - 1)
    is_term = index.keys[spots] == hashes
    spots, first, last = spots[is_term], first[is_term], last[is_term]
    counts = np.diff(index.pointers)[spots]
    source = np.repeat(np.arange(len(spots)), counts)
    step = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
    labels = index.owners[index.pointers[spots][source] + step]
    return np.stack(
        [read.row[first][source], labels, read.starts[first][source], read.ends[last][source]]
    )


def weights(read: Tokens, hits: Hits) -> NDArray[np.float32]:
    """How much of each text is of each label by its terms: `(n, labels)` float32 in 0..2.

    One term in a short text counts 1; a single term in an article of 400 words 0.16. A text that
    an `exclude` term of a label speaks against has none of it; a term within a `figure` of speech
    is not one.
    """
    count = len(lexicons.labels())
    size = len(read.codes)
    hits = literal(hits, size)
    cells = np.unique((hits.row * count + hits.label) * size + hits.start) // size
    found = np.bincount(cells, minlength=read.count * count).reshape(read.count, count)
    words = np.bincount(read.row[read.is_read], minlength=read.count)
    scale = np.sqrt(np.maximum(words, 10) / 10.0)
    weighed = np.minimum(found / scale[:, None], 2.0).astype(np.float32)
    for label, against in lexicons.exclusions():
        weighed[found[:, against] > 0, label] = 0.0
    return weighed


def literal(hits: Hits, size: int) -> Hits:
    """The hits but those that touch a turn of speech, in a batch of `size` characters.

    What else stands in the text counts as ever: a joke hides no threat.
    """
    kept = np.ones(len(hits.row), np.bool_)
    for label, figure in lexicons.figures():
        turns = hits.of(figure)
        edges = np.zeros(size + 1, np.int64)
        np.add.at(edges, turns.start, 1)
        np.subtract.at(edges, turns.end, 1)
        inside = np.concatenate([[0], np.cumsum(edges.cumsum() > 0)])  # characters before each
        kept &= (hits.label != label) | (inside[hits.end] == inside[hits.start])
    return Hits(hits.row[kept], hits.label[kept], hits.start[kept], hits.end[kept])


def shown(read: Tokens, hits: Hits, chosen: Iterable[int]) -> list[list[str]]:
    """The terms of some labels in each text of a batch, as the models read them."""
    text = read.codes.tobytes().decode("utf-32-le", "surrogatepass")
    found: list[list[str]] = [[] for _ in range(read.count)]
    wanted = np.isin(hits.label, list(chosen))
    for row, start, end in zip(
        hits.row[wanted].tolist(),
        hits.start[wanted].tolist(),
        hits.end[wanted].tolist(),
        strict=True,
    ):
        found[row].append(text[start:end])
    return found
