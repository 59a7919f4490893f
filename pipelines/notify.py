"""Whom to tell of an alert, and why: incidents, letters, the outbox.

`record` turns what the rules said at one moment into incidents and, in the same transaction,
into letters in the outbox: killed at any instant, both are there or neither. `deliver` hands the
letters over. Doing the same moment again adds nothing. Nothing here asks what time it is.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import duckdb

from pipelines import (
    alert_letter,
    alert_record,
    conversation,
    evidence,
    explanation,
    incident_rows,
    links,
    oncall,
    outbox,
    rules,
    surroundings,
    warehouse,
)
from pipelines.alert import Alert, fingerprint
from pipelines.conversation import Talks, home, tells, thread
from pipelines.evidence import Evidence
from pipelines.explanation import Shown
from pipelines.incident_rows import Journal
from pipelines.incidents import (
    RANK,
    Alarm,
    Around,
    Decision,
    Incident,
    Kind,
    Mark,
    Told,
    beside,
    is_over,
    opened_late,
    rate,
    step,
    tell,
)
from pipelines.letter import Letter
from pipelines.outbox import Delivered, deliver, enqueue
from pipelines.settings import Recipient, Settings
from pipelines.surroundings import Surroundings

log = logging.getLogger(__name__)

MOST_SHOWN = 8  # letters whose reasons an incident keeps: the first and the last ones

_KINDS: Mapping[str, Kind] = {
    "first": "firing",
    "held_for_morning": "night",
    "resolved": "resolved",
    "unstable": "unstable",
}
Speaking = frozenset[tuple[str, str]]  # rules that speak for lesser ones, of whom or what
# What tells a reader most stands first in a letter about several incidents.
_LEADS = ("first", "severity_up", "back_again", "escalation", "volume_doubled", "repeat", "rest")
_DANGERS = ("threat", "danger", "more")
_PULLS = ("first", "severity_up", "back_again", "volume_doubled", "repeat", "resolved")


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An incident, what was decided about it, and who reads about it."""

    incident: Incident
    decision: Decision
    readers: tuple[Recipient, ...]
    nobody: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What an evaluation changed: incidents written, and letters put in the outbox."""

    incidents: tuple[Incident, ...]
    letter_count: int


def record(
    connection: duckdb.DuckDBPyConnection,
    alerts: Sequence[Alert],
    *,
    settings: Settings,
    as_of: datetime,
    late: Sequence[tuple[Alert, datetime]] = (),
    draws: bool = True,
) -> Recorded:
    """Bring the incidents to what the rules said at `as_of`, and put the letters in the outbox.

    `late` is what they say of past windows, with the end of each (`pipelines/late.py`). Letters
    that nobody will read need no curve and no reasons (`draws`): 0.2 s each instead of 0.8.

    One transaction. The same `as_of` again changes nothing; an earlier one neither. Incidents that
    the same people are to hear of at one moment are one letter.
    """
    with warehouse.transaction(connection):
        around = surroundings.read(connection, settings, as_of=as_of)
        before = incident_rows.read(connection, as_of=as_of)
        journal = Journal(as_of=as_of)
        after = [
            _marked(before.get(i.fingerprint), i, around, journal)
            for i in (
                *_stepped(before, alerts, settings, as_of, around),
                *_late(before, alerts, late, settings, as_of),
            )
        ]
        after = _with_inhibited(after, around, journal)
        talks = conversation.talks(after, as_of=as_of)
        due = _decided(after, talks, around, settings=settings, as_of=as_of)
        told, letters = _tell_all(
            connection, due, talks, around, settings=settings, as_of=as_of, draws=draws
        )
        incident_rows.write(connection, told, journal)
        connection.execute("delete from incident where state = 'ok'")
    log.info("incidents.recorded count=%d letters=%d", len(told), letters)
    return Recorded(incidents=tuple(told), letter_count=letters)


def _stepped(
    before: Mapping[str, Incident],
    alerts: Sequence[Alert],
    settings: Settings,
    as_of: datetime,
    around: Surroundings,
) -> list[Incident]:
    """Every incident that is there at `as_of`, in a stable order."""
    now = {fingerprint(settings.institution.id, alert): alert for alert in alerts}
    stepped = (
        step(
            before.get(name),
            now.get(name),
            fingerprint=name,
            as_of=as_of,
            since_last=around.since_last,
            is_blind=around.is_blind and _is_about_people(before.get(name)),
        )
        for name in sorted({*before, *now})
    )
    return [_counted(before.get(i.fingerprint), i, as_of) for i in stepped if i is not None]


def _late(
    before: Mapping[str, Incident],
    alerts: Sequence[Alert],
    late: Sequence[tuple[Alert, datetime]],
    settings: Settings,
    as_of: datetime,
) -> list[Incident]:
    """The incidents of past windows; none of a trouble that there is an incident of, or that the
    rules speak of now."""
    known = {name for name, incident in before.items() if not is_over(incident, as_of)}
    known |= {fingerprint(settings.institution.id, alert) for alert in alerts}
    named = ((fingerprint(settings.institution.id, alert), alert, at) for alert, at in late)
    return [
        _counted(None, opened_late(alert, fingerprint=name, as_of=as_of, late_at=at), as_of)
        for name, alert, at in named
        if name not in known
    ]


def _is_about_people(incident: Incident | None) -> bool:
    return incident is not None and incident.alert.subject_id is not None


def _counted(last: Incident | None, now: Incident, as_of: datetime) -> Incident:
    """The incident with this opening counted, if this is one."""
    is_same = last is not None and last.incident_id == now.incident_id
    count = last.opening_count if last and is_same else 0
    was_up = last is not None and is_same and last.state in ("firing", "cooling")
    is_opening = now.state == "firing" and not (was_up and last and last.state == "firing")
    firing_at = now.firing_at if was_up or not is_opening else as_of
    return replace(now, opening_count=count + is_opening, firing_at=firing_at)


# --- what stands beside a state


def _marked(
    last: Incident | None, now: Incident, around: Surroundings, journal: Journal
) -> Incident:
    """The incident with its marks, every change of state and of mark in the log."""
    if journal.as_of < now.evaluated_at:
        return now
    _write_change(last, now, journal)
    now = _lapsed(last, now, journal)
    event = around.planned(now)
    held: dict[Mark, bool] = {
        "acked": now.acked_at is not None,
        "silenced": now.fingerprint in around.silenced,
        "planned": event is not None,
        "no_data": around.is_blind and now.alert.subject_id is not None,
        "warming_up": now.alert.is_warming_up,
    }
    marks = tuple(mark for mark, is_held in held.items() if is_held)
    for mark in ("silenced", "planned", "no_data", "warming_up"):
        reason = event.label if event and mark == "planned" else ""
        _write_mark(now, mark, (mark in now.marks, mark in marks), reason, journal)
    kept = tuple(mark for mark in now.marks if mark == "inhibited")
    return replace(now, marks=(*marks, *kept))


def _lapsed(last: Incident | None, now: Incident, journal: Journal) -> Incident:
    """The incident as nobody's any more where it has got worse or begins anew since."""
    if now.state == "resolved":
        return replace(now, alarm=None)
    if last is None or last.incident_id != now.incident_id or now.acked_at is None:
        return now
    is_worse = RANK[now.severity] > RANK[last.severity]
    if not is_worse and not (last.state == "resolved" and now.state == "firing"):
        return now
    journal.unacked.append(now.incident_id)
    reason = "severity_up" if is_worse else "back_again"
    journal.note(now, (now.state, "unacked"), reason=reason)
    return replace(now, acked_at=None, acked_by=None, alarm=None)


