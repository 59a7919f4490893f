"""Google News, against a server on loopback that gives its feeds and its other faces."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest

from pipelines.errors import SourceError, StatusRefused
from pipelines.mention import Post, Rejection
from pipelines.sources import Payload, Terms, google_news as source
from tests.pipelines.loopback import Answer, Asked, Clock
from tests.pipelines.sources import peers
from tests.pipelines.sources.peers import SINCE, UNTIL, Reading

PAYLOADS = Path(__file__).parents[2] / "payloads" / "google_news"
SAMPLE = (PAYLOADS / "search.xml").read_bytes()
XML = {"content-type": "application/xml; charset=utf-8"}
CONSENT = Answer(
    headers={"content-type": "text/html; charset=utf-8"},
    body="<!doctype html><html><title>Avant d’accéder à Google</title>".encode(),
)


PUBLISHER = '<source url="https://www.petitmarais.example">Le Petit Marais</source>'


def item(number: int, at: datetime, **changed: Any) -> str:
    told = {
        "title": f"Valmont, article {number} - Le Petit Marais",
        "link": f"https://news.google.com/rss/articles/CBMi{number}?oc=5",
        "pubDate": f"{at:%a, %d %b %Y %H:%M:%S} GMT",
        "description": "<ol><li>Un autre</li></ol>",
        **changed,
    }
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in told.items() if text)
    return f'<item><guid isPermaLink="false">CBMi{number}</guid>{inner}{PUBLISHER}</item>'


def feed(items: str) -> Answer:
    body = (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>x</title>{items}</channel></rss>'
    )
    return Answer(headers=XML, body=body.encode())


@dataclass
class News:
    """Articles by the word that finds them, the newest first, at most 100 an answer."""

    articles: dict[str, list[tuple[int, datetime]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        (query,) = parse_qs(urlsplit(asked.path).query)["q"]
        self.asked.append(query)
        word = query.split(" when:")[0].split(" after:")[0]
        found = sorted(self.articles.get(word, []), key=lambda a: a[1], reverse=True)[:100]
        return feed("".join(item(number, at) for number, at in found))


def hourly(count: int, *, first: int = 0, until: datetime = UNTIL) -> list[tuple[int, datetime]]:
    return [(first + n, until - timedelta(minutes=n + 1)) for n in range(count)]


def read(server: peers.Server, **chosen: Any) -> Reading:
    return peers.read(source, server, **chosen)


def parse(body: bytes, *keep: str, **headers: str) -> list[Any]:
    data = {"body": base64.b64encode(body).decode(), "keep": list(keep), **headers}
    options = source.Options()
    return list(source.parse(Payload(kind="document", data=data), options))


# Parsing


def test_an_entry_becomes_a_title_with_its_medium() -> None:
    (post,) = parse(SAMPLE, "CBMiInv3nt3A")
    assert isinstance(post, Post)
    assert post.title == "Valmont : la piscine - et le reste - fermée"
    assert (post.text, post.text_truncated) == ("", True)
    assert (post.author_id, post.author_kind, post.community) == (
        "petitmarais.example",
        "media",
        "Le Petit Marais",
    )
    assert post.url == "https://news.google.com/rss/articles/CBMiInv3nt3A?oc=5"
    assert post.published_at == datetime(2026, 11, 20, 11, 15, tzinfo=UTC)
    assert (post.network, post.content_type, post.lang_declared) == ("press", "article", "fr")


@pytest.mark.parametrize(
    ("title", "shown", "medium"),
    [
        ("Valmont - La Gazette", "Valmont", "La Gazette"),
        ("Valmont", "Valmont", None),
        (" - La Gazette", "- La Gazette", None),
        ("Valmont - " + "x" * 61, "Valmont - " + "x" * 61, None),
    ],
)
def test_without_a_source_the_medium_is_read_off_the_title(
    title: str, shown: str, medium: str | None
) -> None:
    guid = '<guid isPermaLink="false">a</guid>'
    body = f"<rss><channel><item>{guid}<title>{title}</title></item></channel></rss>"
    (post,) = parse(body.encode(), "a")
    assert (post.title, post.community) == (shown, medium)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "malformed_payload"),
        ({"body": 3}, "malformed_payload"),
        ({"body": "é"}, "malformed_payload"),
        ({"body": base64.b64encode(b"<html>x").decode()}, "html_page"),
        ({"body": base64.b64encode(b"").decode()}, "empty"),
        ({"body": base64.b64encode(b"Please wait").decode()}, "not_a_feed"),
    ],
)
def test_a_document_that_is_none_is_refused_with_a_reason(data: Any, reason: str) -> None:
    (found,) = source.parse(Payload(kind="document", data=data), source.Options())
    assert isinstance(found, Rejection)
    assert found.reason == reason


def _odd_documents() -> Iterator[bytes]:
    """300 feeds: entries with odd values, some with bytes changed or cut off."""
    dice = random.Random(20)
    shape = {"title": "Valmont - X", "link": "https://n.example/a", "guid": "g", "pubDate": "x"}
    for told in peers.odd(shape):
        fields = told if isinstance(told, dict) else {"title": told}
        inner = "".join(f"<{n}>{_xml(v)}</{n}>" for n, v in fields.items() if n.isidentifier())
        body = f"<rss><channel><item>{inner}<source>{_xml(told)}</source></item>".encode()
        body += SAMPLE[SAMPLE.index(b"<item>") :]
        if dice.random() < 0.3:
            body = body[: dice.randrange(len(body))]
        if dice.random() < 0.3:
            at = dice.randrange(max(len(body), 1))
            body = body[:at] + bytes([dice.randrange(256)]) + body[at + 1 :]
        yield body


def _xml(value: Any) -> str:
    return escape("".join(c for c in str(value) if c.isprintable()))


def test_300_odd_feeds_are_read_or_refused_with_a_reason() -> None:
    keep = ("CBMiInv3nt3A", "g", *(str(v) for v in peers.TEXTS), "https://n.example/a")
    items = [found for body in _odd_documents() for found in parse(body, *keep)]
    peers.check_parsed(items)
    assert {type(item) for item in items} == {Post, Rejection}
    peers.check_kept(source, items)


# Reading


def test_each_name_is_searched_in_french_and_what_is_new_is_kept() -> None:
    news = News({"Valmont": hourly(3), '"Ville de Valmont"': hourly(2, first=10)})
    reading = read(news, terms=Terms(names=("Valmont", "Ville de Valmont")))
    assert sorted(reading.ids) == ["CBMi0", "CBMi1", "CBMi10", "CBMi11", "CBMi2"]
    assert news.asked == ["Valmont when:1d", '"Ville de Valmont" when:1d']
    assert all("ceid=FR%3Afr" in path and "gl=FR" in path for path in reading.paths)
    assert reading.clock.slept == [2.0]
    later = UNTIL + timedelta(hours=1)
    again = read(
        news, cursor=reading.cursor, since=UNTIL, until=later, terms=Terms(names=("Valmont",))
    )
    assert again.payloads == []
    assert news.asked[-1] == "Valmont when:2d"  # a day late, as articles are


def test_an_article_found_by_two_names_is_landed_once() -> None:
    news = News({"Valmont": hourly(3), "valmontois": hourly(3)})
    assert sorted(read(news, queries=("Valmont", "valmontois")).ids) == ["CBMi0", "CBMi1", "CBMi2"]


def test_an_article_that_google_finds_late_is_kept() -> None:
    news = News({"Valmont": hourly(2)})
    first = read(news)
    news.articles["Valmont"].append((77, UNTIL - timedelta(hours=20)))
    news.articles["Valmont"].append((78, UNTIL - timedelta(days=3)))
    second = read(news, cursor=first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5))
    assert second.ids == ["CBMi77"]


def test_a_full_answer_is_told_as_a_gap() -> None:
    news = News({"Valmont": [(n, UNTIL - timedelta(seconds=20 * n)) for n in range(150)]})
    reading = read(news, since=UNTIL - timedelta(days=2))
    assert len(reading.ids) == 100
    oldest = UNTIL - timedelta(seconds=20 * 99)
    assert reading.checkpoint.gap == (UNTIL - timedelta(days=2), oldest)


def test_a_window_of_the_past_is_asked_for_by_its_days() -> None:
    news = News({"Valmont": hourly(1)})
    clock = Clock(at=UNTIL + timedelta(days=30))
    read(news, clock=clock)
    assert news.asked == ["Valmont after:2026-11-20 before:2026-11-21"]


def test_entries_without_a_date_are_counted_and_left_out() -> None:
    reading = read(lambda _: feed(item(1, SINCE) + item(2, SINCE, pubDate="bientôt")))
    assert reading.ids == ["CBMi1"]
    assert "1 entries without a date" in reading.note


def test_no_link_is_ever_followed() -> None:
    reading = read(News({"Valmont": hourly(5)}))
    assert len(reading.asked) == 1


def test_the_consent_page_is_no_feed_and_nothing_is_clicked() -> None:
    with pytest.raises(SourceError, match="instead of a feed: Google asks machines"):
        read(lambda _: CONSENT)


def test_one_query_in_trouble_does_not_stop_the_others() -> None:
    news = News({"Valmont": hourly(2)})
    mixed = lambda a: CONSENT if "Mairie" in a.path else news(a)  # noqa: E731
    reading = read(mixed, queries=("Valmont", "Mairie"))
    assert reading.ids == ["CBMi0", "CBMi1"]
    assert reading.checkpoint.capped
    assert "Google asks machines" in reading.note


def test_a_throttled_address_is_told() -> None:
    with pytest.raises(StatusRefused, match="status 503"):
        read(lambda _: Answer(503))


def test_nothing_to_search_for_is_told() -> None:
    with pytest.raises(SourceError, match="nothing to search for"):
        read(News(), terms=Terms())


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("name", [*peers.FAULTS, "consent page"])
def test_no_fault_loses_or_doubles_an_article(name: str, at: int) -> None:
    forms = peers.FAULTS | {"consent page": CONSENT}
    news = News({"Valmont": hourly(9), "Mairie": hourly(5, first=20), "Tram": hourly(3, first=40)})
    server = peers.disturbed(news, forms[name], at=at)
    made = peers.runs(source, server, 5, queries=("Valmont", "Mairie", "Tram"))
    wanted = [*range(9), *range(20, 25), *range(40, 43)]
    assert sorted(made.ids) == sorted(f"CBMi{n}" for n in wanted)
