"""No answer hangs on luck: of rows that tie, SQL says which is meant.

DuckDB keeps no order of rows that nobody asked for: a tie goes to whichever row comes first, which
a test meets rarely and a reader sooner or later. So it is the statements that are looked at here;
how questions for analysts are sorted is asked of rows, in tests/sql/test_questions.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from pipelines import warehouse

FOLDERS = ("alerts", "queries", "signals", "views", "writes")  # migrations run once
FILES = [f"{folder}/{name}" for folder in FOLDERS for name in warehouse.sql_names(folder)]

# What no two rows have alike that are sorted together. Some columns are keys wherever they stand,
KEYS = {
    *("mention_id", "incident_id", "outbox_key", "receipt_id", "label_id", "task_id", "batch_id"),
    *("silence_id", "fingerprint", "row_number", "file_row_number"),
}
# some, alone or together, are the grain of one statement.
GRAINS = {
    "alerts/call_to_gather": "message_ids",
    "alerts/claim_spreads": "window_minutes spread_id",
    "alerts/questions_surge": "scope",
    "alerts/silent_source": "until_at",  # nothing but the moment is read of the row before
    "alerts/volume_surge": "window_minutes",
    "queries/alert_evidence": "sequence",
    "queries/alerts_changes": "changed_at state_to state_from",
    "queries/board_topics": "topic_id day_on",
    "queries/coverage_canaries": "canary_id source_name published_at heard_at",
    "queries/coverage_gaps": "source_name since_at until_at found_by found_at",
    "queries/coverage_last": "source_name, finished_at run_id",  # of one source
    "queries/coverage_read": "until_at run_id",  # of one source
    "queries/coverage_windows": "source_name until_at run_id",
    "queries/coverage_late": "source_name",
    "queries/digest_coverage": "source_name",
    "queries/digest_hours": "hour_at",
    "queries/digest_levels": "day_on",
    "queries/digest_previous": "made_at locale",
    "queries/digest_tone": "reading",
    "queries/digest_topics": "topic_id",
    "queries/digest_volume": "day_on",
    "queries/query_versions": "subject_id first_used_at version",
    "queries/recheck_due": "native_id, place",
    "queries/replay_hours": "hour_at",
    "queries/replay_openings": "sequence",
    "queries/rerun_days": "day_on",
    "queries/source_notes": "source_name, finished_at run_id",  # of one source
    "queries/source_troubles": "source_name, finished_at run_id",  # of one source
    "signals/evidence_shares": "network sentiment",
    "signals/evidence_terms": "term",
    "signals/gains": "counted_at",
    "signals/gains_past": "counted_at",
    "signals/impaired": "source_name, until_at run_id",  # of one source
    "signals/late": "last_at",
    "signals/spread": "window_minutes subject_id spread_id",
    "signals/window": "window_minutes subject_id scope",
    "views/attention_daily": "day_on",
    "views/network_share": "network",
    "views/source_coverage": "finished_at run_id",  # of one source
    "writes/link_readers": "recipient",
    "writes/outbox_lately": "reader",
    "writes/publish_dictionary": "table_name place",
}
# Rows that tie are all the same to who reads them: counts, and a table as it lies on the disk.
ALIKE = {"signals/pulse", "signals/pulse_copies", "signals/pulse_gains", "writes/merge_heard"}
# Lists that are sorted in another part of the statement, or read as a set.
LISTS = {"signals/evidence_texts", "writes/rejudge_mention", "writes/stage_mention"}
# What has one value in each group of a statement, where any is asked for.
ONE_VALUE = {
    "alerts/silent_source": "as_of",
    "alerts/threat": "minutes",
    "queries/analyst_acts": "totals.new_total totals.old_total",
    "queries/analyst_before_after": "asked.days asked.decided_on",
    "queries/analyst_emerging_terms": "about.made_at thresholds.least_texts",
    "queries/analyst_own_by_format": "posted.usual_reactions",
    "queries/analyst_own_by_hour": "posted.usual_reactions",
    "queries/analyst_own_by_topic": "posted.usual_reactions topic.label_fr",
    "queries/analyst_risk": "topic.label_fr",
    "queries/analyst_topic_by_place": "placed.commune_name",
    "queries/digest_messages": "text",  # of one hash
    "signals/evidence_terms": "text",  # of one hash
    "signals/known": "listening.first_at",
    "signals/spread": "heard.window_count",
    "signals/spread_texts": "text",  # of one hash
    "views/daily_fate": "institution.time_zone",
    "views/daily_tone": "thresholds.k",
    "views/mention_scored": "institution.time_zone",
    "views/own_post": "institution.time_zone",
    "writes/merge_canary_heard": "staged_heard.heard_at staged_heard.published_at",
    "writes/merge_heard": "known_key.published_at",
}


@cache
def _statements(name: str) -> list[Any]:
    told = (each.query for each in duckdb.extract_statements(warehouse.sql(name)))
    return [_read(text) for text in told if not text.lstrip().startswith("comment on")]


def _read(text: str) -> Any:
    """A statement as a tree; what the parser does not know of a merge says nothing of order."""
    for words in ("update by name", "insert by name"):
        text = text.replace(words, "delete")
    return sqlglot.parse_one(text, dialect="duckdb")


def _found(name: str, *kinds: type[exp.Expression]) -> Iterator[Any]:
    for statement in _statements(name):
        yield from statement.find_all(*kinds)


def _names(expressions: Iterable[Any]) -> set[str]:
    """The columns of some expressions, by their bare names."""
    return {column.name for each in expressions for column in each.find_all(exp.Column)}


def _are_key(name: str, columns: set[str]) -> bool:
    """Whether no two rows that a statement sorts together have these columns alike."""
    grains = [set(grain.split()) for grain in GRAINS.get(name, "").split(",") if grain]
    return bool(columns & KEYS) or any(grain <= columns for grain in grains)


def _is_one_of_each(order: exp.Order) -> bool:
    """Whether rows are sorted by all that they are grouped by."""
    group = order.parent and order.parent.args.get("group")
    return bool(group and group.expressions) and _names(group.expressions) <= _names([order])


def _loose(name: str) -> Iterator[exp.Expression]:
    """What in a file leaves it to luck which row is meant."""
    for order in _found(name, exp.Order):
        is_sure = _is_one_of_each(order) or _are_key(name, _names(order.expressions))
        if not is_sure and name not in ALIKE and "/analyst_" not in name:
            yield order
    for each in _found(name, exp.ArgMin, exp.ArgMax):
        by = _names([each.expression])
        if not _are_key(name, by) and not _names([each.this]) <= by:  # else both say the same
            yield each
    for each in _found(name, exp.AnyValue):
        if each.this.sql() not in ONE_VALUE.get(name, "").split():
            yield each
    for each in _found(name, exp.ArrayAgg):
        if not each.find(exp.Order) and name not in LISTS:
            yield each


def test_nothing_hangs_on_which_row_comes_first() -> None:
    assert [(name, each.sql()) for name in FILES for each in _loose(name)] == []


@pytest.mark.parametrize(
    "text",
    [
        "select text from mention order by published_at desc limit 1",
        "select arg_max(status, finished_at) from intake group by source_name",
        "select any_value(sentiment) from mention_scored group by text_hash",
        "select any_value(text) from mention group by network",
        "select note from intake order by run_id desc limit 1",
        "select list(topic) from score group by sentiment",
        "from incident qualify row_number() over (partition by rule_id order by opened_at) = 1",
    ],
)
def test_what_leaves_it_to_luck_is_seen(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse, "sql", lambda _: text)
    assert len(list(_loose(f"queries/of {text}"))) == 1


def test_what_is_said_here_of_a_file_is_of_one_that_is_there() -> None:
    assert not {*GRAINS, *ALIKE, *LISTS, *ONE_VALUE} - {*FILES}
