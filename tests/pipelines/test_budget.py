"""The budget that workers share: windows, money, clocks, deaths, and many processes at once."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines import budget
from pipelines.budget import Budget, Call, Held, Ledger, Refusal, Told
from pipelines.errors import SourceError
from pipelines.limits import Daily, Limit, Monthly, Price, Rolling, Window

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CALL = Call(method="GET", host="api.example", path="/v1/search")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / budget.FILE)
    yield made
    made.close()


def _budget(ledger: Ledger, most: int, per: Window, **changes: object) -> Budget:
    limits = (Limit(name="calls", most=most, per=per),)
    values = {"ledger": ledger, "block": "forum", "kind": "forum", "limits": limits}
    return Budget(**(values | changes))  # type: ignore[arg-type]


def _asked(mine: Budget, now: datetime, *, lasts: timedelta = timedelta(0)) -> bool:
    """Whether a call that lasts so long may go out; it is answered if so."""
    held = mine.ask(CALL, now=now)
    if isinstance(held, Refusal):
        return False
    mine.answered(held, status=200, found=None, told=None, now=now + lasts)
    return True


def _retry(mine: Budget, now: datetime) -> datetime:
    refusal = mine.ask(CALL, now=now)
    assert isinstance(refusal, Refusal)
    return refusal.retry_at


@pytest.mark.parametrize("most", [3, 300])
def test_a_rolling_window_gives_no_more_than_its_most_and_frees_the_oldest_first(
    ledger: Ledger, most: int
) -> None:
    mine = _budget(ledger, most, Rolling(300))
    assert sum(_asked(mine, NOON + n * SECOND / 2) for n in range(most + 5)) == most
    free_at = _retry(mine, NOON + 200 * SECOND)
    assert NOON + 300 * SECOND <= free_at <= NOON + 306 * SECOND
    assert _asked(mine, free_at)


def test_a_call_counts_until_the_window_has_passed_since_its_answer(ledger: Ledger) -> None:
    mine = _budget(ledger, 1, Rolling(5))
    assert _asked(mine, NOON, lasts=20 * SECOND)
    assert _retry(mine, NOON + 21 * SECOND) == NOON + 25 * SECOND


def test_calls_under_way_are_counted(ledger: Ledger) -> None:
    mine = _budget(ledger, 2, Rolling(1))
    held = [mine.ask(CALL, now=NOON + n * SECOND) for n in (0, 5)]
    assert all(isinstance(h, Held) for h in held)
    assert _retry(mine, NOON + 20 * SECOND) == NOON + 20 * SECOND + budget.POLL


def test_a_call_that_no_budget_could_hold_does_not_wait_for_ever(ledger: Ledger) -> None:
    mine = _budget(ledger, 0, Rolling(300))
    assert _retry(mine, NOON) == NOON + 300 * SECOND


def test_a_day_resets_at_its_own_midnight_and_a_minute_on_either_side_counts_twice(
    ledger: Ledger,
) -> None:
    mine = _budget(ledger, 2, Daily("America/Los_Angeles"))
    midnight = datetime(2026, 11, 21, 8, tzinfo=UTC)
    assert _asked(mine, midnight - 30 * SECOND)
    assert _asked(mine, midnight + 30 * SECOND)
    assert not _asked(mine, midnight + 59 * SECOND)
    assert not _asked(mine, midnight + timedelta(hours=9))
    assert _retry(mine, midnight + timedelta(hours=9)) == midnight + timedelta(days=1, minutes=1)
    assert _asked(mine, midnight + timedelta(days=1, minutes=2))


def test_a_call_over_midnight_counts_in_both_days(ledger: Ledger) -> None:
    mine = _budget(ledger, 1, Daily())
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    assert _asked(mine, midnight - 90 * SECOND, lasts=100 * SECOND)
    assert not _asked(mine, midnight + timedelta(hours=3))


def test_a_clock_that_is_set_back_opens_nothing_again(ledger: Ledger) -> None:
    mine = _budget(ledger, 1, Rolling(300))
    assert _asked(mine, NOON)
    assert not _asked(mine, NOON - timedelta(hours=1))


def test_a_clock_that_jumped_ahead_costs_one_window_and_no_more(ledger: Ledger) -> None:
    mine = _budget(ledger, 1, Rolling(300))
    assert _asked(mine, NOON + timedelta(days=900))
    assert not _asked(mine, NOON)
    assert _asked(mine, NOON + 301 * SECOND)


def test_a_process_that_dies_leaves_its_call_counted(ledger: Ledger) -> None:
    mine = _budget(ledger, 1, Daily())
    assert isinstance(mine.ask(CALL, now=NOON), Held)
    assert not _asked(mine, NOON + SECOND)
    assert not _asked(mine, NOON + budget.HELD + SECOND)
    assert [s.used for s in mine.standings(now=NOON + timedelta(hours=2))] == [1]
    assert _asked(mine, NOON + timedelta(days=1))


def test_a_call_given_up_for_lost_and_answered_after_all_counts_once(ledger: Ledger) -> None:
    mine = _budget(ledger, 5, Daily())
    held = mine.ask(CALL, now=NOON)
    assert isinstance(held, Held)
    late = NOON + budget.HELD + SECOND
    assert [s.used for s in mine.standings(now=late)] == [1]
    mine.answered(held, status=200, found=None, told=None, now=late)
    assert [s.used for s in mine.standings(now=late)] == [1]


def test_each_host_has_a_window_of_its_own_and_each_credential_where_it_is_counted(
    ledger: Ledger,
) -> None:
    by_account = (Limit(name="calls", most=1, per=Daily(), of="account"),)
    one, other = (
        _budget(ledger, 1, Daily(), limits=by_account, account=name) for name in ("A", "B")
    )
    assert _asked(one, NOON)
    assert _asked(other, NOON)
    assert not _asked(one, NOON)
    anyone = _budget(ledger, 1, Daily())
    assert _asked(anyone, NOON)
    elsewhere = Call(method="GET", host="other.example", path="/")
    assert isinstance(anyone.ask(elsewhere, now=NOON), Held)


def test_blocks_of_one_kind_share_the_window_of_a_host(ledger: Ledger) -> None:
    one, other = (_budget(ledger, 1, Daily(), block=name) for name in ("a", "b"))
    assert _asked(one, NOON)
    assert not _asked(other, NOON)


def test_a_bucket_of_searches_is_apart_from_the_units_of_the_rest(ledger: Ledger) -> None:
    pacific = Daily("America/Los_Angeles")
    limits = (
        Limit(name="search", most=1, per=pacific, costs=((r"/search$", 1),)),
        Limit(name="units", most=10_000, per=pacific, costs=((r"/search$", 0), ("", 50))),
    )
    mine = _budget(ledger, 1, pacific, limits=limits)
    assert _asked(mine, NOON)
    refusal = mine.ask(CALL, now=NOON)
    assert isinstance(refusal, Refusal)
    assert "'search' of forum is used up (1 of 1 calls a day)" in refusal.why
    videos = Call(method="GET", host="api.example", path="/v1/videos")
    assert isinstance(mine.ask(videos, now=NOON), Held)
    used = {s.name: (s.used, s.left) for s in mine.standings(now=NOON)}
    assert used == {"search": (1, 0), "units": (50, 9950)}


# --- money

POSTS = Price(name="posts", amount="0.005", currency="EUR", items=("data",), most_items=100)


def _paying(ledger: Ledger, **caps: int) -> Budget:
    found = {("" if name == "house" else name, "EUR"): cap for name, cap in caps.items()}
    return Budget(ledger=ledger, block="x", kind="x", prices=(POSTS,), caps=found)


def test_money_is_set_aside_before_and_becomes_what_came(ledger: Ledger) -> None:
    mine = _paying(ledger, x=1_000_000)
    held = mine.ask(CALL, now=NOON)
    assert isinstance(held, Held)
    assert [s.used for s in mine.standings(now=NOON)] == [500_000]
    mine.answered(held, status=200, found={"data": [1, 2]}, told=None, now=NOON)
    (standing,) = mine.standings(now=NOON)
    assert (standing.used, standing.most, standing.unit) == (10_000, 1_000_000, "EUR")
    assert standing.resets_at == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "found", "cost"),
    [(200, "<html>", 500_000), (404, None, 0), (304, None, 0), (200, {"data": []}, 0)],
)
def test_an_answer_that_cannot_be_counted_costs_what_was_set_aside(
    ledger: Ledger, status: int, found: object, cost: int
) -> None:
    mine = _paying(ledger, x=1_000_000)
    held = mine.ask(CALL, now=NOON)
    assert isinstance(held, Held)
    mine.answered(held, status=status, found=found, told=None, now=NOON)
    assert [s.used for s in mine.standings(now=NOON)] == [cost]


def test_the_cap_of_the_house_holds_over_all_its_sources(ledger: Ledger) -> None:
    mine = _paying(ledger, x=9_000_000, house=600_000)
    assert isinstance(mine.ask(CALL, now=NOON), Held)
    refusal = mine.ask(CALL, now=NOON)
    assert isinstance(refusal, Refusal)
    assert "all sources has spent 0.50 of 0.60 EUR this month" in refusal.why
    assert "monthly_cap_eur of the table [budget]" in refusal.why
    assert refusal.retry_at == datetime(2026, 12, 1, 0, 1, tzinfo=UTC)


def test_the_money_of_a_month_is_free_again_in_the_next(ledger: Ledger) -> None:
    mine = _paying(ledger, x=500_000)
    assert isinstance(mine.ask(CALL, now=NOON), Held)
    assert isinstance(mine.ask(CALL, now=NOON + timedelta(days=5)), Refusal)
    assert isinstance(mine.ask(CALL, now=NOON + timedelta(days=11)), Held)


def test_amounts_are_written_as_people_write_them() -> None:
    assert [budget.money(n) for n in (0, 5_000, 500_000, 12_340_000)] == [
        *("0.00", "0.005", "0.50", "12.34")
    ]


# --- what a service says


def test_the_least_that_a_service_says_counts_less_what_is_under_way(ledger: Ledger) -> None:
    mine = Budget(ledger=ledger, block="a")
    reset = NOON + 60 * SECOND
    held = [mine.ask(CALL, now=NOON) for _ in range(3)]
    for one, remaining in zip(held[:2], (1, 2), strict=True):  # the second overtook the first
        assert isinstance(one, Held)
        told = Told(remaining=remaining, reset_at=reset, most=10)
        mine.answered(one, status=200, found=None, told=told, now=NOON)
    refusal = mine.ask(CALL, now=NOON)  # one is left, and one is under way
    assert isinstance(refusal, Refusal)
    assert refusal.is_told
    assert isinstance(mine.ask(CALL, now=reset), Held)
    (said,) = mine.standings(now=NOON)
    assert (said.is_told, said.used, said.most, said.resets_at) == (True, 9, 10, reset)


def test_an_answer_of_a_window_before_does_not_open_this_one(ledger: Ledger) -> None:
    mine = Budget(ledger=ledger, block="a")
    held = [mine.ask(CALL, now=NOON) for _ in range(2)]
    for one, (remaining, seconds) in zip(held, ((0, 300), (9, 10)), strict=True):
        assert isinstance(one, Held)
        told = Told(remaining=remaining, reset_at=NOON + seconds * SECOND)
        mine.answered(one, status=200, found=None, told=told, now=NOON)
    assert isinstance(mine.ask(CALL, now=NOON + 20 * SECOND), Refusal)


# --- the file


def test_what_is_kept_does_not_grow_with_the_calls(ledger: Ledger) -> None:
    mine = _budget(ledger, 10_000, Rolling(3600))
    for n in range(3000):
        assert _asked(mine, NOON + n * 5 * SECOND)
    with ledger.changing() as connection:
        (rows,) = connection.execute("select count(*) from spent").fetchone()
    assert rows <= budget.BUCKETS + 2


def test_a_file_that_cannot_be_read_stops_the_call_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / budget.FILE
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(SourceError, match=r"budget\.sqlite cannot be used .* cannot be counted"):
        _budget(Ledger(path), 1, Daily()).ask(CALL, now=NOON)


def test_who_waits_for_the_ledger_takes_no_call_for_one_of_a_clock_that_ran_ahead(
    tmp_path: Path,
) -> None:
    path = tmp_path / budget.FILE
    mine, other = (_budget(Ledger(path), 1, Rolling(60.0)) for _ in range(2))
    key = mine._key(mine.limits[0], CALL.host)
    answered_at = budget._micros(NOON + timedelta(seconds=1.4))
    with ThreadPoolExecutor(1) as pool:
        with mine.ledger.changing() as connection:
            asked = pool.submit(other.ask, CALL, now=NOON)
            time.sleep(1.5)
            connection.execute("insert into spent values (?, ?, 1)", [key, answered_at])
        assert isinstance(asked.result(), Refusal)
    assert isinstance(other.ask(CALL, now=NOON + timedelta(seconds=61)), Refusal)
    assert isinstance(other.ask(CALL, now=NOON + timedelta(seconds=62)), Held)


_HAMMER = """
import sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pipelines.budget import Budget, Call, Held, Ledger
from pipelines.limits import Daily, Limit, Price, Rolling

