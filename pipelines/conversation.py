"""What the same people know to be going on about one subject, and what that is enough for.

One trouble makes several rules speak: of the volume, of a danger, of a claim. What people know of
a subject is one conversation: a thread, and what its critical alerts tell of. Pure functions of the
incidents; whom to tell, and why, is `incidents.tell`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipelines import rules
from pipelines.alert import Severity
from pipelines.incidents import RANK, REPEAT, Incident
from pipelines.rules import Brings


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What was told, and not yet to be over: the thread of the oldest of it, what the critical
    alerts of it bring that may speak for others; and the gravest that is open, told or not."""

    thread: str
    brings: frozenset[Brings]
    gravest: Severity | None


Talks = Mapping[tuple[str, str], Talk]  # by whom it is told to and its subject


def talks(incidents: Iterable[Incident], *, as_of: datetime) -> Talks:
    """What people know to be going on at `as_of`, subject by subject; a source has none."""
    found: dict[tuple[str, str], list[Incident]] = {}
    for each in incidents:
        subject_id, is_ruled = each.alert.subject_id, rules.is_known(each.alert.rule_id)
        if is_ruled and subject_id is not None and (is_known(each) or _is_open(each)):
            found.setdefault((tells(each), subject_id), []).append(each)
    talks = {about: _talk(some, as_of) for about, some in found.items()}
    return {about: talk for about, talk in talks.items() if talk}


def _is_open(incident: Incident) -> bool:
    is_held = {"silenced", "planned", "inhibited"} & {*incident.marks}
    return incident.state in ("firing", "cooling") and not is_held


def is_known(incident: Incident) -> bool:
    """Whether a letter has told of it, and none that it is over or unstable since."""
    told = incident.told
    return told is not None and told.sequence > 0 and told.kind in ("firing", "update")


def tells(incident: Incident) -> str:
    """Whom its rule tells."""
    return rules.read(incident.alert.rule_id).tells


def thread(incident: Incident) -> str:
    """The key of the letter that opened an incident's conversation, or that opens it."""
    if incident.told is not None and incident.told.thread:
        return incident.told.thread
    return f"{incident.fingerprint}:{incident.incident_id}:firing:1"


def home(incident: Incident, known: Talks) -> str:
    """The thread in which people hear of it: that of its subject where they do not know of it, or
    not any more; empty where there is none."""
    talk = _talk_of(incident, known)
    is_unstable = incident.told is not None and incident.told.kind == "unstable"
    if talk is not None and not is_known(incident) and not is_unstable:
        return talk.thread
    return thread(incident) if incident.told and incident.told.sequence else ""


def brings(incident: Incident) -> Brings:
    """What it tells of: a danger, a threat, or more of what is said."""
    is_critical = incident.severity == "critical"
    return rules.read(incident.alert.rule_id).brings if is_critical else "more"


def is_spoken_for(incident: Incident, known: Talks) -> bool:
    """Whether people know of a critical alert of its subject that tells of no lesser danger. A
    threat is a message to read, and speaks for nothing else."""
    talk, own = _talk_of(incident, known), brings(incident)
    if talk is None:
        return False
    return own in talk.brings or (own == "more" and "danger" in talk.brings)


def are_others_open(incident: Incident, known: Talks) -> bool:
    """Whether other alerts of its subject, as grave, go on, whose end people will hear of."""
    talk = _talk_of(incident, known)
    if talk is None or talk.gravest is None:
        return False
    return RANK[talk.gravest] >= RANK[incident.severity]


def _talk_of(incident: Incident, known: Talks) -> Talk | None:
    subject_id = incident.alert.subject_id
    if subject_id is None or not rules.is_known(incident.alert.rule_id):
        return None
    return known.get((tells(incident), subject_id))


def _talk(found: Sequence[Incident], as_of: datetime) -> Talk | None:
    if not (known := [each for each in found if is_known(each)]):
        return None
    return Talk(
        thread=thread(min(known, key=lambda each: (each.opened_at, each.fingerprint))),
        brings=frozenset(brings(each) for each in known if _speaks(each, as_of)),
        gravest=_gravest(each for each in found if _is_open(each)),
    )


def _gravest(found: Iterable[Incident]) -> Severity | None:
    gravest = max(found, key=lambda each: RANK[each.severity], default=None)
    return gravest.severity if gravest else None


def _speaks(incident: Incident, as_of: datetime) -> bool:
    """Whether people know that it is critical, and a reminder of it will follow or a letter was
    there within the time of one."""
    told = incident.told
    if told is None or told.severity != "critical" or {"silenced", "planned"} & {*incident.marks}:
        return False
    is_reminded = incident.acked_at is None and incident.state in ("firing", "cooling")
    return is_reminded or as_of - told.at < REPEAT["critical"]
