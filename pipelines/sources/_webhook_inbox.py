"""Messages that were pushed in, one file each, until the next run has taken them.

`received/<source>/<hash of the id>.json` is there whole or not at all, and once: a second message
of the same id finds it. When the run that has taken a message is loaded, the next one deletes its
file and leaves in `known/` the hash of what it held, by which a repeat is still known until the
payloads' own time is over (`pipelines/retention.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from pipelines.aside import written_aside
from pipelines.errors import SourceError
from pipelines.sources import _values as values

FOLDER = "received"
KNOWN = "known"
Put = Literal["new", "known", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it came: its name on the disk, when it came, and its text."""

    name: str
    received_at: str
    content_type: str
    sha256: str
    body: str


def folder(home: Path, source_name: str) -> Path:
    """Where the messages of a source block wait."""
    return home / FOLDER / source_name


def put(
    place: Path, *, message_id: str, body: bytes, content_type: str, received_at: datetime
) -> Put:
    """Write a message down: `new`; `known` if it is there already, `other` under another body.

    A message that is told as new is on the disk. OSError when it cannot be, ValueError for bytes
    that are not UTF-8.
    """
    name = hashlib.sha256(message_id.encode()).hexdigest()[:40]
    message = Message(
        name=name,
        received_at=received_at.isoformat(),
        content_type=content_type,
        sha256=hashlib.sha256(body).hexdigest(),
        body=body.decode("utf-8"),
    )
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = place / f"{name}.json"
    if not _is_linked(message, path):
        waiting = read(path)
        return "known" if waiting is None or waiting.sha256 == message.sha256 else "other"
    if (before := _known(place, name)) is None:
        return "new"
    path.unlink(missing_ok=True)  # taken, by an earlier run or since we looked
    return "known" if before == message.sha256 else "other"


def _is_linked(message: Message, path: Path) -> bool:
    """Whether a message has taken its name: unlike a rename, a link replaces nothing."""
    aside = path.with_name(f".{message.name}.{os.getpid()}.{os.urandom(4).hex()}.part")
    try:
        with aside.open("x", encoding="utf-8") as out:
            json.dump(asdict(message), out, ensure_ascii=False)
            out.flush()
            os.fsync(out.fileno())
        os.link(aside, path)
    except FileExistsError:
        return False
    finally:
        aside.unlink(missing_ok=True)
    return True


def _known(place: Path, name: str) -> str | None:
    """The hash of a message that was taken, None for one that never was."""
    try:
        return (place / KNOWN / name).read_text(encoding="ascii")
    except (OSError, ValueError):
        return None


def read(path: Path) -> Message | None:
    """The message in a file; None when it cannot be read as one."""
    try:
        found = values.mapping(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None
    told = {name: found.get(name) for name in ("received_at", "content_type", "sha256", "body")}
    if not all(isinstance(value, str) for value in told.values()):
        return None
    return Message(name=path.stem, **{name: str(value) for name, value in told.items()})


def waiting(place: Path, *, until: datetime) -> Iterator[Message]:
    """The messages that nobody has taken yet, received before `until`, the oldest first.

    SourceError for a folder that may not be read. Files of anybody else are left alone.
    """
    try:
        paths = sorted(place.glob("[0-9a-f]*.json"), key=lambda p: (p.stat().st_mtime_ns, p.name))
    except OSError as error:
        raise SourceError(
            f"{place} cannot be read ({type(error).__name__}): see its rights"
        ) from error
    for path in paths:
        message = read(path)
        at = values.time(message.received_at) if message else None
        if message is not None and at is not None and at < until:
            yield message


def forget(place: Path, names: Iterable[str]) -> None:
    """Delete the messages that are loaded; their hash stays, by which a repeat is known."""
    for name in names:
        path = place / f"{name}.json"
        message = read(path) if name.isalnum() else None
        if message is not None:
            with written_aside(place / KNOWN / name) as aside:
                aside.write_text(message.sha256, encoding="ascii")
            path.unlink(missing_ok=True)


def replace_body(place: Path, message: Message, body: str) -> None:
    """Let a message hold another text, as JSON; a repeat of the old one is still known."""
    changed = replace(message, body=body, content_type="application/json")
    with written_aside(place / f"{message.name}.json") as aside:
        aside.write_text(json.dumps(asdict(changed), ensure_ascii=False), encoding="utf-8")


def size(place: Path) -> int:
    """The bytes that wait; a run may take a message while they are counted."""
    return sum(map(_size, place.glob("*.json"))) if place.is_dir() else 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
