"""The feed source: real documents over loopback, and strangers' bytes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from pipelines import http
from pipelines.errors import SourceError, StatusRefused
from pipelines.mention import Deletion, Post, Rejection
from pipelines.sources import Checkpoint, Payload, Request, Terms, _feed_dates, feed
from pipelines.sources._feed_document import Unreadable, read
from tests.pipelines.loopback import Answer, Asked, Clock, serving

PAYLOADS = Path(__file__).parents[2] / "payloads" / "feed"
SINCE = datetime(2026, 11, 13, 9, tzinfo=UTC)
UNTIL = datetime(2026, 11, 20, 9, tzinfo=UTC)
RSS = '<rss version="2.0"><channel><title>Essai</title>{}</channel></rss>'
ITEM = (
    "<item><guid isPermaLink='false'>{id}</guid><title>Titre {id}</title>"
    "<pubDate>{at:%d %b %Y %H:%M:%S} GMT</pubDate></item>"
)


def options(**chosen: Any) -> feed.Options:
    return feed.Options(**{"url": "https://www.petitmarais.example/rss", **chosen})


def run(
    url: str,
    *,
    cursor: dict[str, Any] | None = None,
    until: datetime = UNTIL,
    is_backfill: bool = False,
    **chosen: Any,
) -> tuple[list[Payload], Checkpoint]:
    """One collection of the feed at `url`: its payloads and its last checkpoint."""
    clock = Clock()
    with http.Client(allow_private=("127.0.0.0/8",), sleep=clock.sleep, now=clock.now) as asking:
        request = Request(
            name="presse",
            options=options(url=url, **chosen),
            terms=Terms(),
            cursor=cursor,
            since=SINCE,
            until=until,
            client=asking,
            home=Path(),
            is_backfill=is_backfill,
        )
        items = list(feed.collect(request))
    assert isinstance(items[-1], Checkpoint)
    return [item for item in items if isinstance(item, Payload)], items[-1]


def landed(body: bytes, *, keep: list[str] | None = None, **headers: str) -> Payload:
    data = {
        "url": "https://www.petitmarais.example/rss",
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "body": base64.b64encode(body).decode(),
        "keep": keep,
    }
    return Payload(kind="document", data=data)


def posts(body: bytes | str, *, of: feed.Options | None = None, **headers: str) -> list[Post]:
    raw = body.encode() if isinstance(body, str) else body
    parsed = feed.parse(landed(raw, **headers), of or options())
    return [item for item in parsed if isinstance(item, Post)]


def items(*, count: int, at: datetime, first: int = 1) -> str:
    made = (ITEM.format(id=n, at=at + timedelta(minutes=n)) for n in range(first, first + count))
    return RSS.format("".join(made))


def reasons(payload: Payload, of: feed.Options | None = None) -> list[str]:
    parsed = feed.parse(payload, of or options())
    return [item.reason for item in parsed if isinstance(item, Rejection)]


# Documents


def test_a_press_feed_gives_its_excerpts_and_never_its_journalists() -> None:
    found = posts((PAYLOADS / "press.rss.xml").read_bytes())
    pool, budget, weather = found
    assert pool.native_id == "petitmarais.example:1042@petitmarais.example"
    assert pool.title == "Valmont : la piscine municipale fermée jusqu’à lundi"
    assert pool.text_format == "html"
    assert 'href="https://www.petitmarais.example/dossiers/chaudiere"' in pool.text
    assert "Suite réservée" not in pool.text
    assert pool.published_at == datetime(2026, 11, 20, 6, 40, tzinfo=UTC)
    assert (pool.network, pool.content_type, pool.collected_via) == ("press", "article", "feed")
    assert (pool.author_id, pool.author_kind) == ("petitmarais.example", "media")
    assert pool.author_handle is None
    assert pool.media_types == ("image",)
    assert (pool.lang_declared, pool.community) == ("fr-FR", "Le Petit Marais")
    assert budget.title == "Budget participatif : 112 projets déposés"
    assert budget.native_id.startswith("url:")
    assert budget.published_at == datetime(2026, 11, 19, 17, 5, tzinfo=UTC)
    assert weather.native_id == "https://www.petitmarais.example/meteo"


def test_full_text_by_agreement_keeps_the_longer_text() -> None:
    body = (PAYLOADS / "press.rss.xml").read_bytes()
    assert "Suite réservée" in posts(body, of=options(full_text=True))[0].text


def test_a_long_press_text_is_cut_to_an_excerpt_and_says_so() -> None:
    long = "<item><guid>1</guid><description>{}</description></item>".format("mot " * 600)
    (found,) = posts(RSS.format(long))
    assert found.text_truncated
    assert found.text.endswith("mot…")
    assert len(found.text) <= 1001
    (whole,) = posts(RSS.format(long), of=options(network="web"))
    assert not whole.text_truncated


def test_a_forum_feed_gives_its_members_replies_and_withdrawals() -> None:
    of = options(url="https://forum.quais.example/feed", network="forum")
    parsed = list(feed.parse(landed((PAYLOADS / "forum.atom.xml").read_bytes()), of))
    reply, question, gone = parsed
    assert isinstance(reply, Post)
    assert reply.content_type == "reply"
    assert reply.title == "Re: Carte de stationnement & résidents"
    assert reply.parent_native_id == "https://forum.quais.example/t/91#p1"
    assert reply.reply_count == 2
    assert reply.author_id == "quaisud_tom@forum.quais.example"
    assert reply.edited_at == datetime(2026, 11, 20, 8, 12, tzinfo=UTC)
    assert "https://forum.quais.example/t/70" in reply.text
    assert isinstance(question, Post)
    assert question.title == "Parking permit: 2 < 3?"
    assert (question.lang_declared, question.content_type) == ("en", "post")
    assert question.published_at == datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
    assert question.edited_at is None
    assert question.text.startswith("<p>Where do I apply")
    assert gone == Deletion(
        source="feed",
        native_id="https://forum.quais.example/t/88#p3",
        deleted_at=datetime(2026, 11, 20, 7, 50, tzinfo=UTC),
        reason="author",
    )


def test_a_json_feed_gives_numbers_as_ids_and_both_kinds_of_text() -> None:
    of = options(url="https://usagers-canal.example/feed.json", network="web")
    html, plain = posts((PAYLOADS / "site.json").read_bytes(), of=of)
    assert html.native_id == "usagers-canal.example:31"
    assert (html.text_format, html.media_types) == ("html", ("video",))
    assert html.edited_at == datetime(2026, 11, 20, 7, 30, tzinfo=UTC)
    assert (plain.text, plain.text_format) == (
        "Merci aux agents du service espaces verts.",
        "plain",
    )


def test_a_collection_of_feeds_names_the_medium_that_it_passes_on() -> None:
    item = (
        "<item><title>Valmont - Gazette</title><guid isPermaLink='false'>CBMi</guid>"
        "<link>https://agrege.example/x</link><source url='https://www.gazette.example'>G</source></item>"
    )
    assert posts(RSS.format(item))[0].author_id == "gazette.example"


@pytest.mark.parametrize(
    ("encoding", "declared", "content_type"),
    [
        ("utf-8", "utf-8", ""),
        ("utf-8", "iso-8859-1", ""),
        ("utf-8", "", "text/xml; charset=iso-8859-1"),
        ("utf-8-sig", "windows-1252", ""),
        ("cp1252", "iso-8859-1", ""),
        ("cp1252", "utf-8", "application/rss+xml; charset=utf-8"),
        ("cp1252", "", ""),
        ("iso-8859-15", "", "text/xml; charset=ISO-8859-15"),
        ("iso-8859-15", "iso-8859-15", "text/xml"),
        ("utf-16", "utf-16", "text/xml; charset=utf-8"),
        ("utf-16-le", "utf-8", ""),
        ("utf-32", "", ""),
    ],
)
def test_accents_survive_charsets_and_lies_about_them(
    encoding: str, declared: str, content_type: str
) -> None:
    text = "La cantine à 2 € : Noël, œuvre"
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else '<?xml version="1.0"?>'
    body = (head + RSS.format(f"<item><guid>1</guid><title>{text}</title></item>")).encode(encoding)
    assert posts(body, content_type=content_type)[0].title == text


def test_one_broken_letter_does_not_change_the_charset_of_the_rest() -> None:
    title = "été élève hôtel dés".encode() + b"\xe9"
    body = RSS.encode().replace(b"{}", b"<item><guid>1</guid><title>" + title + b"</title></item>")
    assert posts(body)[0].title == "été élève hôtel dés\ufffd"


def test_slightly_broken_xml_is_mended() -> None:
    item = (
        "<item><link>https://a.example/?x=1&y=2</link><title>Th&eacute; R&D &#0;</title>"
        "<description><![CDATA[<a href='?a=1&b=2'>R&D&nbsp;</a>]]></description></item>"
    )
    payload = landed(RSS.format(item).encode())
    (found,) = feed.parse(payload, options())
    assert isinstance(found, Post)
    assert (found.url, found.title) == ("https://a.example/?x=1&y=2", "Thé R&D \ufffd")
    assert "a=1&amp;b=2" in found.text  # resolved, so written again


def test_broken_xml_keeps_what_can_be_read_and_says_where_it_broke() -> None:
    body = items(count=3, at=SINCE)[:-60].encode()
    parsed = list(feed.parse(landed(body), options()))
    fault, *kept = parsed
    assert isinstance(fault, Rejection)
    assert (fault.reason, fault.detail.split(":")[0]) == ("broken_document", "line 1")
    assert [p.title for p in kept if isinstance(p, Post)][:2] == ["Titre 1", "Titre 2"]
    assert [p.text_truncated for p in kept if isinstance(p, Post)][-1]


BOMB = (
    '<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    + RSS.format("<item><guid>1</guid><title>&c;</title></item>")
)
XXE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + RSS.format(
    "<item><guid>1</guid><title>&e;</title></item>"
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"<!DOCTYPE html><html><body>Nous verifions votre navigateur</body></html>", "html_page"),
        (b"<?xml version='1.0'?>\n<!-- x --><html xmlns='x'><p>", "html_page"),
        (b"bonjour", "not_a_feed"),
        (b"<opml version='1.0'><body/></opml>", "not_a_feed"),
        (b'{"version": "2", "items": []}', "not_a_feed"),
        (b"[1, 2]", "not_a_feed"),
        (b'{"version": "https://jsonfeed.org/version/1"', "broken_json"),
        (b"[" * 100_000, "broken_json"),
        (BOMB.encode(), "xml_entities"),
        (BOMB.encode("utf-16"), "xml_entities"),
        (BOMB.lower().encode(), "xml_entities"),
        (BOMB[:-30].encode(), "xml_entities"),
        (XXE.encode(), "xml_entities"),
        (XXE.replace("ENTITY e", "ENTITY % e").encode(), "xml_entities"),
        (RSS.format("<a>" * 300 + "</a>" * 300).encode(), "too_deep"),
        (RSS.format("<a>" * 30_000).encode(), "too_deep"),
    ],
)
def test_what_is_no_feed_or_not_safe_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    assert reasons(landed(body)) == [reason]
    with serving(lambda _: Answer(body=body)) as peer, pytest.raises(SourceError) as caught:
        run(peer.url)
    assert peer.url in str(caught.value)


def test_a_doctype_without_entities_is_read() -> None:
    doctype = '<!DOCTYPE rss PUBLIC "-//N//DTD RSS 0.91//EN" "http://dtd.example/rss-0.91.dtd">'
    body = doctype + RSS.format("<item><guid>1</guid><title>d&eacute;j&agrave;</title></item>")
    assert posts(body)[0].title == "déjà"


def test_a_web_page_is_told_with_the_feed_that_it_names() -> None:
    page = b'<html><link rel="alternate" type="application/rss+xml" href="/flux.xml"></html>'
    with (
        serving(lambda _: Answer(body=page)) as peer,
        pytest.raises(SourceError, match=r"the page names http://127.0.0.1:.*/flux.xml"),
    ):
        run(f"{peer.url}/actualites")


def test_a_document_that_looks_like_a_file_name_opens_no_file(tmp_path: Path) -> None:
    secret = tmp_path / "feed.xml"
    secret.write_text(items(count=1, at=SINCE))
    assert reasons(landed(str(secret).encode())) == ["not_a_feed"]


def test_a_guid_shared_by_several_links_is_not_believed() -> None:
    item = "<item><guid isPermaLink='false'>site</guid><link>https://a.example/{}</link></item>"
    first, second = posts(RSS.format(item.format(1) + item.format(2)))
    assert first.native_id != second.native_id


def test_a_missing_guid_is_the_link_without_its_tracking() -> None:
    item = "<item><title>x</title><link>https://a.example/1{}</link></item>"
    plain, tracked, other = (
        posts(RSS.format(item.format(tail)))[0].native_id
        for tail in ("", "?utm_source=rss&amp;xtor=3#haut", "?page=2")
    )
    assert plain == tracked != other


def test_an_entry_that_says_nothing_is_rejected_and_the_others_are_kept() -> None:
    body = RSS.format("<item></item><item><title>Seul un titre</title></item>").encode()
    rejection, post = feed.parse(landed(body), options())
    assert isinstance(rejection, Rejection)
    assert rejection.reason == "no_identity"
    assert isinstance(post, Post)
    assert post.native_id.startswith("text:")


def test_a_link_that_is_not_of_the_web_is_not_kept() -> None:
    item = "<item><guid>1</guid><title>x</title><link>javascript:alert(1)</link></item>"
    assert posts(RSS.format(item))[0].url is None


def test_a_publisher_that_reserves_mining_is_only_counted() -> None:
    body = items(count=1, at=SINCE)
    assert posts(body, tdm_reservation="1")[0].optout
    assert not posts(body)[0].optout
    with serving(lambda _: Answer(headers={"TDM-Reservation": "1"}, body=body.encode())) as peer:
        payloads, checkpoint = run(peer.url)
    assert "reserves text and data mining" in (checkpoint.note or "")
    assert [p.optout for p in feed.parse(payloads[0], options(url=peer.url))] == [True]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"body": None}, {"body": "ééé"}, {"body": "AA=A"}, {"body": 12, "keep": 3}],
)
def test_a_malformed_payload_is_rejected(data: Any) -> None:
    assert reasons(Payload(kind="document", data=data)) == ["malformed_payload"]


def test_odd_headers_and_keys_of_a_payload_do_no_harm() -> None:
    body = base64.b64encode(items(count=1, at=SINCE).encode()).decode()
    for odd in (None, 3, ["x"], {"content-type": None, "content-language": 7}):
        payload = Payload(kind="document", data={"body": body, "headers": odd, "keep": [None, 1]})
        assert list(feed.parse(payload, options())) == []


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(p.name for p in PAYLOADS.iterdir())),
    st.integers(0, 3000),
    st.integers(0, 40),
    st.one_of(st.binary(max_size=12), st.sampled_from([b"<", b"&", b"]]>", b"<![CDATA[", b"\xff"])),
)
def test_no_change_of_a_document_makes_the_parser_fail(
    name: str, at: int, removed: int, added: bytes
) -> None:
    whole = (PAYLOADS / name).read_bytes()
    list(feed.parse(landed(whole[:at] + added + whole[at + removed :]), options()))


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
        max_leaves=5,
    ),
    st.sampled_from(
        [
            "id",
            "url",
            "title",
            "content_html",
            "content_text",
            "date_published",
            "summary",
            "authors",
            "author",
            "attachments",
            "language",
        ]
    ),
)
def test_no_value_of_a_json_feed_makes_the_parser_fail(value: Any, name: str) -> None:
    item = {"id": "1", "content_text": "x", name: value}
    body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": [item, value]})
    list(feed.parse(landed(body.encode()), options()))


# Dates

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("said", "utc", "precision"),
    [
        ("Fri, 20 Nov 2026 09:15:00 +0100", "2026-11-20T08:15:00", "second"),
        ("ven., 20 nov. 2026 09:15:00 +0100", "2026-11-20T08:15:00", "second"),
        ("vendredi 20 novembre 2026 à 09h15", "2026-11-20T08:15:00", "minute"),
        ("1er août 2026 à 9h05", "2026-08-01T07:05:00", "minute"),
        ("mer., 05 févr. 2025 10:00:00 GMT+1:00", "2025-02-05T09:00:00", "second"),
        ("Fri, 20 Nov 26 09:15 EST", "2026-11-20T14:15:00", "minute"),
        ("Fri, 20 Nov 2026 09:15:00 CEST", "2026-11-20T07:15:00", "second"),
        ("Mon, 06 Jul 2026 09:15:00", "2026-07-06T07:15:00", "second"),
        ("2026-11-20T09:15:00Z", "2026-11-20T09:15:00", "second"),
        ("2026-11-20T09:15+01:00", "2026-11-20T08:15:00", "minute"),
        ("2026-11-20", "2026-11-19T23:00:00", "day"),
        ("20/11/2026 09:15", "2026-11-20T08:15:00", "minute"),
        ("4 juin 2026", "2026-06-03T22:00:00", "day"),
    ],
)
def test_dates_are_read_as_people_write_them(said: str, utc: str, precision: str) -> None:
    found = _feed_dates.read(said, zone=PARIS)
    assert found == (datetime.fromisoformat(utc).replace(tzinfo=UTC), precision)


@pytest.mark.parametrize(
    "said",
    [None, "", "demain", "31 févr. 2026", "0000-00-00", "9999-12-31T23:59:59-23:00", "x" * 999],
)
def test_a_date_that_is_none_is_unknown(said: str | None) -> None:
    assert _feed_dates.read(said, zone=PARIS) == (None, "unknown")


def test_a_date_in_the_future_is_kept_as_said() -> None:
    item = "<item><guid>1</guid><pubDate>Fri, 01 Jan 2099 00:00:00 GMT</pubDate></item>"
    assert posts(RSS.format(item))[0].published_at == datetime(2099, 1, 1, tzinfo=UTC)


# Collecting


class Publisher:
    """A publisher whose document can be changed, and who answers conditional requests."""

    def __init__(self, body: str, **headers: str) -> None:
        self.body = body
        self.headers = headers

    def __call__(self, asked: Asked) -> Answer:
        etag = f'"{hash(self.body)}"'
        if asked.headers.get("if-none-match") == etag:
            return Answer(304)
        headers = {"ETag": etag, "Last-Modified": "Fri, 20 Nov 2026 08:00:00 GMT", **self.headers}
        return Answer(headers=headers, body=self.body.encode())


def titles(payloads: list[Payload], url: str) -> list[str | None]:
    parsed = (item for payload in payloads for item in feed.parse(payload, options(url=url)))
    return [item.title for item in parsed if isinstance(item, Post)]


def test_the_first_run_lands_what_is_within_the_window() -> None:
    publisher = Publisher((PAYLOADS / "press.rss.xml").read_text())
    with serving(publisher) as peer:
        payloads, checkpoint = run(peer.url)
    assert len(payloads) == 1
    assert len(titles(payloads, peer.url)) == 2
    assert "1 entry older than the window was left out" in (checkpoint.note or "")


def test_an_unchanged_feed_costs_a_conditional_request_and_lands_nothing() -> None:
    publisher = Publisher(items(count=2, at=UNTIL - timedelta(hours=1)))
    with serving(publisher) as peer:
        _, first = run(peer.url)
        payloads, second = run(peer.url, cursor=first.cursor)
    assert payloads == []
    assert peer.asked[1].headers["if-modified-since"] == "Fri, 20 Nov 2026 08:00:00 GMT"
    assert second.cursor["seen"] == first.cursor["seen"]


def test_only_new_and_edited_entries_are_handed_over() -> None:
    publisher = Publisher(items(count=3, at=UNTIL - timedelta(hours=1)))
    with serving(publisher) as peer:
        _, first = run(peer.url)
        publisher.body = items(count=4, at=UNTIL - timedelta(hours=1)).replace("Titre 2", "Corrigé")
        payloads, second = run(peer.url, cursor=first.cursor)
        publisher.body += " "
        third, _ = run(peer.url, cursor=second.cursor)
    assert titles(payloads, peer.url) == ["Corrigé", "Titre 4"]
    assert third == []


def test_entries_that_always_share_one_key_are_not_landed_for_ever() -> None:
    item = "<item><guid isPermaLink='false'>1</guid><title>{}</title><pubDate>{}</pubDate></item>"
    at = "Fri, 20 Nov 2026 08:00:00 GMT"
    publisher = Publisher(RSS.format(item.format("a", at) + item.format("b", at)))
    with serving(publisher) as peer:
        _, first = run(peer.url)
        publisher.body += " "
        payloads, _ = run(peer.url, cursor=first.cursor)
    assert payloads == []


def test_an_entry_that_appears_late_with_an_earlier_date_is_landed() -> None:
    publisher = Publisher(items(count=1, at=UNTIL - timedelta(hours=1)))
    with serving(publisher) as peer:
        _, first = run(peer.url)
        late = ITEM.format(id="tardif", at=UNTIL - timedelta(days=9))
        publisher.body = publisher.body.replace("</channel>", f"{late}</channel>")
        payloads, _ = run(peer.url, cursor=first.cursor)
    assert titles(payloads, peer.url) == ["Titre tardif"]


def test_entries_without_a_date_wait_for_the_second_run() -> None:
    old = RSS.format("<item><guid>1</guid><title>Sans date</title></item>")
    publisher = Publisher(old)
    with serving(publisher) as peer:
        payloads, first = run(peer.url)
        assert payloads == []
        publisher.body = old.replace("</channel>", "<item><title>Neuf</title></item></channel>")
        payloads, _ = run(peer.url, cursor=first.cursor)
    assert titles(payloads, peer.url) == ["Neuf"]
    assert first.note == "1 entry without a date was left out"


def test_a_feed_that_has_rolled_over_tells_the_gap() -> None:
    publisher = Publisher(items(count=3, at=UNTIL - timedelta(hours=1)))
    later = UNTIL + timedelta(hours=6)
    with serving(publisher) as peer:
        _, first = run(peer.url)
        publisher.body = items(count=3, at=later - timedelta(hours=2), first=50)
        _, second = run(peer.url, cursor=first.cursor, until=later)
    assert second.gap == (UNTIL, later - timedelta(minutes=70))
    assert "lower every_minutes" in (second.note or "")


def test_a_back_fill_tells_what_the_feed_shows_no_more() -> None:
    oldest = UNTIL - timedelta(hours=1)
    publisher = Publisher(items(count=3, at=oldest))
    with serving(publisher) as peer:
        _, partly = run(peer.url, is_backfill=True)
        publisher.body = items(count=3, at=SINCE - timedelta(hours=1))
        _, whole = run(peer.url, is_backfill=True)
        publisher.body = RSS.format("")
        _, nothing = run(peer.url, is_backfill=True)
    assert partly.gap == (SINCE, oldest + timedelta(minutes=1))
    assert whole.gap is None
    assert nothing.gap == (SINCE, UNTIL)


def test_no_gap_is_told_while_one_known_entry_remains() -> None:
    publisher = Publisher(items(count=3, at=UNTIL - timedelta(hours=1)))
    with serving(publisher) as peer:
        _, first = run(peer.url)
        publisher.body = items(count=3, at=UNTIL - timedelta(hours=1), first=3)
        _, second = run(peer.url, cursor=first.cursor)
    assert second.gap is None


def test_a_broken_document_is_asked_for_again_whole() -> None:
    publisher = Publisher(items(count=3, at=UNTIL - timedelta(hours=1))[:-60])
    with serving(publisher) as peer:
        payloads, first = run(peer.url)
        run(peer.url, cursor=first.cursor)
    assert payloads
    assert "the document is broken" in (first.note or "")
    assert "if-none-match" not in peer.asked[1].headers


def test_the_cursor_stays_small() -> None:
    cursor: dict[str, Any] | None = None
    publisher = Publisher("")
    with serving(publisher) as peer:
        for first in range(1, 2000, 200):
            publisher.body = items(count=200, at=UNTIL - timedelta(days=2), first=first)
            _, checkpoint = run(peer.url, cursor=cursor)
            cursor = checkpoint.cursor
    assert cursor is not None
    assert len(cursor["seen"]) == 400


@pytest.mark.parametrize("cursor", [{}, {"seen": []}, {"seen": {}}, {"etag": "x"}, {"seen": None}])
def test_a_cursor_of_another_shape_starts_again(cursor: dict[str, Any]) -> None:
    publisher = Publisher(items(count=1, at=UNTIL - timedelta(hours=1)))
    with serving(publisher) as peer:
        payloads, _ = run(peer.url, cursor=cursor)
    assert len(payloads) == 1


def test_another_address_is_not_asked_with_the_old_etag() -> None:
    publisher = Publisher(items(count=1, at=UNTIL - timedelta(hours=1)))
    with serving(publisher) as peer:
        _, first = run(f"{peer.url}/a")
        run(f"{peer.url}/b", cursor=first.cursor)
    assert "if-none-match" not in peer.asked[1].headers


def test_a_feed_without_entries_is_told_and_is_no_fault() -> None:
    with serving(Publisher(RSS.format(""))) as peer:
        payloads, checkpoint = run(peer.url)
    assert (payloads, checkpoint.note) == ([], "the feed has no entries")


def test_a_feed_that_is_gone_says_what_to_do() -> None:
    with (
        serving(lambda _: Answer(410)) as peer,
        pytest.raises(StatusRefused, match=r"take the source out of vigie.toml"),
    ):
        run(peer.url)


def test_a_feed_larger_than_allowed_is_refused() -> None:
    body = items(count=100, at=UNTIL).encode()
    with (
        serving(lambda _: Answer(body=body)) as peer,
        pytest.raises(SourceError, match="more than 5000 bytes"),
    ):
        run(peer.url, max_bytes=5_000)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://a.example/rss"},
        {"url": "https://moi:secret@a.example/rss"},
        {"time_zone": "Europe/Valmont"},
        {"network": "x"},
        {"max_age_days": 0},
        {"unknown": 1},
    ],
)
def test_options_that_cannot_be_meant_are_faults(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        options(**wrong)


def test_reading_needs_no_more_than_the_bytes() -> None:
    with pytest.raises(Unreadable, match="web page"):
        read(b"<html>", url="http://[", headers={})
