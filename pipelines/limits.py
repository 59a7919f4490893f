"""What a service allows and what it costs, as a source's manifest declares it: data, no code.

    Limit(name="search", most=100, per=Daily("America/Los_Angeles"), costs=((r"/search$", 1),))
    Limit(name="units", most=10_000, per=Daily("America/Los_Angeles"), costs=((r"/v3/", 1),))
    Price(name="posts", amount="0.005", currency="USD", items=("data",), most_items=100,
          items_param="max_results")

`pipelines/budget.py` keeps to them; `vigie sources` shows how far they are used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pipelines.said import say

MILLION = 1_000_000  # money is counted in millionths: whole numbers add up without loss


@dataclass(frozen=True, slots=True)
class Rolling:
    """Any span of `seconds`, wherever it begins: 300 calls in five minutes, one in five seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Daily:
    """A day from `hour` to `hour` in `zone`, of 23 or 25 hours where its clocks change."""

    zone: str = "UTC"
    hour: int = 0


@dataclass(frozen=True, slots=True)
class Monthly:
    """A calendar month in `zone`."""

    zone: str = "UTC"


Calendar = Daily | Monthly
Window = Rolling | Calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `most` units in a window, over every process that shares the home.

    `costs` are pairs of a pattern, searched in "GET /path", and the units of such a call; the
    first that is found counts, and a call that none finds is not counted. `of` says whom the
    service counts: everybody at this address (`host`), or one credential (`account`).
    """

    name: str
    most: int
    per: Window
    costs: tuple[tuple[str, int], ...] = (("", 1),)
    of: Literal["host", "account"] = "host"
    remedy: str = say("raise every_minutes of this source in vigie.toml")

    def units(self, call: str) -> int:
        """The units of a call such as "GET /v3/search", 0 where this limit is not about it."""
        return next((units for pattern, units in self.costs if re.search(pattern, call)), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an answer costs: `amount` for each item in it, or for the call where `items` is empty.

    `items` are the keys that lead to the list of what is paid in a JSON answer; `items_param` is
    the parameter of the query that says how many are asked for, `most_items` how many may come
    without it. A refusal (status 400 and above) costs nothing.
    """

    name: str
    amount: str
    currency: Literal["EUR", "USD"]
    calls: str = ""
    items: tuple[str, ...] = ()
    items_param: str | None = None
    most_items: int = 1

    @property
    def millionths(self) -> int:
        """The amount in millionths of its currency; a finer fraction is rounded up."""
        whole, _, fraction = self.amount.partition(".")
        return (
            int(whole) * MILLION + int(fraction[:6].ljust(6, "0")) + bool(fraction[6:].strip("0"))
        )

    def is_due(self, call: str) -> bool:
        """Whether a call such as "GET /2/tweets/search/recent" is paid."""
        return re.search(self.calls, call) is not None

    def at_most(self, params: Mapping[str, str]) -> int:
        """The most that a call with these parameters may cost, in millionths."""
        asked = params.get(self.items_param or "", "")
        count = int(asked) if asked.isascii() and asked.isdigit() else self.most_items
        return self.millionths * (count if self.items else 1)

    def of_answer(self, found: Any) -> int | None:
        """What a JSON answer costs, in millionths; None where its items cannot be counted."""
        if not self.items:
            return self.millionths
        for key in self.items:
            if not isinstance(found, dict):
                return None
            if key not in found:
                return 0
            found = found[key]
        return self.millionths * len(found) if isinstance(found, list) else None


def window_of(per: Calendar, at: datetime) -> tuple[datetime, datetime]:
    """The day or month that holds `at` (aware), from its first instant to the next one's (UTC)."""
    zone = ZoneInfo(per.zone)
    local = at.astimezone(zone)
    if isinstance(per, Monthly):
        first = local.date().replace(day=1)
        last = (first + timedelta(days=32)).replace(day=1)
        start, end = (datetime.combine(day, time.min, tzinfo=zone) for day in (first, last))
    else:
        today = datetime.combine(local.date(), time(per.hour), tzinfo=zone)
        first = local.date() if today <= at else local.date() - timedelta(days=1)
        days = (first, first + timedelta(days=1))
        start, end = (datetime.combine(day, time(per.hour), tzinfo=zone) for day in days)
    return start.astimezone(UTC), end.astimezone(UTC)
