"""Which texts mean much the same: by their words, and by vectors where the words are others.

A text is two rows of length 1: its words by inverse frequency (rare ones weigh), and the weighted
mean of the vectors of its words, less what texts of the place have in common (Arora, Liang and
Ma, "A simple but tough-to-beat baseline for sentence embeddings", ICLR 2017). The vectors are
those of the network that ships (`models/network.py`): nothing is downloaded.

Pure and deterministic; linear in the number of texts: 100,000 in about 3 s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models import network

SENSE = 0.3  # of a likeness that vectors say; words say the rest
JOINED = 0.4  # likeness of their centres from which two groups are one
LEAST = 0.05  # weight of a word that nearly every text has
DRAWN = 0.3  # likeness to a group's centre from which a text left over is drawn to it

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Read:
    """Texts as rows of length 1: `words` (n, v) sparse, `sense` (n, d); zeros without a word."""

    words: csr_matrix
    sense: Floats


def read(
    texts: Sequence[Collection[str]],
    *,
    usual: Mapping[str, int] | None = None,
    usual_total: int = 0,
) -> Read:
    """The words of texts as rows; `usual`: how many of `usual_total` earlier texts have a word."""
    seen = Counter(word for text in texts for word in text)
    every = seen + Counter({w: n for w, n in (usual or {}).items() if n > 1 or w in seen})
    names = sorted(every)
    places = {word: place for place, word in enumerate(names)}
    total = len(texts) + usual_total
    weights = np.maximum([log((total + 1) / (every[w] + 0.5)) for w in names], LEAST)
    words = _matrix([[places[w] for w in sorted(t)] for t in texts], weights)
    vectors = network.word_vectors(names)
    common = ([every[w] for w in names] * weights) @ vectors / max(total, 1)
    return Read(words=_normal(words), sense=_directions(words @ vectors - common))


def _matrix(rows: Sequence[Sequence[int]], weights: NDArray[Any]) -> csr_matrix:
    """Texts by words, each word with its weight."""
    ends = np.cumsum([0, *map(len, rows)])
    spots = np.fromiter((place for row in rows for place in row), np.int64, ends[-1])
    values = weights.astype(np.float32)[spots]
    return csr_matrix((values, spots, ends), (len(rows), len(weights)))


def _normal(rows: csr_matrix) -> csr_matrix:
    sizes = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1), np.float32).ravel())
    made = rows.copy()
    made.data = made.data / np.repeat(np.maximum(sizes, 1e-6), np.diff(rows.indptr))
    return made


def _directions(rows: Any) -> Floats:
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return np.asarray(rows / lengths, np.float32)


def likeness(one: Read, other: Read) -> Floats:
    """How alike each text of one is to each of the other, `(n, m)`, about -0.3..1."""
    by_words = np.asarray((one.words @ other.words.T).todense(), np.float32)
    return np.asarray((1 - SENSE) * by_words + SENSE * (one.sense @ other.sense.T), np.float32)


def part(found: Read, places: Sequence[int] | slice) -> Read:
    """Some of the texts."""
    return Read(words=found.words[places], sense=found.sense[places])


def _sums(found: Read, groups: Sequence[Sequence[int]]) -> Read:
    """The rows of each group added up."""
    ends = np.cumsum([0, *map(len, groups)])
    spots = np.fromiter((place for group in groups for place in group), np.int64, ends[-1])
    ones = np.ones(len(spots), np.float32)
    chosen = csr_matrix((ones, spots, ends), (len(groups), found.sense.shape[0]))
    return Read(words=csr_matrix(chosen @ found.words), sense=np.asarray(chosen @ found.sense))


def joined(
    found: Read, groups: Sequence[Sequence[int]], *, loners: Collection[int] = ()
) -> list[list[int]]:
    """Which groups are one: places in `groups`, the nearest centres joined first.

    A group that is joined counts by all its texts; two `loners` are never joined for each other's
    sake. The products of the sums are made once and added up as groups grow, so that the cost does
    not depend on the number of texts.
    """
    sums = _sums(found, groups)
    products = [_products(sums.words), np.asarray(sums.sense @ sums.sense.T, np.float64)]
    made = [[place] for place in range(len(groups))]
    while len(made) > 1:
        near = (1 - SENSE) * _cosines(products[0]) + SENSE * _cosines(products[1])
        alone = np.array([all(place in loners for place in each) for each in made])
        near[np.outer(alone, alone) | np.eye(len(made), dtype=bool)] = -1.0
        first, second = sorted(divmod(int(near.argmax()), len(made)))
        if near[first, second] < JOINED:
            break
        made[first] += made.pop(second)
        products = [_folded(each, first, second) for each in products]
    return [sorted(each) for each in made]


def _products(sums: csr_matrix) -> NDArray[np.float64]:
    return np.asarray((sums @ sums.T).todense(), np.float64)


def _cosines(products: NDArray[np.float64]) -> NDArray[np.float64]:
    sizes = np.sqrt(np.maximum(np.diag(products), 1e-12))
    return np.asarray(products / sizes[:, None] / sizes[None, :])


def _folded(products: NDArray[np.float64], first: int, second: int) -> NDArray[np.float64]:
    """The products once the second sum is added to the first and taken away."""
    made = products.copy()
    made[first] += made[second]
    made[:, first] += made[:, second]
    return np.delete(np.delete(made, second, axis=0), second, axis=1)


def drawn(found: Read, groups: Sequence[Sequence[int]]) -> NDArray[Any]:
    """For each text the group whose centre it is nearest to, -1 where none is near enough."""
    if not groups:
        return np.full(found.sense.shape[0], -1)
    sums = _sums(found, groups)
    near = likeness(found, Read(words=_normal(sums.words), sense=_directions(sums.sense)))
    return np.where(near.max(axis=1) >= DRAWN, near.argmax(axis=1), -1)
