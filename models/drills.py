"""Invented posts put together from parts (`models/drills/*.toml`): abuse, and what only looks so.

A file has templates by class, abusive and calm, and lists that fill their slots. Some abusive
posts are misspelt on purpose. The same seed gives the same posts.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

_SLOT = re.compile(r"\{(\w+)\}")
_ELIDED = re.compile(r"\b(de|le|que|je|se|ne) (?=[aeiouéèêâî])")
_MISSPELT = 0.15  # share of abusive posts


@dataclass(frozen=True, slots=True)
class Drilled:
    """One invented post: whether it is abuse, and its class."""

    text: str
    is_abuse: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Toned:
    """One invented message and its tone."""

    text: str
    tone: str


def toned(*, lang: str, count: int, seed: int) -> list[Toned]:
    """`count` messages of each class of each tone, none twice."""
    read, random = _file(lang, "tone"), np.random.default_rng(seed)
    made: dict[str, Toned] = {}
    for tone in ("negative", "neutral", "positive"):
        for templates in read[tone].values():
            for text in _filled(read, templates, random, count=count):
                made.setdefault(text, Toned(_capital(text, random), tone))
    return list(made.values())


@cache
def _file(lang: str, kind: str = "abuse") -> dict[str, Any]:
    path = files("models") / "drills" / f"{kind}_{lang}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def posts(*, lang: str, count: int, seed: int) -> list[Drilled]:
    """`count` posts of each class of a language, none twice."""
    read, random = _file(lang), np.random.default_rng(seed)
    made: dict[str, Drilled] = {}
    for is_abuse, part in ((True, "abusive"), (False, "calm")):
        for kind, templates in read[part].items():
            for text in _filled(read, templates, random, count=count):
                own = _misspelt(text, read, random) if is_abuse else text
                made.setdefault(own, Drilled(_capital(own, random), is_abuse, kind))
    return list(made.values())


def _filled(
    read: dict[str, Any], templates: list[str], random: np.random.Generator, *, count: int
) -> Iterator[str]:
    for place in range(count):
        yield _fill(templates[place % len(templates)], read, random)


def _fill(template: str, read: dict[str, Any], random: np.random.Generator) -> str:
    """A template with a value drawn for each slot; the same slot twice has the same value."""
    drawn: dict[str, str] = {}

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in drawn:
            drawn[name] = (
                _quoted(read, random) if name == "hate" else str(random.choice(read["slots"][name]))
            )
        return drawn[name]

    text = _SLOT.sub(value, template)
    for apart, joined in read.get("joins", {}).items():
        text = text.replace(apart, joined)
    return _ELIDED.sub(lambda found: f"{found[1][:-1]}'", text) if read["lang"] == "fr" else text


def _quoted(read: dict[str, Any], random: np.random.Generator) -> str:
    kind = str(random.choice(read["quotable"]))
    return _fill(str(random.choice(read["abusive"][kind])), read, random).rstrip(".!")


def _capital(text: str, random: np.random.Generator) -> str:
    return text[:1].upper() + text[1:] if random.random() < 0.7 else text


def _misspelt(text: str, read: dict[str, Any], random: np.random.Generator) -> str:
    """Some texts with one word spelt to escape a filter."""
    words = text.split(" ")
    long = [place for place, word in enumerate(words) if len(word) > 3]
    if random.random() > _MISSPELT or not long:
        return text
    place = int(random.choice(long))
    leet = read["spelling"]["leet"]
    ways = (
        lambda word: "".join(leet.get(letter, letter) for letter in word),
        lambda word: " ".join(word),
        lambda word: word[0] + "*" * (len(word) - 2) + word[-1],
        lambda word: "".join(letter * (1 + 2 * (letter in "aeiou")) for letter in word),
        lambda word: word[0] + word[2] + word[1] + word[3:],
    )
    words[place] = ways[int(random.integers(len(ways)))](words[place])
    return " ".join(words)
