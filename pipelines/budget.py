"""What may still be asked and spent: rate and money budgets that every process of a home shares.

Kept in `budget.sqlite` of the home, since DuckDB admits one writer and a counter in memory is
each worker's own. SQLite in WAL mode with short transactions (`begin immediate`): the processes
of one machine wait for each other some hundred microseconds. A commit survives the death of any
process; where money is spent it also survives a power cut, since it is on the disk before the
call goes out.

A call is **held** before it is sent and **settled** when its answer is in. While it is held it
counts as under way, so that calls sent side by side are all counted; settled, it counts from the
moment of its answer. Between the answer to one call and the sending of the one that takes its
place in a window lies the whole window, however slow the network, so a service that counts
arrivals never counts more than `most`. A process that dies leaves its call held: it counts until
`HELD`, and as sent from then on.

Clocks: a call near the end of a day or month counts on both sides of it (`MARGIN`), so a clock
may be a minute off; one that jumps ahead and back costs at most one window.

Money is set aside before a call, as much as its answer may cost, and becomes what the answer does
cost. A call that could exceed the cap is refused, with the moment and the remedy.

Cost: 0.2 ms a call, 7 ms where it costs money (two syncs of a disk); at most `BUCKETS` rows a
rolling limit, one row a day or month. Known gaps: WAL needs a disk of this machine, so where
workers run on several machines one of them has to collect; homes do not know of each other.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from pipelines.errors import SourceError
from pipelines.limits import (
    MILLION,
    Calendar,
    Daily,
    Limit,
    Monthly,
    Price,
    Rolling,
    Window,
    window_of,
)
from pipelines.said import Said, say
from pipelines.settings import Settings, SourceBlock, env_names

FILE = "budget.sqlite"
HELD = timedelta(minutes=10)  # longer than any call may last (pipelines/http.py)
MARGIN = timedelta(minutes=1)  # how far this clock and the service's may be apart
BUCKETS = 60  # parts of a rolling window beyond which calls are counted together
POLL = timedelta(milliseconds=500)  # when what is under way elsewhere is all that stands in the way
_AT_ONCE = 0.1  # seconds: clocks of machines that share a ledger differ by more
_BUSY_SECONDS = 60.0
_KEPT = timedelta(days=400)  # past days and months, for whoever looks back over a year
_SCHEMA = """
    create table if not exists spent (
        key text not null, at integer not null, units integer not null, primary key (key, at)
    ) without rowid;
    create table if not exists held (
        call integer not null, key text not null, units integer not null, at integer not null,
        per text not null, primary key (call, key)
    ) without rowid;
    create table if not exists told (
        key text primary key, block text not null, host text not null, most integer,
        remaining integer not null, reset_at integer not null
    ) without rowid;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as budgets see it; `host` with its port, `params` of the query, once each."""

    method: str
    host: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The call as the patterns of limits and prices read it: "GET /path"."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a service said of its own count: how many calls are left until `reset_at` (UTC)."""

    remaining: int
    reset_at: datetime
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one call takes of one limit; money is a limit whose unit is a currency."""

    key: str
    name: str
    per: Window
    most: int
    units: int
    unit: str = say("calls")
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A call that may go out: settle it when its answer is in, whatever the answer is."""

    call: int
    at: datetime
    charges: tuple[Charge, ...]
    prices: tuple[Price, ...]
    told_key: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a call may not go out, and when it may (aware UTC). `is_told`: the service says so."""

    why: str
    retry_at: datetime
    is_told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far one limit is used; `unit` is a currency for money, whose amounts are millionths.

    `resets_at`: when all of it is free again; None where nothing is used. `is_told`: the
    service's own count.
    """

    block: str
    name: str
    host: str
    used: int
    most: int | None
    unit: str
    resets_at: datetime | None
    is_told: bool = False

    @property
    def left(self) -> int | None:
        """What is left of it; None where the most is not known."""
        return None if self.most is None else max(self.most - self.used, 0)


def _micros(at: datetime) -> int:
    return round(at.timestamp() * MILLION)


