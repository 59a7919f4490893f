"""Rounds of questions: none stops another, windows go on where they stopped, waits are kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import http
from pipelines.errors import RateLimited, SourceError
from pipelines.sources import Checkpoint, Collected, Payload, Request, Terms, _rounds as rounds
from tests.pipelines.loopback import NOON, Clock

HOUR = timedelta(hours=1)


def request(cursor: dict[str, Any] | None = None, *, until: datetime = NOON) -> Request:
    clock = Clock()
    return Request(
        name="essai",
        options=None,
        terms=Terms(names=("Ville de Valmont", "valmont", "Valmont", ' "', "L'Isle")),
        cursor=cursor,
        since=until - HOUR,
        until=until,
        client=http.Client(sleep=clock.sleep, now=clock.now),
        home=Path(),
    )


def begun(cursor: dict[str, Any] | None = None, **changed: Any) -> rounds.Round:
    return rounds.begun(request(cursor, **changed), kind="essai", of="here")


def last(items: list[Collected]) -> Checkpoint:
    assert isinstance(items[-1], Checkpoint)
    return items[-1]


def test_one_question_in_trouble_stops_no_other_and_is_asked_from_where_it_stood() -> None:
    run = begun()

    def ask(question: str) -> Iterator[Payload]:
        yield Payload(kind="x", data=question)
        if question == "b":
            raise SourceError("b is down")
        run.reached[question] = NOON

    items = list(rounds.asked(run, ("a", "b", "c"), ask))
    assert [item.data for item in items if isinstance(item, Payload)] == ["a", "b", "c"]
    end = last(items)
    assert (end.capped, end.note) == (True, "b is down")
    following = begun(end.cursor, until=NOON + HOUR)
    assert following.since("a") == NOON
    assert following.since("a", overlap=HOUR) == NOON - HOUR
    assert following.since("b", overlap=HOUR) == NOON - HOUR  # the window that was never read
    assert following.since("new") == NOON


def test_nothing_read_at_all_is_raised() -> None:
    def ask(question: str) -> Iterator[Payload]:
        raise SourceError(f"{question} is down")
        yield

    with pytest.raises(SourceError, match="a is down"):
        list(rounds.asked(begun(), ("a", "b"), ask))


def test_a_long_wait_ends_the_round_and_is_kept_for_the_next_run() -> None:
    run = begun()
    asked = []

    def ask(question: str) -> Iterator[Payload]:
        asked.append(question)
        if question == "b":
            raise RateLimited("too many", NOON + HOUR)
        run.reached[question] = NOON
        yield Payload(kind="x", data=question)

    end = last(list(rounds.asked(run, ("a", "b", "c"), ask)))
    assert asked == ["a", "b"]
    with pytest.raises(RateLimited, match="asked to wait until 2026-11-20 13:00Z") as raised:
        begun(end.cursor)
    assert raised.value.retry_at == NOON + HOUR
    end.cursor["retry_at"] = (NOON - HOUR).isoformat()
    assert "retry_at" not in begun(end.cursor).checkpoint().cursor


def test_the_question_read_longest_ago_is_asked_first() -> None:
    run = begun({"of": "here", "reached": {"a": NOON.isoformat()}})
    order: list[str] = []

    def ask(question: str) -> Iterator[Payload]:
        order.append(question)
        yield from ()

    list(rounds.asked(run, ("a", "b"), ask))
    assert order == ["b", "a"]


def test_what_was_handed_over_is_known_again_and_a_question_no_longer_asked_forgotten() -> None:
    run = begun()
    assert run.is_new("1")
    assert not run.is_new("1")
    run.reached |= {"gone": NOON, "kept": NOON}
    run.forget_all_but(("kept", "new"))
    run.more = lambda: {"quota": 3}
    following = begun(run.checkpoint().cursor)
    assert not following.is_new("1")
    assert following.is_new("2")
    assert following.reached == {"kept": NOON}
    assert run.checkpoint().cursor["quota"] == 3


@pytest.mark.parametrize(
    "cursor",
    [
        {"of": "elsewhere", "reached": {"a": NOON.isoformat()}, "seen": ["x"]},
        {"of": "here", "reached": [1], "seen": {"a": 1}, "retry_at": 7},
        {"of": "here", "reached": {"a": "yesterday"}, "seen": [3, None]},
    ],
)
def test_a_cursor_of_another_service_or_shape_starts_again(cursor: dict[str, Any]) -> None:
    run = begun(cursor)
    assert (run.reached, run.seen) == ({}, {})


def test_gaps_are_joined_and_empty_ones_are_none() -> None:
    run = begun()
    run.tell_cut((NOON, NOON), "cut")
    assert run.gap is None
    run.tell_cut((NOON - HOUR, NOON), "cut")
    run.tell_cut((NOON, NOON + HOUR), "cut again")
    assert run.gap == (NOON - HOUR, NOON + HOUR)
    assert run.checkpoint().note == "cut; cut again"


def test_names_of_several_words_are_searched_as_phrases() -> None:
    assert rounds.phrases(request().terms) == ('"Ville de Valmont"', "Valmont", '"L\'Isle"')


def test_a_query_that_follows_a_person_is_refused() -> None:
    from pydantic import TypeAdapter

    check = TypeAdapter(rounds.Queries)
    assert check.validate_python(("Valmont OR piscine",)) == ("Valmont OR piscine",)
    for wrong in ("author:jeanne", "Valmont from:leo", "user:12 x", " "):
        with pytest.raises(ValueError, match=r"follows an account|is empty"):
            check.validate_python((wrong,))


def test_a_question_cut_short_goes_on_exactly_where_it_stopped() -> None:
    run = begun({"of": "here", "reached": {"a": NOON.isoformat()}})
    run.go_on_from("a", NOON - HOUR / 2)
    following = begun(run.checkpoint().cursor, until=NOON + HOUR)
    assert following.since("a", overlap=HOUR) == NOON - HOUR / 2
    following.reached["a"] = NOON + HOUR
    assert begun(following.checkpoint().cursor).checkpoint().cursor["starts"] == {}


def test_a_second_round_of_questions_that_all_fail_does_not_undo_the_first() -> None:
    run = begun()

    def ask(question: str) -> Iterator[Payload]:
        if question == "b":
            raise SourceError("b is down")
        run.reached[question] = NOON
        yield from ()

    list(rounds.asked(run, ("a",), ask))
    assert last(list(rounds.asked(run, ("b",), ask))).note == "b is down"
