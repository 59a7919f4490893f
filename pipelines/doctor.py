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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
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
    RateLimited,
    SettingsError,
    SourceError,
    WarehouseBusy,
)
from pipelines.http import Client, Response
from pipelines.places import gazetteer
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
_SITES = ("url", "instance", "host")  # where the options of a source say what it reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding: what was looked at, how it stands, what is so, and what to do."""

    name: str
    status: Status
    what: str
    remedy: str = ""


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
    each source; raises nothing.
    """
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
    name = look.__name__.strip("_")
    try:
        return list(look(patient))
    except Exception as error:  # whatever a look meets, the others are still worth having
        what = f"could not be looked at ({type(error).__name__}: {str(error)[:200]})"
        return [Check(name=name, status="error", what=what, remedy="mend this, then look again")]


def _begun(look: Look, patient: _Patient) -> Callable[[], list[Check]]:
    """A look under way in a thread that nothing waits for longer than its patience."""
    found: list[list[Check]] = []
    thread = threading.Thread(target=lambda: found.append(_looked(look, patient)), daemon=True)
    thread.start()
    patience = _AIRFLOW_PATIENCE if look is _airflow else 2 * PATIENCE

    def wait() -> list[Check]:
        thread.join(patience)
        if found:
            return found[0]
        what = f"no answer within {patience:.0f} s"
        remedy = "see what holds it up, then look again"
        return [Check(name=look.__name__.strip("_"), status="error", what=what, remedy=remedy)]

    return wait


# --- the machine and the home


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if _PYTHON[0] <= sys.version_info[:2] < _PYTHON[1]:
        return Check(name="python", status="ok", what=version)
    remedy = "install Python 3.11, 3.12 or 3.13 and make the environment again"
    return Check(name="python", status="error", what=f"{version} is not supported", remedy=remedy)


def _settings(home: Path, environ: Mapping[str, str]) -> tuple[Settings | None, list[Check]]:
    """The settings, and a finding for each fault, or for each thing left to complete."""
    try:
        settings = house.read(home, environ=environ)
    except SettingsError as error:
        return None, [
            Check(
                name=FILE,
                status="error",
                what=f"{f'line {fault.line}: ' if fault.line else ''}{fault.key} = {fault.value}",
                remedy=fault.remedy,
            )
            for fault in error.faults
        ]
    left = list(_left_to_complete(settings))
    whole = f"{len(settings.subjects)} subjects, {len(settings.sources)} sources"
    return settings, left or [Check(name=FILE, status="ok", what=whole)]


def _left_to_complete(settings: Settings) -> Iterator[Check]:
    if init.TO_COMPLETE in settings.institution.legal_basis:
        what = "legal_basis is still the template's"
        remedy = "write the text or deliberation that founds the mission, with your DPO"
        yield Check(name=FILE, status="warning", what=what, remedy=remedy)
    addresses = [r.email for r in settings.recipients] + [settings.mail.sender]
    if invented := [a for a in addresses if a.endswith(".example")]:
        what = f"{', '.join(dict.fromkeys(invented))}: addresses of a domain that nobody owns"
        yield Check(name=FILE, status="warning", what=what, remedy="write your own addresses")
    of_subjects = [(f"places of {s.id}", code) for s in settings.subjects for code in s.places]
    for name, code in [*(("territory", c) for c in settings.institution.territory), *of_subjects]:
        if code not in gazetteer.places():
            what = f"{name} names {code}, which is no place of the gazetteer"
            remedy = "write the INSEE code of today, such as commune:37261"
            yield Check(name=FILE, status="error", what=what, remedy=remedy)
    for subject in settings.subjects:
        if (subject.context or subject.places) and not subject.ambiguous:
            what = f"context and places of {subject.id} do nothing without a name in ambiguous"
            remedy = "move the names that need them from names to ambiguous, or take them out"
            yield Check(name=FILE, status="warning", what=what, remedy=remedy)
    for block in settings.sources:
        longest = sources.load(block.kind).MANIFEST.retention_days
        if settings.retention.text_days > longest:
            what = f"texts are kept longer than the terms of {block.kind} allow ({longest} days)"
            remedy = f"lower text_days in [retention] to {longest}, or settle it with your DPO"
            yield Check(name=FILE, status="warning", what=what, remedy=remedy)
            break
    if not settings.sources:
        what = "no [[sources]]: nothing will be read"
        yield Check(name=FILE, status="warning", what=what, remedy="add one; see docs/sources.md")


def _key(patient: _Patient) -> Iterator[Check]:
    try:
        privacy.read_key(patient.home, patient.environ)
    except SettingsError as error:
        for fault in error.faults:
            what = f"the key of pseudonyms {fault.value}"
            yield Check(name="key", status="error", what=what, remedy=fault.remedy)
        return
    yield Check(name="key", status="ok", what="the key of pseudonyms is there, and private")


def _home(patient: _Patient) -> Iterator[Check]:
    home = patient.home
    if not home.is_dir():
        what, remedy = f"{home} does not exist", "run `vigie init`, or name it with --home"
        yield Check(name="home", status="error", what=what, remedy=remedy)
        return
    try:
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        what, remedy = f"{home} cannot be written ({error.strerror})", f"chown or chmod {home}"
        yield Check(name="home", status="error", what=what, remedy=remedy)
        return
    if home.stat().st_mode & 0o007:
        what = f"{home} can be read by every account of this machine"
        yield Check(name="home", status="warning", what=what, remedy=f"chmod o-rwx {home}")
        return
    yield Check(name="home", status="ok", what=str(home))


def _disk(patient: _Patient) -> Iterator[Check]:
    """Room for the warehouse three times over: itself, its published copy, and growth."""
    if not patient.home.is_dir():
        return
    path = patient.home / warehouse.WAREHOUSE
    held = path.stat().st_size if path.exists() else 0
    free = shutil.disk_usage(patient.home).free
    what = f"{free / _GIB:.1f} GiB free, the warehouse holds {held / _GIB:.1f} GiB"
    status: Status = "ok"
    if free < max(_DISK_WARNING, 3 * held):
        status = "error" if free < max(_DISK_ERROR, held) else "warning"
    remedy = "make room, or lower the days of [retention] and run `vigie upkeep`"
    yield Check(name="disk", status=status, what=what, remedy="" if status == "ok" else remedy)


def _inbox(patient: _Patient) -> Iterator[Check]:
    """Exports that outlive the texts they hold: Vigie does not delete what it did not write."""
    if patient.settings is None or not (patient.home / "inbox").is_dir():
        return
    days = patient.settings.retention.text_days
    limit = (patient.now - timedelta(days=days)).timestamp()
    files = [p for p in (patient.home / "inbox").rglob("*") if p.is_file()]
    if old := [p for p in files if p.stat().st_mtime < limit]:
        what = f"{len(old)} files in inbox/ are older than the {days} days that texts are kept"
        yield Check(name="inbox", status="warning", what=what, remedy="delete them")
        return
    yield Check(name="inbox", status="ok", what=f"{_counted(len(files), 'file')}")


def _zones(patient: _Patient) -> Iterator[Check]:
    if patient.settings is None:
        return
    zone = patient.settings.institution.zone
    local = patient.now.astimezone(zone)
    yield Check(name="clock", status="ok", what=f"{local:%Y-%m-%d %H:%M} in {zone.key}")


def _faq(patient: _Patient) -> Iterator[Check]:
    """Each fault of `faq.toml`, and answers that nobody has looked at for a year."""
    try:
        entries = faq.read(patient.home)
    except SettingsError as error:
        for fault in error.faults:
            what = f"{f'line {fault.line}: ' if fault.line else ''}{fault.key} = {fault.value}"
            yield Check(name=faq.FILE, status="error", what=what, remedy=fault.remedy)
        return
    if not entries:
        what = "no entry yet: [[entries]] in it are shown beside the requests that they answer"
        yield Check(name=faq.FILE, status="ok", what=what)
        return
    old = [e for e in entries if e.checked_on and patient.now.date() - e.checked_on > _FAQ_AGE]
    if old:
        what = f"{_counted(len(old), 'answer')} not looked at for a year: {old[0].question!r}"
        remedy = "read them again and change `checked_on`"
        yield Check(name=faq.FILE, status="warning", what=what, remedy=remedy)
        return
    yield Check(name=faq.FILE, status="ok", what=f"{_counted(len(entries), 'question')} answered")


def _models(patient: _Patient) -> Iterator[Check]:
    """Loads each model, which refuses weights whose hash is not the one it was shipped with."""
    if patient.settings is None:
        return
    for name in ("sentiment", "topics"):
        chosen = getattr(patient.settings.models.at(patient.home), name)
        try:
            model = import_module(f"models.{name}").load(chosen)
        except Exception as error:  # a checkpoint may fail in any library's own way
            what = f"{chosen} does not load ({type(error).__name__}: {str(error)[:200]})"
            remedy = "install Vigie again, or choose another in [models]"
            yield Check(name=f"model {name}", status="error", what=what, remedy=remedy)
            continue
        what = f"{model.model_id}, weights {model.weights_sha256[:12]}…"
        yield Check(name=f"model {name}", status="ok", what=what)


# --- the budget


def _budget(patient: _Patient) -> Iterator[Check]:
    """What is nearly spent, and sources that cost money without a cap."""
    if patient.settings is None:
        return
    found = list(_uncapped(patient.settings))
    path = patient.home / budget.FILE
    if path.exists():
        found += [_spent(s) for s in _standings(path, patient.settings, patient.now) if _is_low(s)]
    what = "nothing is nearly spent" if path.exists() else "nothing has been asked for yet"
    yield from found or [Check(name="budget", status="ok", what=what)]


def _uncapped(settings: Settings) -> Iterator[Check]:
    for block in settings.sources:
        currencies = {price.currency for price in sources.load(block.kind).MANIFEST.prices}
        house = {"EUR": settings.budget.monthly_cap_eur, "USD": settings.budget.monthly_cap_usd}
        for currency in sorted(currencies):
            if block.monthly_cap is None and house[currency] is None:
                what = f"{block.name} costs money and has no cap: it will not be read"
                remedy = f"write monthly_cap, in {currency}, in its block of {FILE}"
                yield Check(name="budget", status="error", what=what, remedy=remedy)


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
    until = f" until {standing.resets_at:%Y-%m-%d %H:%M} UTC" if standing.resets_at else ""
    what = (
        f"{standing.block or 'all sources'}: {standing.name}, {amount(standing.used)} of "
        f"{amount(standing.most or 0)} {standing.unit} used{until}"
    )
    remedy = "raise monthly_cap in vigie.toml, every_minutes of the source, or narrow what it asks"
    return Check(name="budget", status="warning", what=what, remedy=remedy)


# --- the warehouse


def _warehouse(patient: _Patient) -> Iterator[Check]:
    path = patient.home / warehouse.WAREHOUSE
    if not path.exists():
        yield Check(name="warehouse", status="ok", what="none yet: the first run makes it")
        return
    try:
        with warehouse.opened(patient.home, read_only=True, wait_seconds=2) as connection:
            yield _migrations(connection)
            yield _last_run(connection, patient)
            yield from _backlog(connection, patient)
    except WarehouseBusy:
        what = "in use by a run: not looked into"
        yield Check(name="warehouse", status="ok", what=what)
    except duckdb.Error as error:
        what = f"{path} does not open ({type(error).__name__}: {str(error)[:200]})"
        remedy = "restore it from the last backup, or move it away: the next run makes a new one"
        yield Check(name="warehouse", status="error", what=what, remedy=remedy)


def _migrations(connection: duckdb.DuckDBPyConnection) -> Check:
    done = {row[0] for row in connection.execute("select name from migration").fetchall()}
    known = set(warehouse.sql_names("migrations"))
    if unknown := sorted(done - known):
        what = f"made by a newer Vigie (migration {unknown[-1]})"
        remedy = "install that version, or restore an older warehouse"
        return Check(name="warehouse", status="error", what=what, remedy=remedy)
    if waiting := sorted(known - done):
        what = f"migrations to apply: {', '.join(waiting)}"
        return Check(name="warehouse", status="warning", what=what, remedy="the next run does it")
    return Check(name="warehouse", status="ok", what=f"opens, {len(done)} migrations applied")


def _last_run(connection: duckdb.DuckDBPyConnection, patient: _Patient) -> Check:
    (last,) = connection.execute("select max(finished_at) from intake").fetchone() or (None,)
    if last is None:
        return Check(name="runs", status="ok", what="none yet")
    blocks = patient.settings.sources if patient.settings else ()
    slowest = max((b.every_minutes for b in blocks), default=5)
    age = patient.now - last
    what = f"the last one ended {_ago(age)}"
    if age > timedelta(minutes=3 * slowest + 30):
        remedy = "start Airflow (`vigie up`), and see the failed tasks in its web page"
        return Check(name="runs", status="warning", what=what, remedy=remedy)
    return Check(name="runs", status="ok", what=what)


def _backlog(connection: duckdb.DuckDBPyConnection, patient: _Patient) -> Iterator[Check]:
    """What waits in the outbox, channel by channel, and what is no longer tried."""
    found = connection.execute(
        "select case when channel = 'email' then 'email' else recipient end as route, count(*), "
        "count(*) filter (where attempt_count >= $limit), min(created_at), max(last_error) "
        "from outbox where sent_at is null group by route order by route",
        {"limit": outbox.ATTEMPT_LIMIT},
    ).fetchall()
    if not found:
        yield Check(name="outbox", status="ok", what="nothing waits to be sent")
    for route, count, given_up, oldest, error in found:
        yield _waiting(route, count, given_up, patient.now - oldest, error)


def _waiting(route: str, count: int, given_up: int, age: timedelta, error: str | None) -> Check:
    is_mail = route == outbox.MAIL
    whose = _counted(count, "mail") if is_mail else f"{_counted(count, 'message')} for {route}"
    waits = "waits" if count == 1 else "wait"
    what = f"{whose} {waits}, the oldest for {_span(age)}; {error or 'not tried yet'}"
    if given_up:
        what = f"{given_up} of {what}; they are not tried any more"
    if not given_up and age <= _OVERDUE:
        return Check(name="outbox", status="ok", what=what)
    mend = "the mail server or [mail]" if is_mail else f"the [[channels]] block {route!r}"
    return Check(
        name="outbox", status="error", what=what, remedy=f"mend {mend}, then `vigie deliver`"
    )


def _channels(patient: _Patient) -> Iterator[Check]:
    """Each channel that is described: is what its variables hold of the right kind?"""
    if (settings := patient.settings) is None:
        return
    secrets = reading.secrets_for(settings, patient.environ)
    for block in settings.channels:
        name = f"channel {block.name}"
        try:
            channels.load(block.kind).check(block, secrets)
        except DeliveryError as error:
            what, _, remedy = str(error).partition(": ")
            yield Check(name=name, status="error", what=what, remedy=remedy)
        else:
            yield Check(name=name, status="ok", what="can be read; nothing was sent")


def _published(patient: _Patient) -> Iterator[Check]:
    path = patient.home / "published" / "analyst.duckdb"
    if not path.exists():
        if (patient.home / warehouse.WAREHOUSE).exists():
            what, remedy = "the analysts' file has not been published", "run `vigie upkeep`"
            yield Check(name="published", status="warning", what=what, remedy=remedy)
        return
    age = patient.now - datetime.fromtimestamp(path.stat().st_mtime, UTC)
    is_old = age > timedelta(hours=_PUBLISHED_HOURS)
    remedy = "see the DAG `upkeep` in Airflow, or run `vigie upkeep`" if is_old else ""
    yield Check(
        name="published",
        status="warning" if is_old else "ok",
        what=f"the analysts' file is {_span(age)} old",
        remedy=remedy,
    )


def _readers(patient: _Patient) -> Iterator[Check]:
    """Each source that is listened to: is there a reader, and what does it say?"""
    for block in patient.settings.sources if patient.settings else ():
        if block.live:
            yield _reader(block.name, patient)


def _reader(block: str, patient: _Patient) -> Check:
    name, start = f"reader {block}", "start `vigie listen`, or `vigie up`, which runs it"
    found = listening.reader(patient.home, block)
    if found is None:
        return Check(name=name, status="error", what="has never listened", remedy=start)
    age = patient.now - found.at
    if found.status == "stopped" or age > _READER_SILENCE:
        what = f"does not listen; it last did {_ago(age)}"
        return Check(name=name, status="error", what=what, remedy=start)
    if found.status != "ok":
        what, remedy = found.note or found.status, "it tries again by itself"
        return Check(name=name, status="warning", what=what[:300], remedy=remedy)
    what = f"listens; it has heard all up to {_ago(patient.now - found.until)}"
    return Check(name=name, status="ok", what=what)


def _ago(age: timedelta) -> str:
    return f"{_span(age)} ago"


def _span(age: timedelta) -> str:
    minutes = max(int(age.total_seconds() // 60), 0)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"


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
        who = ", ".join(stint.emails) or stint.title or "nobody"
        what = f"the rota names {who} from {stint.since_at:%Y-%m-%d %H:%M} UTC: no recipient"
        remedy = "add them to [[recipients]], or correct the event: nobody else is written to"
        yield Check(name="on call", status="warning", what=what, remedy=remedy)
    yield from _nobody_on_call(oncall.gaps(settings, since=now, until=week), now)


def _calendar(state: rota_copy.State | None, now: datetime) -> Check:
    name, remedy = "rota", "correct `calendar` in [on_call] of vigie.toml, or the calendar itself"
    if state is None:
        what = "the calendar has not been read yet: the next run reads it"
        return Check(name=name, status="warning", what=what, remedy="run `vigie watch`")
    if not state.problem:
        what = f"the calendar was read {_ago(now - state.tried_at)}"
        return Check(name=name, status="ok", what=what)
    copy = (
        f"the copy of {_ago(now - state.read_at)} serves" if state.read_at else "there is no copy"
    )
    what = f"{state.problem[:300]}; {copy}"
    return Check(name=name, status="error", what=what, remedy=remedy)


def _nobody_on_call(gaps: Sequence[oncall.Gap], now: datetime) -> Iterator[Check]:
    if not gaps:
        yield Check(name="on call", status="ok", what="somebody is, every hour of the week to come")
        return
    spans = [f"{g.since_at:%Y-%m-%d %H:%M} to {g.until_at:%Y-%m-%d %H:%M} UTC" for g in gaps[:3]]
    is_now = gaps[0].since_at <= now
    what = f"nobody {'now' if is_now else 'soon'}: {'; '.join(spans)}"
    remedy = "fill the rota; until then everybody who gets alerts is told, and the head"
    yield Check(name="on call", status="error" if is_now else "warning", what=what, remedy=remedy)


# --- the neighbours: mail server, sources, Airflow


def _mail(patient: _Patient) -> Iterator[Check]:
    if patient.settings is None or not patient.settings.recipients:
        return
    mail = patient.settings.mail
    place = f"{mail.host}:{mail.port}"
    try:
        what = _greeted(mail, patient.environ.get(mail.password_env, ""))
    except smtplib.SMTPAuthenticationError:
        remedy = f"check username in [mail], and the variable {mail.password_env}"
        yield Check(name="mail", status="error", what=f"{place} refuses the login", remedy=remedy)
    except smtplib.SMTPNotSupportedError as error:
        remedy = "correct security or username in [mail]: the server offers no such thing"
        yield Check(name="mail", status="error", what=f"{place}: {error}", remedy=remedy)
    except ssl.SSLError as error:
        remedy = "use a certificate that this machine trusts, or correct host or security in [mail]"
        what = f"{place} does not speak TLS as it should ({error.reason or 'no reason given'})"
        yield Check(name="mail", status="error", what=what, remedy=remedy)
    except (smtplib.SMTPException, OSError) as error:
        remedy = "check host, port and security in [mail], and that the server runs"
        what = f"{place} cannot be used ({type(error).__name__})"
        yield Check(name="mail", status="error", what=what, remedy=remedy)
    else:
        yield Check(name="mail", status="ok", what=f"{place} {what}; nothing was sent")


def _greeted(mail: Mail, password: str) -> str:
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
            return "lets us in"
    return "answers"


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
    name = f"source {block.name}"
    own_check = getattr(sources.load(block.kind), "check", None)
    if own_check is not None:
        return _by_itself(name, own_check, block, patient)
    if folder := getattr(block.options, "path", None):
        return _folder(name, patient.home / str(folder))
    sites = (getattr(block.options, attribute, None) for attribute in _SITES)
    site = next((s for s in sites if isinstance(s, str) and s.startswith("http")), None)
    if site is None:
        return Check(name=name, status="ok", what="has no address to ask")
    try:
        answer = _asked(site, block, patient)
    except SourceError as error:
        return _unanswered(name, site == getattr(block.options, "url", None), error)
    skew = _skew(answer.headers.get("date"), patient.now)
    if skew and abs(skew) > _CLOCK_SKEW:
        what = f"answers, but its clock and ours are {_span(abs(skew))} apart"
        return Check(
            name=name, status="warning", what=what, remedy="set this machine's clock (NTP)"
        )
    return Check(name=name, status="ok", what=f"answers ({answer.status})")


def _by_itself(
    name: str, own_check: Callable[[sources.Request], str], block: SourceBlock, patient: _Patient
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


def _unanswered(name: str, is_exact: bool, error: SourceError) -> Check:
    """A refusal of the very address that is read is an error; of a server's front page, it is not:
    many serve nothing there. A server that asks us to wait is there, and read when it says."""
    if isinstance(error, RateLimited) or getattr(error, "status", None) == 429:
        what = f"asks for fewer calls ({str(error).splitlines()[0][:200]})"
        remedy = "nothing if it passes; else raise every_minutes of this source in vigie.toml"
        return Check(name=name, status="warning", what=what, remedy=remedy)
    status = getattr(error, "status", None)
    if status is not None and not is_exact and status < 500:
        return Check(name=name, status="ok", what=f"answers ({status} on its front page)")
    said = str(error).splitlines()[0]
    remedy = "check the address in vigie.toml, and the network of this machine"
    if isinstance(error, AddressRefused):  # says itself what to do
        said, _, remedy = said.partition(": ")
    return Check(name=name, status="error", what=said[:300], remedy=remedy)


def _skew(date: str | None, now: datetime) -> timedelta | None:
    try:
        return parsedate_to_datetime(date) - now if date else None
    except (ValueError, TypeError):
        return None


def _folder(name: str, path: Path) -> Check:
    root = path
    while any(c in root.name for c in "*?["):
        root = root.parent
    if not root.exists():
        remedy = "make the folder, or correct `path` in vigie.toml"
        return Check(name=name, status="error", what=f"{root} does not exist", remedy=remedy)
    if not os.access(root, os.R_OK):
        remedy = "give this account the right to read it"
        return Check(name=name, status="error", what=f"{root} cannot be read", remedy=remedy)
    return Check(name=name, status="ok", what=f"{root} is there")


def _airflow(patient: _Patient) -> Iterator[Check]:
    try:
        version = metadata.version("apache-airflow")
    except metadata.PackageNotFoundError:
        remedy = "install the environment again from requirements.lock"
        yield Check(name="airflow", status="error", what="not installed", remedy=remedy)
        return
    own = orchestrator.environment(patient.home, patient.environ)
    is_set_up = (
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in own
        or (patient.home / "airflow" / "airflow.db").exists()
    )
    if not is_set_up:
        what = f"{version}, not set up in this home yet"
        yield Check(name="airflow", status="ok", what=what, remedy="`vigie up` does it")
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
        what, remedy = f"{version} does not answer", "see whether its database is locked"
        return Check(name="airflow", status="error", what=what, remedy=remedy)
    slots = _slots(done.stdout) if done.returncode == 0 else None
    if slots == 1:
        what = f"{version}, its database answers, the pool {orchestrator.POOL} has one slot"
        return Check(name="airflow", status="ok", what=what)
    what = f"{version}, the pool {orchestrator.POOL} " + (
        "is missing, or the database does not answer" if slots is None else f"has {slots} slots"
    )
    remedy = f"`vigie airflow pools set {orchestrator.POOL} 1 warehouse`, or `vigie up`"
    return Check(name="airflow", status="error", what=what, remedy=remedy)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _slots(output: str) -> int | None:
    """The slots of the pool in what `airflow pools get` prints, None when there is none."""
    start = output.find("[")
    try:
        found: Any = json.loads(output[start:]) if start >= 0 else []
        return int(found[0]["slots"])
    except (ValueError, IndexError, KeyError, TypeError):
        return None
