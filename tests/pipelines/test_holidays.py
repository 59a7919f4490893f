"""The days of a French year on which nobody is expected at a desk."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from pipelines.holidays import easter, is_holiday


@pytest.mark.parametrize(
    "day", ["2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2038-04-25"]
)
def test_easter_falls_where_the_calendar_says(day: str) -> None:
    assert easter(int(day[:4])) == date.fromisoformat(day)


def test_a_year_has_its_eleven_holidays() -> None:
    days = [date(2026, 1, 1) + timedelta(days=i) for i in range(365)]
    assert [f"{day:%m-%d}" for day in days if is_holiday(day)] == [
        "01-01",
        "04-06",
        "05-01",
        "05-08",
        "05-14",
        "05-25",
        "07-14",
        "08-15",
        "11-01",
        "11-11",
        "12-25",
    ]
