"""Probabilities that mean what they say, and when to say nothing.

A temperature divides logits before the softmax (Guo et al. 2017, "On calibration of modern
neural networks"); it is found on texts that the model did not learn from. The expected
calibration error compares stated with observed accuracy in ten bins of equal width.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]
_DRAW = 0.5  # penalty on what a topic has of its own, in the unit of one sentence's loss
_CONTEXT_UNIT = 4.0  # about the spread of context logits


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


def calibration_error(chances: Floats, is_right: NDArray[np.bool_], *, bins: int = 10) -> float:
    """Mean distance between stated and observed accuracy, weighted by bin (0 is perfect)."""
    places = np.minimum((chances * bins).astype(int), bins - 1)
    total = 0.0
    for place in range(bins):
        inside = places == place
        if inside.any():
            total += inside.mean() * abs(chances[inside].mean() - is_right[inside].mean())
    return float(total)


def evidence(
    context: Floats, hits: Floats, is_of: NDArray[Any], topic: NDArray[Any], *, topic_count: int
) -> dict[str, list[float]]:
    """How context and terms make a probability: logit = a[t]·context + b[t]·hits + c[t].

    Each topic has few sentences, so what it has of its own is drawn to what all share by a
    quadratic penalty. Rows are pairs of a sentence and a topic.
    """
    from scipy.optimize import minimize

    inputs = np.stack([context / _CONTEXT_UNIT, hits, np.ones(len(hits))])

    def loss(values: Floats) -> tuple[float, Floats]:
        shared, own = values[:3], values[3:].reshape(3, topic_count)
        logits = ((shared[:, None] + own[:, topic]) * inputs).sum(axis=0)
        each = (sigmoid(logits) - is_of) * inputs
        gradient = np.stack([np.bincount(topic, row, minlength=topic_count) for row in each])
        likely = np.logaddexp(0.0, logits) - is_of * logits
        total = likely.sum() + _DRAW / 2 * (own**2).sum()
        return total, np.concatenate([each.sum(axis=1), (gradient + _DRAW * own).ravel()])

    count = 3 + 3 * topic_count
    limits = [(0.0, None), (0.0, None)] + [(None, None)] * (count - 2)
    found = minimize(loss, np.zeros(count), jac=True, method="L-BFGS-B", bounds=limits).x
    by_topic = found[:3, None] + found[3:].reshape(3, topic_count)
    by_topic[0] = np.maximum(by_topic[0], 0.0) / _CONTEXT_UNIT
    names = ("context", "hits", "offsets")
    return {name: np.round(row, 4).tolist() for name, row in zip(names, by_topic, strict=True)}
