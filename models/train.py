"""Trains the embedded models from a folder of data: `python -m models.train --data DIR`.

Two runs with the same data, seed and library versions write the same bytes. Takes about eight
minutes on two cores: sentiment for seven languages, each six times (five folds to find the
temperature, then all), and topics for two.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from models import (
    calibrate,
    checkpoint,
    datasets,
    features,
    linear,
    reading,
    sentiment as tones,
    taxonomy,
    terms,
    tone,
    topics as subjects,
)
from models.checkpoint import Description, Training
from models.datasets import Labelled
from models.text import prepare

log = logging.getLogger(__name__)

VERSION = "1"
SEED = 20261120
LANGUAGES = ("fr", "en", "de", "es", "it", "pt", "ar")
_STRENGTH = 3.0  # of 1, 3, 10 and 30, the best on tweets and on public services
_KEPT_ROWS = {"sentiment": 160_000, "topics": 110_000}  # keeps each file under 5 MB

_POSITIVES, _NEGATIVES = 6_000, 30_000  # texts a topic
_SHOWN, _HIDDEN = 0.5, 1.0  # weight of a weak example with its terms, and with them hidden
_POSITIVE_SHARE = 0.2  # of the negatives' weight
_DRILLS, _CALM = 3_000, 20.0  # invented posts, and the weight of one that only looks alike


@dataclass(frozen=True, slots=True)
class Tone:
    """Sentiment of one language: the head, its temperature, what each text got unseen."""

    head: linear.Head
    temperature: float
    data: Labelled
    held_logits: NDArray[np.float32]


def train_tone(folder: Path, *, lang: str) -> Tone:
    """The sentiment of a language from every set that may train.

    `held_logits` come from five heads, each of which had not seen the texts that it judges.
    """
    data = datasets.sentiment(folder, lang=lang, sources=datasets.trainable(datasets.SENTIMENT))
    read = _canonical(reading.read(data.texts, lang=lang).features)
    held = np.zeros((len(data.texts), len(tones.LABELS)), np.float32)
    for fold in range(datasets.FOLDS):
        is_held = data.folds == fold
        head = _fit_tone(read[~is_held], data.classes[~is_held], data.weights[~is_held], lang)
        held[is_held] = head.logits(read[is_held])
    heat = calibrate.temperature(held, data.classes, _by_set(data.origins))
    head = _fit_tone(read, data.classes, data.weights, lang)
    log.info("models.tone_trained lang=%s texts=%d temperature=%.2f", lang, len(held), heat)
    return Tone(head, round(heat, 4), data, held)


def _fit_tone(
    read: csr_matrix, classes: NDArray[Any], weights: NDArray[Any], lang: str
) -> linear.Head:
    phrases = tone.phrases(lang)
    if phrases:
        own = _canonical(reading.read([text for text, _ in phrases], lang=lang).features)
        read = vstack([read, own], format="csr")
        classes = np.concatenate([classes, [place for _, place in phrases]])
        weights = np.concatenate([weights, np.full(len(phrases), tone.WEIGHT)])
    return linear.fit(
        read, classes, row_weights=weights, strength=_STRENGTH, class_count=len(tones.LABELS)
    )


def _canonical(matrix: csr_matrix) -> csr_matrix:
    """The same matrix with columns sorted and each once, as the solver needs it."""
    matrix.sum_duplicates()
    return matrix


def _by_set(origins: Sequence[str]) -> NDArray[np.float64]:
    """Weights that let each set count the same, whatever its size."""
    counts = Counter(origins)
    return np.array([len(origins) / len(counts) / counts[name] for name in origins])


def train_sentiment(folder: Path, out: Path, *, seed: int) -> str:
    """Write the sentiment weights; their SHA-256."""
    trained = {lang: train_tone(folder, lang=lang) for lang in LANGUAGES}
    tensors: dict[str, NDArray[Any]] = {}
    for lang, each in trained.items():
        tensors |= linear.packed(each.head, name=lang, keep=_KEPT_ROWS["sentiment"])
    rows = Counter(origin for each in trained.values() for origin in each.data.origins)
    used = [source for source in datasets.trainable(datasets.SENTIMENT) if rows[source.file]]
    description = Description(
        model_id="vigie-sentiment",
        version=VERSION,
        task=tones.TASK,
        labels=tones.LABELS,
        languages=LANGUAGES,
        features_version=features.VERSION,
        seed=seed,
        training=tuple(
            Training(
                name=source.file,
                rows=rows[source.file],
                licence=source.licence,
                weight=source.weight,
            )
            for source in used
        ),
        thresholds={"abstain_under": tones.ABSTAIN_UNDER},
        calibration={"temperature": {lang: each.temperature for lang, each in trained.items()}},
    )
    return checkpoint.write(out, tones.TASK, description, tensors)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Prepared texts, what was read of them, and how many came from where."""

    prepared: list[str]
    read: reading.Read
    training: tuple[Training, ...]


