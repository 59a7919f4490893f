"""The Lemmy source, against a small server on loopback that speaks either version."""

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
from pipelines.sources import Payload, Terms, _lemmy_view as views, lemmy
from tests.pipelines.loopback import NOON, Answer, Asked
from tests.pipelines.sources.generated import answered, answers
from tests.pipelines.sources.hearing import (
    UNTIL,
    Ear,
    every_fault,
    every_wait,
    listening,
    minutes,
    read_generated,
)

PAYLOADS = Path(__file__).parents[2] / "payloads" / "lemmy"
V3, V4 = (json.loads((PAYLOADS / f"v{n}.json").read_text(encoding="utf-8")) for n in (3, 4))
ONE = Terms(names=("Valmont",))
LANGUAGES = [{"id": 0, "code": "und"}, {"id": 47, "code": "fr"}]


def post(number: int, at: datetime, **changed: Any) -> dict[str, Any]:
    """A view of a post, with the names of both versions."""
    told = at.isoformat().replace("+00:00", "Z")
    address = f"https://quais.example/post/{number}"
    inner = {**V3["posts"][0]["post"], "published": told, "published_at": told, "ap_id": address}
    return {**V3["posts"][0], "post": {**inner, "language_id": 47, **changed}}


def every(seconds: int, *, count: int) -> list[dict[str, Any]]:
    return [post(n, minutes(0) + timedelta(seconds=seconds * n)) for n in range(count)]


@dataclass
class Server:
    """A Lemmy server: its version, what its search finds, what it knows by address."""

    posts: list[dict[str, Any]] = field(default_factory=list)
    version: str = "0.19.20"
    resolves: bool = True

    def __call__(self, asked: Asked) -> Answer:
        path, query = urlsplit(asked.path).path, parse_qs(urlsplit(asked.path).query)
        if path.endswith("/site"):
            return _json({"version": self.version, "all_languages": LANGUAGES})
        if path.endswith("/search"):
            return self._v3(query) if "/v3/" in path else self._v4(query)
        newest = sorted(self.posts, key=lambda v: v["post"]["published"], reverse=True)
        if path.endswith("/post/list"):
            return _json({"posts": newest[:1]} if "/v3/" in path else {"items": newest[:1]})
        found = [v for v in self.posts if v["post"]["ap_id"] == query["q"][0] and self.resolves]
        if not found:
            word = "couldnt_find_object" if "/v3/" in path else "not_found"
            return _json({"error": word}, 404)
        return _json({"post": found[0]} if "/v3/" in path else {"type_": "post", **found[0]})

    def _v3(self, query: dict[str, list[str]]) -> Answer:
        newest = sorted(self.posts, key=lambda v: v["post"]["published"], reverse=True)
        start = 50 * (int(query["page"][0]) - 1)
        return _json({"type_": "All", "posts": newest[start : start + 50], "comments": []})

    def _v4(self, query: dict[str, list[str]]) -> Answer:
        since = NOON - timedelta(seconds=int(query["time_range_seconds"][0]))
        found = [v for v in self.posts if views.at(v) >= since]  # type: ignore[operator]
        start = int(query.get("page_cursor", ["0"])[0])
        more = {"next_page": str(start + 50)} if start + 50 < len(found) else {}
        return _json({"posts": found[start : start + 50], "comments": [], **more})


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, body=json.dumps(value).encode())


@contextmanager
def ear(server: Server, home: Path) -> Iterator[Ear]:
    with listening(lemmy, server, home, lambda url: {"instance": url}) as listener:
        yield listener


def parse(view: Any, *, lang: str | None = "fr") -> Post | Deletion | Rejection:
    options = lemmy.Options(instance="https://quais.example")
    payload = Payload(kind="view", data=views.kept(view, lang=lang), fetched_at=UNTIL)
    (found,) = lemmy.parse(payload, options)
    return found


# Parsing


