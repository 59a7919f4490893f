"""GDELT, against a server on loopback that answers, cuts, throttles and complains as it does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines.errors import RateLimited, SourceError
from pipelines.mention import Post, Rejection
from pipelines.sources import Payload, Terms, gdelt as source
from tests.pipelines.loopback import Answer, Asked
from tests.pipelines.sources import peers
from tests.pipelines.sources.peers import SINCE, UNTIL, Reading, answered

PAYLOADS = Path(__file__).parents[2] / "payloads" / "gdelt"
THROTTLE = b"Please limit requests to one every 5 seconds or contact us for larger queries.\n"
TEXT = {"content-type": "text/html; charset=utf-8"}


def sample() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / "article.json").read_text(encoding="utf-8"))
    return found


def article(number: int, at: datetime) -> dict[str, Any]:
    return {
        **sample(),
        "url": f"https://www.petitmarais.example/{number}",
        "seendate": f"{at:%Y%m%dT%H%M%SZ}",
    }


def said(text: bytes) -> Answer:
    """GDELT's way to refuse: text, status 200, said to be HTML."""
    return Answer(headers=TEXT, body=text)


@dataclass
class Index:
    """Articles by time, the newest first, at most `maxrecords`; refuses calls that are too fast."""

    articles: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        query = {name: texts[0] for name, texts in parse_qs(urlsplit(asked.path).query).items()}
        self.asked.append(query)
        if query["query"].startswith('"Ici"'):
            return said(b"The specified phrase is too short.\n")
        start, end = query["startdatetime"], query["enddatetime"]
        inside = [a for a in self.articles if start <= _digits(a["seendate"]) <= end]
        inside.sort(key=lambda a: str(a["seendate"]), reverse=True)
        found = inside[: int(query["maxrecords"])]
        return answered({"articles": found} if found else {})


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


def every_quarter(count: int, *, each: int = 1, until: datetime = UNTIL) -> list[dict[str, Any]]:
    return [article(n, until - timedelta(minutes=15 * (n // each + 1))) for n in range(count)]


def read(server: peers.Server, **chosen: Any) -> Reading:
    return peers.read(source, server, **chosen)


def parse(data: Any) -> Any:
    (found,) = source.parse(Payload(kind="article", data=data), source.Options())
    return found


# Parsing


def test_an_article_becomes_a_title_with_its_medium() -> None:
    post = parse(sample())
    assert isinstance(post, Post)
    assert post.title == "Valmont : la piscine, et le reste, fermée à l’Isle."
    assert (post.text, post.text_truncated, post.published_precision) == ("", True, "minute")
    assert post.published_at == datetime(2026, 11, 20, 11, 15, tzinfo=UTC)
    assert (post.author_id, post.author_kind) == ("petitmarais.example", "media")
    assert (post.lang_declared, post.network, post.content_type) == ("fr", "press", "article")
    assert post.native_id == parse(sample() | {"url": sample()["url"].split("?")[0]}).native_id


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"url": "javascript:alert(1)"}, "no_url"),
        ({"url": None}, "no_url"),
        ({"title": " "}, "empty_text"),
    ],
)
def test_what_is_no_article_is_refused(changed: dict[str, Any], reason: str) -> None:
    assert parse(sample() | changed).reason == reason
    assert parse([]).reason == "no_url"


def test_300_odd_articles_are_read_or_refused_with_a_reason() -> None:
    items = [parse(data) for data in peers.odd(sample())]
    peers.check_parsed(items)
    assert {type(item) for item in items} == {Post, Rejection}
    peers.check_kept(source, items)


def test_300_odd_answers_are_read_by_the_fetcher() -> None:
    answers = iter(list(peers.odd({"articles": [sample()]})))
    reading = None
    for _ in range(30):  # ten answers a run: that many queries
        queries = tuple(f"Valmont {n}" for n in range(10))
        try:
            reading = read(lambda _: answered(next(answers)), queries=queries)
        except SourceError:
            continue
        peers.check_parsed(reading.parsed)
    assert reading is not None
    assert next(answers, None) is None


# Reading


def test_all_names_are_one_question_in_french() -> None:
    index = Index(every_quarter(3))
    reading = read(index, terms=Terms(names=("Valmont", "Ville de Valmont", "Sens")))
    assert len(reading.ids) == 3
    assert [q["query"] for q in index.asked] == [
        '("Valmont" OR "Ville de Valmont") sourcelang:french'
    ]
    assert index.asked[0]["startdatetime"] == "20261120110000"
    assert index.asked[0]["enddatetime"] == "20261120120000"
    assert "1 names are too short for GDELT" in reading.note


def test_parentheses_stand_only_around_alternatives() -> None:
    index = Index()
    read(index, languages=("french", "english"), countries=("FR",))
    assert index.asked[0]["query"] == (
        '"Valmont" (sourcelang:french OR sourcelang:english) sourcecountry:FR'
    )


def test_a_full_answer_is_gone_on_from_its_oldest_article() -> None:
    index = Index(every_quarter(600, each=100))
    reading = read(index, since=UNTIL - timedelta(hours=2))
    assert len(set(reading.ids)) == len(reading.ids) == 600
    assert len(index.asked) == 3
    assert reading.checkpoint.gap is None
    assert reading.clock.slept == [5.0] * 2