def _with_inhibited(
    incidents: Sequence[Incident], around: Surroundings, journal: Journal
) -> list[Incident]:
    """The incidents, those marked that another tells better or whose source is late."""
    greater, found = _speaking(incidents, around), []
    for incident in incidents:
        is_held = _is_inhibited(incident, greater, around)
        if journal.as_of < incident.evaluated_at:
            found.append(incident)
            continue
        was_held = "inhibited" in incident.marks
        _write_mark(incident, "inhibited", (was_held, is_held), "", journal)
        rest = tuple(mark for mark in incident.marks if mark != "inhibited")
        found.append(replace(incident, marks=(*rest, "inhibited") if is_held else rest))
    return found


def _speaking(incidents: Iterable[Incident], around: Surroundings) -> Speaking:
    """Of which rule, and subject or source, an incident is told that may speak for lesser ones.

    Not of a drop of a source that is late or cut short: nobody is told of it.
    """
    active = (i for i in incidents if i.state in ("firing", "cooling"))
    told = (i for i in active if not around.is_source_impaired(i))
    return frozenset((i.alert.rule_id, _whose(i)) for i in told)


def _whose(incident: Incident) -> str:
    """The subject of an incident, or its source where it is about one."""
    return incident.alert.subject_id or incident.alert.scope


