"""`vigie listen`: readers that land what they hear, and that may be killed at any instant."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import budget, house as houses, landing, listen, listening, privacy, run, warehouse
from pipelines.errors import RateLimited, SourceError, VigieError
from pipelines.house import House
from pipelines.limits import Limit, Rolling
from pipelines.sources import Checkpoint, Collected, Payload, Request, bluesky
from tests.pipelines import valbrume
from tests.pipelines.loopback import Answer, serving
from tests.pipelines.sources.bluesky_network import SECOND
from tests.pipelines.sources.firehose import FIRST, Firehose, Life, streaming

AHEAD = datetime.now(UTC) + timedelta(days=365)


def _house(home: Path, **changes: str) -> House:
    valbrume.write(home, **changes)
    return houses.house(home, environ={})


@contextmanager
def _listening(home: Path) -> Iterator[threading.Event]:
    """Readers of a home in a thread; the event that ends them."""
    stopping, failures = threading.Event(), []

    def target() -> None:
        try:
            listen.listen(lambda: houses.house(home, environ={}), stopping=stopping)
        except VigieError as error:
            failures.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    try:
        yield stopping
    finally:
        stopping.set()
        thread.join(20)
        assert not thread.is_alive()
        assert failures == []


def _wait(condition: Callable[[], object], *, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def _landed(home: Path) -> list[Payload]:
    """The payloads that receipts name, in order: what a run would load."""
    paths = [r.path for r in listening.receipts(home, "bluesky") if r.path]
    return [payload for path in paths for payload in landing.read(home / path)]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waits that a test would have to sit through."""
    for name, value in {"FLUSH_SECONDS": 0.1, "BEAT_SECONDS": 0.1, "_LOOK_SECONDS": 0.05}.items():
        monkeypatch.setattr(listen, name, value)


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> list[list[Collected | Exception]]:
    """What the source says on each call in turn; then it is silent, checkpoint after checkpoint."""
    scripts: list[list[Collected | Exception]] = []

    def speak(request: Request) -> Generator[Collected, None, None]:
        place = Checkpoint(cursor=request.cursor or {"n": 0}, until=request.since)
        for item in scripts.pop(0) if scripts else []:
            if isinstance(item, Exception):
                raise item
            place = item if isinstance(item, Checkpoint) else place
            yield item
        while True:
            yield Checkpoint(cursor=place.cursor, until=place.until)
            time.sleep(0.01)

    monkeypatch.setattr(bluesky, "listen", speak)
    return scripts


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[listening.Reader]:
    """All that readers tell of themselves, in order: who looks now and then may miss some."""
    found: list[listening.Reader] = []
    written = listening.write_reader

    def write(home: Path, name: str, reader: listening.Reader) -> None:
        written(home, name, reader)
        found.append(reader)

    monkeypatch.setattr(listening, "write_reader", write)
    return found


def _notes(told: list[listening.Reader]) -> str:
    return " | ".join(each.note or "" for each in told)


def _payload(number: int) -> Payload:
    return Payload(kind="event", data={"number": number})


def _place(number: int) -> Checkpoint:
    """A place that the source says to be read to in a year: never believed past our own clock."""
    return Checkpoint(cursor={"n": number}, until=AHEAD + timedelta(seconds=number))


Spoken = list[list[Collected | Exception]]


def test_what_is_heard_is_landed_with_the_place_at_which_to_go_on(
    tmp_path: Path, quick: None, spoken: Spoken
) -> None:
    valbrume.write(tmp_path)
    spoken.append([_payload(1), _place(1), _payload(2), _place(2)])
    with _listening(tmp_path):
        _wait(lambda: len(_landed(tmp_path)) == 2)
        _wait(lambda: (found := listening.reader(tmp_path, "bluesky")) and found.status == "ok")
    assert [p.data for p in _landed(tmp_path)] == [{"number": 1}, {"number": 2}]
    receipt = listening.last_receipt(tmp_path, "bluesky")
    assert receipt is not None
    assert receipt.cursor == {"n": 2}
    assert receipt.since < receipt.until <= datetime.now(UTC)
    stopped = listening.reader(tmp_path, "bluesky")
    assert stopped is not None
    assert (stopped.status, stopped.cursor) == ("stopped", {"n": 2})


