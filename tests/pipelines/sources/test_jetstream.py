"""The stream read from a real WebSocket server on loopback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.errors import AddressRefused, SourceError
from pipelines.mention import Deletion, Post
from pipelines.sources import bluesky
from pipelines.sources._bluesky_run import mark
from tests.pipelines.loopback import NOON
from tests.pipelines.sources.bluesky_network import (
    ALICE,
    account,
    at,
    collected,
    commit,
    first,
    jetstream,
    knowing,
    replaying,
    request,
    rkeys,
    showing,
    uri,
    view,
)

BOB = "did:plc:bbbbccccddddeeeeffff3333"
END = commit(99, "fin", at=NOON + timedelta(seconds=1))
OPTIONS = bluesky.Options(mode="jetstream")


def test_the_stream_keeps_only_posts_that_may_name_what_is_watched(tmp_path: Path) -> None:
    script = replaying(
        commit(1, "name", text="À BELLEROCHE, rien ne va"),
        commit(2, "other", text="Bellerochelle et rocher"),
        commit(3, "tag", text="Ici #VivreÀBelleroche"),
        commit(4, "handle", text="bonjour @mairie.example"),
        commit(5, "word", text="la mairie.example de demain"),
        END,
    )
    with jetstream(script) as host:
        asked = request(tmp_path, mode="jetstream", jetstream_urls=(host.url(),))
        payloads, last = collected(asked)
    assert rkeys(payloads) == ["name", "tag", "handle"]
    assert (last.gap, last.capped, last.note) == (None, False, None)


def test_the_host_is_asked_for_posts_and_accounts_from_the_cursor_less_its_overlap(
    tmp_path: Path,
) -> None:
    cursor = {"stream": {"at": at(minutes=5).isoformat(), "url": "wss://elsewhere", "seq": 7}}
    with jetstream(replaying(END)) as host:
        collected(request(tmp_path, cursor=cursor, mode="jetstream", jetstream_urls=(host.url(),)))
    asked = host.asked[0]
    assert asked["kinds"] == ["commit", "account"]
    assert asked["collections"] == ["app.bsky.feed.post"]
    assert int(asked["cursor"][0]) == at(minutes=5, seconds=30).timestamp() * 1_000_000
    assert host.agents == ["Vigie/0.1 (veille@belleroche.example)"]


def test_a_run_goes_on_at_the_number_of_the_last_event_and_reads_it_once(tmp_path: Path) -> None:
    before = [commit(n, f"p{n}", at=at(minutes=10 - n)) for n in range(1, 4)]
    after = commit(4, "p4", at=at(minutes=2))
    with jetstream(replaying(*before, after, END)) as host:
        options: dict[str, Any] = {"mode": "jetstream", "jetstream_urls": (host.url(),)}
        half, checkpoint = collected(request(tmp_path, until=at(minutes=6, seconds=30), **options))
        rest, _ = collected(request(tmp_path, cursor=checkpoint.cursor, **options))
    assert rkeys(half) == ["p1", "p2", "p3"]
    assert rkeys(rest) == ["p4"]
    assert host.asked[1]["cursor"] == ["3"]


def test_the_window_is_half_open_at_its_end(tmp_path: Path) -> None:
    script = replaying(commit(1, "in", at=at(microseconds=1)), commit(2, "out", at=NOON))
    with jetstream(script) as host:
        payloads, last = collected(
            request(tmp_path, mode="jetstream", jetstream_urls=(host.url(),))
        )
    assert rkeys(payloads) == ["in"]
    assert last.cursor["stream"]["seq"] == 1


def test_version_1_gives_the_same_posts_and_deletions(tmp_path: Path) -> None:
    frames = [commit(1, "a"), commit(2, "b"), commit(3, "b", operation="delete"), END]
    both = []
    for path, script in (
        ("/subscribe", lambda _: [first(frame) for frame in frames]),
        ("/xrpc/network.bsky.jetstream.subscribeEvents", replaying(*frames)),
    ):
        with jetstream(script) as host:
            asked = request(
                tmp_path,
                since=at(minutes=2),
                cursor={"recent": [mark(uri("b"))]},
                mode="jetstream",
                jetstream_urls=(host.url(path),),
                appview="",
            )
            payloads, _ = collected(asked)
            both.append([item for p in payloads for item in bluesky.parse(p, OPTIONS)])
            assert ("wantedCollections" in host.asked[0]) == (path == "/subscribe")
    assert both[0] == both[1]
    assert [type(item) for item in both[0]] == [Deletion, Post]


def test_a_post_written_and_deleted_within_one_reading_is_never_landed(tmp_path: Path) -> None:
    script = replaying(
        commit(1, "gone"), commit(2, "stays"), commit(3, "gone", operation="delete"), END
    )
    with jetstream(script) as host:
        payloads, _ = collected(request(tmp_path, mode="jetstream", jetstream_urls=(host.url(),)))
    assert rkeys(payloads) == ["stays"]


def test_a_post_edited_within_one_reading_is_landed_once_as_it_is_last(tmp_path: Path) -> None:
    script = replaying(commit(1, "a"), commit(2, "a", operation="update", text="autrement"), END)
    with jetstream(script) as host:
        payloads, _ = collected(request(tmp_path, mode="jetstream", jetstream_urls=(host.url(),)))
    (found,) = [item for p in payloads for item in bluesky.parse(p, OPTIONS)]
    assert isinstance(found, Post)
    assert found.text == "autrement"


def test_a_deletion_is_recognised_by_the_run_after_and_a_stranger_s_is_not(tmp_path: Path) -> None:
    script = replaying(
        commit(1, "ours", at=at(minutes=9)),
        commit(2, "ours", at=at(minutes=3), operation="delete"),
        commit(3, "theirs", at=at(minutes=2), operation="delete"),
        END,
    )
    with jetstream(script) as host:
        options: dict[str, Any] = {"mode": "jetstream", "jetstream_urls": (host.url(),)}
        _, checkpoint = collected(request(tmp_path, until=at(minutes=5), **options))
        payloads, _ = collected(request(tmp_path, cursor=checkpoint.cursor, **options))
    found = [item for p in payloads for item in bluesky.parse(p, OPTIONS)]
    assert found == [
        Deletion(source="bluesky", native_id=uri("ours"), deleted_at=at(minutes=3), reason="author")
    ]
    assert "ours" not in json.dumps(checkpoint.cursor)
    assert ALICE not in json.dumps(checkpoint.cursor)


def test_nothing_is_landed_of_an_account_that_ends_within_the_reading(tmp_path: Path) -> None:
    script = replaying(
        commit(1, "new"),
        commit(2, "kept", did=BOB),
        account(3, at=at(seconds=50), status="suspended"),
        account(4, at=at(seconds=40), did="did:plc:strangerstrangerstranger"),
        END,
    )
    with jetstream(script) as host:
        asked = request(tmp_path, mode="jetstream", jetstream_urls=(host.url(),), appview="")
        payloads, _ = collected(asked)
    assert rkeys(payloads) == ["kept"]


def test_a_post_found_in_the_stream_is_handed_over_as_the_network_shows_it(tmp_path: Path) -> None:
    shy = view("shy", author={"did": ALICE, "labels": [{"val": "!no-unauthenticated"}]})
    script = replaying(commit(1, "shy"), commit(2, "young"), END)
    with jetstream(script) as host:
        asked = request(tmp_path, knowing(shy), mode="jetstream", jetstream_urls=(host.url(),))
        payloads, _ = collected(asked)
    found = [item for p in payloads for item in bluesky.parse(p, OPTIONS)]
    told = [(i.optout, i.like_count, i.collected_via) for i in found if isinstance(i, Post)]
    assert [p.kind for p in payloads] == ["streamed_post", "event"]
    assert told == [(True, 0, "stream"), (False, None, "stream")]


def test_an_index_that_lags_behind_the_stream_does_not_bring_the_old_text_back(
    tmp_path: Path,
) -> None:
    stale = view("a", cid="bafyold", text="Belleroche, faux")
    script = replaying(commit(1, "a", text="Belleroche, corrigé"), END)
    with jetstream(script) as host:
        asked = request(tmp_path, knowing(stale), mode="jetstream", jetstream_urls=(host.url(),))
        payloads, _ = collected(asked)
    (found,) = [item for p in payloads for item in bluesky.parse(p, OPTIONS)]
    assert isinstance(found, Post)
    assert found.text == "Belleroche, corrigé"


def test_an_edit_of_a_post_that_we_hold_is_kept_whatever_it_says_now(tmp_path: Path) -> None:
    script = replaying(
        commit(1, "ours", at=at(minutes=9)),
        commit(2, "ours", at=at(minutes=3), operation="update", text="plus rien"),
        commit(3, "theirs", at=at(minutes=2), operation="update", text="plus rien"),
        END,
    )
    with jetstream(script) as host:
        options: dict[str, Any] = {"mode": "jetstream", "jetstream_urls": (host.url(),)}
        _, checkpoint = collected(request(tmp_path, until=at(minutes=5), **options))
        payloads, _ = collected(request(tmp_path, cursor=checkpoint.cursor, **options))
    (edited,) = [item for p in payloads for item in bluesky.parse(p, OPTIONS)]
    assert isinstance(edited, Post)
    assert (edited.text, edited.edited_at) == ("plus rien", at(minutes=3))


def test_a_number_too_old_for_the_host_gives_way_to_the_time_and_the_gap_is_told(
    tmp_path: Path,
) -> None:
    info = json.dumps(
        {
            "$type": "message",
            "payload": {
                "$type": "network.bsky.jetstream.subscribeEvents#info",
                "name": "OutdatedCursor",
                "message": "resumed from 500",
            },
        }
    )

    def refuse(asked: Mapping[str, list[str]]) -> tuple[int, bytes] | None:
        body = b'{"error":"CursorTooOld","message":"cursor 7 is below the floor 500"}'
        return (400, body) if int(asked["cursor"][0]) < 10**15 else None

    frames = [info, commit(500, "late", at=at(hours=1)), END]
    with jetstream(lambda _: frames, refuse=refuse) as host:
        stream = {"at": at(hours=40).isoformat(), "url": host.url(), "seq": 7}
        payloads, last = collected(
            request(
                tmp_path,
                cursor={"stream": stream},
                mode="jetstream",
                jetstream_urls=(host.url(),),
            )
        )
    assert rkeys(payloads) == ["late"]
    assert (last.capped, last.gap) == (True, (at(hours=40), at(hours=1)))


def test_a_host_that_takes_no_cursor_at_all_is_told(tmp_path: Path) -> None:
    body = b'{"error":"CursorTooOld","message":"no"}'
    with jetstream(lambda _: [], refuse=lambda _: (400, body)) as host:
        stream = {"at": at(hours=1).isoformat(), "url": host.url(), "seq": 7}
        asked = request(
            tmp_path,
            cursor={"stream": stream},
            mode="jetstream",
            jetstream_urls=(host.url(),),
        )
        with pytest.raises(SourceError, match="CursorTooOld no"):
            collected(asked)


def test_a_host_that_counts_anew_is_read_by_time(tmp_path: Path) -> None:
    frames = [commit(1, "a", at=at(minutes=4)), END]

    def script(asked: Mapping[str, list[str]]) -> list[str]:
        # A number that a host has not reached yet leads to its live end, without a word.
        is_number = int(asked["cursor"][0]) < 10**15
        return [commit(2, "live", at=at(minutes=1)), END] if is_number else frames

    with jetstream(script) as host:
        stream = {"at": at(minutes=5).isoformat(), "url": host.url(), "seq": 900}
        payloads, _ = collected(
            request(
                tmp_path,
                cursor={"stream": stream},
                mode="jetstream",
                jetstream_urls=(host.url(),),
            )
        )
    assert rkeys(payloads) == ["a"]
    assert len(host.asked) == 2


def test_version_1_that_keeps_too_little_is_told_as_a_gap(tmp_path: Path) -> None:
    frames = [first(commit(1, "a", at=at(minutes=20))), first(END)]
    with jetstream(lambda _: frames) as host:
        _, last = collected(
            request(tmp_path, mode="jetstream", jetstream_urls=(host.url("/subscribe"),))
        )
    assert last.gap == (at(hours=1), at(minutes=20))


def test_a_broken_stream_goes_on_at_the_next_address_without_a_gap(tmp_path: Path) -> None:
    slow = json.dumps({"$type": "error", "error": "ConsumerTooSlow", "message": "behind"})
    with (
        jetstream(lambda _: [commit(1, "a", at=at(minutes=9)), slow]) as broken,
        jetstream(replaying(commit(70, "b", at=at(minutes=2)), END)) as whole,
    ):
        payloads, last = collected(
            request(tmp_path, mode="jetstream", jetstream_urls=(broken.url(), whole.url()))
        )
    assert rkeys(payloads) == ["a", "b"]
    assert (last.gap, last.note) == (None, None)
    assert int(whole.asked[0]["cursor"][0]) == at(minutes=9, seconds=30).timestamp() * 1_000_000


def test_a_stream_that_breaks_for_good_keeps_what_it_gave_and_tells_the_rest(
    tmp_path: Path,
) -> None:
    with jetstream(replaying(commit(1, "a", at=at(minutes=9))), then_close=True) as host:
        payloads, last = collected(
            request(tmp_path, mode="jetstream", jetstream_urls=(host.url(),))
        )
    assert rkeys(payloads) == ["a"]
    assert last.gap == (at(minutes=9), NOON)
    assert last.note is not None
    assert "the stream broke" in last.note
    assert last.cursor["stream"]["seq"] == 1


def test_a_host_that_says_nothing_gives_way_to_the_next(tmp_path: Path) -> None:
    with (
        jetstream(lambda _: []) as dumb,
        jetstream(replaying(commit(1, "a"), END)) as live,
    ):
        payloads, _ = collected(
            request(tmp_path, mode="jetstream", jetstream_urls=(dumb.url(), live.url()))
        )
    assert rkeys(payloads) == ["a"]


def test_a_silent_stream_is_left_and_the_cursor_stays(tmp_path: Path) -> None:
    with jetstream(lambda _: []) as host:
        payloads, last = collected(
            request(tmp_path, mode="jetstream", jetstream_urls=(host.url(),))
        )
    assert payloads == []
    assert last.cursor["stream"]["at"] == at(hours=1).isoformat()
    assert last.gap is None


def test_a_reading_that_takes_too_long_stops_and_says_how_far_it_came(tmp_path: Path) -> None:
    frames = [commit(n, f"p{n}", at=at(hours=1) + timedelta(seconds=n)) for n in range(1, 3000)]
    with jetstream(replaying(*frames)) as host:
        payloads, last = collected(
            request(
                tmp_path,
                mode="jetstream",
                jetstream_urls=(host.url(),),
                read_seconds=0.05,
                appview="",
            )
        )
    assert 0 < len(payloads) < 2999
    assert last.gap is not None
    assert last.gap[1] == NOON
    assert last.capped


def test_frames_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    bad = ["{", '"\\ud800"', "[" * 3000, '{"kind":"commit","time_us":true}', "[]"]
    with jetstream(lambda _: [*bad, commit(1, "a"), END]) as host:
        payloads, last = collected(
            request(tmp_path, mode="jetstream", jetstream_urls=(host.url(),))
        )
    assert rkeys(payloads) == ["a"]
    assert last.note == "5 frames could not be read"


def test_a_host_that_cannot_be_read_is_told_with_its_words(tmp_path: Path) -> None:
    def refuse(asked: Mapping[str, list[str]]) -> tuple[int, bytes] | None:
        return 429, b'{"error":"RateLimited","message":"too many connections"}'

    with jetstream(lambda _: [], refuse=refuse) as host:
        dead = "ws://127.0.0.1:9/subscribe"
        with pytest.raises(SourceError, match="status 429 RateLimited too many connections"):
            collected(request(tmp_path, mode="jetstream", jetstream_urls=(dead, host.url())))


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_stream_in_a_private_network_is_refused(tmp_path: Path, name: str) -> None:
    with jetstream(lambda _: []) as host:
        urls = (host.url(name=name),)
        with pytest.raises(AddressRefused, match="allow_private"):
            collected(request(tmp_path, allow_private=(), mode="jetstream", jetstream_urls=urls))
        assert host.asked == []


def test_both_begins_with_a_search_of_the_past_and_then_only_reads_the_stream(
    tmp_path: Path,
) -> None:
    searches: list[str] = []

    def answer(asked: httpx.Request) -> httpx.Response:
        if asked.url.path.endswith("searchPosts"):
            searches.append(asked.url.params["q"])
            return showing([view("past", at=at(minutes=50))])
        return knowing()(asked)

    with jetstream(replaying(commit(5, "live", at=at(seconds=20)), END)) as host:
        options: dict[str, Any] = {
            "mode": "both",
            "jetstream_urls": (host.url(),),
            "anonymous": True,
            "host": "https://api.example",
            "queries": ("Belleroche",),
        }
        begun, checkpoint = collected(request(tmp_path, answer, **options))
        again, _ = collected(request(tmp_path, answer, cursor=checkpoint.cursor, **options))
    assert rkeys(begun) == ["live", "past"]
    assert rkeys(again) == []
    assert searches == ["Belleroche"]


def test_both_searches_for_what_the_stream_could_not_give(tmp_path: Path) -> None:
    def answer(asked: httpx.Request) -> httpx.Response:
        if asked.url.path.endswith("searchPosts"):
            return showing([view("searched", at=at(minutes=10))])
        return knowing()(asked)

    dead = "ws://127.0.0.1:9/subscribe"
    stream = {"at": at(hours=1).isoformat(), "url": dead, "seq": None}
    payloads, last = collected(
        request(
            tmp_path,
            answer,
            cursor={"stream": stream},
            mode="both",
            jetstream_urls=(dead,),
            anonymous=True,
            queries=("Belleroche",),
        )
    )
    assert rkeys(payloads) == ["searched"]
    assert (last.gap, last.cursor["stream"]) == (None, stream)
    assert last.note is not None
    assert "no Jetstream could be read" in last.note


def test_both_tells_a_gap_when_the_search_fails_as_well(tmp_path: Path) -> None:
    def answer(asked: httpx.Request) -> httpx.Response:
        is_search = asked.url.path.endswith("searchPosts")
        return httpx.Response(403, text="<html>no</html>") if is_search else knowing()(asked)

    with jetstream(replaying(commit(1, "a", at=at(minutes=9))), then_close=True) as host:
        stream = {"at": at(minutes=10).isoformat(), "url": "", "seq": None}
        payloads, last = collected(
            request(
                tmp_path,
                answer,
                cursor={"stream": stream},
                mode="both",
                jetstream_urls=(host.url(),),
                anonymous=True,
                queries=("Belleroche",),
            )
        )
    assert rkeys(payloads) == ["a"]
    assert (last.capped, last.gap) == (True, (at(minutes=9), NOON))
