"""Hacker News, against a server on loopback that searches and cuts as Algolia does."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines.errors import SourceError
from pipelines.mention import Deletion, Post, Rejection
from pipelines.sources import Payload, Terms, hackernews as source
from tests.pipelines.loopback import Answer, Asked
from tests.pipelines.sources import peers
from tests.pipelines.sources.peers import SINCE, UNTIL, Reading, answered

PAYLOADS = Path(__file__).parents[2] / "payloads" / "hackernews"


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def hit(number: int, at: datetime, **changed: Any) -> dict[str, Any]:
    told = {"objectID": str(number), "created_at_i": int(at.timestamp()), **changed}
    return sample("comment") | {"created_at": at.isoformat(), **told}


@dataclass
class Algolia:
    """Items by time, the newest first; at most 1,000 hits a query whatever its pages."""

    items: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        path = urlsplit(asked.path).path
        if path.startswith("/api/v1/items/"):
            number = path.rsplit("/", 1)[1]
            known = [i for i in self.items if i["objectID"] == number]
            return answered(known[0]) if known else answered({"error": "Not Found"}, 404)
        query = {name: texts[0] for name, texts in parse_qs(urlsplit(asked.path).query).items()}
        self.asked.append(query)
        span = re.fullmatch(r"created_at_i>=(\d+),created_at_i<=(\d+)", query["numericFilters"])
        assert span
        inside = [i for i in self.items if int(span[1]) <= i["created_at_i"] <= int(span[2])]
        inside.sort(key=lambda i: int(i["created_at_i"]), reverse=True)
        hits = inside[: min(int(query["hitsPerPage"]), 1_000)]
        return answered({"hits": hits, "nbHits": len(inside), "page": 0, "nbPages": 1})


def every_second(count: int, *, until: datetime = UNTIL) -> list[dict[str, Any]]:
    return [hit(1_000 + n, until - timedelta(seconds=n + 1)) for n in range(count)]


def read(server: peers.Server, **chosen: Any) -> Reading:
    return peers.read(source, server, **chosen)


def parse(data: Any, kind: str = "hit") -> Any:
    (found,) = source.parse(Payload(kind=kind, data=data), source.Options())
    return found


# Parsing


def test_a_comment_becomes_a_reply_under_its_story() -> None:
    post = parse(sample("comment"))
    assert (post.native_id, post.content_type) == ("45000012", "reply")
    assert (post.parent_native_id, post.thread_id) == ("45000009", "45000001")
    assert (post.text_format, post.title) == ("html", None)
    assert post.context == "French towns publish their budgets"
    assert post.published_at == datetime(2026, 11, 20, 11, 20, tzinfo=UTC)
    assert (post.author_id, post.network, post.platform_score) == ("quidam_31", "hackernews", None)
    assert post.url == "https://news.ycombinator.com/item?id=45000012"
    top = parse(sample("comment") | {"parent_id": 45000001})
    assert top.content_type == "comment"


def test_a_story_becomes_a_post_with_its_points() -> None:
    post = parse(sample("story"))
    assert (post.content_type, post.thread_id, post.parent_native_id) == ("post", "45000001", None)
    assert (post.platform_score, post.reply_count) == (42.0, 7)
    assert post.urls == ("https://tram.valmont.example/",)
    assert post.title == "Ask HN: who runs Valmont&#x27;s tram?"  # read with the text, as HTML
    assert post.context is None


@pytest.mark.parametrize("data", [None, [], {}, {"objectID": None}, {"objectID": "../x"}])
def test_what_has_no_number_is_refused(data: Any) -> None:
    assert parse(data).reason == "no_id"


def test_300_odd_hits_of_each_shape_are_read_or_refused_with_a_reason() -> None:
    shapes = {name: sample(name) for name in ("comment", "story")}
    items = [parse(data) for shape in shapes.values() for data in peers.odd(shape)]
    gone = {"id": "45000012", "checked_at": "2026-11-20T12:00:00+00:00"}
    items += [parse(data, "gone") for data in peers.odd(gone)]
    peers.check_parsed(items)
    assert {type(item) for item in items} == {Post, Rejection, Deletion}
    peers.check_kept(source, items)


def test_300_odd_answers_are_read_by_the_fetcher() -> None:
    answers = iter(list(peers.odd({"hits": [sample("comment")], "nbHits": 1})))
    for _ in range(30):
        queries = tuple(f"Valmont {n}" for n in range(10))
        try:
            reading = read(lambda _: answered(next(answers)), queries=queries)
        except SourceError:
            continue
        peers.check_parsed(reading.parsed)
    assert next(answers, None) is None


# Reading


def test_a_window_of_more_than_a_thousand_hits_slides_back() -> None:
    algolia = Algolia(every_second(2_500))
    reading = read(algolia)
    assert len(reading.ids) == len(set(reading.ids)) == 2_500
    assert len(algolia.asked) == 3
    assert {q["typoTolerance"] for q in algolia.asked} == {"false"}
    assert {q["tags"] for q in algolia.asked} == {"(story,comment)"}
    assert reading.checkpoint.gap is None


def test_more_hits_in_a_second_than_an_answer_are_told_as_a_gap() -> None:
    moment = UNTIL - timedelta(seconds=30)
    algolia = Algolia([hit(n, moment) for n in range(5_000, 6_400)])
    algolia.items += every_second(3, until=SINCE + timedelta(minutes=1))
    reading = read(algolia)
    assert len(reading.ids) == 1_003
    assert reading.checkpoint.gap == (moment, moment + timedelta(seconds=1))


def test_more_answers_than_pages_are_told_as_a_gap() -> None:
    reading = read(Algolia(every_second(2_500)), max_pages=1)
    assert reading.checkpoint.gap == (SINCE, UNTIL - timedelta(seconds=1_000))


def test_hits_that_name_nothing_watched_are_not_written_down() -> None:
    other = {"comment_text": "Vermont is nice", "story_title": "Maple syrup"}
    algolia = Algolia([hit(1, SINCE, **other), hit(2, SINCE, story_title="Valmont's tram")])
    assert read(algolia).ids == ["2"]
    assert read(algolia, queries=("Vermont",)).ids == ["1", "2"]


def test_an_item_indexed_late_is_found_and_none_twice() -> None:
    algolia = Algolia(every_second(3))
    first = read(algolia)
    algolia.items.append(hit(99, UNTIL - timedelta(minutes=20)))
    second = read(algolia, cursor=first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5))
    assert second.ids == ["99"]


def test_names_of_several_words_are_searched_as_phrases() -> None:
    algolia = Algolia()
    read(algolia, terms=Terms(names=("Valmont", "Ville de Valmont")))
    assert [q["query"] for q in algolia.asked] == ["Valmont", '"Ville de Valmont"']


def test_what_was_kept_is_looked_up_again() -> None:
    algolia = Algolia(every_second(3))
    reading = read(algolia, recheck=("1000", "77"))
    assert reading.gone == ["77"]
    unknown = tuple(str(n) for n in range(10))
    assert read(algolia, recheck=unknown).gone == []
    failing = lambda a: Answer(500) if "/items/" in a.path else algolia(a)  # noqa: E731
    failed = read(failing, recheck=("1000", "77"))
    assert failed.gone == []
    assert "deletions could not be checked" in failed.note


@pytest.mark.parametrize("body", [[], "x", {"hits": 3}, {}])
def test_an_answer_without_hits_is_told(body: Any) -> None:
    with pytest.raises(SourceError, match="answered without hits"):
        read(lambda _: answered(body))


@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize("name", peers.FAULTS)
def test_no_fault_loses_or_doubles_an_item(name: str, at: int) -> None:
    algolia = Algolia(every_second(1_100, until=SINCE + timedelta(minutes=30)))
    server = peers.disturbed(algolia, peers.FAULTS[name], at=at)
    made = peers.runs(source, server, 4, queries=("Valmont", "Valmontois"))
    assert sorted(made.ids) == sorted(i["objectID"] for i in algolia.items)
