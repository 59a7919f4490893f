"""The forum source: feeds of each software over loopback, windows, and what they leave out."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest

from pipelines.errors import RateLimited, SourceError, StatusRefused
from pipelines.mention import Post, Rejection
from pipelines.sources import Payload, forum
from pipelines.sources._forum_dialects import DIALECTS
from tests.pipelines.loopback import Answer, Asked
from tests.pipelines.sources.generated import answers
from tests.pipelines.sources.hearing import (
    UNTIL,
    every_fault,
    every_wait,
    listening,
    minutes,
    read_generated,
)

PAYLOADS = Path(__file__).parents[2] / "payloads" / "forum"
ADDRESSES = {
    "phpbb": "https://forum.belval.example",
    "smf": "https://usagers.example",
    "vbulletin": "https://auto.example/forum",
    "xenforo": "https://parents.example",
    "mybb": "https://lac.example",
}


def options(software: str, **chosen: Any) -> forum.Options:
    url = ADDRESSES.get(software, "https://forum.example")
    return forum.Options(**{"url": url, "software": software, **chosen})


def document(body: bytes, *, url: str = "https://forum.example/feed", **headers: str) -> Payload:
    data = {"url": url, "headers": headers, "body": base64.b64encode(body).decode(), "keep": None}
    return Payload(kind="document", data=data)


def sample(software: str) -> list[Post]:
    (path,) = PAYLOADS.glob(f"{software}.*")
    of = options(software)
    parsed = list(forum.parse(document(path.read_bytes(), url=of.addresses[0]), of))
    assert all(isinstance(item, Post) for item in parsed)
    return [item for item in parsed if isinstance(item, Post)]


# What each software means


def test_phpbb_gives_messages_without_the_line_that_names_their_author() -> None:
    reply, question = sample("phpbb")
    assert reply.native_id == "forum.belval.example:p1207"
    assert (reply.title, reply.community) == ("La piscine de Valmont", "Vie de quartier")
    assert (reply.content_type, reply.thread_id) == ("reply", "forum.belval.example:t88")
    assert "Statistiques" not in reply.text
    assert "Simone" not in reply.text
    assert reply.text.endswith("ici</a>.")
    assert reply.published_at == datetime(2026, 11, 20, 8, 12, tzinfo=UTC)
    assert reply.edited_at == datetime(2026, 11, 20, 8, 40, tzinfo=UTC)
    assert (question.title, question.content_type) == ("Stationnement à Valmont", "post")
    assert question.text.endswith("12 € à Valmont.</p>")  # a paragraph with a colon is no such line
    assert reply.author_id == "Simone Quai@forum.belval.example"


def test_smf_gives_messages_and_says_which_it_has_cut() -> None:
    (found,) = sample("smf")  # declares ISO-8859-1, is windows-1252
    assert found.native_id == "usagers.example:p731"
    assert found.title == "Accueil de la mairie de Valmont"
    assert found.text.startswith("Merci à l’accueil, 3 € le duplicata")
    assert (found.content_type, found.text_truncated) == ("reply", True)
    assert found.url == "https://usagers.example/index.php?topic=52.msg731#msg731"
    assert found.thread_id == "usagers.example:t52"


def test_vbulletin_gives_topics_with_dates_as_its_french_servers_write_them() -> None:
    (found,) = sample("vbulletin")
    assert found.native_id == "auto.example:t4471"
    assert found.published_at == datetime(2026, 11, 20, 6, 5, tzinfo=UTC)  # 7.05 in Paris
    assert found.url == "https://auto.example/forum/showthread.php?t=4471"
    assert found.text.endswith("confirmer ?</div>")
    assert (found.author_handle, found.text_truncated) == ("clio2_valmont", False)


def test_xenforo_gives_topics_and_counts_their_replies() -> None:
    (found,) = sample("xenforo")
    assert found.native_id == "parents.example:t9031"
    assert (found.reply_count, found.text_truncated) == (14, True)
    assert "Lire la suite" not in found.text
    assert found.author_handle == "Maman de Zoé"


def test_mybb_gives_topics_and_names_of_members_in_links() -> None:
    (found,) = sample("mybb")
    assert found.native_id == "lac.example:t217"
    assert (found.author_handle, found.author_id) == ("pêcheur_3", "pêcheur_3@lac.example")


@pytest.mark.parametrize("month", ["nov.", "novembre", "Nov", "NOVEMBRE"])
@pytest.mark.parametrize("sign", ["Re: ", "Ré : ", "RE[3]: ", "Réponse : Re: ", "Rép: "])
def test_french_months_and_signs_of_a_reply_are_read(month: str, sign: str) -> None:
    body = (
        f"<rss version='2.0'><channel><title>F</title><item><title>{sign}Le tram</title>"
        "<link>https://forum.example/viewtopic.php?t=7&amp;p=9&amp;sid=abc#p9</link>"
        f"<pubDate>20 {month} 2026 09:15</pubDate></item></channel></rss>"
    )
    (found,) = forum.parse(document(body.encode()), options("phpbb"))
    assert isinstance(found, Post)
    assert (found.title, found.content_type) == ("Le tram", "reply")
    assert found.published_at == datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
    assert found.url == "https://forum.example/viewtopic.php?t=7&p=9#p9"
    assert found.native_id == "forum.belval.example:p9"


@pytest.mark.parametrize("software", sorted(DIALECTS))
def test_an_address_that_holds_no_number_is_known_as_the_feed_names_it(software: str) -> None:
    body = (
        "<rss version='2.0'><channel><item><title>Valmont</title>"
        "<guid isPermaLink='false'>ovni</guid></item></channel></rss>"
    )
    (found,) = forum.parse(document(body.encode()), options(software))
    assert isinstance(found, Post)
    assert found.native_id.endswith(":ovni")


def test_what_is_no_feed_is_rejected_under_this_source() -> None:
    (found,) = forum.parse(document(b"<html><body>Maintenance</body></html>"), options("phpbb"))
    assert isinstance(found, Rejection)
    assert (found.source, found.reason) == ("forum", "html_page")


SHAPE = {
    "guid": "https://forum.example/viewtopic.php?t=88&p=1207#p1207",
    "link": "https://forum.example/viewtopic.php?t=88&p=1207#p1207",
    "title": "Vie de quartier • Re: La piscine de Valmont",
    "description": "<p>La piscine est fermée</p><p>Statistiques: Posté par Ana — hier</p><hr />",
    "pubDate": "2026-11-20T08:12:00Z",
    "author": "ana@x.example (Ana)",
    "slash:comments": 4,
}


def _generated(software: str) -> Iterator[Payload]:
    head = "<rss version='2.0' xmlns:slash='http://purl.org/rss/1.0/modules/slash/'><channel>"
    for item in answers(SHAPE):
        fields = item if isinstance(item, dict) else {"odd": item}
        inner = "".join(f"<{name}>{escape(_said(v))}</{name}>" for name, v in fields.items())
        body = f"{head}<item>{inner}</item></channel></rss>".encode("utf-8", "replace")
        yield document(body)


def _said(value: Any) -> str:
    return "".join(c for c in str(value) if c in "\t\n\r" or c >= " ")


@pytest.mark.parametrize("software", sorted(DIALECTS))
def test_three_hundred_generated_feeds_give_posts_and_reasons_and_no_crash(
    software: str, tmp_path: Path
) -> None:
    payloads = [*_generated(software), document(b"<rss"), Payload(kind="document", data={})]
    parsed = read_generated(forum, options(software), payloads, tmp_path)
    assert sum(isinstance(item, Post) for item in parsed) > 200


# Windows


def rss(items: list[str]) -> Answer:
    body = f"<rss version='2.0'><channel><title>F</title>{''.join(items)}</channel></rss>"
    return Answer(headers={"content-type": "application/rss+xml"}, body=body.encode())


def message(number: int, at: datetime, *, text: str = "à Valmont") -> str:
    link = f"https://forum.example/viewtopic.php?t={number // 10}&amp;p={number}#p{number}"
    return (
        f"<item><guid>{link}</guid><link>{link}</link><title>Sujet</title>"
        f"<pubDate>{at:%d %b %Y %H:%M:%S} GMT</pubDate><description>{text}</description></item>"
    )


@dataclass
class Board:
    """A phpBB board: its feed shows the last fifteen messages."""

    messages: dict[int, datetime] = field(default_factory=dict)
    window: int = 15

    def __call__(self, _: Asked | None = None) -> Answer:
        newest = sorted(self.messages, reverse=True)[: self.window]
        return rss([message(n, self.messages[n]) for n in newest])


PHPBB = lambda url: {"url": url, "software": "phpbb"}  # noqa: E731


def number(native_id: str) -> int:
    return int(native_id.rpartition(":p")[2])


def test_every_message_that_the_window_shows_comes_once(tmp_path: Path) -> None:
    board = Board({n: minutes(n) for n in range(1, 11)})
    with listening(forum, board, tmp_path, PHPBB) as listener:
        first = listener.hear()
        board.messages |= {n: minutes(n) for n in range(11, 20)}
        second = listener.hear(first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5))
        third = listener.hear(second.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=10))
    assert sorted(map(number, first.ids)) == list(range(1, 11))
    assert sorted(map(number, second.ids)) == list(range(11, 20))
    assert (third.ids, third.checkpoint.gap) == ([], None)


def test_a_window_that_was_overrun_is_told_with_the_most_that_it_may_hold(tmp_path: Path) -> None:
    board = Board({n: minutes(0) + timedelta(seconds=n) for n in range(1, 11)})
    with listening(forum, board, tmp_path, PHPBB) as listener:
        first = listener.hear(until=minutes(10))
        board.messages |= {n: minutes(30) + timedelta(seconds=n) for n in range(11, 60)}
        second = listener.hear(first.cursor, since=minutes(10))
    assert sorted(map(number, second.ids)) == list(range(45, 60))
    assert second.checkpoint.gap == (minutes(10), minutes(30) + timedelta(seconds=45))
    assert "at most 34 messages were not seen" in second.note


def test_several_parts_of_a_forum_are_read_each_by_itself(tmp_path: Path) -> None:
    def answered(asked: Asked) -> Answer:
        return Answer(500) if asked.path.endswith("/4") else Board({3: minutes(3)})(asked)

    with listening(forum, answered, tmp_path, PHPBB) as listener:
        heard = listener.hear(rooms=("4", "7"))
        paths = set(listener.paths)
    assert len(heard.ids) == 1
    assert heard.checkpoint.capped
    assert "status 500" in heard.note
    assert paths == {"/app.php/feed/forum/4", "/app.php/feed/forum/7"}


def test_addresses_of_feeds_may_be_given(tmp_path: Path) -> None:
    with listening(forum, Board({3: minutes(3)}), tmp_path, PHPBB) as listener:
        heard = listener.hear(feeds=(f"{listener.peer.url}/flux/tout.xml",))
        assert listener.paths == ["/flux/tout.xml"]
    assert len(heard.ids) == 1


def test_a_feed_that_has_moved_loses_no_entry(tmp_path: Path) -> None:
    """Entries without an address are named by the feed, as it was asked for."""
    item = (
        "<item><guid isPermaLink='false'>ovni</guid><title>Vu</title><pubDate>{}</pubDate></item>"
    )

    def answered(asked: Asked) -> Answer:
        if asked.headers["host"].startswith("127"):
            port = asked.headers["host"].partition(":")[2]
            return Answer(301, {"location": f"http://localhost:{port}/flux"})
        return rss([item.format(f"{minutes(3):%d %b %Y %H:%M:%S} GMT")])

    with listening(forum, answered, tmp_path, PHPBB) as listener:
        assert [i.partition(":")[2] for i in listener.hear().ids] == ["ovni"]


def test_replies_that_are_counted_and_not_shown_are_told(tmp_path: Path) -> None:
    counts = {1: 4, 2: 0}

    def answered(asked: Asked) -> Answer:
        items = [
            f"<item><guid isPermaLink='false'>{n}</guid><title>Valmont</title>"
            f"<link>https://x.example/threads/sujet.{n}/</link>"
            f"<pubDate>{minutes(n):%d %b %Y %H:%M:%S} GMT</pubDate>"
            f"<slash:comments xmlns:slash='http://purl.org/rss/1.0/modules/slash/'>{count}"
            "</slash:comments></item>"
            for n, count in counts.items()
        ]
        return rss(items)

    with listening(
        forum, answered, tmp_path, lambda url: {"url": url, "software": "xenforo"}
    ) as listener:
        first = listener.hear()
        counts.update({1: 9, 2: 3, 3: 50})
        second = listener.hear(first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5))
    assert "counted and not read" not in first.note
    assert "8 replies were counted and not read" in second.note
    assert len(second.ids) == 3


def test_a_forum_without_feeds_says_what_to_do(tmp_path: Path) -> None:
    with (
        listening(forum, lambda _: Answer(404), tmp_path, PHPBB) as listener,
        pytest.raises(StatusRefused, match="write it in feeds"),
    ):
        listener.hear()


# FluxBB, topic by topic


@dataclass
class Flux:
    """A FluxBB forum: the feed of it all gives each topic's latest message, that of a topic all."""

    topics: dict[int, list[tuple[int, datetime]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def say(self, topic: int, post: int, at: datetime) -> None:
        self.topics.setdefault(topic, []).append((post, at))

    def __call__(self, asked: Asked) -> Answer:
        query = parse_qs(urlsplit(asked.path).query)
        if "tid" in query:
            return self._topic(int(query["tid"][0]))
        latest = sorted(self.topics.items(), key=lambda t: t[1][-1][1], reverse=True)[:50]
        return self._atom([(f"id={topic}&amp;action=new", posts[-1]) for topic, posts in latest])

    def _topic(self, topic: int) -> Answer:
        posts = sorted(self.topics[topic], reverse=True)[:50]
        return self._atom([(f"pid={post[0]}#p{post[0]}", post) for post in posts])

    def _atom(self, entries: list[tuple[str, tuple[int, datetime]]]) -> Answer:
        made = "".join(
            f"<entry><title>Re: Valmont</title><id>http://f.example/viewtopic.php?{link}</id>"
            f"<link rel='alternate' href='http://f.example/viewtopic.php?{link}'/>"
            f"<content type='html'>message {post} à Valmont</content>"
            f"<author><name>membre</name></author><updated>{at:%Y-%m-%dT%H:%M:%SZ}</updated></entry>"
            for link, (post, at) in entries
        )
        body = f"<feed xmlns='http://www.w3.org/2005/Atom'><title>F</title>{made}</feed>"
        return Answer(body=body.encode())


FLUX = lambda url: {"url": url, "software": "fluxbb"}  # noqa: E731


def test_two_replies_between_two_readings_are_two_messages(tmp_path: Path) -> None:
    flux = Flux()
    for n in range(1, 7):
        flux.say(1 + n % 2, n, minutes(n))
    with listening(forum, flux, tmp_path, FLUX) as listener:
        first = listener.hear()
        flux.say(1, 7, minutes(61))
        flux.say(1, 8, minutes(62))
        flux.say(3, 9, minutes(63))
        second = listener.hear(first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5))
        third = listener.hear(second.cursor, since=UNTIL + timedelta(minutes=5))
    assert sorted(map(number, first.ids)) == [1, 2, 3, 4, 5, 6]
    assert sorted(map(number, second.ids)) == [7, 8, 9]
    assert third.ids == []


def test_a_message_written_while_the_forum_was_read_is_found_by_the_next_run(
    tmp_path: Path,
) -> None:
    flux = Flux()
    flux.say(1, 1, minutes(1))
    flux.say(2, 2, minutes(2))

    def answered(asked: Asked) -> Answer:
        answer = flux(asked)
        if "tid=1" in asked.path and len(flux.topics[2]) == 1:
            flux.say(2, 3, minutes(40))  # before topic 2 is read, after the list was
            flux.say(1, 4, minutes(41))  # after topic 1 was
        return answer

    with listening(forum, answered, tmp_path, FLUX) as listener:
        first = listener.hear()
        second = listener.hear(first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5))
    assert sorted(map(number, first.ids + second.ids)) == [1, 2, 3, 4]


