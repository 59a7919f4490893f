"""How many texts of a day are truly negative, neutral, positive: estimated, with an interval.

Counting labels draws every day towards the shares of the training texts. Here the mean
probabilities of the day, m, are read backwards through what the model says of texts of each class
that it never saw (rows of M): m = Mᵀ·π (probabilistic adjusted counting, PACC, of Bella, Ferri,
Hernández-Orallo and Ramírez-Quintana, "Quantification via probability estimators", ICDM 2010),
held to shares of 0..1 that sum to 1. Only sums over texts are needed, which SQL makes in one scan.

The interval of 95 % carries the luck of which texts came and the uncertainty of M (delta method),
and is never narrower than if a person had read every text (Wilson's). Without M it is the mean
probability, and texts without probabilities are counted by their label. Count each text once:
copies are no evidence.

Simulated (`tests/bench/bench_prevalence.py`, docs/digest.md), PACC is 0.4 to 0.2 times as far from
the truth as counting from 300 texts on, and stands wrong temperatures better than EM (Saerens,
Latinne and Decaestecker 2002), which is a little nearer where calibration is perfect. Known gaps:
near the shares of the training texts, counting few texts is nearer; where texts of the day are
harder than all unseen ones, the share is still less than half as far as counting but the interval
is too short (61 to 84 % for 95 % from 300 texts on), unless `soft_confusion_drift` tells how far
kinds of text differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag
from scipy.optimize import nnls

from models import checkpoint, sentiment

Floats = NDArray[Any]
CLASSES = len(sentiment.LABELS)
UNSTATED = 200  # unseen texts a class where the description gives M without their number
WORST = 100.0  # M that enlarges doubt more than this says nothing: it is not used
FEW = 30  # texts that what is expected of their spread weighs as much as
Z = 1.959964  # 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Sums over `count` distinct texts of probabilities `(3,)` and of their products `(3, 3)`."""

    count: int
    total: Floats
    products: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """What the model says of unseen texts: mean probabilities `(3, 3)` by true class, each row
    over `counts` texts `(3,)` whose probabilities vary by `spread` (`(3, 3, 3)` covariances), and
    `drift` `(9, 9)`, how all means together vary from one kind of text to another.
    """

    means: Floats
    counts: Floats
    spread: Floats
    drift: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Estimated shares of `count` texts in the order of LABELS, with their interval of 95 %."""

    count: int
    share: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


IDENTITY = Confusion(
    means=np.eye(CLASSES),
    counts=np.ones(CLASSES),
    spread=np.zeros((CLASSES, CLASSES, CLASSES)),
    drift=np.zeros((CLASSES**2, CLASSES**2)),
)


def moments(chances: Floats) -> Moments:
    """The sums over rows of probabilities `(n, 3)`; rows with NaN are no part of them."""
    known = chances[~np.isnan(chances).any(axis=1)].astype(np.float64)
    return Moments(count=len(known), total=known.sum(axis=0), products=known.T @ known)


def summed(count: int, sums: Floats, products: Floats) -> Moments:
    """Moments from what SQL counts of p_negative and p_positive: `sums (2,)`, `products (2, 2)`.

    p_neutral is what they leave of 1, so that its sums follow.
    """
    turned = np.array([[1.0, 0.0], [-1.0, -1.0], [0.0, 1.0]])
    rest = np.array([0.0, 1.0, 0.0])
    both = np.outer(rest, turned @ sums)
    squares = turned @ products @ turned.T + both + both.T + count * np.outer(rest, rest)
    return Moments(count=count, total=turned @ sums + count * rest, products=squares)


def measured(
    chances: Floats, classes: NDArray[Any], *, sources: Sequence[str] | None = None
) -> dict[str, Any]:
    """What a description states of unseen texts: `soft_confusion` and what its doubt needs.

    `chances` `(n, 3)` as the whole model gives them, none of them NaN, `classes` `(n,)` the true
    ones; each class needs two texts (ValueError). `sources` `(n,)` names the set or register of
    each text: how far the model differs between them tells how far it may differ on the day.
    """
    if np.isnan(chances).any():
        raise ValueError("unseen texts that the model does not read: leave them out first")
    counts = np.bincount(classes, minlength=CLASSES)
    if counts.min() < 2:
        raise ValueError(f"{counts.tolist()} unseen texts a class: give two at least of each")
    own = [chances[classes == place].astype(np.float64) for place in range(CLASSES)]
    return {
        "soft_confusion": [np.round(rows.mean(axis=0), 6).tolist() for rows in own],
        "soft_confusion_counts": counts.tolist(),
        "soft_confusion_spread": [np.round(np.cov(rows.T), 6).tolist() for rows in own],
        "soft_confusion_drift": _drift(chances, classes, np.array(sources or ())).tolist(),
    }


def _drift(chances: Floats, classes: NDArray[Any], sources: NDArray[Any]) -> Floats:
    """Covariances `(9, 9)` between sources of the nine mean probabilities, class by class.

    Of sources with enough texts of every class, the luck within them taken off; 0 below two.
    """
    means, luck = [], []
    for name in np.unique(sources):
        own = [chances[(classes == c) & (sources == name)] for c in range(CLASSES)]
        if min(map(len, own)) >= FEW:
            means.append(np.concatenate([rows.mean(axis=0) for rows in own]))
            luck.append(block_diag(*(np.cov(rows.T) / len(rows) for rows in own)))
    if len(means) < 2:
        return np.zeros((CLASSES**2, CLASSES**2))
    values, axes = np.linalg.eigh(np.cov(np.array(means).T) - np.mean(luck, axis=0))
    return np.asarray(np.round(axes @ np.diag(np.maximum(values, 0.0)) @ axes.T, 6))


def confusion(stated: Mapping[str, Any]) -> Confusion:
    """The confusion that a language's calibration states; IDENTITY where it states none.

    Without a number of texts it is taken to rest on 200 a class, and without their spread to vary
    as much as such a mean allows. IDENTITY too where M is too near to singular to be read.
    """
    if "soft_confusion" not in stated:
        return IDENTITY
    means = np.array(stated["soft_confusion"], np.float64)
    if means.shape != (CLASSES, CLASSES) or np.linalg.cond(means) > WORST:
        return IDENTITY
    widest = np.array([np.diag(row) - np.outer(row, row) for row in means])
    return Confusion(
        means=means / means.sum(axis=1, keepdims=True),
        counts=np.array(stated.get("soft_confusion_counts", [UNSTATED] * CLASSES), np.float64),
        spread=np.array(stated.get("soft_confusion_spread", widest), np.float64),
        drift=np.array(stated.get("soft_confusion_drift", IDENTITY.drift), np.float64),
    )


@cache
def shipped() -> Callable[[str | None, str | None], Confusion]:
    """Which confusion holds for scores made by weights of a hash in a language.

    IDENTITY for other weights than those that ship. WeightsError when these cannot be read.
    """
    own = checkpoint.read(checkpoint.WEIGHTS, sentiment.TASK, task=sentiment.TASK)
    stated = own.description.calibration

    def of(weights: str | None, lang: str | None) -> Confusion:
        is_ours = weights == own.sha256 and isinstance(stated.get(lang or ""), Mapping)
        return confusion(stated[lang or ""]) if is_ours else IDENTITY

    return of


def estimate(parts: Sequence[tuple[Moments, Confusion]]) -> Shares | None:
    """The shares of all texts of parts that were read differently; None of nothing."""
    held = [(each, known) for each, known in parts if each.count]
    count = sum(each.count for each, _ in held)
    if not count:
        return None
    weights = [each.count / count for each, _ in held]
    found = [_corrected(each, known) for each, known in held]
    raw = np.asarray(sum(w * own for w, (own, _) in zip(weights, found, strict=True)))
    doubt = np.asarray(sum(w**2 * own for w, (_, own) in zip(weights, found, strict=True)))
    shares = _within(raw, doubt)
    bounds = [
        _bounds(share, variance, count=count)
        for share, variance in zip(shares.tolist(), np.diag(doubt).tolist(), strict=True)
    ]
    low, high = zip(*bounds, strict=True)
    return Shares(count=count, share=tuple(shares.tolist()), low=low, high=high)


def _bounds(share: float, variance: float, *, count: int) -> tuple[float, float]:
    """Wilson's interval of as many texts read by a person; the normal one where M adds doubt."""
    near = (share * count + 2.0) / (count + 4.0)  # a share of 0 is no certainty
    if near * (1.0 - near) >= count * variance:
        return wilson(share, count)
    far = Z * sqrt(variance)
    return max(share - far, 0.0), min(share + far, 1.0)


