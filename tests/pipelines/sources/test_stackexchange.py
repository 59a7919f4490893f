"""Stack Exchange, against a server on loopback that counts, backs off and refuses as it does."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from pipelines.errors import RateLimited, SourceError, StatusRefused
from pipelines.mention import Deletion, Post, Rejection
from pipelines.sources import Payload, Terms, stackexchange as source
from tests.pipelines.loopback import Answer, Asked
from tests.pipelines.sources import peers
from tests.pipelines.sources.peers import SINCE, UNTIL, Reading, answered

PAYLOADS = Path(__file__).parents[2] / "payloads" / "stackexchange"


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def question(number: int, at: datetime) -> dict[str, Any]:
    return sample("question") | {"question_id": number, "creation_date": int(at.timestamp())}


def refused(status: int, error_id: int, name: str, message: str) -> Answer:
    told = {"error_id": error_id, "error_message": message, "error_name": name}
    return answered(told, status)


SOON = "too many requests from this IP, more requests available in {} seconds"
THROTTLED = refused(400, 502, "throttle_violation", SOON.format(17_524))


@dataclass
class Exchange:
    """Posts of a site, the oldest first; a quota that shrinks, a backoff on demand."""

    posts: list[dict[str, Any]] = field(default_factory=list)
    quota: int = 300
    backoff: int | None = None
    asked: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        path = unquote(urlsplit(asked.path).path)
        query = {name: texts[0] for name, texts in parse_qs(urlsplit(asked.path).query).items()}
        self.asked.append(query)
        self.quota -= 1
        if path.startswith("/2.3/posts/"):
            numbers = {int(n) for n in path.rsplit("/", 1)[1].split(";")}
            found = [p for p in self.posts if p["question_id"] in numbers]
            return self._given([{"post_id": p["question_id"]} for p in found], has_more=False)
        assert path == "/2.3/search/excerpts"
        span = (int(query["fromdate"]), int(query["todate"]))
        inside = [p for p in self.posts if span[0] <= p["creation_date"] <= span[1]]
        inside.sort(key=lambda p: int(p["creation_date"]))
        size, page = int(query["pagesize"]), int(query["page"])
        cut = inside[size * (page - 1) : size * page]
        return self._given(cut, has_more=len(inside) > size * page)

    def _given(self, items: list[Any], *, has_more: bool) -> Answer:
        wrapper = {"items": items, "has_more": has_more, "quota_max": 300}
        wrapper["quota_remaining"] = self.quota
        if self.backoff is not None:
            wrapper["backoff"] = self.backoff
        given = answered(wrapper)
        zipped = {**given.headers, "content-encoding": "gzip"}
        return replace(given, headers=zipped, body=gzip.compress(given.body))


def every_ten_seconds(count: int) -> list[dict[str, Any]]:
    return [question(100 + n, SINCE + timedelta(seconds=10 * n)) for n in range(count)]


def read(server: peers.Server, **chosen: Any) -> Reading:
    return peers.read(source, server, **({"site": "opendata"} | chosen))


def parse(data: Any, kind: str = "item", site: str = "opendata") -> Any:
    (found,) = source.parse(Payload(kind=kind, data=data), source.Options(site=site))
    return found


# Parsing


def test_a_question_becomes_a_post_under_its_licence() -> None:
    post = parse(sample("question"))
    assert (post.native_id, post.content_type) == ("opendata:20261", "post")
    assert post.url == "https://opendata.stackexchange.com/q/20261"
    assert (post.text_format, post.text_truncated) == ("html", False)
    assert post.title == "Budget of Valmont &amp; its neighbours"
    assert (post.platform_score, post.reply_count) == (4.0, 2)
    assert post.hashtags == ("open-data", "france")
    assert post.licence == "cc-by-sa-4.0"
    assert post.author_id is None
    assert post.published_at == datetime(2026, 11, 20, 11, 20, tzinfo=UTC)


def test_an_answer_becomes_a_reply_to_its_question() -> None:
    post = parse(sample("answer"))
    assert (post.native_id, post.content_type) == ("opendata:20277", "reply")
    assert post.parent_native_id == post.thread_id == "opendata:20261"
    assert post.url == "https://opendata.stackexchange.com/a/20277"
    assert (post.title, post.context) == (None, "Budget of Valmont & its neighbours")
    assert post.platform_score == -1.0


def test_without_a_body_the_excerpt_is_a_text_cut_short() -> None:
    told = sample("question")
    del told["body"]
    post = parse(told)
    assert post.text_truncated
    assert "highlight" in post.text  # read as HTML further on


@pytest.mark.parametrize(
    ("site", "domain"),
    [
        ("stackoverflow", "stackoverflow.com"),
        ("mathoverflow", "mathoverflow.net"),
        ("french", "french.stackexchange.com"),
        ("meta.superuser.com", "meta.superuser.com"),
    ],
)
def test_a_site_is_read_by_people_under_its_domain(site: str, domain: str) -> None:
    assert parse(sample("question"), site=site).url == f"https://{domain}/q/20261"


@pytest.mark.parametrize(
    ("at", "licence"),
    [
        (datetime(2018, 5, 2, tzinfo=UTC), "cc-by-sa-4.0"),
        (datetime(2018, 5, 1, tzinfo=UTC), "cc-by-sa-3.0"),
        (datetime(2011, 4, 7, tzinfo=UTC), "cc-by-sa-2.5"),
    ],
)
def test_the_licence_goes_by_the_day(at: datetime, licence: str) -> None:
    assert parse(question(1, at)).licence == licence


@pytest.mark.parametrize("data", [None, [], {}, {"question_id": 0}, {"item_type": "answer"}])
def test_what_has_no_number_is_refused(data: Any) -> None:
    assert parse(data).reason == "no_id"


def test_300_odd_items_of_each_shape_are_read_or_refused_with_a_reason() -> None:
    shapes = [sample("question"), sample("answer")]
    items = [parse(data) for shape in shapes for data in peers.odd(shape)]
    gone = {"id": "opendata:1", "checked_at": "2026-11-20T12:00:00+00:00"}
    items += [parse(data, "gone") for data in peers.odd(gone)]
    peers.check_parsed(items)
    assert {type(item) for item in items} == {Post, Rejection, Deletion}
    peers.check_kept(source, items)


def test_300_odd_answers_are_read_by_the_fetcher() -> None:
    shape = {"items": [sample("question")], "has_more": False, "quota_remaining": 9, "backoff": 1}
    answers = iter([*peers.odd(shape), *[{"items": []}] * 40])
    for _ in range(60):
        queries = tuple(f"Valmont {n}" for n in range(5))
        try:
            reading = read(lambda _: answered(next(answers)), queries=queries)
        except SourceError:
            continue
        peers.check_parsed(reading.parsed)


# Reading


def test_pages_are_read_from_the_oldest_with_the_site_and_the_key() -> None:
    exchange = Exchange(every_ten_seconds(250))
    reading = read(exchange, key_env="VIGIE_SE_KEY", secrets={"VIGIE_SE_KEY": "clef"})
    assert reading.ids == [f"opendata:{100 + n}" for n in range(250)]
    assert [q["page"] for q in exchange.asked] == ["1", "2", "3"]
    assert {(q["site"], q["key"], q["order"]) for q in exchange.asked} == {
        ("opendata", "clef", "asc")
    }


def test_a_run_capped_by_pages_leaves_the_rest_to_the_next_one() -> None:
    exchange = Exchange(every_ten_seconds(350))
    made = peers.runs(source, exchange, 5, site="opendata", max_pages=1)
    assert made.ids == [f"opendata:{100 + n}" for n in range(350)]
    assert [r.checkpoint.capped for r in made.readings] == [True, True, True, False, False]


def test_posts_that_name_nothing_watched_are_not_written_down() -> None:
    other = question(1, SINCE) | {"title": "x", "body": "Vermont", "excerpt": "Vermont"}
    exchange = Exchange([other, question(2, SINCE)])
    assert read(exchange).ids == ["opendata:2"]


def test_a_post_indexed_late_is_found_and_none_twice() -> None:
    exchange = Exchange(every_ten_seconds(3))
    first = read(exchange)
    exchange.posts.append(question(999, UNTIL - timedelta(minutes=20)))
    second = read(exchange, cursor=first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5))
    assert second.ids == ["opendata:999"]


def test_what_was_kept_is_looked_up_again_at_once() -> None:
    exchange = Exchange(every_ten_seconds(3))
    ids = ("opendata:100", "opendata:7", "stackoverflow:8", "opendata:x")
    reading = read(exchange, recheck=ids)
    assert reading.gone == ["opendata:7"]
    assert len(reading.asked) == 2
    unknown = tuple(f"opendata:{n}" for n in range(10))
    assert read(exchange, recheck=unknown).gone == []


# Limits, refusals, faults


def test_a_backoff_is_obeyed_to_the_second() -> None:
    reading = read(Exchange(every_ten_seconds(250), backoff=12))
    assert reading.clock.slept == [12.0, 12.0]
    with pytest.raises(RateLimited):  # also after the last answer of a run
        read(Exchange(), cursor=reading.cursor, clock=reading.clock)


def test_a_backoff_longer_than_a_run_keeps_what_was_read() -> None:
    exchange = Exchange(every_ten_seconds(250), backoff=400)
    first = read(exchange)
    assert len(first.ids) == 100
    assert first.checkpoint.capped
    made = peers.runs(source, exchange, 12, site="opendata")
    assert made.ids == [f"opendata:{100 + n}" for n in range(250)]


def test_a_run_ends_before_the_quota_does() -> None:
    exchange = Exchange(every_ten_seconds(250), quota=6)
    reading = read(exchange)
    assert len(exchange.asked) == 1
    assert len(reading.ids) == 100
    assert "leaves 5 requests for today" in reading.note


@pytest.mark.parametrize("status", [400, 502, 503])
def test_a_closed_door_opens_when_the_refusal_says(status: int) -> None:
    with pytest.raises(RateLimited, match="closes the door") as raised:
        read(lambda _: replace(THROTTLED, status=status))
    wait = (raised.value.retry_at - UNTIL).total_seconds()
    assert 17_524 <= wait < 17_524 + 30


def test_a_backoff_that_was_not_obeyed_is_waited_for_too() -> None:
    wrong = refused(400, 502, "throttle_violation", "Violation of backoff parameter")
    with pytest.raises(RateLimited) as raised:
        read(lambda _: wrong)
    assert raised.value.retry_at == UNTIL + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (refused(400, 400, "bad_parameter", "No site found for name `opendata`"), "check `site`"),
        (refused(400, 400, "bad_parameter", "key is not valid"), "check the key in VIGIE_SE_KEY"),
        (Answer(404), "check the address"),
    ],
)
def test_a_refusal_says_what_to_do(refusal: Answer, said: str) -> None:
    with pytest.raises(StatusRefused, match=said):
        read(lambda _: refusal, key_env="VIGIE_SE_KEY", secrets={"VIGIE_SE_KEY": "clef"})


def test_a_key_that_is_not_set_is_told_by_its_variable() -> None:
    with pytest.raises(SourceError, match="VIGIE_SE_KEY, which is not set: register"):
        read(Exchange(), key_env="VIGIE_SE_KEY")


@pytest.mark.parametrize("body", [[], {"items": 3}, {}])
def test_an_answer_without_items_is_told(body: Any) -> None:
    with pytest.raises(SourceError, match="answered without items"):
        read(lambda _: answered(body))


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", [*peers.FAULTS, "throttle", "expired key"])
def test_no_fault_loses_or_doubles_a_post(name: str, at: int) -> None:
    forms = peers.FAULTS | {
        "throttle": refused(400, 502, "throttle_violation", SOON.format(400)),
        "expired key": refused(400, 403, "access_denied", "key expired"),
    }
    exchange = Exchange(every_ten_seconds(150))
    server = peers.disturbed(exchange, forms[name], at=at)
    made = peers.runs(
        source, server, 6, site="opendata", queries=("Valmont", "budget"), terms=Terms()
    )
    assert sorted(made.ids) == [f"opendata:{100 + n}" for n in range(150)]
