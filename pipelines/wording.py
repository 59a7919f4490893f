"""The words and numbers of a locale: texts from `templates/<name>.<locale>.toml`, forms by CLDR.

French numbers take a narrow no-break space and a comma, dates their French order. A text may
name values in braces; a table `one`/`other` is a plural. No text of a person is ever a template.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent

LOCALES = {"fr": "fr_FR", "en": "en_GB"}  # ours, and CLDR's
MOST_MARKS = 4  # on one letter; Hebrew with its accents has three
_SPACED = re.compile(r" [:;!?»]|« ")
_BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}


@dataclass(frozen=True, slots=True)
class Words:
    """How one locale writes texts, numbers and times of one zone."""

    locale: str
    zone: tzinfo
    texts: Mapping[str, Any]

    @property
    def _cldr(self) -> str:
        return LOCALES[self.locale]

    def text(self, key: str) -> str:
        """The text at a dotted key, as it stands in the file; KeyError when there is none."""
        found: Any = self.texts
        for part in key.split("."):
            found = found[part]
        return str(found)

    def has(self, key: str) -> bool:
        """Whether there is a text at a dotted key."""
        try:
            self.text(key)
        except KeyError:
            return False
        return True

    def say(self, key: str, **values: object) -> str:
        """The text at `key` with its values put in."""
        return self.text(key).format(**values)

    def count(self, key: str, number: float) -> str:
        """A number, as a whole one, with its noun in the right plural: `counts.<key>`."""
        form = Locale.parse(self._cldr).plural_form(round(number))
        forms = self.texts["counts"][key]
        return str(forms.get(form, forms["other"])).format(n=self.number(number))

    def number(self, value: float) -> str:
        """A whole number, in groups of three."""
        return str(format_decimal(round(value), locale=self._cldr))

    def decimal(self, value: float) -> str:
        """A number with one decimal at most."""
        return str(format_decimal(value, format="#,##0.#", locale=self._cldr))

    def hundredths(self, value: float) -> str:
        """A number with two decimals: "0,82"."""
        return str(format_decimal(value, format="0.00", locale=self._cldr))

    def percent(self, share: float) -> str:
        """A share 0..1 as a whole percentage."""
        return str(format_percent(share, format=None, locale=self._cldr))

    def percents(self, low: float, high: float) -> str:
        """A band of shares 0..1, on one line: "51 à 63 %"."""
        band = self.say("forms.percents", low=self.number(low * 100), high=self.percent(high))
        return band.replace(" ", "\u00a0")

    def rate(self, share: float) -> str:
        """A small share 0..1 as a percentage with one decimal."""
        return str(format_percent(share, format=self.text("forms.rate"), locale=self._cldr))

    def day(self, day: date) -> str:
        """A day in full: "jeudi 19 novembre 2026"."""
        return _first(str(format_date(day, format="full", locale=self._cldr)), day, self.locale)

    def short_day(self, day: date) -> str:
        """A day in short: "19 nov."."""
        return dated(day, "MMMd", locale=self.locale)

    def week_day(self, day: date) -> str:
        """A day with its weekday in short: "jeu. 19 nov."."""
        return dated(day, "MMMEd", locale=self.locale)

    def between(self, first: date, last: date) -> dict[str, str]:
        """The ends of a span, what they share told once: "21" and "27 septembre 2026"."""
        whole = "d MMMM y"
        shared = "d" if first.month == last.month else "d MMMM"
        begin = shared if first.year == last.year else whole
        return {"first": self._written(first, begin), "last": self._written(last, whole)}

    def _written(self, day: date, pattern: str) -> str:
        return _first(str(format_date(day, format=pattern, locale=self._cldr)), day, self.locale)

    def month(self, day: date) -> str:
        """A month with its year: "novembre 2026"."""
        return str(format_date(day, format="MMMM y", locale=self._cldr))

    def time(self, at: datetime) -> str:
        """The local time of day: "14:05"."""
        return clock(at.astimezone(self.zone), locale=self.locale)

    def moment(self, at: datetime) -> str:
        """A local day and time: "19 nov., 14:05"."""
        return self.say(
            "forms.moment", day=self.short_day(at.astimezone(self.zone)), time=self.time(at)
        )

    def span(self, minutes: float) -> str:
        """A length of time in minutes, or from two hours in hours: "45 min", "3 h"."""
        if minutes < 120:
            return self.say("forms.minutes", n=self.number(minutes))
        if minutes < 48 * 60:
            return self.say("forms.hours", n=self.number(minutes / 60))
        return self.say("forms.days", n=self.number(minutes / 1440))

    def since(self, at: datetime, as_of: datetime) -> str:
        """How long before `as_of` something was."""
        return self.span((as_of - at) / timedelta(minutes=1))

    def language(self, code: str) -> str:
        """The name of a language by its code: "français"; the code itself where CLDR has none."""
        return str(Locale.parse(self._cldr).languages.get(code, code))

    def listed(self, items: list[str]) -> str:
        """Items with commas and the locale's "and" before the last."""
        return str(format_list(items, locale=self._cldr))