def _is_inhibited(incident: Incident, greater: Speaking, around: Surroundings) -> bool:
    """Whether a mail about another already tells it, which a critical one never leaves to it; or
    its source is late or cut short."""
    if incident.state not in ("firing", "cooling"):
        return False
    if around.is_source_impaired(incident):
        return True
    alert = incident.alert
    if incident.severity == "critical" or not rules.is_known(alert.rule_id):
        return False
    by = rules.read(alert.rule_id).inhibited_by
    return any((rule_id, _whose(incident)) in greater for rule_id in by)


def _write_mark(
    incident: Incident, mark: Mark, was_and_is: tuple[bool, bool], reason: str, journal: Journal
) -> None:
    """A line in the log where a mark comes or goes; a silence has its own when a person made it."""
    was, now = was_and_is
    if was == now or incident.state in ("ok", "pending") or (mark == "silenced" and now):
        return
    actor = "vigie.toml" if mark == "planned" else "rule"
    change = (incident.state, mark if now else f"not_{mark}")
    journal.note(incident, change, reason=reason, actor=actor)


def _write_change(last: Incident | None, now: Incident, journal: Journal) -> None:
    is_new = last is None or last.incident_id != now.incident_id
    state_from = "none" if last is None or is_new else last.state
    severity_from = now.severity if last is None or is_new else last.severity
    if state_from == now.state and severity_from == now.severity:
        return
    reason = "severity_up" if state_from == now.state else _why(now)
    journal.note(now, (state_from, now.state), reason=reason)


def _why(now: Incident) -> str:
    return f"{now.alert.rule_id} {now.severity} level={now.alert.level:.2f}"


# --- whom to tell


def _decided(
    incidents: Sequence[Incident],
    talks: Talks,
    around: Surroundings,
    *,
    settings: Settings,
    as_of: datetime,
) -> list[Due]:
    """What is decided about every incident; what is new joins a letter that leaves now anyway."""
    group = _told_at(incidents)
    due = [_due(i, group, talks, around, settings=settings, as_of=as_of) for i in incidents]
    leaving = {tells(each.incident) for each in due if each.decision.reason == "first"}
    due = [
        _due(each.incident, group, talks, around, leaving, settings=settings, as_of=as_of)
        if each.decision.reason in ("group_wait", "group_interval")
        else each
        for each in due
    ]
    return _with_alarms(_with_riders(due, talks), talks, around)


def _with_riders(due: Sequence[Due], talks: Talks) -> list[Due]:
    """What is decided, where a letter takes along what else goes on in its thread and is no graver,
    so that it needs none of its own soon after."""
    pulled: dict[str, int] = {}
    for each in due:
        if each.decision.is_sent and each.decision.reason in _PULLS:
            place, rank = home(each.incident, talks), RANK[each.incident.severity]
            pulled[place] = max(rank, pulled.get(place, 0))
    pulled.pop("", None)

    def rider(each: Due) -> Due:
        rank = RANK[each.incident.severity]
        joined = beside(each.decision, each.incident)
        if joined == each.decision or rank > pulled.get(home(each.incident, talks), 0):
            return each
        return replace(each, decision=joined)

    return [rider(each) for each in due] if pulled else list(due)


def _with_alarms(due: Sequence[Due], talks: Talks, around: Surroundings) -> list[Due]:
    """What is decided, where an escalation is of all in its thread that nobody has in hand."""
    raised = {
        home(each.incident, talks): each.decision
        for each in due
        if each.decision.reason == "escalation"
    }
    found: list[Due] = []
    for each in due if raised else ():
        decision = raised.get(home(each.incident, talks))
        if decision is not None and _escalates_with(each, decision, around):
            each = replace(each, decision=decision, readers=_escalated(decision, around))
        found.append(each)
    return found or list(due)


def _escalates_with(due: Due, decision: Decision, around: Surroundings) -> bool:
    """Whether an escalation may be of this one too: not where it has a step to take before."""
    incident, alarm = due.incident, due.incident.alarm
    if due.decision.reason != "unchanged" or alarm is None or incident.acked_at is not None:
        return False
    return alarm.step_count == (decision.to == "head" and bool(around.chain[1]))


