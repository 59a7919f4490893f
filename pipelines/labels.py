"""What people say of drawn messages: the next one for somebody, an answer, its withdrawal, the end
of a disagreement.

Each action is one transaction and done again changes nothing. Nobody is shown what the models or
another person said of a message before they have answered (an answer that is seen first draws
others to it). Labels name a text by its hash and hold none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from models import topics
from models.acts import ACTS
from models.sentiment import LABELS as TONES
from pipelines import warehouse
from pipelines.labelling import LabelError
from pipelines.warehouse import Connection
from pipelines.wording import plain

_NAME = 120
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What somebody says of a message: its tone (None: cannot be said), its topics and its acts.

    Of one that `is_unreadable` nothing else is said.
    """

    tone: str | None = None
    topics: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    is_unreadable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What an action did; `is_new` is False where it was so already and nothing was changed."""

    task_id: str
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Answers wanted and given, those of one person, and messages that went before an answer."""

    wanted: int
    given: int
    own: int
    lost: int


# --- read


def following(connection: Connection, labeller: str) -> Row | None:
    """The next message for somebody: of the oldest draw, in an order of their own."""
    return _first(connection, "label_next", {"labeller": labeller})


def task(connection: Connection, task_id: str, labeller: str) -> Row:
    """A drawn message with its text, and what somebody has said of it (`answer`, else None).

    LabelError where it was never drawn, or its text is no longer kept.
    """
    row = _first(connection, "label_one", {"task_id": task_id, "labeller": labeller})
    if row is None:
        raise LabelError(
            "this message was not drawn, or its text is no longer kept: take the next", "gone"
        )
    return row | {"answer": _answer(row) if row["label_id"] else None}


def last(connection: Connection, labeller: str) -> str | None:
    """The message that somebody answered last, which they may take back."""
    row = _first(connection, "label_last", {"labeller": labeller})
    return str(row["task_id"]) if row else None


def former(connection: Connection, task_id: str, labeller: str) -> Answer | None:
    """What somebody said of a message before they took it back, the last time."""
    row = _first(connection, "label_former", {"task_id": task_id, "labeller": labeller})
    return _answer(row) if row else None


def progress(connection: Connection, labeller: str) -> Progress:
    """How far the labelling is."""
    row = _first(connection, "label_progress", {"labeller": labeller}) or {}
    return Progress(
        **{name: int(row.get(name) or 0) for name in ("wanted", "given", "own", "lost")}
    )


def answers(connection: Connection) -> list[Row]:
    """Every label that holds, with its task, the text where it is kept, and the stored score."""
    found = warehouse.run(connection, "queries/label_answers")
    rows = cast("list[Row]", found.to_arrow_table().to_pylist())
    return [row | {"answer": _answer(row)} for row in rows]


def _first(connection: Connection, name: str, asked: Mapping[str, Any]) -> Row | None:
    rows = warehouse.run(connection, f"queries/{name}", asked).to_arrow_table().to_pylist()
    return rows[0] if rows else None


def _answer(row: Row) -> Answer:
    return Answer(
        tone=row["tone"],
        topics=tuple(row["topics"]),
        acts=tuple(row["acts"]),
        is_unreadable=row["is_unreadable"],
    )


# --- write


def save(
    connection: Connection,
    task_id: str,
    answer: Answer,
    *,
    labeller: str,
    at: datetime,
    read: str | None = None,
) -> Noted:
    """Keep what somebody says of a message; not new where they have said it before.

    `read` is the hash of the text that they were shown. LabelError where the text was edited since,
    or where they have said something else: that is to be withdrawn first.
    """
    who, said = _named(labeller), _checked(answer)
    with warehouse.transaction(connection):
        found = task(connection, task_id, who)
        if read is not None and read != found["text_hash"]:
            raise LabelError("the message was edited meanwhile: read it again", "edited")
        if found["answer"] is not None:
            return _repeated(task_id, found["answer"], said)
        _add(connection, found, said, who, at, is_settlement=False)
    return Noted(task_id=task_id, is_new=True)


def withdraw(connection: Connection, task_id: str, *, labeller: str, at: datetime) -> Noted:
    """Take back what somebody said of a message; a later answer is marked as given again."""
    asked = {"task_id": task_id, "labeller": _named(labeller), "as_of": at}
    with warehouse.transaction(connection):
        found = _first(connection, "label_one", asked)
        is_new = found is not None and found["label_id"] is not None
        warehouse.run(connection, "writes/label_withdraw", asked)
    return Noted(task_id=task_id, is_new=is_new)


def settle(
    connection: Connection, task_id: str, answer: Answer, *, labeller: str, at: datetime
) -> Noted:
    """End a disagreement: this answer is the gold one, and takes the place of one before."""
    who, said = _named(labeller), _checked(answer)
    with warehouse.transaction(connection):
        found = task(connection, task_id, who)
        warehouse.run(connection, "writes/label_unsettle", {"task_id": task_id, "as_of": at})
        _add(connection, found, said, who, at, is_settlement=True)
    return Noted(task_id=task_id, is_new=True)


def _repeated(task_id: str, before: Answer, said: Answer) -> Noted:
    if before != said:
        raise LabelError(
            "you have answered otherwise before: take that answer back first", "answered"
        )
    return Noted(task_id=task_id, is_new=False)


def _add(
    connection: Connection, found: Row, said: Answer, who: str, at: datetime, *, is_settlement: bool
) -> None:
    parts = (found["task_id"], who, at.isoformat(), f"{is_settlement}{found['is_again']}")
    row = {
        "label_id": hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16],
        "task_id": found["task_id"],
        "labeller": who,
        "as_of": at,
        "text_hash": found["text_hash"],
        "tone": said.tone,
        "topics": list(said.topics),
        "acts": list(said.acts),
        "is_unreadable": said.is_unreadable,
        "is_settlement": is_settlement,
        "is_again": bool(found["is_again"]),
        "scorer_id": found["scorer_id"],
    }
    warehouse.run(connection, "writes/label_add", row)


def _checked(answer: Answer) -> Answer:
    """The answer in the order of the taxonomy; LabelError for what is none of it."""
    if answer.is_unreadable:
        return Answer(is_unreadable=True)
    if answer.tone is not None and answer.tone not in TONES:
        raise LabelError(
            f"there is no tone {plain(answer.tone)[:40]!r}: choose one of {', '.join(TONES)}"
        )
    return Answer(
        tone=answer.tone,
        topics=_known(answer.topics, topics.LABELS, "topic"),
        acts=_known(answer.acts, ACTS, "act"),
    )


def _known(said: Iterable[str], known: tuple[str, ...], what: str) -> tuple[str, ...]:
    chosen = set(said)
    if strange := sorted(chosen.difference(known)):
        raise LabelError(
            f"there is no {what} {plain(strange[0])[:40]!r}: choose among {', '.join(known)}"
        )
    return tuple(name for name in known if name in chosen)


def _named(labeller: str) -> str:
    name = plain(labeller)
    if not name or len(name) > _NAME:
        raise LabelError(f"say who labels, in {_NAME} characters at most")
    return name