def corpus(folder: Path, *, lang: str, seed: int) -> Corpus:
    """The texts that teach topics in a language."""
    texts: list[str] = []
    training: list[Training] = []
    for source in datasets.TOPICS[lang]:
        own = datasets.plain(folder, source, lang=lang, seed=seed)
        training.append(Training(name=source.file, rows=len(own), licence=source.licence))
        texts += own
    prepared = prepare(texts, lang=lang)
    return Corpus(prepared, reading.read_prepared(prepared, lang=lang), tuple(training))


def train_contexts(learnt: Corpus, *, lang: str, seed: int) -> linear.Head:
    """One output a topic: how much the words around its terms resemble those of the topic."""
    random = np.random.default_rng(seed)
    heads = [_train_context(learnt, place, random, lang) for place in range(len(subjects.LABELS))]
    return linear.Head(
        np.concatenate([head.weights for head in heads], axis=1),
        np.concatenate([head.bias for head in heads]),
    )


def _train_context(
    learnt: Corpus, place: int, random: np.random.Generator, lang: str
) -> linear.Head:
    """Texts with a term of the topic, shown and hidden, against texts without one."""
    has_hit = learnt.read.hits[:, place] > 0
    positive = random.permutation(np.flatnonzero(has_hit))[:_POSITIVES]
    negative = random.permutation(np.flatnonzero(~has_hit))[:_NEGATIVES]
    drilled, calm = drills(taxonomy.taxonomy()[place], lang=lang, random=random)
    shown = [learnt.prepared[i] for i in positive] + drilled
    if not shown:
        empty = np.zeros((1 << features.BITS, 1), np.float32)
        return linear.Head(empty, np.zeros(1, np.float32))
    made = [terms.hidden(shown, lang=lang, topic=place), drilled, calm]
    read = [reading.read_prepared(texts, lang=None).features for texts in made]
    learn = learnt.read.features
    weights = np.repeat([_HIDDEN, _SHOWN, _SHOWN], [len(shown), len(drilled), len(positive)])
    weights *= _POSITIVE_SHARE * len(negative) / weights.sum()
    against = np.repeat([1.0, _CALM], [len(negative), len(calm)])
    return linear.fit(
        _canonical(vstack([*read[:2], learn[positive], learn[negative], read[2]], format="csr")),
        np.repeat([1, 0], [len(weights), len(against)]),
        row_weights=np.concatenate([weights, against]),
        strength=_STRENGTH,
    )