def _due(
    incident: Incident,
    group: Mapping[str, Mapping[str, datetime]],
    talks: Talks,
    around: Surroundings,
    leaving: Collection[str] = (),
    *,
    settings: Settings,
    as_of: datetime,
) -> Due:
    """What is decided about an incident now, and for whom."""
    if as_of < incident.evaluated_at or not rules.is_known(incident.alert.rule_id):
        # Already seen from later on; or of a rule that is gone, and ends without a word.
        passed = Decision(reason="passed", is_sent=False)
        return Due(incident=incident, decision=passed, readers=(), nobody=None)
    readers, nobody = _readers(incident, around, settings, as_of)
    _, second, head = around.chain
    is_spoken_for = conversation.is_spoken_for(incident, talks)
    facts = Around(
        since_last=around.since_last,
        group_told_at=group.get(tells(incident), {}),
        is_inhibited="inhibited" in incident.marks,
        is_silenced="silenced" in incident.marks,
        is_planned="planned" in incident.marks,
        is_flooded=not any(around.has_room(r, incident.severity) for r in readers)
        and readers != (),
        is_missed_free=any(
            around.has_room(r, incident.severity) for r in _missed(incident, readers)
        ),
        is_leaving=tells(incident) in leaving,
        is_spoken_for=is_spoken_for,
        is_new_danger=not is_spoken_for and conversation.brings(incident) != "more",
        is_others_open=conversation.are_others_open(incident, talks),
        joins=rules.read(incident.alert.rule_id).joins,
        has_second=bool(second),
        has_head=bool(head),
    )
    zone = settings.institution.zone
    decision = tell(incident.told, incident, as_of, zone=zone, around=facts)
    log.info("incident.decided id=%s reason=%s", incident.incident_id, decision.reason)
    if decision.to not in ("readers", "missed"):
        readers = _escalated(decision, around)
    return Due(incident=incident, decision=decision, readers=readers, nobody=nobody)


def _missed(incident: Incident, readers: Sequence[Recipient]) -> tuple[Recipient, ...]:
    missed = incident.told.missed if incident.told else ()
    return tuple(reader for reader in readers if reader.email in missed)


def _escalated(decision: Decision, around: Surroundings) -> tuple[Recipient, ...]:
    """Who is told beside those on call."""
    _, second, head = around.chain
    found = {"second": second, "head": head, "second_and_head": (*second, *head)}
    return tuple(found[decision.to])


def _told_at(incidents: Iterable[Incident]) -> dict[str, dict[str, datetime]]:
    """When those whom a rule tells last had a letter, by who they are and the severity of what it
    told."""
    found: dict[str, dict[str, datetime]] = {}
    for each in incidents:
        told = each.told
        if told is None or not told.sequence or not rules.is_known(each.alert.rule_id):
            continue
        times = found.setdefault(tells(each), {})
        times[told.severity] = max(told.at, times.get(told.severity, told.at))
    return found


def _tell_all(
    connection: duckdb.DuckDBPyConnection,
    due: Sequence[Due],
    talks: Talks,
    around: Surroundings,
    *,
    settings: Settings,
    as_of: datetime,
    draws: bool,
) -> tuple[list[Incident], int]:
    """Every incident with what people are told of it now, and how many letters there are."""
    told = {each.incident.incident_id: _unsent(each, as_of) for each in due}
    beside = [each.incident for each in due if _is_beside(each.incident)]
    count = 0
    for group in _groups(due, talks):
        readers, missed = _free(group, around)
        if missed and not readers:
            log.warning("incident.waits id=%s reason=rate_limit", group[0].incident.incident_id)
            continue
        count += 1
        around = around.after(readers)
        for incident in _tell_group(
            connection,
            group,
            _threads(group, talks),
            beside,
            (readers, missed),
            around,
            settings=settings,
            as_of=as_of,
            draws=draws,
        ):
            told[incident.incident_id] = incident
    return list(told.values()), count


def _groups(due: Sequence[Due], talks: Talks) -> list[list[Due]]:
    """What goes into one letter each, the gravest first: all that is new for the same readers, with
    what follows in its thread, and what follows in any other."""
    news: dict[tuple[str, ...], str] = {}
    groups: dict[tuple[str, ...], list[Due]] = {}
    sent = sorted((each for each in due if each.decision.is_sent), key=_rank)
    for each in (d for d in sent if d.decision.reason == "first"):
        readers = (each.decision.to, tells(each.incident))
        news[readers] = news.get(readers) or home(each.incident, talks)
    for each in sent:
        readers, reason = (each.decision.to, tells(each.incident)), each.decision.reason
        is_night = reason == "held_for_morning"
        place = "night" if is_night else home(each.incident, talks)
        is_new = reason == "first" or (not is_night and news.get(readers) == place)
        groups.setdefault((*readers, "new" if is_new else place), []).append(each)
    return list(groups.values())


