"""The tone of texts: negative, neutral, positive, or undetermined.

`load()` gives the embedded model or a transformers checkpoint (`models.hub`), both with
`score(texts, langs)`. A language without a model of its own is never given another's: its
probabilities are NaN. Tone is about the text, not about its target, and says nothing of irony;
figures by language and known failures stand in `models/cards/sentiment.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models import checkpoint, features, linear
from models.calibrate import softmax
from models.checkpoint import Checkpoint, Description
from models.errors import WeightsError
from models.reading import Batch

TASK = "sentiment"
LABELS = ("negative", "neutral", "positive")
UNDETERMINED = "undetermined"
ABSTAIN_UNDER = 0.42  # the likeliest of three must reach it: chance is 0.33


@dataclass(frozen=True, slots=True)
class Tones:
    """Probabilities `(n, 3)` float32 in the order of LABELS, NaN where no model reads the text;
    labels, `undetermined` where NaN or under the threshold; scores p(positive) - p(negative) in
    -1..1, NaN where undetermined.
    """

    probabilities: NDArray[np.float32]
    labels: list[str]
    scores: NDArray[np.float32]


class SentimentModel(Protocol):
    """What both kinds of model offer."""

    @property
    def model_id(self) -> str: ...
    @property
    def weights_sha256(self) -> str: ...
    @property
    def thresholds(self) -> Mapping[str, float]: ...
    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Tones: ...
    def score_batch(self, batch: Batch) -> Tones: ...


def load(name: str = "embedded", *, may_download: bool = False) -> SentimentModel:
    """The model of that name: `embedded`, a folder, or `org/name@revision`.

    WeightsError when the weights are missing, altered or do not match. `may_download` lets a
    checkpoint be fetched; otherwise nothing leaves the machine.
    """
    if name == "embedded":
        return Embedded(checkpoint.read(checkpoint.WEIGHTS, TASK, task=TASK, labels=LABELS))
    from models import hub

    return hub.load_sentiment(name, may_download=may_download)


def tones(probabilities: NDArray[np.float32], *, threshold: float) -> Tones:
    """Labels and scores from probabilities; NaN rows and unsure ones are undetermined."""
    known = np.nan_to_num(probabilities, nan=0.0)
    is_sure = known.max(axis=1, initial=0.0) >= threshold
    places = known.argmax(axis=1) if len(known) else np.zeros(0, int)
    labels = [
        LABELS[place] if sure else UNDETERMINED for place, sure in zip(places, is_sure, strict=True)
    ]
    scores = np.where(is_sure, known[:, 2] - known[:, 0], np.nan).astype(np.float32)
    return Tones(probabilities, labels, scores)


class Embedded:
    """Linear heads that ship with Vigie, one a language."""

    def __init__(self, weights: Checkpoint) -> None:
        self._weights = weights
        if weights.description.features_version != features.VERSION:
            raise WeightsError(
                f"the sentiment weights were trained on features version "
                f"{weights.description.features_version} and this code reads version "
                f"{features.VERSION}: train again with `python -m models.train`"
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
        """The probability under which the model abstains."""
        return self._weights.description.thresholds

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

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Tones:
        """The tone of each text in its language."""
        return self.score_batch(Batch(texts, langs))

    def score_batch(self, batch: Batch) -> Tones:
        """As `score`, of texts that may have been read already."""
        found = np.full((len(batch), len(LABELS)), np.nan, np.float32)
        for lang, (places, read) in batch.by_lang.items():
            if lang not in self._heads:
                continue
            heat = self._weights.description.calibration["temperature"][lang]
            chances = softmax(self._heads[lang].logits(read.features) / heat)
            is_empty = np.diff(read.features.indptr) == 0
            found[places] = np.where(is_empty[:, None], np.nan, chances)
        return tones(found, threshold=self.thresholds["abstain_under"])
