"""The gold set of an institution: what people said of drawn messages, and how good models are.

A gold answer is a settlement, else what everybody who judged the message said. Where they disagree
and nobody has settled it, that part of the message (tone, topics or acts) is not gold yet.

Figures of the random part hold for all that was there to draw from: each message weighs N / r, the
messages of its stratum over those of them that have a gold answer (Hájek's ratio form of the
Horvitz-Thompson estimator; Särndal, Swensson and Wretman 1992, Model Assisted Survey Sampling,
chapter 5, and 15 for messages without an answer). Copies count once. Intervals are percentiles of
1,000 bootstrap samples of the messages with their weights, which passes over what strata gain, and
so is rather too wide; a share without any error gets Wilson's. Figures of the active part say where
models fail, and nothing of the whole: its messages were chosen since they are hard.

Texts are those of the warehouse: one that has expired is judged by its stored score where the
present models made it, else left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.acts import ACTS
from models.sentiment import LABELS as TONES
from models.topics import LABELS as TOPICS
from pipelines import baseline
from pipelines.agreement import Agreement, agreement, masi, nominal
from pipelines.labels import Answer, Row

Dimension = Literal["tone", "topics", "acts"]
DIMENSIONS: tuple[Dimension, ...] = ("tone", "topics", "acts")
LEAST = 50  # gold answers of the random part, for a figure of the whole
_SAMPLES = 1_000
_SEED = 20261126
_Z = 1.96

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """One message: `answers` by dimension, without those that are open; where its text is kept,
    and what the stored score says of it (`said`, by the scorer `scorer_id`).
    """

    task_id: str
    part: str
    reason: str
    stratum: tuple[str, str]
    stratum_count: int
    answers: dict[Dimension, Hashable]
    disputed: frozenset[Dimension]
    is_settled: bool
    text_hash: str
    text: str | None
    lang: str | None
    text_until_on: Any
    scorer_id: str | None
    said: dict[Dimension, Hashable]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure, 0..1, of `count` messages that weigh as much as `effective` equal ones (Kish)."""

    name: str
    count: int
    effective: float
    value: float
    low: float
    high: float


# --- what people said