def test_a_comment_of_version_3_becomes_a_post_with_all_that_it_says() -> None:
    found = parse(V3["comments"][0])
    assert isinstance(found, Post)
    assert found.native_id == found.url == "https://lac.example/comment/77"
    assert (found.network, found.source_instance) == ("lemmy", "lac.example")
    assert (found.text_format, found.title) == ("markdown", None)
    assert found.context == "Les piscines du canal"
    assert found.published_at == datetime(2026, 11, 20, 8, 31, 4, 118921, tzinfo=UTC)
    assert found.edited_at == datetime(2026, 11, 20, 8, 40, tzinfo=UTC)
    assert found.author_handle == "oscar_du_lac@lac.example"
    assert found.author_id == "https://lac.example/u/oscar_du_lac"
    assert found.thread_id == found.parent_native_id == "https://quais.example/post/310"
    assert (found.community, found.lang_declared) == ("canal@quais.example", "fr")
    assert (found.like_count, found.reply_count, found.platform_score) == (3, 4, -2.0)


def test_a_post_of_version_3_shares_a_link_and_a_bot_is_known() -> None:
    found = parse(V3["posts"][0])
    assert isinstance(found, Post)
    assert (found.title, found.text) == ("Valmont : la mairie répond", "Enfin une réponse.")
    assert found.urls == ("https://journal.example/mairie",)
    assert (found.author_kind, found.sensitive, found.content_type) == ("bot", True, "post")
    assert (found.like_count, found.reply_count) == (44, 12)


def test_version_4_says_the_same_under_other_names() -> None:
    found, comment = parse(V4["posts"][0]), parse(V4["comments"][0])
    assert isinstance(found, Post)
    assert isinstance(comment, Post)
    assert found.native_id == "https://quais.example/post/311"
    assert found.edited_at == datetime(2026, 11, 20, 8, 5, tzinfo=UTC)
    assert (found.like_count, found.reply_count, found.platform_score) == (44, 12, 40.0)
    assert found.author_kind == "deleted"
    assert (comment.reply_count, comment.parent_native_id) == (2, None)  # it answers a comment
    assert comment.root_native_id == "https://quais.example/post/311"


@pytest.mark.parametrize(
    ("changed", "reason"), [({"deleted": True}, "author"), ({"removed": True}, "moderator")]
)
def test_what_is_deleted_or_removed_is_a_deletion(changed: dict[str, Any], reason: str) -> None:
    found = parse(post(1, UNTIL, **changed))
    assert isinstance(found, Deletion)
    assert found.reason == reason


@pytest.mark.parametrize("visibility", ["LocalOnly", "private", "local_only_private"])
def test_communities_for_members_are_left_alone(visibility: str) -> None:
    view = post(1, UNTIL)
    found = parse({**view, "community": {**view["community"], "visibility": visibility}})
    assert isinstance(found, Rejection)
    assert found.reason == "not_public"


@pytest.mark.parametrize("view", [None, [], "x", 3, {}, {"post": {}}, {"comment": {"id": 1}}])
def test_what_nothing_names_is_rejected(view: Any) -> None:
    found = parse(view)
    assert isinstance(found, Rejection)
    assert found.reason == "no_id"


def test_three_hundred_generated_answers_of_each_version_give_posts_and_no_crash(
    tmp_path: Path,
) -> None:
    payloads = [
        Payload(kind="view", data=views.kept(view, lang=None))
        for shape in (V3, V4)
        for made in answers(shape)
        for page in [answered(made)]
        for view in (lemmy._views(page) if isinstance(page, dict) else [page])
    ]
    options = lemmy.Options(instance="https://quais.example")
    parsed = read_generated(lemmy, options, payloads, tmp_path)
    assert len(parsed) > 600
    assert sum(isinstance(item, Post) for item in parsed) > 200


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["post", "creator", "community", "counts"]),
    st.sampled_from(["ap_id", "name", "published", "score", "deleted", "visibility", "upvotes"]),
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.none())),
)
def test_no_value_of_any_field_makes_the_parser_fail(part: str, name: str, value: Any) -> None:
    view = V3["posts"][0]
    found = parse({**view, part: {**view[part], name: value}})
    assert isinstance(found, Post | Deletion | Rejection)


# Search


