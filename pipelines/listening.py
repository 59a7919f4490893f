"""What a reader of `vigie listen` leaves on the disk for the runs that load it.

Everything of one source block lies in `listening/<source name>/`:

    receipts/<stamp>.json   one for each landing: its file, its cursor, what was not seen
    reader.json             written every few seconds: is the reader alive, how far has it read
    .lock                   held by the one reader of the block

A receipt is written after the file that it names, aside and then renamed: a landing is there with
its cursor, or not at all. A reader goes on from the last receipt or from `reader.json`, whichever
is later, so that it may be killed at any instant; a file without a receipt is read by nobody and
expires. `listening/taken` holds, of each block, the stamp of the newest receipt that a run has
taken up; it is a hint for what starts the runs. Which receipts are loaded is known by the
warehouse alone.

No text and no person is in here: cursors, times and counts. Stamps are UTC and sort as written.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pipelines.aside import written_aside
from pipelines.errors import VigieError

FOLDER = "listening"
_STAMP = "%Y%m%dT%H%M%S%fZ"

Status = Literal["ok", "failed", "waiting", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One landing: all that was published from `since` to `until` (UTC) is in it or before it.

    `path` is that of its payloads in the home, none where a gap is all that there is to tell.
    """

    stamp: str
    path: str | None
    payload_count: int
    since: datetime
    until: datetime
    cursor: dict[str, Any]
    gap: tuple[datetime, datetime] | None = None
    is_capped: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How a reader was at `at`: up to when it had read, where it stood, after which landing.

    `since`: all from then to `until` has been read, by this reader and those that it went on from.
    """

    at: datetime
    until: datetime
    status: Status
    cursor: dict[str, Any] | None = None
    stamp: str = ""
    note: str | None = None
    since: datetime | None = None


def folder(home: Path, name: str) -> Path:
    """The folder of one source block's reader."""
    return home / FOLDER / name


@contextmanager
def alone(home: Path, name: str) -> Iterator[None]:
    """The right to be the reader of a block, for as long as the block lasts; VigieError."""
    place = folder(home, name)
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VigieError(
                f"another process listens to {name!r} of {home} already: stop that one, or leave "
                f"{name} to it (--source names those to listen to)"
            ) from None
        yield


def next_stamp(last: str, now: datetime) -> str:
    """A stamp of `now`, later than `last` whatever the clock says."""
    stamp = f"{now.astimezone(UTC):{_STAMP}}"
    return stamp if stamp > last else f"{moment(last) + timedelta(microseconds=1):{_STAMP}}"


def moment(stamp: str) -> datetime:
    """The time (aware UTC) of a stamp."""
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)


def write_receipt(home: Path, name: str, receipt: Receipt) -> None:
    """Add a receipt; the file that it names must be there already."""
    _write(folder(home, name) / "receipts" / f"{receipt.stamp}.json", asdict(receipt))


def receipts(home: Path, name: str, *, after: str = "") -> Iterator[Receipt]:
    """The receipts of a block with stamps later than `after`, the oldest first."""
    for stamp in _stamps(home, name):
        if stamp > after:
            yield _receipt(folder(home, name) / "receipts" / f"{stamp}.json")


def last_receipt(home: Path, name: str) -> Receipt | None:
    """The newest receipt of a block; none where it has landed nothing yet."""
    stamps = _stamps(home, name)
    return _receipt(folder(home, name) / "receipts" / f"{stamps[-1]}.json") if stamps else None


def forget(home: Path, name: str, *, upto: str) -> None:
    """Delete the receipts that are loaded, but the last: a reader goes on from there."""
    for stamp in _stamps(home, name)[:-1]:
        if stamp <= upto:
            (folder(home, name) / "receipts" / f"{stamp}.json").unlink(missing_ok=True)


def _stamps(home: Path, name: str) -> list[str]:
    found = (folder(home, name) / "receipts").glob("[0-9]*.json")
    return sorted(path.stem for path in found)


def _receipt(path: Path) -> Receipt:
    found = json.loads(path.read_text(encoding="utf-8"))
    gap = found["gap"]
    times = {key: datetime.fromisoformat(found[key]) for key in ("since", "until")}
    bounds = (datetime.fromisoformat(gap[0]), datetime.fromisoformat(gap[1])) if gap else None
    return Receipt(**(found | times | {"gap": bounds}))


def write_reader(home: Path, name: str, reader: Reader) -> None:
    """Tell how a reader is."""
    _write(folder(home, name) / "reader.json", asdict(reader))


def reader(home: Path, name: str) -> Reader | None:
    """How the reader of a block was when it last told; none where it never did."""
    try:
        found = json.loads((folder(home, name) / "reader.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    told = [key for key in ("at", "until", "since") if found.get(key)]
    return Reader(**(found | {key: datetime.fromisoformat(found[key]) for key in told}))


def write_taken(home: Path, stamps: Mapping[str, str]) -> None:
    """Tell what starts the runs which receipts have been taken up: of each block, the newest."""
    _write(home / FOLDER / "taken", dict(stamps))


def taken(home: Path) -> dict[str, str]:
    """The newest stamp of each block that a run has taken up, as far as it is known."""
    try:
        found = json.loads((home / FOLDER / "taken").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def newest(home: Path) -> dict[str, str]:
    """The newest stamp of each block that has landed something. Lists folders, reads no file."""
    found: dict[str, str] = {}
    for path in (home / FOLDER).glob("*/receipts/[0-9]*.json"):
        name = path.parts[-3]
        found[name] = max(found.get(name, ""), path.stem)
    return found


def ahead(newest: Mapping[str, str], taken: Mapping[str, str]) -> str:
    """The newest stamp that no run has taken up; empty where there is none.

    Block by block: while a big landing is written, a later one of another block may be taken up.
    """
    return max((s for name, s in newest.items() if s > taken.get(name, "")), default="")


def _write(path: Path, content: object) -> None:
    with written_aside(path) as aside:
        aside.write_text(json.dumps(content, ensure_ascii=False, default=_text), encoding="utf-8")


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
