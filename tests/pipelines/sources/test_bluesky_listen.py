"""Bluesky listened to: a real Jetstream of either version on loopback that never ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.errors import SourceError
from pipelines.http import Client
from pipelines.mention import Deletion, Post
from pipelines.sources import (
    Checkpoint,
    Payload,
    Request,
    _bluesky_listen as ears,
    _jetstream as jetstream,
    bluesky,
)
from tests.pipelines.sources.bluesky_network import SECOND, TERMS
from tests.pipelines.sources.firehose import FIRST, Firehose, streaming

ALICE, BOB = "did:plc:alice", "did:plc:bob"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits longer than a test has patience."""
    monkeypatch.setattr(ears, "HOLD_SECONDS", 0.05)
    monkeypatch.setattr(jetstream, "_QUIET_SECONDS", 0.05)
    monkeypatch.setattr(jetstream, "_PULSE_SECONDS", 0.05)


def _request(firehose: Firehose, home: Path, *, path: str = SECOND, **changes: Any) -> Request:
    now = datetime.now(UTC)
    options = bluesky.Options(
        mode="jetstream",
        jetstream_urls=tuple(changes.pop("urls", (f"{firehose.ws_url}{path}",))),
        appview=changes.pop("appview", firehose.http_url),
    )
    client = Client(allow_private=("127.0.0.0/8",), sleep=lambda _: None)
    values: dict[str, Any] = {"name": "bluesky", "options": options, "terms": TERMS}
    values |= {"cursor": None, "since": now - timedelta(seconds=5), "until": now}
    return Request(**(values | {"client": client, "home": home} | changes))


class Heard:
    """What a reader has handed over, payloads and checkpoints, until a condition holds."""

    def __init__(self) -> None:
        self.payloads: list[Payload] = []
        self.checkpoints: list[Checkpoint] = []

    @property
    def last(self) -> Checkpoint:
        return self.checkpoints[-1]

    @property
    def items(self) -> list[Any]:
        options = bluesky.Options(mode="jetstream")
        return [item for p in self.payloads for item in bluesky.parse(p, options)]

    @property
    def texts(self) -> list[str]:
        return [item.text for item in self.items if isinstance(item, Post)]

    @property
    def gone(self) -> list[str]:
        return [item.native_id for item in self.items if isinstance(item, Deletion)]


def _hear(request: Request, enough: Callable[[Heard], bool], *, seconds: float = 10) -> Heard:
    """Listen until enough is heard and a checkpoint stands after it."""
    heard, deadline = Heard(), time.monotonic() + seconds
    with closing(bluesky.listen(request)) as items:
        for item in items:
            assert time.monotonic() < deadline, (heard.texts, heard.gone, heard.checkpoints[-2:])
            if isinstance(item, Payload):
                heard.payloads.append(item)
                continue
            heard.checkpoints.append(item)
            if enough(heard):
                return heard
    raise AssertionError("a reader has no end")


def _posts(count: int) -> Callable[[Heard], bool]:
    return lambda heard: len(heard.payloads) >= count


@pytest.fixture
def firehose() -> Iterator[Firehose]:
    with streaming() as found:
        yield found


@pytest.mark.parametrize("path", [FIRST, SECOND])
def test_what_is_written_while_it_listens_is_heard(
    firehose: Firehose, tmp_path: Path, path: str
) -> None:
    firehose.write(ALICE, "a", "Belleroche avant")

    def later() -> None:
        firehose.wait_for_reader()
        firehose.write(BOB, "b", "rien à voir")
        firehose.write(BOB, "c", "Belleroche pendant")

    threading.Thread(target=later).start()
    heard = _hear(_request(firehose, tmp_path, path=path), _posts(2))
    assert heard.texts == ["Belleroche avant", "Belleroche pendant"]
    assert [p.kind for p in heard.payloads] == ["streamed_post"] * 2
    asked = [uri for call in firehose.looked_up for uri in call]
    names = (f"{ALICE}/app.bsky.feed.post/a", f"{BOB}/app.bsky.feed.post/c")
    assert asked == [f"at://{name}" for name in names]