@pytest.mark.parametrize("version", ["0.19.20", "1.0.0-beta.3"])
def test_every_post_of_the_window_comes_once_across_pages_and_runs(
    version: str, tmp_path: Path
) -> None:
    server = Server(every(20, count=170), version=version)
    with ear(server, tmp_path) as listener:
        first = listener.hear(terms=ONE)
        server.posts += [post(500 + n, UNTIL + timedelta(seconds=n)) for n in range(60)]
        second = listener.hear(
            first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5), terms=ONE
        )
        asked = "/api/v3/search" if version.startswith("0") else "/api/v4/search"
        assert any(path.startswith(asked) for path in listener.paths)
    assert len(first.ids) == len(set(first.ids)) == 170
    assert len(second.ids) == len(set(second.ids)) == 60
    assert first.posts[0].lang_declared == "fr"


def test_what_federates_late_is_found_and_what_was_handed_over_is_not_again(
    tmp_path: Path,
) -> None:
    server = Server(every(60, count=60))
    with ear(server, tmp_path) as listener:
        first = listener.hear(terms=ONE)
        server.posts.append(post(900, minutes(30)))
        server.posts[40]["post"]["updated"] = "2026-11-20T08:59:00Z"
        second = listener.hear(
            first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5), terms=ONE
        )
    numbers = {address.rpartition("/")[2] for address in second.ids}
    assert numbers == {"900", "40"}  # late, and edited


def test_a_post_found_by_two_names_comes_once_and_what_names_none_not_at_all(
    tmp_path: Path,
) -> None:
    said = [post(1, minutes(1)), post(2, minutes(2), name="Recette", body="du gratin")]
    with ear(Server(said), tmp_path) as listener:
        heard = listener.hear()
        questions = {parse_qs(urlsplit(p).query)["q"][0] for p in listener.paths if "search" in p}
    assert heard.ids == ["https://quais.example/post/1"]
    assert questions == {"Valmont", "mairie de Valmont"}
    assert "display_name" not in json.dumps(heard.payloads[0].data)


@pytest.mark.parametrize("version", ["0.19.20", "1.0.0"])
def test_a_search_of_too_many_pages_is_told_as_a_gap(version: str, tmp_path: Path) -> None:
    with ear(Server(every(10, count=300), version=version), tmp_path) as listener:
        heard = listener.hear(terms=ONE, max_pages=2, late_minutes=0)
    assert heard.checkpoint.capped
    assert heard.checkpoint.gap is not None
    assert "more than 2 pages" in heard.note
    assert len(heard.ids) == 100


def test_communities_may_be_named(tmp_path: Path) -> None:
    with ear(Server(every(60, count=3)), tmp_path) as listener:
        listener.hear(terms=ONE, communities=("canal", "ville@lac.example"))
        names = [
            parse_qs(urlsplit(p).query)["community_name"][0]
            for p in listener.paths
            if "search" in p
        ]
    assert names == ["canal", "ville@lac.example"]


# Looked up again


@pytest.mark.parametrize("version", ["0.19.20", "1.0.0"])
def test_posts_kept_are_looked_up_again_edited_or_gone(version: str, tmp_path: Path) -> None:
    edited = post(3, minutes(3), body="Valmont, corrigé", updated="2026-11-20T08:50:00Z")
    server = Server([edited, post(4, minutes(4), removed=True)], version=version)
    names = [f"https://quais.example/post/{n}" for n in (3, 4, 5)]
    with ear(server, tmp_path) as listener:
        heard = listener.hear(since=UNTIL, until=UNTIL + timedelta(hours=1), recheck=tuple(names))
    assert heard.ids == names[:1]
    assert heard.gone == [names[1], names[2]]


def test_a_server_that_has_lost_its_data_deletes_nothing(tmp_path: Path) -> None:
    server = Server(every(60, count=3), resolves=False)
    with ear(server, tmp_path) as listener:
        heard = listener.hear(recheck=("https://quais.example/post/1",), terms=ONE)
    assert heard.gone == []
    assert "nothing is taken for deleted" in heard.note


def test_one_post_gone_from_a_sound_server_is_a_deletion(tmp_path: Path) -> None:
    with ear(Server(every(60, count=3)), tmp_path) as listener:
        heard = listener.hear(recheck=("https://quais.example/post/77",), terms=ONE)
    assert heard.gone == ["https://quais.example/post/77"]


