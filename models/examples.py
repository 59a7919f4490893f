"""What teaches the shared network: texts with the answers of one or more tasks.

A *register* is a kind of writing with its own idea of neutral: letters to a service, tweets,
debate, reviews, posts. Each has a head of its own and the network learns to tell them apart, so
that one set's habits do not blur another's (Daumé 2007, "Frustratingly easy domain adaptation",
is the idea).
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq

from models import datasets, drills, posts, tone
from models.acts import ABUSE_REGISTERS, ACTS
from models.checkpoint import Training
from models.datasets import TOXIFRENCH, Source
from models.sentiment import LABELS, REGISTERS
from models.taxonomy import taxonomy

Answers = dict[str, tuple[float | None, ...]]


@dataclass(frozen=True, slots=True)
class Task:
    """What a head says: one of its labels, or each label on its own; its weight in the loss."""

    name: str
    labels: tuple[str, ...]
    kind: Literal["one", "many"]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Example:
    """A text, its language, the answers of some tasks, where it is from, its weight."""

    text: str
    lang: str
    answers: Answers
    origin: str
    weight: float = 1.0


_EMOTIONS = ("anger", "joy", "optimism", "sadness")
_TICKS = (  # what citizens mark as good or bad beside a letter to a service
    "Accessibilité", "Information/Explication", "Relation", "Réactivité", "Simplicité/Complexité",
)  # fmt: skip
_TICKED = {"positive": 1.0, "neutral": 0.5, "negative": 0.0}
TASKS = (
    *(Task(f"tone_{register}", LABELS, "one", 4.0) for register in REGISTERS),
    Task("tone_en", LABELS, "one", 2.0),
    Task("register", REGISTERS, "one", 0.3),
    *(Task(f"abuse_{name}", ("abuse",), "many", 1.0) for name in ABUSE_REGISTERS),
    Task("abuse_register", ABUSE_REGISTERS, "one", 0.3),
    Task("abuse_en", ("abuse",), "many", 0.5),
    Task("irony", ("irony",), "many", 0.7),
    Task("irony_en", ("irony",), "many", 0.3),
    Task("political", ("political",), "many", 1.0),
    Task("acts", ACTS, "many", 1.0),
    Task("emotion_en", _EMOTIONS, "one", 0.3),
    Task("ticks", _TICKS, "many", 1.0),
)
_TONE_SETS = {
    "service": Source(
        file="sent_servicepublic_fr", licence="Licence Ouverte 2.0 (at source)", weight=2.0
    ),
    "tweet": Source(file="sent_umsab", licence="Apache-2.0"),
    "debate": Source(file="sent_deft2017_fr", licence="CeCILL"),
    "review": Source(
        file="sent_allocine_fr", licence="MIT", weight=0.7, only_source="allocine_films"
    ),
}
_ABUSE_SETS = {
    "racism": Source(file="abuse_ftr_fr", licence="MIT"),
    "forum": Source(file="abuse_toxifrench_fr", licence=TOXIFRENCH),
    "keyword": Source(file="abuse_mlma", licence="MIT", weight=0.7),
}
_ENGLISH_TONE = (
    Source(file="sent_semeval2017_en", licence="MIT", languages=("en",)),
    Source(file="sent_umsab", licence="Apache-2.0", languages=("en",)),
)
_ENGLISH_ABUSE = (
    Source(file="abuse_davidson_en", licence="MIT", weight=0.3, limit=6_000),
    Source(file="abuse_mlma", licence="MIT", weight=0.5),
)
_TWEETEVAL = "TweetEval (without any restrictions)"
_IRONY = Source(file="irony_tweeteval_en", licence=_TWEETEVAL, weight=0.5)
_EMOTION = Source(file="emo_tweeteval_en", licence=_TWEETEVAL, weight=0.5)
_POSTS = "posts read for Vigie"  # an origin
_DRILLS, _TONE_DRILLS = 140, 90  # invented posts a class
_CALM: Answers = {
    "abuse_drill": (0.0,),
    "abuse_post": (0.0,),
    "abuse_register": tuple(float(name == "post") for name in ABUSE_REGISTERS),
}


def one(labels: tuple[str, ...], label: str) -> tuple[float, ...]:
    """The answer of a task with one right label."""
    return tuple(float(label == each) for each in labels)


def examples(folder: Path, *, seed: int) -> list[Example]:
    """Every example that may teach, texts of several sets once for each."""
    return [
        *_french_tone(folder),
        *_english_tone(folder),
        *_abuse(folder, seed=seed),
        *_posts(folder),
        *_calm(),
        *_sentences(seed=seed),
        *_other_english(folder),
    ]


def _rows(folder: Path, source: Source, lang: str) -> Iterator[tuple[str, str, str]]:
    table = pq.read_table(folder / f"{source.file}.parquet").to_pylist()
    for row in table[: None if source.limit is None else source.limit]:
        if row["lang"] == lang and source.only_source in (None, row["source"]):
            yield row["text"], row["label"], row["source"]


def _french_tone(folder: Path) -> Iterator[Example]:
    ticked = ticks(folder)
    for register, source in _TONE_SETS.items():
        for text, label, _ in _rows(folder, source, "fr"):
            if label in LABELS:
                answers: Answers = {f"tone_{register}": one(LABELS, label)}
                answers["register"] = one(REGISTERS, register)
                if register == "service":
                    answers["ticks"] = ticked.get(text, (None,) * len(_TICKS))
                yield Example(text, "fr", answers, source.file, source.weight)


def ticks(folder: Path) -> dict[str, tuple[float | None, ...]]:
    """What the writer of each letter ticked as good (1) or bad (0), by text."""
    file = folder / f"{_TONE_SETS['service'].file}.parquet"
    found: dict[str, tuple[float | None, ...]] = {}
    for row in pq.read_table(file).to_pylist():
        told = json.loads(row.get("aux") or "{}").get("aspects") or {}
        found[row["text"]] = tuple(_TICKED.get(told.get(name, "")) for name in _TICKS)
    return found


def _english_tone(folder: Path) -> Iterator[Example]:
    for source in _ENGLISH_TONE:
        for text, label, _ in _rows(folder, source, "en"):
            yield Example(text, "en", {"tone_en": one(LABELS, label)}, source.file)


def _abuse(folder: Path, *, seed: int) -> Iterator[Example]:
    for register, source in _ABUSE_SETS.items():
        for text, label, _ in _rows(folder, source, "fr"):
            yield _abusive(text, label == "abusive", register, source.file, source.weight)
    for post in drills.posts(lang="fr", count=_DRILLS, seed=seed):
        yield _abusive(post.text, post.is_abuse, "drill", "drills (invented)", 1.0)
    for source in _ENGLISH_ABUSE:
        for text, label, _ in _rows(folder, source, "en"):
            said = (float(label == "abusive"),)
            yield Example(text, "en", {"abuse_en": said}, source.file, source.weight)
    for post in drills.posts(lang="en", count=_DRILLS // 2, seed=seed):
        yield Example(post.text, "en", {"abuse_en": (float(post.is_abuse),)}, "drills (invented)")


def _abusive(text: str, is_abuse: bool, register: str, origin: str, weight: float) -> Example:
    answers: Answers = {
        f"abuse_{register}": (float(is_abuse),),
        "abuse_register": one(ABUSE_REGISTERS, register),
    }
    return Example(text, "fr", answers, origin, weight)


def _posts(folder: Path) -> Iterator[Example]:
    """The posts read for Vigie; where a post is of another set too, that set names its register."""
    for post in posts.posts(folder):
        if not post.may_train:
            continue
        answers: Answers = {
            "tone_post": one(LABELS, post.tone),
            "abuse_post": (float("abuse" in post.acts),),
            "irony": (float(post.is_ironic),),
            "political": (float(post.is_political),),
            "acts": tuple(float(act in post.acts) for act in ACTS),
        }
        if not post.file.startswith("sent_"):
            answers["register"] = one(REGISTERS, "post")
        if not post.file.startswith("abuse_"):
            answers["abuse_register"] = one(ABUSE_REGISTERS, "post")
        yield Example(post.text, "fr", answers, _POSTS)


def _toml(*path: str) -> dict[str, Any]:
    return tomllib.loads(files("models").joinpath(*path).read_text(encoding="utf-8"))


@cache
def sentences() -> tuple[tuple[str, str, str, bool], ...]:
    """Invented sentences: the label they speak of, language, text, and whether they are of it."""
    named = {act: f"acts/{act}" for act in ACTS} | {"irony": "irony", "political": "political"}
    found: list[tuple[str, str, str, bool]] = []
    for name, path in named.items():
        own = _toml(f"{path}.toml")["sentences"]
        for lang, ending in (("fr", ""), ("en", "_en")):
            for part, is_so in (("yes", True), ("no", False)):
                found += [(name, lang, text, is_so) for text in own.get(part + ending, [])]
    return tuple(found)


def _calm() -> Iterator[Example]:
    """Invented sentences of every topic, none of which is abuse, whatever its register.

    By them an edit of one topic reaches the network when that is trained again, and with it every
    score; heads trained on the network as it is move no score but that of their own topic.
    """
    for topic in taxonomy():
        for text in (*topic.yes(lang="fr", use="dev"), *topic.no(lang="fr", use="dev")):
            yield Example(text, "fr", dict(_CALM), "sentences (invented)", 0.7)
        for text in (*topic.yes(lang="en", use="dev"), *topic.no(lang="en", use="dev")):
            yield Example(text, "en", {"abuse_en": (0.0,)}, "sentences (invented)", 0.7)


def _sentences(*, seed: int) -> Iterator[Example]:
    for name, lang, text, is_so in sentences():
        if name in ACTS:
            said = tuple(float(is_so) if act == name else None for act in ACTS)
            is_calm = lang == "fr" and name not in ("abuse", "threat")
            answers = {"acts": said} | (_CALM if is_calm else {})
            yield Example(text, lang, answers, "sentences (invented)", 0.7)
        else:
            task = f"{name}_en" if name == "irony" and lang == "en" else name
            yield Example(text, lang, {task: (float(is_so),)}, "sentences (invented)", 0.7)
    for row in _toml("probes", "services.toml")["message"]:
        answers = {"tone_service": one(LABELS, row["tone"])} | _CALM
        yield Example(row["text"], "fr", answers, "messages (invented)", 0.7)
    for lang, task in (("fr", "tone_post"), ("en", "tone_en")):
        for drilled in drills.toned(lang=lang, count=_TONE_DRILLS, seed=seed):
            answers = {task: one(LABELS, drilled.tone)} | (_CALM if lang == "fr" else {})
            yield Example(drilled.text, lang, answers, "drills (invented)", 0.4)
        for text, place in tone.phrases(lang):
            answers = {task: one(LABELS, LABELS[place])}
            yield Example(text, lang, answers, "phrases (invented)", tone.WEIGHT)


def _other_english(folder: Path) -> Iterator[Example]:
    for text, label, _ in _rows(folder, _IRONY, "en"):
        answers: Answers = {"irony_en": (float(label == "irony"),)}
        yield Example(text, "en", answers, _IRONY.file, _IRONY.weight)
    for text, label, _ in _rows(folder, _EMOTION, "en"):
        answers = {"emotion_en": one(_EMOTIONS, label)}
        yield Example(text, "en", answers, _EMOTION.file, _EMOTION.weight)


OWN_LICENCE = "Apache-2.0 (written for Vigie)"
POSTS_LICENCE = (
    "labels Apache-2.0 (made for Vigie); texts Licence Ouverte, CeCILL, Apache-2.0, MIT, CC BY-SA"
)
_LICENCES = {
    source.file: source.licence
    for source in (
        *datasets.SENTIMENT,
        *_TONE_SETS.values(),
        *_ABUSE_SETS.values(),
        *_ENGLISH_TONE,
        *_ENGLISH_ABUSE,
        _IRONY,
        _EMOTION,
    )
} | {_POSTS: POSTS_LICENCE}


def licence(origin: str) -> str:
    """The licence of what a set holds; KeyError for a set that states none."""
    return OWN_LICENCE if origin.endswith("(invented)") else _LICENCES[origin]


def training(taught: Iterable[Example]) -> tuple[Training, ...]:
    """How many examples came from where, under which licence."""
    known = list(taught)
    rows = Counter(each.origin for each in known)
    weights = {each.origin: each.weight for each in known}
    return tuple(
        Training(name=name, rows=rows[name], licence=licence(name), weight=weights[name])
        for name in sorted(rows)
    )


def fold(example: Example) -> int:
    """The fold of an example, by its letters."""
    return datasets.fold(example.text)