def test_a_second_reader_goes_on_where_the_first_stood_and_hears_nothing_twice(
    firehose: Firehose, tmp_path: Path
) -> None:
    firehose.write(ALICE, "a", "Belleroche un")
    first = _hear(_request(firehose, tmp_path), _posts(1))
    firehose.write(ALICE, "b", "Belleroche deux")
    again = _request(firehose, tmp_path, cursor=first.last.cursor)
    assert _hear(again, _posts(1)).texts == ["Belleroche deux"]
    assert firehose.asked[1]["cursor"] == ["1"]


def test_what_version_1_sends_again_is_known_from_what_was_landed(
    firehose: Firehose, tmp_path: Path
) -> None:
    firehose.write(ALICE, "a", "Belleroche un")
    first = _hear(_request(firehose, tmp_path, path=FIRST), _posts(1))
    firehose.write(ALICE, "b", "Belleroche deux")
    again = _request(
        firehose,
        tmp_path,
        path=FIRST,
        cursor=first.last.cursor,
        landed=lambda: iter(first.payloads),
    )
    assert _hear(again, _posts(1)).texts == ["Belleroche deux"]


def test_an_edit_and_a_deletion_of_what_was_landed_are_heard_and_a_stranger_s_are_not(
    firehose: Firehose, tmp_path: Path
) -> None:
    for rkey in ("a", "b"):
        firehose.write(ALICE, rkey, f"Belleroche {rkey}")
    firehose.write(BOB, "x", "autre chose")
    before = _hear(_request(firehose, tmp_path), _posts(2))
    firehose.write(ALICE, "a", "plus rien", operation="update")
    firehose.write(BOB, "x", "autre chose encore", operation="update")
    firehose.write(BOB, "x", "", operation="delete")
    firehose.write(ALICE, "b", "", operation="delete")
    cursor, landed = before.last.cursor, before.payloads
    heard = _hear(
        _request(firehose, tmp_path, cursor=cursor, landed=lambda: iter(landed)), _posts(2)
    )
    assert heard.texts == ["plus rien"]
    assert heard.gone == [f"at://{ALICE}/app.bsky.feed.post/b"]


def test_what_is_deleted_at_once_is_never_handed_over(
    firehose: Firehose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ears, "HOLD_SECONDS", 0.4)
    firehose.write(ALICE, "a", "Belleroche, oups")
    firehose.write(ALICE, "b", "Belleroche")
    firehose.write(ALICE, "a", "", operation="delete")
    assert _hear(_request(firehose, tmp_path), _posts(1)).texts == ["Belleroche"]


def test_the_end_of_an_account_is_the_end_of_all_that_was_landed_of_it(
    firehose: Firehose, tmp_path: Path
) -> None:
    for rkey in ("a", "b"):
        firehose.write(ALICE, rkey, "Belleroche")
    firehose.write(BOB, "c", "Belleroche")
    before = _hear(_request(firehose, tmp_path), _posts(3))
    firehose.end_account("did:plc:stranger")
    firehose.end_account(ALICE, status="takendown")
    landed = before.payloads
    heard = _hear(
        _request(firehose, tmp_path, cursor=before.last.cursor, landed=lambda: iter(landed)),
        _posts(1),
    )
    assert sorted(heard.gone) == [f"at://{ALICE}/app.bsky.feed.post/{r}" for r in "ab"]
    assert {item.reason for item in heard.items} == {"moderator"}


def test_who_asks_not_to_be_shown_to_strangers_is_known_before_landing(
    firehose: Firehose, tmp_path: Path
) -> None:
    firehose.hides.add(ALICE)
    firehose.write(ALICE, "a", "Belleroche")
    (post,) = _hear(_request(firehose, tmp_path), _posts(1)).items
    assert post.optout


def test_an_index_that_does_not_know_of_an_edit_yet_does_not_bring_the_old_text_back(
    firehose: Firehose, tmp_path: Path
) -> None:
    uri = firehose.write(ALICE, "a", "Belleroche, faux")
    firehose.lags[uri] = firehose.posts[uri]
    firehose.write(ALICE, "a", "Belleroche, corrigé", operation="update")
    heard = _hear(_request(firehose, tmp_path), _posts(1))
    assert heard.texts == ["Belleroche, corrigé"]
    assert [p.kind for p in heard.payloads] == ["event"]


