"""The NodeBB source, against a small forum on loopback that pages as NodeBB does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given, settings, strategies as st

from pipelines.errors import RateLimited, SourceError, StatusRefused
from pipelines.mention import Deletion, Post, Rejection
from pipelines.sources import Payload, Terms, nodebb
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

PAYLOAD = Path(__file__).parents[2] / "payloads" / "nodebb" / "post.json"
SAMPLE: dict[str, Any] = json.loads(PAYLOAD.read_text(encoding="utf-8"))


def post(pid: int, at: datetime, **changed: Any) -> dict[str, Any]:
    return {**SAMPLE, "pid": pid, "timestamp": int(at.timestamp() * 1000), **changed}


def every(seconds: int, *, count: int, first: int = 1) -> list[dict[str, Any]]:
    return [post(first + n, SINCE + timedelta(seconds=seconds * n)) for n in range(count)]


@dataclass
class Forum:
    """A forum: its posts, which of them guests may not read, and those edited since."""

    posts: list[dict[str, Any]] = field(default_factory=list)
    private: set[int] = field(default_factory=set)
    edited: dict[int, int] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Answer:
        path, query = urlsplit(asked.path).path, parse_qs(urlsplit(asked.path).query)
        if path == "/api/recent/posts":
            return _json(self._page(int(query["page"][0])))
        pid, _, what = unquote(path.removeprefix("/api/v3/posts/")).partition("/summary")
        return self._one(pid, is_whole=not what and not path.endswith("/summary"))

    def _page(self, number: int) -> list[dict[str, Any]]:
        newest = sorted(self.posts, key=lambda p: -p["timestamp"])
        cut = newest[20 * (number - 1) : 20 * number]
        return [p for p in cut if p["pid"] not in self.private]

    def _one(self, pid: str, *, is_whole: bool) -> Answer:
        known = [p for p in self.posts if str(p["pid"]) == pid and p["pid"] not in self.private]
        if not known:
            return _json({"status": {"code": "not-found", "message": "…"}, "response": {}}, 404)
        found = known[0]
        if is_whole:
            found = {"pid": found["pid"], "edited": self.edited.get(found["pid"], 0)}
        return _json({"status": {"code": "ok"}, "response": found})


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, body=json.dumps(value).encode())


@contextmanager
def ear(forum: Forum, home: Path) -> Iterator[Ear]:
    with listening(nodebb, forum, home) as listener:
        yield listener


def number(native_id: str) -> int:
    return int(native_id.rpartition(":")[2])


def parse(data: Any, **chosen: Any) -> Post | Deletion | Rejection:
    options = nodebb.Options(**{"url": "https://forum.valmont-usagers.example", **chosen})
    payload = Payload(kind="post", data=data, fetched_at=UNTIL)
    (found,) = nodebb.parse(payload, options)
    return found


# Parsing


def test_a_post_becomes_a_post_with_all_that_it_says() -> None:
    found = parse(SAMPLE | {"edited": 1795681000000})
    assert isinstance(found, Post)
    assert found.native_id == "forum.valmont-usagers.example:512"
    assert found.url == "https://forum.valmont-usagers.example/post/512"
    assert found.title == "Fermeture de la piscine &amp; abonnements"  # HTML, read when normalised
    assert (found.network, found.content_type, found.text_format) == ("forum", "reply", "html")
    assert found.published_at == datetime(2026, 11, 26, 8, 12, 4, 311000, tzinfo=UTC)
    assert found.edited_at == datetime(2026, 11, 26, 8, 16, 40, tzinfo=UTC)
    assert found.parent_native_id == "forum.valmont-usagers.example:509"
    assert found.thread_id == "forum.valmont-usagers.example:t88"
    assert (found.author_id, found.author_handle) == (
        "Renée du quai@forum.valmont-usagers.example",
        "Renée du quai",
    )
    assert (found.like_count, found.reply_count, found.platform_score) == (7, 3, 5.0)
    assert (found.community, found.hashtags) == ("Vie locale", ("piscine",))
    assert found.urls == ("https://www.petitmarais.example/piscine",)


def test_a_post_from_another_server_is_known_by_its_address() -> None:
    found = parse(SAMPLE | {"pid": "https://autre.example/post/9", "url": None, "toPid": None})
    assert isinstance(found, Post)
    assert found.native_id == "https://autre.example/post/9"
    assert found.source_instance == "autre.example"


def test_guests_share_a_number_that_names_nobody() -> None:
    found = parse(SAMPLE | {"user": {"uid": 0, "username": "Invité"}})
    assert isinstance(found, Post)
    assert (found.author_id, found.author_handle) == (None, None)


@pytest.mark.parametrize(
    "changed", [{"deleted": True}, {"deleted": 1}, {"topic": {"deleted": 1, "title": "x"}}]
)
def test_a_post_deleted_or_in_a_deleted_topic_is_a_deletion(changed: dict[str, Any]) -> None:
    found = parse(SAMPLE | changed)
    assert isinstance(found, Deletion)
    assert (found.native_id, found.deleted_at) == ("forum.valmont-usagers.example:512", UNTIL)


@pytest.mark.parametrize("data", [None, [], "x", 3, True, {}, {"pid": "x"}, {"pid": -1}])
def test_what_has_no_id_is_rejected(data: Any) -> None:
    found = parse(data)
    assert isinstance(found, Rejection)
    assert found.reason == "no_id"


def test_three_hundred_generated_answers_give_posts_and_reasons_and_no_crash(
    tmp_path: Path,
) -> None:
    shape = SAMPLE | {"edited": 1795681000000}
    payloads = [
        Payload(kind="post", data=nodebb.posts.kept(answered(made))) for made in answers(shape)
    ]
    options = nodebb.Options(url="https://forum.valmont-usagers.example")
    parsed = read_generated(nodebb, options, payloads, tmp_path)
    assert len(parsed) == 300
    assert sum(isinstance(item, Post) for item in parsed) > 100


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([*sorted(SAMPLE), "edited"]),
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.none()),
        st.dictionaries(st.sampled_from(["uid", "title", "tags", "deleted", "count"]), st.floats()),
    ),
)  # fmt: skip
def test_no_value_of_any_field_makes_the_parser_fail(name: str, value: Any) -> None:
    assert isinstance(parse(SAMPLE | {name: value}), Post | Deletion | Rejection)


# The walk


def test_every_new_post_is_handed_over_once_across_pages_and_runs(tmp_path: Path) -> None:
    forum = Forum(every(20, count=170))
    with ear(forum, tmp_path) as listener:
        first = listener.hear()
        forum.posts += [post(300 + n, UNTIL + timedelta(seconds=n)) for n in range(120)]
        second = listener.hear(first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5))
        third = listener.hear(second.cursor, since=UNTIL + timedelta(minutes=5))
    assert sorted(map(number, first.ids)) == list(range(1, 171))
    assert sorted(map(number, second.ids)) == list(range(300, 420))
    assert (third.ids, third.checkpoint.gap, third.checkpoint.capped) == ([], None, False)


def test_posts_of_the_next_window_wait_for_it(tmp_path: Path) -> None:
    with ear(Forum(every(60, count=90)), tmp_path) as listener:
        first = listener.hear()
        second = listener.hear(first.cursor, since=UNTIL, until=UNTIL + timedelta(hours=1))
    assert sorted(map(number, first.ids)) == list(range(1, 61))
    assert sorted(map(number, second.ids)) == list(range(61, 91))


def test_pages_emptied_by_private_posts_are_no_end(tmp_path: Path) -> None:
    forum = Forum(every(60, count=5))
    with ear(forum, tmp_path) as listener:
        first = listener.hear(until=minutes(6))
        forum.posts += [post(100, minutes(7)), *every(1, count=130, first=200)]
        for item in forum.posts[-130:]:
            item["timestamp"] += 8 * 60_000
        forum.private = set(range(200, 330))
        second = listener.hear(first.cursor)
    assert list(map(number, second.ids)) == [100]
    assert second.checkpoint.gap is None


def test_what_lies_below_too_many_private_posts_is_told_as_a_gap(tmp_path: Path) -> None:
    forum = Forum(every(60, count=5))
    with ear(forum, tmp_path) as listener:
        first = listener.hear(until=minutes(6))
        forum.posts += [post(200 + n, minutes(10) + timedelta(seconds=n)) for n in range(400)]
        forum.private = set(range(200, 600))
        second = listener.hear(first.cursor)
    assert second.checkpoint.gap == (minutes(4) - timedelta(minutes=10), UNTIL)
    assert "nothing that a guest may read" in second.note


def test_a_post_that_a_purge_moved_up_is_found_by_the_next_run(tmp_path: Path) -> None:
    forum = Forum(every(60, count=45))

    def purging(asked: Asked) -> Answer:
        answer = forum(asked)
        if asked.path.endswith("page=1"):
            forum.posts = [p for p in forum.posts if p["pid"] != 45]
        return answer

    with listening(nodebb, purging, tmp_path) as listener:
        first = listener.hear(overlap_minutes=30)
        second = listener.hear(first.cursor, since=UNTIL, overlap_minutes=30)
    assert sorted(map(number, first.ids + second.ids)) == list(range(1, 46))
    assert len(second.ids) == 1


def test_a_forum_whose_clock_is_slow_loses_nothing(tmp_path: Path) -> None:
    forum = Forum(every(60, count=10))
    with ear(forum, tmp_path) as listener:
        first = listener.hear()
        forum.posts.append(post(50, minutes(11)))
        second = listener.hear(first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5))
    assert list(map(number, second.ids)) == [50]


def test_a_run_out_of_pages_leaves_the_rest_to_the_next_ones(tmp_path: Path) -> None:
    forum = Forum(every(10, count=300))
    ids: list[str] = []
    cursor = None
    with ear(forum, tmp_path) as listener:
        for turn in range(25):
            if turn == 2:  # what is new goes first, and the rest is not forgotten
                forum.posts += [post(700 + n, minutes(55) + timedelta(seconds=n)) for n in range(9)]
            heard = listener.hear(cursor, max_pages=2, overlap_minutes=0)
            cursor, ids = heard.cursor, ids + heard.ids
    assert heard.note == ""
    assert sorted({*map(number, ids)}) == [*range(1, 301), *range(700, 709)]
    assert len(ids) - len(set(ids)) < 20  # the last post of a page, in case others share its time


def test_only_what_may_name_a_subject_is_written_down(tmp_path: Path) -> None:
    topic = SAMPLE["topic"] | {"title": "Cuisine", "tags": []}
    said = [
        post(1, SINCE, content="<p>la <b>mairie</b> de Valmont</p>", topic=topic),
        post(2, SINCE, content="<p>la recette du gratin</p>", topic=topic),
        post(3, SINCE, content="<p>oui</p>", topic=topic | {"tags": [{"value": "Valmont"}]}),
    ]
    with ear(Forum(said), tmp_path) as listener:
        heard = listener.hear()
        everything = listener.hear(everything=True, terms=Terms())
    assert sorted(map(number, heard.ids)) == [1, 3]
    assert len(everything.ids) == 3
    assert set(heard.payloads[0].data["user"]) == {"uid", "username"}


def test_a_cursor_of_another_forum_or_shape_starts_again(tmp_path: Path) -> None:
    with ear(Forum(every(60, count=3)), tmp_path) as listener:
        url = listener.peer.url
        for cursor in (
            {"url": "https://x.example", "newest": UNTIL.isoformat()},
            {"url": url, "newest": "?", "seen": 3, "spans": [[1, 2], [1, "x", None, None, 0], 3]},
        ):
            assert len(listener.hear(cursor).ids) == 3


# Edits and deletions


def test_posts_kept_are_looked_up_again_edited_or_gone(tmp_path: Path) -> None:
    remote = "https://autre.example/post/9"
    forum = Forum(
        [post(3, SINCE), post(4, SINCE, deleted=True), {**post(9, SINCE), "pid": remote}],
        edited={3: int(minutes(5).timestamp() * 1000)},
    )
    with ear(forum, tmp_path) as listener:
        host = urlsplit(listener.peer.url).netloc
        recheck = (f"{host}:3", f"{host}:4", f"{host}:5", "x.example:6", f"{host}:x", remote)
        heard = listener.hear(since=UNTIL, until=UNTIL + timedelta(hours=1), recheck=recheck)
    assert heard.ids == [f"{host}:3", remote]
    assert heard.posts[0].edited_at == minutes(5)
    assert heard.gone == [f"{host}:4", f"{host}:5"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, body=b"<html>Page introuvable</html>"),
        Answer(403, body=b"<html>Just a moment...</html>"),
        _json({"status": {"code": "not-authorised"}}, 401),
        Answer(500),
        Answer(404, body=b"[" * 100_000),
    ],
)
def test_a_forum_that_refuses_look_ups_deletes_nothing(answer: Answer, tmp_path: Path) -> None:
    with ear(Forum(), tmp_path) as listener:
        host = urlsplit(listener.peer.url).netloc
        listener.trouble.update(dict.fromkeys(range(4, 12), answer))
        heard = listener.hear(recheck=(f"{host}:3", f"{host}:4"))
    assert heard.gone == []
    assert "deletions could not be checked" in heard.note


# Trouble


@every_wait
def test_a_wait_in_any_form_is_waited_as_told(headers: dict[str, str], tmp_path: Path) -> None:
    with ear(Forum(every(20, count=60)), tmp_path) as listener:
        listener.trouble[2] = Answer(429, headers, b'{"status":{"code":"too-many-requests"}}')
        heard = listener.hear()
    assert len(heard.ids) == len(set(heard.ids)) == 60
    assert 60 <= heard.slept < 62


@every_fault
def test_a_passing_fault_loses_and_doubles_nothing(fault: Answer, tmp_path: Path) -> None:
    with ear(Forum(every(20, count=60)), tmp_path) as listener:
        listener.trouble[2] = fault
        heard = listener.hear()
    assert len(heard.ids) == len(set(heard.ids)) == 60


@every_fault
def test_a_lasting_fault_keeps_what_was_read_and_the_next_run_reads_the_rest(
    fault: Answer, tmp_path: Path
) -> None:
    with ear(Forum(every(20, count=60)), tmp_path) as listener:
        first, second = listener.hear_twice(fault, at=range(2, 6))
    assert (first.checkpoint.capped, len(first.ids)) == (True, 20)
    assert sorted(map(number, first.ids + second.ids)) == list(range(1, 61))


def test_a_cut_answer_is_told_and_read_by_the_next_run(tmp_path: Path) -> None:
    with ear(Forum(every(20, count=20)), tmp_path) as listener:
        listener.trouble[1] = Answer(body=b'[{"pid": 1, "content": "Val')
        with pytest.raises(SourceError, match="not JSON"):
            listener.hear()
        assert len(listener.hear().ids) == 20


def test_a_wait_too_long_for_a_run_is_raised(tmp_path: Path) -> None:
    with ear(Forum(), tmp_path) as listener:
        listener.trouble[1] = Answer(429, {"Retry-After": "800"})
        with pytest.raises(RateLimited):
            listener.hear()


@pytest.mark.parametrize("status", [401, 403])
def test_a_forum_for_members_says_so(status: int, tmp_path: Path) -> None:
    with ear(Forum(), tmp_path) as listener:
        listener.trouble[1] = Answer(status)
        with pytest.raises(StatusRefused, match="to members only"):
            listener.hear()


@pytest.mark.parametrize("body", [b"{}", b"null", b'"x"'])
def test_what_is_no_nodebb_is_told(body: bytes, tmp_path: Path) -> None:
    with ear(Forum(), tmp_path) as listener:
        listener.trouble[1] = Answer(body=body)
        with pytest.raises(SourceError, match="does not answer as NodeBB does"):
            listener.hear()


def test_odd_items_of_a_page_are_landed_to_be_rejected(tmp_path: Path) -> None:
    with ear(Forum(), tmp_path) as listener:
        listener.trouble[1] = _json([None, 3, [], {"pid": "x"}, {}])
        heard = listener.hear(everything=True)
    assert set(heard.reasons) == {"no_id"}


@pytest.mark.parametrize(
    "wrong",
    [{"url": "ftp://a.example"}, {"url": "https://a@b.example"}, {"max_pages": 0}, {"unknown": 1}],
)
def test_options_that_cannot_be_meant_are_faults(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        nodebb.Options(**{"url": "https://a.example", **wrong})