def test_a_forum_too_busy_for_one_run_is_read_on_by_the_next(tmp_path: Path) -> None:
    flux = Flux()
    for n in range(1, 46):
        flux.say(n, n, minutes(n % 50))
    with listening(forum, flux, tmp_path, FLUX) as listener:
        first = listener.hear()
        second = listener.hear(first.cursor)
    assert first.checkpoint.capped
    assert sorted(map(number, first.ids + second.ids)) == list(range(1, 46))


def test_more_changed_topics_than_the_feed_shows_are_told_as_a_gap(tmp_path: Path) -> None:
    flux = Flux()
    flux.say(1, 1, minutes(1))
    with listening(forum, flux, tmp_path, FLUX) as listener:
        first = listener.hear(until=minutes(10))
        for n in range(100, 180):
            flux.say(n, n, minutes(20) + timedelta(seconds=n))
        second = listener.hear(first.cursor, since=minutes(10))
    assert second.checkpoint.gap == (minutes(10), minutes(20) + timedelta(seconds=130))
    assert "lower every_minutes" in second.note


def test_a_topic_in_trouble_is_read_by_the_next_run(tmp_path: Path) -> None:
    flux = Flux()
    for n in range(1, 4):
        flux.say(n, n, minutes(n))
    with listening(forum, flux, tmp_path, FLUX) as listener:
        listener.trouble.update(dict.fromkeys(range(3, 7), Answer(502)))
        first = listener.hear()
        listener.trouble.clear()
        second = listener.hear(first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5))
    assert "status 502" in first.note
    assert sorted(map(number, first.ids + second.ids)) == [1, 2, 3]