def dated(day: date, skeleton: str, *, locale: str) -> str:
    """A day as a CLDR skeleton tells it, for example "MMMd"; the French first is "1er"."""
    return _first(str(format_skeleton(skeleton, day, locale=LOCALES[locale])), day, locale)


def clock(local: datetime, *, locale: str) -> str:
    """A time of day of a local moment: "14:05"."""
    return str(format_time(local, format="HH:mm", locale=LOCALES[locale]))


def _first(text: str, day: date, locale: str) -> str:
    return re.sub(r"\b1\b", "1er", text, count=1) if locale == "fr" and day.day == 1 else text


def words(locale: str, zone: tzinfo, *, name: str = "digest") -> Words:
    """The words of `locale` (fr or en) in `templates/<name>…`, with the times of `zone`."""
    if locale not in LOCALES:
        raise ValueError(f"there is no {name} in {locale!r}: choose one of {', '.join(LOCALES)}")
    return Words(locale, zone, _texts(name, locale))


@lru_cache(maxsize=8 * len(LOCALES))
def _texts(name: str, locale: str) -> Mapping[str, Any]:
    path = files("pipelines") / "templates" / f"{name}.{locale}.toml"
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return _typeset(found, locale)


def _typeset(texts: Mapping[str, Any], locale: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, text in texts.items():
        is_table = isinstance(text, Mapping)
        made[key] = _typeset(text, locale) if is_table else typeset(text, locale)
    return made


def typeset(text: str, locale: str) -> str:
    """A text of ours as a locale is printed: in French, spaces that a line must not break at."""
    return _SPACED.sub(_held, text) if locale == "fr" else text


def _held(found: re.Match[str]) -> str:
    sign = found.group().strip()
    space = "\u202f" if sign in {";", "!", "?"} else "\u00a0"
    return f"{sign}{space}" if sign == "«" else f"{space}{sign}"


def plain(text: str) -> str:
    """A person's text on one line, without control characters or marks that turn reading round."""
    kept = "".join(c if c.isprintable() or c.isspace() else "" for c in text)
    return " ".join("".join(c for c in _unstacked(kept) if ord(c) not in _BIDI).split())


def safe_link(url: str | None) -> str | None:
    """`url` when a reader may follow it: http or https, a host, nothing hidden in it."""
    if not url or not url.isprintable() or any(c.isspace() for c in url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and host and "@" not in parts.netloc else None


def _unstacked(text: str) -> Iterator[str]:
    """The characters of a text, with `MOST_MARKS` at most on any one: more cover other lines."""
    stacked = 0
    for sign in text:
        stacked = stacked + 1 if unicodedata.category(sign)[0] == "M" else 0
        if stacked <= MOST_MARKS:
            yield sign
