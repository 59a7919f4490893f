"""What people are told: alerts, digests, failures; and the outbox."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import (
    faq,
    load as loading,
    warehouse,
)
from pipelines.errors import SettingsError
from pipelines.faq import Entry
from pipelines.house import House as House, house as house
from pipelines.http import Client
from pipelines.letter import Letter
from pipelines.run.names import run_id
from pipelines.run.reading import AHEAD

if TYPE_CHECKING:
    from pipelines.brief import Digest, Edition, IncidentLine
    from pipelines.settings import Recipient

log = logging.getLogger(__name__)

ROTA_SECONDS = 20.0  # for a calendar's server; its last good copy serves as well


def alert(house: House, *, as_of: datetime) -> dict[str, int]:
    """Run every rule at `as_of`, open and close incidents, put letters in the outbox; how many
    alerts are then open, as `vigie alerts list` lists them.

    A back-fill of the past wakes nobody: where a later window is loaded, no rule is run.
    """
    from pipelines import detect, handover, late, notify, warning_round

    _refresh_rota(house, now=as_of)
    with warehouse.opened(house.home) as connection:
        if is_overtaken(connection, as_of):
            log.info("rules.skipped as_of=%s a later window is loaded", as_of.isoformat())
            return {}
        alerts = detect.detect(connection, settings=house.settings, as_of=as_of, keeps=True)
        heard = late.alerts(connection, settings=house.settings, as_of=as_of)
        past = [(each.alert, each.at) for each in heard]
        found = notify.record(connection, alerts, settings=house.settings, as_of=as_of, late=past)
        handover.record(connection, settings=house.settings, as_of=as_of)
        warning_round.record(connection, settings=house.settings, as_of=as_of)
    log.info("rules.evaluated as_of=%s rows=%d", as_of.isoformat(), len(alerts))
    return {"alerts": sum(i.state not in ("ok", "resolved") for i in found.incidents)}


def alert_and_report(house: House, *, as_of: datetime) -> dict[str, int]:
    """Run every rule, then make the crisis reports that are due."""
    told = alert(house, as_of=as_of)
    crisis_reports(house, as_of=as_of)
    return told


def _refresh_rota(house: House, *, now: datetime) -> None:
    """Read the calendar of who is on call again, if it is time, before the warehouse is held."""
    from pipelines import rota_copy

    if not house.settings.on_call.has_calendar:
        return
    net = house.settings.net
    with Client(
        contact=net.contact,
        allow_private=net.allow_private,
        sleep=lambda _: None,
        total_seconds=ROTA_SECONDS,
    ) as client:
        rota_copy.refresh(house.settings, secrets=house.secrets, client=client, now=now)


def is_overtaken(connection: warehouse.Connection, as_of: datetime) -> bool:
    """Whether a window that ends after `as_of` has been loaded; where every source is live, whether
    readers are well past it."""
    if moved := [position.run_id for position in loading.cursors(connection).values()]:
        return max(moved) > run_id(as_of)
    return any(h.until_at - as_of > AHEAD for h in loading.listened(connection).values())


def deliver(house: House, *, now: datetime, is_asked: bool = False) -> dict[str, int]:
    """Hand over what is due in the outbox, or all of it when a person asks; how many were sent,
    failed, and wait."""
    from pipelines import notify

    settings, secrets = house.settings, house.secrets
    return asdict(
        notify.deliver(house.home, settings=settings, secrets=secrets, now=now, is_asked=is_asked)
    )


def digest(
    house: House,
    *,
    day: date,
    as_of: datetime,
    edition: Edition = "day",
    is_mailed: bool = True,
) -> Path | None:
    """Make the digest of a local day, keep its page, put it in the outbox; the page.

    An `edition` of a week or a month ends with `day`. Not `is_mailed`: the page and the level of
    the day are kept, and nobody is written to. None where nothing has ever been read:
    Airflow starts a new home with the digest of yesterday, and nobody should hear of Vigie first
    by an empty page.
    """
    from pipelines import digest as digests

    settings = house.settings
    warehouse.prepare(settings)
    with warehouse.opened(house.home) as connection:
        if not (loading.cursors(connection) or loading.listened(connection)):
            log.warning("digest.skipped day=%s: nothing has been read yet", day)
            return None
        made = digests.build(
            connection,
            settings=settings,
            day=day,
            as_of=as_of,
            faq=_faq(house.home),
            edition=edition,
        )
        locale = settings.institution.locale
        letter = digests.render(made, locale=locale)
        page = digests.save(house.home, made, letter, locale=locale)
        with warehouse.transaction(connection):
            if edition == "day":
                digests.remember(connection, made, made_at=as_of)
            if is_mailed:
                _mail_digest(house, connection, letter, made)
    return page


def _readers(house: House) -> tuple[Recipient, ...]:
    """Who gets digests and crisis reports."""
    return tuple(r for r in house.settings.recipients if "digest" in r.gets)


def _mail_digest(
    house: House, connection: warehouse.Connection, letter: Letter, made: Digest
) -> None:
    """Put a digest in the outbox, once a day or edition."""
    from pipelines import notify

    name = "" if made.edition == "day" else f" {made.edition}"
    notify.enqueue(
        connection,
        letter,
        kind="digest",
        key=f"digest {made.day.isoformat()}{name}",
        settings=house.settings,
        recipients=_readers(house),
        as_of=made.as_of,
        reason="daily_digest" if made.edition == "day" else f"{made.edition}_digest",
    )


def editions_due(house: House, day: date) -> list[Edition]:
    """Which digests are made once `day` has ended: a week ends on Sunday, a month with its last
    day."""
    wanted = house.settings.institution.digest_editions
    ends: dict[Edition, bool] = {
        "week": day.isoweekday() == 7,
        "month": (day + timedelta(days=1)).day == 1,
    }
    return ["day", *(edition for edition, is_due in ends.items() if is_due and edition in wanted)]


def crisis_reports(house: House, *, as_of: datetime) -> list[Path]:
    """Make and mail the reports that are due on critical incidents still open; their pages.

    A report that is kept already is not made again, so that a call costs one small query.
    """
    from pipelines import crisis

    made = []
    with warehouse.opened(house.home) as connection:
        for incident in crisis.leading(connection, as_of=as_of):
            horizon = crisis.due(incident, as_of=as_of)
            if horizon is None:
                continue
            path = crisis.kept(house.home, incident, house.settings, name=horizon)
            if path.exists():
                continue
            letter = _crisis(house, connection, incident, as_of=as_of, horizon=horizon)
            _mail_crisis(house, connection, letter, incident, horizon, as_of=as_of)
            made.append(crisis.save(path, letter))  # after the mail: what is kept has been told
    return made


def crisis_report(house: House, name: str, *, as_of: datetime) -> Path:
    """The report on one incident, whatever its state, as known at `as_of`; its page, not mailed."""
    from pipelines import crisis

    with warehouse.opened(house.home) as connection:
        incident = crisis.one(connection, name, as_of=as_of)
        letter = _crisis(house, connection, incident, as_of=as_of, horizon=None)
    path = crisis.kept(house.home, incident, house.settings, name=f"{as_of:%Y%m%dT%H%M}")
    return crisis.save(path, letter)


def _crisis(
    house: House,
    connection: warehouse.Connection,
    incident: IncidentLine,
    *,
    as_of: datetime,
    horizon: str | None,
) -> Letter:
    from pipelines import crisis

    report = crisis.build(
        connection,
        incident,
        settings=house.settings,
        as_of=as_of,
        horizon=horizon,
        faq=_faq(house.home) or (),
    )
    return crisis.render(report, locale=house.settings.institution.locale)


def _mail_crisis(
    house: House,
    connection: warehouse.Connection,
    letter: Letter,
    incident: IncidentLine,
    horizon: str,
    *,
    as_of: datetime,
) -> None:
    """Put a report in the outbox, once whatever happens; it is no alert mail and counts as none."""
    from pipelines import notify

    with warehouse.transaction(connection):
        notify.enqueue(
            connection,
            letter,
            kind="crisis",
            key=f"crisis {incident.incident_id} {horizon}",
            settings=house.settings,
            recipients=_readers(house),
            as_of=as_of,
            reason=f"crisis_{horizon}",
        )


def _faq(home: Path) -> Sequence[Entry] | None:
    """The entries of `faq.toml`; None, and a line in the log, where it is faulty: the day is told
    without it, and the page says so."""
    try:
        return faq.read(home)
    except SettingsError as error:
        log.warning("digest.faq_unread faults=%d", len(error.faults))
        return None


def report_failure(
    house: House, *, dag: str, task: str, run: str, error: str, now: datetime
) -> None:
    """Tell the operators by mail that a task has failed; once a task and quarter of a day.

    A source that is down for a night would else be told of every five minutes.
    """
    from pipelines import notify

    quarter = f"{now.astimezone(UTC):%Y-%m-%d} {now.astimezone(UTC).hour // 6}"
    letter = notify.failure_letter(
        dag=dag, task=task, run=run, error=error, settings=house.settings
    )
    readers = tuple(r for r in house.settings.recipients if "failures" in r.gets)
    warehouse.prepare(house.settings)  # what failed may have been the first step of a new home
    with warehouse.opened(house.home) as connection, warehouse.transaction(connection):
        notify.enqueue(
            connection,
            letter,
            kind="failure",
            key=f"failure {dag} {task} {quarter}",
            settings=house.settings,
            recipients=readers,
            as_of=now,
            reason="task_failed",
        )
    deliver(house, now=now)
