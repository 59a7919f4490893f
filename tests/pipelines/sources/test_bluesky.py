"""Bluesky: what is read of a post, searched for, looked up again, and refused."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from pipelines import landing
from pipelines.errors import RateLimited, SourceError
from pipelines.mention import Deletion, Post, Rejection
from pipelines.sources import Held, Payload, Terms, bluesky, load, names
from pipelines.sources._bluesky_search import queries
from tests.pipelines.loopback import NOON
from tests.pipelines.sources.bluesky_network import (
    ALICE,
    PAYLOADS,
    POST,
    TERMS,
    at,
    collected,
    commit,
    jetstream,
    knowing,
    replaying,
    request,
    rkeys,
    showing,
    uri,
    view,
)

OPTIONS = bluesky.Options(mode="jetstream")
KINDS = ("post", "streamed_post", "event", "account", "gone", "unheard of")


def page() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((PAYLOADS / "search.json").read_text())["posts"]
    return found


def events() -> list[Any]:
    lines = (PAYLOADS / "jetstream.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def parsed(kind: str, data: Any) -> list[Any]:
    return list(bluesky.parse(Payload(kind=kind, data=data, fetched_at=NOON), OPTIONS))


def post(**record: Any) -> Post:
    """The post that a record with one field or more of its own becomes."""
    (found,) = parsed("post", view("a", record=record))
    assert isinstance(found, Post)
    return found


def test_bluesky_is_a_source_and_its_helpers_are_not() -> None:
    assert "bluesky" in names()
    assert not [name for name in names() if name.startswith("_")]
    assert load("bluesky").MANIFEST.name == "bluesky"


def test_a_post_of_a_search_becomes_what_it_says() -> None:
    (found,) = parsed("post", page()[0])
    told = {f.name: getattr(found, f.name) for f in fields(found)}
    blank = {f.name: f.default for f in fields(Post) if told[f.name] == f.default}
    assert {name: value for name, value in told.items() if name not in blank} == {
        "native_id": uri("3lzrivage0001"),
        "native_version": "bafyreiinvented000000000000000000000000000000000000000000001",
        "text": (
            "Réunion à Belleroche 🏛️ : https://belleroche.example/agenda/2026/conseil-municipal "
            "avec @mairie-belleroche.example #Belleroche"
        ),
        "title": "Belleroche ferme sa crèche",
        "published_at": datetime(2026, 11, 20, 9, 30, 0, 123000, tzinfo=UTC),
        "network": "bluesky",
        "url": f"https://bsky.app/profile/{ALICE}/post/3lzrivage0001",
        "lang_declared": "fr",
        "author_id": ALICE,
        "author_handle": "camille-riveraine.example",
        "thread_id": uri("3lzrivage0001"),
        "like_count": 11,
        "reply_count": 3,
        "share_count": 2,
        "quote_count": 1,
        "bookmark_count": 0,
        "hashtags": ("Belleroche", "conseil"),
        "mentioned_handles": ("mairie-belleroche.example",),
        "urls": (
            "https://belleroche.example/agenda/2026/conseil-municipal",
            "https://presse.example/belleroche-creche",
        ),
        "sensitive": False,
    }


def test_a_reply_of_an_author_who_asks_not_to_be_shown() -> None:
    (found,) = parsed("post", page()[1])
    assert found.optout
    assert found.sensitive
    assert found.author_handle is None
    assert found.content_type == "reply"
    assert found.root_native_id == found.thread_id == uri("3lzrivage0001")
    assert found.parent_native_id == uri("3lzrivage0009", "did:plc:kkkkllllmmmmnnnnoooo4444")
    assert found.published_at == datetime(2026, 11, 20, 9, 20, tzinfo=UTC)  # not 2099


def test_a_quote_with_a_picture_dated_back_by_its_author() -> None:
    (found,) = parsed("post", page()[2])
    assert (found.content_type, found.quoted_native_id) == ("quote", uri("3lzrivage0001"))
    assert found.media_types == ("image",)
    assert found.published_at == datetime(1970, 1, 1, tzinfo=UTC)  # normalise clamps it


def test_both_versions_of_jetstream_say_the_same() -> None:
    told = [parsed("event", frame) for frame in events()[:4]]
    assert told[0] == told[1]
    assert told[2] == told[3]
    (found,), (deleted,) = told[0], told[2]
    assert (found.native_id, found.collected_via) == (uri("3lzrivage0001"), "stream")
    assert (found.like_count, found.sensitive, found.author_handle) == (None, None, None)
    assert deleted == Deletion(
        source="bluesky",
        native_id=uri("3lzrivage0001"),
        deleted_at=datetime(2026, 11, 20, 9, 31, tzinfo=UTC),
        reason="author",
    )


def test_what_was_landed_reads_back_the_same(tmp_path: Path) -> None:
    views = [view("a", at=at(minutes=1), text="Été 🏛️ \u202e à Belleroche"), 3, {}]
    options = searching(queries=("x",), appview="https://view.example")

    def answer(asked: httpx.Request) -> httpx.Response:
        return showing(views if asked.url.path.endswith("searchPosts") else [])

    asked = request(tmp_path, answer, **options)
    path = tmp_path / "landed.jsonl.zst"
    landed = landing.land(bluesky.collect(asked), path=path, fetched_at=NOON)
    payloads, checkpoint = collected(asked)
    assert (landed.payload_count, landed.cursor) == (3, checkpoint.cursor)
    before = [item for p in payloads for item in bluesky.parse(p, OPTIONS)]
    assert [item for p in landing.read(path) for item in bluesky.parse(p, OPTIONS)] == before


def test_the_end_of_an_account_is_the_end_of_its_posts_alone() -> None:
    data = [{"event": frame, "uris": [uri("a"), uri("b", "did:plc:x"), 3]} for frame in events()]
    told = [parsed("account", entry) for entry in data[4:]]
    assert told[0] == told[1]
    assert [(d.native_id, d.reason) for d in told[0]] == [(uri("a"), "moderator")]
    active = {"did": ALICE, "time_us": 1, "kind": "account", "account": {"active": True}}
    (refused,) = parsed("account", {"event": active, "uris": [uri("a")]})
    assert refused.reason == "not_a_deletion"


def test_a_post_that_is_gone_is_deleted_when_it_was_looked_up() -> None:
    assert parsed("gone", {"uri": uri("a")}) == [
        Deletion(source="bluesky", native_id=uri("a"), deleted_at=NOON, reason="gone")
    ]


@pytest.mark.parametrize(
    ("shown", "link", "text"),
    [
        ("exemple.example/une-pa…", "https://www.exemple.example/une-page", "Voir {link}"),
        ("exemple.example/une-p...", "https://exemple.example/une-page", "Voir {link}"),
        ("https://exemple.example", "https://exemple.example", "Voir {link}"),
        ("la page", "https://exemple.example", "Voir la page"),
        ("…", "https://exemple.example", "Voir …"),
        ("autre.example", "https://piege.example", "Voir autre.example"),
    ],
)
def test_a_shortened_link_is_written_out_and_words_stay(shown: str, link: str, text: str) -> None:
    start = len("Été : Voir ".encode())
    facet = {
        "index": {"byteStart": start, "byteEnd": start + len(shown.encode())},
        "features": [{"$type": "app.bsky.richtext.facet#link", "uri": link}],
    }
    found = post(text=f"Été : Voir {shown}", facets=[facet])
    assert found.text == "Été : " + text.format(link=link)
    assert found.urls == (link,)


@pytest.mark.parametrize(
    "index",
    [
        {"byteStart": 1, "byteEnd": 2},  # within the first é
        {"byteStart": 5, "byteEnd": 500},
        {"byteStart": 9, "byteEnd": 3},
        {"byteStart": -3, "byteEnd": 3},
        {"byteStart": True, "byteEnd": 3},
        {"byteStart": "0", "byteEnd": None},
        {},
        None,
        [],
    ],
)
def test_a_facet_out_of_place_costs_its_place_only(index: Any) -> None:
    tag = {"$type": "app.bsky.richtext.facet#tag", "tag": "Belleroche"}
    link = {"$type": "app.bsky.richtext.facet#link", "uri": "https://a.example/é"}
    who = {"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:bob"}
    found = post(text="été à Belleroche", facets=[{"index": index, "features": [tag, link, who]}])
    assert found.text == "été à Belleroche"
    assert (found.hashtags, found.urls) == (("Belleroche",), ("https://a.example/é",))
    assert found.mentioned_handles == ("did:plc:bob",)


def test_links_that_overlap_are_written_out_once() -> None:
    link = [{"$type": "app.bsky.richtext.facet#link", "uri": "https://a.example/long"}]
    spans = [(0, 10), (2, 10), (0, 10)]
    facets = [{"index": {"byteStart": s, "byteEnd": e}, "features": link} for s, e in spans]
    found = post(text="a.example/… fin", facets=facets)
    assert found.text == "https://a.example/long… fin"


def test_hashtags_and_handles_count_also_when_a_client_did_not_mark_them() -> None:
    found = post(text="#Belleroche ou ＃belleroche, a#b, @Mairie.Example, a@b.example et @x")
    assert found.hashtags == ("Belleroche", "belleroche")
    assert found.mentioned_handles == ("mairie.example",)


@pytest.mark.parametrize(
    ("embed", "quoted"),
    [
        ({"record": {"uri": uri("q")}}, uri("q")),
        ({"record": {"record": {"uri": uri("q")}}}, uri("q")),
        ({"record": {"uri": f"at://{ALICE}/app.bsky.graph.list/l"}}, None),
        ({"record": {"uri": 3}}, None),
        ([], None),
    ],
)
def test_only_a_post_can_be_quoted(embed: Any, quoted: str | None) -> None:
    found = post(embed=embed)
    assert found.quoted_native_id == quoted
    assert found.content_type == ("quote" if quoted else "post")


@pytest.mark.parametrize(
    ("labels", "sensitive", "optout"),
    [
        ([{"val": "sexual"}], True, False),
        ([{"val": "porn"}, {"val": "porn", "neg": True}], False, False),
        ([{"val": "!no-unauthenticated"}], False, True),
        ([{"val": 3}, None, "porn"], False, False),
        ("porn", False, False),
    ],
)
def test_labels_say_what_is_for_adults_and_who_opts_out(
    labels: Any, sensitive: bool, optout: bool
) -> None:
    (found,) = parsed("post", view("a", labels=labels))
    assert (found.sensitive, found.optout) == (sensitive, optout)
    assert post(labels={"values": labels}).optout == optout


@pytest.mark.parametrize("count", [-1, True, "3", 2**63, 1.5, None])
def test_a_count_that_is_none_is_unknown(count: Any) -> None:
    (found,) = parsed("post", view("a", likeCount=count))
    assert found.like_count is None


@pytest.mark.parametrize(
    ("langs", "declared"),
    [(["fr"], "fr"), (["und", "pt-BR"], "pt-BR"), ([], None), (["<x>"], None), ("fr", None)],
)
def test_the_first_language_that_is_one_is_declared(langs: Any, declared: str | None) -> None:
    assert post(langs=langs).lang_declared == declared


@pytest.mark.parametrize(
    ("created", "indexed", "published"),
    [
        (
            "2026-11-20T10:00:00+02:00",
            "2026-11-20T09:00:00Z",
            datetime(2026, 11, 20, 8, tzinfo=UTC),
        ),
        ("hier", "2026-11-20T09:00:00Z", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        (
            "0001-01-01T00:00:00+14:00",
            "2026-11-20T09:00:00Z",
            datetime(2026, 11, 20, 9, tzinfo=UTC),
        ),
        ("2026-11-20T08:00:00", None, datetime(2026, 11, 20, 8, tzinfo=UTC)),
        (None, 3, None),
    ],
)
def test_a_post_is_as_old_as_the_earlier_of_its_two_times(
    created: Any, indexed: Any, published: datetime | None
) -> None:
    (found,) = parsed("post", view("a", indexedAt=indexed, record={"createdAt": created}))
    assert found.published_at == published
    assert found.published_precision == ("second" if published else "unknown")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "bad_uri"),
        ({"uri": "https://bsky.app/profile/x/post/y"}, "bad_uri"),
        ({"uri": uri("../../x")}, "bad_uri"),
        ({"uri": uri("a\nb")}, "bad_uri"),
        ({"uri": f"at://{ALICE}/app.bsky.feed.like/a", "record": {"text": ""}}, "bad_uri"),
        ({"uri": uri("a"), "record": {"$type": "app.bsky.feed.like", "text": ""}}, "not_a_post"),
        ({"uri": uri("a"), "record": {"$type": 3, "text": ""}}, "not_a_post"),
        ({"uri": uri("a"), "record": {"$type": POST}}, "no_text"),
        ({"uri": uri("a")}, "no_text"),
    ],
)
def test_what_cannot_be_a_post_is_rejected_with_a_reason(data: Any, reason: str) -> None:
    (refused,) = parsed("post", data)
    assert isinstance(refused, Rejection)
    assert (refused.source, refused.reason) == ("bluesky", reason)


def test_a_rejection_repeats_nothing_of_what_a_person_wrote() -> None:
    told = {"uri": uri("a"), "record": {"$type": POST, "text": ["mon secret"]}}
    (refused,) = parsed("post", told)
    assert "secret" not in refused.detail


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
FIELDS = (
    "uri cid author did handle labels val record text $type facets index byteStart byteEnd "
    "features tag tags langs embed external media reply root parent createdAt indexedAt payload "
    "kind time_us time seq commit account operation collection rkey active status event uris"
)
KEYS = st.sampled_from(FIELDS.split())
JSON = st.recursive(
    LEAVES | st.sampled_from([uri("a"), POST, ALICE, "create", "delete", "commit", "message"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(KINDS), data=JSON)
def test_whatever_comes_is_a_post_a_deletion_or_a_rejection(kind: str, data: Any) -> None:
    assert all(isinstance(found, Post | Deletion | Rejection) for found in parsed(kind, data))


@settings(max_examples=300, deadline=None)
@given(record=st.dictionaries(KEYS, JSON, max_size=8), more=st.dictionaries(KEYS, JSON, max_size=8))
def test_whatever_a_record_holds_its_post_is_read(record: dict[str, Any], more: Any) -> None:
    whole = {**more, "uri": uri("a"), "record": {**record, "$type": POST, "text": "été"}}
    (found,) = parsed("post", whole)
    assert found.native_id == uri("a")


def test_names_are_searched_as_phrases_hashtags_with_their_mark_and_handles_without() -> None:
    terms = Terms(
        names=("Ville de Belleroche", "Belleroche", 'le "Rocher"', "BELLEROCHE", " "),
        hashtags=("VivreABelleroche", "#Belleroche", "#"),
        handles=("@mairie.example", "@MairieX", "@mairie@social.example"),
    )
    assert queries(terms) == (
        '"Ville de Belleroche"',
        "BELLEROCHE",
        '"le Rocher"',
        "#VivreABelleroche",
        "#Belleroche",
        "mairie.example",
    )


def searching(**options: Any) -> dict[str, Any]:
    """Options of a search that needs no session."""
    return {"anonymous": True, "host": "https://api.example", "appview": "", **options}


def test_a_search_pages_back_to_the_start_of_the_window_and_its_overlap(tmp_path: Path) -> None:
    asked: list[httpx.QueryParams] = []
    pages = {
        "": ([view("p1", at=at(minutes=5)), view("p2", at=at(minutes=30))], "c1"),
        "c1": ([], "c2"),  # a page may be empty before the last
        "c2": ([view("p3", at=at(minutes=69)), view("p4", at=at(minutes=71))], "c3"),
    }

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params)
        return showing(*pages[request.url.params.get("cursor", "")])

    payloads, last = collected(request(tmp_path, answer, **searching(queries=("Belleroche",))))
    assert rkeys(payloads) == ["p1", "p2", "p3"]
    assert [params.get("cursor") for params in asked] == [None, "c1", "c2"]
    assert dict(asked[0]) == {
        "q": "Belleroche",
        "sort": "latest",
        "limit": "100",
        "since": "2026-11-20T10:50:00.000Z",
        "until": "2026-11-20T12:00:00.000Z",
    }
    assert (last.capped, last.gap, last.note) == (False, None, None)
    assert last.cursor == {"until": NOON.isoformat()}


def test_a_post_of_the_next_window_waits_for_it(tmp_path: Path) -> None:
    views = [view("late", at=NOON), view("in", at=NOON - timedelta(milliseconds=1))]
    payloads, _ = collected(
        request(tmp_path, lambda _: showing(views), **searching(queries=("x",)))
    )
    assert rkeys(payloads) == ["in"]


def test_a_post_found_by_several_queries_is_handed_over_once(tmp_path: Path) -> None:
    payloads, _ = collected(
        request(tmp_path, lambda _: showing([view("a", at=at(minutes=1))]), **searching())
    )
    assert rkeys(payloads) == ["a"]


def test_a_post_dated_back_by_its_author_does_not_end_a_search(tmp_path: Path) -> None:
    old = view("old", at=at(minutes=2), record={"createdAt": "1970-01-01T00:00:00Z"})
    pages = {"": ([old], "c"), "c": ([view("b", at=at(minutes=3))], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        return showing(*pages[request.url.params.get("cursor", "")])

    payloads, _ = collected(request(tmp_path, answer, **searching(queries=("x",))))
    assert rkeys(payloads) == ["old", "b"]


def test_a_search_cut_by_max_pages_tells_what_was_not_seen(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("cursor", 1))
        minutes = number * (10 if request.url.params["q"] == "x" else 5)
        return showing([view(f"{minutes}", at=at(minutes=minutes))], str(number + 1))

    asked = request(tmp_path, answer, **searching(queries=("x", "y"), max_pages=2))
    payloads, last = collected(asked)
    assert rkeys(payloads) == ["10", "20", "5"]
    assert (last.capped, last.gap) == (True, (at(hours=1), at(minutes=10)))
    assert last.note == "a search was cut after 2 pages: raise max_pages"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_host_that_does_not_page_without_a_session_tells_a_gap(
    tmp_path: Path, status: int
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "cursor" in request.url.params:
            return httpx.Response(status, json={"error": "AuthMissing"})
        return showing([view("a", at=at(minutes=20))], "c")

    payloads, last = collected(request(tmp_path, answer, **searching(queries=("x",))))
    assert rkeys(payloads) == ["a"]
    assert (last.capped, last.gap) == (True, (at(hours=1), at(minutes=20)))
    assert last.note == "https://api.example does not page without a session"


def test_a_cursor_that_repeats_itself_ends_a_search(tmp_path: Path) -> None:
    views = [view("a", at=at(minutes=1))]
    payloads, last = collected(
        request(tmp_path, lambda _: showing(views, "same"), **searching(queries=("x",)))
    )
    assert rkeys(payloads) == ["a"]
    assert not last.capped


def test_what_cannot_be_read_in_a_page_is_rejected_and_not_lost(tmp_path: Path) -> None:
    views = [3, {}, {"uri": "x"}, view("a", at=at(minutes=1))]
    payloads, _ = collected(
        request(tmp_path, lambda _: showing(views), **searching(queries=("x",)))
    )
    kinds = [type(item) for p in payloads for item in bluesky.parse(p, OPTIONS)]
    assert kinds == [Rejection, Rejection, Rejection, Post]


def test_only_declared_languages_are_sifted_out(tmp_path: Path) -> None:
    views = [
        view("fr", at=at(minutes=1), record={"langs": ["fr-FR"]}),
        view("en", at=at(minutes=2), record={"langs": ["en"]}),
        view("both", at=at(minutes=3), record={"langs": ["en", "fr"]}),
        view("none", at=at(minutes=4)),
    ]
    options = searching(queries=("x",), langs=("fr",))
    payloads, _ = collected(request(tmp_path, lambda _: showing(views), **options))
    assert rkeys(payloads) == ["fr", "both", "none"]


def test_an_answer_without_posts_is_an_error_and_not_an_empty_day(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="without 'posts'"):
        collected(request(tmp_path, lambda _: httpx.Response(200, json={}), **searching()))


def test_a_host_that_wants_a_session_or_time_says_so(tmp_path: Path) -> None:
    told = httpx.Response(401, json={"error": "AuthMissing", "message": "Required"})
    with pytest.raises(SourceError, match="set handle and password_env"):
        collected(request(tmp_path, lambda _: told, **searching()))
    busy = httpx.Response(429, headers={"RateLimit-Reset": str(NOON.timestamp() + 600)})
    with pytest.raises(RateLimited):
        collected(request(tmp_path, lambda _: busy, **searching()))


def test_a_search_for_nothing_says_so(tmp_path: Path) -> None:
    payloads, last = collected(request(tmp_path, terms=Terms(), **searching()))
    assert payloads == []
    assert last.note == "nothing to search for: give the subjects names, hashtags or handles"


def test_a_search_by_session_names_the_variable_that_is_empty(tmp_path: Path) -> None:
    options = {"handle": "@Veille.Example", "password_env": "VIGIE_BLUESKY"}
    with pytest.raises(SourceError, match="VIGIE_BLUESKY is empty"):
        collected(request(tmp_path, **options))


def test_a_search_by_session_carries_its_token(tmp_path: Path) -> None:
    tokens = {"did": "did:plc:x", "accessJwt": "acc", "refreshJwt": "ref"}
    seen: list[tuple[str, str]] = []

    def answer(asked: httpx.Request) -> httpx.Response:
        method = asked.url.path.rpartition(".")[2]
        seen.append((f"{asked.url.host} {method}", asked.headers.get("authorization", "")))
        return httpx.Response(200, json=tokens) if method == "createSession" else knowing()(asked)

    options = {"handle": "v.example", "password_env": "PW", "queries": ("x",)}
    asking = request(tmp_path, answer, secrets={"PW": "word"}, **options)
    collected(asking)
    list(bluesky.recheck(asking, held("a")))
    assert seen == [
        ("bsky.social createSession", ""),
        ("bsky.social searchPosts", "Bearer acc"),
        ("public.api.bsky.app getPosts", ""),  # without the account: it may be blocked by people
    ]


def held(*names: str) -> tuple[Held, ...]:
    return tuple(Held(native_id=uri(name)) for name in names)


def test_posts_looked_up_again_come_back_fresh_or_gone(tmp_path: Path) -> None:
    calls: list[list[str]] = []

    def answer(asked: httpx.Request) -> httpx.Response:
        calls.append(asked.url.params.get_list("uris"))
        return knowing(*(view(f"p{n}", likeCount=n) for n in range(30) if n != 7))(asked)

    posts = (*held(*(f"p{n}" for n in range(30))), Held(native_id="not an address"))
    options = searching(appview="https://view.example")
    payloads = list(bluesky.recheck(request(tmp_path, answer, **options), posts))
    assert [len(uris) for uris in calls] == [25, 5]
    assert [p.kind for p in payloads].count("post") == 29
    assert payloads[-1] == Payload(kind="gone", data={"uri": uri("p7")}, fetched_at=NOON)


def test_where_posts_are_looked_up_nowhere_nothing_is_gone(tmp_path: Path) -> None:
    asked = request(tmp_path, mode="jetstream", appview="")
    assert list(bluesky.recheck(asked, held("a", "b"))) == []


def test_a_server_that_knows_neither_posts_nor_authors_deletes_nothing(tmp_path: Path) -> None:
    known: list[dict[str, str]] = []
    asked: list[list[str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get_list("actors"))
        return httpx.Response(200, json={"posts": [], "profiles": known})

    posts = tuple(Held(native_id=uri("a", f"did:plc:{n}")) for n in range(5))
    asking = request(tmp_path, answer, **searching(appview="https://view.example"))
    with pytest.raises(SourceError, match="knows none of 5 posts nor their authors"):
        list(bluesky.recheck(asking, posts))
    assert asked[-1] == [f"did:plc:{n}" for n in range(5)]
    assert len(list(bluesky.recheck(asking, posts[:4]))) == 4
    known.append({"did": "did:plc:3"})
    assert len(list(bluesky.recheck(asking, posts))) == 5


def test_a_look_up_that_fails_deletes_nothing_and_is_told(tmp_path: Path) -> None:
    asking = request(
        tmp_path, lambda _: httpx.Response(502), **searching(appview="https://v.example")
    )
    with pytest.raises(SourceError, match="502"):
        list(bluesky.recheck(asking, held("b")))


def test_a_stream_is_kept_as_it_came_where_its_posts_cannot_be_looked_up(tmp_path: Path) -> None:
    end = commit(9, "fin", at=NOON + timedelta(seconds=1))
    with jetstream(replaying(commit(1, "a"), end)) as host:
        options = {"mode": "jetstream", "jetstream_urls": (host.url(),)}
        asked = request(tmp_path, lambda _: httpx.Response(502), **options)
        payloads, last = collected(asked)
    assert rkeys(payloads) == ["a"]
    assert last.note is not None
    assert last.note.startswith("posts could not be looked up")


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({}, "needs an account"),
        ({"mode": "both", "handle": "v.example"}, "needs an account"),
        ({"anonymous": True, "queries": ["from:une-personne.example caf"]}, "not people"),
        ({"anonymous": True, "queries": ["caf did:plc:abc"]}, "not people"),
        ({"anonymous": True, "queries": ["-Author:x"]}, "not people"),
        ({"anonymous": True, "queries": [" "]}, "is empty"),
        ({"anonymous": True, "host": "http://api.example"}, "in clear"),
        ({"anonymous": True, "host": "api.example"}, "match pattern"),
        ({"anonymous": True, "host": "https://moi:mot@api.example"}, "match pattern"),
        ({"mode": "jetstream", "jetstream_urls": ["https://x"]}, "match pattern"),
        ({"mode": "jetstream", "jetstream_urls": []}, "at least 1"),
        ({"mode": "jetstream", "read_seconds": 0}, "greater than 0"),
        ({"mode": "firehose"}, "'search', 'jetstream' or 'both'"),
        ({"mode": "jetstream", "pasword_env": "X"}, "not permitted"),
    ],
)
def test_options_that_cannot_work_or_are_not_lawful_are_refused(
    options: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(ValidationError, match=remedy):
        bluesky.Options.model_validate(options)


def test_a_query_may_hold_words_that_end_like_an_operator() -> None:
    bluesky.Options(anonymous=True, queries=("platfrom:caf", '"parti de Paris"', "to:mairie.fr"))


def test_terms_are_the_ones_watched(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["q"])
        return showing([])

    collected(request(tmp_path, answer, terms=TERMS, **searching()))
    assert asked == ["Belleroche", "#VivreABelleroche", "mairie.example"]
