"""The error tree: each message says what happened, with which value, and what to do next.

A message never holds a secret or a person's text.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.said import Said, say, some


class VigieError(Exception):
    """Something that a person can act on; the command line prints it without a traceback."""

    def told(self, locale: str) -> str:
        """The message in a language, where it was made with `say`; else as it is, in English."""
        message = self.args[0] if self.args else ""
        return message.told(locale) if isinstance(message, Said) else str(self)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a settings file: the dotted key, the value as written, and the remedy."""

    key: str
    value: str
    remedy: Said
    line: int | None = None

    @property
    def what(self) -> Said:
        """Where it is, and what stands there."""
        what = say("{key} = {value}", key=self.key, value=self.value)
        return say("line {line}: {what}", line=self.line, what=what) if self.line else what

    def __str__(self) -> str:
        return self.told("en")

    def told(self, locale: str) -> str:
        """The fault on one line, in a language."""
        return say("{what}: {remedy}", what=self.what, remedy=self.remedy).told(locale)


class SettingsError(VigieError):
    """The settings cannot be used; `faults` holds every fault found, not only the first."""

    def __init__(self, path: str, faults: tuple[Fault, ...]) -> None:
        self.path, self.faults = path, faults
        super().__init__(self.told("en"))

    def told(self, locale: str) -> str:
        """The message in a language, a fault a line."""
        n = len(self.faults)
        head = some("{path} has {n} fault:", "{path} has {n} faults:", n=n, path=self.path)
        lines = (f"  - {fault.told(locale)}" for fault in self.faults)
        return "\n".join((head.told(locale), *lines))


ONE_PERSON = say(
    "one person's posts are not watched (GDPR art. 9: they show opinions; art. 6-1-e: it serves no "
    "mission)"
)


_SHOWN = 74  # characters of a query, so that the mark below stands right on 80 columns


class QueryError(VigieError):
    """A query that cannot be read, or that may not be asked: where it breaks off, why, the remedy.

    `at` counts the characters before the place, from 0; `what` and `remedy` fit on a line, and
    `why` is all that is said of it.
    """

    def __init__(self, text: str, *, at: int, length: int, what: Said, remedy: Said) -> None:
        self.at, self.length, self.what, self.remedy = at, length, what, remedy
        start = text.rfind("\n", 0, at) + 1
        line = text[start:].partition("\n")[0]
        number = text.count("\n", 0, at) + 1
        self.place = say("character {column}", column=at - start + 1)
        if "\n" in text.strip():
            self.place = say("line {line}, {place}", line=number, place=self.place)
        marks = "^" * max(1, min(length, len(line) - (at - start)))
        shown = "".join(c if c.isprintable() else " " for c in line)
        from_left = max(0, at - start - _SHOWN // 2)
        cut = shown[from_left : from_left + _SHOWN]
        pointer = " " * (at - start - from_left) + marks[: _SHOWN - (at - start - from_left)]
        self.why = say("{what} ({place}): {remedy}", what=what, place=self.place, remedy=remedy)
        self._shown = f"\n    {cut}\n    {pointer}"
        super().__init__(self.why + self._shown)

    def told(self, locale: str) -> str:
        """The message in a language, with the line of the query and the mark."""
        return self.why.told(locale) + self._shown


class SourceError(VigieError):
    """A source could not be read; the next run tries again from the same cursor."""


class RateLimited(SourceError):
    """A source asks to wait longer than one run may: try again at `retry_at` (aware UTC)."""

    def __init__(self, message: str, retry_at: datetime) -> None:
        self.retry_at = retry_at
        super().__init__(message)


class BudgetSpent(RateLimited):
    """Our own budget, of calls or of money, has no room for a call before `retry_at`."""


class StatusRefused(SourceError):
    """A source answered with an error: `status`, and the first bytes of what it said."""

    def __init__(self, message: str, *, status: int, content: bytes = b"") -> None:
        self.status = status
        self.content = content
        super().__init__(message)


class AddressRefused(SourceError):
    """An address leads where Vigie does not go: a private network, another scheme."""

    def __init__(self, what: Said, remedy: Said) -> None:
        self.what, self.remedy = what, remedy
        super().__init__(say("{what}: {remedy}", what=what, remedy=remedy))

    def __reduce__(self) -> tuple[type[AddressRefused], tuple[Said, Said]]:
        """How it goes to another process: made again of its two parts, not of its message."""
        return type(self), (self.what, self.remedy)


class ContractBroken(VigieError):
    """A batch breaks the contract of the accepted table; `expectations` names what it broke."""

    def __init__(self, message: str, expectations: tuple[str, ...]) -> None:
        self.expectations = expectations
        super().__init__(message)


class WeightsError(VigieError):
    """Model weights that are missing, altered, or not what their description says."""


class PlaceUnknown(VigieError):
    """A code that no place of the gazetteer bears."""


class WarehouseBusy(VigieError):
    """Another process holds the warehouse for longer than we wait."""


class WarehouseError(VigieError):
    """The warehouse is not in the state that this version of Vigie needs."""


class DeliveryError(VigieError):
    """A message could not be handed over; it stays in the outbox and is tried again."""


class ServerDown(DeliveryError):
    """The server of a channel cannot be reached: what else goes by it waits for the next pass."""


def in_short(error: BaseException) -> str:
    """An error as a log may show it: our own words, of any other only its kind and where it arose.

    The words of a KeyError or a UnicodeError may be somebody's text.
    """
    if isinstance(error, VigieError):
        return " ".join(str(error).split())
    places = traceback.extract_tb(error.__traceback__)[-3:]
    steps = " > ".join(f"{Path(place.filename).name}:{place.lineno}" for place in places)
    return f"{type(error).__name__} at {steps or 'an unknown place'}"