@pytest.mark.parametrize("answer", [Answer(403, body=b"<html>"), Answer(500), Answer(404)])
def test_a_server_that_refuses_look_ups_deletes_nothing(answer: Answer, tmp_path: Path) -> None:
    with ear(Server(every(60, count=1)), tmp_path) as listener:
        listener.trouble.update(dict.fromkeys(range(3, 9), answer))
        heard = listener.hear(recheck=("https://quais.example/post/1",), terms=ONE)
    assert heard.gone == []
    assert "deletions could not be checked" in heard.note


# Trouble


@every_wait
def test_a_wait_in_any_form_is_waited_as_told(headers: dict[str, str], tmp_path: Path) -> None:
    with ear(Server(every(20, count=60)), tmp_path) as listener:
        listener.trouble[3] = Answer(429, headers, b'{"error":"too_many_requests"}')
        heard = listener.hear(terms=ONE)
    assert len(heard.ids) == len(set(heard.ids)) == 60
    assert 60 <= heard.slept < 62


def test_the_old_way_to_ask_for_a_wait_is_understood_and_remembered(tmp_path: Path) -> None:
    with ear(Server(every(20, count=60)), tmp_path) as listener:
        listener.trouble[3] = _json({"error": "rate_limit_error"}, 400)
        first = listener.hear(terms=ONE)
        assert (len(first.ids), first.checkpoint.capped) == (50, True)
        with pytest.raises(RateLimited, match="asked to wait until 2026-11-20 12:10Z"):
            listener.hear(first.cursor, terms=ONE)


@every_fault
def test_a_passing_fault_loses_and_doubles_nothing(fault: Answer, tmp_path: Path) -> None:
    with ear(Server(every(20, count=60)), tmp_path) as listener:
        listener.trouble[3] = fault
        heard = listener.hear(terms=ONE)
    assert len(heard.ids) == len(set(heard.ids)) == 60


@every_fault
def test_a_lasting_fault_keeps_what_was_read_and_the_next_run_reads_the_rest(
    fault: Answer, tmp_path: Path
) -> None:
    with ear(Server(every(20, count=120)), tmp_path) as listener:
        first, second = listener.hear_twice(fault, at=range(3, 7), terms=ONE)
    assert (len(first.ids), first.checkpoint.capped) == (50, True)
    assert len({*first.ids, *second.ids}) == len(first.ids + second.ids) == 120


def test_a_cut_answer_is_told_and_read_by_the_next_run(tmp_path: Path) -> None:
    with ear(Server(every(20, count=20)), tmp_path) as listener:
        listener.trouble[2] = Answer(body=b'{"posts": [{"post": {"id"')
        with pytest.raises(SourceError, match="not JSON"):
            listener.hear(terms=ONE)
        assert len(listener.hear(terms=ONE).ids) == 20


def test_a_wait_too_long_for_a_run_is_raised(tmp_path: Path) -> None:
    with ear(Server(), tmp_path) as listener:
        listener.trouble[1] = Answer(429, {"Retry-After": "800"})
        with pytest.raises(RateLimited):
            listener.hear()


@pytest.mark.parametrize(
    "answer", [Answer(401), Answer(403), _json({"error": "instance_is_private"}, 400)]
)
def test_a_server_for_members_says_so(answer: Answer, tmp_path: Path) -> None:
    with ear(Server(), tmp_path) as listener:
        listener.trouble[1] = answer
        with pytest.raises(StatusRefused, match="ask another server"):
            listener.hear()


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"version": 3}'])
def test_what_is_no_lemmy_is_told(body: bytes, tmp_path: Path) -> None:
    with ear(Server(), tmp_path) as listener:
        listener.trouble.update({1: Answer(body=body), 2: Answer(body=body)})
        with pytest.raises(SourceError, match="does not answer as Lemmy does"):
            listener.hear()


def test_nothing_to_search_for_is_told(tmp_path: Path) -> None:
    with (
        ear(Server(), tmp_path) as listener,
        pytest.raises(SourceError, match="nothing to search for"),
    ):
        listener.hear(terms=Terms())


@pytest.mark.parametrize(
    "wrong",
    [
        {"instance": "ftp://a.example"},
        {"instance": "https://a@b.example"},
        {"queries": ("author:oscar",)},
        {"communities": ("a b",)},
        {"max_pages": 0},
        {"unknown": 1},
    ],
)
def test_options_that_cannot_be_meant_are_faults(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        lemmy.Options(**{"instance": "https://a.example", **wrong})
