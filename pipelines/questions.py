"""The questions for analysts, in the language of an institution.

English stands at the head of their SQL (`contract.questions`), French in
`templates/questions.fr.toml`, complete by test. The SQL is told with its head in that language.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace
from datetime import UTC

from pipelines import contract
from pipelines.contract import Question
from pipelines.wording import Words, words

SOURCE = "en"  # the language of the heads
TOLD = ("question", "purpose", "grain", "units", "caveat")  # what another language says again
_HEAD = ("question", "purpose", "grain", "reads", "units", "caveat")
_WIDTH = 98  # characters of a line of a head


def questions(locale: str) -> tuple[Question, ...]:
    """Every question there is for analysts, by name, in a language (fr or en)."""
    if locale == SOURCE:
        return contract.questions()
    w = words(locale, UTC, name="questions")
    return tuple(_told(question, w) for question in contract.questions())


def _told(question: Question, w: Words) -> Question:
    told = replace(question, **{key: w.text(f"questions.{question.name}.{key}") for key in TOLD})
    return replace(told, sql=f"{_head(told, w)}\n{_body(question.sql)}")


def _head(question: Question, w: Words) -> str:
    """The comment at the head of the SQL, a paragraph for each thing that is told."""
    told = [f"{w.text(f'heads.{key}')} {_ended(getattr(question, key))}" for key in _HEAD]
    return "\n".join(
        textwrap.fill(
            text, _WIDTH, initial_indent="-- ", subsequent_indent="--   ", break_on_hyphens=False
        )
        for text in told
    )


def _ended(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def _body(sql: str) -> str:
    lines = sql.splitlines(keepends=True)
    first = next(at for at, line in enumerate(lines) if not line.startswith("--"))
    return "".join(lines[first:])