# Trouble


@every_wait
def test_a_wait_in_any_form_is_waited_as_told(headers: dict[str, str], tmp_path: Path) -> None:
    board = Board({n: minutes(n) for n in range(1, 11)})
    with listening(forum, board, tmp_path, PHPBB) as listener:
        listener.trouble[1] = Answer(429, headers)
        heard = listener.hear()
    assert len(heard.ids) == len(set(heard.ids)) == 10
    assert 60 <= heard.slept < 62


@every_fault
def test_a_passing_fault_loses_and_doubles_nothing(fault: Answer, tmp_path: Path) -> None:
    board = Board({n: minutes(n) for n in range(1, 11)})
    with listening(forum, board, tmp_path, PHPBB) as listener:
        listener.trouble[1] = fault
        heard = listener.hear()
    assert len(heard.ids) == len(set(heard.ids)) == 10


def test_a_lasting_fault_is_raised_and_the_next_run_reads_all(tmp_path: Path) -> None:
    board = Board({n: minutes(n) for n in range(1, 11)})
    with listening(forum, board, tmp_path, PHPBB) as listener:
        listener.trouble.update(dict.fromkeys(range(1, 5), Answer(500)))
        with pytest.raises(SourceError, match="status 500"):
            listener.hear()
        assert len(listener.hear().ids) == 10


