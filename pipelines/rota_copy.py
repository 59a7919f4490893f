"""The last good copy of the calendar that holds the rota, in `on_call/` of the home.

Who is on call must be known at night with the calendar's server away, so nothing that wakes people
ever asks it: `refresh` does before a run's rules are asked, and what it could read and work out
takes the place of the copy. What it could not stays out, with the reason in `state.json`, until
the next try.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from pipelines import rota
from pipelines.aside import written_aside
from pipelines.errors import SourceError, StatusRefused, VigieError
from pipelines.http import Client
from pipelines.rota import RotaError, Stint
from pipelines.settings import Settings

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=15)  # how often an address is asked
_CHECKED = timedelta(days=62)  # a calendar is believed when these days of it can be worked out


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """When the calendar was last asked for and last read (aware UTC), and what is wrong, if so."""

    tried_at: datetime
    read_at: datetime | None = None
    problem: str = ""


def copy_path(home: Path) -> Path:
    """Where the last good copy lies."""
    return home / "on_call" / "calendar.ics"


def state(home: Path) -> State | None:
    """How the last try went; None where there was none, or its note cannot be read."""
    try:
        return msgspec.json.decode(_state_path(home).read_bytes(), type=State)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _state_path(home: Path) -> Path:
    return home / "on_call" / "state.json"


def refresh(
    settings: Settings, *, secrets: Mapping[str, str], client: Client, now: datetime
) -> State | None:
    """Read the calendar of the settings again if it is time; None where there is none.

    Touches the network for an address. Raises nothing: a calendar that cannot be had or used
    leaves the copy as it is, an error in the log and in `state`.
    """
    if not settings.on_call.has_calendar:
        return None
    last = state(settings.home)
    if last and _is_address(settings, secrets) and abs(now - last.tried_at) < EVERY:
        return last
    try:
        content = fetched(settings, secrets=secrets, client=client)
        checked(content, now=now, zone=settings.institution.zone)
    except (SourceError, RotaError) as error:
        made = State(tried_at=now, read_at=last.read_at if last else None, problem=str(error))
        log.error("rota.unread reason=%s", error)
    else:
        made = State(tried_at=now, read_at=now)
        _write(copy_path(settings.home), content)
    _write(_state_path(settings.home), msgspec.json.encode(made))
    return made


def _is_address(settings: Settings, secrets: Mapping[str, str]) -> bool:
    return "://" in _named(settings, secrets)


def _named(settings: Settings, secrets: Mapping[str, str]) -> str:
    on_call = settings.on_call
    return on_call.calendar or secrets.get(on_call.calendar_env or "", "")


def fetched(settings: Settings, *, secrets: Mapping[str, str], client: Client) -> bytes:
    """The calendar as its file or address holds it now; SourceError, RotaError."""
    named = _named(settings, secrets)
    if "://" not in named:
        return _of_file(settings.home / named) if named else _no_address(settings)
    if not named.startswith("https://"):
        raise RotaError("the address of the calendar is not https: write one that is")
    try:
        answer = client.get(named, max_bytes=rota.MOST_BYTES, headers={"accept": "text/calendar"})
    except SourceError as error:
        raise _without_address(settings, error) from error
    return answer.content


def _no_address(settings: Settings) -> bytes:
    raise RotaError(f"{settings.on_call.calendar_env} is not set: put the calendar's address in it")


def _without_address(settings: Settings, error: SourceError) -> SourceError:
    """The same in words that hold no address where the address is a secret."""
    if not settings.on_call.calendar_env or settings.on_call.calendar:
        return error
    what = f"answers {error.status}" if isinstance(error, StatusRefused) else type(error).__name__
    return SourceError(f"the address in {settings.on_call.calendar_env} cannot be read ({what})")


def _of_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(rota.MOST_BYTES + 1)
    except OSError as error:
        raise RotaError(
            f"{path} cannot be read ({error.strerror}): put the calendar there, or correct "
            "`calendar` in [on_call]"
        ) from error


def checked(content: bytes, *, now: datetime, zone: ZoneInfo) -> tuple[Stint, ...]:
    """The stints of the two months from `now`; RotaError where they cannot be worked out."""
    return rota.stints(rota.read(content), since=now, until=now + _CHECKED, zone=zone)


def _write(path: Path, content: bytes) -> None:
    with written_aside(path) as aside:
        aside.write_bytes(content)


def stints(settings: Settings, *, since: datetime, until: datetime) -> tuple[Stint, ...]:
    """What the last good copy says of [`since`, `until`); nothing where there is none.

    Read once a process until the copy changes; a copy that an older Vigie left and this one
    cannot read is told in the log, and says nothing.
    """
    if not settings.on_call.has_calendar:
        return ()
    path = copy_path(settings.home)
    try:
        known = path.stat()
        version = (known.st_mtime_ns, known.st_size)
        return _worked_out(path, version, since, until, settings.institution.zone)
    except FileNotFoundError:
        log.warning("rota.no_copy reason=never read")
    except VigieError as error:
        log.error("rota.unusable reason=%s", error)
    return ()


@lru_cache(maxsize=64)
def _worked_out(
    path: Path,
    version: tuple[int, int],  # noqa: ARG001 - another version is another entry of the cache
    since: datetime,
    until: datetime,
    zone: ZoneInfo,
) -> tuple[Stint, ...]:
    return rota.stints(rota.read(path.read_bytes()), since=since, until=until, zone=zone)
