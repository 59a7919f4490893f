"""All embedded models together: texts in, every column of `vigie score` out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import acts, aspects, heads, sentiment, topics
from models.acts import Done
from models.reading import Batch
from models.sentiment import SentimentModel, Tones
from models.topics import Found, TopicsModel

_PIECE = 4_096  # texts read at a time: what is made of them stays small


@dataclass(frozen=True, slots=True)
class Scores:
    """What all models say of n texts; probabilities are NaN where no model reads the text."""

    tone: Tones
    found: Found
    done: Done
    p_irony: NDArray[np.float32]
    p_political: NDArray[np.float32]
    services: list[tuple[str, ...]]
    subtopics: list[list[str]]


@dataclass(frozen=True, slots=True)
class Suite:
    """The models of a run: tone and topics may be checkpoints, the rest ships."""

    tone: SentimentModel
    subject: TopicsModel
    doing: acts.Embedded

    @property
    def model_id(self) -> str:
        """The names of all."""
        return f"{self.tone.model_id}+{self.subject.model_id}+{self.doing.model_id}"

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Scores:
        """Every score of each text, each text read once, a few thousand at a time."""
        parts = [
            self._score(texts[first : first + _PIECE], langs[first : first + _PIECE])
            for first in range(0, max(1, len(texts)), _PIECE)
        ]
        return parts[0] if len(parts) == 1 else _joined(parts)

    def _score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Scores:
        batch = Batch(texts, langs)
        political, irony = heads.columns_of(["political", "irony"])
        found = self.subject.score_batch(batch)
        return Scores(
            tone=self.tone.score_batch(batch),
            found=found,
            done=self.doing.score_batch(batch),
            p_irony=batch.chances[:, irony],
            p_political=batch.chances[:, political],
            services=aspects.aspects(batch, self.tone),
            subtopics=topics.second_level(batch.hits, found.topics),
        )


def _joined(parts: Sequence[Scores]) -> Scores:
    """Scores of pieces one after the other."""

    def rows(arrays: Iterable[NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate(list(arrays))

    def names(lists: Iterable[list[Any]]) -> list[Any]:
        return list(chain.from_iterable(lists))

    return Scores(
        tone=Tones(
            rows(p.tone.probabilities for p in parts),
            names(p.tone.labels for p in parts),
            rows(p.tone.scores for p in parts),
        ),
        found=Found(
            rows(p.found.probabilities for p in parts), names(p.found.topics for p in parts)
        ),
        done=Done(
            rows(p.done.probabilities for p in parts),
            names(p.done.acts for p in parts),
            names(p.done.risks for p in parts),
        ),
        p_irony=rows(p.p_irony for p in parts),
        p_political=rows(p.p_political for p in parts),
        services=names(p.services for p in parts),
        subtopics=names(p.subtopics for p in parts),
    )


def load(*, tone: str = "embedded", subject: str = "embedded") -> Suite:
    """The suite with the models of these names; WeightsError when one cannot be used."""
    return Suite(sentiment.load(tone), topics.load(subject), acts.load())
