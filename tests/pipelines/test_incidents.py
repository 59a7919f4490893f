"""How an incident begins, lasts and ends, and when a person hears of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines.alert import Alert, fingerprint
from pipelines.incidents import Around, Decision, Incident, Told, is_quiet, is_settled, step, tell

NOON = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
MIDNIGHT = datetime(2026, 11, 19, 23, 0, tzinfo=UTC)
HELD = "held_for_morning"
STEP = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)


def alert(level: float = 1.5, **changes: Any) -> Alert:
    values: dict[str, Any] = {
        "rule_id": "volume_surge",
        "rule_version": "1",
        "subject_id": "eau",
        "scope": "all",
        "severity": "warning",
        "level": level,
        "window_minutes": 60,
        "observed": 40.0,
        "expected": 15.0,
        "low": 8.0,
        "high": 24.0,
        "score": 6.0,
        "text_count": 40,
        "author_count": 40,
        "share": 0.5,
        "share_low": 0.4,
        "share_high": 0.6,
        "share_expected": 0.25,
        "message_ids": (),
        "is_warming_up": False,
        "parameters": "{}",
    }
    return Alert(**(values | changes))


def stepped(
    levels: dict[int, float], *, severity: Any = "warning", minutes: int = 5, until: int = 600
) -> list[tuple[int, Incident]]:
    """The incident after each evaluation: `levels` holds the level from a minute onward."""
    incident: Incident | None = None
    seen = []
    for minute in range(0, until + 1, minutes):
        level = levels[max(start for start in levels if start <= minute)]
        now = alert(level, severity=severity) if level >= 0.6 else None
        incident = step(
            incident,
            now,
            fingerprint="f",
            as_of=NOON + minute * MINUTE,
            since_last=minutes * MINUTE,
        )
        if incident:
            seen.append((minute, incident))
    return seen


def changes(levels: dict[int, float], **options: Any) -> list[tuple[int, str]]:
    """At which minute the state became another."""
    states = [(minute, incident.state) for minute, incident in stepped(levels, **options)]
    return [pair for i, pair in enumerate(states) if not i or states[i - 1][1] != pair[1]]


def test_a_warning_has_to_last_ten_minutes() -> None:
    assert changes({0: 1.2}, until=30) == [(0, "pending"), (10, "firing")]


def test_what_does_not_last_ten_minutes_is_forgotten() -> None:
    assert changes({0: 1.2, 10: 0.9}, until=30) == [(0, "pending"), (10, "ok")]


def test_a_critical_alert_fires_at_once() -> None:
    assert changes({0: 1.2}, severity="critical", until=30) == [(0, "firing")]


def test_a_warning_fires_at_once_where_the_rules_run_only_every_hour() -> None:
    assert changes({0: 1.2}, minutes=60, until=60) == [(0, "firing")]


def test_an_incident_stays_between_leaving_and_entering() -> None:
    assert changes({0: 1.5, 30: 0.7}, until=200) == [(0, "pending"), (10, "firing")]


def test_an_incident_is_resolved_an_hour_after_it_left() -> None:
    seen = changes({0: 1.5, 30: 0.1}, until=200)
    assert seen == [(0, "pending"), (10, "firing"), (30, "cooling"), (85, "resolved")]


def test_a_rise_while_cooling_goes_on_with_the_incident() -> None:
    seen = changes({0: 1.5, 30: 0.1, 60: 1.3, 90: 0.0}, until=120)
    assert seen == [
        (0, "pending"),
        (10, "firing"),
        (30, "cooling"),
        (60, "firing"),
        (90, "cooling"),
    ]


def test_a_rise_within_six_hours_of_the_end_joins_and_a_later_one_is_another() -> None:
    seen = stepped({0: 1.5, 30: 0.0, 400: 1.5}, until=420)
    assert len({incident.incident_id for _, incident in seen}) == 1
    assert seen[-1][1].state == "firing"
    assert seen[-1][1].resolved_at is None
    seen = stepped({0: 1.5, 30: 0.0, 500: 1.5}, until=520)
    assert len({incident.incident_id for _, incident in seen}) == 2


def test_a_resolved_incident_is_not_opened_by_half_a_rise() -> None:
    assert changes({0: 1.5, 30: 0.0, 120: 0.8}, until=200)[-1] == (85, "resolved")


def test_severity_only_rises() -> None:
    [(_, incident)] = stepped({0: 1.5}, severity="critical", until=0)
    later = step(incident, alert(), fingerprint="f", as_of=NOON + STEP, since_last=STEP)
    assert later is not None
    assert later.severity == "critical"


def test_the_peak_is_the_highest_that_was_seen() -> None:
    [(_, incident)] = stepped({0: 1.5}, severity="critical", until=0)
    for minute, observed in ((5, 90.0), (10, 60.0)):
        now = alert(severity="critical", observed=observed, score=observed)
        after = step(incident, now, fingerprint="f", as_of=NOON + minute * MINUTE, since_last=STEP)
        assert after is not None
        incident = after
    assert (incident.peak.observed, incident.peak.score) == (90.0, 90.0)
    assert incident.alert.observed == 60.0


def test_a_quarter_of_an_hour_and_an_hour_compare_by_their_rates() -> None:
    last = told(peak=26 / 15)
    hour = incident(peak=alert(observed=75.0))
    assert not decided(last, hour).is_sent
    assert decided(last, incident(peak=alert(observed=210.0))).reason == "volume_doubled"


def test_a_raid_within_the_hour_of_its_letter_is_no_news_and_after_it_is() -> None:
    raid, hour = incident(peak=alert(observed=210.0)), timedelta(minutes=60)
    assert not decided(told(), raid, hours=0.9, joins=hour).is_sent
    assert decided(told(), raid, hours=1, joins=hour).reason == "volume_doubled"


@pytest.mark.parametrize("minute", range(0, 200, 5))
def test_the_same_moment_again_changes_nothing(minute: int) -> None:
    levels = {0: 1.5, 30: 0.1, 60: 1.3, 90: 0.0}
    seen = dict(stepped(levels, until=200))
    level = levels[max(start for start in levels if start <= minute)]
    again = step(
        seen[minute],
        alert(level) if level >= 0.6 else None,
        fingerprint="f",
        as_of=NOON + minute * MINUTE,
        since_last=STEP,
    )
    assert again == seen[minute]


def test_a_moment_that_is_over_changes_nothing() -> None:
    _, incident = stepped({0: 1.5}, until=60)[-1]
    assert step(incident, None, fingerprint="f", as_of=NOON, since_last=STEP) is incident


def test_calm_is_no_incident() -> None:
    assert step(None, None, fingerprint="f", as_of=NOON, since_last=STEP) is None
    assert step(None, alert(0.8), fingerprint="f", as_of=NOON, since_last=STEP) is None


def test_two_alerts_are_one_trouble_by_institution_rule_subject_and_scope_alone() -> None:
    one = fingerprint("valmorin", alert())
    assert one == fingerprint("valmorin", alert(3.0, severity="critical", observed=9.0))
    others = [alert(rule_id="x"), alert(subject_id=None), alert(scope="T01")]
    found = {one, fingerprint("autre", alert()), *(fingerprint("valmorin", a) for a in others)}
    assert len(found) == 5


# Telling.


def incident(**changes: Any) -> Incident:
    values: dict[str, Any] = {
        "incident_id": "i",
        "fingerprint": "f",
        "severity": "warning",
        "state": "firing",
        "opened_at": NOON,
        "last_fired_at": NOON,
        "evaluated_at": NOON,
        "resolved_at": None,
        "alert": alert(),
        "peak": alert(),
    }
    return Incident(**(values | changes))


def told(**changes: Any) -> Told:
    values: dict[str, Any] = {
        "at": NOON,
        "kind": "firing",
        "severity": "warning",
        "peak": 40 / 60,
        "sequence": 1,
    }
    return Told(**(values | changes))


def decided(last: Told | None, what: Incident, *, hours: float = 1, **around: Any) -> Decision:
    as_of = NOON + timedelta(hours=hours)
    return tell(last, what, as_of, zone=PARIS, around=Around(**around))


@pytest.mark.parametrize(
    ("last", "what", "hours", "reason"),
    [
        (None, incident(), 0, "first"),
        (None, incident(state="cooling"), 0, "first"),
        (told(), incident(severity="critical"), 0, "severity_up"),
        (told(), incident(peak=alert(observed=80.0)), 0, "volume_doubled"),
        (told(), incident(), 20, "repeat"),
        (told(severity="critical"), incident(severity="critical"), 4, "repeat"),
        (told(kind="resolved"), incident(), 1, "back_again"),
        (told(), incident(state="resolved", resolved_at=NOON), 1, "resolved"),
        (None, incident(state="resolved", resolved_at=NOON, firing_at=MIDNIGHT), 1, HELD),
        (told(), incident(opening_count=5), 1, "unstable"),
        (told(kind="inhibited"), incident(), 1, "first"),
    ],
)
def test_people_are_told(last: Told | None, what: Incident, hours: float, reason: str) -> None:
    assert decided(last, what, hours=hours) == Decision(reason=reason, is_sent=True)


@pytest.mark.parametrize(
    ("last", "what", "hours", "reason"),
    [
        (None, incident(state="pending"), 0, "not_confirmed"),
        (None, incident(state="ok"), 0, "not_confirmed"),
        (None, incident(), 12, "quiet_hours"),
        (told(), incident(), 12, "quiet_hours"),
        (None, incident(state="resolved", resolved_at=NOON), 1, "over_untold"),
        (told(), incident(), 8, "unchanged"),
        (told(severity="critical"), incident(severity="critical"), 3.9, "unchanged"),
        (told(), incident(state="cooling", peak=alert(observed=99.0)), 1, "cooling"),
        (
            told(kind="resolved"),
            incident(state="resolved", resolved_at=NOON),
            1,
            "already_resolved",
        ),
        (
            told(kind="inhibited"),
            incident(state="resolved", resolved_at=NOON),
            1,
            "already_inhibited",
        ),
        (told(kind="unstable"), incident(opening_count=5), 1, "still_unstable"),
    ],
)
def test_people_are_left_alone(
    last: Told | None, what: Incident, hours: float, reason: str
) -> None:
    assert decided(last, what, hours=hours) == Decision(reason=reason, is_sent=False)


def test_a_greater_incident_speaks_for_a_lesser_one() -> None:
    assert decided(None, incident(), is_inhibited=True).reason == "inhibited"
    ended = incident(state="resolved", resolved_at=NOON)
    assert decided(told(), ended, is_inhibited=True).is_sent


def test_a_critical_alert_does_not_wait_for_the_morning() -> None:
    assert decided(None, incident(severity="critical"), hours=14).is_sent


@pytest.mark.parametrize(
    ("local", "is_night"),
    [
        ("2026-11-20T21:59:59", False),
        ("2026-11-20T22:00:00", True),
        ("2026-11-21T00:00:00", True),
        ("2026-11-21T06:59:59", True),
        ("2026-11-21T07:00:00", False),
        ("2026-11-11T12:00:00", True),
        ("2026-11-12T07:00:00", False),
        # The clocks go forward on 28 March 2027 and back on 25 October 2026.
        ("2027-03-28T06:59:59", True),
        ("2027-03-28T07:00:00", False),
        ("2026-10-25T06:59:59", True),
        ("2026-10-25T07:00:00", False),
    ],
)
def test_quiet_hours_are_those_of_the_institutions_clock(local: str, is_night: bool) -> None:
    at = datetime.fromisoformat(local).replace(tzinfo=PARIS)
    assert is_quiet(at.astimezone(UTC), PARIS) is is_night


def test_an_incident_of_a_night_across_the_change_of_clocks_is_told_at_seven() -> None:
    opened = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
    what = replace(incident(), opened_at=opened)
    reasons = {
        hour: tell(None, what, datetime(2026, 10, 25, hour, 0, tzinfo=UTC), zone=PARIS).reason
        for hour in (0, 1, 4, 5, 6)
    }
    assert reasons == dict.fromkeys((0, 1, 4, 5), "quiet_hours") | {6: "first"}


@pytest.mark.parametrize(
    ("over", "last", "is_over"),
    [
        ({"state": "firing"}, {}, False),
        ({"state": "cooling"}, {"kind": "unstable"}, False),
        ({}, {"kind": "firing"}, False),
        ({}, {"kind": "update"}, False),
        ({}, {"kind": "resolved"}, True),
        ({}, {"kind": "night"}, True),
        ({}, {"kind": "inhibited"}, True),
        ({}, None, True),
        ({"severity": "critical"}, None, False),
        ({"opened_at": MIDNIGHT, "firing_at": MIDNIGHT}, None, False),
    ],
)
def test_what_is_over_is_settled_once_nobody_waits_for_a_letter(
    over: dict[str, Any], last: dict[str, Any] | None, is_over: bool
) -> None:
    found = incident(**{"state": "resolved", "resolved_at": NOON + MINUTE} | over)
    found = replace(found, told=None if last is None else told(**last))
    assert is_settled(found, NOON + timedelta(hours=12), zone=PARIS) is is_over
    assert not is_settled(found, NOON + timedelta(days=4), zone=PARIS)
    later = (decided(found.told, found, hours=h).is_sent for h in (2, 24, 48))
    if is_over:
        assert not any(later)