def test_a_wait_too_long_for_a_run_is_raised(tmp_path: Path) -> None:
    with listening(forum, Board(), tmp_path, PHPBB) as listener:
        listener.trouble[1] = Answer(429, {"Retry-After": "800"})
        with pytest.raises(RateLimited):
            listener.hear()


def test_a_document_cut_short_is_read_as_far_as_it_goes_and_again_whole(tmp_path: Path) -> None:
    board = Board({n: minutes(n) for n in range(1, 11)})
    with listening(forum, board, tmp_path, PHPBB) as listener:
        whole = board()
        listener.trouble[1] = Answer(body=whole.body[: len(whole.body) // 2])
        first = listener.hear()
        second = listener.hear(first.cursor)
    assert "broken_document" in first.reasons
    assert {*map(number, first.ids + second.ids)} == set(range(1, 11))


@pytest.mark.parametrize(
    "wrong",
    [
        {"software": "phorum"},
        {"url": "ftp://a.example"},
        {"rooms": ("../admin",)},
        {"rooms": ("a b",)},
        {"feeds": ("file:///etc/passwd",)},
        {"feeds": ("https://moi:secret@a.example/feed",)},
        {"time_zone": "Mars"},
        {"unknown": 1},
    ],
)
def test_options_that_cannot_be_meant_are_faults(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        forum.Options(**{"url": "https://a.example", "software": "phpbb", **wrong})
