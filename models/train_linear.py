"""Fits the linear heads that stand beside the network: hashed features and the mean word vector.

Both are one logistic regression; the part on the mean is then kept as scores of words
(`models.word_scores`). Languages that the network does not read have hashed features alone. Where
a language has several registers, one more head tells them apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack, vstack

from models import linear, word_scores
from models.datasets import FOLDS, Labelled, key
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
    """What texts get of the heads of all registers, and of the one that tells registers apart.

    Unseen: `(n, registers · outputs + registers)`, without the last part where there is one
    register.
    """
    parts: dict[str, list[Floats]] = {name: [] for name in taught}
    kept = _of_one_register(taught)
    for fold in range(FOLDS):
        is_taught = {name: folds[name] != fold for name in taught}
        head = _side_by_side(
            [
                *(fit(view.rows[n], own, class_count, is_taught[n]) for n, own in taught.items()),
                *_telling(view, {name: kept[name] & is_taught[name] for name in taught}),
            ]
        )
        for name in taught:
            parts[name].append(head.logits(view.rows[name][~is_taught[name]]))
    return {name: _in_place(parts[name], folds[name]) for name in taught}


def _in_place(parts: Sequence[Floats], folds: Floats) -> Floats:
    """The rows of all folds in the order of the texts."""
    found = np.zeros((len(folds), parts[0].shape[1]))
    for fold, own in enumerate(parts):
        found[folds == fold] = own
    return found


def _of_one_register(taught: dict[str, Labelled]) -> dict[str, Floats]:
    """Which texts say what a register is like: those of no other, and that people wrote.

    Where a register holds nothing that people wrote, its invented texts do.
    """
    count = Counter(key(text) for own in taught.values() for text in own.texts)
    found = {}
    for name, own in taught.items():
        is_alone = np.array([count[key(text)] == 1 for text in own.texts])
        is_real = np.array([not origin.endswith("(invented)") for origin in own.origins])
        found[name] = is_alone & is_real if is_real.any() else is_alone
    return found


def _telling(view: Seen, kept: dict[str, Floats]) -> list[linear.Head]:
    """The head that tells registers apart; none where there is one register."""
    if len(kept) == 1:
        return []
    rows = vstack([view.rows[name][is_kept] for name, is_kept in kept.items()], format="csr")
    sizes = [int(is_kept.sum()) for is_kept in kept.values()]
    classes = np.repeat(np.arange(len(sizes)), sizes)
    ones = np.ones(len(classes))
    count = len(sizes)
    return [linear.fit(rows, classes, row_weights=ones, strength=STRENGTH, class_count=count)]


def _side_by_side(heads: Sequence[linear.Head]) -> linear.Head:
    weights = np.concatenate([head.weights for head in heads], axis=1)
    return linear.Head(weights, np.concatenate([head.bias for head in heads]))


def shipped(
    view: Seen, taught: dict[str, Labelled], class_count: int
) -> tuple[linear.Head, WordScores | None]:
    """The heads of all registers side by side, then the one that tells them apart.

    Once hashed and once by words.
    """
    heads = [fit(view.rows[name], own, class_count) for name, own in taught.items()]
    both = _side_by_side([*heads, *_telling(view, _of_one_register(taught))])
    if view.vectors is None:
        return both, None
    size = len(view.center)
    theta = (both.weights[-size:] * view.scale).astype(np.float32)
    bias = (both.bias - view.center @ theta).astype(np.float32)
    words = word_scores.scored(view.vectors, view.gain, theta)
    return linear.Head(both.weights[:-size], bias), words