def _rank(due: Due) -> tuple[object, ...]:
    """What stands first in a letter: what it is sent for, and of that the graver, the newer, the
    more dangerous, the stronger."""
    incident, reason = due.incident, due.decision.reason
    place = _LEADS.index(reason) if reason in _LEADS else len(_LEADS)
    danger = _DANGERS.index(conversation.brings(incident))
    strength = (danger, -incident.alert.level, incident.fingerprint)
    return reason == "along", -RANK[incident.severity], place, *strength


def _threads(group: Sequence[Due], talks: Talks) -> list[str]:
    """The thread of each incident after a letter about all: its own, else that of the letter."""
    own = [home(each.incident, talks) for each in group]
    opened = next(filter(None, own), thread(group[0].incident))
    return [each or opened for each in own]


def _unsent(due: Due, as_of: datetime) -> Incident:
    """The incident of which nobody is told; why not is kept where nobody was told before."""
    incident, reason = due.incident, due.decision.reason
    kinds: dict[str, Kind] = {"inhibited": "inhibited", "silenced": "silenced"}
    kinds["planned_event"] = "silenced"
    if reason not in kinds or incident.told is not None:
        return incident
    return replace(incident, told=_telling(incident, as_of, kind=kinds[reason], sequence=0))


def _tell_group(
    connection: duckdb.DuckDBPyConnection,
    group: Sequence[Due],
    threads: Sequence[str],
    beside: Sequence[Incident],
    readers: tuple[Sequence[Recipient], tuple[str, ...]],
    around: Surroundings,
    *,
    settings: Settings,
    as_of: datetime,
    draws: bool,
) -> list[Incident]:
    """Put one letter about all of a group in the outbox; the incidents as told."""
    lead, (free, missed) = group[0], readers
    told = [_now_told(each, at, missed, as_of) for each, at in zip(group, threads, strict=True)]
    joined = [(i, each.decision) for i, each in zip(told[1:], group[1:], strict=True)]
    grouped = {each.incident.incident_id for each in group}
    others = [each for each in beside if each.incident_id not in grouped]
    occasion = alert_letter.Occasion(
        incident=lead.incident,
        decision=lead.decision,
        evidence=_evidence(connection, lead.incident, settings, as_of, explains=draws),
        settings=settings,
        as_of=as_of,
        others=others,
        nobody=lead.nobody,
        joined=joined,
        chain=around.chain,
        draws=draws,
    )
    _post(connection, occasion, told[0], free, as_of)
    return [_with_shown(told[0], lead, occasion.evidence, as_of), *told[1:]]


def _free(
    group: Sequence[Due], around: Surroundings
) -> tuple[tuple[Recipient, ...], tuple[str, ...]]:
    """Who gets a group's letter, and the addresses of those who had too many to get it."""
    severity = group[0].incident.severity
    listed: dict[str, Recipient] = {}
    for each in group:
        readers = each.readers
        if each.decision.to == "missed":
            readers = _missed(each.incident, readers)
        listed |= {reader.email: reader for reader in readers}
    free = {r.email: r for r in listed.values() if around.has_room(r, severity)}
    return tuple(free.values()), tuple(email for email in listed if email not in free)


def _post(
    connection: duckdb.DuckDBPyConnection,
    occasion: alert_letter.Occasion,
    told: Incident,
    readers: Sequence[Recipient],
    as_of: datetime,
) -> None:
    """One letter in the outbox, under a key that the same evaluation makes again."""
    reason, incident = occasion.decision.reason, occasion.incident
    if told.told is None or not readers:
        log.error("incident.nobody_to_tell id=%s reason=%s", incident.incident_id, reason)
        return
    kind = reason if reason in ("escalation", "rest") else told.told.kind
    key = f"{incident.fingerprint}:{incident.incident_id}:{kind}:{told.told.sequence}"
    offered = links.offer(
        occasion.settings,
        alert_letter.answerable(occasion),
        as_of=as_of,
        letter_key=partial(outbox.identity_of, occasion.settings, key, kind),
    )
    letter = alert_letter.letter(replace(occasion, links=offered.links, all_link=offered.all_link))
    alert_record.keep(connection, occasion, told.told, letter)
    enqueue(
        connection,
        letter,
        kind=kind,
        key=key,
        settings=occasion.settings,
        recipients=readers,
        as_of=as_of,
        incident_id=incident.incident_id,
        thread=told.told.thread,
        reason=reason,
        personal=offered.personal,
    )
    lead: dict[str, Any] = {"lead_id": incident.incident_id, "as_of": as_of, "kind": kind}
    lead["recipients"] = [name for r in readers for name in (r.email, *r.channels)]
    if occasion.joined:
        lead["incident_ids"] = [other.incident_id for other, _ in occasion.joined]
        warehouse.run(connection, "writes/outbox_about", lead)


