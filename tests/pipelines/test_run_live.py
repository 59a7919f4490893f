"""What a run takes up of readers, what it tells of them, and how posts are looked up again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import (
    accept as acceptance,
    gaps as gaps_told,
    landing,
    listening,
    load,
    privacy,
    run,
    warehouse,
)
from pipelines.errors import BudgetSpent, ContractBroken, RateLimited, SettingsError, SourceError
from pipelines.house import House, house as read_house
from pipelines.limits import Limit, Rolling
from pipelines.run import readers, whole
from pipelines.sources import Checkpoint, Held, Payload, Request, bluesky
from tests.pipelines import valbrume
from tests.pipelines.loopback import Answer, serving
from tests.pipelines.sources.bluesky_network import ALICE, commit, uri, view

NOW = datetime(2026, 11, 20, 12, 3, tzinfo=UTC)
Intake = dict[str, Any]


@pytest.fixture
def house(tmp_path: Path) -> House:
    valbrume.write(tmp_path, name="Belleroche")
    privacy.new_key(tmp_path)
    return read_house(tmp_path, environ={})


def _frame(rkey: str, **told: Any) -> Payload:
    at = told.pop("at", NOW - timedelta(minutes=1))
    return Payload(kind="event", data=json.loads(commit(1, rkey, at=at, **told)))


def _land(
    house: House, *payloads: Payload, seconds: int = 0, gap: Any = None, note: str | None = None
) -> listening.Receipt:
    """What a reader lands `seconds` before or after NOW, with its receipt."""
    at = NOW + timedelta(seconds=seconds)
    stamp = listening.next_stamp("", at)
    path = None
    if payloads:
        path = landing.path_for(house.home, "bluesky", f"live-{stamp}", at)
        landing.land(payloads, path=path, fetched_at=at)
    receipt = listening.Receipt(
        stamp=stamp,
        path=str(path.relative_to(house.home)) if path else None,
        payload_count=len(payloads),
        since=at - timedelta(seconds=3),
        until=at,
        cursor={"stream": {"seq": 1}},
        gap=gap,
        note=note,
    )
    listening.write_receipt(house.home, "bluesky", receipt)
    _tell(house, seconds=seconds, stamp=stamp)
    return receipt


def _tell(house: House, *, seconds: int = 0, **told: Any) -> None:
    """How the reader is, `seconds` before or after NOW."""
    at = NOW + timedelta(seconds=seconds)
    values: dict[str, Any] = {"at": at, "until": at, "status": "ok", "cursor": {"n": 1}}
    listening.write_reader(house.home, "bluesky", listening.Reader(**(values | told)))


def _live(house: House, *, seconds: int = 5) -> dict[str, int]:
    return run.live(house, now=NOW + timedelta(seconds=seconds))


def _intake(house: House) -> list[Intake]:
    with warehouse.opened(house.home, read_only=True) as connection:
        cursor = connection.execute("select * from intake order by run_id")
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _gaps(house: House) -> list[gaps_told.Gap]:
    with warehouse.opened(house.home, read_only=True) as connection:
        return gaps_told.gaps_of(connection, (NOW - timedelta(days=9), NOW + timedelta(days=9)))


def _one(house: House, query: str) -> Any:
    with warehouse.opened(house.home, read_only=True) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None


def test_what_a_reader_landed_is_judged_and_told_in_the_coverage_of_its_five_minutes(
    house: House,
) -> None:
    _land(house, _frame("a"), _frame("b"))
    assert _live(house)["inserted"] == 2
    (told,) = _intake(house)
    assert told["run_id"] == "20261120T120500Z"
    assert (told["status"], told["accepted_count"], told["until_at"]) == ("ok", 2, NOW)
    assert _one(house, "select count(*) from mention_scored where sentiment is not null") == 2
    assert _one(house, "select max(first_seen_at) from mention") == NOW
    assert listening.taken(house.home) == listening.newest(house.home)


def test_it_is_taken_up_once_and_what_comes_later_is_added(house: House) -> None:
    _land(house, _frame("a"))
    _live(house)
    assert _live(house, seconds=6) == {}
    _land(house, _frame("b"), seconds=10)
    assert _live(house, seconds=12)["inserted"] == 1
    (told,) = _intake(house)
    assert (told["payload_count"], told["until_at"]) == (2, NOW + timedelta(seconds=10))


@pytest.mark.parametrize("step", ["take", "accept", "score", "load"])
def test_a_run_that_is_killed_after_any_step_loses_nothing_and_doubles_nothing(
    house: House, step: str
) -> None:
    _land(house, _frame("a"))
    name, now = run.live_run(NOW), NOW
    steps: dict[str, Callable[[], object]] = {
        "take": lambda: run.take(house, name, now=now),
        "accept": lambda: run.accept(house, name),
        "score": lambda: run.score(house, name),
        "load": lambda: run.load(house, name),
    }
    for done in steps:
        steps[done]()
        if done == step:
            break
    _land(house, _frame("b"), seconds=3)
    for again in steps.values():  # Airflow clears it, and it is run again
        again()
    _live(house)
    assert _one(house, "select count(*) from mention") == 2
    (told,) = _intake(house)
    assert told["payload_count"] == 2


def test_what_a_failed_run_had_taken_up_is_taken_up_by_the_next(house: House) -> None:
    _land(house, _frame("a"))
    run.take(house, run.live_run(NOW), now=NOW)
    assert _live(house)["inserted"] == 1


def test_a_run_takes_so_many_payloads_and_leaves_the_rest_to_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "TAKEN_PAYLOADS", 2)
    for number in range(5):
        _land(house, _frame(f"p{number}"), seconds=number)
    assert [_live(house, seconds=n).get("inserted") for n in (5, 6, 7, 8)] == [2, 2, 1, None]
    assert _intake(house)[0]["until_at"] == NOW + timedelta(seconds=4)


def test_a_block_that_is_no_longer_live_starts_no_run(house: House) -> None:
    receipt = _land(house, _frame("a"))
    listening.write_receipt(house.home, "removed", replace(receipt, stamp="20990101T000000000000Z"))
    _live(house)
    newest, taken = listening.newest(house.home), listening.taken(house.home)
    assert listening.ahead(newest, taken) == ""


def test_every_gap_that_a_reader_tells_is_kept(house: House) -> None:
    gaps = [(NOW - timedelta(hours=h), NOW - timedelta(hours=h - 1)) for h in (9, 3)]
    _land(house, gap=gaps[0], note="CursorTooOld")
    _land(house, _frame("a"), seconds=1)
    _land(house, _frame("b"), seconds=2, gap=gaps[1])
    _live(house, seconds=3)
    (told,) = _intake(house)
    assert (told["gap_since_at"], told["gap_until_at"]) == (gaps[0][0], gaps[1][1])
    assert (told["note"], told["is_capped"]) == ("CursorTooOld", True)
    assert [gap.span for gap in _gaps(house)] == gaps


def test_landed_payloads_that_are_gone_are_a_gap_and_hold_nothing_up(house: House) -> None:
    lost = _land(house, _frame("a"))
    assert lost.path
    (house.home / lost.path).unlink()
    _land(house, _frame("b"), seconds=1)
    assert _live(house)["inserted"] == 1
    (told,) = _intake(house)
    assert (told["gap_since_at"], told["gap_until_at"]) == (lost.since, lost.until)
    assert "a disparu avant qu’un passage l’enregistre" in told["note"]


def test_what_an_erasure_takes_between_two_steps_holds_nothing_up(house: House) -> None:
    receipt = _land(house, _frame("a"))
    name = run.live_run(NOW)
    run.take(house, name, now=NOW)
    assert receipt.path
    (house.home / receipt.path).unlink()
    run.accept(house, name)
    run.score(house, name)
    assert run.load(house, name)["inserted"] == 0


@pytest.mark.parametrize(
    ("told", "seconds", "status", "note"),
    [
        (None, 0, "missing", "aucun lecteur n’a encore écouté"),
        ({}, 30, "ok", None),
        ({}, 90, "missing", "aucun lecteur depuis 2026-11-20 12:03:00Z"),
        ({"status": "stopped"}, 1, "missing", "aucun lecteur depuis"),
        ({"status": "failed", "note": "coupé"}, 1, "failed", "coupé"),
        ({"status": "waiting", "note": "plus tard"}, 1, "waiting", "plus tard"),
    ],
)
def test_how_the_reader_is_stands_in_the_coverage(
    house: House, told: dict[str, Any] | None, seconds: int, status: str, note: str | None
) -> None:
    if told is not None:
        _tell(house, **told)
    _live(house, seconds=seconds)
    (row,) = _intake(house)
    assert row["status"] == status
    assert note is None or note in row["note"]


def test_while_no_reader_listens_there_is_a_gap_which_the_next_one_fills(house: House) -> None:
    _land(house, _frame("a"))
    _live(house)
    for minutes in (5, 11):
        _live(house, seconds=60 * minutes)
    (gap,) = _gaps(house)
    assert (gap.span, gap.reason) == ((NOW, NOW + timedelta(minutes=11)), "missing")
    last = _one(house, "select last_status from source_coverage where source_name = 'bluesky'")
    assert last == "missing"
    _land(house, _frame("b"), seconds=60 * 14)  # the cursor goes on where the last one stopped
    _live(house, seconds=60 * 14)
    (gap,) = _gaps(house)
    assert (gap.filled_by, gap.found_by) == ("20261120T122000Z", "away-20261120T121000Z")
    read = "select read_seconds, gap_seconds from source_hour where hour_at = {}"
    hour = "timestamptz '2026-11-20 12:00:00+00'"
    with warehouse.opened(house.home, read_only=True) as connection:
        found = connection.execute(read.format(hour)).fetchone()
    assert found == (17 * 60 - 177, 0)  # since 12:02:57, when it began
    assert _one(house, "select last_status from source_coverage") == "ok"


def test_what_a_reader_s_host_no_longer_holds_stays_a_gap_until_it_is_back_filled(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    _land(house, _frame("a"))
    _live(house)
    _live(house, seconds=60 * 30)
    lost = (NOW + timedelta(minutes=1), NOW + timedelta(minutes=20))
    _land(house, seconds=60 * 40, gap=lost)
    _live(house, seconds=60 * 40)
    assert [gap.span for gap in _gaps(house) if gap.filled_by is None][-1] == lost

    def collect(request: Request) -> Any:
        assert request.is_backfill
        yield Checkpoint(cursor={})

    monkeypatch.setattr(bluesky, "collect", collect)
    run.backfill(house, as_of=NOW + timedelta(hours=1))
    assert [gap for gap in _gaps(house) if gap.filled_by is None] == []
    assert _one(house, "select count(*) from source_cursor") == 0


def test_a_moment_between_two_connections_is_no_gap(house: House) -> None:
    _land(house, _frame("a"))
    _live(house)
    _tell(house, seconds=280, status="failed", note="coupé")
    _live(house, seconds=285)
    assert [row["status"] for row in _intake(house)] == ["ok", "ok", "failed"]
    assert _gaps(house) == []


def test_a_silent_reader_is_accounted_for_every_five_minutes_and_not_oftener(
    house: House,
) -> None:
    for minutes in range(12):
        _tell(house, seconds=60 * minutes)
        _live(house, seconds=60 * minutes)
    assert [row["run_id"][9:13] for row in _intake(house)] == ["1205", "1210", "1215"]
    assert _intake(house)[-1]["until_at"] == NOW + timedelta(minutes=10)


def test_a_batch_that_breaks_the_contract_is_a_gap_and_the_stream_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> object:
        raise ContractBroken("mention_id breaks expect_column_to_exist", ("a",))

    bad = _land(house, _frame("a"))
    with monkeypatch.context() as patch:
        patch.setattr(acceptance, "accept", broken)
        _live(house)
    read, failed = _intake(house)
    assert (read["status"], read["gap_until_at"]) == ("ok", bad.until)
    assert (failed["run_id"], failed["status"]) == ("away-20261120T120500Z", "failed")
    assert [gap.span for gap in _gaps(house)] == [(bad.since, bad.until)]
    assert _one(house, "select count(*) from outbox where kind = 'failure'") == 1
    _land(house, _frame("b"), seconds=10)
    assert _live(house, seconds=12)["inserted"] == 1


def test_a_live_source_is_not_polled_but_its_past_may_be_read_again(house: House) -> None:
    _land(house, _frame("a"))
    _live(house)
    later = NOW + timedelta(minutes=5)
    assert run.plan(house, since=NOW, until=later) == []
    past = NOW - timedelta(hours=2)
    assert run.plan(house, since=past - timedelta(hours=1), until=past) == ["bluesky"]


def test_a_reader_that_is_past_the_end_of_the_present_window_has_not_made_it_the_past(
    house: House,
) -> None:
    _land(house, _frame("a"), seconds=122)
    _live(house, seconds=123)
    end = NOW + timedelta(minutes=2)
    assert run.plan(house, since=end - timedelta(minutes=5), until=end) == []


def test_what_lies_between_the_last_load_and_a_reader_that_begins_anew_is_a_gap(
    house: House,
) -> None:
    _land(house, _frame("a"))
    _live(house)
    shutil.rmtree(house.home / "listening" / "bluesky")
    begun = NOW + timedelta(hours=1)
    _tell(house, seconds=3610, since=begun)
    for seconds in (3611, 4000):
        _live(house, seconds=seconds)
    (gap,) = [gap for gap in _gaps(house) if gap.reason == gaps_told.TOLD]
    assert (gap.span, gap.filled_by) == ((NOW, begun), None)


def test_what_readers_landed_is_read_again_when_queries_change(house: House) -> None:
    _land(house, _frame("a"))
    _land(house, _frame("b", text="Valmorin"), seconds=1)
    assert _live(house)["inserted"] == 1
    valbrume.write(house.home, name="Valmorin")
    changed = read_house(house.home, environ={})
    paths = run.landed(changed, since=NOW, until=NOW + timedelta(minutes=1))
    assert len(paths) == 2
    assert run.reread(changed, paths, as_of=NOW + timedelta(hours=1))["inserted"] == 1
    assert _one(house, "select max(first_seen_at) from mention") == NOW + timedelta(seconds=1)


def test_rules_are_evaluated_although_readers_are_ahead_of_them(house: House) -> None:
    _land(house, _frame("a"), seconds=100)
    _live(house, seconds=110)
    with warehouse.opened(house.home) as connection:
        assert load.cursors(connection) == {}
    with warehouse.opened(house.home) as connection:
        assert not run.is_overtaken(connection, NOW)
        assert run.is_overtaken(connection, NOW - timedelta(days=1))  # a back-fill: it wakes nobody
    assert run.alert(house, as_of=NOW) == {"alerts": 0}


def test_live_of_a_source_that_cannot_be_listened_to_is_a_fault(tmp_path: Path) -> None:
    valbrume.write(tmp_path)
    toml = tmp_path / "vigie.toml"
    block = 'kind = "feed"\nurl = "https://journal.example/rss"\nlive = true\n'
    toml.write_text(toml.read_text().replace("[[recip", f'[[sources]]\nname = "j"\n{block}[[recip'))
    with pytest.raises(SettingsError, match="'feed' cannot be listened to, only bluesky, mastodon"):
        read_house(tmp_path, environ={})


# Looking up again


LATER = NOW + timedelta(minutes=20)


@pytest.fixture
def seen(house: House, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Held, ...]]:
    """Two posts in the warehouse; what is asked of the source, which knows one of them."""
    _land(house, _frame("a"), _frame("b"))
    _live(house)
    asked: list[tuple[Held, ...]] = []

    def recheck(request: Request, held: tuple[Held, ...]) -> Any:
        asked.append(held)
        for post in held:
            if post.native_id == uri("b"):
                yield Payload(kind="gone", data={"uri": uri("b")}, fetched_at=request.until)
            else:
                shown = view("a", at=NOW, text="plus un mot de vous", likeCount=4)
                yield Payload(kind="streamed_post", data=shown)

    monkeypatch.setattr(bluesky, "recheck", recheck)
    return asked


def test_counts_edits_and_deletions_are_found_when_posts_are_looked_up_again(
    house: House, seen: list[tuple[Held, ...]]
) -> None:
    found = run.refresh(house, as_of=LATER)
    assert (found["updated"], found["deleted"]) == (1, 1)
    assert {post.native_id for post in seen[0]} == {uri("a"), uri("b")}
    with warehouse.opened(house.home, read_only=True) as connection:
        rows = connection.execute(
            "select text, like_count, subject_ids, deletion_reason from mention order by native_id"
        ).fetchall()
        versions = connection.execute("select text from mention_version").fetchall()
        looks = connection.execute("select counted_at, like_count from mention_metric").fetchall()
    assert rows == [
        ("plus un mot de vous", 4, [], None),
        ("", None, ["ville"], "gone"),
    ]
    assert versions == [("Belleroche",)]
    assert looks == [(LATER, 4)]
    assert ALICE not in str(versions)
    assert [row["run_id"] for row in _intake(house)] == ["20261120T120500Z"]  # it reads no source


def test_a_refresh_run_again_changes_nothing(house: House, seen: list[tuple[Held, ...]]) -> None:
    run.refresh(house, as_of=LATER)
    tables = ("mention", "mention_version", "mention_metric", "recheck", "daily", "intake")

    def state() -> list[Any]:
        with warehouse.opened(house.home, read_only=True) as connection:
            return [connection.execute(f"from {t} order by all").fetchall() for t in tables]

    before = state()
    run.refresh(house, as_of=LATER)
    assert state() == before


def test_a_look_up_that_fails_is_made_again_next_time_and_reads_nothing_less(
    house: House, seen: list[tuple[Held, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(request: Request, held: tuple[Held, ...]) -> Any:
        raise SourceError("502")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(bluesky, "recheck", down)
        run.refresh(house, as_of=LATER)
    assert _one(house, "select count(*) from recheck") == 0
    assert run.refresh(house, as_of=LATER + timedelta(minutes=15))["deleted"] == 1


def test_a_source_that_asks_to_wait_is_left_alone_until_then_and_still_collected(
    house: House, seen: list[tuple[Held, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(request: Request, held: tuple[Held, ...]) -> Any:
        raise RateLimited("429", LATER + timedelta(minutes=20))
        yield

    with monkeypatch.context() as patch:
        patch.setattr(bluesky, "recheck", busy)
        run.refresh(house, as_of=LATER)
    assert run.plan_refresh(house, as_of=LATER + timedelta(minutes=15)) == []
    assert run.plan_refresh(house, as_of=LATER + timedelta(minutes=30)) == ["bluesky"]
    past = NOW - timedelta(hours=2)
    assert run.plan(house, since=past - timedelta(hours=1), until=past) == ["bluesky"]


def test_what_came_before_the_wait_is_kept_and_the_rest_is_asked_for_again(
    house: House, seen: list[tuple[Held, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def halted(request: Request, held: tuple[Held, ...]) -> Any:
        yield Payload(kind="gone", data={"uri": uri("b")}, fetched_at=request.until)
        raise BudgetSpent("30 of 30", LATER + timedelta(minutes=5))

    with monkeypatch.context() as patch:
        patch.setattr(bluesky, "recheck", halted)
        assert run.refresh(house, as_of=LATER)["deleted"] == 1
    assert _one(house, "select count(*) from recheck") == 0
    run.refresh(house, as_of=LATER + timedelta(minutes=15))  # our own budget is no reason to wait
    assert {post.native_id for post in seen[-1]} == {uri("a")}


def test_look_ups_are_calls_of_the_budget_that_all_share(
    house: House, seen: list[tuple[Held, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = (Limit(name="calls", most=1, per=Rolling(3600)),)
    monkeypatch.setattr(bluesky, "MANIFEST", replace(bluesky.MANIFEST, limits=limits))

    with serving(lambda _: Answer(body=b"{}")) as peer:

        def recheck(request: Request, held: tuple[Held, ...]) -> Any:
            request.client.get(peer.url)
            yield Payload(kind="gone", data={"uri": uri("b")}, fetched_at=request.until)

        monkeypatch.setattr(bluesky, "recheck", recheck)
        assert run.refresh(house, as_of=LATER)["deleted"] == 1
        later = LATER + timedelta(minutes=15)
        run.refresh(house, as_of=later)
    receipt = house.home / "staging" / run.refresh_run(later) / "landed" / "bluesky.json"
    assert json.loads(receipt.read_text())["status"] == "waiting"


def test_look_ups_wait_for_no_budget_and_leave_the_rest_due(
    house: House, seen: list[tuple[Held, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = (Limit(name="calls", most=1, per=Rolling(60)),)
    monkeypatch.setattr(bluesky, "MANIFEST", replace(bluesky.MANIFEST, limits=limits))

    with serving(lambda _: Answer(body=b"{}")) as peer:

        def recheck(request: Request, held: tuple[Held, ...]) -> Any:
            for post in held:
                request.client.get(peer.url)
                seen.append((post,))
                yield Payload(kind="gone", data={"uri": post.native_id}, fetched_at=LATER)

        monkeypatch.setattr(bluesky, "recheck", recheck)
        found = run.watch(house, since=NOW, until=LATER, now=LATER)
    assert (found["refreshed_deleted"], len(seen)) == (1, 1)  # a minute later it would be two
    assert run.plan_refresh(house, as_of=LATER + timedelta(minutes=15)) == ["bluesky"]


def test_where_no_post_is_to_be_looked_up_none_is(
    house: House, seen: list[tuple[Held, ...]]
) -> None:
    block = house.settings.sources[0].model_copy(update={"recheck_posts": 0})
    settings = house.settings.model_copy(update={"sources": (block,)})
    assert run.refresh(replace(house, settings=settings), as_of=LATER) == {}
    assert seen == []


def test_a_run_without_airflow_loads_what_readers_landed_and_looks_up_what_is_due(
    house: House, seen: list[tuple[Held, ...]]
) -> None:
    _land(house, _frame("c"), seconds=1200)
    counts = run.watch(house, since=NOW, until=LATER, now=LATER)
    assert (counts["live_inserted"], counts["refreshed_deleted"]) == (1, 1)


@pytest.mark.parametrize("step", ["live", "plan_refresh"])
def test_what_breaks_beside_a_run_does_not_keep_the_rules_from_being_evaluated(
    house: House,
    seen: list[tuple[Held, ...]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    step: str,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("Jeanne, 06 12")

    monkeypatch.setattr(whole, step, broken)
    counts = run.watch(house, since=NOW, until=LATER, now=LATER)
    assert counts["live_failed" if step == "live" else "refreshed_failed"] == 1
    assert counts["alerts"] == 0
    assert "KeyError at whole.py:" in caplog.text
    assert "Jeanne" not in caplog.text


def test_a_source_that_breaks_when_posts_are_looked_up_stops_no_other_step(
    house: House, seen: list[tuple[Held, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(request: Request, held: tuple[Held, ...]) -> Any:
        raise KeyError("uri")
        yield

    monkeypatch.setattr(bluesky, "recheck", broken)
    assert run.refresh(house, as_of=LATER)["deleted"] == 0


def test_what_a_run_says_of_posts_to_look_up_is_in_no_plan(
    house: House, seen: list[tuple[Held, ...]]
) -> None:
    run.plan_refresh(house, as_of=LATER)
    folder = house.home / "staging" / run.refresh_run(LATER)
    assert ALICE not in (folder / "plan.json").read_text()
    assert (folder / "held.parquet").exists()  # which an erasure cleans