def test_more_articles_in_a_quarter_than_an_answer_are_told_as_a_gap() -> None:
    index = Index(every_quarter(700, each=300))
    reading = read(index, since=UNTIL - timedelta(hours=2))
    assert len(reading.ids) == 250 + 250 + 100
    assert reading.checkpoint.capped
    assert reading.checkpoint.gap is not None
    assert "articles of a moment" in reading.note


def test_more_answers_than_pages_are_told_as_a_gap() -> None:
    reading = read(
        Index(every_quarter(900, each=200)), since=UNTIL - timedelta(hours=3), max_pages=2
    )
    assert reading.checkpoint.gap == (UNTIL - timedelta(hours=3), UNTIL - timedelta(minutes=45))


def test_an_article_indexed_late_is_found_and_none_twice() -> None:
    index = Index(every_quarter(3))
    first = read(index)
    index.articles.append(article(99, UNTIL - timedelta(minutes=30)))
    second = read(index, cursor=first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5))
    assert second.posts[0].url == "https://www.petitmarais.example/99"
    assert len(second.ids) == 1


def test_what_is_older_than_three_months_is_told_as_a_gap() -> None:
    since = UNTIL - timedelta(days=120)
    index = Index()
    reading = read(index, since=since)
    assert reading.checkpoint.gap == (since, UNTIL - timedelta(days=89))
    assert index.asked[0]["startdatetime"] == "20260823120000"


def test_escapes_and_controls_that_json_does_not_know_are_mended() -> None:
    body = json.dumps({"articles": [sample()]}).replace("piscine", r"pis\cine \' \u00e9 \\ \n C:\x")
    broken = body.replace("reste", "re\x01ste").encode()
    reading = read(lambda _: Answer(headers={"content-type": "application/json"}, body=broken))
    (title,) = (post.title for post in reading.posts)
    assert title is not None
    assert r"pis\cine" in title
    assert "é" in title


# Refusals, throttle, faults


@pytest.mark.parametrize(
    "text",
    [
        b"Your query was too short or too long.\n",
        b"Parentheses may only be used around OR'd statements.\n",
        b"Invalid query start date.\n",
    ],
)
def test_errors_in_text_under_status_200_are_told_in_gdelts_words(text: bytes) -> None:
    with pytest.raises(SourceError, match=text.decode().strip()[:30]):
        read(lambda _: said(text))


def test_a_page_of_html_is_not_quoted() -> None:
    with pytest.raises(SourceError, match=r"refuses the question: \d+ bytes that are no JSON"):
        read(lambda _: said(b"<!doctype html><script>alert(1)</script>"))


def test_one_question_that_is_refused_does_not_stop_the_others() -> None:
    reading = read(Index(every_quarter(2)), queries=('"Valmont"', '"Ici"'))
    assert len(reading.ids) == 2
    assert "The specified phrase is too short." in reading.note


def test_the_throttle_under_status_200_is_waited_out() -> None:
    index = Index(every_quarter(2))
    reading = read(peers.disturbed(index, said(THROTTLE), at=1, times=2))
    assert len(reading.ids) == 2
    assert reading.clock.slept == [10.0, 20.0]


def test_a_throttle_that_stays_closed_is_left_alone_for_a_while() -> None:
    with pytest.raises(RateLimited, match="throttle is closed") as raised:
        read(lambda _: said(THROTTLE))
    assert raised.value.retry_at >= UNTIL + timedelta(minutes=5)


def test_a_throttle_under_status_429_keeps_the_pace_too() -> None:
    index = Index(every_quarter(2))
    reading = read(peers.disturbed(index, Answer(429, TEXT, THROTTLE), at=1, times=2))
    assert len(reading.ids) == 2
    assert sum(reading.clock.slept) == pytest.approx(10)


def test_names_that_are_all_too_short_are_told_with_the_remedy() -> None:
    with pytest.raises(SourceError, match="names of 5 letters or more; give the source queries"):
        read(Index(), terms=Terms(names=("Sens", "Lens")))


@pytest.mark.parametrize("body", [{"articles": "x"}, {"articles": {"a": 1}}])
def test_an_answer_without_a_list_is_told(body: Any) -> None:
    with pytest.raises(SourceError, match="without a list of articles"):
        read(lambda _: answered(body))


@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize("name", [*peers.FAULTS, "throttle, 200", "throttle, 429", "text"])
def test_no_fault_loses_or_doubles_an_article(name: str, at: int) -> None:
    forms = peers.FAULTS | {
        "throttle, 200": said(THROTTLE),
        "throttle, 429": Answer(429, TEXT, THROTTLE),
        "text": said(b"Timespan is too short."),
    }
    index = Index(every_quarter(560, each=140, until=SINCE + timedelta(minutes=75)))
    server = peers.disturbed(index, forms[name], at=at)
    made = peers.runs(source, server, 5)
    wanted = [a["url"] for a in index.articles]
    found = [post.url for reading in made.readings for post in reading.posts]
    assert sorted(map(str, found)) == sorted(wanted)
