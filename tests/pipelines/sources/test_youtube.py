"""YouTube, against a small API on loopback that pages, counts and refuses as Google's does."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines.errors import RateLimited, SourceError, StatusRefused
from pipelines.mention import Deletion, Post, Rejection
from pipelines.sources import Payload, Terms, _youtube_api as api, youtube as source
from tests.pipelines.loopback import Answer, Asked, Clock
from tests.pipelines.sources import peers
from tests.pipelines.sources.peers import SINCE, UNTIL, Reading, Runs, answered

PAYLOADS = Path(__file__).parents[2] / "payloads" / "youtube"
KEY = {"VIGIE_YOUTUBE_KEY": "clef-inventee"}
CHANNEL = "UC" + "v" * 22
MIDNIGHT = datetime(2026, 11, 21, 8, tzinfo=UTC)  # in California, winter time


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def video(name: str, at: datetime = SINCE, **changed: Any) -> dict[str, Any]:
    made = sample("video") | {"id": name}
    made["snippet"] |= {"publishedAt": stamp(at), **changed}
    return made


def comment(name: str, at: datetime, **changed: Any) -> dict[str, Any]:
    made = copy.deepcopy(sample("thread")["snippet"]["topLevelComment"]) | {"id": name}
    made["snippet"] |= {"publishedAt": stamp(at), "updatedAt": stamp(at), **changed}
    return made


def error(status: int, reason: str, message: str = "", **more: Any) -> Answer:
    told = {"code": status, "message": message, "errors": [{"domain": "x", "reason": reason}]}
    return answered({"error": {**told, **more}}, status)


@dataclass
class Tube:
    """Videos, threads with their replies, and the calls made of each method."""

    videos: list[dict[str, Any]] = field(default_factory=list)
    threads: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # top comments, by video
    replies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        method = urlsplit(asked.path).path.removeprefix("/youtube/v3/")
        query = {name: texts[0] for name, texts in parse_qs(urlsplit(asked.path).query).items()}
        self.calls.append(method)
        if asked.headers.get("x-goog-api-key") != "clef-inventee":
            return error(400, "badRequest", "API key not valid. Please pass a valid API key.")
        found: Callable[[dict[str, str]], Answer] = getattr(self, f"_{method}")
        return found(query)

    def _search(self, query: dict[str, str]) -> Answer:
        within = [
            v
            for v in self.videos
            if query["publishedAfter"] <= v["snippet"]["publishedAt"] < query["publishedBefore"]
        ]
        items = [
            {**sample("search_item"), "id": {"videoId": v["id"]}, "snippet": v["snippet"]}
            for v in sorted(within, key=lambda v: v["snippet"]["publishedAt"], reverse=True)
        ]
        return self._page(items, query)

    def _videos(self, query: dict[str, str]) -> Answer:
        names = query["id"].split(",")
        assert len(names) <= 50
        return answered({"items": [v for v in self.videos if v["id"] in names]})

    def _playlistItems(self, query: dict[str, str]) -> Answer:  # noqa: N802
        mine = [
            v for v in self.videos if "UU" + v["snippet"]["channelId"][2:] == query["playlistId"]
        ]
        if not mine:
            return error(404, "playlistNotFound")
        items = [{"id": "x", "snippet": {"resourceId": {"videoId": v["id"]}}} for v in mine]
        return self._page(items, query)

    def _commentThreads(self, query: dict[str, str]) -> Answer:  # noqa: N802
        if query.get("videoId") in self.closed:
            return error(403, "commentsDisabled", "The video has disabled comments.")
        names = [query["videoId"]] if "videoId" in query else list(self.threads)
        if "videoId" in query and names[0] not in {v["id"] for v in self.videos}:
            return error(404, "videoNotFound")
        made = [self._thread(top, name) for name in names for top in self.threads.get(name, [])]
        made.sort(key=_begun, reverse=True)
        return self._page(made, query)

    def _thread(self, top: dict[str, Any], name: str) -> dict[str, Any]:
        replies = self.replies.get(top["id"], [])
        return {
            "id": top["id"],
            "snippet": {
                "videoId": name,
                "isPublic": True,
                "totalReplyCount": len(replies),
                "topLevelComment": top,
            },
            "replies": {"comments": replies[-5:]},
        }

    def _comments(self, query: dict[str, str]) -> Answer:
        if "parentId" in query:
            return self._page(self.replies.get(query["parentId"], []), query)
        every = [top for tops in self.threads.values() for top in tops]
        every += [reply for replies in self.replies.values() for reply in replies]
        return answered({"items": [c for c in every if c["id"] in query["id"].split(",")]})

    def _page(self, items: list[Any], query: dict[str, str]) -> Answer:
        size, start = int(query.get("maxResults", "5")), int(query.get("pageToken", "0"))
        more = {"nextPageToken": str(start + size)} if len(items) > start + size else {}
        return answered({"items": items[start : start + size], **more})


def _begun(thread: dict[str, Any]) -> str:
    at: str = thread["snippet"]["topLevelComment"]["snippet"]["publishedAt"]
    return at


def named(n: int) -> str:
    return f"video{n:06d}"


def talked_of(count: int, *, replies: int = 0, name: str | None = None) -> Tube:
    """A tube with one video, `count` comments and `replies` replies to the first of them."""
    name = name or named(1)
    tops = [
        comment(f"Ugtop{n:05d}", SINCE + timedelta(seconds=n), videoId=name) for n in range(count)
    ]
    below = [
        comment(
            f"Ugtop00000.{n:04d}", SINCE + timedelta(minutes=9, seconds=n), parentId="Ugtop00000"
        )
        for n in range(replies)
    ]
    return Tube([video(name)], {name: tops}, {"Ugtop00000": below})


def read(server: peers.Server, **chosen: Any) -> Reading:
    given = {"key_env": "VIGIE_YOUTUBE_KEY", "secrets": KEY, **chosen}
    return peers.read(source, server, **given)


def runs(server: peers.Server, count: int, **chosen: Any) -> Runs:
    return peers.runs(source, server, count, key_env="VIGIE_YOUTUBE_KEY", secrets=KEY, **chosen)


def parse(data: Any, kind: str) -> Any:
    options = source.Options(key_env="VIGIE_YOUTUBE_KEY")
    (found,) = source.parse(Payload(kind=kind, data=data), options)
    return found


def told(item: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"comment": item, "video_id": None, "reply_count": None, "about": None, **more}


# Parsing


def test_a_video_becomes_a_post_whose_counts_were_text() -> None:
    post = parse(sample("video"), "video")
    assert (post.native_id, post.content_type, post.network) == ("vAlm0ntPisc", "video", "youtube")
    assert post.title == "Valmont : la piscine ferme jusqu'au printemps"
    assert (post.like_count, post.reply_count, post.view_count) == (214, 37, None)
    assert post.published_at == datetime(2026, 11, 19, 17, 30, tzinfo=UTC)
    assert (post.lang_declared, post.author_id) == ("fr-FR", "UCpetitmarais0000000000a")
    assert post.url == "https://www.youtube.com/watch?v=vAlm0ntPisc"


def test_hidden_counts_are_unknown_and_not_zero() -> None:
    post = parse(sample("video") | {"statistics": {"viewCount": "0"}}, "video")
    assert (post.view_count, post.like_count, post.reply_count) == (0, None, None)


def test_a_comment_and_a_reply_become_posts_under_their_video() -> None:
    thread = sample("thread")
    top = thread["snippet"]["topLevelComment"]
    post = parse(told(top, reply_count=1, about="Valmont : la piscine ferme"), "comment")
    assert post.text == "Encore une promesse non tenue 😡"
    assert (post.content_type, post.parent_native_id, post.thread_id) == (
        "comment",
        "vAlm0ntPisc",
        "vAlm0ntPisc",
    )
    assert post.edited_at == datetime(2026, 11, 19, 18, 9, 40, tzinfo=UTC)
    assert (post.author_id, post.author_handle) == ("UCmireille00000000000000b", "@mireille-b31")
    assert (post.like_count, post.reply_count) == (12, 1)
    assert post.context == "Valmont : la piscine ferme"
    assert post.url == (
        "https://www.youtube.com/watch?v=vAlm0ntPisc&lc=UgyInventedThread0001AaABAg"
    )
    reply = parse(told(thread["replies"]["comments"][0]), "comment")
    assert (reply.content_type, reply.parent_native_id) == ("reply", "UgyInventedThread0001AaABAg")
    assert (reply.edited_at, reply.author_handle) == (None, None)


@pytest.mark.parametrize("status", ["heldForReview", "likelySpam", "rejected", 3, {}])
def test_what_a_moderator_holds_back_is_not_public(status: Any) -> None:
    found = parse(told(comment("Ugxxxxxx", SINCE, moderationStatus=status)), "comment")
    assert isinstance(found, Rejection)
    assert found.reason == "not_public"


@pytest.mark.parametrize(("data", "kind"), [(None, "video"), ({}, "comment"), ([], "gone")])
def test_what_has_no_id_is_refused(data: Any, kind: str) -> None:
    found = parse(data, kind)
    assert isinstance(found, Rejection)
    assert found.reason == "no_id"


def test_300_odd_answers_of_each_shape_are_read_or_refused_with_a_reason() -> None:
    thread = sample("thread")
    shapes = {
        "video": sample("video"),
        "comment": told(
            thread["snippet"]["topLevelComment"], video_id="vAlm0ntPisc", about="Valmont"
        ),
        "gone": {"id": "x", "checked_at": "2026-11-20T12:00:00+00:00"},
    }
    items = [parse(data, kind) for kind, shape in shapes.items() for data in peers.odd(shape)]
    peers.check_parsed(items)
    assert {type(item) for item in items} == {Post, Rejection, Deletion}
    peers.check_kept(source, items)


def test_300_odd_pages_are_read_by_the_fetcher_without_a_crash() -> None:
    """The fetcher reads ids, times and counts of an answer too."""
    tube = talked_of(2, replies=7)
    for n, thread in enumerate(peers.odd({"items": [sample("thread")]})):

        def odd_threads(asked: Asked, page: Any = thread) -> Answer:
            return answered(page) if "commentThreads" in asked.path else tube(asked)

        try:
            reading = read(odd_threads)
        except SourceError:
            continue
        peers.check_parsed(reading.parsed)
        if n > 60:  # each costs a server; the parser alone has met all 300
            break


# Reading


def test_a_search_finds_videos_and_their_comments_are_read_with_every_reply() -> None:
    tube = talked_of(3, replies=8)
    reading = read(tube)
    assert reading.ids[0] == named(1)
    assert len(reading.ids) == len(set(reading.ids)) == 1 + 3 + 8
    assert tube.calls == ["search", "videos", "commentThreads", "comments"]
    assert {p.context for p in reading.posts[1:]} == {sample("video")["snippet"]["title"]}
    assert {a.headers["x-goog-api-key"] for a in reading.asked} == {"clef-inventee"}
    assert not any("clef" in path for path in reading.paths)
    assert all("fields=" in path for path in reading.paths if "/search" not in path)


def test_comments_are_paged_back_to_the_start_of_the_window() -> None:
    reading = read(talked_of(250))
    assert len(reading.ids) == 251
    again = read(
        talked_of(250), cursor=reading.cursor, since=UNTIL, until=UNTIL + timedelta(hours=7)
    )
    assert again.payloads == []


def test_a_new_comment_an_edit_and_a_new_reply_to_an_old_thread_are_found() -> None:
    tube = talked_of(3, replies=6)
    first = read(tube)
    later = UNTIL + timedelta(hours=1)
    tube.threads[named(1)].append(comment("Ugnew", later))
    tube.threads[named(1)][1]["snippet"] |= {"textOriginal": "Autre", "updatedAt": stamp(later)}
    tube.replies["Ugtop00000"].insert(0, comment("Ugtop00000.new", later, parentId="Ugtop00000"))
    second = read(tube, cursor=first.cursor, since=UNTIL, until=later + timedelta(minutes=1))
    assert sorted(second.ids) == ["Ugnew", "Ugtop00000.new", "Ugtop00001"]


def test_more_comments_than_pages_are_told_as_a_gap() -> None:
    reading = read(talked_of(350), max_pages=2)
    assert len(reading.ids) == 201
    assert reading.checkpoint.capped
    assert reading.checkpoint.gap == (SINCE, SINCE + timedelta(seconds=150))
    assert "more comments than max_pages" in reading.note


def test_more_videos_than_a_page_are_told_as_a_gap() -> None:
    tube = Tube([video(named(n), SINCE + timedelta(seconds=n)) for n in range(60)])
    reading = read(tube)
    assert len(reading.ids) == 50
    assert reading.checkpoint.gap == (SINCE, SINCE + timedelta(seconds=10))


def test_videos_that_name_nothing_watched_are_not_written_down() -> None:
    tube = Tube([video(named(1), title="Recette", description="De la tarte")])
    tube.threads[named(1)] = [comment("Ugtop", SINCE)]
    reading = read(tube)
    assert reading.payloads == []
    assert "commentThreads" not in tube.calls
    assert read(tube, cursor=reading.cursor, until=UNTIL + timedelta(hours=2)).payloads == []
    assert tube.calls.count("videos") == 1


def test_comments_turned_off_are_normal_and_asked_for_once() -> None:
    tube = talked_of(2)
    tube.closed = {named(1)}
    first = read(tube)
    assert first.ids == [named(1)]
    assert "comments are turned off under 1 videos" in first.note
    assert not first.checkpoint.capped
    read(tube, cursor=first.cursor, until=UNTIL + timedelta(hours=7))
    assert tube.calls.count("commentThreads") == 1


def test_a_video_that_is_gone_is_no_longer_visited() -> None:
    tube = talked_of(1)
    first = read(tube)
    tube.videos = []
    later = UNTIL + timedelta(hours=2)
    second = read(tube, cursor=first.cursor, until=later, recheck=(named(1), "Ugtop00000"))
    assert second.gone == [named(1)]
    assert second.cursor["videos"] == {}


def test_a_channel_is_read_whole_without_searching() -> None:
    tube = Tube([video(named(1), title="Le conseil en direct", channelId=CHANNEL)])
    tube.threads[named(1)] = [comment("Ugtop", SINCE)]
    reading = read(tube, search=False, channels=(CHANNEL,), terms=Terms())
    assert reading.ids[:2] == [named(1), "Ugtop"]
    assert "search" not in tube.calls
    assert len(reading.ids) == len(set(reading.ids))


def test_a_channel_without_comments_is_read_for_its_videos() -> None:
    tube = Tube([video(named(1), channelId=CHANNEL)])
    closed = lambda a: error(403, "commentsDisabled") if "Threads" in a.path else tube(a)  # noqa: E731
    reading = read(closed, search=False, channels=(CHANNEL,))
    assert reading.ids == [named(1)]
    assert not reading.checkpoint.capped
    assert "comments are turned off for all of channel" in reading.note


def test_searches_take_turns_over_the_day_and_old_videos_rest_longer() -> None:
    tube = talked_of(1)
    made = runs(tube, 12 * 6)  # six hours
    assert not made.errors
    assert tube.calls.count("search") == 18  # 90 a day are one in 16 minutes, in runs of 5
    assert tube.calls.count("commentThreads") <= 24


def test_two_queries_share_the_searches_of_a_day() -> None:
    tube = talked_of(1)
    runs(tube, 12 * 6, queries=("Valmont piscine", "Valmont mairie"))
    assert 20 <= tube.calls.count("search") <= 26


def test_nothing_to_read_and_no_key_are_told_with_the_remedy() -> None:
    with pytest.raises(
        SourceError, match="give a subject names, or the source queries or channels"
    ):
        read(Tube(), terms=Terms())
    with pytest.raises(SourceError, match="VIGIE_YOUTUBE_KEY, which is not set: make an API key"):
        read(Tube(), secrets={})


# Look-ups


def test_what_was_kept_is_looked_up_again_as_it_is_now_or_gone() -> None:
    tube = talked_of(3, name=named(1))
    tube.videos[0]["statistics"]["likeCount"] = "999"
    first = read(tube)
    del tube.threads[named(1)][1]
    later = UNTIL + timedelta(minutes=5)
    ids = (named(1), "Ugtop00000", "Ugtop00001")
    second = read(tube, cursor=first.cursor, since=UNTIL, until=later, recheck=ids)
    assert second.gone == ["Ugtop00001"]
    assert second.posts[0].like_count == 999
    assert second.posts[1].context == sample("video")["snippet"]["title"]
    assert second.parsed[-1] == Deletion(source="youtube", native_id="Ugtop00001", deleted_at=later)


def test_when_nothing_at_all_is_known_nothing_is_deleted() -> None:
    ids = tuple(f"Ugx{n:05d}" for n in range(9))
    reading = read(talked_of(1), recheck=ids)
    assert reading.gone == []
    assert "none is taken for deleted" in reading.note


def test_a_look_up_that_fails_is_told_and_deletes_nothing() -> None:
    tube = talked_of(1)
    failing = lambda a: Answer(500) if "videos?" in a.path and "Ug" not in a.path else tube(a)  # noqa: E731
    first = read(tube)
    second = read(
        failing, cursor=first.cursor, until=UNTIL + timedelta(minutes=1), recheck=(named(1),)
    )
    assert second.gone == []
    assert "deletions could not be checked" in second.note


# Quotas


def test_both_quotas_are_counted_and_come_back_at_midnight_in_california() -> None:
    first = read(talked_of(1))
    assert first.cursor["quota"] == {"on": "2026-11-20", "spent": {"searches": 1, "units": 2}}
    early = Clock(at=MIDNIGHT - timedelta(minutes=1))
    late = Clock(at=MIDNIGHT)
    for clock, spent in ((early, 1 + 1), (late, 1)):
        reading = read(talked_of(1), cursor=first.cursor, until=clock.at, clock=clock)
        assert reading.cursor["quota"]["spent"]["searches"] == spent


def test_a_spent_bucket_of_searches_does_not_stop_the_comments() -> None:
    tube = talked_of(2)
    first = read(tube)
    tube.threads[named(1)].append(comment("Ugnew", UNTIL))
    spent = first.cursor | {"quota": {"on": "2026-11-20", "spent": {"searches": 90}}}
    second = read(tube, cursor=spent, since=UNTIL, until=UNTIL + timedelta(hours=2))
    assert second.ids == ["Ugnew"]
    assert tube.calls.count("search") == 1
    assert "the searches of this day of the YouTube key are spent" in second.note


def test_spent_units_stop_everything_until_midnight_in_california() -> None:
    tube = talked_of(2000)
    made = runs(tube, 3, units_per_day=10, max_pages=500)
    asked = len(tube.calls)
    assert len(made.readings) == 1
    assert len(made.ids) == 901  # what was read is kept: the video and nine pages
    assert [type(e) for e in made.errors] == [RateLimited, RateLimited]
    assert {e.retry_at for e in made.errors if isinstance(e, RateLimited)} == {MIDNIGHT}
    assert asked == 11  # ten units and a search, and not one call after


@pytest.mark.parametrize(
    "refusal",
    [
        error(403, "quotaExceeded"),
        error(403, "dailyLimitExceeded"),
        error(403, "rateLimitExceeded", "Quota exceeded for quota metric 'Queries' … per day"),
        error(429, "rateLimitExceeded", "Quota exceeded for quota metric 'Search' … per day"),
    ],
)
def test_google_s_word_that_a_day_is_spent_is_taken(refusal: Answer) -> None:
    with pytest.raises(RateLimited) as raised:
        read(lambda _: refusal, channels=(CHANNEL,), search=False)
    assert raised.value.retry_at == MIDNIGHT


def test_calls_that_come_too_fast_are_slowed_down() -> None:
    tube = talked_of(2)
    reading = read(peers.disturbed(tube, error(403, "rateLimitExceeded", "per minute"), at=3))
    assert len(reading.ids) == 3
    assert reading.clock.slept == [20.0]
    with pytest.raises(RateLimited, match="too fast"):
        read(lambda _: error(403, "userRateLimitExceeded"))


def test_the_reset_is_right_in_summer_and_on_the_days_of_the_change() -> None:
    for now, reset in (
        ("2026-07-01T06:59:59Z", "2026-07-01T07:00:00Z"),
        ("2026-07-01T07:00:00Z", "2026-07-02T07:00:00Z"),
        ("2026-11-01T12:00:00Z", "2026-11-02T08:00:00Z"),
    ):
        found = api.reset_after(datetime.fromisoformat(now))
        assert found == datetime.fromisoformat(reset)


@pytest.mark.parametrize(
    "odd", [None, [], {"on": 3}, {"on": "2099-01-01", "spent": {"units": "x"}}]
)
def test_a_quota_of_another_shape_starts_whole(odd: Any) -> None:
    found = api.quota(odd, limits={"units": 10}, now=UNTIL)
    assert found.left("units", now=UNTIL) == 10
    assert found.on == date(2026, 11, 20)


# Refusals and faults


@pytest.mark.parametrize(
    "refusal",
    [
        error(400, "badRequest", "API key expired. Please renew the API key."),
        error(400, "badRequest", details=[{"reason": "API_KEY_INVALID"}]),
        error(403, "accessNotConfigured"),
        error(403, "x", details=[{"reason": "API_KEY_IP_ADDRESS_BLOCKED"}]),
        error(401, "authError"),
        Answer(403, body=b"<html>no"),
    ],
)
def test_a_key_that_is_refused_says_what_to_look_at(refusal: Answer) -> None:
    with pytest.raises(StatusRefused, match="refuses the key in VIGIE_YOUTUBE_KEY"):
        read(lambda _: refusal)


def test_an_odd_refusal_is_told_with_its_reason() -> None:
    with pytest.raises(StatusRefused, match=r"status 400 \(processingFailure\)"):
        read(lambda _: error(400, "processingFailure"))


@pytest.mark.parametrize("body", [[], "x", {"items": "x"}, None])
def test_an_answer_without_items_is_told(body: Any) -> None:
    with pytest.raises(SourceError, match="answered without items"):
        read(lambda _: answered(body))


@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize("name", [*peers.FAULTS, "403 too fast", "quota of the day", "key expired"])
def test_no_fault_loses_or_doubles_a_comment(name: str, at: int) -> None:
    forms = peers.FAULTS | {
        "403 too fast": error(403, "rateLimitExceeded"),
        "quota of the day": error(403, "quotaExceeded"),
        "key expired": error(400, "badRequest", "API key expired. Please renew the API key."),
    }
    tube = talked_of(120, replies=8)
    disturbed = peers.disturbed(tube, forms[name], at=at)
    made = runs(disturbed, 7, step=timedelta(hours=4))  # past midnight in California
    wanted = [named(1)] + [f"Ugtop{n:05d}" for n in range(120)]
    wanted += [f"Ugtop00000.{n:04d}" for n in range(8)]
    assert sorted(made.ids) == sorted(wanted)
    assert len(made.landed) == len(set(made.landed))


@pytest.mark.parametrize(
    "wrong",
    [
        {"key_env": "AIzaSyInventedKeyThatIsNoName"},
        {"channels": ("@mairie",)},
        {"queries": ("from:leo",)},
        {"region": "France"},
        {"units_per_day": 0},
    ],
)
def test_options_that_cannot_be_meant_are_faults(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        source.Options(**{"key_env": "VIGIE_YOUTUBE_KEY", **wrong})
