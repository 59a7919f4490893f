"""Incidents written together, and judged by one look at all: the same as one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings as tried, strategies as st

from pipelines import conversation, incident_rows, notify, rules, warehouse
from pipelines.incident_rows import Journal
from pipelines.incidents import Incident, Told
from pipelines.surroundings import Surroundings
from tests.bench import bench_incidents
from tests.pipelines.staged import prepared
from tests.pipelines.test_incidents import alert
from tests.pipelines.watched import AS_OF, empty, settings

MINUTE = timedelta(minutes=1)
RULES = ("volume_surge", "negative_surge", "topic_surge", "silent_source", "threat", "gone_rule")


@st.composite
def _told(draw: st.DrawFn) -> Told | None:
    if draw(st.booleans()):
        return None
    return Told(
        at=AS_OF - draw(st.integers(0, 40)) * MINUTE,
        kind=draw(st.sampled_from(("firing", "update", "resolved", "inhibited"))),
        severity=draw(st.sampled_from(("warning", "critical"))),
        peak=1.0,
        sequence=draw(st.integers(0, 3)),
    )


@st.composite
def _incident(draw: st.DrawFn) -> Incident:
    severity: Any = draw(st.sampled_from(("warning", "critical")))
    said = alert(
        rule_id=draw(st.sampled_from(RULES)),
        severity=severity,
        subject_id=draw(st.sampled_from((None, "eau", "ville"))),
        scope=draw(st.sampled_from(("all", "T01", "T20", "mastodon"))),
    )
    number = draw(st.integers(0, 2**40))
    return Incident(
        incident_id=f"{number:016x}",
        fingerprint=f"{number:064x}",
        severity=severity,
        state=draw(st.sampled_from(("pending", "firing", "cooling", "resolved"))),
        opened_at=AS_OF - draw(st.integers(0, 300)) * MINUTE,
        last_fired_at=AS_OF,
        evaluated_at=AS_OF,
        resolved_at=None,
        alert=said,
        peak=said,
        told=draw(_told()),
    )


_INCIDENTS = st.lists(_incident(), max_size=25, unique_by=lambda i: i.incident_id)


def _plainly_inhibited(one: Incident, every: list[Incident], around: Surroundings) -> bool:
    """As the definition says it: looking at every other incident."""
    if one.state not in ("firing", "cooling"):
        return False
    if around.is_source_impaired(one):
        return True
    if one.severity == "critical" or one.alert.rule_id not in rules.names():
        return False
    return any(
        other.state in ("firing", "cooling")
        and other.alert.rule_id in rules.read(one.alert.rule_id).inhibited_by
        and (other.alert.subject_id or other.alert.scope)
        == (one.alert.subject_id or one.alert.scope)
        and not around.is_source_impaired(other)
        for other in every
    )


def _plainly_told(one: Incident, every: list[Incident]) -> dict[str, datetime]:
    """When the readers of an incident last had a letter, looking at every other incident."""
    found: dict[str, datetime] = {}
    for other in every:
        told = other.told
        if told is None or not told.sequence or other.alert.rule_id not in rules.names():
            continue
        if rules.read(other.alert.rule_id).tells == rules.read(one.alert.rule_id).tells:
            found[told.severity] = max(told.at, found.get(told.severity, told.at))
    return found


@given(every=_INCIDENTS, impaired=st.sets(st.sampled_from(("mastodon", "T01"))))
@tried(max_examples=200, deadline=None)
def test_one_look_at_all_decides_as_looking_at_all_for_each(
    every: list[Incident], impaired: set[str]
) -> None:
    around = Surroundings(impaired=frozenset(impaired))
    marked = notify._with_inhibited(every, around, Journal(as_of=AS_OF))
    assert [("inhibited" in each.marks) for each in marked] == [
        _plainly_inhibited(each, every, around) for each in every
    ]
    group = notify._told_at(every)
    for each in every:
        if each.alert.rule_id in rules.names():
            assert group.get(conversation.tells(each), {}) == _plainly_told(each, every)


_ONE_ROW = """
merge into incident using (select 1) on incident.incident_id = $incident_id
when matched then update set
    rule_version = $rule_version, severity = $severity, state = $state,
    last_fired_at = $last_fired_at, resolved_at = $resolved_at, peak_observed = $peak_observed,
    peak_score = $peak_score, evidence = $evidence
when not matched then insert values (
    $incident_id, $fingerprint, $rule_id, $rule_version, $subject_id, $scope, $severity, $state,
    $opened_at, $last_fired_at, $resolved_at, $peak_observed, $peak_score, $evidence
)
"""


@given(before=_INCIDENTS, after=_INCIDENTS, place=st.integers(0, 25))
@tried(max_examples=20, deadline=None)
def test_rows_written_together_are_those_written_one_by_one(
    before: list[Incident], after: list[Incident], place: int
) -> None:
    changed = [replace(each, state="resolved", resolved_at=AS_OF) for each in before[place:]]
    known = {each.incident_id for each in changed}
    second = [*changed, *(each for each in after if each.incident_id not in known)]
    together, alone = empty(), empty()
    for written in (before, second):
        journal = Journal(as_of=AS_OF)
        for each in written:
            journal.note(each, ("none", each.state), reason="rule")
        for _ in range(2):
            incident_rows.write(together, written, journal)
        for each, line in zip(written, journal.lines, strict=True):
            alone.execute(_ONE_ROW, incident_rows.row(each))
            warehouse.run(alone, "writes/incident_event_add", line)
    for table in ("incident", "incident_event"):
        rows = [c.table(table).order("all").fetchall() for c in (together, alone)]
        assert rows[0] == rows[1]


def test_what_is_read_is_what_was_written() -> None:
    connection = empty()
    told = Told(at=AS_OF, kind="firing", severity="critical", peak=2.0, sequence=1, thread="t")
    said = alert(severity="critical")
    one = Incident(
        incident_id="0" * 16, fingerprint="f", severity="critical", state="firing",
        opened_at=AS_OF, last_fired_at=AS_OF, evaluated_at=AS_OF, resolved_at=None, alert=said,
        peak=said, told=told, marks=("no_data",),
    )  # fmt: skip
    incident_rows.write(connection, [one], Journal(as_of=AS_OF))
    assert incident_rows.read(connection, as_of=AS_OF) == {"f": one}


@pytest.mark.parametrize("count", [1_500])
def test_a_great_storm_is_evaluated_within_the_memory_of_the_warehouse(
    tmp_path: Path, count: int
) -> None:
    town = settings(tmp_path)
    prepared(town)
    with warehouse.opened(tmp_path) as connection:
        for minutes in (0, 15):
            notify.record(
                connection,
                bench_incidents.storm(count),
                settings=town,
                as_of=AS_OF + minutes * MINUTE,
            )
        found = connection.execute("select count(*) from incident where state = 'firing'")
        assert found.fetchone() == (count,)