def _now_told(due: Due, thread: str, missed: tuple[str, ...], as_of: datetime) -> Incident:
    """An incident after a letter about it, in a thread."""
    incident, last = due.incident, due.incident.told
    sequence = (last.sequence if last else 0) + 1
    if last is not None and due.decision.reason == "escalation":
        since = incident.alarm.since if incident.alarm else as_of
        alarm = Alarm(since=since, step_count=1 if due.decision.to == "second" else 2)
        return replace(incident, alarm=alarm, told=replace(last, sequence=sequence, thread=thread))
    if last is not None and due.decision.to == "missed":
        told = replace(last, sequence=sequence, thread=thread, missed=missed)
        return replace(incident, told=told)
    kind = _KINDS.get(due.decision.reason, "update")
    told = _telling(incident, as_of, kind=kind, sequence=sequence, thread=thread, missed=missed)
    if due.decision.reason in ("along", "repeat", "volume_doubled"):
        return replace(incident, told=told)  # who is told step by step was, once for a subject
    return replace(incident, told=told, alarm=_alarm(incident, kind, as_of))


def _alarm(incident: Incident, kind: Kind, as_of: datetime) -> Alarm | None:
    """Since when somebody should have a critical incident in hand: its first critical letter."""
    is_open = incident.severity == "critical" and kind in ("firing", "update")
    if not is_open or incident.acked_at is not None:
        return None
    return incident.alarm or Alarm(since=as_of)


def _evidence(
    connection: duckdb.DuckDBPyConnection,
    incident: Incident,
    settings: Settings,
    as_of: datetime,
    *,
    explains: bool,
) -> Evidence:
    load = explanation.loader(settings.models.sentiment) if explains else None
    zone = settings.institution.zone
    return evidence.gather(connection, incident, as_of=as_of, zone=zone, load=load)


def _with_shown(incident: Incident, due: Due, found: Evidence, as_of: datetime) -> Incident:
    """The incident with why the messages of this letter had their tone, kept as it was told."""
    known = (message.reasons for message in found.messages)
    messages = tuple(each for each in known if each and (each.words or each.terms))
    if not messages:
        return incident
    kind = _KINDS.get(due.decision.reason, "update")
    every = (*incident.shown, Shown(at=as_of, kind=kind, messages=messages))
    return replace(incident, shown=(*every[:1], *every[1:][1 - MOST_SHOWN :]))


def _is_beside(other: Incident) -> bool:
    return other.state == "firing" and rules.is_known(other.alert.rule_id)


def _readers(
    incident: Incident, around: Surroundings, settings: Settings, as_of: datetime
) -> tuple[tuple[Recipient, ...], str | None]:
    """Who is told, and what is wrong with the rota if anything is."""
    if rules.read(incident.alert.rule_id).tells == "operators":
        return oncall.operators(settings) or around.chain[0], None
    readers = around.chain[0]
    if not readers:
        log.error("incident.nobody_to_tell id=%s", incident.incident_id)
    return readers, oncall.trouble(settings, at=as_of)


def _telling(
    incident: Incident,
    as_of: datetime,
    *,
    kind: Kind,
    sequence: int,
    thread: str | None = None,
    missed: tuple[str, ...] = (),
) -> Told:
    return Told(
        at=as_of,
        kind=kind,
        severity=incident.severity,
        peak=rate(incident.peak),
        sequence=sequence,
        thread=thread,
        missed=missed,
    )


def failure_letter(*, dag: str, task: str, run: str, error: str, settings: Settings) -> Letter:
    """What the operator reads when a task has failed; `error` must hold no secret."""
    return alert_letter.failure(dag=dag, task=task, run=run, error=error, settings=settings)


__all__ = ["Delivered", "Recipient", "Recorded", "deliver", "enqueue", "failure_letter", "record"]