path, until = Path(sys.argv[1]), float(sys.argv[2])
limits = (
    Limit(name="rate", most=20, per=Rolling(0.5)),
    Limit(name="day", most=150, per=Daily("America/Los_Angeles")),
)
price = Price(name="calls", amount="0.01", currency="EUR")
mine = Budget(ledger=Ledger(path), block="x", kind="x", limits=limits, prices=(price,),
              caps={("x", "EUR"): 1_300_000})
call = Call(method="GET", host="api.example", path="/")
while time.time() < until:
    held = mine.ask(call, now=datetime.now(UTC))
    if isinstance(held, Held):
        print(time.time(), flush=True)  # the service counts it somewhere between here ...
        time.sleep(0.004)
        print(time.time(), flush=True)  # ... and here
        mine.answered(held, status=200, found=None, told=None, now=datetime.now(UTC))
    elif held.retry_at > datetime.now(UTC) + timedelta(hours=12):
        break  # the money of the month is spent
    else:
        time.sleep(0.002)
"""


def _hammered(path: Path, *, kill: bool) -> list[list[float]]:
    """Eight processes that ask as fast as they can until the money is spent; what each printed.

    Three may be killed on their way.
    """
    words = [sys.executable, "-c", _HAMMER, str(path), str(time.time() + 120)]
    started = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    for process in started[:3] if kill else ():
        assert process.stdout is not None
        process.stdout.readline()  # in the midst of a call
        process.send_signal(signal.SIGKILL)
    return [[float(line) for line in p.communicate()[0].split()] for p in started]


@pytest.mark.slow
@pytest.mark.parametrize("kill", [False, True])
def test_eight_processes_never_exceed_a_budget_together(tmp_path: Path, kill: bool) -> None:
    path = tmp_path / budget.FILE
    printed = _hammered(path, kill=kill)
    sent = sorted(at for times in printed for at in times[::2])
    # The cap of money, 130 calls, is below that of the day; of three a line was read above.
    assert len(sent) == 130 if not kill else 120 <= len(sent) <= 130
    answered = sorted(at for times in printed for at in times[1::2])
    for at in answered:  # the twentieth call after it is sent half a second later
        later = [moment for moment in sent if moment > at]
        assert len(later) < 20 or later[20 - 1] - at > 0.4
    windows = [sum(1 for other in sent if at <= other < at + 0.5) for at in sent]
    assert max(windows) <= 20
    with sqlite3.connect(path) as connection:
        ((spent,),) = connection.execute(
            "select sum(units) from spent where key like 'money%'"
        ).fetchall()
        ((held,),) = connection.execute(
            "select coalesce(sum(units), 0) from held where key like 'money%'"
        ).fetchall()
    assert spent + held <= 1_300_000
    assert spent + held >= len(sent) * 10_000


def test_chance_finds_no_order_of_calls_that_exceeds_a_window(ledger: Ledger) -> None:
    dice = random.Random(4)
    mine = _budget(ledger, 5, Rolling(10))
    now, under_way = NOON, list[tuple[Held, datetime]]()
    seen: list[tuple[datetime, datetime]] = []
    for _ in range(600):
        now += SECOND * dice.random() * 2
        if under_way and dice.random() < 0.5:
            held, sent = under_way.pop(dice.randrange(len(under_way)))
            mine.answered(held, status=200, found=None, told=None, now=now)
            seen.append((sent, now))
        elif isinstance(held := mine.ask(CALL, now=now), Held):
            under_way.append((held, now))
    for _ in range(2000):  # whenever the service counted each of them
        at = [sent + (end - sent) * dice.random() for sent, end in seen]
        first = dice.choice(at)
        assert sum(first <= other < first + 10 * SECOND for other in at) <= 5


def test_windows_of_every_kind_are_told_in_words() -> None:
    kinds: list[Window] = [Rolling(5), Rolling(300), Rolling(1), Daily(), Monthly()]
    assert [budget.span(kind) for kind in kinds] == [
        *("in 5 s", "in 5 min", "in 1 s", "a day", "a month")
    ]
