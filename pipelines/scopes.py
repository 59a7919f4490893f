"""What a rule may be about within a subject, by its id in `scope`, and how people call it.

`all`, a topic id (`T09`), `act:gather`, `risk:illicit`, `service:water`: complaints about it,
or `question:water`: questions about it (a service or a topic).
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from models import lexicons
from models.taxonomy import taxonomy

_WORDS = {
    "act:claim": {"fr": "Affirmations à vérifier", "en": "Claims to check"},
    "act:gather": {"fr": "Appels à se rassembler", "en": "Calls to gather"},
    "risk:illicit": {"fr": "Contenus présumés illicites", "en": "Suspected illicit content"},
}
_QUESTIONS = {"fr": "Questions :", "en": "Questions:"}


@lru_cache(maxsize=256)
def label(scope: str, locale: str) -> str:
    """The name of a scope in 'fr' or 'en'; its id where nothing of that id is known any more."""
    if scope in _WORDS:
        return _WORDS[scope][locale]
    kind, _, name = scope.partition(":")
    if kind == "service" and name in services():
        return str(lexicons.described(f"aspects/{name}")["label"][locale])
    if kind == "question":
        about = label(f"service:{name}" if name in services() else name, locale)
        return f"{_QUESTIONS[locale]} {about}"
    topic = next((t for t in taxonomy() if t.id == scope), None)
    if topic is None:
        return scope
    return topic.label_fr if locale == "fr" else topic.label_en


@lru_cache(maxsize=1)
def services() -> frozenset[str]:
    """The ids of the services there are; a scope is data, and never a path."""
    folder = files("models") / "aspects"
    return frozenset(f.name.removesuffix(".toml") for f in folder.iterdir())
