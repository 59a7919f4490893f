"""Transformers checkpoints by folder or by pinned id, through the interface of embedded models.

Three kinds, told apart by their own files: a classifier of our labels, an NLI model asked about
them (zero-shot), sentence embeddings compared with examples of them. Nothing is fetched unless
asked. An ONNX file is run with ONNX Runtime, the 8-bit one if there are two; else safetensors with
torch, where it is installed. Pickled weights and code that comes with a checkpoint are never run.

Costs and how to choose: `docs/checkpoints.md`. An NLI model costs one run a label: twenty for
topics. Known gap: the probabilities of other people's models are not calibrated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np

from models import sentiment, topics
from models.hub.address import Found, find
from models.hub.encoder import Floats, encoder
from models.hub.judging import (
    Classifier,
    Examples,
    Hypotheses,
    Judge,
    Prototypes,
    ZeroShot,
    pooled,
    tone_examples,
    tone_hypotheses,
    topic_examples,
    topic_hypotheses,
)
from models.hub.kind import (
    Places,
    entailment_places,
    kind_of,
    pooling,
    tone_places,
    topic_places,
)
from models.reading import Batch

Answer = TypeVar("Answer", bound=sentiment.Tones | topics.Found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted(Generic[Answer]):
    """A checkpoint that judges tone or names topics: `answered` makes what its task answers of
    probabilities `(n, count)`. `thresholds` say when it abstains, or when a topic counts.
    """

    judge: Judge
    count: int
    thresholds: Mapping[str, float]
    answered: Callable[[Floats], Answer]

    @property
    def model_id(self) -> str:
        """Its id with the revision, or its folder's name."""
        return self.judge.encoder.model_id

    @property
    def weights_sha256(self) -> str:
        """SHA-256 over weights, tokens and settings."""
        return self.judge.encoder.weights_sha256

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Answer:
        """What it says of each text in its language."""
        return self.score_batch(Batch(texts, langs))

    def score_batch(self, batch: Batch) -> Answer:
        """As `score`."""
        return self.answered(_chances(self.judge, batch, count=self.count))


def _chances(judge: Judge, batch: Batch, *, count: int) -> Floats:
    """Probabilities `(n, count)`, NaN for empty texts and for languages it does not read."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, (text, lang) in enumerate(zip(batch.texts, batch.langs, strict=True)):
        if lang in judge.encoder.languages and text.strip():
            places[str(lang)].append(place)
    found = np.full((len(batch), count), np.nan, np.float32)
    for lang, own in places.items():
        found[own] = judge.chances([batch.texts[place] for place in own], lang)
    return found


@dataclass(frozen=True, slots=True)
class _Task:
    """What a task asks of each kind of checkpoint; `is_exclusive` when a text has one label."""

    places: Callable[[Found], Places]
    hypotheses: Hypotheses
    examples: Examples
    is_exclusive: bool


_TONE = _Task(tone_places, tone_hypotheses, tone_examples, is_exclusive=True)
_TOPICS = _Task(topic_places, topic_hypotheses, topic_examples, is_exclusive=False)


def load_sentiment(name: str, *, may_download: bool = False) -> Hosted[sentiment.Tones]:
    """The checkpoint of that name as a judge of tone; WeightsError when it cannot be one.

    A classifier must have the labels negative, neutral and positive, however it names them.
    """
    return Hosted(
        judge=_judge(find(name, may_download=may_download), _TONE),
        count=len(sentiment.LABELS),
        thresholds={"abstain_under": sentiment.ABSTAIN_UNDER},
        answered=partial(sentiment.tones, threshold=sentiment.ABSTAIN_UNDER),
    )


def load_topics(name: str, *, may_download: bool = False) -> Hosted[topics.Found]:
    """The checkpoint of that name as a finder of topics; WeightsError when it cannot be one.

    A classifier must be multi-label, with one label a topic of `models/taxonomy`, named by its id.
    """
    return Hosted(
        judge=_judge(find(name, may_download=may_download), _TOPICS),
        count=len(topics.LABELS),
        thresholds=topics.thresholds(),
        answered=topics.found,
    )


def _judge(found: Found, task: _Task) -> Judge:
    kind = kind_of(found.folder, found.config, address=found.address)
    is_exclusive = task.is_exclusive
    if kind == "classifier":
        places = task.places(found)
        return Classifier(encoder(found, kind), places, is_exclusive=is_exclusive)
    if kind == "nli":
        yes, no = entailment_places(found)
        return ZeroShot(encoder(found, kind), task.hypotheses, yes, no, is_exclusive=is_exclusive)
    pool = pooled(pooling(found))
    return Prototypes(encoder(found, kind, pool=pool), task.examples, is_exclusive=is_exclusive)
