"""Windows, units and prices as a manifest declares them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.limits import Daily, Limit, Monthly, Price, Rolling, window_of

SEARCH = Limit(name="search", most=100, per=Daily(), costs=((r"/search$", 1),))
UNITS = Limit(name="units", most=10_000, per=Daily(), costs=((r"/search$", 0), (r"/v3/", 1)))


def test_a_call_takes_the_units_of_the_first_pattern_that_is_found() -> None:
    assert (SEARCH.units("GET /v3/search"), SEARCH.units("GET /v3/videos")) == (1, 0)
    assert (UNITS.units("GET /v3/search"), UNITS.units("GET /v3/videos")) == (0, 1)
    assert Limit(name="calls", most=1, per=Rolling(5)).units("POST /any") == 1


@pytest.mark.parametrize(
    ("at", "start", "end"),
    [
        ("2026-11-26T07:59", "2026-11-25T08:00", "2026-11-26T08:00"),
        ("2026-11-26T08:00", "2026-11-26T08:00", "2026-11-27T08:00"),
        ("2026-07-01T12:00", "2026-07-01T07:00", "2026-07-02T07:00"),
        ("2026-11-01T20:00", "2026-11-01T07:00", "2026-11-02T08:00"),  # 25 hours
        ("2026-03-08T20:00", "2026-03-08T08:00", "2026-03-09T07:00"),  # 23 hours
    ],
)
def test_a_day_ends_at_midnight_pacific_whatever_its_clocks_do(
    at: str, start: str, end: str
) -> None:
    moments = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (at, start, end)]
    assert window_of(Daily("America/Los_Angeles"), moments[0]) == (moments[1], moments[2])


def test_a_day_may_begin_at_another_hour_and_a_month_is_that_of_its_zone() -> None:
    at = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    start, _ = window_of(Daily("Europe/Paris", hour=9), at)
    assert start == datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert window_of(Monthly("Europe/Paris"), at) == (
        datetime(2026, 11, 30, 23, tzinfo=UTC),
        datetime(2026, 12, 31, 23, tzinfo=UTC),
    )
    assert window_of(Monthly(), at)[1] == datetime(2026, 12, 1, tzinfo=UTC)


def _price(**changes: object) -> Price:
    return Price(**({"name": "posts", "amount": "0.005", "currency": "USD"} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amount", "millionths"),
    [("0.005", 5000), ("1", 1_000_000), ("12.5", 12_500_000), ("0.0000001", 1)],
)
def test_an_amount_is_exact_and_never_rounded_down(amount: str, millionths: int) -> None:
    assert _price(amount=amount).millionths == millionths


def test_an_answer_is_paid_by_its_items_and_set_aside_by_what_is_asked_for() -> None:
    price = _price(items=("includes", "users"), items_param="max_results", most_items=100)
    assert price.at_most({"max_results": "10"}) == 50_000
    assert price.at_most({}) == price.at_most({"max_results": "many"}) == 500_000
    assert price.of_answer({"includes": {"users": [1, 2]}}) == 10_000
    assert price.of_answer({"data": []}) == 0
    assert price.of_answer({"includes": {"users": 7}}) is None
    assert price.of_answer("<html>") is None
    assert _price().of_answer(None) == _price().at_most({}) == 5000
