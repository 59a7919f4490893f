"""Which of the twenty sensitive topics texts are about, each with its own probability.

A text may have none or several. The embedded model joins terms of the topic (`models/taxonomy`)
and what the text resembles (`models.heads`). A text of undetermined language is read as French,
so that a two-word alarm is not missed; a text of another language has no probabilities (NaN) and
no topics. Figures by topic: `models/cards/topics.md`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models import heads, lexicons
from models.checkpoint import Checkpoint, Description
from models.reading import Batch
from models.taxonomy import taxonomy

TASK = "topics"
LABELS = tuple(topic.id for topic in taxonomy())


@dataclass(frozen=True, slots=True)
class Found:
    """Probabilities `(n, topics)` float32 in the order of LABELS, NaN where no model reads the
    text; the ids of the topics whose probability reaches their threshold, in order.
    """

    probabilities: NDArray[np.float32]
    topics: list[tuple[str, ...]]


class TopicsModel(Protocol):
    """What both kinds of model offer."""

    @property
    def model_id(self) -> str: ...
    @property
    def weights_sha256(self) -> str: ...
    @property
    def thresholds(self) -> Mapping[str, float]: ...
    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Found: ...
    def score_batch(self, batch: Batch) -> Found: ...


def load(name: str = "embedded", *, may_download: bool = False) -> TopicsModel:
    """The model of that name: `embedded`, a folder, or `org/name@revision`.

    WeightsError as `models.sentiment.load`.
    """
    if name == "embedded":
        return Embedded(heads.read_weights())
    from models import hub

    return hub.load_topics(name, may_download=may_download)


def thresholds() -> dict[str, float]:
    """The probability from which each topic counts, as its file says."""
    return {topic.id: topic.threshold for topic in taxonomy()}


def found(probabilities: NDArray[np.float32]) -> Found:
    """The topics that reach their threshold."""
    limits = np.array(list(thresholds().values()), np.float32)
    reaches = np.nan_to_num(probabilities, nan=0.0) >= limits
    return Found(probabilities, heads.named(reaches, LABELS))


class Embedded:
    """The heads that ship with Vigie."""

    def __init__(self, weights: Checkpoint) -> None:
        self._weights = weights

    @property
    def model_id(self) -> str:
        """Name and version of the weights."""
        return f"vigie-topics-{self._weights.description.version}"

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights and of the terms that stand beside them."""
        both = f"{self._weights.sha256} {lexicons.digest()}"
        return hashlib.sha256(both.encode()).hexdigest()

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The probability from which each topic counts."""
        return thresholds()

    @property
    def description(self) -> Description:
        """What the weights say of themselves."""
        return self._weights.description

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have heads."""
        return self._weights.description.languages

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Found:
        """The topics of each text."""
        return self.score_batch(Batch(texts, langs))

    def score_batch(self, batch: Batch) -> Found:
        """As `score`, of texts that may have been read already."""
        return found(batch.chances[:, : len(LABELS)])


def second_level(hits: NDArray[np.float32], topics: Sequence[Sequence[str]]) -> list[list[str]]:
    """The sub-topics that terms prove, of the topics that each text was found to be about."""
    names = [name for name in lexicons.labels() if "/" in name and name[0] == "T"]
    proven = heads.named(hits[:, [lexicons.place(name) for name in names]] > 0, names)
    return [
        [name for name in each if name.split("/")[0] in own]
        for each, own in zip(proven, topics, strict=True)
    ]
