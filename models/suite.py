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
        """Every score of each text, copies read once, a few thousand texts at a time."""
        firsts, places = _distinct(texts, langs)
        if len(firsts) < len(texts):
            own = self.score([texts[i] for i in firsts], [langs[i] for i in firsts])
            return _at(own, places)
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


def _distinct(
    texts: Sequence[str], langs: Sequence[str | None]
) -> tuple[list[int], NDArray[np.int64]]:
    """Where each different text of a language stands first, and which of these each text is.

    What is copied and shared comes many times in a crisis.
    """
    known: dict[tuple[str, str | None], int] = {}
    firsts: list[int] = []
    places = np.zeros(len(texts), np.int64)
    for place, both in enumerate(zip(texts, langs, strict=True)):
        own = known.setdefault(both, len(known))
        if own == len(firsts):
            firsts.append(place)
        places[place] = own
    return firsts, places


def _at(own: Scores, places: NDArray[np.int64]) -> Scores:
    """The scores of the texts at some places, which may repeat."""

    def names(every: list[Any]) -> list[Any]:
        return [every[place] for place in places]

    tone, found, done = own.tone, own.found, own.done
    return Scores(
        tone=Tones(tone.probabilities[places], names(tone.labels), tone.scores[places]),
        found=Found(found.probabilities[places], names(found.topics)),
        done=Done(done.probabilities[places], names(done.acts), names(done.risks)),
        p_irony=own.p_irony[places],
        p_political=own.p_political[places],
        services=names(own.services),
        subtopics=names(own.subtopics),
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
