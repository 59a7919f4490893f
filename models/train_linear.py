"""Fits the linear heads that stand beside the network: hashed features and the mean word vector.

Both are one logistic regression; the part on the mean is then kept as scores of words
(`models.word_scores`). Languages that the network does not read have hashed features alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from models import linear, word_scores
from models.datasets import FOLDS, Labelled
from models.reading import Read
from models.vectors import Vectors
from models.word_scores import WordScores

STRENGTH = 3.0  # of 1, 3, 10 and 30, the best on tweets and on public services
MEAN_SCALE = 1.5  # of 1.5 and 3, the better: how easily the mean is believed

Floats = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """Texts of several registers as one kind of rows: hashed features, then the scaled mean.

    `center` and `scale` are those of the mean; without vectors there is none of it.
    """

    rows: dict[str, csr_matrix]
    vectors: Vectors | None
    gain: Floats
    center: Floats
    scale: float


def seen(reads: dict[str, Read], vectors: Vectors | None) -> Seen:
    """What the heads of a language read of its registers."""
    hashed = {name: canonical(read.features) for name, read in reads.items()}
    if vectors is None:
        return Seen(hashed, None, np.zeros(0), np.zeros(0), 1.0)
    own = word_scores.unit(vectors)
    gain = word_scores.gains([piece for read in reads.values() for piece in read.pieces], own)
    means = {name: word_scores.means(read.pieces, own, gain) for name, read in reads.items()}
    center = np.mean([mean.mean(axis=0) for mean in means.values()], axis=0)
    spread = np.mean([((mean - center) ** 2).sum(axis=1).mean() for mean in means.values()])
    scale = MEAN_SCALE / float(np.sqrt(spread))
    joined = {
        name: hstack([hashed[name], csr_matrix(scale * (means[name] - center))], format="csr")
        for name in reads
    }
    return Seen({n: m.astype(np.float32) for n, m in joined.items()}, own, gain, center, scale)


def canonical(matrix: csr_matrix) -> csr_matrix:
    """The same matrix with columns sorted and each once, as the solver needs it."""
    matrix.sum_duplicates()
    return matrix


def fit(rows: csr_matrix, own: Labelled, class_count: int, kept: Any = slice(None)) -> linear.Head:
    """One head; two classes give one output."""
    return linear.fit(
        rows[kept],
        own.classes[kept],
        row_weights=own.weights[kept],
        strength=STRENGTH,
        class_count=class_count,
    )


def held_out(
    view: Seen, taught: dict[str, Labelled], folds: dict[str, Floats], class_count: int
) -> dict[str, Floats]:
    """What texts get of the heads of all registers, unseen: `(n, registers · outputs)`."""
    width = class_count if class_count > 2 else 1
    found = {name: np.zeros((len(own.texts), width * len(taught))) for name, own in taught.items()}
    for fold in range(FOLDS):
        for place, (name, own) in enumerate(taught.items()):
            head = fit(view.rows[name], own, class_count, folds[name] != fold)
            for other in taught:
                is_held = folds[other] == fold
                said = head.logits(view.rows[other][is_held])
                found[other][is_held, place * width : (place + 1) * width] = said
    return found


def shipped(
    view: Seen, taught: dict[str, Labelled], class_count: int
) -> tuple[linear.Head, WordScores | None]:
    """The heads of all registers side by side, hashed and by words."""
    heads: Sequence[linear.Head] = [
        fit(view.rows[name], own, class_count) for name, own in taught.items()
    ]
    weights = np.concatenate([head.weights for head in heads], axis=1)
    bias = np.concatenate([head.bias for head in heads])
    if view.vectors is None:
        return linear.Head(weights, bias), None
    size = len(view.center)
    theta = (weights[-size:] * view.scale).astype(np.float32)
    bias = (bias - view.center @ theta).astype(np.float32)
    return linear.Head(weights[:-size], bias), word_scores.scored(view.vectors, view.gain, theta)
