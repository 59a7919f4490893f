"""Probabilities that mean what they say, and when to say nothing.

A temperature divides logits before the softmax (Guo et al. 2017, "On calibration of modern
neural networks"); it is found on texts that the model did not learn from. The expected
calibration error compares stated with observed accuracy in bins of equal width, 15 as there and
as in most papers since: whoever compares two of our figures compares the same thing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15

Floats = NDArray[Any]


def softmax(logits: Floats) -> Floats:
    """Rows of probabilities that sum to 1."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def sigmoid(logits: Floats) -> Floats:
    """Probabilities in 0..1, each on its own."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0))))


def temperature(logits: Floats, classes: NDArray[Any], row_weights: Floats) -> float:
    """The temperature in 0.2..5 that makes held-out classes likeliest."""
    from scipy.optimize import minimize_scalar

    def loss(log_t: float) -> float:
        chances = softmax(logits / np.exp(log_t))[np.arange(len(classes)), classes]
        return float(-(row_weights * np.log(np.maximum(chances, 1e-12))).sum())

    found = minimize_scalar(loss, bounds=(np.log(0.2), np.log(5.0)), method="bounded")
    return float(np.exp(found.x))


def calibration_error(chances: Floats, is_right: NDArray[np.bool_]) -> float:
    """Mean distance between stated and observed accuracy, weighted by bin, in 0..1 (0 is perfect).

    `chances` `(n,)` are those of what was answered, `is_right` whether it was. Of few texts it is
    mostly chance, and then too large rather than too small.
    """
    places = np.minimum((chances * BINS).astype(int), BINS - 1)
    total = 0.0
    for place in range(BINS):
        inside = places == place
        if inside.any():
            total += inside.mean() * abs(chances[inside].mean() - is_right[inside].mean())
    return float(total)
