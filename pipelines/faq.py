"""What the institution has answered already: `faq.toml` in its home, written by people.

A question, other ways to ask it, an answer in a few words, and the page that holds it in full.
The digest shows the entry beside a recurring request that means the same; nothing is answered by
itself.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from pipelines import settings, vigie_toml
from pipelines.said import say
from pipelines.settings import Part

FILE = "faq.toml"


def _page(text: str) -> str:
    if not vigie_toml.is_page(text):
        told = say(
            "write the https address of the page that answers, such as {example}",
            example="https://www.ville.example/piscine",
        )
        raise ValueError(told)
    return text


Question = Annotated[str, Field(min_length=8, max_length=300)]


class Entry(Part):
    """One question with its answer; `others` are other ways to ask it."""

    question: Question
    others: tuple[Question, ...] = ()
    answer: Annotated[str, Field(min_length=2, max_length=600)]
    link: Annotated[str, AfterValidator(_page)] | None = None
    checked_on: date | None = None

    @property
    def questions(self) -> tuple[str, ...]:
        """Every way in which it is asked."""
        return (self.question, *self.others)


class Faq(Part):
    """The whole file."""

    entries: Annotated[tuple[Entry, ...], Field(max_length=2000)] = ()


def read(home: Path) -> tuple[Entry, ...]:
    """The entries of `faq.toml`, none where there is no file; SettingsError with every fault."""
    path = home / FILE
    if not path.exists():
        return ()
    return settings.checked(vigie_toml.read(path), Faq).entries