def _moment(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / MILLION, UTC)


class Declaring(Protocol):
    """What of a manifest a budget needs."""

    @property
    def limits(self) -> tuple[Limit, ...]: ...
    @property
    def prices(self) -> tuple[Price, ...]: ...


class Ledger:
    """The counts of a home; without a path they live in memory and are this process's alone."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a later use opens it again."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    @contextmanager
    def changing(self, *, is_durable: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction that no other process can be in; SourceError where there can be none.

        `is_durable`: on the disk before the block ends, so that a power cut forgets nothing.
        """
        with self._lock:
            try:
                connection = self._connection()
                connection.execute(f"pragma synchronous = {'full' if is_durable else 'normal'}")
                connection.execute("begin immediate")
                try:
                    yield connection
                except BaseException:
                    connection.execute("rollback")
                    raise
                connection.execute("commit")
            except sqlite3.Error as error:
                raise SourceError(
                    say(
                        "{path} cannot be used ({why}): no call is made that cannot be counted; "
                        "see that the disk has room and the file belongs to this account (removed, "
                        "it begins anew: what was used this month is then forgotten)",
                        path=self._path or ":memory:",
                        why=error,
                    )
                ) from error

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            where = ":memory:" if self._path is None else str(self._path)
            found = sqlite3.connect(
                where, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            found.execute("pragma journal_mode = wal")
            found.executescript(_SCHEMA)
            self._opened = found
        return self._opened


def hold(
    ledger: Ledger,
    charges: Sequence[Charge],
    *,
    prices: Sequence[Price],
    told_key: str,
    host: str,
    now: datetime,
) -> Held | Refusal:
    """Set aside what a call takes, all of it or, where one limit has no room, nothing.

    The wait for the ledger is added to `now`: who waited while others counted their calls would
    take those for calls of a clock that ran ahead.
    """
    asked = time.monotonic()
    with ledger.changing(is_durable=bool(prices)) as connection:
        waited = time.monotonic() - asked
        now += timedelta(seconds=waited if waited > _AT_ONCE else 0.0)
        _settle_lost(connection, now)
        refusal = _told_refusal(connection, told_key, host, now)
        found = (refusal, *(_refusal(connection, charge, now) for charge in charges))
        worst = max((r for r in found if r), key=lambda r: r.retry_at, default=None)
        if worst is not None:
            return worst
        held = Held(
            call=secrets.randbits(62),
            at=now,
            charges=tuple(charges),
            prices=tuple(prices),
            told_key=told_key,
            host=host,
        )
        rows = [(c.key, c.units, _written(c.per, c.most)) for c in charges]
        rows.append((told_key, 1, ""))
        connection.executemany(
            "insert into held values (?, ?, ?, ?, ?)",
            [(held.call, key, units, _micros(now), per) for key, units, per in rows],
        )
        return held


def settle(
    ledger: Ledger,
    held: Held,
    *,
    now: datetime,
    units: Mapping[str, int] | None = None,
    told: Told | None = None,
    block: str = "",
) -> None:
    """Count a call as answered at `now`: by its charges, or by `units` of a key where given."""
    actual = units or {}
    with ledger.changing(is_durable=bool(held.prices)) as connection:
        gone = connection.execute("delete from held where call = ?", [held.call]).rowcount
        for charge in held.charges if gone else ():  # not one that was given up for lost meanwhile
            spent = actual.get(charge.key, charge.units)
            _spend(connection, charge.key, charge.per, charge.most, spent, (held.at, now))
        if told:
            _note(connection, held.told_key, told, block=block, host=held.host, now=now)


def release(ledger: Ledger, held: Held) -> None:
    """Give back what was held for a call that never went out."""
    with ledger.changing() as connection:
        connection.execute("delete from held where call = ?", [held.call])


# --- one limit


def _refusal(connection: sqlite3.Connection, charge: Charge, now: datetime) -> Refusal | None:
    if isinstance(charge.per, Rolling):
        used, retry_at = _rolling(connection, charge, charge.per, now)
    else:
        used, retry_at = _calendar(connection, charge, charge.per, now)
    if retry_at is None:
        return None
    return Refusal(why=_why(charge, used), retry_at=retry_at)


def _rolling(
    connection: sqlite3.Connection, charge: Charge, per: Rolling, now: datetime
) -> tuple[int, datetime | None]:
    """What is used of a rolling window, and when a call has room in it if it has none now."""
    rows = _recent(connection, charge, per, now)
    under_way = _under_way(connection, charge.key)
    used = sum(units for _, units in rows) + under_way
    too_many = used + charge.units - charge.most
    if too_many <= 0:
        return used, None
    for at, units in rows:
        too_many -= units
        if too_many <= 0:
            return used, _moment(at) + timedelta(seconds=per.seconds)
    return used, now + (POLL if charge.units <= charge.most else timedelta(seconds=per.seconds))


def _recent(
    connection: sqlite3.Connection, charge: Charge, per: Rolling, now: datetime
) -> list[tuple[int, int]]:
    """When calls of the window were answered and their units, the oldest first.

    Times to come are those of a clock that ran ahead: they count from now on. What has left the
    window is removed, so that the table does not grow.
    """
    width = _width(per, charge.most)
    ahead = _micros(now) + max(width, MILLION)
    moved = connection.execute(
        "select coalesce(sum(units), 0) from spent where key = ? and at > ?", [charge.key, ahead]
    ).fetchone()[0]
    connection.execute(
        "delete from spent where key = ? and (at > ? or at <= ?)",
        [charge.key, ahead, _micros(now) - round(per.seconds * MILLION)],
    )
    if moved:
        _add(connection, charge.key, _micros(now), moved)
    return connection.execute(
        "select at, units from spent where key = ? order by at", [charge.key]
    ).fetchall()


def _width(per: Rolling, most: int) -> int:
    """The microseconds that are counted together; 0 where each call is counted by itself."""
    return 0 if most <= BUCKETS else round(per.seconds * MILLION / BUCKETS)


def _calendar(
    connection: sqlite3.Connection, charge: Charge, per: Calendar, now: datetime
) -> tuple[int, datetime | None]:
    """The same for a day or month; near its end, the next one has to have room too."""
    under_way = _under_way(connection, charge.key)
    used, retry_at = under_way, None
    for start, end in _windows(per, now, now):
        spent = _spent(connection, charge.key, start) + under_way
        if spent + charge.units > charge.most:
            used, retry_at = spent, end + MARGIN
    return used, retry_at


def _windows(per: Calendar, since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """The windows that a call between two moments may be counted in, by either clock."""
    found = (window_of(per, since - MARGIN), window_of(per, until + MARGIN))
    return sorted(set(found))


def _spent(connection: sqlite3.Connection, key: str, at: datetime) -> int:
    found = connection.execute(
        "select units from spent where key = ? and at = ?", [key, _micros(at)]
    ).fetchone()
    return int(found[0]) if found else 0


def _under_way(connection: sqlite3.Connection, key: str) -> int:
    found = connection.execute("select coalesce(sum(units), 0) from held where key = ?", [key])
    return int(found.fetchone()[0])


def _spend(
    connection: sqlite3.Connection,
    key: str,
    per: Window,
    most: int,
    units: int,
    between: tuple[datetime, datetime],
) -> None:
    """Count units of a call that was sent and answered at these two moments."""
    if isinstance(per, Rolling):
        width = _width(per, most)
        at = _micros(max(between))
        _add(connection, key, (at // width + 1) * width if width else at, units)
        return
    for start, _ in _windows(per, min(between), max(between)):
        _add(connection, key, _micros(start), units)
    oldest = _micros(max(between) - _KEPT)
    connection.execute("delete from spent where key = ? and at < ?", [key, oldest])


def _add(connection: sqlite3.Connection, key: str, at: int, units: int) -> None:
    connection.execute(
        "insert into spent values (?, ?, ?)"
        " on conflict (key, at) do update set units = units + excluded.units",
        [key, at, units],
    )


def _settle_lost(connection: sqlite3.Connection, now: datetime) -> None:
    """Count as sent the calls of processes that have died; one from the future likewise."""
    bounds = [_micros(now - HELD), _micros(now + HELD)]
    rows = connection.execute(
        "select key, units, at, per from held where at < ? or at > ?", bounds
    ).fetchall()
    connection.execute("delete from held where at < ? or at > ?", bounds)
    for key, units, at, written in rows:
        if written:
            per, most = _read(written)
            sent = min(_moment(at), now)
            _spend(connection, key, per, most, units, (sent, min(sent + HELD, now)))


def _written(per: Window, most: int) -> str:
    if isinstance(per, Rolling):
        return json.dumps(["rolling", per.seconds, most])
    if isinstance(per, Daily):
        return json.dumps(["daily", per.zone, per.hour, most])
    return json.dumps(["monthly", per.zone, most])


def _read(written: str) -> tuple[Window, int]:
    kind, *parts, most = json.loads(written)
    made: Mapping[str, Any] = {"rolling": Rolling, "daily": Daily, "monthly": Monthly}
    return made[kind](*parts), most


def _why(charge: Charge, used: int) -> Said:
    told = {"name": charge.name, "unit": charge.unit, "remedy": charge.remedy}
    if charge.unit in ("EUR", "USD"):
        return say(
            "{name} has spent {spent} of {cap} {unit} this month and the next call may cost "
            "{cost}: {remedy}",
            spent=money(used),
            cap=money(charge.most),
            cost=money(charge.units),
            **told,
        )
    return say(
        "{name} is used up ({used} of {most} {unit} {per}): {remedy}",
        used=used,
        most=charge.most,
        per=span(charge.per),
        **told,
    )


def span(per: Window) -> Said:
    """A window in words: "in 5 min", "a day", "a month"."""
    if isinstance(per, Daily | Monthly):
        return say("a day") if isinstance(per, Daily) else say("a month")
    if per.seconds < 60 or per.seconds % 60:
        return say("in {n:g} s", n=per.seconds)
    return say("in {n:g} min", n=per.seconds / 60)


def money(millionths: int) -> str:
    """An amount as people write it: two decimals, more where it needs them (0.005)."""
    whole, fraction = divmod(millionths, MILLION)
    return f"{whole}.{f'{fraction:06d}'.rstrip('0').ljust(2, '0')}"


# --- what the service says


def _told_refusal(
    connection: sqlite3.Connection, key: str, host: str, now: datetime
) -> Refusal | None:
    row = connection.execute("select remaining, reset_at from told where key = ?", [key]).fetchone()
    if row is None or row[1] <= _micros(now):
        return None
    under_way = _under_way(connection, key)
    if row[0] - under_way >= 1:
        return None
    retry_at = now + POLL if row[0] >= 1 else _moment(row[1])
    why = say("{host} has no calls left in its rate limit", host=host)
    return Refusal(why=why, retry_at=retry_at, is_told=True)


def _note(
    connection: sqlite3.Connection, key: str, told: Told, *, block: str, host: str, now: datetime
) -> None:
    """Keep what a service said: the least of one window, since answers may overtake each other."""
    row = connection.execute("select remaining, reset_at from told where key = ?", [key]).fetchone()
    remaining, reset_at = told.remaining, _micros(told.reset_at)
    if row is not None and row[1] > _micros(now):
        if reset_at < row[1] - 2 * MILLION:
            return  # of a window before: it was long under way
        if reset_at <= row[1] + 2 * MILLION:
            remaining, reset_at = min(remaining, row[0]), max(reset_at, row[1])
    connection.execute(
        "insert or replace into told values (?, ?, ?, ?, ?, ?)",
        [key, block, host, told.most, remaining, reset_at],
    )


# --- the budget of one source block


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one source block may ask and spend, in a ledger that it shares.

    `account` names the credential that the service counts (the variables that hold it), "" where
    there is none. `caps` are the most a month in millionths, by whose cap it is (the block's name,
    or "" for the whole home) and currency.
    """

    ledger: Ledger
    block: str = ""
    kind: str = ""
    account: str = ""
    limits: tuple[Limit, ...] = ()
    prices: tuple[Price, ...] = ()
    caps: Mapping[tuple[str, str], int] = field(default_factory=dict)
    zone: str = "UTC"

    def ask(self, call: Call, *, now: datetime) -> Held | Refusal:
        """Whether a call may go out at `now` (aware UTC); if so it is held until it is settled."""
        charges = [*self._rates(call), *self._costs(call)]
        return hold(
            self.ledger,
            charges,
            prices=[p for p in self.prices if p.is_due(call.name)],
            told_key=self._told_key(call),
            host=call.host,
            now=now,
        )

    def answered(
        self, held: Held, *, status: int, found: Any, told: Told | None, now: datetime
    ) -> None:
        """Settle a call by its answer: `found` is its JSON where it is paid by item."""
        units: dict[str, int] = {}
        if held.prices:
            cost = self._cost(held, status, found)
            units = {c.key: cost[c.unit] for c in held.charges if c.unit in cost}
        settle(self.ledger, held, now=now, units=units, told=told, block=self.block)

    def lost(self, held: Held, *, now: datetime) -> None:
        """Settle a call whose answer did not come: the service may have counted it."""
        settle(self.ledger, held, now=now)

    def unsent(self, held: Held) -> None:
        """Give back what was held for a call that never went out."""
        release(self.ledger, held)

    def _rates(self, call: Call) -> Iterator[Charge]:
        for limit in self.limits:
            if units := limit.units(call.name):
                yield Charge(
                    key=self._key(limit, call.host),
                    name=say("{limit!r} of {block}", limit=limit.name, block=self.block),
                    per=limit.per,
                    most=limit.most,
                    units=units,
                    remedy=limit.remedy,
                )

    def _key(self, limit: Limit, host: str) -> str:
        holder = self.account if limit.of == "account" else ""
        return f"limit|{self.kind}|{limit.name}|{holder}|{host}"

    def _told_key(self, call: Call) -> str:
        counted = (limit.name for limit in self.limits if limit.units(call.name))
        return f"told|{call.host}|{self.account}|{next(counted, '')}"

    def _costs(self, call: Call) -> Iterator[Charge]:
        """What a call may cost, against each cap that there is."""
        due = [price for price in self.prices if price.is_due(call.name)]
        for currency in sorted({price.currency for price in due}):
            most = sum(p.at_most(call.params) for p in due if p.currency == currency)
            for holder, cap in self._caps(currency):
                yield Charge(
                    key=f"money|{holder}|{currency}",
                    name=holder or "all sources",
                    per=Monthly(self.zone),
                    most=cap,
                    units=most,
                    unit=currency,
                    remedy=self._remedy(holder, currency),
                )

    def _caps(self, currency: str) -> list[tuple[str, int]]:
        """Whose cap and how much; a source that costs money and has none may spend nothing."""
        found = [(h, cap) for (h, c), cap in sorted(self.caps.items()) if c == currency]
        mine = [(holder, cap) for holder, cap in found if holder in ("", self.block)]
        return mine or [(self.block, 0)]

    def _remedy(self, holder: str, currency: str) -> Said:
        if (holder, currency) not in self.caps:
            return say(
                "it costs money and has no cap: write monthly_cap, in {currency}, in its block of "
                "vigie.toml",
                currency=currency,
            )
        where = say("monthly_cap of this source")
        if not holder:
            where = say("monthly_cap_{currency} of the table [budget]", currency=currency.lower())
        return say("raise {where} in vigie.toml, or narrow what is asked for", where=where)

    def _cost(self, held: Held, status: int, found: Any) -> dict[str, int]:
        """What an answer costs by currency; a currency whose items cannot be counted is left out,
        so that what was set aside stays spent."""
        cost: dict[str, int] = {}
        unclear = set()
        for price in held.prices:
            amount = 0 if status >= 400 or status == 304 else price.of_answer(found)
            if amount is None:
                unclear.add(price.currency)
            cost[price.currency] = cost.get(price.currency, 0) + (amount or 0)
        return {currency: n for currency, n in cost.items() if currency not in unclear}

    def standings(self, *, now: datetime) -> list[Standing]:
        """How far each limit and cap is used at `now`, and what services say themselves."""
        with self.ledger.changing() as connection:
            _settle_lost(connection, now)
            rates = [s for limit in self.limits for s in self._standing(connection, limit, now)]
            return [*rates, *self._spendings(connection, now), *self._said(connection, now)]

    def _standing(
        self, connection: sqlite3.Connection, limit: Limit, now: datetime
    ) -> Iterator[Standing]:
        prefix = self._key(limit, "")
        hosts = _hosts(connection, prefix)
        for host in hosts or [""]:
            charge = Charge(
                key=f"{prefix}{host}", name=limit.name, per=limit.per, most=limit.most, units=0
            )
            used, resets_at = _used(connection, charge, now)
            yield Standing(
                block=self.block,
                name=limit.name,
                host=host,
                used=used,
                most=limit.most,
                unit=say("calls {per}", per=span(limit.per)),
                resets_at=resets_at,
            )

    def _spendings(self, connection: sqlite3.Connection, now: datetime) -> Iterator[Standing]:
        for currency in sorted({price.currency for price in self.prices}):
            for holder, cap in self._caps(currency):
                charge = Charge(
                    key=f"money|{holder}|{currency}",
                    name=holder,
                    per=Monthly(self.zone),
                    most=cap,
                    units=0,
                    unit=currency,
                )
                used, resets_at = _used(connection, charge, now)
                yield Standing(
                    block=holder,
                    name=say("money this month"),
                    host="",
                    used=used,
                    most=cap,
                    unit=currency,
                    resets_at=resets_at,
                )

    def _said(self, connection: sqlite3.Connection, now: datetime) -> Iterator[Standing]:
        rows = connection.execute(
            "select key, host, most, remaining, reset_at from told"
            " where block = ? and reset_at > ? order by key",
            [self.block, _micros(now)],
        ).fetchall()
        for key, host, most, remaining, reset_at in rows:
            yield Standing(
                block=self.block,
                name=key.rsplit("|", 1)[1] or "calls",
                host=host,
                used=max((most or remaining) - remaining, 0),
                most=most or remaining,
                unit=say("calls"),
                resets_at=_moment(reset_at),
                is_told=True,
            )


def _hosts(connection: sqlite3.Connection, prefix: str) -> list[str]:
    rows = connection.execute(
        "select distinct key from (select key from spent union select key from held)"
        " where substr(key, 1, ?) = ? order by key",
        [len(prefix), prefix],
    )
    return [key.removeprefix(prefix) for (key,) in rows]


def _used(
    connection: sqlite3.Connection, charge: Charge, now: datetime
) -> tuple[int, datetime | None]:
    """What is used of a limit now, and when all of it is free again."""
    under_way = _under_way(connection, charge.key)
    if isinstance(charge.per, Rolling):
        rows = _recent(connection, charge, charge.per, now)
        last = _moment(rows[-1][0]) + timedelta(seconds=charge.per.seconds) if rows else None
        return sum(units for _, units in rows) + under_way, last
    start, end = window_of(charge.per, now)
    return _spent(connection, charge.key, start) + under_way, end


def of_block(settings: Settings, block: SourceBlock, manifest: Declaring, ledger: Ledger) -> Budget:
    """The budget of a source block: what its manifest declares, and the caps of `vigie.toml`."""
    caps = {
        ("", "EUR"): settings.budget.monthly_cap_eur,
        ("", "USD"): settings.budget.monthly_cap_usd,
    }
    caps |= {(block.name, price.currency): block.monthly_cap for price in manifest.prices}
    return Budget(
        ledger=ledger,
        block=block.name,
        kind=block.kind,
        account=",".join(sorted(env_names(block.options))),
        limits=manifest.limits,
        prices=manifest.prices,
        caps={whose: round(cap * MILLION) for whose, cap in caps.items() if cap is not None},
        zone=settings.institution.time_zone,
    )
