"""Which of the twenty sensitive topics texts are about, each with its own probability.

A text may have none or several. The embedded model joins two kinds of evidence: terms of the
topic (`models/taxonomy`) and the words around them. A text of undetermined language is read as
French, so that a two-word alarm is not missed; a text of another language has no probabilities
(NaN) and no topics. Figures by topic: `models/cards/topics.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models import checkpoint, features, linear, terms
from models.calibrate import sigmoid
from models.checkpoint import Checkpoint, Description
from models.errors import WeightsError
from models.reading import Batch, Read
from models.taxonomy import taxonomy

TASK = "topics"
LABELS = tuple(topic.id for topic in taxonomy())
HITS_LIMIT = 1.5  # more terms than that add nothing


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

    WeightsError as `models.sentiment.load`, and when a topic file has changed since training.
    """
    if name == "embedded":
        return Embedded(checkpoint.read(checkpoint.WEIGHTS, TASK, task=TASK, labels=LABELS))
    from models import hub

    return hub.load_topics(name, may_download=may_download)


def thresholds() -> dict[str, float]:
    """The probability from which each topic counts, as its file says."""
    return {topic.id: topic.threshold for topic in taxonomy()}


def found(probabilities: NDArray[np.float32]) -> Found:
    """The topics that reach their threshold."""
    limits = np.array(list(thresholds().values()), np.float32)
    reaches = np.nan_to_num(probabilities, nan=0.0) >= limits
    named = [tuple(LABELS[place] for place in np.flatnonzero(row)) for row in reaches]
    return Found(probabilities, named)


class Embedded:
    """Linear heads that ship with Vigie, one a language, and the terms of the topics."""

    def __init__(self, weights: Checkpoint) -> None:
        self._weights = weights
        stated = weights.description
        trained = (stated.features_version, stated.terms_sha256)
        if trained != (features.VERSION, terms.digest()):
            raise WeightsError(
                "the topic weights were trained on other terms or features than those of "
                "models/taxonomy and models/features.py now: train again with "
                "`python -m models.train --only topics`"
            )

    @property
    def model_id(self) -> str:
        """Name and version of the weights."""
        return f"{self._weights.description.model_id}-{self._weights.description.version}"

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the file of weights."""
        return self._weights.sha256

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
        """The languages that have a head."""
        return self._weights.description.languages

    @cached_property
    def _heads(self) -> dict[str, linear.Head]:
        return {lang: linear.unpacked(self._weights.tensors, name=lang) for lang in self.languages}

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Found:
        """The topics of each text."""
        return self.score_batch(Batch(texts, langs))

    def score_batch(self, batch: Batch) -> Found:
        """As `score`, of texts that may have been read already."""
        chances = np.full((len(batch), len(LABELS)), np.nan, np.float32)
        for lang, (places, read) in batch.by_lang.items():
            if (lang or "fr") in self._heads:
                chances[places] = self._chances(read, lang or "fr")
        return found(chances)

    def _chances(self, read: Read, lang: str) -> NDArray[np.float32]:
        stated = self._weights.description.calibration[lang]
        context = self._heads[lang].logits(read.features)
        hits = np.minimum(read.hits, HITS_LIMIT)
        slope, weight, offset = (np.array(stated[k]) for k in ("context", "hits", "offsets"))
        logits = slope * context + weight * hits + offset
        is_empty = np.diff(read.features.indptr) == 0
        return np.where(is_empty[:, None], np.nan, sigmoid(logits)).astype(np.float32)