def test_a_look_up_that_fails_holds_nothing_up_and_is_told_once(
    firehose: Firehose, tmp_path: Path
) -> None:
    firehose.is_blind = True
    firehose.write(ALICE, "a", "Belleroche un")
    seen: list[str] = []

    def enough(heard: Heard) -> bool:
        if len(heard.payloads) == 1 and not seen:
            seen.append("one")
            firehose.write(ALICE, "b", "Belleroche deux")
        return len(heard.payloads) == 2

    heard = _hear(_request(firehose, tmp_path), enough)
    assert [p.kind for p in heard.payloads] == ["event", "event"]
    notes = [c.note for c in heard.checkpoints if c.note]
    assert len(notes) == 1
    assert notes[0].startswith("posts could not be looked up")


def test_a_reader_that_lags_behind_has_no_time_for_look_ups(
    firehose: Firehose, tmp_path: Path
) -> None:
    firehose.write(ALICE, "a", "Belleroche")
    late = datetime.now(UTC) + timedelta(minutes=5)
    heard = _hear(_request(firehose, tmp_path, now=lambda: late), _posts(1))
    assert [p.kind for p in heard.payloads] == ["event"]
    assert firehose.looked_up == []


def test_a_connection_that_breaks_is_made_again_and_nothing_is_missing(
    firehose: Firehose, tmp_path: Path
) -> None:
    for number in range(50):
        firehose.write(ALICE, f"a{number}", f"Belleroche {number}")
    broken: list[int] = []

    def enough(heard: Heard) -> bool:
        if heard.payloads and not broken:
            broken.append(1)
            firehose.cut()
            for number in range(50, 100):
                firehose.write(ALICE, f"a{number}", f"Belleroche {number}")
        return len(heard.payloads) >= 100

    heard = _hear(_request(firehose, tmp_path), enough)
    assert heard.texts == [f"Belleroche {number}" for number in range(100)]
    assert len(firehose.asked) == 2
    assert all(c.gap is None for c in heard.checkpoints)


def test_who_is_called_too_slow_goes_on_at_the_same_number(
    firehose: Firehose, tmp_path: Path
) -> None:
    firehose.write(ALICE, "a", "Belleroche un")
    first = _hear(_request(firehose, tmp_path), _posts(1))
    firehose.is_slow = True
    firehose.write(ALICE, "b", "Belleroche deux")
    heard = _hear(_request(firehose, tmp_path, cursor=first.last.cursor), _posts(1))
    assert heard.texts == ["Belleroche deux"]
    assert [asked["cursor"] for asked in firehose.asked[1:]] == [["1"], ["1"]]


def test_a_host_that_breaks_off_again_and_again_is_not_hammered(
    firehose: Firehose, tmp_path: Path
) -> None:
    for number in range(20):
        firehose.write(ALICE, f"a{number}", f"Belleroche {number}")

    def enough(heard: Heard) -> bool:
        firehose.cut()
        return False

    with pytest.raises(SourceError, match="no Jetstream could be read"):
        _hear(_request(firehose, tmp_path), enough)
    assert len(firehose.asked) == 2


def test_a_number_too_old_for_the_host_is_a_gap_and_the_rest_is_read(
    firehose: Firehose, tmp_path: Path
) -> None:
    for number in range(4):
        firehose.write(ALICE, f"a{number}", f"Belleroche {number}")
    firehose.floor = 3
    at = datetime.now(UTC) - timedelta(hours=40)
    stream = {"at": at.isoformat(), "url": f"{firehose.ws_url}{SECOND}", "seq": 1}
    heard = _hear(_request(firehose, tmp_path, cursor={"stream": stream}), _posts(2))
    assert heard.texts == ["Belleroche 2", "Belleroche 3"]
    (gap,) = [c.gap for c in heard.checkpoints if c.gap]
    first_kept = datetime.fromtimestamp(firehose.said[2].micros / 1e6, UTC)
    assert gap == (at, first_kept.replace(microsecond=firehose.said[2].micros % 10**6))


def test_a_host_that_counts_anew_is_read_by_time(firehose: Firehose, tmp_path: Path) -> None:
    firehose.write(ALICE, "a", "Belleroche")
    at = datetime.now(UTC) - timedelta(seconds=20)
    stream = {"at": at.isoformat(), "url": f"{firehose.ws_url}{SECOND}", "seq": 900}

    def later() -> None:
        firehose.wait_for_reader()
        firehose.write(ALICE, "b", "Belleroche aussi")

    threading.Thread(target=later).start()
    heard = _hear(_request(firehose, tmp_path, cursor={"stream": stream}), _posts(2))
    assert heard.texts == ["Belleroche", "Belleroche aussi"]


