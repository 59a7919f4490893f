"""What stands around the incidents at one moment: silences, planned events, sources that are not
read, how many mails each person has had. Read once an evaluation; a few small tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pipelines import alert_actions, oncall, rules, warehouse
from pipelines.incidents import MAILS_AN_HOUR, Incident
from pipelines.settings import Event, Recipient, Settings
from pipelines.warehouse import Connection

CRISIS_TOPIC = "T20"
BLIND_SHARE = 0.5  # of what is usually heard; where so much is not read, silence is no calm
ORDINARY_STEP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is true of every incident at one moment.

    `silenced` holds fingerprints, `events` the planned events that go on, `impaired` the sources
    that are late or cut short, `mails` how many letters about alerts each person has had in an hour
    (by mail address),
    `chain` who is told of a critical one: on call, second, head.
    """

    since_last: timedelta = ORDINARY_STEP
    silenced: frozenset[str] = frozenset()
    events: tuple[Event, ...] = ()
    impaired: frozenset[str] = frozenset()
    is_blind: bool = False
    mails: Mapping[str, int] = field(default_factory=dict)
    chain: tuple[tuple[Recipient, ...], ...] = ((), (), ())

    def planned(self, incident: Incident) -> Event | None:
        """The event that explains an incident; none for a source, nor for a danger to people."""
        alert = incident.alert
        is_danger = alert.scope == CRISIS_TOPIC and incident.severity == "critical"
        if alert.subject_id is None or is_danger:
            return None
        return next((e for e in self.events if e.concerns(alert.subject_id)), None)

    def has_room(self, reader: Recipient, severity: str) -> bool:
        """Whether a person may have one more mail about an alert of that severity."""
        return self.mails.get(reader.email, 0) < MAILS_AN_HOUR[severity]

    def after(self, readers: Iterable[Recipient]) -> Surroundings:
        """The same after one more mail to each of `readers`."""
        counts = Counter(self.mails)
        counts.update(reader.email for reader in readers)
        return replace(self, mails=dict(counts))

    def is_source_impaired(self, incident: Incident) -> bool:
        """Whether an incident tells a drop of a source that is late or cut short."""
        rule_id, scope = incident.alert.rule_id, incident.alert.scope
        return scope in self.impaired and rules.is_known(rule_id) and rules.read(rule_id).is_drop


def read(connection: Connection, settings: Settings, *, as_of: datetime) -> Surroundings:
    """What stands around the incidents of `settings` at `as_of`; changes nothing."""
    held = alert_actions.silences(connection, as_of=as_of)
    sources = warehouse.run(connection, "signals/impaired", {"as_of": as_of}).fetchall()
    mails = warehouse.run(connection, "writes/outbox_lately", {"as_of": as_of}).fetchall()
    usual = sum(count for *_, count in sources)
    missing = sum(count for _, is_late, _, count in sources if is_late)
    zone = settings.institution.zone
    return Surroundings(
        since_last=_since_last(connection, as_of),
        silenced=frozenset(each.fingerprint for each in held),
        events=tuple(e for e in settings.events if e.holds(as_of, zone)),
        impaired=frozenset(name for name, is_late, is_capped, _ in sources if is_late or is_capped),
        is_blind=usual > 0 and missing >= BLIND_SHARE * usual,
        mails=dict(mails),
        chain=oncall.chain(settings, at=as_of),
    )


def _since_last(connection: Connection, as_of: datetime) -> timedelta:
    """How long before `as_of` the run before it ended; the ordinary five minutes when unknown."""
    row = connection.execute(
        "select max(until_at) from intake where until_at < $as_of", {"as_of": as_of}
    ).fetchone()
    last = row[0] if row else None
    return as_of - last if last else ORDINARY_STEP
