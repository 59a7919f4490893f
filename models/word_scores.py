"""A linear head on the mean word vector, kept as what each word adds to each output.

The vectors are those learnt from open text (`models.pretrain`), before the network tuned them. A
mean is linear in its words, so the head is a table: one row of scores a known word, one a part of
others. The mean weighs a word by its rarity, a/(a + frequency) (Arora et al. 2017).

Cost: about 5 microseconds a text of 100 characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.tokens import Tokens
from models.vectors import Floats, Found, Vectors, find, known, packed, unpacked

RARITY = 1e-3


@dataclass(frozen=True, slots=True)
class WordScores:
    """Scores of words as `Vectors` whose rows are outputs; `gain` (v + 1,) weighs words."""

    scores: Vectors
    gain: Floats

    def logits(self, pieces: Sequence[Tokens], words: Sequence[Found]) -> Floats:
        """`(n, outputs)`: the mean of the words of each text, 0 for a text without a word.

        `words` are those of each piece among the network's, which has the same.
        """
        return means(pieces, self.scores, self.gain, words=words)


def unit(vectors: Vectors) -> Vectors:
    """Vectors with known words of length 1, and parts on the same scale."""
    norms = np.maximum(np.linalg.norm(vectors.rows, axis=1, keepdims=True), 1e-6)
    rows = np.asarray(vectors.rows / norms, np.float32)
    return Vectors(vectors.hashes, rows, np.asarray(vectors.parts / norms.mean(), np.float32))


def gains(pieces: Sequence[Tokens], vectors: Vectors) -> Floats:
    """The weight of each known word, then of any other, by frequency in some texts."""
    count = np.zeros(len(vectors.rows), np.int64)
    for piece in pieces:
        places, is_known = known(piece, vectors)
        count += np.bincount(places[is_known], minlength=len(count))
    share = count / max(1, count.sum())
    return np.append(RARITY / (RARITY + share), 1.0).astype(np.float32)


def means(
    pieces: Sequence[Tokens],
    vectors: Vectors,
    gain: Floats,
    *,
    words: Sequence[Found] | None = None,
) -> Floats:
    """The weighted mean of the rows of the words of each text `(n, d)`."""
    found = words or [find(piece, vectors) for piece in pieces]
    nothing = np.zeros((0, vectors.rows.shape[1]), np.float32)
    both = zip(pieces, found, strict=True)
    return np.concatenate([nothing, *(_mean(piece, own, vectors, gain) for piece, own in both)])


def _mean(read: Tokens, words: Found, vectors: Vectors, gain: Floats) -> Floats:
    places = words.places
    rows = vectors.rows[places]
    rows[words.strange] = words.shares @ vectors.parts
    shape = (read.count, len(places))
    weights = csr_matrix((gain[places], (read.row, np.arange(len(places)))), shape)
    total = np.maximum(np.asarray(weights.sum(axis=1)), 1e-6)
    return np.asarray((weights @ rows) / total, np.float32)


def scored(vectors: Vectors, gain: Floats, theta: Floats) -> WordScores:
    """The head with weights `theta` (d, outputs) on the mean of `vectors`."""
    rows, parts = vectors.rows @ theta, vectors.parts @ theta
    return WordScores(Vectors(vectors.hashes, rows, parts), gain)


def stored(own: WordScores, *, name: str) -> dict[str, NDArray[Any]]:
    """The scores as small arrays; the words themselves are those of the network."""
    tensors = packed(own.scores)
    del tensors["words.hashes"]
    return {f"{name}.{key}": value for key, value in tensors.items()} | {
        f"{name}.gain": own.gain.astype(np.float16)
    }


def restored(tensors: Mapping[str, NDArray[Any]], *, name: str, words: Vectors) -> WordScores:
    """The scores that `stored` wrote, for the words of the network's vectors."""
    own = {
        key: tensors[f"{name}.{key}"]
        for key in ("words.bytes", "words.top", "parts.bytes", "parts.top")
    }
    read = unpacked({**own, "words.hashes": words.hashes})
    return WordScores(read, tensors[f"{name}.gain"].astype(np.float32))
