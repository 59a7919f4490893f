"""Reads the dates of feeds as people write them: RFC 822, ISO 8601, French months, no zone.

Pure. Months are known by their first letters in French and English, which covers RFC 822 and
what French software makes of it ("ven., 20 nov. 2026 09:15", "1er août 2026 à 9h15").
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from pipelines.mention import Precision

_MONTHS = [
    *("jan", "feb fev", "mar", "apr avr", "may mai", "jun juin"),
    *("jul juil", "aug aou", "sep", "oct", "nov", "dec"),
]
_MONTH_BY_NAME = {name: at for at, names in enumerate(_MONTHS, start=1) for name in names.split()}
_HOURS_BY_ZONE = {
    **dict.fromkeys(("z", "ut", "utc", "gmt", "wet"), 0),
    **dict.fromkeys(("cet", "met", "west", "bst"), 1),
    **dict.fromkeys(("cest", "mest", "eet"), 2),
    **dict.fromkeys(("edt", "ast"), -4),
    **dict.fromkeys(("est", "cdt"), -5),
    **dict.fromkeys(("cst", "mdt"), -6),
    **dict.fromkeys(("mst", "pdt"), -7),
    **dict.fromkeys(("pst",), -8),
}
_OFFSET = re.compile(r"(?:gmt|utc)?(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})")
_WORDY = re.compile(
    r"(?P<day>\d{1,2})(?:er)?[\s-]+(?P<month>[a-z]{3,9})\.?[\s-]+(?P<year>\d{4}|\d{2})\b"
    r"(?:[\s,]+(?:a\s+)?(?P<hour>\d{1,2})\s*[:h]\s*(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?"
    r"\s*(?P<zone>(?:gmt|utc)?[+-]\d{1,2}:?\d{2}|[a-z]{1,5}\b)?"
)
_NUMERIC = re.compile(
    r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})"
    r"(?:[\s,]+(?:a\s+)?(?P<hour>\d{1,2})\s*[:h]\s*(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?"
    r"\s*(?P<zone>)$"
)
_WITH_SECONDS = re.compile(r"[T ]\d{2}:?\d{2}:?\d{2}")
_DAY_ONLY = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}")


def read(text: str | None, *, zone: tzinfo) -> tuple[datetime | None, Precision]:
    """The aware UTC time that `text` tells and how precise it is; (None, 'unknown') if none.

    A time without a zone is one of `zone`; a day without a time is its midnight there.
    """
    if not text or len(text) > 100:
        return None, "unknown"
    said = " ".join(text.split())
    try:
        found = _iso(said, zone) or _written(said, zone)
        return (found[0].astimezone(UTC), found[1]) if found else (None, "unknown")
    except (ValueError, OverflowError):
        return None, "unknown"


def _iso(text: str, zone: tzinfo) -> tuple[datetime, Precision] | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    precision: Precision = "second"
    if _DAY_ONLY.fullmatch(text):
        precision = "day"
    elif not _WITH_SECONDS.search(text):
        precision = "minute"
    return (at if at.tzinfo else at.replace(tzinfo=zone)), precision


def _written(text: str, zone: tzinfo) -> tuple[datetime, Precision] | None:
    plain = unicodedata.normalize("NFD", text.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    found = _NUMERIC.fullmatch(plain) or _WORDY.search(plain)
    if not found:
        return None
    month = int(found["month"]) if found["month"].isdigit() else _month(found["month"])
    if not month:
        return None
    at = datetime(
        _year(found["year"]),
        month,
        int(found["day"]),
        int(found["hour"] or 0),
        int(found["minute"] or 0),
        int(found["second"] or 0),
        tzinfo=_zone(found["zone"], zone),
    )
    return at, _precision(found)


def _month(name: str) -> int | None:
    return _MONTH_BY_NAME.get(name[:3]) or _MONTH_BY_NAME.get(name[:4])


def _year(digits: str) -> int:
    """Two digits are of this century up to 69, of the last one after (RFC 6265's rule)."""
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (2000 if year < 70 else 1900)


def _precision(found: re.Match[str]) -> Precision:
    if found["hour"] is None:
        return "day"
    return "second" if found["second"] else "minute"


def _zone(name: str | None, otherwise: tzinfo) -> tzinfo:
    """The zone that a date names (GMT, +0100, CEST); `otherwise` when it names none we know."""
    if offset := _OFFSET.fullmatch(name or ""):
        ahead = timedelta(hours=int(offset["hours"]), minutes=int(offset["minutes"]))
        return timezone(ahead if offset["sign"] == "+" else -ahead)
    hours = _HOURS_BY_ZONE.get(name or "")
    return otherwise if hours is None else timezone(timedelta(hours=hours))
