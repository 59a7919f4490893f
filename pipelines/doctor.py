"""`vigie doctor`: the whole installation looked at, each finding with what to do about it.

Looks and never changes: no mail is sent, no cursor moves, no table is written. What touches the
network runs side by side and is given up after `PATIENCE` seconds. Takes about 6 s, most of it
Airflow's own start. No secret is ever shown.
"""

from __future__ import annotations

import json
import os
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Literal

import duckdb
from pydantic import BaseModel

from pipelines import (
    budget,
    channels,
    faq,
    house,
    init,
    listening,
    oncall,
    orchestrator,
    outbox,
    privacy,
    rota_copy,
    settings as reading,
    sources,
    warehouse,
)
from pipelines.budget import Standing
from pipelines.errors import (
    AddressRefused,
    DeliveryError,
    Fault,
    RateLimited,
    SettingsError,
    SourceError,
    WarehouseBusy,
)
from pipelines.http import Client, Response
from pipelines.notes import why
from pipelines.places import gazetteer
from pipelines.said import NOTHING, Said, say, some
from pipelines.settings import Mail, Settings, SourceBlock
from pipelines.vigie_toml import FILE

Status = Literal["ok", "warning", "error"]
PATIENCE = 15.0  # seconds given to whatever waits for somebody else
_AIRFLOW_PATIENCE = 90.0  # Airflow takes 4 s to start, more on a busy machine
_PYTHON = ((3, 11), (3, 14))  # from, and before: as in pyproject.toml
_GIB = 1 << 30
_DISK_ERROR, _DISK_WARNING = 1 * _GIB, 5 * _GIB
_PUBLISHED_HOURS = 26  # published daily; two hours of grace
_OVERDUE = timedelta(hours=1)
_NEARLY_SPENT = 0.8  # of a day's or a month's budget
_READER_SILENCE = timedelta(minutes=1)
_ROTA_AHEAD = timedelta(days=7)
_FAQ_AGE = timedelta(days=366)
_CLOCK_SKEW = timedelta(minutes=2)
# Where the options of a source say what it reads; `site` is for those that choose between servers.
_SITES = ("site", "url", "instance", "host")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding: what was looked at, how it stands, what is so, and what to do."""

    name: Said
    status: Status
    what: Said
    remedy: Said = NOTHING

    def told(self, locale: str) -> Check:
        """The same finding in a language."""
        name, what, remedy = (Said(s.told(locale)) for s in (self.name, self.what, self.remedy))
        return replace(self, name=name, what=what, remedy=remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patient:
    """What is examined, and with what; `settings` is None when they cannot be read."""

    home: Path
    environ: Mapping[str, str]
    now: datetime
    settings: Settings | None
    client: Client


Look = Callable[[_Patient], Iterator[Check]]


def examine(
    home: Path, *, environ: Mapping[str, str], now: datetime, client: Client | None = None
) -> list[Check]:
    """Every finding on the installation and the home, in a fixed order.

    `now` is aware. Reads files, opens the warehouse read-only, speaks to the mail server and to
    each source; raises nothing. Where there is no home, that alone is told.
    """
    if not (home / FILE).exists():
        return [_python(), _no_home(home)]
    settings, checks = _settings(home, environ)
    net = settings.net if settings else reading.Net()
    asker = client or Client(
        contact=net.contact,
        allow_private=net.allow_private,
        sleep=lambda _: None,
        total_seconds=PATIENCE,
    )
    patient = _Patient(home=home, environ=environ, now=now, settings=settings, client=asker)
    looks: Sequence[Look] = (
        *(_key, _home, _warehouse, _published, _readers, _disk, _inbox, _zones, _models, _budget),
        *(_on_call, _channels, _faq),
    )
    with nullcontext() if client else asker:
        waiting = [_begun(look, patient) for look in (_mail, *_source_looks(settings), _airflow)]
        near = [check for look in looks for check in _looked(look, patient)]
        far = [check for wait in waiting for check in wait()]
    return [_python(), *checks, *near, *far]


def _looked(look: Look, patient: _Patient) -> list[Check]:
    try:
        return list(look(patient))
    except Exception as error:  # whatever a look meets, the others are still worth having
        what = say("could not be looked at ({why})", why=_cause(error))
        remedy = say("mend this, then look again")
        return [Check(name=_name(look), status="error", what=what, remedy=remedy)]


def _name(look: Look) -> Said:
    return Said(look.__name__.strip("_"))


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


def _begun(look: Look, patient: _Patient) -> Callable[[], list[Check]]:
    """A look under way in a thread that nothing waits for longer than its patience."""
    found: list[list[Check]] = []
    thread = threading.Thread(target=lambda: found.append(_looked(look, patient)), daemon=True)
    thread.start()
    patience = _AIRFLOW_PATIENCE if look is _airflow else 2 * PATIENCE
    until = time.monotonic() + patience  # of all that are under way: ten that hang hang once

    def wait() -> list[Check]:
        thread.join(max(0.0, until - time.monotonic()))
        if found:
            return found[0]
        what = say("no answer within {n:.0f} s", n=patience)
        remedy = say("see what holds it up, then look again")
        return [Check(name=_name(look), status="error", what=what, remedy=remedy)]

    return wait


# --- the machine and the home


def _python() -> Check:
    name, version = Said("python"), Said(".".join(map(str, sys.version_info[:3])))
    if _PYTHON[0] <= sys.version_info[:2] < _PYTHON[1]:
        return Check(name=name, status="ok", what=version)
    what = say("{version} is not supported", version=version)
    remedy = say("install Python 3.11, 3.12 or 3.13 and make the environment again")
    return Check(name=name, status="error", what=what, remedy=remedy)


def _no_home(home: Path) -> Check:
    what = say("no institution is set up in {path}: it holds no {file}", path=home, file=FILE)
    if not home.is_dir():
        what = say("{path} does not exist", path=home)
    remedy = say("run `vigie init`, or name the home with --home")
    return Check(name=say("home"), status="error", what=what, remedy=remedy)


def _settings(home: Path, environ: Mapping[str, str]) -> tuple[Settings | None, list[Check]]:
    """The settings, and a finding for each fault, or for each thing left to complete."""
    try:
        settings = house.read(home, environ=environ)
    except SettingsError as error:
        return None, [_faulty(FILE, fault) for fault in error.faults]
    left = list(_left_to_complete(settings))
    whole = say(
        "{subjects}, {sources}",
        subjects=some("{n} subject", "{n} subjects", n=len(settings.subjects)),
        sources=some("{n} source", "{n} sources", n=len(settings.sources)),
    )
    return settings, left or [Check(name=_VIGIE_TOML, status="ok", what=whole)]


_VIGIE_TOML = Said(FILE)


def _faulty(file: str, fault: Fault) -> Check:
    return Check(name=Said(file), status="error", what=fault.what, remedy=fault.remedy)


def _left_to_complete(settings: Settings) -> Iterator[Check]:
    if init.TO_COMPLETE in settings.institution.legal_basis:
        what = say("legal_basis is still the template's")
        remedy = say("write the text or deliberation that founds the mission, with your DPO")
        yield Check(name=_VIGIE_TOML, status="warning", what=what, remedy=remedy)
    addresses = [r.email for r in settings.recipients] + [settings.mail.sender]
    if invented := [a for a in addresses if a.endswith(".example")]:
        names = ", ".join(dict.fromkeys(invented))
        what = say("{names}: addresses of a domain that nobody owns", names=names)
        remedy = say("write your own addresses")
        yield Check(name=_VIGIE_TOML, status="warning", what=what, remedy=remedy)
    of_subjects = [
        (say("places of {subject}", subject=s.id), code)
        for s in settings.subjects
        for code in s.places
    ]
    own = [(Said("territory"), code) for code in settings.institution.territory]
    for where, code in [*own, *of_subjects]:
        if code not in gazetteer.places():
            what = say(
                "{where} names {code}, which is no place of the gazetteer", where=where, code=code
            )
            remedy = say("write the INSEE code of today, such as commune:37261")
            yield Check(name=_VIGIE_TOML, status="error", what=what, remedy=remedy)
    for subject in settings.subjects:
        if (subject.context or subject.places) and not subject.ambiguous:
            what = say(
                "context and places of {subject} do nothing without a name in ambiguous",
                subject=subject.id,
            )
            remedy = say("move the names that need them from names to ambiguous, or take them out")
            yield Check(name=_VIGIE_TOML, status="warning", what=what, remedy=remedy)
    for block in settings.sources:
        longest = sources.load(block.kind).MANIFEST.retention_days
        if settings.retention.text_days > longest:
            what = say(
                "texts are kept longer than the terms of {kind} allow ({days} days)",
                kind=block.kind,
                days=longest,
            )
            remedy = say(
                "lower text_days in [retention] to {days}, or settle it with your DPO",
                days=longest,
            )
            yield Check(name=_VIGIE_TOML, status="warning", what=what, remedy=remedy)
            break
    if not settings.sources:
        what, remedy = (
            say("no [[sources]]: nothing will be read"),
            say("add one; see docs/sources.md"),
        )
        yield Check(name=_VIGIE_TOML, status="warning", what=what, remedy=remedy)


def _key(patient: _Patient) -> Iterator[Check]:
    name = say("key")
    try:
        privacy.read_key(patient.home, patient.environ)
    except SettingsError as error:
        for fault in error.faults:
            what = say("the key of pseudonyms: {fault}", fault=fault.value)
            yield Check(name=name, status="error", what=what, remedy=fault.remedy)
        return
    yield Check(name=name, status="ok", what=say("the key of pseudonyms is there, and private"))


def _home(patient: _Patient) -> Iterator[Check]:
    name, home = say("home"), patient.home
    try:
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        what = say("{path} cannot be written ({why})", path=home, why=error.strerror)
        remedy = say("give this account the right to write there (chown, chmod)")
        yield Check(name=name, status="error", what=what, remedy=remedy)
        return
    if home.stat().st_mode & 0o007:
        what = say("{path} can be read by every account of this machine", path=home)
        yield Check(name=name, status="warning", what=what, remedy=Said(f"chmod o-rwx {home}"))
        return
    yield Check(name=name, status="ok", what=Said(home))


def _disk(patient: _Patient) -> Iterator[Check]:
    """Room for the warehouse three times over: itself, its published copy, and growth."""
    if not patient.home.is_dir():
        return
    path = patient.home / warehouse.WAREHOUSE
    held = path.stat().st_size if path.exists() else 0
    free = shutil.disk_usage(patient.home).free
    what = say("{free} free, the warehouse holds {held}", free=_gib(free), held=_gib(held))
    status: Status = "ok"
    if free < max(_DISK_WARNING, 3 * held):
        status = "error" if free < max(_DISK_ERROR, held) else "warning"
    remedy = say("make room, or lower the days of [retention] and run `vigie upkeep`")
    remedy = NOTHING if status == "ok" else remedy
    yield Check(name=say("disk"), status=status, what=what, remedy=remedy)


def _gib(octets: int) -> Said:
    whole, tenth = divmod(round(10 * octets / _GIB), 10)
    return say("{whole}.{tenth} GiB", whole=whole, tenth=tenth)


def _inbox(patient: _Patient) -> Iterator[Check]:
    """Exports that outlive the texts they hold: Vigie does not delete what it did not write."""
    if patient.settings is None or not (patient.home / "inbox").is_dir():
        return
    days = patient.settings.retention.text_days
    limit = (patient.now - timedelta(days=days)).timestamp()
    files = [p for p in (patient.home / "inbox").rglob("*") if p.is_file()]
    if old := [p for p in files if p.stat().st_mtime < limit]:
        what = some(
            "{n} file in inbox/ is older than the {days} days that texts are kept",
            "{n} files in inbox/ are older than the {days} days that texts are kept",
            n=len(old),
            days=days,
        )
        yield Check(name=say("inbox"), status="warning", what=what, remedy=say("delete them"))
        return
    yield Check(name=say("inbox"), status="ok", what=some("{n} file", "{n} files", n=len(files)))


def _zones(patient: _Patient) -> Iterator[Check]:
    if patient.settings is None:
        return
    zone = patient.settings.institution.zone
    local = patient.now.astimezone(zone)
    what = say("{at:%Y-%m-%d %H:%M}, zone {zone}", at=local, zone=zone.key)
    yield Check(name=say("clock"), status="ok", what=what)


def _faq(patient: _Patient) -> Iterator[Check]:
    """Each fault of `faq.toml`, and answers that nobody has looked at for a year."""
    try:
        entries = faq.read(patient.home)
    except SettingsError as error:
        for fault in error.faults:
            yield _faulty(faq.FILE, fault)
        return
    name = Said(faq.FILE)
    if not entries:
        what = say("no entry yet: [[entries]] in it are shown beside the requests that they answer")
        yield Check(name=name, status="ok", what=what)
        return
    old = [e for e in entries if e.checked_on and patient.now.date() - e.checked_on > _FAQ_AGE]
    if old:
        what = some(
            "{n} answer not looked at for a year: {question!r}",
            "{n} answers not looked at for a year: {question!r}",
            n=len(old),
            question=old[0].question,
        )
        remedy = say("read them again and change `checked_on`")
        yield Check(name=name, status="warning", what=what, remedy=remedy)
        return
    what = some("{n} question answered", "{n} questions answered", n=len(entries))
    yield Check(name=name, status="ok", what=what)


def _models(patient: _Patient) -> Iterator[Check]:
    """Loads each model, which refuses weights whose hash is not the one it was shipped with."""
    if patient.settings is None:
        return
    for task in ("sentiment", "topics"):
        name = say("model {task}", task=task)
        chosen = getattr(patient.settings.models.at(patient.home), task)
        try:
            model = import_module(f"models.{task}").load(chosen)
        except Exception as error:  # a checkpoint may fail in any library's own way
            what = say("{model} does not load ({why})", model=chosen, why=_cause(error))
            remedy = say("install Vigie again, or choose another in [models]")
            yield Check(name=name, status="error", what=what, remedy=remedy)
            continue
        digits = model.weights_sha256[:12]
        what = say("{model}, weights {digits}…", model=model.model_id, digits=digits)
        yield Check(name=name, status="ok", what=what)


# --- the budget


def _budget(patient: _Patient) -> Iterator[Check]:
    """What is nearly spent, and sources that cost money without a cap."""
    if patient.settings is None:
        return
    found = list(_uncapped(patient.settings))
    path = patient.home / budget.FILE
    if path.exists():
        found += [_spent(s) for s in _standings(path, patient.settings, patient.now) if _is_low(s)]
    is_begun = path.exists()
    what = say("nothing is nearly spent") if is_begun else say("nothing has been asked for yet")
    yield from found or [Check(name=say("budget"), status="ok", what=what)]


def _uncapped(settings: Settings) -> Iterator[Check]:
    for block in settings.sources:
        currencies = {price.currency for price in sources.load(block.kind).MANIFEST.prices}
        house = {"EUR": settings.budget.monthly_cap_eur, "USD": settings.budget.monthly_cap_usd}
        for currency in sorted(currencies):
            if block.monthly_cap is None and house[currency] is None:
                what = say(
                    "{block} costs money and has no cap: it will not be read", block=block.name
                )
                remedy = say(
                    "write monthly_cap, in {currency}, in its block of vigie.toml",
                    currency=currency,
                )
                yield Check(name=say("budget"), status="error", what=what, remedy=remedy)


def _standings(path: Path, settings: Settings, now: datetime) -> list[Standing]:
    with closing(budget.Ledger(path)) as ledger:
        found = [
            standing
            for block in settings.sources
            for standing in _allowance(block, settings, ledger).standings(now=now)
        ]
    return list(dict.fromkeys(found))


def _allowance(block: SourceBlock, settings: Settings, ledger: budget.Ledger) -> budget.Budget:
    return budget.of_block(settings, block, sources.load(block.kind).MANIFEST, ledger)


def _is_low(standing: Standing) -> bool:
    """Whether four fifths of it are used; a rolling limit is free again before anybody reads."""
    is_slow = standing.unit.endswith(("a day", "a month", "EUR", "USD"))
    return is_slow and bool(standing.most) and standing.used >= _NEARLY_SPENT * (standing.most or 0)


def _spent(standing: Standing) -> Check:
    amount = budget.money if standing.unit in ("EUR", "USD") else str
    what = say(
        "{block}: {name}, {used} of {most} {unit} used",
        block=standing.block or say("all sources"),
        name=standing.name,
        used=amount(standing.used),
        most=amount(standing.most or 0),
        unit=standing.unit,
    )
    if standing.resets_at:
        what = say("{what} until {at:%Y-%m-%d %H:%M} UTC", what=what, at=standing.resets_at)
    remedy = say(
        "raise monthly_cap in vigie.toml, every_minutes of the source, or narrow what it asks"
    )
    return Check(name=say("budget"), status="warning", what=what, remedy=remedy)


# --- the warehouse


def _warehouse(patient: _Patient) -> Iterator[Check]:
    path = patient.home / warehouse.WAREHOUSE
    if not path.exists():
        yield Check(name=_STORE, status="ok", what=say("none yet: the first run makes it"))
        return
    try:
        with warehouse.opened(patient.home, read_only=True, wait_seconds=2) as connection:
            yield _migrations(connection)
            yield _last_run(connection, patient)
            yield from _backlog(connection, patient)
    except WarehouseBusy:
        yield Check(name=_STORE, status="ok", what=say("in use by a run: not looked into"))
    except duckdb.Error as error:
        what = say("{path} does not open ({why})", path=path, why=_cause(error))
        remedy = say(
            "restore it from the last backup, or move it away: the next run makes a new one"
        )
        yield Check(name=_STORE, status="error", what=what, remedy=remedy)


_STORE = say("warehouse")


def _migrations(connection: duckdb.DuckDBPyConnection) -> Check:
    done = {row[0] for row in connection.execute("select name from migration").fetchall()}
    known = set(warehouse.sql_names("migrations"))
    if unknown := sorted(done - known):
        what = say("made by a newer Vigie (migration {name})", name=unknown[-1])
        remedy = say("install that version, or restore an older warehouse")
        return Check(name=_STORE, status="error", what=what, remedy=remedy)
    if waiting := sorted(known - done):
        what = say("migrations to apply: {names}", names=", ".join(waiting))
        remedy = say("the next run does it")
        return Check(name=_STORE, status="warning", what=what, remedy=remedy)
    what = say("opens, {n} migrations applied", n=len(done))
    return Check(name=_STORE, status="ok", what=what)


def _last_run(connection: duckdb.DuckDBPyConnection, patient: _Patient) -> Check:
    (last,) = connection.execute("select max(finished_at) from intake").fetchone() or (None,)
    if last is None:
        return Check(name=say("runs"), status="ok", what=say("none yet"))
    blocks = patient.settings.sources if patient.settings else ()
    slowest = max((b.every_minutes for b in blocks), default=5)
    age = patient.now - last
    what = say("the last one ended {ago}", ago=_ago(age))
    if age > timedelta(minutes=3 * slowest + 30):
        remedy = say("start Airflow (`vigie up`), and see the failed tasks in its web page")
        return Check(name=say("runs"), status="warning", what=what, remedy=remedy)
    return Check(name=say("runs"), status="ok", what=what)


def _backlog(connection: duckdb.DuckDBPyConnection, patient: _Patient) -> Iterator[Check]:
    """What waits in the outbox, channel by channel, and what is no longer tried."""
    found = connection.execute(
        "select case when channel = 'email' then 'email' else recipient end as route, count(*), "
        "count(*) filter (where attempt_count >= $limit), min(created_at), max(last_error) "
        "from outbox where sent_at is null group by route order by route",
        {"limit": outbox.ATTEMPT_LIMIT},
    ).fetchall()
    if not found:
        yield Check(name=say("outbox"), status="ok", what=say("nothing waits to be sent"))
    for route, count, given_up, oldest, error in found:
        yield _waiting(route, count, given_up, patient.now - oldest, error)


def _waiting(route: str, count: int, given_up: int, age: timedelta, error: str | None) -> Check:
    is_mail = route == outbox.MAIL
    mails = some("{n} mail waits", "{n} mails wait", n=count)
    messages = some(
        "{n} message waits for {route}", "{n} messages wait for {route}", n=count, route=route
    )
    what = say(
        "{waiting}, the oldest for {span}; {why}",
        waiting=mails if is_mail else messages,
        span=_span(age),
        why=error or say("not tried yet"),
    )
    if given_up:
        what = say("{what}; no longer tried: {n}", what=what, n=given_up)
    if not given_up and age <= _OVERDUE and not error:
        return Check(name=say("outbox"), status="ok", what=what)
    remedy = say("mend the mail server or [mail], then `vigie deliver`")
    if not is_mail:
        remedy = say("mend the [[channels]] block {route!r}, then `vigie deliver`", route=route)
    status: Status = "error" if given_up or age > _OVERDUE else "warning"  # it will be tried again
    return Check(name=say("outbox"), status=status, what=what, remedy=remedy)


def _channels(patient: _Patient) -> Iterator[Check]:
    """Each channel that is described: is what its variables hold of the right kind?"""
    if (settings := patient.settings) is None:
        return
    secrets = reading.secrets_for(settings, patient.environ)
    for block in settings.channels:
        name = say("channel {block}", block=block.name)
        try:
            channels.load(block.kind).check(block, secrets)
        except DeliveryError as error:
            what, _, remedy = str(error).partition(": ")
            yield Check(name=name, status="error", what=Said(what), remedy=Said(remedy))
        else:
            yield Check(name=name, status="ok", what=say("can be read; nothing was sent"))


def _published(patient: _Patient) -> Iterator[Check]:
    name, path = say("published"), patient.home / "published" / "analyst.duckdb"
    if not path.exists():
        if (patient.home / warehouse.WAREHOUSE).exists():
            what = say("the analysts' file has not been published")
            remedy = say("run `vigie upkeep`")
            yield Check(name=name, status="warning", what=what, remedy=remedy)
        return
    age = patient.now - datetime.fromtimestamp(path.stat().st_mtime, UTC)
    is_old = age > timedelta(hours=_PUBLISHED_HOURS)
    what = say("the analysts' file is {span} old", span=_span(age))
    remedy = say("see the DAG `upkeep` in Airflow, or run `vigie upkeep`")
    if is_old:
        yield Check(name=name, status="warning", what=what, remedy=remedy)
    else:
        yield Check(name=name, status="ok", what=what)


def _readers(patient: _Patient) -> Iterator[Check]:
    """Each source that is listened to: is there a reader, and what does it say?"""
    for block in patient.settings.sources if patient.settings else ():
        if block.live:
            yield _reader(block.name, patient)


def _reader(block: str, patient: _Patient) -> Check:
    name = say("reader {block}", block=block)
    start = say("start `vigie listen`, or `vigie up`, which runs it")
    found = listening.reader(patient.home, block)
    if found is None:
        return Check(name=name, status="error", what=say("has never listened"), remedy=start)
    age = patient.now - found.at
    if found.status == "stopped" or age > _READER_SILENCE:
        what = say("does not listen; it last did {ago}", ago=_ago(age))
        return Check(name=name, status="error", what=what, remedy=start)
    if found.status != "ok":
        what = Said((found.note or found.status)[:300])
        remedy = say("it tries again by itself")
        return Check(name=name, status="warning", what=what, remedy=remedy)
    what = say("listens; it has heard all up to {ago}", ago=_ago(patient.now - found.until))
    return Check(name=name, status="ok", what=what)


def _ago(age: timedelta) -> Said:
    return say("{span} ago", span=_span(age))


def _span(age: timedelta) -> Said:
    minutes = max(int(age.total_seconds() // 60), 0)
    if minutes < 120:
        return Said(f"{minutes} min")
    if minutes < 2880:
        return Said(f"{minutes // 60} h")
    return say("{n} days", n=minutes // 1440)


# --- who is on call


def _on_call(patient: _Patient) -> Iterator[Check]:
    """Whether the calendar is read, whom it names, and the days that nobody has."""
    settings, now = patient.settings, patient.now
    if settings is None or not oncall.has_rota(settings):
        return
    if settings.on_call.has_calendar:
        yield _calendar(rota_copy.state(patient.home), now)
    week = now + _ROTA_AHEAD
    for stint in oncall.strangers(settings, since=now, until=week)[:3]:
        what = say(
            "the rota names {who} from {at:%Y-%m-%d %H:%M} UTC: no recipient",
            who=", ".join(stint.emails) or stint.title or say("nobody"),
            at=stint.since_at,
        )
        remedy = say("add them to [[recipients]], or correct the event: nobody else is written to")
        yield Check(name=say("on call"), status="warning", what=what, remedy=remedy)
    yield from _nobody_on_call(oncall.gaps(settings, since=now, until=week), now)


def _calendar(state: rota_copy.State | None, now: datetime) -> Check:
    name = say("rota")
    if state is None:
        what = say("the calendar has not been read yet: the next run reads it")
        return Check(name=name, status="warning", what=what, remedy=say("run `vigie watch`"))
    if not state.problem:
        what = say("the calendar was read {ago}", ago=_ago(now - state.tried_at))
        return Check(name=name, status="ok", what=what)
    copy = say("there is no copy")
    if state.read_at:
        copy = say("the copy made {ago} serves", ago=_ago(now - state.read_at))
    what = say("{problem}; {copy}", problem=state.problem[:300], copy=copy)
    remedy = say("correct `calendar` in [on_call] of vigie.toml, or the calendar itself")
    return Check(name=name, status="error", what=what, remedy=remedy)


def _nobody_on_call(gaps: Sequence[oncall.Gap], now: datetime) -> Iterator[Check]:
    if not gaps:
        what = say("somebody is, every hour of the week to come")
        yield Check(name=say("on call"), status="ok", what=what)
        return
    gaps, is_now = gaps[:3], gaps[0].since_at <= now
    spans = "; ".join(f"{g.since_at:%Y-%m-%d %H:%M} – {g.until_at:%Y-%m-%d %H:%M}" for g in gaps)
    what = say("nobody soon: {spans} UTC", spans=spans)
    if is_now:
        what = say("nobody now: {spans} UTC", spans=spans)
    remedy = say("fill the rota; until then everybody who gets alerts is told, and the head")
    yield Check(
        name=say("on call"), status="error" if is_now else "warning", what=what, remedy=remedy
    )


# --- the neighbours: mail server, sources, Airflow


def _mail(patient: _Patient) -> Iterator[Check]:
    if patient.settings is None or not patient.settings.recipients:
        return
    mail, name = patient.settings.mail, say("mail")
    place = f"{mail.host}:{mail.port}"
    try:
        answer = _greeted(mail, patient.environ.get(mail.password_env, ""))
    except smtplib.SMTPAuthenticationError:
        what = say("{place} refuses the login", place=place)
        remedy = say(
            "check username in [mail], and the variable {variable}", variable=mail.password_env
        )
        yield Check(name=name, status="error", what=what, remedy=remedy)
    except smtplib.SMTPNotSupportedError as error:
        remedy = say("correct security or username in [mail]: the server offers no such thing")
        yield Check(name=name, status="error", what=Said(f"{place}: {error}"), remedy=remedy)
    except ssl.SSLError as error:
        why = error.reason or say("no reason given")
        what = say("{place} does not speak TLS as it should ({why})", place=place, why=why)
        remedy = say(
            "use a certificate that this machine trusts, or correct host or security in [mail]"
        )
        yield Check(name=name, status="error", what=what, remedy=remedy)
    except (smtplib.SMTPException, OSError) as error:
        what = say("{place} cannot be used ({why})", place=place, why=type(error).__name__)
        remedy = say("check host, port and security in [mail], and that the server runs")
        yield Check(name=name, status="error", what=what, remedy=remedy)
    else:
        what = say("{place} {answer}; nothing was sent", place=place, answer=answer)
        yield Check(name=name, status="ok", what=what)


def _greeted(mail: Mail, password: str) -> Said:
    """How far the mail server lets us in; goes no further than the login."""
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if mail.security == "tls":
        server = smtplib.SMTP_SSL(mail.host, mail.port, timeout=PATIENCE, context=context)
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=PATIENCE)
    with server:
        server.ehlo()
        if mail.security == "starttls":
            server.starttls(context=context)
        if mail.username:
            server.login(mail.username, password)
            return say("lets us in")
    return say("answers")


def _source_looks(settings: Settings | None) -> Iterator[Look]:
    """A look at each source whose options could be read."""
    for block in settings.sources if settings else ():
        if isinstance(block.options, BaseModel):
            yield _source_look(block)


def _source_look(block: SourceBlock) -> Look:
    def look(patient: _Patient) -> Iterator[Check]:
        yield _source(block, patient)

    look.__name__ = f"source {block.name}"
    return look


def _source(block: SourceBlock, patient: _Patient) -> Check:
    name = say("source {block}", block=block.name)
    own_check = getattr(sources.load(block.kind), "check", None)
    if own_check is not None:
        return _by_itself(name, own_check, block, patient)
    if folder := getattr(block.options, "path", None):
        return _folder(name, patient.home / str(folder))
    sites = (getattr(block.options, attribute, None) for attribute in _SITES)
    site = next((s for s in sites if isinstance(s, str) and s.startswith("http")), None)
    if site is None:
        return Check(name=name, status="ok", what=say("has no address to ask"))
    try:
        answer = _asked(site, block, patient)
    except SourceError as error:
        return _unanswered(name, site == getattr(block.options, "url", None), error)
    skew = _skew(answer.headers.get("date"), patient.now)
    if skew and abs(skew) > _CLOCK_SKEW:
        what = say("answers, but its clock and ours are {span} apart", span=_span(abs(skew)))
        remedy = say("set this machine's clock (NTP)")
        return Check(name=name, status="warning", what=what, remedy=remedy)
    return Check(name=name, status="ok", what=say("answers ({status})", status=answer.status))


def _by_itself(
    name: Said, own_check: Callable[[sources.Request], Said], block: SourceBlock, patient: _Patient
) -> Check:
    """What a source finds that knows best how to look at itself."""
    request = sources.Request(
        name=block.name,
        options=block.options,
        terms=sources.Terms(),
        cursor=None,
        since=patient.now,
        until=patient.now,
        client=patient.client,
        home=patient.home,
        secrets=reading.secrets_for(patient.settings, patient.environ) if patient.settings else {},
    )
    try:
        return Check(name=name, status="ok", what=own_check(request))
    except SourceError as error:
        return _unanswered(name, True, error)


def _asked(site: str, block: SourceBlock, patient: _Patient) -> Response:
    """The answer of a site; the call counts, where calls have been counted."""
    path = patient.home / budget.FILE
    if patient.settings is None or not path.exists():
        return patient.client.get(site)
    with closing(budget.Ledger(path)) as ledger:
        allowance = _allowance(block, patient.settings, ledger)
        return patient.client.under(allowance).get(site)


def _unanswered(name: Said, is_exact: bool, error: SourceError) -> Check:
    """A refusal of the very address that is read is an error; of a server's front page, it is not:
    many serve nothing there. A server that asks us to wait is there, and read when it says."""
    if isinstance(error, RateLimited) or getattr(error, "status", None) == 429:
        what = say("asks for fewer calls ({why})", why=why(error))
        remedy = say("nothing if it passes; else raise every_minutes of this source in vigie.toml")
        return Check(name=name, status="warning", what=what, remedy=remedy)
    status = getattr(error, "status", None)
    if status is not None and not is_exact and status < 500:
        what = say("answers ({status} on its front page)", status=status)
        return Check(name=name, status="ok", what=what)
    told = why(error)
    remedy = say("check the address in vigie.toml, and the network of this machine")
    what = told if isinstance(told, Said) else Said(told.splitlines()[0][:300])
    if isinstance(error, AddressRefused):  # says itself what to do
        what, remedy = error.what, error.remedy
    return Check(name=name, status="error", what=what, remedy=remedy)


def _skew(date: str | None, now: datetime) -> timedelta | None:
    try:
        return parsedate_to_datetime(date) - now if date else None
    except (ValueError, TypeError):
        return None


def _folder(name: Said, path: Path) -> Check:
    root = path
    while any(c in root.name for c in "*?["):
        root = root.parent
    if not root.exists():
        what = say("{path} does not exist", path=root)
        remedy = say("make the folder, or correct `path` in vigie.toml")
        return Check(name=name, status="error", what=what, remedy=remedy)
    if not os.access(root, os.R_OK):
        what = say("{path} cannot be read", path=root)
        remedy = say("give this account the right to read it")
        return Check(name=name, status="error", what=what, remedy=remedy)
    return Check(name=name, status="ok", what=say("{path} is there", path=root))


_AIRFLOW = Said("airflow")


def _airflow(patient: _Patient) -> Iterator[Check]:
    try:
        version = metadata.version("apache-airflow")
    except metadata.PackageNotFoundError:
        remedy = say("install the environment again from requirements.lock")
        yield Check(name=_AIRFLOW, status="error", what=say("not installed"), remedy=remedy)
        return
    own = orchestrator.environment(patient.home, patient.environ)
    is_set_up = (
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in own
        or (patient.home / "airflow" / "airflow.db").exists()
    )
    if not is_set_up:
        what = say("{version}, not set up in this home yet", version=version)
        yield Check(name=_AIRFLOW, status="ok", what=what, remedy=say("`vigie up` does it"))
        return
    yield _pool(version, own)


def _pool(version: str, own: Mapping[str, str]) -> Check:
    """The pool of one slot through which every step that opens the warehouse passes."""
    words = orchestrator.command("pools", "get", orchestrator.POOL, "--output", "json")
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            words, env=dict(own), capture_output=True, text=True, check=False,
            timeout=_AIRFLOW_PATIENCE - 5,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        what = say("{version} does not answer", version=version)
        remedy = say("see whether its database is locked")
        return Check(name=_AIRFLOW, status="error", what=what, remedy=remedy)
    slots = _slots(done.stdout) if done.returncode == 0 else None
    pool = {"version": version, "pool": orchestrator.POOL}
    if slots == 1:
        what = say("{version}, its database answers, the pool {pool} has one slot", **pool)
        return Check(name=_AIRFLOW, status="ok", what=what)
    what = say("{version}, the pool {pool} has {n} slots", n=slots, **pool)
    if slots is None:
        what = say("{version}, the pool {pool} is missing, or the database does not answer", **pool)
    remedy = say(
        "`vigie airflow pools set {pool} 1 warehouse`, or `vigie up`", pool=orchestrator.POOL
    )
    return Check(name=_AIRFLOW, status="error", what=what, remedy=remedy)


def _slots(output: str) -> int | None:
    """The slots of the pool in what `airflow pools get` prints, None when there is none."""
    start = output.find("[")
    try:
        found: Any = json.loads(output[start:]) if start >= 0 else []
        return int(found[0]["slots"])
    except (ValueError, IndexError, KeyError, TypeError):
        return None
