"""Which messages are drawn for labelling: by chance with known chances, and by doubt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import duckdb
import numpy as np
import pytest

from models.acts import ACTS
from models.topics import LABELS, thresholds
from pipelines import alert_actions, labelling
from pipelines.labelling import Candidate, Frame, LabelError, Task, doubts, joined, plan
from tests.pipelines.watched import AS_OF, Said, empty, say

HOUR = timedelta(hours=1)
DAY = AS_OF.date()


def candidate(number: int, network: str = "mastodon", **changed: object) -> Candidate:
    made = Candidate(
        mention_id=f"m{number}",
        published_at=AS_OF - HOUR * number,
        network=network,
        text_hash=f"h{number}",
        text=f"Message numéro {number} sur la rue {number * 7}",
        doubts={"tone": number % 10 / 10, "topic": number % 7 / 10, "act": number % 3 / 10},
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def frame(*candidates: Candidate, **changed: object) -> Frame:
    made = Frame(since_at=AS_OF - 7 * 24 * HOUR, until_at=AS_OF, candidates=candidates)
    return replace(made, **changed)  # type: ignore[arg-type]


def town(count: int = 300) -> Frame:
    """A large network, a middling one and a small one."""
    names = ["mastodon"] * (count * 8 // 10) + ["press"] * (count * 19 // 100)
    names += ["forum"] * (count - len(names))
    return frame(*(candidate(n, name) for n, name in enumerate(names)))


def of(drawn: list[Task], part: str) -> list[Task]:
    return [task for task in drawn if task.part == part]


def test_the_same_frame_seed_and_day_give_the_same_draw_in_whatever_order() -> None:
    told = plan(town(), key="1|2026-11-20")
    turned = frame(*reversed(town().candidates))
    assert {t.mention.mention_id for t in plan(turned, key="1|2026-11-20")} == {
        t.mention.mention_id for t in told
    }
    assert plan(town(), key="1|2026-11-20") == told
    assert plan(town(), key="2|2026-11-20") != told
    assert plan(town(), key="1|2026-11-21") != told


def test_half_is_drawn_by_chance_and_no_message_twice() -> None:
    drawn = plan(town(), key="k", count=60)
    assert len(drawn) == 60
    assert len({t.mention.mention_id for t in drawn}) == 60
    assert Counter(t.part for t in drawn) == {"random": 31, "unsure": 29}  # one for the forum
    assert Counter(t.reason for t in of(drawn, "unsure")) == {"tone": 10, "topic": 10, "act": 9}


def test_every_network_has_a_chance_in_its_proportion() -> None:
    drawn = of(plan(town(1_000), key="k", count=60), "random")
    strata = {t.stratum: (t.stratum_count, t.stratum_drawn) for t in drawn}
    assert strata == {"mastodon": (800, 24), "press": (190, 6), "other": (10, 1)}
    assert all(t.mention.network == "forum" for t in drawn if t.stratum == "other")


def test_weighing_by_the_chances_is_right_on_average() -> None:
    """Horvitz-Thompson over 400 draws: within three standard errors of the truth."""
    whole = town(200)
    worth = {
        c.mention_id: float(c.network == "press") + n % 3 for n, c in enumerate(whole.candidates)
    }
    estimates = [
        sum(
            worth[t.mention.mention_id] * t.stratum_count / t.stratum_drawn
            for t in of(plan(whole, key=f"{n}|d", count=20), "random")
        )
        for n in range(400)
    ]
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - sum(worth.values())) < 3 * error


def test_doubt_never_changes_what_is_drawn_by_chance() -> None:
    sure = frame(*(replace(c, doubts={}) for c in town().candidates))
    assert of(plan(sure, key="k"), "random") != []
    assert {t.mention.mention_id for t in of(plan(sure, key="k"), "random")} == {
        t.mention.mention_id for t in of(plan(town(), key="k"), "random")
    }


def test_the_most_doubted_come_first_spread_over_the_networks() -> None:
    many = [candidate(n, doubts={"tone": 0.9 - n / 1_000}) for n in range(40)]
    few = [candidate(100 + n, "press", doubts={"tone": 0.5}) for n in range(3)]
    drawn = plan(frame(*many, *few), key="k", count=6, random_share=0.0)
    assert Counter(t.mention.network for t in drawn) == {"mastodon": 3, "press": 3}
    assert {"m0", "m1", "m2"} <= {t.mention.mention_id for t in drawn}


def test_one_in_five_of_each_part_goes_to_two_people() -> None:
    drawn = plan(town(), key="k", count=60)
    twice = {p: sum(t.wanted_count == 2 for t in of(drawn, p)) for p in ("random", "unsure")}
    assert twice == {"random": 7, "unsure": 6}


def test_near_copies_are_one_message_and_their_number_is_kept() -> None:
    said = "La rue des Tanneurs est fermée à la circulation jusqu'à vendredi soir pour travaux"
    copies = [candidate(n, text=f"{said} {'!' * n}") for n in range(9)]
    found = joined(frame(*copies, candidate(50)))
    assert [c.copy_count for c in found.candidates] == [1, 9]
    assert len(plan(found, key="k", count=10)) == 2


def test_a_text_that_was_drawn_is_not_chosen_again_but_may_be_met_by_chance() -> None:
    """A random part without it would say nothing of messages like it."""
    known = frozenset(c.text_hash for c in town().candidates)
    drawn = plan(replace(town(), known=known), key="k")
    assert len(drawn) == 31
    assert {t.part for t in drawn} == {"random"}


def test_what_moderators_called_wrong_has_a_share_of_its_own() -> None:
    reported = tuple(candidate(1_000 + n) for n in range(50))
    drawn = plan(replace(town(), reported=reported), key="k", count=60)
    assert Counter(t.part for t in drawn) == {"random": 31, "unsure": 19, "reported": 10}


def test_doubt_is_a_narrow_margin_or_a_near_threshold() -> None:
    row = {"p_negative": 0.5, "p_neutral": 0.4, "p_positive": 0.1, "thresholds": "{}"}
    limits = list(thresholds().values())
    near = doubts(row | {"topic_p": limits, "act_p": [0.0] * len(ACTS)})
    assert near == pytest.approx({"tone": 0.9, "topic": 1.0, "act": 0.0})
    told = '{"acts": {"claim": 0.25}}'
    chances = [0.25 if act == "claim" else 0.0 for act in ACTS]
    row |= {"topic_p": [0.0] * len(LABELS), "act_p": chances, "thresholds": told}
    assert doubts(row)["act"] == 1.0


def test_what_no_model_reads_has_no_doubt() -> None:
    row = dict.fromkeys(("p_negative", "p_neutral", "p_positive", "topic_p", "act_p"))
    assert doubts(row | {"thresholds": "{}"}) == {}


# --- in the warehouse


@contextmanager
def same(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    yield connection


def warehouse(count: int = 30) -> duckdb.DuckDBPyConnection:
    connection = empty()
    say(
        connection,
        [
            Said(at=AS_OF - HOUR * n, text=f"Le guichet {n} de la rue {n}")
            for n in range(1, count + 1)
        ],
    )
    return connection


def draw(connection: duckdb.DuckDBPyConnection, **changed: object) -> labelling.Batch:
    asked = {"day": DAY, "as_of": AS_OF, "by": "Ada", "count": 10} | changed
    return labelling.draw(lambda _: same(connection), **asked)  # type: ignore[arg-type]


def test_a_draw_is_kept_with_its_frame_and_made_once() -> None:
    connection = warehouse()
    first = draw(connection)
    assert first.is_new
    assert (first.batch_id, first.distinct_count, first.parts["random"]) == ("2026-11-20-1", 30, 5)
    again = draw(connection, seed=1)
    assert not again.is_new
    assert replace(again, is_new=True) == first
    assert connection.execute("select count(*) from label_task").fetchone() == (10,)


def test_the_next_draw_begins_where_the_last_ended() -> None:
    connection = warehouse()
    draw(connection)
    with pytest.raises(LabelError, match="no scored message of others first seen since 2026-11-20"):
        draw(connection)
    for seed, number in ((7, 99), (None, 100)):
        later = AS_OF + HOUR * number
        say(connection, [Said(at=later, text=f"Une fuite au numéro {number}")])
        assert draw(connection, as_of=later, seed=seed).distinct_count == 1
    assert connection.execute("select max(seed) from label_batch").fetchone() == (8,)


@pytest.mark.parametrize(("seed", "other", "kept"), [(1, 1, 1), (None, 1, 1), (4, 9, 1)])
def test_two_draws_at_once_never_share_a_frame(seed: int | None, other: int, kept: int) -> None:
    connection = warehouse()
    meanwhile = [other]

    def opening(is_read: bool) -> object:
        if not is_read and meanwhile:
            draw(connection, seed=meanwhile.pop())
        return same(connection)

    asked = {"day": DAY, "as_of": AS_OF, "by": "Bo", "count": 10, "seed": seed}
    if seed == 4:  # all that there was is drawn
        with pytest.raises(LabelError, match="no scored message"):
            labelling.draw(opening, **asked)  # type: ignore[arg-type]
    else:
        assert not labelling.draw(opening, **asked).is_new  # type: ignore[arg-type]
    assert connection.execute("select count(*) from label_batch").fetchone() == (kept,)
    assert connection.execute("select count(*) from label_task").fetchone() == (10,)


@pytest.mark.parametrize(
    "change",
    [
        "is_own = true",
        "optout = true",
        "deleted_at = now()",
        "text = '', text_expired_at = now()",
        "first_seen_at = first_seen_at - interval 8 day",
    ],
)
def test_what_may_not_be_shown_is_never_drawn(change: str) -> None:
    connection = warehouse(5)
    connection.execute(f"update mention set {change}")  # noqa: S608 - our own words
    with pytest.raises(LabelError, match="no scored message"):
        draw(connection)


def test_a_message_that_was_seen_before_a_draw_and_loaded_after_it_is_in_the_next() -> None:
    connection = warehouse(5)
    draw(connection)
    say(connection, [Said(at=AS_OF - HOUR / 2, text="Lu par une exécution qui n'avait pas fini")])
    assert draw(connection).distinct_count == 1


def test_a_message_called_wrong_is_drawn_whatever_the_frame() -> None:
    connection = warehouse(5)
    old = AS_OF - 9 * 24 * HOUR
    say(connection, [Said(at=old, text="Bravo pour ce beau trottoir effondré")])
    (name,) = connection.execute(
        "select mention_id from mention where first_seen_at = ?", [old]
    ).fetchone()  # type: ignore[misc]
    connection.execute(
        "insert into incident values ('i1', 'f', 'r', '1', 'eau', 'all', 'warning', 'firing', $at,"
        " $at, null, 3, 1, '{}')",
        {"at": old},
    )
    given: dict[str, Any] = {"actor": "Bo", "mention_id": name}
    alert_actions.judge(connection, "i1", "wrong_tone", at=AS_OF - HOUR, better="negative", **given)
    draw(connection)
    rows = connection.execute(
        "select mention_id from label_task where part = 'reported'"
    ).fetchall()
    assert rows == [(name,)]


def test_an_alert_called_wrong_stands_for_the_messages_that_its_letters_showed() -> None:
    connection = warehouse(40)
    names = [n for (n,) in connection.execute("select mention_id from mention").fetchall()]
    connection.execute(
        "insert into incident values ('i1', 'f', 'r', '1', 'eau', 'all', 'warning', 'firing', $at,"
        " $at, null, 3, 1, '{}')",
        {"at": AS_OF},
    )
    shown = "[" + ",".join(f'{{"mention_id": "{name}"}}' for name in names) + "]"
    connection.execute(
        "insert into alert_evidence (incident_id, sequence, made_at, kind, reason, rule_sha256,"
        " alert, messages, networks, tone) values ('i1', 1, $at, 'alert', '', '', '{}', $shown,"
        " '[]', '{}')",
        {"at": AS_OF, "shown": shown},
    )
    told: dict[str, Any] = {"actor": "Bo", "at": AS_OF}
    alert_actions.judge(connection, "i1", "wrong_topic", better="T09", **told)
    alert_actions.judge(connection, "i1", "wrong_tone", better="neutral", **told)
    alert_actions.take_back(connection, "i1", "wrong_tone", **told)
    assert draw(connection, count=12).parts == {"random": 6, "unsure": 4, "reported": 2}


@pytest.mark.parametrize("count", [0, 1_001])
def test_a_draw_of_no_size_is_refused(count: int) -> None:
    with pytest.raises(LabelError, match="1 to 1000 messages"):
        draw(warehouse(1), count=count)