def by_message(rows: Iterable[Row]) -> list[list[Row]]:
    """The labels of each message and text, in the order of the draws."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["task_id"], row["text_hash"]), []).append(row)
    return list(found.values())


def gold(rows: Sequence[Row]) -> list[Gold]:
    """The messages that somebody judged, with their gold answers."""
    found = [_gold(group) for group in by_message(rows)]
    latest = {each.task_id: each for each in found}  # an edited text takes the place of the former
    return list(latest.values())


def _gold(labels: Sequence[Row]) -> Gold:
    settled = [row for row in labels if row["is_settlement"]]
    holding = settled or list(labels)
    given = {d: [v for row in holding if (v := value(row["answer"], d)) is not None]
             for d in DIMENSIONS}  # fmt: skip
    row = labels[0]
    return Gold(
        task_id=row["task_id"],
        part=row["part"],
        reason=row["reason"],
        stratum=(row["batch_id"], row["stratum"]),
        stratum_count=row["stratum_count"],
        answers={d: values[0] for d, values in given.items() if len(set(values)) == 1},
        disputed=frozenset(d for d, values in given.items() if len(set(values)) > 1),
        is_settled=bool(settled),
        text_hash=row["text_hash"],
        text=whole(row["title"], row["text"]) if row["text"] is not None else None,
        lang=row["lang"],
        text_until_on=row["text_until_on"],
        scorer_id=row["scorer_id"],
        said=_said(row) if row["scorer_id"] else {},
    )


def value(answer: Answer, dimension: Dimension) -> Hashable | None:
    """What an answer says of tone, topics or acts; None where it says nothing of it."""
    if answer.is_unreadable:
        return None
    if dimension == "tone":
        return answer.tone
    return frozenset(answer.topics if dimension == "topics" else answer.acts)


def whole(title: str | None, text: str) -> str:
    """A text as models read it: after its title, where it does not begin with it."""
    return text if not title or text.startswith(title) else f"{title}. {text}"


def _said(row: Row) -> dict[Dimension, Hashable]:
    chances = [row["p_negative"], row["p_neutral"], row["p_positive"]]
    said: dict[Dimension, Hashable] = {"topics": frozenset(row["said_topics"])}
    if row["said_acts"] is not None:
        said["acts"] = frozenset(row["said_acts"])
    if None not in chances:
        said["tone"] = TONES[int(np.argmax(chances))]
    return said


def agreements(rows: Sequence[Row]) -> dict[Dimension, Agreement | None]:
    """How far people agree, before any settlement, by dimension."""
    own = by_message([row for row in rows if not row["is_settlement"]])

    def units(dimension: Dimension) -> list[list[Hashable]]:
        told = ([value(row["answer"], dimension) for row in group] for group in own)
        return [[v for v in values if v is not None] for values in told]

    return {d: agreement(units(d), nominal if d == "tone" else masi) for d in DIMENSIONS}


def disputes(rows: Sequence[Row]) -> list[list[Row]]:
    """The messages whose text is kept, on which people differ and nobody has settled it."""
    found = by_message(rows)
    return [labels for labels in found if labels[0]["text"] is not None and _gold(labels).disputed]


# --- how good models are


def weights(own: Sequence[Gold]) -> Floats:
    """What each message of the random part weighs: those of its stratum over those judged of it."""
    judged = Counter(each.stratum for each in own)
    return np.array([each.stratum_count / judged[each.stratum] for each in own], np.float64)


def figures(
    truth: Sequence[Hashable], said: Sequence[Hashable], weigh: Floats, dimension: Dimension
) -> list[Figure]:
    """Accuracy and macro-F1 of a tone; precision, recall and F1 over all topics, or acts."""
    parts = _tone_parts if dimension == "tone" else _set_parts
    counts = np.stack([parts(t, s, dimension) for t, s in zip(truth, said, strict=True)])
    draws = np.random.default_rng(_SEED).multinomial(
        len(truth), np.full(len(truth), 1 / len(truth)), size=_SAMPLES
    )
    whole_sum = np.tensordot(weigh[None, :], counts, axes=1)
    sampled = np.tensordot(draws * weigh, counts, axes=1)
    effective = float(weigh.sum() ** 2 / (weigh**2).sum())

    def figure(name: str, measure: Callable[[Floats], Floats]) -> Figure:
        own = float(measure(whole_sum)[0])
        low, high = _ends(measure(sampled), own, effective)
        return Figure(
            name=name, count=len(truth), effective=effective, value=own, low=low, high=high
        )

    return [figure(name, measure) for name, measure in _MEASURES[dimension].items()]


def _ends(values: Floats, own: float, effective: float) -> tuple[float, float]:
    """The ends of an interval; Wilson's where no sample differs, which a bootstrap cannot widen."""
    known = values[~np.isnan(values)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (0.0, 1.0)
    if low == high:
        below, above = baseline.wilson(np.array([own * effective]), np.array([effective]), z=_Z)
        return float(below[0]), float(above[0])
    return float(low), float(high)


def _tone_parts(truth: Hashable, said: Hashable, _: Dimension) -> Floats:
    """By tone: right, said and of it `(3, 3)`."""
    return np.array([[truth == said == t, said == t, truth == t] for t in TONES], np.float64)


def _set_parts(truth: Hashable, said: Hashable, dimension: Dimension) -> Floats:
    """By topic or act: right, said and of it."""
    assert isinstance(truth, frozenset)  # noqa: S101 - the type of every caller
    assert isinstance(said, frozenset)  # noqa: S101
    names = TOPICS if dimension == "topics" else ACTS
    both = truth & said
    return np.array([[n in both, n in said, n in truth] for n in names], np.float64)


def _accuracy(counts: Floats) -> Floats:
    return _ratio(counts[:, :, 0].sum(axis=1), counts[:, :, 2].sum(axis=1))


def _macro(counts: Floats) -> Floats:
    """Mean F1 of the tones that occur among what people said."""
    f1 = _ratio(2 * counts[:, :, 0], counts[:, :, 1] + counts[:, :, 2])
    return _ratio(np.where(counts[:, :, 2] > 0, f1, 0).sum(axis=1), (counts[:, :, 2] > 0).sum(1))


def _micro(counts: Floats) -> Floats:
    right, said, of_it = np.moveaxis(counts.sum(axis=1), 1, 0)
    return _ratio(2 * right, said + of_it)


def _precision(counts: Floats) -> Floats:
    return _ratio(counts[:, :, 0].sum(axis=1), counts[:, :, 1].sum(axis=1))


def _ratio(part: Any, total: Any) -> Floats:
    """A share; NaN of nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.asarray(part, np.float64) / total)


_MEASURES: dict[Dimension, dict[str, Callable[[Floats], Floats]]] = {
    "tone": {"accuracy": _accuracy, "macro F1": _macro},
    "topics": {"F1": _micro, "precision": _precision, "recall": _accuracy},
    "acts": {"F1": _micro, "precision": _precision, "recall": _accuracy},
}