def test_where_one_host_is_down_the_next_is_heard(firehose: Firehose, tmp_path: Path) -> None:
    firehose.write(ALICE, "a", "Belleroche")
    urls = (f"ws://127.0.0.1:9{SECOND}", f"{firehose.ws_url}{SECOND}")
    assert _hear(_request(firehose, tmp_path, urls=urls), _posts(1)).texts == ["Belleroche"]


def test_where_every_host_is_down_the_reader_says_so(firehose: Firehose, tmp_path: Path) -> None:
    urls = (f"ws://127.0.0.1:9{SECOND}", f"ws://127.0.0.1:9{FIRST}")
    with pytest.raises(SourceError, match="no Jetstream could be read"):
        _hear(_request(firehose, tmp_path, urls=urls), _posts(1))


def test_a_silent_stream_has_been_read_up_to_what_is_sure(
    firehose: Firehose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jetstream, "_UNSURE", timedelta(seconds=0.2))
    since = datetime.now(UTC) - timedelta(hours=1)
    request = _request(firehose, tmp_path, since=since)
    heard = _hear(request, lambda h: bool(h.last.until and h.last.until > since))
    first, last = heard.checkpoints[0], heard.last
    assert first.until == since  # a connection that is just made may be dead
    assert last.until is not None
    assert datetime.now(UTC) - last.until < timedelta(seconds=5)
    assert last.cursor["stream"]["at"] == since.isoformat()


def test_a_host_whose_clock_runs_ahead_does_not_move_the_place_past_our_own(
    firehose: Firehose, tmp_path: Path
) -> None:
    firehose.write(ALICE, "a", "Belleroche demain")
    ours = datetime.now(UTC) - timedelta(hours=1)
    since = ours - timedelta(minutes=1)
    heard = _hear(_request(firehose, tmp_path, since=since, now=lambda: ours), _posts(1))
    assert heard.last.cursor["stream"]["at"] == ours.isoformat()


def test_a_silent_host_is_asked_anew(
    firehose: Firehose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jetstream, "_DUMB_SECONDS", 0.2)
    monkeypatch.setattr(jetstream, "_SOUND_SECONDS", 0.1)
    _hear(_request(firehose, tmp_path), lambda _: len(firehose.asked) >= 3)


def test_hostile_frames_are_counted_and_the_rest_is_heard(
    firehose: Firehose, tmp_path: Path
) -> None:
    firehose.write(ALICE, "a", "Belleroche")
    bad = ["{", "null", '"\\ud800"', "[" * 3000, "[]", '{"payload":{"seq":-1}}', "3"]
    said = firehose.said[0]
    firehose.said += [replace(said, second=frame, first=frame) for frame in bad]
    firehose.said.append(replace(said, second=said.second.replace('"seq": 1', '"seq": 9')))
    heard = _hear(_request(firehose, tmp_path), lambda h: any(c.note for c in h.checkpoints))
    assert heard.texts == ["Belleroche"]
    assert "7 frames could not be read" in [c.note for c in heard.checkpoints]


def test_its_memory_is_bounded_by_what_it_remembers(
    firehose: Firehose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ears, "KNOWN", 10)
    for number in range(40):
        firehose.write(ALICE, f"a{number}", f"Belleroche {number}")
    first = _hear(_request(firehose, tmp_path), _posts(40))
    firehose.write(ALICE, "a1", "", operation="delete")
    firehose.write(ALICE, "a39", "", operation="delete")
    landed = [*reversed(first.payloads)]
    heard = _hear(
        _request(firehose, tmp_path, cursor=first.last.cursor, landed=lambda: iter(landed)),
        _posts(1),
    )
    assert heard.gone == [f"at://{ALICE}/app.bsky.feed.post/a39"]


def test_it_asks_for_nothing_but_what_it_may_read(firehose: Firehose, tmp_path: Path) -> None:
    request = _request(firehose, tmp_path)
    private = replace(request, client=Client(transport=httpx.MockTransport(lambda _: None)))  # type: ignore[arg-type,return-value]
    with pytest.raises(SourceError, match="not a public address"):
        _hear(private, _posts(1))
