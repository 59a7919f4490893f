"""The Discourse source, against a small forum on loopback that pages in both of its ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings, strategies as st

from pipelines.errors import RateLimited, SourceError, StatusRefused
from pipelines.mention import Deletion, Post, Rejection
from pipelines.sources import Payload, Terms, discourse
from tests.pipelines.loopback import Answer, Asked
from tests.pipelines.sources.generated import answered, answers
from tests.pipelines.sources.hearing import (
    SINCE,
    UNTIL,
    Ear,
    every_fault,
    every_wait,
    listening,
    minutes,
    read_generated,
)

PAYLOAD = Path(__file__).parents[2] / "payloads" / "discourse" / "post.json"
SAMPLE: dict[str, Any] = json.loads(PAYLOAD.read_text(encoding="utf-8"))


def post(number: int, at: datetime, **changed: Any) -> dict[str, Any]:
    return {
        **SAMPLE,
        "id": number,
        "created_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "topic_id": 100 + number // 10,
        "post_number": 1 + number % 10,
        "version": 1,
        **changed,
    }


def every(seconds: int, *, count: int, first: int = 1) -> list[dict[str, Any]]:
    return [post(first + n, SINCE + timedelta(seconds=seconds * n)) for n in range(count)]


@dataclass
class Forum:
    """A forum: its posts by id, and which of the two ways its pages go."""

    posts: list[dict[str, Any]] = field(default_factory=list)
    is_old: bool = False
    restricted: tuple[int, ...] = ()

    def __call__(self, asked: Asked) -> Answer:
        path, query = urlsplit(asked.path).path, parse_qs(urlsplit(asked.path).query)
        if path == "/posts.json":
            return _json({"latest_posts": self._page(query)})
        if path == "/search.json":
            return self._search(query)
        if path == "/categories.json":
            return self._categories()
        if path.startswith("/posts/"):
            return self._one(int(path.removeprefix("/posts/").removesuffix(".json")))
        return self._topic(path)

    def _page(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        newest = sorted(self.posts, key=lambda p: -p["id"])
        before = int(query.get("before", [0])[0])
        if not self.is_old:
            return [p for p in newest if not before or p["id"] < before][:50]
        before = before or max((p["id"] for p in newest), default=0)
        return [p for p in newest if before - 50 < p["id"] <= before]

    def _search(self, query: dict[str, list[str]]) -> Answer:
        found = sorted(self.posts, key=lambda p: p["created_at"], reverse=True)
        newest = {p["topic_id"]: p for p in reversed(found)}
        hits = sorted(newest.values(), key=lambda p: p["created_at"], reverse=True)
        page = int(query["page"][0])
        said = ("id", "username", "created_at", "post_number", "topic_id")
        result = {"error": None, "more_full_page_results": len(hits) > 50 * page or None}
        shown = [{key: p[key] for key in said} for p in hits[50 * (page - 1) : 50 * page]]
        return _json({"posts": shown, "topics": [], "grouped_search_result": result})

    def _topic(self, path: str) -> Answer:
        topic_id = int(path.split("/")[2])
        stream = [
            {k: v for k, v in p.items() if k != "topic_title"}
            for p in self.posts
            if p["topic_id"] == topic_id
        ]
        return _json(
            {"title": "La piscine", "slug": "la-piscine", "post_stream": {"posts": stream}}
        )

    def _one(self, number: int) -> Answer:
        known = [p for p in self.posts if p["id"] == number]
        return _json(known[0]) if known else _error(404, "not_found")

    def _categories(self) -> Answer:
        listed = [
            {"id": 14, "read_restricted": 14 in self.restricted},
            {"id": 2, "read_restricted": False, "subcategory_list": [{"id": 5}]},
        ]
        return _json({"category_list": {"categories": listed}})


def _json(value: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, headers=headers, body=json.dumps(value).encode())


def _error(status: int, kind: str) -> Answer:
    return _json({"errors": ["Non"], "error_type": kind}, status)


@contextmanager
def ear(forum: Forum, home: Path) -> Iterator[Ear]:
    with listening(discourse, forum, home) as listener:
        yield listener


def parse(data: Any, **chosen: Any) -> Post | Deletion | Rejection:
    options = discourse.Options(**{"url": "https://forum.quais.example", **chosen})
    payload = Payload(kind="post", data=data, instance="forum.quais.example", fetched_at=UNTIL)
    (found,) = discourse.parse(payload, options)
    return found


# Parsing


def test_a_post_becomes_a_post_with_all_that_it_says() -> None:
    found = parse(SAMPLE, label="Forum des quais")
    assert isinstance(found, Post)
    assert found.native_id == "forum.quais.example:48213"
    assert found.url == "https://forum.quais.example/t/fermeture-de-la-piscine/9127/3"
    assert found.title == "Fermeture de la piscine"
    assert found.text.startswith("<p>Bonjour, la <strong>piscine</strong>")
    assert (found.network, found.content_type, found.collected_via) == (
        "forum",
        "reply",
        "timeline",
    )
    assert found.published_at == datetime(2026, 11, 20, 8, 12, 4, 311000, tzinfo=UTC)
    assert found.edited_at == datetime(2026, 11, 20, 8, 20, 41, 2000, tzinfo=UTC)
    assert found.native_version == "2"
    assert (found.author_id, found.author_handle) == ("odile_f@forum.quais.example", "odile_f")
    assert (found.thread_id, found.community) == ("forum.quais.example:t9127", "Forum des quais")
    assert (found.like_count, found.reply_count, found.quote_count, found.view_count) == (
        5,
        2,
        1,
        41,
    )
    assert found.platform_score == 38.4
    assert found.urls == ("https://www.petitmarais.example/piscine?utm_source=forum",)


def test_a_first_version_is_no_edit_though_it_was_updated() -> None:
    found = parse(SAMPLE | {"version": 1})
    assert isinstance(found, Post)
    assert found.edited_at is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"user_deleted": True}, "author"),
        ({"hidden": True}, "moderator"),
        ({"deleted_at": "2026-11-20T08:30:00.000Z"}, "gone"),
    ],
)
def test_a_post_that_is_deleted_or_hidden_is_a_deletion(
    changed: dict[str, Any], reason: str
) -> None:
    found = parse(SAMPLE | changed)
    assert isinstance(found, Deletion)
    assert (found.native_id, found.reason) == ("forum.quais.example:48213", reason)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"id": None}, "no_id"),
        ({"id": -3}, "no_id"),
        ({"post_type": 3}, "not_a_message"),
        ({"post_type": 4}, "not_public"),
        ({"topic_id": "x"}, "no_topic"),
    ],
)
def test_what_is_no_message_of_the_forum_is_rejected(changed: dict[str, Any], reason: str) -> None:
    found = parse(SAMPLE | changed)
    assert isinstance(found, Rejection)
    assert found.reason == reason


@pytest.mark.parametrize("data", [None, [], "x", 3, True])
def test_what_is_no_object_is_rejected(data: Any) -> None:
    assert isinstance(parse(data), Rejection)


def test_three_hundred_generated_answers_give_posts_and_reasons_and_no_crash(
    tmp_path: Path,
) -> None:
    pages = [answered(made) for made in answers({"latest_posts": [SAMPLE]})]
    listed = [page.get("latest_posts") if isinstance(page, dict) else page for page in pages]
    items = [item for each in listed for item in (each if isinstance(each, list) else [each])]
    payloads = [Payload(kind="post", data=item) for item in items]
    options = discourse.Options(url="https://forum.quais.example")
    parsed = read_generated(discourse, options, payloads, tmp_path)
    assert len(parsed) >= 300
    assert sum(isinstance(item, Post) for item in parsed) > 100


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(sorted(SAMPLE)),
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.none())),
)
def test_no_value_of_any_field_makes_the_parser_fail(name: str, value: Any) -> None:
    assert isinstance(parse(SAMPLE | {name: value}), Post | Deletion | Rejection)


# The walk


@pytest.mark.parametrize("is_old", [False, True])
def test_every_new_post_is_handed_over_once_across_pages_and_runs(
    is_old: bool, tmp_path: Path
) -> None:
    forum = Forum(every(20, count=170), is_old=is_old)
    with ear(forum, tmp_path) as listener:
        first = listener.hear()
        assert len(first.ids) == len(set(first.ids)) == 170
        forum.posts += [post(300 + n, UNTIL + timedelta(seconds=n)) for n in range(120)]
        second = listener.hear(first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5))
        third = listener.hear(second.cursor, since=UNTIL + timedelta(minutes=5))
    assert sorted(map(_number, second.ids)) == list(range(300, 420))
    assert (third.ids, third.checkpoint.gap, third.checkpoint.capped) == ([], None, False)


def _number(native_id: str) -> int:
    return int(native_id.rpartition(":")[2])


@pytest.mark.parametrize("is_old", [False, True])
def test_a_hole_of_many_ids_is_no_end(is_old: bool, tmp_path: Path) -> None:
    """Private messages and deleted posts take ids too: a night of them is an empty page."""
    forum = Forum([post(1000, SINCE), *every(1, count=3, first=1500)], is_old=is_old)
    with ear(forum, tmp_path) as listener:
        first = listener.hear(None, until=minutes(30))
        forum.posts += [post(1700, minutes(40)), post(1903, minutes(41))]
        second = listener.hear(first.cursor)
    assert sorted(map(_number, first.ids)) == [1000, 1500, 1501, 1502]
    assert sorted(map(_number, second.ids)) == [1700, 1903]


def test_a_first_run_stops_at_the_start_of_its_window(tmp_path: Path) -> None:
    old = [post(n, SINCE - timedelta(hours=9)) for n in range(1, 900)]
    with ear(Forum([*old, *every(60, count=30, first=900)]), tmp_path) as listener:
        heard = listener.hear()
        assert sorted(map(_number, heard.ids)) == list(range(900, 930))
        assert len(listener.paths) == 2


def test_posts_of_the_next_window_wait_for_it(tmp_path: Path) -> None:
    forum = Forum(every(60, count=90))
    with ear(forum, tmp_path) as listener:
        first = listener.hear()
        second = listener.hear(first.cursor, since=UNTIL, until=UNTIL + timedelta(hours=1))
    assert sorted(map(_number, first.ids)) == list(range(1, 61))
    assert sorted(map(_number, second.ids)) == list(range(61, 91))


def test_a_window_of_the_past_is_found_below_pages_of_later_posts(tmp_path: Path) -> None:
    with ear(Forum(every(10, count=900)), tmp_path) as listener:
        heard = listener.hear(since=minutes(10), until=minutes(15))
    assert sorted(map(_number, heard.ids)) == list(range(61, 91))


def test_a_clock_that_is_ahead_does_not_hold_up_the_others(tmp_path: Path) -> None:
    ahead = post(5, datetime(2099, 1, 1, tzinfo=UTC))
    with ear(Forum([*every(60, count=4), ahead, post(6, minutes(10))]), tmp_path) as listener:
        heard = listener.hear()
    assert sorted(map(_number, heard.ids)) == [1, 2, 3, 4, 5, 6]


def test_a_run_out_of_pages_leaves_the_rest_to_the_next_ones(tmp_path: Path) -> None:
    forum = Forum(every(5, count=600))
    ids: list[str] = []
    cursor = None
    with ear(forum, tmp_path) as listener:
        for turn in range(15):
            if turn == 2:  # what is new goes first, and the rest is not forgotten
                forum.posts += [post(700 + n, minutes(59), topic_id=7) for n in range(10)]
            heard = listener.hear(cursor, max_pages=2)
            cursor, ids = heard.cursor, ids + heard.ids
            if turn == 2:
                assert {_number(i) for i in heard.ids} >= set(range(700, 710))
        assert "max_pages" not in heard.note
    assert sorted(map(_number, ids)) == [*range(1, 601), *range(700, 710)]


def test_only_what_may_name_a_subject_is_written_down(tmp_path: Path) -> None:
    said = [
        post(1, SINCE, cooked="<p>la <b>mairie</b> <i>de</i> Valmont</p>", topic_title="x"),
        post(2, SINCE, cooked="<p>la recette du gratin</p>", topic_title="Cuisine"),
        post(3, SINCE, cooked="<p>oui</p>", topic_title="Travaux à VALMONT"),
    ]
    with ear(Forum(said), tmp_path) as listener:
        heard = listener.hear(terms=Terms(names=("mairie de Valmont", "travaux à Valmont")))
        everything = listener.hear(terms=Terms(), everything=True)
    assert sorted(map(_number, heard.ids)) == [1, 3]
    assert len(everything.ids) == 3
    assert {"name", "avatar_template", "raw"}.isdisjoint(heard.payloads[0].data)


def test_a_cursor_of_another_forum_or_shape_starts_again(tmp_path: Path) -> None:
    with ear(Forum(every(60, count=3)), tmp_path) as listener:
        url = listener.peer.url
        for cursor in (
            {"url": "https://x.example", "newest": 3},
            {"url": url, "newest": "?", "spans": [[None, 1], 4, [1, 2, 3, 4]]},
            {"url": url, "newest": [], "spans": {"a": 1}},
        ):
            assert len(listener.hear(cursor).ids) == 3


# Search


def test_search_reads_the_topics_that_it_finds(tmp_path: Path) -> None:
    forum = Forum(every(60, count=60))
    with ear(forum, tmp_path) as listener:
        heard = listener.hear(mode="search", since=minutes(20), overlap_minutes=0)
        asked = [parse_qs(urlsplit(p).query) for p in listener.paths if "search" in p]
    assert sorted(map(_number, heard.ids)) == list(range(21, 61))
    assert {query["q"][0] for query in asked} == {
        '"Valmont" after:2026-11-19 order:latest',
        '"mairie de Valmont" after:2026-11-19 order:latest',
    }
    assert heard.posts[0].title == "La piscine"


def test_a_search_of_many_pages_is_read_to_the_start_of_the_window(tmp_path: Path) -> None:
    said = [post(n, SINCE + timedelta(seconds=n), topic_id=n) for n in range(1, 121)]
    with ear(Forum(said), tmp_path) as listener:
        heard = listener.hear(mode="search", queries=("piscine",), overlap_minutes=0)
    assert "120 topics were found and 100 read" in heard.note
    assert len(heard.ids) == 100


def test_a_search_that_the_forum_refuses_is_told(tmp_path: Path) -> None:
    refused = _json({"posts": [], "grouped_search_result": {"error": "Trop court"}})
    with ear(Forum(), tmp_path) as listener:
        listener.trouble[1] = refused
        with pytest.raises(SourceError, match="refuses to search"):
            listener.hear(mode="search", queries=("abc",))


def test_nothing_to_search_for_is_told(tmp_path: Path) -> None:
    with ear(Forum(), tmp_path) as listener, pytest.raises(SourceError, match="nothing to search"):
        listener.hear(mode="search", terms=Terms(names=("ab",)))


# Edits, deletions, what is not public


def test_posts_kept_are_looked_up_again_edited_or_gone(tmp_path: Path) -> None:
    edited = post(3, SINCE, version=2, cooked="<p>Valmont, corrigé</p>")
    with ear(Forum([edited, post(4, SINCE, hidden=True)]), tmp_path) as listener:
        host = urlsplit(listener.peer.url).netloc
        recheck = (f"{host}:3", f"{host}:4", f"{host}:5", "ailleurs.example:6", f"{host}:x", "y")
        heard = listener.hear(since=UNTIL, until=UNTIL + timedelta(hours=1), recheck=recheck)
    assert heard.ids == [f"{host}:3"]
    assert heard.posts[0].native_version == "2"
    assert heard.gone == [f"{host}:4", f"{host}:5"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, body=b"<html>Page introuvable</html>"),
        Answer(403, body=b"<html>Just a moment...</html>"),
        _error(403, "not_logged_in"),
        Answer(500),
        Answer(404, body=b"[" * 100_000),
    ],
)
def test_a_forum_that_refuses_look_ups_deletes_nothing(answer: Answer, tmp_path: Path) -> None:
    with ear(Forum(), tmp_path) as listener:
        host = urlsplit(listener.peer.url).netloc
        listener.trouble.update(dict.fromkeys(range(2, 9), answer))
        heard = listener.hear(recheck=(f"{host}:3", f"{host}:4"))
    assert heard.gone == []
    assert "deletions could not be checked" in heard.note


def test_with_a_key_only_public_categories_are_kept(tmp_path: Path) -> None:
    said = [post(1, SINCE), post(2, SINCE, category_id=2), post(3, SINCE, category_id=5)]
    with ear(Forum(said, restricted=(14,)), tmp_path) as listener:
        heard = listener.hear(key_env="VIGIE_TEST_KEY", user="veille")
        host = urlsplit(listener.peer.url).netloc
        again = listener.hear(
            heard.cursor, key_env="VIGIE_TEST_KEY", recheck=(f"{host}:1", f"{host}:2")
        )
        sent = listener.peer.asked[0].headers
    assert sorted(map(_number, heard.ids)) == [2]
    assert "2 posts of categories that are not public were left alone" in heard.note
    assert (again.gone, again.ids) == ([f"{host}:1"], [f"{host}:2"])
    assert (sent["api-key"], sent["api-username"]) == ("cle-inventee", "veille")


# Trouble


@every_wait
def test_a_wait_in_any_form_is_waited_as_told(headers: dict[str, str], tmp_path: Path) -> None:
    with ear(Forum(every(20, count=120)), tmp_path) as listener:
        listener.trouble[2] = Answer(429, headers, b"slow down")
        heard = listener.hear()
    assert len(heard.ids) == len(set(heard.ids)) == 120
    assert 60 <= heard.slept < 62


def test_a_wait_told_in_the_body_is_waited_as_told(tmp_path: Path) -> None:
    body = {"errors": ["…"], "error_type": "rate_limit", "extras": {"wait_seconds": 17}}
    with ear(Forum(every(20, count=120)), tmp_path) as listener:
        listener.trouble[1] = _json(body, 429)
        heard = listener.hear()
    assert len(heard.ids) == 120
    assert 17 <= heard.slept < 19


@every_fault
def test_a_passing_fault_loses_and_doubles_nothing(fault: Answer, tmp_path: Path) -> None:
    with ear(Forum(every(20, count=120)), tmp_path) as listener:
        listener.trouble[2] = fault
        heard = listener.hear()
    assert len(heard.ids) == len(set(heard.ids)) == 120


@every_fault
def test_a_lasting_fault_keeps_what_was_read_and_the_next_run_reads_the_rest(
    fault: Answer, tmp_path: Path
) -> None:
    with ear(Forum(every(20, count=120)), tmp_path) as listener:
        first, second = listener.hear_twice(fault, at=range(2, 6))
    assert first.checkpoint.capped
    assert len(first.ids) == 50
    assert sorted(map(_number, first.ids + second.ids)) == list(range(1, 121))


def test_a_cut_answer_is_told_and_read_by_the_next_run(tmp_path: Path) -> None:
    with ear(Forum(every(20, count=60)), tmp_path) as listener:
        listener.trouble[1] = Answer(body=b'{"latest_posts": [{"id": 1')
        with pytest.raises(SourceError, match="not JSON"):
            listener.hear()
        assert len(listener.hear().ids) == 60


def test_a_wait_too_long_for_a_run_is_raised(tmp_path: Path) -> None:
    with ear(Forum(), tmp_path) as listener:
        listener.trouble[1] = Answer(429, {"Retry-After": "800"})
        with pytest.raises(RateLimited):
            listener.hear()


def test_a_wait_too_long_after_some_pages_keeps_them_and_is_remembered(tmp_path: Path) -> None:
    with ear(Forum(every(20, count=120)), tmp_path) as listener:
        listener.trouble[2] = Answer(429, {"Retry-After": "800"})
        first = listener.hear()
        listener.trouble.clear()
        count = len(listener.paths)
        with pytest.raises(RateLimited, match="wait until 2026-11-20 12:13Z"):
            listener.hear(first.cursor)
        assert len(listener.paths) == count  # nothing is asked before that
        over = {**first.cursor, "retry_at": "2026-11-20T11:59:00+00:00"}
        second = listener.hear(over)
    assert first.checkpoint.capped
    assert sorted(map(_number, first.ids + second.ids)) == list(range(1, 121))


@pytest.mark.parametrize("status", [401, 403])
def test_a_closed_forum_or_a_key_that_is_over_says_what_to_set(status: int, tmp_path: Path) -> None:
    with ear(Forum(), tmp_path) as listener:
        listener.trouble.update(dict.fromkeys((1, 2), _error(status, "invalid_access")))
        with pytest.raises(StatusRefused, match="ask its owner for a key"):
            listener.hear()
        with pytest.raises(StatusRefused, match="check the key in VIGIE_TEST_KEY"):
            listener.hear(key_env="VIGIE_TEST_KEY")
        with pytest.raises(SourceError, match="VIGIE_TEST_KEY, which is not set"):
            listener.hear(key_env="VIGIE_TEST_KEY", secrets={})


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"latest_posts": {}}', b"null"])
def test_what_is_no_discourse_is_told(body: bytes, tmp_path: Path) -> None:
    with ear(Forum(), tmp_path) as listener:
        listener.trouble[1] = Answer(body=body)
        with pytest.raises(SourceError, match="does not answer as Discourse does"):
            listener.hear()


def test_odd_items_of_a_page_are_landed_to_be_rejected(tmp_path: Path) -> None:
    with ear(Forum(), tmp_path) as listener:
        listener.trouble[1] = _json({"latest_posts": [None, 3, [], {"id": "x"}, {}]})
        heard = listener.hear(everything=True)
    assert set(heard.reasons) == {"no_id"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://a.example"},
        {"url": "https://moi:secret@a.example"},
        {"url": ""},
        {"queries": ("@odile",)},
        {"queries": ("ab",)},
        {"queries": ("valmont in:personal",)},
        {"max_pages": 0},
        {"key_env": "la clé elle-même"},
        {"mode": "all"},
        {"unknown": 1},
    ],
)
def test_options_that_cannot_be_meant_are_faults(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        discourse.Options(**{"url": "https://a.example", **wrong})


def test_a_forum_under_a_path_keeps_it() -> None:
    assert discourse.Options(url="Forum.Example/Usagers/").url == "https://forum.example/Usagers"
