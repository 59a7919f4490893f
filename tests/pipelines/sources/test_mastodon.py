"""The Mastodon source, against a small instance on loopback that pages as real ones do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given, settings, strategies as st

from pipelines import http
from pipelines.errors import RateLimited, SourceError, StatusRefused
from pipelines.mention import Deletion, Post, Rejection
from pipelines.sources import Checkpoint, Held, Payload, Request, Terms, mastodon
from tests.pipelines.loopback import Answer, Asked, Clock, serving

PAYLOADS = Path(__file__).parents[2] / "payloads" / "mastodon"
SINCE = datetime(2026, 11, 20, 8, tzinfo=UTC)
UNTIL = datetime(2026, 11, 20, 9, tzinfo=UTC)
SECRET = {"VIGIE_TEST_TOKEN": "jeton-invente"}


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return found


def snowflake(at: datetime, n: int = 0) -> str:
    return str((int(at.timestamp() * 1000) << 16) + n)


def ulid(at: datetime, n: int = 0) -> str:
    letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    value = (int(at.timestamp() * 1000) << 80) + n
    return "".join(letters[value >> 5 * place & 31] for place in reversed(range(26)))


def status(at: datetime, *, n: int = 0, ident: str | None = None, **changed: Any) -> dict[str, Any]:
    item_id = ident or snowflake(at, n)
    return {
        **sample("status"),
        "id": item_id,
        "created_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "uri": f"https://quais.example/users/mireille_b/statuses/{item_id}",
        "edited_at": None,
        **changed,
    }


def every(minutes: int, *, count: int, start: datetime = SINCE) -> list[dict[str, Any]]:
    return [status(start + timedelta(minutes=minutes * n)) for n in range(count)]


Trouble = Callable[[str, int], Answer | None]


def never(path: str, n: int) -> None:
    """No trouble."""


def on(word: str, answer: Answer) -> Trouble:
    """The same answer to every request whose path holds `word`."""
    return lambda path, _: answer if word in path else None


def between(first: int, last: int, answer: Answer) -> Trouble:
    """The same answer from the `first` request to the `last`."""
    return lambda _, n: answer if first <= n <= last else None


@dataclass
class Instance:
    """A server with tag timelines, notifications, accounts and statuses, newest first."""

    tags: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notices: list[dict[str, Any]] = field(default_factory=list)
    own: list[dict[str, Any]] = field(default_factory=list)
    about: dict[str, Any] | None = field(default_factory=lambda: sample("instance"))
    trouble: Trouble = never
    has_links: bool = True
    has_batch: bool = False
    asked: list[Asked] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        path, query = urlsplit(asked.path).path, parse_qs(urlsplit(asked.path).query)
        if wrong := self.trouble(path, len(self.asked)):
            return wrong
        if path == "/api/v2/instance":
            return Answer(404) if self.about is None else _json(self.about)
        if path == "/api/v1/accounts/lookup":
            return _json({"id": "77", "acct": query["acct"][0]})
        if path == "/api/v1/statuses":
            return self._several(query) if self.has_batch else Answer(404)
        if path.startswith("/api/v1/statuses/"):
            return self._one(path.rsplit("/", 1)[1])
        return self._page(self._listed(unquote(path)), query)

    def _listed(self, path: str) -> list[dict[str, Any]]:
        if path == "/api/v1/notifications":
            return self.notices
        if path == "/api/v1/accounts/77/statuses":
            return self.own
        return self.tags.get(path.removeprefix("/api/v1/timelines/tag/").casefold(), [])

    def _one(self, ident: str) -> Answer:
        known = [s for listed in self.tags.values() for s in listed if s["id"] == ident]
        return _json(known[0]) if known else Answer(404, body=b'{"error":"Record not found"}')

    def _several(self, query: dict[str, list[str]]) -> Answer:
        """Twenty at most, as `check_statuses_limit` of the real controller has it."""
        wanted = query["id[]"]
        if len(wanted) > 20:
            return Answer(422)
        listed = [s for statuses in self.tags.values() for s in statuses]
        return _json([s for s in listed if s["id"] in wanted])

    def _page(self, listed: list[dict[str, Any]], query: dict[str, list[str]]) -> Answer:
        key = lambda item: (len(item["id"]), item["id"])  # noqa: E731
        items = sorted(listed, key=key)
        bound = lambda name: (len(query[name][0]), query[name][0])  # noqa: E731
        if "max_id" in query:
            items = [item for item in items if key(item) < bound("max_id")]
        limit = int(query["limit"][0])
        if "min_id" in query:
            page = [item for item in items if key(item) > bound("min_id")][:limit]
        else:
            page = items[-limit:]
        links = {}
        if page and self.has_links:
            here = "http://x.example/api"
            links["Link"] = (
                f'<{here}?limit=40&max_id={page[0]["id"]}>; rel="next", '
                f'<{here}?limit=40&min_id={page[-1]["id"]}>; rel="prev"'
            )
        return _json(page[::-1], **links)


def _json(value: Any, **headers: str) -> Answer:
    return Answer(headers=headers, body=json.dumps(value).encode())


@dataclass
class Outcome:
    """What one collection gave: payloads, last checkpoint, posts, paths asked."""

    payloads: list[Payload]
    checkpoint: Checkpoint
    posts: list[Post]
    paths: list[str]
    clock: Clock

    @property
    def cursor(self) -> dict[str, Any]:
        return self.checkpoint.cursor

    @property
    def times(self) -> list[datetime]:
        return [post.published_at for post in self.posts if post.published_at]


def run(
    instance: Instance,
    *,
    cursor: dict[str, Any] | None = None,
    since: datetime = SINCE,
    until: datetime = UNTIL,
    hashtags: tuple[str, ...] = (),
    secrets: dict[str, str] | None = None,
    is_halted: bool = False,
    **chosen: Any,
) -> Outcome:
    """One collection of `instance` over loopback; the cursor moves from server to server.

    `is_halted`: the server asks for a long wait after the last checkpoint.
    """
    clock = Clock()
    with (
        serving(instance) as peer,
        http.Client(allow_private=("127.0.0.0/8",), sleep=clock.sleep, now=clock.now) as asking,
    ):
        options = mastodon.Options(instance=peer.url, **chosen)
        request = Request(
            name="mastodon",
            options=options,
            terms=Terms(hashtags=hashtags),
            cursor={**cursor, "instance": peer.url} if cursor else None,
            since=since,
            until=until,
            client=asking,
            home=Path(),
            secrets=secrets or {},
        )
        items: list[Any] = []
        with contextlib.suppress(RateLimited) if is_halted else contextlib.nullcontext():
            items += iter(mastodon.collect(request))
            assert not is_halted
    assert isinstance(items[-1], Checkpoint)
    payloads = [item for item in items if isinstance(item, Payload)]
    parsed = [post for payload in payloads for post in mastodon.parse(payload, options)]
    posts = [post for post in parsed if isinstance(post, Post)]
    return Outcome(payloads, items[-1], posts, [a.path for a in peer.asked], clock)


def parse(data: Any, *, kind: str = "status", **chosen: Any) -> Any:
    options = mastodon.Options(**{"instance": "https://social.valmont.example", **chosen})
    payload = Payload(kind=kind, data=data, instance="valmont.example")
    (found,) = mastodon.parse(payload, options)
    return found


# Parsing


def test_a_status_becomes_a_post_with_all_that_it_says() -> None:
    post = parse(sample("status"))
    assert isinstance(post, Post)
    assert post.native_id == "https://quais.example/users/mireille_b/statuses/117647636692922001"
    assert post.url == "https://quais.example/@mireille_b/117647636692922001"
    assert post.network == "mastodon"
    assert post.source_instance == "quais.example"
    assert post.published_at == datetime(2026, 11, 20, 7, 41, 12, tzinfo=UTC)
    assert post.edited_at == datetime(2026, 11, 20, 7, 55, 3, tzinfo=UTC)
    assert post.text_format == "html"
    assert post.content_warning == "coup de gueule"
    assert post.author_id == "https://quais.example/users/mireille_b"
    assert post.author_handle == "mireille_b@quais.example"
    assert post.mentioned_handles == ("mairie@valmont.example",)
    assert post.hashtags == ("valmont",)
    assert post.urls == ("https://www.petitmarais.example/valmont/piscine-fermee-1042",)
    assert post.media_types == ("image", "video", "poll")
    assert (post.like_count, post.reply_count, post.share_count, post.quote_count) == (23, 4, 11, 1)
    assert (post.content_type, post.quoted_native_id) == (
        "quote",
        "https://autre.example/users/leo/statuses/7",
    )
    assert (post.lang_declared, post.sensitive, post.visibility) == ("fr", True, "public")
    assert not post.optout


def test_a_status_of_gotosocial_leaves_unknown_what_it_does_not_say() -> None:
    post = parse(sample("gotosocial"))
    assert post.author_handle == "oscar@valmont.example"
    assert post.author_id == "https://petit.example/@oscar"
    assert post.author_kind == "bot"
    assert (post.content_type, post.parent_native_id) == ("reply", None)
    assert post.content_warning is None
    assert post.quote_count is None
    assert not post.optout


@pytest.mark.parametrize("wish", [{"indexable": False}, {"discoverable": False}, {"noindex": True}])
def test_an_author_who_asks_not_to_be_listed_is_only_counted(wish: dict[str, bool]) -> None:
    told = sample("status")
    told["account"] |= wish
    assert parse(told).optout
    assert parse(told, kind="mention").optout


@pytest.mark.parametrize("unsaid", [{"discoverable": None}, {"noindex": None}, {"noindex": False}])
def test_an_author_who_says_nothing_is_not_taken_to_have_asked(unsaid: dict[str, Any]) -> None:
    told = sample("status")
    told["account"] |= unsaid
    assert not parse(told).optout


def test_the_institutions_own_account_is_read_whatever_it_says_about_listing() -> None:
    told = sample("status")
    told["account"] |= {"indexable": False, "acct": "Mairie"}
    assert not parse(told, account="mairie").optout
    assert not parse(told, kind="own").optout
    assert parse(told, kind="own").collected_via == "timeline"
    assert parse(told, account="mairie@ailleurs.example").optout


@pytest.mark.parametrize("visibility", ["private", "direct", "unlisted", None, "x", [], {"a": 1}])
def test_what_is_not_public_is_rejected(visibility: Any) -> None:
    found = parse(sample("status") | {"visibility": visibility})
    assert isinstance(found, Rejection)
    assert found.reason == "not_public"


def test_unlisted_is_kept_only_when_asked_for() -> None:
    found = parse(sample("status") | {"visibility": "unlisted"}, include_unlisted=True)
    assert found.visibility == "unlisted"


def test_a_boost_is_rejected_since_it_counts_by_itself() -> None:
    found = parse(sample("status") | {"reblog": sample("gotosocial")})
    assert (found.reason, found.native_id) == ("reblog", sample("status")["uri"])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"uri": None}, "no_uri"), ({"uri": "  "}, "no_uri"), ({"uri": 3}, "no_uri")],
)
def test_a_status_that_nothing_names_is_rejected(changed: dict[str, Any], reason: str) -> None:
    assert parse(sample("status") | changed).reason == reason


@pytest.mark.parametrize("data", [None, [], "x", 3, True])
def test_what_is_no_status_is_rejected(data: Any) -> None:
    assert parse(data).reason == "not_a_status"


def test_extreme_values_are_unknown_and_not_wrong() -> None:
    post = parse(
        sample("status")
        | {
            "created_at": "9999-12-31T23:59:59-23:59",
            "edited_at": "hier",
            "favourites_count": -1,
            "reblogs_count": 2**63,
            "replies_count": True,
            "quotes_count": 1e300,
            "url": "javascript:alert(1)",
            "account": None,
            "tags": [{"name": None}, None, 3, {"name": "a"}],
            "mentions": {"acct": "x"},
            "media_attachments": [{"type": "spacecraft"}],
            "content": None,
            "language": 7,
            "sensitive": "yes",
            "quote": "x",
            "unknown_field": {"a": [1]},
        }
    )
    assert (post.published_at, post.published_precision, post.edited_at) == (None, "unknown", None)
    assert (post.like_count, post.share_count, post.reply_count, post.quote_count) == (None,) * 4
    assert (post.url, post.author_id, post.author_handle) == (None, None, None)
    assert (post.hashtags, post.mentioned_handles, post.media_types) == (("a",), (), ("poll",))
    assert (post.text, post.lang_declared, post.sensitive) == ("", None, None)


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(sample("status"))), ANYTHING)
def test_no_value_of_any_field_makes_the_parser_fail(name: str, value: Any) -> None:
    assert isinstance(parse(sample("status") | {name: value}), Post | Rejection)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(sample("status")["account"])), ANYTHING)
def test_no_value_of_any_field_of_an_account_makes_the_parser_fail(name: str, value: Any) -> None:
    told = sample("status")
    told["account"] |= {name: value}
    assert isinstance(parse(told), Post)


def test_a_deletion_without_uri_or_time_is_rejected() -> None:
    assert isinstance(
        parse({"uri": "x", "checked_at": "2026-11-20T09:00:00+00:00"}, kind="gone"), Deletion
    )
    for data in (None, {"uri": "x"}, {"checked_at": "2026-11-20T09:00:00+00:00"}):
        assert isinstance(parse(data, kind="gone"), Rejection)


# Windows and pages


def test_collect_keeps_the_half_open_window_across_pages() -> None:
    instance = Instance({"valmont": every(1, count=200, start=SINCE - timedelta(minutes=70))})
    outcome = run(instance, tags=("Valmont",))
    assert outcome.times == [SINCE + timedelta(minutes=n) for n in range(60)]
    following = run(
        instance,
        tags=("valmont",),
        cursor=outcome.cursor,
        since=UNTIL,
        until=UNTIL + timedelta(minutes=5),
        late_minutes=0,
    )
    assert following.times == [UNTIL + timedelta(minutes=n) for n in range(5)]


def test_a_first_run_starts_from_the_time_in_the_ids_without_paging_back() -> None:
    outcome = run(
        Instance({"valmont": every(1, count=200, start=SINCE - timedelta(minutes=170))}),
        tags=("valmont",),
    )
    assert len(outcome.posts) == 30
    assert not any("max_id" in path for path in outcome.paths)


@pytest.mark.parametrize("has_links", [True, False])
def test_a_first_run_pages_back_where_ids_are_opaque(has_links: bool) -> None:
    made = [
        status(at, ident=ulid(at))
        for at in (SINCE - timedelta(minutes=60) + timedelta(minutes=n) for n in range(160))
    ]
    outcome = run(Instance({"valmont": made}, has_links=has_links), tags=("valmont",))
    assert outcome.times == [SINCE + timedelta(minutes=n) for n in range(60)]
    assert any("max_id" in path for path in outcome.paths)
    assert outcome.checkpoint.gap is None


def test_a_first_run_on_opaque_ids_takes_a_timeline_that_begins_within_the_window() -> None:
    made = [status(at, ident=ulid(at)) for at in (SINCE, SINCE + timedelta(minutes=1))]
    outcome = run(Instance({"valmont": made}), tags=("valmont",))
    assert len(outcome.posts) == 2
    assert outcome.checkpoint.gap is None
    again = run(Instance({"valmont": made}), tags=("valmont",), cursor=outcome.cursor)
    assert again.posts == []


def test_a_first_run_that_cannot_reach_the_start_tells_the_gap() -> None:
    made = [
        status(SINCE + timedelta(seconds=10 * n), ident=ulid(SINCE + timedelta(seconds=10 * n)))
        for n in range(200)
    ]
    outcome = run(Instance({"valmont": made}), tags=("valmont",), max_pages=2)
    assert outcome.checkpoint.gap == (SINCE, SINCE + timedelta(seconds=1200))
    assert "max_pages may be too low" in (outcome.checkpoint.note or "")
    assert len(outcome.posts) == 80


def test_a_server_that_ignores_max_id_is_not_asked_for_ever() -> None:
    class Stuck(Instance):
        def _page(self, listed: list[dict[str, Any]], query: dict[str, list[str]]) -> Answer:
            query.pop("max_id", None)
            return super()._page(listed, query)

    made = [status(SINCE + timedelta(minutes=1), ident=ulid(SINCE, n)) for n in range(3)]
    outcome = run(Stuck({"valmont": made}), tags=("valmont",))
    assert len(outcome.posts) == 3
    assert outcome.checkpoint.gap == (SINCE, SINCE + timedelta(minutes=1))
    assert len(outcome.paths) < 6


def test_an_empty_timeline_is_no_fault_and_begins_when_it_has_something() -> None:
    empty = run(Instance(), tags=("valmont",))
    assert (empty.payloads, empty.checkpoint.gap, empty.cursor["positions"]) == ([], None, {})
    later = run(Instance({"valmont": every(1, count=3)}), tags=("valmont",), cursor=empty.cursor)
    assert len(later.posts) == 3


def test_a_run_capped_by_pages_leaves_the_rest_to_the_next_one() -> None:
    instance = Instance({"valmont": [status(SINCE + timedelta(seconds=n)) for n in range(300)]})
    seen: list[str] = []
    cursor = None
    for _ in range(5):
        outcome = run(instance, tags=("valmont",), cursor=cursor, max_pages=3, late_minutes=0)
        cursor = outcome.cursor
        seen += [post.native_id for post in outcome.posts]
        if not outcome.checkpoint.capped:
            break
        assert "the next run goes on" in (outcome.checkpoint.note or "")
    assert len(seen) == len(set(seen)) == 300


def test_a_burst_between_two_runs_leaves_no_hole() -> None:
    instance = Instance({"valmont": every(1, count=2)})
    first = run(instance, tags=("valmont",), until=SINCE + timedelta(minutes=5))
    instance.tags["valmont"] += [status(SINCE + timedelta(minutes=6), n=n + 1) for n in range(170)]
    second = run(instance, tags=("valmont",), cursor=first.cursor)
    assert len({post.native_id for post in second.posts}) == 172  # two are read again, being recent


def test_a_status_that_arrives_late_is_found_by_its_earlier_id() -> None:
    instance = Instance({"valmont": every(10, count=6)})
    first = run(instance, tags=("valmont",))
    late = status(SINCE + timedelta(minutes=45), n=3)
    instance.tags["valmont"].append(late)
    second = run(
        instance,
        tags=("valmont",),
        cursor=first.cursor,
        since=UNTIL,
        until=UNTIL + timedelta(minutes=5),
    )
    assert late["uri"] in {post.native_id for post in second.posts}
    third = run(
        instance,
        tags=("valmont",),
        cursor=first.cursor,
        late_minutes=0,
        since=UNTIL,
        until=UNTIL + timedelta(minutes=5),
    )
    assert third.posts == []


def test_looking_for_the_late_ones_never_holds_up_the_new_ones() -> None:
    instance = Instance({"valmont": [status(SINCE + timedelta(seconds=n)) for n in range(1500)]})
    first = run(instance, tags=("valmont",), until=SINCE + timedelta(minutes=20))
    second = run(instance, tags=("valmont",), cursor=first.cursor, max_pages=10)
    assert max(second.times) == SINCE + timedelta(seconds=1499)
    assert "not all that came late" in (second.checkpoint.note or "")


def test_a_date_in_the_future_does_not_hold_up_the_others() -> None:
    wrong = status(SINCE + timedelta(minutes=5)) | {"created_at": "2099-01-01T00:00:00.000Z"}
    instance = Instance({"valmont": [wrong, status(SINCE + timedelta(minutes=6))]})
    outcome = run(instance, tags=("valmont",), since=SINCE - timedelta(hours=1))
    assert len(outcome.posts) == 2


def test_a_server_that_ignores_min_id_does_not_turn_for_ever() -> None:
    class Stuck(Instance):
        def _page(self, listed: list[dict[str, Any]], query: dict[str, list[str]]) -> Answer:
            query.pop("min_id", None)
            return super()._page(listed, query)

    outcome = run(Stuck({"valmont": every(1, count=3)}), tags=("valmont",))
    assert len(outcome.posts) == 3
    assert len(outcome.paths) < 6


def test_a_status_under_two_tags_is_landed_once() -> None:
    same = every(1, count=3)
    outcome = run(Instance({"valmont": same, "piscine": same}), hashtags=("#Valmont", "piscine"))
    assert len(outcome.payloads) == 3


def test_tags_come_from_the_subjects_unless_the_source_names_its_own() -> None:
    outcome = run(Instance(), hashtags=("#Été", "Valmont", "valmont"))
    assert [p.split("?")[0] for p in outcome.paths[1:]] == [
        "/api/v1/timelines/tag/%C3%89t%C3%A9",
        "/api/v1/timelines/tag/valmont",
    ]
    own = run(Instance(), hashtags=("autre",), tags=("#valmont",))
    assert own.paths[1].startswith("/api/v1/timelines/tag/valmont?")


def test_a_cursor_of_another_server_or_shape_starts_again() -> None:
    instance = Instance({"valmont": every(1, count=2)})
    for cursor in ({"positions": []}, {"positions": {"tag:valmont": 3}}, {"positions": None}):
        assert len(run(instance, tags=("valmont",), cursor=cursor).posts) == 2


# Mentions, the own account, deletions


def notice(n: int, told: dict[str, Any] | None, kind: str = "mention") -> dict[str, Any]:
    at = (SINCE + timedelta(minutes=n)).isoformat()
    return {"id": str(4000 + n), "type": kind, "created_at": at, "account": {}, "status": told}


def test_mentions_of_the_own_account_are_read_with_the_token() -> None:
    told = [notice(n, status(SINCE + timedelta(minutes=n))) for n in range(50)]
    instance = Instance(notices=told)
    outcome = run(instance, mentions=True, token_env="VIGIE_TEST_TOKEN", secrets=SECRET)
    assert len(outcome.posts) == 50
    assert {post.collected_via for post in outcome.posts} == {"mention_api"}
    assert {asked.headers["authorization"] for asked in instance.asked} == {"Bearer jeton-invente"}
    assert "types%5B%5D=mention" in outcome.paths[1]
    again = run(instance, mentions=True, cursor=outcome.cursor)
    assert again.payloads == []


def test_private_messages_never_reach_the_landing() -> None:
    told = [status(SINCE + timedelta(minutes=n)) for n in range(3)]
    told[0]["visibility"] = "direct"
    told[1]["visibility"] = "private"
    del told[2]["visibility"]
    outcome = run(Instance(notices=[notice(n, one) for n, one in enumerate(told)]), mentions=True)
    assert outcome.payloads == []
    assert outcome.checkpoint.note == "3 messages that are not public were left alone"


def test_other_notifications_are_not_mentions() -> None:
    notices = [notice(1, status(SINCE), "favourite"), notice(2, None), notice(3, None, "follow")]
    assert run(Instance(notices=notices), mentions=True).payloads == []


def test_the_own_account_is_read_by_its_timeline() -> None:
    outcome = run(Instance(own=every(1, count=3)), account="@mairie")
    assert {post.collected_via for post in outcome.posts} == {"timeline"}
    assert "exclude_reblogs=true" in outcome.paths[2]
    assert outcome.cursor["positions"].keys() == {"account:mairie"}


# Looking up again


def looked_up(
    instance: Instance, *held: Held, got: list[Payload] | None = None, **chosen: Any
) -> tuple[list[Payload], list[str]]:
    """What a look at held statuses gives, in `got` as it comes, and the paths asked for."""
    payloads = [] if got is None else got
    clock = Clock()
    with (
        serving(instance) as peer,
        http.Client(allow_private=("127.0.0.0/8",), sleep=clock.sleep, now=clock.now) as asking,
    ):
        here = urlsplit(peer.url).netloc
        request = Request(
            name="mastodon",
            options=mastodon.Options(instance=peer.url, **chosen),
            terms=Terms(),
            cursor=None,
            since=SINCE,
            until=UNTIL,
            client=asking,
            home=Path(),
        )
        asked = [replace(post, native_id=post.native_id.replace("HOST", here)) for post in held]
        for payload in mastodon.recheck(request, asked):
            payloads.append(payload)
    return payloads, [asked.path for asked in peer.asked]


def held(uri: str, lookup_id: str | None = None) -> Held:
    return Held(native_id=uri, lookup_id=lookup_id)


HERE = "https://valmont.example/users/a/statuses"


def test_statuses_of_this_server_are_looked_up_again_and_told_when_gone() -> None:
    kept = status(SINCE - timedelta(days=1))
    kept["uri"] = f"{HERE}/{kept['id']}"
    payloads, _ = looked_up(
        Instance({"valmont": [kept]}),
        held(kept["uri"]),
        held(f"{HERE}/999"),
        held("http://HOST/users/b/statuses/998"),
        held("https://ailleurs.example/users/a/statuses/997"),
        held("https://valmont.example/notes/x"),
        held("https://["),
    )
    assert [p.kind for p in payloads] == ["status", "gone", "gone"]
    assert parse(payloads[1].data, kind="gone") == Deletion(
        source="mastodon", native_id=f"{HERE}/999", deleted_at=UNTIL, reason="gone"
    )


def test_a_status_of_another_server_is_looked_up_by_the_id_that_it_has_here() -> None:
    far = status(SINCE) | {"uri": "https://ailleurs.example/users/a/statuses/55"}
    payloads, _ = looked_up(
        Instance({"valmont": [far]}),
        held(far["uri"], f"valmont.example:{far['id']}"),
        held("https://ailleurs.example/users/a/statuses/56", "valmont.example:4242"),
        held("https://ailleurs.example/users/a/statuses/57", "another.example:4243"),
    )
    assert [p.kind for p in payloads] == ["status", "gone"]
    assert payloads[1].data["uri"] == "https://ailleurs.example/users/a/statuses/56"
    assert parse(far).lookup_id == f"valmont.example:{far['id']}"


def test_twenty_statuses_are_one_call_where_the_server_offers_it() -> None:
    kept = [status(SINCE + timedelta(minutes=n)) for n in range(45)]
    for one in kept:
        one["uri"] = f"{HERE}/{one['id']}"
    server = Instance({"valmont": kept}, has_batch=True)
    payloads, paths = looked_up(server, *(held(one["uri"]) for one in kept), held(f"{HERE}/7"))
    assert [p.kind for p in payloads] == ["status"] * 45 + ["gone"]
    batches = [path for path in paths if path.startswith("/api/v1/statuses?")]
    assert [path.count("id%5B%5D=") + path.count("id[]=") for path in batches] == [20, 20, 6]
    assert len(paths) == 1 + 3 + 1  # the instance, the batches, and the missing one by itself


def test_what_came_before_a_refusal_is_handed_over_and_the_latest_for_their_age_first() -> None:
    kept = [status(SINCE + timedelta(minutes=n)) for n in range(45)]
    for one in kept:
        one["uri"] = f"{HERE}/{one['id']}"
    server = Instance({"valmont": kept}, has_batch=True)
    calls: list[str] = []

    def trouble(path: str, _: Any) -> Answer | None:
        calls.append(path)
        is_third = calls.count("/api/v1/statuses") == 3
        return Answer(429, {"retry-after": "900"}) if is_third else None

    server.trouble = trouble
    got: list[Payload] = []
    with pytest.raises(RateLimited):
        looked_up(server, *(held(one["uri"]) for one in reversed(kept)), got=got)
    assert [p.data["uri"] for p in got] == [one["uri"] for one in reversed(kept)][:40]


@pytest.mark.parametrize("count", [1, 5])
def test_a_status_that_the_server_fails_on_keeps_no_other_from_being_looked_up(count: int) -> None:
    kept = status(SINCE)
    kept["uri"] = f"{HERE}/{kept['id']}"
    bad = [f"{HERE}/{number}" for number in range(count)]
    server = Instance({"valmont": [kept]})
    server.trouble = lambda path, _: Answer(500) if path.rpartition("/")[2] in "01234" else None
    got: list[Payload] = []
    with pytest.raises(SourceError) if count == 5 else contextlib.nullcontext():
        looked_up(server, *map(held, bad), held(kept["uri"]), got=got)
    assert [p.kind for p in got] == ([] if count == 5 else ["status"])


def test_a_list_that_leaves_a_status_out_does_not_delete_it() -> None:
    kept = status(SINCE)
    kept["uri"] = f"{HERE}/{kept['id']}"
    empty = Instance({"valmont": [kept]}, trouble=on("/api/v1/statuses", Answer(body=b"[]")))
    empty.trouble = lambda path, _: Answer(body=b"[]") if path == "/api/v1/statuses" else None
    payloads, _ = looked_up(empty, held(kept["uri"]))
    assert [p.kind for p in payloads] == ["status"]


def test_a_status_that_has_become_private_is_told_as_gone() -> None:
    hidden = status(SINCE) | {"visibility": "private"}
    hidden["uri"] = f"{HERE}/{hidden['id']}"
    payloads, _ = looked_up(Instance({"x": [hidden]}), held(hidden["uri"]))
    assert [p.kind for p in payloads] == ["gone"]


def test_an_id_of_another_status_is_not_a_deletion() -> None:
    other = status(SINCE)
    payloads, _ = looked_up(Instance({"x": [other]}), held(f"{HERE}/{other['id']}"))
    assert payloads == []


@pytest.mark.parametrize("code", [401, 403, 500])
def test_a_server_that_refuses_look_ups_deletes_nothing(code: int) -> None:
    refusing = Instance(trouble=on("/statuses", Answer(code)))
    with pytest.raises(SourceError):
        looked_up(refusing, held(f"{HERE}/1"))


def test_a_server_that_knows_nothing_any_more_deletes_nothing() -> None:
    posts = [held(f"https://valmont.example/users/u{n}/statuses/{n}") for n in range(5)]
    with pytest.raises(SourceError, match="knows none of 5 statuses"):
        looked_up(Instance(), *posts)
    payloads, _ = looked_up(Instance(), *posts[:4])
    assert [p.kind for p in payloads] == ["gone"] * 4


# Access and trouble


def about(**sides: str) -> dict[str, Any]:
    told = sample("instance")
    told["configuration"]["timelines_access"]["hashtag_feeds"] |= sides
    return told


def test_tags_closed_to_strangers_are_told_with_the_remedy() -> None:
    closed = Instance(about=about(local="authenticated", remote="authenticated"))
    with pytest.raises(SourceError, match="only to its members: set token_env"):
        run(closed, tags=("valmont",))
    assert len(closed.asked) == 1
    outcome = run(closed, tags=("valmont",), token_env="VIGIE_TEST_TOKEN", secrets=SECRET)
    assert outcome.checkpoint.note is None


def test_tags_closed_to_all_are_told_even_with_a_token() -> None:
    closed = Instance(about=about(local="disabled", remote="disabled"))
    with pytest.raises(SourceError, match="shows tags to nobody"):
        run(closed, tags=("valmont",), token_env="VIGIE_TEST_TOKEN", secrets=SECRET)


def test_tags_closed_do_not_stop_the_mentions() -> None:
    instance = Instance(
        about=about(local="disabled", remote="disabled"),
        notices=[notice(1, status(SINCE + timedelta(minutes=1)))],
    )
    outcome = run(instance, tags=("valmont",), mentions=True)
    assert len(outcome.posts) == 1
    assert "shows tags to nobody" in (outcome.checkpoint.note or "")


def test_tags_open_on_one_side_are_read_on_that_side() -> None:
    outcome = run(Instance(about=about(remote="authenticated")), tags=("valmont",))
    assert "local=true" in outcome.paths[1]
    assert "shows only local statuses" in (outcome.checkpoint.note or "")


@pytest.mark.parametrize(
    "told", [None, {}, {"configuration": None}, {"configuration": {"timelines_access": []}}, []]
)
def test_a_server_that_says_nothing_of_access_is_simply_asked(told: Any) -> None:
    outcome = run(Instance({"valmont": every(1, count=2)}, about=told), tags=("valmont",))
    assert len(outcome.posts) == 2


@pytest.mark.parametrize("code", [401, 403, 422])
def test_a_server_that_wants_to_know_who_asks_says_what_to_set(code: int) -> None:
    closed = on("tag", Answer(code, body=b'{"error":"x"}'))
    with pytest.raises(StatusRefused, match="name the variable that holds its token in token_env"):
        run(Instance(trouble=closed), tags=("valmont",))
    with pytest.raises(StatusRefused, match="check the token in VIGIE_TEST_TOKEN"):
        run(
            Instance(trouble=closed),
            tags=("valmont",),
            token_env="VIGIE_TEST_TOKEN",
            secrets=SECRET,
        )


def test_a_token_that_is_not_set_is_told_by_its_variable() -> None:
    with pytest.raises(SourceError, match="the variable VIGIE_TEST_TOKEN, which is not set"):
        run(Instance(), tags=("valmont",), token_env="VIGIE_TEST_TOKEN")


def test_nothing_to_read_is_told_with_the_remedy() -> None:
    with pytest.raises(SourceError, match="give a subject a hashtag"):
        run(Instance())


@pytest.mark.parametrize(
    "headers",
    [
        {"X-RateLimit-Reset": "2026-11-20T12:01:00.000000Z", "X-RateLimit-Remaining": "0"},
        {"Retry-After": "60"},
        {"X-RateLimit-Reset": "60"},
    ],
)
def test_429_with_or_without_retry_after_waits_and_goes_on(headers: dict[str, str]) -> None:
    instance = Instance({"valmont": every(1, count=2)})
    instance.trouble = between(2, 2, Answer(429, headers, b'{"error":"rate limit reached"}'))
    outcome = run(instance, tags=("valmont",))
    assert len(outcome.posts) == 2
    assert 60 <= sum(outcome.clock.slept) < 62


def test_a_long_wait_after_some_pages_keeps_them_and_goes_on_next_time() -> None:
    instance = Instance({"valmont": [status(SINCE + timedelta(seconds=n)) for n in range(100)]})
    instance.trouble = between(4, 99, Answer(429, {"Retry-After": "800"}))
    first = run(instance, tags=("valmont", "piscine"), is_halted=True)
    assert (len(first.posts), first.checkpoint.capped) == (40, True)
    assert "may be asked again" in (first.checkpoint.note or "")
    instance.trouble = never
    second = run(instance, tags=("valmont", "piscine"), cursor=first.cursor, late_minutes=0)
    assert len(second.posts) == 60


def test_a_long_wait_from_the_start_is_raised() -> None:
    instance = Instance({"valmont": every(1, count=2)})
    instance.trouble = between(2, 99, Answer(429, {"Retry-After": "800"}))
    with pytest.raises(RateLimited):
        run(instance, tags=("valmont", "piscine"))


def test_one_tag_in_trouble_does_not_stop_the_others() -> None:
    instance = Instance({"piscine": every(1, count=2)})
    instance.trouble = on("valmont", Answer(500))
    outcome = run(instance, tags=("valmont", "piscine"))
    assert len(outcome.posts) == 2
    assert outcome.checkpoint.capped
    assert "status 500" in (outcome.checkpoint.note or "")


@pytest.mark.parametrize("body", [b"<html>maintenance", b'{"error":"x"}', b'[{"id":"1",', b"null"])
def test_an_answer_that_is_no_list_of_statuses_is_told(body: bytes) -> None:
    instance = Instance(trouble=on("tag", Answer(body=body)))
    with pytest.raises(SourceError, match=r"no list of statuses|not JSON"):
        run(instance, tags=("valmont",))


def test_odd_items_of_a_page_are_landed_to_be_rejected_with_a_reason() -> None:
    odd = json.dumps([None, 3, [], {"id": 4}, {}]).encode()
    instance = Instance(trouble=on("tag", Answer(body=odd)))
    outcome = run(instance, tags=("valmont",), max_pages=2)
    options = mastodon.Options(instance="https://x.example")
    reasons = {r.reason for p in outcome.payloads for r in mastodon.parse(p, options)}  # type: ignore[union-attr]
    assert reasons == {"not_a_status"}
    assert "not public were left alone" in (outcome.checkpoint.note or "")


def test_a_server_in_a_private_network_is_refused() -> None:
    with http.Client() as asking:
        request = Request(
            name="mastodon",
            options=mastodon.Options(instance="http://169.254.169.254", tags=("valmont",)),
            terms=Terms(),
            cursor=None,
            since=SINCE,
            until=UNTIL,
            client=asking,
            home=Path(),
        )
        with pytest.raises(SourceError, match="not a public address"):
            list(mastodon.collect(request))


@pytest.mark.parametrize(
    "wrong",
    [
        {"instance": "https://a.example/api/v1"},
        {"instance": "ftp://a.example"},
        {"instance": "https://moi:secret@a.example"},
        {"instance": ""},
        {"max_pages": 0},
        {"token_env": "le jeton lui-même"},
        {"unknown": 1},
    ],
)
def test_options_that_cannot_be_meant_are_faults(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        mastodon.Options(**{"instance": "https://a.example", **wrong})


def test_a_server_may_be_named_by_its_host_alone() -> None:
    assert mastodon.Options(instance="Social.Example/").instance == "https://social.example"
