"""The twenty sensitive topics as `models/taxonomy/*.toml` describe them, one file a topic.

A topic says what a text is about, never what its author thinks. Editing one moves no other's
scores until the shared network is trained again, which learns from the sentences of all topics
that none is abuse (`models.examples`). Each file holds the words that find weak examples, contexts
that those words must not be taken from, and invented sentences of both political directions.
Sentences at even places teach and calibrate; those at odd places are never trained on and judge.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from models.errors import TaxonomyError

LANGUAGES = ("fr", "en")
Use = Literal["dev", "held_out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic: what it covers, how it is found, and sentences that are of it or are not.

    `near` names the topics whose sentences may well be of this one too: they judge neither way.
    `second` holds, for each sub-topic, the terms that prove it.
    """

    id: str
    label_fr: str
    label_en: str
    definition_fr: str
    definition_en: str
    second_level: tuple[str, ...]
    cap: tuple[int, ...]
    threshold: float
    near: tuple[str, ...]
    keywords: dict[str, tuple[str, ...]]
    exclude: dict[str, tuple[str, ...]]
    sentences: dict[str, tuple[str, ...]]
    second: dict[str, tuple[str, ...]]

    def yes(self, *, lang: str, use: Use) -> tuple[str, ...]:
        """Sentences of this topic, for one side, the other, or none."""
        kinds = ("pro", "contra", "plain") if lang == "fr" else (f"yes_{lang}",)
        return tuple(text for kind in kinds for text in self._part(kind, use))

    def no(self, *, lang: str, use: Use) -> tuple[str, ...]:
        """Sentences that look like this topic and are not of it."""
        return self._part("no" if lang == "fr" else f"no_{lang}", use)

    def _part(self, kind: str, use: Use) -> tuple[str, ...]:
        return self.sentences[kind][0 if use == "dev" else 1 :: 2]


@cache
def taxonomy() -> tuple[Topic, ...]:
    """Every topic in the order of its id; TaxonomyError names the file at fault."""
    folder = files("models") / "taxonomy"
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".toml"))
    return tuple(_read(name, (folder / name).read_text(encoding="utf-8")) for name in names)


def _read(name: str, text: str) -> Topic:
    try:
        topic = _topic(tomllib.loads(text))
    except (KeyError, TypeError, tomllib.TOMLDecodeError) as error:
        raise TaxonomyError(
            f"models/taxonomy/{name} cannot be read ({type(error).__name__}: {error}): "
            "compare it with another file of the folder"
        ) from error
    if f"{topic.id}.toml" != name or not 0.0 < topic.threshold < 1.0:
        raise TaxonomyError(
            f"models/taxonomy/{name} says id {topic.id!r} and threshold {topic.threshold}: "
            "the id is the name of the file, and the threshold lies between 0 and 1"
        )
    return topic


def _topic(read: dict[str, Any]) -> Topic:
    return Topic(
        id=read["id"],
        label_fr=read["label"]["fr"],
        label_en=read["label"]["en"],
        definition_fr=read["definition"]["fr"],
        definition_en=read["definition"]["en"],
        second_level=tuple(read["second_level"]),
        cap=tuple(read["cap"]),
        threshold=float(read["threshold"]),
        near=tuple(read["near"]),
        keywords=_texts(read["keywords"]),
        exclude=_texts(read["exclude"]),
        sentences=_texts(read["sentences"]),
        second=_texts(read.get("second", {})),
    )


def _texts(table: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in table.items()}
