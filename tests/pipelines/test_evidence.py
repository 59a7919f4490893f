"""What the mail rests on: texts with their copies, words, origins, tone, coverage, a curve."""

from __future__ import annotations

from datetime import timedelta

import duckdb
import pyarrow as pa
import pytest

from pipelines import evidence, gaps
from pipelines.baseline import ZoneInfo
from pipelines.evidence import Evidence
from pipelines.mention import MENTION_SCHEMA
from tests.pipelines.test_incidents import alert, incident
from tests.pipelines.watched import (
    AS_OF,
    Said,
    append,
    crowd,
    empty,
    mention_row,
    quiet_history,
    say,
)  # fmt: skip

MINUTE = timedelta(minutes=1)
PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    made = empty()
    quiet_history(made)
    return made


def gathered(connection: duckdb.DuckDBPyConnection, **changes: object) -> Evidence:
    what = incident(last_fired_at=AS_OF, opened_at=AS_OF, alert=alert(**changes))
    return evidence.gather(connection, what, as_of=AS_OF, zone=PARIS)


def test_copies_and_near_copies_are_one_message_with_its_count(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rumour = "L'eau du robinet des Tilleuls est contaminée, ne la buvez surtout pas ce soir"
    say(connection, crowd(12, text=rumour))
    say(connection, crowd(8, text=f"{rumour} !!! https://exemple.example/x", network="bluesky"))
    say(connection, crowd(5, text="Les bouteilles arrivent à la salle des fêtes", network="press"))
    first, second = gathered(connection).messages
    assert (first.copy_count, first.origin_count) == (20, 2)
    assert second.copy_count == 5


def test_a_claim_and_its_denial_are_two_messages(connection: duckdb.DuckDBPyConnection) -> None:
    say(connection, crowd(6, text="L'eau du robinet de la ville est contaminée ce soir"))
    say(connection, crowd(5, text="L'eau du robinet de la ville n'est pas contaminée ce soir"))
    assert [m.copy_count for m in gathered(connection).messages] == [6, 5]


def test_the_message_shown_is_the_first_that_was_said(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    for minutes, url in ((50, "https://a.example/1"), (10, "https://b.example/2")):
        text = "La place du marché est fermée"
        say(connection, [Said(at=AS_OF - minutes * MINUTE, text=text, url=url)])
    [message] = gathered(connection).messages
    assert message.url == "https://a.example/1"
    assert message.published_at == AS_OF - 50 * MINUTE


@pytest.mark.parametrize("is_first_laid_last", [True, False])
def test_a_texts_tone_is_that_of_its_first_message(
    connection: duckdb.DuckDBPyConnection, is_first_laid_last: bool
) -> None:
    """However its copies lie in the table; a title is read too, so that tones of a text differ."""
    text = "La place du marché est fermée"
    said = [
        Said(at=AS_OF - 50 * MINUTE, text=text, sentiment="negative"),
        Said(at=AS_OF - 10 * MINUTE, text=text, sentiment="positive"),
    ]
    for each in reversed(said) if is_first_laid_last else said:
        say(connection, [each])
    [message] = gathered(connection).messages
    assert message.sentiment == "negative"


def test_messages_that_the_rule_names_come_first(connection: duckdb.DuckDBPyConnection) -> None:
    say(connection, crowd(9, text="Merci aux agents pour leur travail"))
    say(connection, crowd(3, text="La facture est une honte", network="bluesky"))
    [row] = connection.execute(
        "select min(mention_id) from mention where network = 'bluesky'"
    ).fetchall()
    ids = connection.execute("select mention_id from mention where network = 'bluesky'").fetchall()
    assert row in ids
    named = gathered(connection, message_ids=tuple(i for (i,) in ids)).messages
    assert named[0].text == "La facture est une honte"
    alone = gathered(connection, message_ids=tuple(i for (i,) in ids), text_count=1).messages
    assert [m.text for m in alone] == ["La facture est une honte"]
    more = gathered(connection, message_ids=tuple(i for (i,) in ids), text_count=2).messages
    assert len(more) == 2


def test_a_text_is_named_by_any_of_its_copies(connection: duckdb.DuckDBPyConnection) -> None:
    """A threat is named by its last three, and a text by whom it was said first."""
    say(connection, crowd(9, text="Merci aux agents pour leur travail"))
    say(connection, crowd(3, text="La facture est une honte", network="bluesky"))
    [last] = connection.execute(
        "select arg_max(mention_id, (published_at, mention_id)) from mention"
        " where network = 'bluesky'"
    ).fetchall()
    found = gathered(connection, message_ids=last, text_count=1).messages
    assert [message.text for message in found] == ["La facture est une honte"]


def test_what_the_rule_names_is_shown_among_however_many_texts(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MOST_TEXTS", 1)
    say(connection, crowd(9, text="Merci aux agents pour leur travail"))
    say(connection, crowd(1, text="La facture est une honte", network="bluesky"))
    [named] = connection.execute(
        "select mention_id from mention where network = 'bluesky'"
    ).fetchall()
    [message] = gathered(connection, message_ids=named).messages
    assert message.text == "La facture est une honte"


def test_a_word_above_its_usual_is_told_and_one_that_is_usual_is_not(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    past = [
        Said(at=AS_OF - timedelta(hours=5 + i), text=f"La facture d'eau encore, numéro {i}")
        for i in range(100)
    ]
    say(connection, past)
    say(connection, crowd(30, text="La facture et la canalisation rompue, toujours {number}"))
    terms = {term.term: term for term in gathered(connection).terms}
    assert {"canalisation", "rompue"} <= set(terms)
    assert not {"facture", "toujours"} & set(terms)
    assert terms["rompue"].share == 1.0
    assert terms["rompue"].usual_share == 0.0


def test_copies_do_not_make_a_word_unusual(connection: duckdb.DuckDBPyConnection) -> None:
    say(connection, crowd(40, text="Inondation partout"))
    assert gathered(connection).terms == ()


def test_masked_parts_links_and_handles_are_no_words(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    text = "[e-mail] [téléphone] @marie https://piscine.example/horaires fermeture {number}"
    say(connection, crowd(30, text=text))
    assert [term.term for term in gathered(connection).terms] == ["fermeture"]


def test_origins_tone_and_topics_count_every_mention(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    say(connection, crowd(6, text="Danger", sentiment="negative", topics=("T20", "T10")))
    say(connection, crowd(2, text="Merci", sentiment="undetermined", network="press"))
    found = gathered(connection)
    assert found.networks == {"mastodon": 6, "press": 2}
    assert found.tone == {"negative": 6, "undetermined": 2}
    assert found.topics == {"T10": 0.75, "T20": 0.75}


def test_an_alert_on_a_topic_rests_on_that_topic_alone(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    say(connection, crowd(6, text="Le tram {number}", topics=("T09",)))
    say(connection, crowd(9, text="La cantine {number}", topics=("T07",)))
    found = gathered(connection, rule_id="topic_surge", scope="T09")
    assert found.networks == {"mastodon": 6}
    assert all("tram" in message.text for message in found.messages)


def _reading(
    connection: duckdb.DuckDBPyConnection, name: str, since: int, until: int, status: str = "ok"
) -> None:
    """A reading of a source from so many minutes ago to so many, and its gap if it failed."""
    ends = [AS_OF - minutes * MINUTE for minutes in (since, until)]
    run_id = f"{ends[1]:%Y%m%dT%H%M%SZ}"
    connection.execute(
        "insert into intake select $run, $name, 'x', $since, $until, $status, 0, 0, 0, 0, 0, 0, 0,"
        " false, null, null, null, $until, $until",
        {"run": run_id, "name": name, "since": ends[0], "until": ends[1], "status": status},
    )
    reading = gaps.Reading(
        run_id=run_id,
        source_name=name,
        since_at=ends[0],
        until_at=ends[1],
        status=status,
        finished_at=ends[1],
    )
    gaps.begin(connection)
    gaps.record(connection, [reading], loaded_at=ends[1])


def test_a_source_that_has_just_failed_does_not_pass_for_one_that_answers(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("insert into source_block values ('presse', 'feed', 5, 180)")
    _reading(connection, "presse", 400, 5)
    assert gathered(connection).lately.is_whole
    _reading(connection, "presse", 5, 0, status="waiting")
    found = gathered(connection)
    assert not found.lately.is_whole
    [press] = found.lately.sources
    assert press.unread == ((AS_OF - 5 * MINUTE, AS_OF),)


def test_each_source_is_told_as_it_stands(connection: duckdb.DuckDBPyConnection) -> None:
    for name in ("bluesky", "mastodon", "presse"):
        connection.execute("insert into source_block values ($name, $name, 5, 180)", {"name": name})
    _reading(connection, "bluesky", 400, 0)
    _reading(connection, "mastodon", 400, 180)
    _reading(connection, "presse", 30, 0, status="failed")
    found = gathered(connection)
    bluesky, mastodon, press = found.lately.sources
    assert (bluesky.state, mastodon.state, press.state) == ("ok", "late", "never")
    assert mastodon.since_at == AS_OF - 180 * MINUTE
    assert found.window is not None
    whole = (found.window.since, AS_OF)
    assert [s.unread for s in found.window.sources] == [(), (whole,), (whole,)]
    assert (AS_OF - found.lately.since) == evidence.LATELY


def test_the_curve_is_a_day_of_half_hours_up_to_now(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    say(connection, crowd(20, minutes=29))
    say(connection, [Said(at=AS_OF - timedelta(hours=23, minutes=45), text="Hier")])
    curve = gathered(connection).curve
    assert curve is not None
    assert len(curve.times) == len(curve.counts) == len(curve.low) == len(curve.high) == 48
    assert curve.times[-1] == AS_OF
    assert (curve.counts[0], curve.counts[-1]) == (1.0, 20.0)
    assert curve.low[-1] < 8 < curve.high[-1]


def test_the_curve_of_reactions_is_a_day_of_hours(connection: duckdb.DuckDBPyConnection) -> None:
    for days in range(9):
        at = AS_OF - timedelta(days=days, hours=2)
        row = mention_row(Said(at=at, text=f"Message {days}"), f"r{days}")
        append(connection, "mention", pa.Table.from_pylist([row], schema=MENTION_SCHEMA))
        connection.execute(
            "insert into mention_metric values ($id, $at, $seen, $likes, 0, 0, 0, 0)",
            {
                "id": row["mention_id"],
                "at": at,
                "seen": at + timedelta(hours=2),
                "likes": 20 if days else 800,
            },
        )
    curve = gathered(connection, rule_id="engagement_surge").curve
    assert curve is not None
    assert (curve.of, len(curve.times), len(curve.counts)) == ("reactions", 24, 24)
    assert curve.times[-1] == AS_OF
    assert curve.times[-1] - curve.times[0] == timedelta(hours=23)
    assert curve.counts[-1] == pytest.approx(400)
    assert curve.high[-1] < 20
    mentions = gathered(connection).curve
    assert mentions is not None
    assert (mentions.of, len(mentions.times)) == ("mentions", 48)


def test_there_is_no_curve_before_there_is_a_history(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    say(connection, crowd(20))
    assert gathered(connection, is_warming_up=True).curve is None


def test_a_message_keeps_its_language_and_topics(connection: duckdb.DuckDBPyConnection) -> None:
    say(connection, crowd(6, text="La fuite continue", topics=("T10",)))
    [message] = gathered(connection).messages
    assert (message.topics, message.reasons) == (("T10",), None)


def test_an_alert_about_a_source_rests_on_the_sources_alone(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = gathered(connection, rule_id="silent_source", subject_id=None, scope="mastodon")
    assert (found.messages, found.networks, found.curve) == ((), {}, None)
