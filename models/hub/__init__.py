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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models import sentiment, topics
from models.hub.address import Found, find
from models.hub.encoder import Floats, encoder
from models.hub.judging import (
    Classifier,
    Judge,
    Prototypes,
    ZeroShot,
    pooled,
    tone_examples,
    tone_hypotheses,
    topic_examples,
    topic_hypotheses,
)
from models.hub.kind import entailment_places, kind_of, pooling, tone_places, topic_places
from models.reading import Batch


@dataclass(frozen=True, slots=True)
class Sentiment:
    """A checkpoint that judges tone."""

    judge: Judge

    @property
    def model_id(self) -> str:
        """Its id with the revision, or its folder's name."""
        return self.judge.encoder.model_id

    @property
    def weights_sha256(self) -> str:
        """SHA-256 over weights, tokens and settings."""
        return self.judge.encoder.weights_sha256

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The probability under which it abstains."""
        return {"abstain_under": sentiment.ABSTAIN_UNDER}

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> sentiment.Tones:
        """The tone of each text."""
        return self.score_batch(Batch(texts, langs))

    def score_batch(self, batch: Batch) -> sentiment.Tones:
        """As `score`."""
        chances = _chances(self.judge, batch, count=len(sentiment.LABELS))
        return sentiment.tones(chances, threshold=sentiment.ABSTAIN_UNDER)


@dataclass(frozen=True, slots=True)
class Topics:
    """A checkpoint that names topics, each with a probability of its own."""

    judge: Judge

    @property
    def model_id(self) -> str:
        """Its id with the revision, or its folder's name."""
        return self.judge.encoder.model_id

    @property
    def weights_sha256(self) -> str:
        """SHA-256 over weights, tokens and settings."""
        return self.judge.encoder.weights_sha256

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The probability from which each topic counts."""
        return topics.thresholds()

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> topics.Found:
        """The topics of each text."""
        return self.score_batch(Batch(texts, langs))

    def score_batch(self, batch: Batch) -> topics.Found:
        """As `score`."""
        return topics.found(_chances(self.judge, batch, count=len(topics.LABELS)))


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


def load_sentiment(name: str, *, may_download: bool = False) -> Sentiment:
    """The checkpoint of that name as a judge of tone; WeightsError when it cannot be one.

    A classifier must have the labels negative, neutral and positive, however it names them.
    """
    found = find(name, may_download=may_download)
    kind = kind_of(found.folder, found.config, address=found.address)
    if kind == "classifier":
        places = tone_places(found)
        return Sentiment(Classifier(encoder(found, kind), places, is_exclusive=True))
    if kind == "nli":
        return Sentiment(_zero_shot(found, tone=True))
    return Sentiment(_prototypes(found, tone=True))


def load_topics(name: str, *, may_download: bool = False) -> Topics:
    """The checkpoint of that name as a finder of topics; WeightsError when it cannot be one.

    A classifier must be multi-label, with one label a topic of `models/taxonomy`, named by its id.
    """
    found = find(name, may_download=may_download)
    kind = kind_of(found.folder, found.config, address=found.address)
    if kind == "classifier":
        places = topic_places(found)
        return Topics(Classifier(encoder(found, kind), places, is_exclusive=False))
    if kind == "nli":
        return Topics(_zero_shot(found, tone=False))
    return Topics(_prototypes(found, tone=False))


def _zero_shot(found: Found, *, tone: bool) -> ZeroShot:
    places = entailment_places(found)
    hypotheses = tone_hypotheses if tone else topic_hypotheses
    return ZeroShot(encoder(found, "nli"), hypotheses, *places, is_exclusive=tone)


def _prototypes(found: Found, *, tone: bool) -> Prototypes:
    pool = pooled(pooling(found))
    examples = tone_examples if tone else topic_examples
    return Prototypes(encoder(found, "embedder", pool=pool), examples, is_exclusive=tone)
