"""What a letter rested on is kept as it was; a look back shows that, and nothing that is gone."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import notify, post_mortem, rules, warehouse
from tests.pipelines.test_incidents import alert
from tests.pipelines.watched import AS_OF, crowd, empty, quiet_history, say, settings

TOWN = settings(Path("/nowhere"))
HOSTILE = "L'eau <script>alert(1)</script> est coupée {number} \u202e rue"


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    made = empty()
    quiet_history(made)
    say(made, crowd(60, text=HOSTILE, sentiment="negative", url="javascript:alert(1)"))
    return made


def told(connection: duckdb.DuckDBPyConnection) -> str:
    seen = replace(alert(), severity="critical")
    recorded = notify.record(connection, [seen], settings=TOWN, as_of=AS_OF)
    assert recorded.letter_count == 1
    return recorded.incidents[0].incident_id


def row(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    found = connection.execute("from alert_evidence").to_arrow_table().to_pylist()
    assert len(found) == 1
    return dict(found[0])


def page(connection: duckdb.DuckDBPyConnection, incident_id: str) -> str:
    found = post_mortem.gather(connection, incident_id)
    return post_mortem.page(
        found,
        what="Eau",
        facts=[("Alerte", incident_id)],
        changes=[("là", "en cours", "Vigie", "<b>")],
        settings=TOWN,
        as_of=AS_OF,
    )


def plainly(html: str) -> str:
    """A page with plain spaces."""
    return html.replace("\u00a0", " ").replace("\u202f", " ")


def test_the_rule_is_kept_to_the_letter_and_the_picture_byte_for_byte(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    told(connection)
    kept = row(connection)
    name = alert().rule_id
    asked = connection.execute("select rule_sha256, rule_sql from rule_text").fetchone()
    assert asked == (rules.read(name).sha256, warehouse.sql(f"alerts/{name}"))
    assert kept["rule_sha256"] == rules.read(name).sha256
    [mailed] = connection.execute("select message from outbox").fetchall()
    mail = message_from_bytes(mailed[0], policy=policy.default)
    pictures = [p.get_payload(decode=True) for p in mail.walk() if p["Content-ID"]]
    assert pictures == [kept["picture"]]
    assert len(json.loads(kept["curve"])["counts"]) == 48


def test_no_word_of_anybody_is_kept(connection: duckdb.DuckDBPyConnection) -> None:
    told(connection)
    kept = row(connection)
    assert "coup" not in "".join(str(v) for k, v in kept.items() if k != "picture")
    assert len(json.loads(kept["messages"])) == 3


def test_the_same_moment_again_adds_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    told(connection)
    seen = replace(alert(), severity="critical")
    notify.record(connection, [seen], settings=TOWN, as_of=AS_OF)
    row(connection)


def test_the_page_shows_what_the_mail_showed_and_nothing_runs(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    html = page(connection, told(connection))
    assert b64encode(row(connection)["picture"]).decode() in html
    assert "&lt;script&gt;alert(1)" in html
    assert "<script" not in html
    assert "javascript:" not in html
    assert "\u202e" not in html
    assert "&lt;b&gt;" in html
    assert "Astreinte" in html
    assert "with thresholds as (" in html


def test_a_text_that_has_expired_is_told_by_its_numbers_alone(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    incident_id = told(connection)
    connection.execute("update mention set text = '', title = null, text_expired_at = now()")
    html = page(connection, incident_id)
    assert "coupée" not in html
    assert html.count("Le texte n’est plus conservé.") == 3


def test_a_post_that_was_deleted_is_not_shown(connection: duckdb.DuckDBPyConnection) -> None:
    incident_id = told(connection)
    connection.execute("update mention set deleted_at = now()")
    assert "coupée" not in page(connection, incident_id)


def test_an_alert_told_in_the_mail_of_another_says_so(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    both = [
        replace(alert(2.0), severity="critical"),
        replace(alert(1.5, rule_id="claim_spreads"), severity="critical"),
        alert(1.2, rule_id="negative_surge"),
    ]
    recorded = notify.record(connection, both, settings=TOWN, as_of=AS_OF)
    assert recorded.letter_count == 1
    named, lead, joined = (each.incident_id for each in recorded.incidents)
    assert "même courriel" not in page(connection, lead)
    html = plainly(page(connection, joined))
    assert "Cette alerte accompagnait « CRITIQUE · Affirmation qui se propage" in html
    assert "Pas de courbe" not in html
    assert "Aucun message n’est plus" not in html
    assert "Rien n’a été envoyé" in page(connection, named)  # it was still to be confirmed
    connection.execute("update incident_event set state_to = 'firing'")
    html = plainly(page(connection, named))
    assert "Pas de courriel à part : celui de « CRITIQUE · Affirmation qui se propage" in html
    assert "Rien n’a été envoyé" not in html


def test_an_incident_without_a_letter_has_a_page(connection: duckdb.DuckDBPyConnection) -> None:
    assert "Rien n’a été envoyé" in page(connection, "unknown")


def test_a_rule_that_is_gone_still_has_its_page(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident_id = told(connection)
    monkeypatch.setattr(rules, "names", list)
    assert "volume_surge" in page(connection, incident_id)


def test_evidence_goes_with_its_incident(connection: duckdb.DuckDBPyConnection) -> None:
    told(connection)
    times = {"count_before": AS_OF + timedelta(days=1), "count_day": AS_OF.date()}
    warehouse.run(connection, "writes/expire_aggregate", times)
    assert connection.execute("select count(*) from alert_evidence").fetchone() == (0,)
