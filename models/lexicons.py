"""Every list of terms that the models look for, gathered from the files that describe labels.

A *label* here is a name with terms: a topic (`T01`), what excludes it (`T01!`), a sub-topic
(`T01/taxe foncière`), `political`, an act (`acts/abuse`, `acts/abuse.strong`), a service
(`aspects/waste`), a cue of irony (`irony.praise`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from models import checkpoint
from models.taxonomy import taxonomy

LANGUAGES = ("fr", "en")
_PARTS = ("strong", "weak", "aim", "counter", "praise", "trouble", "figure")

Terms = dict[str, tuple[str, ...]]  # by language


@cache
def table() -> dict[str, Terms]:
    """The terms of each label, topics first, in an order that does not change."""
    found: dict[str, Terms] = {}
    for topic in taxonomy():
        found[topic.id] = topic.keywords
        found[f"{topic.id}!"] = topic.exclude
        found |= {f"{topic.id}/{name}": {"fr": terms} for name, terms in topic.second.items()}
    for name, read in _files():
        found[name] = _terms(read["keywords"])
        found[f"{name}!"] = _terms(read.get("exclude", {}))
        found |= {f"{name}.{part}": _terms(read[part]) for part in _PARTS if part in read}
    return found


def _files() -> Iterator[tuple[str, dict[str, Any]]]:
    folder = files("models")
    for name in ("political", "irony"):
        yield name, _read(folder / f"{name}.toml")
    for kind in ("acts", "aspects"):
        for file in sorted((folder / kind).iterdir(), key=lambda each: each.name):
            if file.name.endswith(".toml"):
                yield f"{kind}/{file.name.removesuffix('.toml')}", _read(file)


def described(label: str) -> dict[str, Any]:
    """The file of an act, a service, `political` or `irony`."""
    return _read(files("models").joinpath(f"{label}.toml"))


def _read(file: Traversable) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _terms(read: dict[str, list[str]]) -> Terms:
    return {lang: tuple(read.get(lang, ())) for lang in LANGUAGES}


@cache
def labels() -> tuple[str, ...]:
    """The names of all labels."""
    return tuple(table())


@cache
def place(label: str) -> int:
    """Where a label stands among `labels()`."""
    return labels().index(label)


def terms(lang: str) -> list[tuple[str, ...]]:
    """The terms of each label in a language."""
    return [own.get(lang, ()) for own in table().values()]


@cache
def exclusions() -> tuple[tuple[int, int], ...]:
    """Pairs of a label and what speaks against it."""
    return tuple((place(name), place(f"{name}!")) for name in labels() if f"{name}!" in table())


@cache
def figures() -> tuple[tuple[int, int], ...]:
    """Pairs of a label and the turns of speech within which its terms mean something else."""
    return tuple((place(n), place(f"{n}.figure")) for n in labels() if f"{n}.figure" in table())


@cache
def digest() -> str:
    """What packed terms depend on, as SHA-256: all terms, how they are put together, how read.

    `vigie models train --only terms` packs them again.
    """
    from models import terms  # which reads this module

    return checkpoint.digest([table(), reading(), checkpoint.constants(terms)])


@cache
def reading() -> str:
    """What decides how a text is read, as SHA-256: the version of features, words and spellings.

    Covers `models/impartial`, `models/spelling` and the constants of `exchange`, `text` and
    `tokens`; for what their functions do with them stands `features.VERSION`.
    """
    from models import exchange, features, text, tokens

    constants = [checkpoint.constants(module) for module in (exchange, text, tokens)]
    return checkpoint.digest([features.VERSION, _words(), *constants])


def _words() -> dict[str, str]:
    """The files of words that are read as others, by name."""
    folders = [files("models") / name for name in ("impartial", "spelling")]
    found = (file for folder in folders for file in folder.iterdir() if file.is_file())
    return {file.name: file.read_text(encoding="utf-8") for file in found}
