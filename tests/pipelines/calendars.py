"""Calendars as Outlook, Nextcloud and people write them, for the rota."""

from __future__ import annotations

from collections.abc import Iterable

PARIS = """BEGIN:VTIMEZONE
TZID:Europe/Paris
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""


def calendar(*events: str, zones: str = PARIS) -> bytes:
    """A calendar of these events."""
    head = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Valmorin//Astreinte//FR\n"
    return (head + zones + "".join(events) + "END:VCALENDAR\n").replace("\n", "\r\n").encode()


def event(start: str, end: str, *lines: str, uid: str = "1", people: Iterable[str] = ()) -> str:
    """One event: `start` and `end` as they stand after DTSTART and DTEND, then other lines."""
    told = [f"ATTENDEE;ROLE=REQ-PARTICIPANT:mailto:{email}" for email in people]
    kept = ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"DTSTART{start}"]
    kept += [f"DTEND{end}", *lines, *told, "END:VEVENT"]
    return "\n".join(kept) + "\n"
