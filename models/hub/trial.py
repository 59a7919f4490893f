"""Two models side by side on labelled texts: how right, how sure of it, how fast.

The measure is macro-F1 of the tones, micro-F1 of the topics, in 0..1. Intervals are percentiles of
1,000 bootstrap samples, and both models are judged on the same samples, so that the interval of
their difference is that of the difference and not of two separate draws.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models import sentiment, topics

SAMPLES = 1_000
_SEED = 20261120

Task = Literal["sentiment", "topics"]
Model = sentiment.SentimentModel | topics.TopicsModel
Marks = NDArray[np.bool_]  # (texts, labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Texts with their languages and labels; `is_seen` when the embedded model learnt from them."""

    name: str
    texts: list[str]
    langs: list[str | None]
    marks: Marks
    is_seen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One model on one set: its measure with a 95 % interval, and its speed."""

    model_id: str
    f1: float
    low: float
    high: float
    texts_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Two models on one set; `gain` is the 95 % interval of what the second has over the first."""

    name: str
    count: int
    is_seen: bool
    now: Line
    other: Line
    gain: tuple[float, float]

    @property
    def is_better(self) -> bool:
        """Whether the second model is better beyond chance."""
        return self.gain[0] > 0


def marks(labels: Sequence[str], *, task: Task) -> Marks:
    """Labels as a row of marks each; several topics stand apart by `;`, `,` or a space."""
    names = sentiment.LABELS if task == "sentiment" else topics.LABELS
    said = [set(label.replace(";", " ").replace(",", " ").split()) for label in labels]
    return np.array([[name in own for name in names] for own in said], bool)


def compare(now: Model, other: Model, labelled: Labelled) -> Trial:
    """Both models on a set, on the same bootstrap samples."""
    random = np.random.default_rng(_SEED)
    count = len(labelled.texts)
    draws = random.multinomial(count, np.full(count, 1 / count), size=SAMPLES)
    lines, samples = zip(*(_line(model, labelled, draws) for model in (now, other)), strict=True)
    low, high = np.percentile(samples[1] - samples[0], [2.5, 97.5])
    return Trial(
        name=labelled.name,
        count=count,
        is_seen=labelled.is_seen,
        now=lines[0],
        other=lines[1],
        gain=(float(low), float(high)),
    )


def _line(
    model: Model, labelled: Labelled, draws: NDArray[np.int64]
) -> tuple[Line, NDArray[np.float64]]:
    model.score(labelled.texts[:8], labelled.langs[:8])  # what is made at first use is no speed
    begun = time.perf_counter()
    scored = model.score(labelled.texts, labelled.langs)
    spent = time.perf_counter() - begun
    said = _said(scored)
    is_macro = isinstance(scored, sentiment.Tones)
    samples = f1(labelled.marks, said, draws, is_macro=is_macro)
    whole = f1(labelled.marks, said, np.ones((1, len(said)), np.int64), is_macro=is_macro)
    low, high = np.percentile(samples, [2.5, 97.5])
    line = Line(
        model_id=model.model_id,
        f1=float(whole[0]),
        low=float(low),
        high=float(high),
        texts_per_second=len(said) / spent,
    )
    return line, samples


def _said(scored: sentiment.Tones | topics.Found) -> Marks:
    """What a model answers; an unread text has no mark, and so counts as missed."""
    if isinstance(scored, topics.Found):
        return np.array([[label in own for label in topics.LABELS] for own in scored.topics], bool)
    chances = np.nan_to_num(scored.probabilities)
    likeliest = chances.argmax(axis=1)[:, None] == np.arange(chances.shape[1])
    return np.asarray(likeliest & (chances.max(axis=1, keepdims=True) > 0))


def f1(
    truth: Marks, said: Marks, draws: NDArray[np.int64], *, is_macro: bool
) -> NDArray[np.float64]:
    """The measure of each draw, which says how often each text counts in it; in 0..1."""
    weights = draws.astype(np.float64)
    both = weights @ (truth & said)
    either = weights @ (truth.astype(np.float64) + said)
    if not is_macro:
        return np.asarray(2 * both.sum(axis=1) / np.maximum(either.sum(axis=1), 1))
    is_there = truth.any(axis=0)
    return np.asarray((2 * both / np.maximum(either, 1))[:, is_there].mean(axis=1))
