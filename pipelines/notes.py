"""What a reading notes for the operator, made in any language and kept in the institution's.

A note is a sentence of ours (`Said`) until it is written down; a log has its English.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.errors import VigieError
from pipelines.said import Said, say


def noted(notes: Iterable[str | None], *, a_line_each: bool = False) -> str | None:
    """Notes in one, each once, in their order; None where there is none."""
    told = list(dict.fromkeys(note for note in notes if note))
    if len(told) < 2:
        return told[0] if told else None
    first, more = told[0], noted(told[1:], a_line_each=a_line_each)
    if a_line_each:
        return say("{first}\n{more}", first=first, more=more)
    return say("{first}; {more}", first=first, more=more)


def why(error: VigieError) -> str:
    """What an error says, still to be told in any language if it was made so."""
    said = error.args[0] if error.args else ""
    return said if isinstance(said, Said) else str(error)


def told(note: str | None, locale: str) -> str | None:
    """A note in the language in which it is kept."""
    return note.told(locale) if isinstance(note, Said) else note