def drills(
    topic: taxonomy.Topic, *, lang: str, random: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Prepared posts put together from the parts of a topic's drill, and the calm ones."""
    if lang != "fr" or not topic.drill:
        return [], []
    kinds = ("event", "place", "effect", "voice")
    drawn = [random.choice(topic.drill[kind], _DRILLS) for kind in kinds]
    orders = ((0, 1, 2, 3), (0, 1, 3, 2), (3, 0, 1, 2), (2, 0, 1, 3), (0, 1, 3, 3), (0, 2, 3, 3))
    posts = [
        _post([str(column[i]) for column in drawn], orders[i % len(orders)]) for i in range(_DRILLS)
    ]
    return prepare(posts, lang=lang), prepare(topic.drill["calm"], lang=lang)


def _post(parts: Sequence[str], order: Sequence[int]) -> str:
    """The parts of a post in an order, none twice."""
    event, place, effect, voice = parts
    said = (f"{event} {place}" if 1 in order else event, "", effect, voice)
    return ", ".join(said[i] for i in dict.fromkeys(order) if said[i])


@dataclass(frozen=True, slots=True)
class Judged:
    """Pairs of a sentence and a topic: sentences, and per topic which judge and which are of it."""

    texts: list[str]
    is_of: NDArray[np.bool_]
    judges: NDArray[np.bool_]


def judged(*, lang: str, use: taxonomy.Use) -> Judged:
    """The invented sentences of every topic as `(sentences, topics)` tables.

    A sentence of a topic that is near another judges neither way for that other; one that only
    looks like a topic judges that topic alone.
    """
    known = taxonomy.taxonomy()
    own = [(topic, text, True) for topic in known for text in topic.yes(lang=lang, use=use)]
    own += [(topic, text, False) for topic in known for text in topic.no(lang=lang, use=use)]
    is_of = np.array([[yes and topic is other for other in known] for topic, _, yes in own])
    judges = np.array(
        [
            [topic is other or (yes and not _are_near(topic, other)) for other in known]
            for topic, _, yes in own
        ]
    )
    return Judged([text for _, text, _ in own], is_of, judges)


def _are_near(one: taxonomy.Topic, other: taxonomy.Topic) -> bool:
    return one.id in other.near or other.id in one.near


def calibrated(head: linear.Head, *, lang: str) -> dict[str, Any]:
    """How context and terms join into probabilities, from the sentences for development."""
    sentences = judged(lang=lang, use="dev")
    read = reading.read(sentences.texts, lang=lang)
    rows, places = np.nonzero(sentences.judges)
    return calibrate.evidence(
        head.logits(read.features)[rows, places],
        np.minimum(read.hits, subjects.HITS_LIMIT)[rows, places],
        sentences.is_of[rows, places].astype(float),
        places,
        topic_count=len(subjects.LABELS),
    )


def train_topics(folder: Path, out: Path, *, seed: int) -> str:
    """Write the topic weights; their SHA-256."""
    tensors: dict[str, NDArray[Any]] = {}
    calibration: dict[str, Any] = {}
    training: list[Training] = []
    for lang in taxonomy.LANGUAGES:
        learnt = corpus(folder, lang=lang, seed=seed)
        packed = linear.packed(
            train_contexts(learnt, lang=lang, seed=seed), name=lang, keep=_KEPT_ROWS["topics"]
        )
        calibration[lang] = calibrated(linear.unpacked(packed, name=lang), lang=lang)
        tensors |= packed
        training += learnt.training
        log.info("models.topics_trained lang=%s texts=%d", lang, len(learnt.prepared))
    description = Description(
        model_id="vigie-topics",
        version=VERSION,
        task=subjects.TASK,
        labels=subjects.LABELS,
        languages=taxonomy.LANGUAGES,
        features_version=features.VERSION,
        seed=seed,
        training=tuple(training),
        thresholds=subjects.thresholds(),
        calibration=calibration,
        terms_sha256=terms.digest(),
    )
    return checkpoint.write(out, subjects.TASK, description, tensors)


_TASKS = {tones.TASK: train_sentiment, subjects.TASK: train_topics}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is asked for and log the hash of each file."""
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled texts")
    parser.add_argument("--out", type=Path, default=checkpoint.WEIGHTS)
    parser.add_argument("--only", choices=sorted(_TASKS))
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for task in [asked.only] if asked.only else _TASKS:
        digest = _TASKS[task](asked.data, asked.out, seed=asked.seed)
        log.info("models.written task=%s sha256=%s", task, digest)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
