"""Who is on call: the rota, else everybody who gets alerts, else anybody at all.

The rota is `[[rota]]` of `vigie.toml` and the last good copy of the calendar that `[on_call]`
names, together. An alert with nobody to read it is worse than one read by the wrong person, so
the list is empty only where the settings name no recipient at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

from pipelines import rota, rota_copy
from pipelines.rota import Rank, Stint
from pipelines.settings import Recipient, Settings, Shift

_DAY = timedelta(days=1)


class Chain(NamedTuple):
    """Who is told at once, who if they do not answer, and who after that; nobody stands twice."""

    first: tuple[Recipient, ...]
    second: tuple[Recipient, ...]
    head: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A span without anybody on call, half open, aware UTC."""

    since_at: datetime
    until_at: datetime


def chain(settings: Settings, *, at: datetime) -> Chain:
    """Who is told of an alert at the instant `at`, step by step; a step may be empty.

    Where the rota names no second, they are the others who get alerts; without a head named, the
    head is whoever the calendar calls so, else the directors.
    """
    first = on_call(settings, at=at)
    second = _without(_on_shift(settings, at, "second") or _expected(settings), first)
    return Chain(first, second, _without(_heads(settings, at), first + second))


def on_call(settings: Settings, *, at: datetime) -> tuple[Recipient, ...]:
    """Who is told of an alert at the instant `at`; the day of a shift is the institution's.

    On a rota that names nobody then, everybody who gets alerts, and the head.
    """
    if on_shift := _on_shift(settings, at, "first"):
        return on_shift
    heads = _named(settings, [settings.on_call.head]) if has_rota(settings) else ()
    return _once((*_expected(settings), *heads)) or _last_resort(settings)


def watchers(settings: Settings) -> tuple[Recipient, ...]:
    """Everybody who gets alerts, on call or not; somebody else where nobody does."""
    return _expected(settings) or _last_resort(settings)


def has_rota(settings: Settings) -> bool:
    """Whether anything says who is on call when."""
    return bool(settings.rota) or settings.on_call.has_calendar


def trouble(settings: Settings, *, at: datetime) -> str | None:
    """What is wrong with who is told: 'nobody' is named, or 'off_shift' on a rota; else None."""
    if not _on_shift(settings, at, "first"):
        if not _expected(settings):
            return "nobody"
        if has_rota(settings):
            return "off_shift"
    return None


def operators(settings: Settings) -> tuple[Recipient, ...]:
    """Who is told that the watch itself is broken: those who get failures."""
    return _chosen(settings, lambda r: "failures" in r.gets or r.role == "operator")


def changed_at(settings: Settings, *, since: datetime, until: datetime) -> datetime | None:
    """When the first on call last became others within (`since`, `until`]; None if they did not."""
    edges = {edge for stint in _rota(settings, since - _DAY, until + _DAY) for edge in _ends(stint)}
    for edge in sorted((e for e in edges if since < e <= until), reverse=True):
        before = _on_shift(settings, edge - timedelta(microseconds=1), "first")
        if before != _on_shift(settings, edge, "first"):
            return edge
    return None


def before(settings: Settings, *, at: datetime) -> tuple[Recipient, ...]:
    """Who was on call until just before `at`; nobody where the rota named nobody."""
    return _on_shift(settings, at - timedelta(microseconds=1), "first")


def gaps(settings: Settings, *, since: datetime, until: datetime) -> tuple[Gap, ...]:
    """The spans of [`since`, `until`) for which the rota names nobody who can be told."""
    on = [
        stint
        for stint in _rota(settings, since, until)
        if stint.rank == "first" and _who(settings, stint)
    ]
    return tuple(_between(sorted(map(_ends, on)), since, until))


def strangers(settings: Settings, *, since: datetime, until: datetime) -> tuple[Stint, ...]:
    """The stints of [`since`, `until`) that name nobody of `[[recipients]]`."""
    found = _rota(settings, since, until)
    return tuple(stint for stint in found if not _who(settings, stint))


def _between(
    spans: Iterable[tuple[datetime, datetime]], since: datetime, until: datetime
) -> Iterator[Gap]:
    reached = since
    for start, end in spans:
        if start > reached:
            yield Gap(since_at=reached, until_at=min(start, until))
        reached = max(reached, end)
    if reached < until:
        yield Gap(since_at=reached, until_at=until)


def _ends(stint: Stint) -> tuple[datetime, datetime]:
    return stint.since_at, stint.until_at


def _on_shift(settings: Settings, at: datetime, rank: Rank) -> tuple[Recipient, ...]:
    start = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    found = (s for s in _rota(settings, start, start + _DAY) if s.rank == rank and s.holds(at))
    return _once(person for stint in found for person in _who(settings, stint))


def _rota(settings: Settings, since: datetime, until: datetime) -> tuple[Stint, ...]:
    """Every stint that overlaps [`since`, `until`): those of `[[rota]]`, then the calendar's."""
    written = (_stint(shift, settings) for shift in settings.rota)
    near = (s for s in written if s.since_at < until and s.until_at > since)
    return (*near, *rota_copy.stints(settings, since=since, until=until))


def _stint(shift: Shift, settings: Settings) -> Stint:
    zone = settings.institution.zone
    first, after = (
        datetime.combine(day, time(), zone).astimezone(UTC)
        for day in (shift.from_on, shift.to_on + _DAY)
    )
    return Stint(
        since_at=first, until_at=after, rank="first", emails=(shift.email,), is_trusted=True
    )


def _who(settings: Settings, stint: Stint) -> tuple[Recipient, ...]:
    if stint.is_trusted:
        return _named(settings, stint.emails)
    people = [(r.name, r.email) for r in settings.recipients]
    return _named(settings, rota.named(stint, people))


def _named(settings: Settings, emails: Iterable[str | None]) -> tuple[Recipient, ...]:
    known = {r.email: r for r in settings.recipients}
    return tuple(known.get(email) or _stranger(email) for email in emails if email)


def _stranger(email: str) -> Recipient:
    return Recipient(name=email, email=email, role="moderator", gets=("alerts",))


def _heads(settings: Settings, at: datetime) -> tuple[Recipient, ...]:
    return (
        _named(settings, [settings.on_call.head])
        or _on_shift(settings, at, "head")
        or _chosen(settings, lambda r: r.role == "director")
    )


def _once(people: Iterable[Recipient]) -> tuple[Recipient, ...]:
    return tuple({person.email: person for person in people}.values())


def _without(people: tuple[Recipient, ...], others: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
    told = {person.email for person in others}
    return tuple(person for person in people if person.email not in told)


def _expected(settings: Settings) -> tuple[Recipient, ...]:
    return _chosen(settings, lambda r: "alerts" in r.gets or r.role == "moderator")


def _last_resort(settings: Settings) -> tuple[Recipient, ...]:
    return _chosen(settings, lambda r: r.role in ("operator", "director")) or settings.recipients


def _chosen(settings: Settings, is_wanted: Callable[[Recipient], bool]) -> tuple[Recipient, ...]:
    return tuple(r for r in settings.recipients if is_wanted(r))