def _corrected(seen: Moments, known: Confusion) -> tuple[Floats, Floats]:
    """Shares that sum to 1, perhaps outside 0..1, and their covariance."""
    mean = seen.total / seen.count
    back = np.linalg.inv(known.means.T)
    shares = back @ mean
    near = np.clip(shares, 0.0, 1.0) / np.clip(shares, 0.0, 1.0).sum()
    luck = _spread(seen, known, near) / seen.count
    ours = np.tensordot(near**2 / known.counts, known.spread, axes=1)
    each = np.kron(near, np.eye(CLASSES))  # the mean of a day from the nine means
    return shares, back @ (luck + ours + each @ known.drift @ each.T) @ back.T


def _spread(seen: Moments, known: Confusion, shares: Floats) -> Floats:
    """How probabilities vary from text to text: as seen, and where texts are few as expected."""
    mean = seen.total / seen.count
    own = seen.products - seen.count * np.outer(mean, mean)
    expected = known.means.T @ shares
    each = known.spread + known.means[:, :, None] * known.means[:, None, :]
    theirs = np.tensordot(shares, each, axes=1) - np.outer(expected, expected)
    return np.asarray((own + FEW * theirs) / (seen.count + FEW))


def _within(raw: Floats, doubt: Floats) -> Floats:
    """The shares in 0..1 that sum to 1 and lie nearest to `raw`, in the metric of its doubt."""
    if raw.min() >= 0.0:
        return np.asarray(raw / raw.sum())
    widest = max(float(np.trace(doubt)), 1e-12)
    values, axes = np.linalg.eigh(doubt / widest)  # by rounding, one may be a little under 0
    root = (axes / np.sqrt(np.maximum(values, 0.0) + 1e-6)).T
    whole = 1e4 * float(np.abs(root).max())
    held, _ = nnls(
        np.vstack([root, np.full(CLASSES, whole)]), np.concatenate([root @ raw, [whole]])
    )
    return np.asarray(held / held.sum())


def wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's interval of 95 % of a share of `count` texts."""
    square = Z * Z / count
    centre = (share + square / 2) / (1 + square)
    half = Z / (1 + square) * sqrt(share * (1 - share) / count + square / (4 * count))
    return max(centre - half, 0.0), min(centre + half, 1.0)
