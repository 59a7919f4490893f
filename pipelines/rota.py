"""A rota kept as an iCalendar: who is on call when, by its events (RFC 5545).

Pure. Recurrences, moved and cancelled occurrences, time zones (those of the file, Outlook's names
too) and whole days are worked out by icalendar and recurring-ical-events; a time without a zone
is the institution's. An event names people by its attendees, else by a mail address or a name in
its title. Whoever it is second to the first says so by a category (`CATEGORIES:SECOND`), a word
of its title ("renfort", "second") or an optional attendance.

A calendar is somebody else's file: its size, events and rules are bounded before any is worked
out. About 40 ms for a year's rota of 60 events. Known gap: a rule that never happens (30 February,
every day) takes seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from pipelines.errors import VigieError
from pipelines.wording import plain

Rank = Literal["first", "second", "head"]

MOST_BYTES = 1 << 20
MOST_EVENTS = 2_000
_EARLIEST = 1990
_DAY = timedelta(days=1)
_SPACINGS = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_BUSY = ("BYHOUR", "BYMINUTE", "BYSECOND")  # a shift a second would never end
_ADDRESS = re.compile(r"[^\s@<>,;:\"'()]+@[\w-]+(?:\.[\w-]+)+")
_RANKS: dict[str, Rank] = {
    **dict.fromkeys(("second", "seconde", "renfort", "backup", "secondary"), "second"),
    **dict.fromkeys(("head", "responsable"), "head"),
}
_IN_TITLES = frozenset({"second", "seconde", "renfort", "backup", "secondary"})


class RotaError(VigieError):
    """A calendar that cannot be used as a rota: what is wrong in it, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stint:
    """One span of duty, half open, aware UTC: who (mail addresses), or else what its title says."""

    since_at: datetime
    until_at: datetime
    rank: Rank
    emails: tuple[str, ...]
    title: str = ""
    is_trusted: bool = False  # written in the settings, so that any address will do

    def holds(self, at: datetime) -> bool:
        """Whether this stint is on at the instant `at`."""
        return self.since_at <= at < self.until_at


def read(content: bytes) -> icalendar.Calendar:
    """The calendar in `content`; RotaError when it is none, or one that would cost too much."""
    if len(content) > MOST_BYTES:
        raise RotaError(f"the calendar has more than {MOST_BYTES} bytes: export the rota alone")
    try:
        calendar = icalendar.Calendar.from_ical(content)
        events = list(calendar.walk("VEVENT"))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise RotaError(
            f"the calendar is not iCalendar ({type(error).__name__}): export it as .ics"
        ) from error
    if not isinstance(calendar, icalendar.Calendar) or len(events) > MOST_EVENTS:
        raise RotaError(f"the calendar has more than {MOST_EVENTS} events: export the rota alone")
    for event in events:
        _check(event)
    return calendar


def _check(event: Any) -> None:
    """RotaError for an event that has no start, or recurs more often than a shift can."""
    start = getattr(event.get("DTSTART"), "dt", None)
    if not isinstance(start, date) or start.year < _EARLIEST:
        raise RotaError(f"the event {_title(event)!r} has no start that can be read: mend it")
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        spacing, interval = (str(_only(rule.get(k), d)) for k, d in (("FREQ", ""), ("INTERVAL", 1)))
        if spacing not in _SPACINGS or int(interval) < 1 or any(k in rule for k in _BUSY):
            raise RotaError(
                f"the event {_title(event)!r} recurs by a rule that no shift follows: choose every "
                "day, week, month or year"
            )


def _only(value: Any, default: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value or default


def stints(
    calendar: icalendar.Calendar, *, since: datetime, until: datetime, zone: ZoneInfo
) -> tuple[Stint, ...]:
    """What the calendar says of [`since`, `until`), in order of time; RotaError."""
    try:
        # A day more at each end: times without a zone are compared by the library's own.
        found = recurring_ical_events.of(calendar).between(since - _DAY, until + _DAY)
        made = [stint for event in found for stint in _stints(event, zone)]
    except VigieError:
        raise
    except Exception as error:  # the library's words may hold the calendar's own
        raise RotaError(
            f"the calendar cannot be worked out ({type(error).__name__}): look at its recurrences"
        ) from error
    overlapping = (s for s in made if s.since_at < until and s.until_at > since)
    return tuple(sorted(overlapping, key=lambda s: (s.since_at, s.rank, s.title, s.emails)))


def _stints(event: Any, zone: ZoneInfo) -> Iterator[Stint]:
    """An occurrence as stints: those who must come, and those who may, each with its rank."""
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    since, until = _utc(event.start, zone), _utc(event.end, zone)
    title, rank = _title(event), _rank(event)
    attending = list(_attending(event))
    titled = tuple(dict.fromkeys(a.lower() for a in _ADDRESS.findall(title)))
    firm = tuple(email for email, is_optional in attending if not is_optional) or titled
    spare = tuple(email for email, is_optional in attending if is_optional)
    if firm or not spare:
        yield Stint(since_at=since, until_at=until, rank=rank, emails=firm, title=title)
    if spare:
        yield Stint(since_at=since, until_at=until, rank="second", emails=spare, title=title)


def _attending(event: Any) -> Iterator[tuple[str, bool]]:
    """The address of each attendee who has not declined, and whether coming is up to them."""
    found = event.get("ATTENDEE", [])
    for one in found if isinstance(found, list) else [found]:
        address = str(one).strip()
        said = {k: str(one.params.get(k, "")).upper() for k in ("PARTSTAT", "ROLE", "CUTYPE")}
        is_person = said["CUTYPE"] not in ("ROOM", "RESOURCE")
        is_away = said["PARTSTAT"] == "DECLINED" or said["ROLE"] == "NON-PARTICIPANT"
        if address.lower().startswith("mailto:") and is_person and not is_away:
            yield address[7:].strip().lower(), said["ROLE"] == "OPT-PARTICIPANT"


def _rank(event: Any) -> Rank:
    for word in _words(" ".join(_categories(event))):
        if word in _RANKS:
            return _RANKS[word]
    return "second" if _IN_TITLES & set(_words(_title(event))) else "first"


def _categories(event: Any) -> Iterator[str]:
    found = event.get("CATEGORIES", [])
    for each in found if isinstance(found, list) else [found]:
        yield from (str(c) for c in getattr(each, "cats", [each]))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _title(event: Any) -> str:
    return plain(str(event.get("SUMMARY", "")))[:120]


def _utc(moment: date | datetime, zone: ZoneInfo) -> datetime:
    """An aware UTC time: a day begins at the zone's midnight, a time without a zone is of it."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def named(stint: Stint, people: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The addresses of those of `people` (name, address) who are on for a stint.

    A title names a person by all words of the name in a row, whatever their case. Nobody else is
    ever written to: whoever may edit a calendar could else send alerts anywhere.
    """
    known = {email.lower(): email for _, email in people}
    if stint.emails:
        return tuple(known[email] for email in stint.emails if email in known)
    title = f" {' '.join(_words(stint.title))} "
    wanted = ((f" {' '.join(_words(name))} ", email) for name, email in people)
    return tuple(email for name, email in wanted if name.strip() and name in title)
