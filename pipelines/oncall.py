"""Who is on call: the rota of `vigie.toml`, else everybody who gets alerts, else anybody at all.

An alert with nobody to read it is worse than one read by the wrong person, so the list is empty
only where the settings name no recipient at all.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pipelines.settings import Recipient, Settings


def on_call(settings: Settings, *, at: datetime) -> tuple[Recipient, ...]:
    """Who is told of an alert at the instant `at`; the day of a shift is the institution's."""
    return _on_shift(settings, at) or _expected(settings) or _last_resort(settings)


def chain(settings: Settings, *, at: datetime) -> tuple[tuple[Recipient, ...], ...]:
    """Who is told of a critical alert at `at`, step by step: on call, second, head.

    Nobody stands in two steps, and a step may be empty. The second are the others who get alerts,
    the head is whoever directs communication.
    """
    first = on_call(settings, at=at)
    told = {r.email for r in first}
    second = tuple(r for r in _expected(settings) if r.email not in told)
    told |= {r.email for r in second}
    head = _chosen(settings, lambda r: r.role == "director" and r.email not in told)
    return first, second, head


def trouble(settings: Settings, *, at: datetime) -> str | None:
    """What is wrong with who is told: 'nobody' is named, or 'off_shift' on a rota; else None."""
    if not _on_shift(settings, at):
        if not _expected(settings):
            return "nobody"
        if settings.rota:
            return "off_shift"
    return None


def operators(settings: Settings) -> tuple[Recipient, ...]:
    """Who is told that the watch itself is broken: those who get failures."""
    return _chosen(settings, lambda r: "failures" in r.gets or r.role == "operator")


def _on_shift(settings: Settings, at: datetime) -> tuple[Recipient, ...]:
    day = at.astimezone(settings.institution.zone).date()
    emails = dict.fromkeys(s.email for s in settings.rota if s.from_on <= day <= s.to_on)
    known = {r.email: r for r in settings.recipients}
    return tuple(known.get(email) or _stranger(email) for email in emails)


def _stranger(email: str) -> Recipient:
    return Recipient(name=email, email=email, role="moderator", gets=("alerts",))


def _expected(settings: Settings) -> tuple[Recipient, ...]:
    return _chosen(settings, lambda r: "alerts" in r.gets or r.role == "moderator")


def _last_resort(settings: Settings) -> tuple[Recipient, ...]:
    return _chosen(settings, lambda r: r.role in ("operator", "director")) or settings.recipients


def _chosen(settings: Settings, is_wanted: Callable[[Recipient], bool]) -> tuple[Recipient, ...]:
    return tuple(r for r in settings.recipients if is_wanted(r))
