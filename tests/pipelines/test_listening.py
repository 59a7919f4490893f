"""What a reader leaves on the disk: receipts in order, its state, and one reader a block."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines import listening
from pipelines.errors import VigieError

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def receipt(stamp: str, **changes: object) -> listening.Receipt:
    values: dict[str, object] = {
        "stamp": stamp,
        "path": f"landing/bluesky/2026-11-20/live-{stamp}.jsonl.zst",
        "payload_count": 2,
        "since": AT,
        "until": AT + timedelta(seconds=3),
        "cursor": {"stream": {"seq": 7}},
    }
    return listening.Receipt(**(values | changes))  # type: ignore[arg-type]


def stamps(count: int) -> list[str]:
    found = [""]
    for number in range(count):
        found.append(listening.next_stamp(found[-1], AT + timedelta(seconds=number)))
    return found[1:]


def test_a_receipt_reads_back_as_it_was_written(tmp_path: Path) -> None:
    (stamp,) = stamps(1)
    written = receipt(stamp, gap=(AT, AT + timedelta(hours=1)), is_capped=True, note="été")
    listening.write_receipt(tmp_path, "bluesky", written)
    assert list(listening.receipts(tmp_path, "bluesky")) == [written]
    assert listening.last_receipt(tmp_path, "bluesky") == written


def test_receipts_come_in_order_and_from_a_stamp_on(tmp_path: Path) -> None:
    names = stamps(4)
    for stamp in reversed(names):
        listening.write_receipt(tmp_path, "bluesky", receipt(stamp))
    assert [r.stamp for r in listening.receipts(tmp_path, "bluesky")] == names
    later = listening.receipts(tmp_path, "bluesky", after=names[1])
    assert [r.stamp for r in later] == names[2:]
    assert set(listening.newest(tmp_path).values()) == {names[-1]}


def test_a_stamp_is_later_than_the_last_whatever_the_clock_says() -> None:
    first = listening.next_stamp("", AT)
    second = listening.next_stamp(first, AT - timedelta(days=1))
    assert second > first
    assert listening.moment(second) - listening.moment(first) == timedelta(microseconds=1)
    paris = AT.astimezone(tz=datetime.now().astimezone().tzinfo)
    assert listening.next_stamp("", paris) == first


def test_what_is_loaded_is_forgotten_but_the_last_where_a_reader_goes_on(tmp_path: Path) -> None:
    names = stamps(3)
    for stamp in names:
        listening.write_receipt(tmp_path, "bluesky", receipt(stamp))
    listening.forget(tmp_path, "bluesky", upto=names[1])
    assert [r.stamp for r in listening.receipts(tmp_path, "bluesky")] == names[2:]
    listening.forget(tmp_path, "bluesky", upto=names[2])
    assert listening.last_receipt(tmp_path, "bluesky") == receipt(names[2])


def test_a_reader_tells_how_it_is(tmp_path: Path) -> None:
    assert listening.reader(tmp_path, "bluesky") is None
    told = listening.Reader(at=AT, until=AT, status="failed", cursor={"a": 1}, note="coupé")
    listening.write_reader(tmp_path, "bluesky", told)
    assert listening.reader(tmp_path, "bluesky") == told


def test_two_processes_do_not_listen_to_one_source(tmp_path: Path) -> None:
    with (
        listening.alone(tmp_path, "bluesky"),
        listening.alone(tmp_path, "mastodon"),
        pytest.raises(VigieError, match="listens to 'bluesky'"),
        listening.alone(tmp_path, "bluesky"),
    ):
        raise AssertionError("two at once")
    with listening.alone(tmp_path, "bluesky"):
        pass


def test_what_was_taken_up_is_a_hint_that_may_be_missing_or_broken(tmp_path: Path) -> None:
    assert listening.taken(tmp_path) == {}
    (stamp,) = stamps(1)
    listening.write_taken(tmp_path, {"bluesky": stamp})
    assert listening.taken(tmp_path) == {"bluesky": stamp}
    for broken in ("{", '"20261120T120000000000Z"'):  # the second: of an older version
        (tmp_path / "listening" / "taken").write_text(broken)
        assert listening.taken(tmp_path) == {}


def test_a_home_without_readers_has_no_newest_landing(tmp_path: Path) -> None:
    assert listening.newest(tmp_path) == {}
    assert listening.last_receipt(tmp_path, "bluesky") is None
    assert list(listening.receipts(tmp_path, "bluesky")) == []