def test_the_calls_of_a_reader_are_those_of_the_budget_that_all_share(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = (Limit(name="calls", most=2, per=Rolling(3600)),)
    monkeypatch.setattr(bluesky, "MANIFEST", replace(bluesky.MANIFEST, limits=limits))

    def speak(request: Request) -> Generator[Collected, None, None]:
        while True:
            request.client.get(request.options.appview)
            yield Checkpoint(cursor={"n": 0}, until=request.since)

    monkeypatch.setattr(bluesky, "listen", speak)
    with serving(lambda _: Answer(body=b"{}")) as peer:
        valbrume.write(tmp_path, http=peer.url)
        with _listening(tmp_path):
            _wait(
                lambda: (
                    (found := listening.reader(tmp_path, "bluesky")) and found.status == "waiting"
                )
            )
    assert len(peer.asked) == 2
    with closing(budget.Ledger(tmp_path / budget.FILE)) as ledger:
        (spending,) = run.budgets(houses.house(tmp_path, environ={}), ledger)
        standings = spending.standings(now=datetime.now(UTC))
    assert [found.used for found in standings if found.name == "calls"] == [2]


def test_a_batch_is_landed_when_it_is_full_whatever_the_time(
    tmp_path: Path, quick: None, spoken: Spoken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "FLUSH_SECONDS", 3600.0)
    monkeypatch.setattr(listen, "FLUSH_PAYLOADS", 10)
    valbrume.write(tmp_path)
    spoken.append([item for n in range(25) for item in (_payload(n), _place(n))])
    with _listening(tmp_path):
        _wait(lambda: len(_landed(tmp_path)) == 20)
    counts = [r.payload_count for r in listening.receipts(tmp_path, "bluesky")]
    assert counts[:2] == [10, 10]
    assert sum(counts) == len(_landed(tmp_path))  # the rest, as far as it came, when it was ended


def test_what_a_connection_told_before_it_broke_is_landed_and_its_last_place_is_gone_on_from(
    tmp_path: Path,
    quick: None,
    spoken: Spoken,
    told: list[listening.Reader],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listen, "FLUSH_SECONDS", 3600.0)
    valbrume.write(tmp_path)
    spoken.append([_payload(1), _place(1), _payload(2), SourceError("cut")])
    with _listening(tmp_path):
        _wait(lambda: "cut" in _notes(told))
        _wait(lambda: told[-1].status == "ok")
        assert [p.data for p in _landed(tmp_path)] == [{"number": 1}, {"number": 2}]
    book = listen.opened(houses.house(tmp_path, environ={}), _block(tmp_path), listen.clock)
    assert book.cursor == {"n": 1}


def test_a_reading_without_a_checkpoint_for_minutes_is_not_a_reader_that_is_gone(
    tmp_path: Path,
) -> None:
    house, at = _house(tmp_path), datetime(2026, 11, 20, 12, tzinfo=UTC)
    book = listen.opened(house, house.block("bluesky"), lambda: at)
    book.add(_place(0))
    book.told_at -= 2 * listen.BEAT_SECONDS
    at += timedelta(minutes=2)
    book.add(_payload(1))
    found = listening.reader(tmp_path, "bluesky")
    assert found
    assert (found.at, found.cursor) == (at, {"n": 0})


def _block(home: Path) -> Any:
    return houses.house(home, environ={}).block("bluesky")


def test_a_gap_is_landed_at_once_even_without_a_payload(
    tmp_path: Path, quick: None, spoken: Spoken
) -> None:
    valbrume.write(tmp_path)
    gap = (datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
    spoken.append([Checkpoint(cursor={"n": 1}, gap=gap, note="trop vieux")])
    with _listening(tmp_path):
        _wait(lambda: listening.last_receipt(tmp_path, "bluesky"))
    receipt = listening.last_receipt(tmp_path, "bluesky")
    assert receipt is not None
    assert (receipt.gap, receipt.path, receipt.note) == (gap, None, "trop vieux")


def test_a_source_that_fails_is_tried_again_and_says_why_meanwhile(
    tmp_path: Path,
    quick: None,
    spoken: Spoken,
    told: list[listening.Reader],
    caplog: pytest.LogCaptureFixture,
) -> None:
    valbrume.write(tmp_path)
    later = datetime.now(UTC) + timedelta(seconds=1.5)
    spoken += [[RateLimited("attendez", later)], [ValueError("Jeanne, 06 12")]]
    with _listening(tmp_path):
        _wait(lambda: "attendez" in _notes(told))
        _wait(lambda: "interrompue (ValueError)" in _notes(told))
        assert datetime.now(UTC) >= later
        _wait(lambda: told[-1].status == "ok")
    assert "Jeanne" not in _notes(told) + caplog.text
    assert "reader.broken source=bluesky error=ValueError at listen.py:" in caplog.text


def test_the_same_trouble_is_told_once_and_so_is_its_end(
    tmp_path: Path, quick: None, spoken: Spoken, caplog: pytest.LogCaptureFixture
) -> None:
    valbrume.write(tmp_path)
    spoken += [[SourceError("no network")], [SourceError("no network")], [SourceError("no key")]]
    with _listening(tmp_path):
        _wait(lambda: "reader.listens_again" in caplog.text)
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told == [
        "reader.failed source=bluesky why=no network",
        "reader.failed source=bluesky why=no key",
        "reader.listens_again source=bluesky",
    ]


def test_settings_that_change_are_heard_and_bad_ones_are_waited_out(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def speak(request: Request) -> Generator[Collected, None, None]:
        asked.append(request.terms.names)
        while True:
            yield Checkpoint(cursor={}, until=request.since)
            time.sleep(0.01)

    monkeypatch.setattr(bluesky, "listen", speak)
    valbrume.write(tmp_path)
    with _listening(tmp_path):
        _wait(lambda: asked == [("Valbrume",)])
        toml = tmp_path / "vigie.toml"
        nowhere = '[institution]\nterritory = ["commune:99999"]'
        bad = toml.read_text().replace("[institution]", nowhere)
        toml.write_text("no = toml = at all")
        time.sleep(0.3)
        toml.write_text(bad)
        time.sleep(0.3)
        assert len(asked) == 1
        valbrume.write(tmp_path, name="Montclair")
        _wait(lambda: asked[1:] == [("Montclair",)])


def test_settings_that_change_while_readers_end_are_read_too(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    names = iter(["Hautval"])

    def speak(request: Request) -> Generator[Collected, None, None]:
        asked.append(request.terms.names)
        while True:
            yield Checkpoint(cursor={}, until=request.since)
            time.sleep(0.01)

    def join(readers: Sequence[listen.Reader]) -> None:
        for name in names:
            valbrume.write(tmp_path, name=name)
        ended(readers)

    ended = listen._join
    monkeypatch.setattr(bluesky, "listen", speak)
    monkeypatch.setattr(listen, "_join", join)
    valbrume.write(tmp_path)
    with _listening(tmp_path):
        _wait(lambda: asked == [("Valbrume",)])
        valbrume.write(tmp_path, name="Montclair")
        _wait(lambda: asked[-1] == ("Hautval",))


def test_a_reader_that_cannot_write_ends_the_process_which_is_started_again(
    tmp_path: Path, quick: None, spoken: Spoken, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    valbrume.write(tmp_path)
    monkeypatch.setattr(listening, "write_reader", full)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with pytest.raises(VigieError, match="reader bluesky has died"):
        listen.listen(lambda: houses.house(tmp_path, environ={}), stopping=threading.Event())


def test_a_home_without_a_live_source_says_so(tmp_path: Path) -> None:
    valbrume.write(tmp_path)
    toml = tmp_path / "vigie.toml"
    toml.write_text(toml.read_text().replace("live = true", "live = false"))
    with pytest.raises(VigieError, match="no such source block with live = true"):
        listen.listen(lambda: houses.house(tmp_path, environ={}), stopping=threading.Event())


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    house = _house(tmp_path)
    with (
        listening.alone(tmp_path, "bluesky"),
        pytest.raises(VigieError, match="another process listens"),
    ):
        listen.listen(lambda: house, stopping=threading.Event())


def test_a_reader_goes_on_from_the_later_of_receipt_and_state(tmp_path: Path) -> None:
    house, at = _house(tmp_path), datetime(2026, 11, 20, 12, tzinfo=UTC)

    def opened() -> listen.Book:
        return listen.opened(house, house.block("bluesky"), lambda: at)

    assert (opened().cursor, opened().until) == (None, at)
    first = listening.next_stamp("", at)
    receipt = listening.Receipt(
        stamp=first, path=None, payload_count=0, since=at, until=at, cursor={"n": 1}
    )
    listening.write_receipt(tmp_path, "bluesky", receipt)
    told = {"at": at, "until": at + timedelta(minutes=1), "status": "ok", "cursor": {"n": 0}}
    listening.write_reader(tmp_path, "bluesky", listening.Reader(**told, stamp=""))  # type: ignore[arg-type]
    assert (opened().cursor, opened().stamp) == ({"n": 1}, first)  # killed between the two
    listening.write_reader(tmp_path, "bluesky", listening.Reader(**told, stamp=first))  # type: ignore[arg-type]
    assert (opened().cursor, opened().until) == ({"n": 0}, at + timedelta(minutes=1))


def test_a_reader_that_has_never_heard_anything_begins_where_it_first_wanted_to(
    tmp_path: Path,
) -> None:
    house, at = _house(tmp_path), datetime(2026, 11, 20, 12, tzinfo=UTC)
    book = listen.opened(house, house.block("bluesky"), lambda: at)
    book.tell("failed", "no connection")
    again = listen.opened(house, house.block("bluesky"), lambda: at + timedelta(hours=1))
    assert (again.since, again.until, again.cursor) == (at, at, None)


def test_a_host_whose_clock_runs_ahead_has_nothing_to_come_pass_for_read(tmp_path: Path) -> None:
    house, at = _house(tmp_path), datetime(2026, 11, 20, 12, tzinfo=UTC)
    book = listen.opened(house, house.block("bluesky"), lambda: at)
    book.add(_payload(1))
    book.add(Checkpoint(cursor={"n": 1}, until=at + timedelta(days=3650)))
    book.land()
    receipt = listening.last_receipt(tmp_path, "bluesky")
    assert receipt
    assert (receipt.until, book.until) == (at, at)


def test_what_was_landed_is_given_newest_first_and_broken_files_are_left_out(
    tmp_path: Path,
) -> None:
    names = ("20261120T120000Z", "live-20261121T120000000000Z", "refresh-20261122T120000Z")
    for number, name in enumerate(names):
        path = landing.path_for(tmp_path, "bluesky", name, datetime(2026, 11, 20, tzinfo=UTC))
        landing.land([_payload(number)], path=path, fetched_at=datetime.now(UTC))
    broken = path.with_name("live-20261123T120000000000Z.jsonl.zst")
    broken.write_bytes(b"not zstd")
    found = [payload.data["number"] for payload in listen.landed(tmp_path, "bluesky")]
    assert found == [2, 1, 0]


# The whole of it, in processes that are killed


def _start(home: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "pipelines.cli", "listen", "--home", str(home)]
    return subprocess.Popen(words, env={**os.environ, "VIGIE_LOG": "INFO"})


def _go_on(life: Life, seconds: float, *, rate: int = 300) -> None:
    begun, done = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < seconds:
        due = int(passed * rate) - done
        life.go_on(due)
        done += due
        time.sleep(0.01)


def _heard_all(home: Path, firehose: Firehose) -> bool:
    """Whether the reader has read all that was said; a quiet stream is sure only later."""
    found = listening.reader(home, "bluesky")
    stream = (found.cursor or {}).get("stream") if found else None
    return bool(stream) and datetime.fromisoformat(stream["at"]).timestamp() * 1e6 >= (
        firehose.said[-1].micros - 1
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", [SECOND, FIRST])
def test_a_reader_killed_twice_loses_nothing_and_nothing_stands_twice(
    tmp_path: Path, path: str
) -> None:
    with streaming() as firehose:
        valbrume.write(tmp_path, ws=f"{firehose.ws_url}{path}", http=firehose.http_url)
        privacy.new_key(tmp_path)
        life = Life(firehose, 0.05)
        for seconds in (3.3, 2.7):
            reader = _start(tmp_path)
            _wait(lambda: firehose.connections, seconds=60)
            _go_on(life, seconds)
            reader.kill()
            reader.wait()
            _go_on(life, 0.5)  # nobody listens
        reader = _start(tmp_path)
        _go_on(life, 1)
        _wait(lambda: _heard_all(tmp_path, firehose), seconds=60)
        reader.send_signal(signal.SIGTERM)
        assert reader.wait(20) == 0
        house = houses.house(tmp_path, environ={})
        run.live(house, now=datetime.now(UTC))
        truth = life.truth()
    assert len(truth) > 50
    with warehouse.opened(tmp_path, read_only=True) as connection:
        rows = connection.execute("select native_id, text, deleted_at from mention").fetchall()
        unscored = connection.execute(
            "select count(*) from mention_scored where sentiment is null"
        ).fetchone()
        gaps = connection.execute("select count(gap_since_at) from intake").fetchone()
    found = {uri: (text, gone) for uri, text, gone in rows}
    assert len(found) == len(rows)
    here = {uri: post["text"] for uri, post in truth.items() if not post["is_gone"]}
    assert {uri: found[uri][0] for uri in here} == here
    assert not [u for u, p in truth.items() if p["is_gone"] and u in found and not found[u][1]]
    assert found.keys() <= truth.keys()
    assert (unscored, gaps) == ((0,), (0,))
    landed = [payload for payload in _landed(tmp_path) if payload.kind != "account"]
    texts = [item for p in landed for item in bluesky.parse(p, house.block("bluesky").options)]
    versions = [(item.native_id, getattr(item, "text", None)) for item in texts]
    assert len(set(versions)) == len(versions)  # nor was anything landed twice
