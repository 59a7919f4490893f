"""A whole run over hostile sources: nothing is executed, nothing is lost, nobody is told on."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import duckdb

from pipelines import plaintext, warehouse
from pipelines.mention import TEXT_LIMIT
from tests.hostile.conftest import DAY, RUN, Seen
from tests.hostile.senders import (
    FEEDS,
    NAME,
    STATUS_COUNT,
    UNTIL,
    WORD,
    said,
)
from tests.hostile.values import MOMENTS

# --- nothing is lost


def test_one_bad_source_stops_no_other(seen: Seen) -> None:
    status = dict(seen.rows("select source_name, status from intake"))
    assert {name: status[name] for name in FEEDS} == {
        name: ending for name, (_, ending, _) in FEEDS.items()
    }
    assert {name for name, ending in status.items() if ending == "failed"} == set(seen.raised)
    assert (status["mastodon"], status["exports"]) == ("ok", "ok")


def test_the_intake_adds_up(seen: Seen) -> None:
    counted = seen.rows(
        "select source_name, post_count, accepted_count, rejected_count, off_subject_count,"
        " duplicate_count, deleted_count from intake"
    )
    for name, posts, *parts in counted:
        assert posts == sum(parts), name
    posts = {name: count for name, count, *_ in counted}
    assert {name: posts[name] for name in FEEDS} == {n: count for n, (*_, count) in FEEDS.items()}
    assert posts["mastodon"] == STATUS_COUNT
    assert posts["exports"] == seen.row_count
    refused = dict(seen.rows("select source_name, count(*) from quarantine group by all"))
    kept = dict(seen.rows("select source_name, count(*) from mention group by all"))
    for name, _, accepted, rejected, *_ in counted:
        assert (kept.get(name, 0), refused.get(name, 0)) == (accepted, rejected), name


def test_entries_that_are_left_out_are_counted(seen: Seen) -> None:
    ((note,),) = seen.rows("select note from intake where source_name = 'json'")
    counted = [int(number) for number in re.findall(r"(\d+) entrées?", note)]
    assert sum(counted) == len(MOMENTS)


def test_files_that_are_none_are_told_by_name(seen: Seen) -> None:
    ((note,),) = seen.rows("select note from intake where source_name = 'exports'")
    assert all(f"\n{letter}" in f"\n{note}" for letter in "defghijk")
    assert "k\ufffd.csv" in note


def test_a_text_is_kept_as_text_whatever_it_looks_like(seen: Seen) -> None:
    stored = {text for (text,) in seen.rows("select text from mention")}
    plain = [plaintext.plain(f"p{number} {said(number)}")[0] for number in range(60)]
    kept = [text for text in plain if text in stored]
    assert len(kept) > 45  # the others name a mailbox, which is masked
    assert any("drop table mention" in text for text in kept)
    assert any("=cmd|'/c calc'!A1" in text for text in kept)
    assert any("${jndi:ldap:" in text for text in kept)
    assert any("<script>" in text for text in kept)
    assert not any(c in text for text in stored for c in "\x00\x1b\r\u202e\u200b\u2066")


def test_a_megabyte_is_cut_and_says_so_and_an_endless_id_is_refused(seen: Seen) -> None:
    long = seen.rows(
        "select length(text) from mention where text_truncated and source = 'mastodon'"
    )
    assert long == [(TEXT_LIMIT,)]
    reasons = seen.rows("select reason from quarantine where source = 'mastodon'")
    assert reasons == [("no_native_id",)]


def test_counts_and_times_that_cannot_be_are_unknown(seen: Seen) -> None:
    ((low, high, first, last),) = seen.rows(
        "select min(like_count), max(like_count), min(published_at), max(published_at) from mention"
    )
    assert low >= 0
    assert high < 2**53
    assert first.year >= 2005
    assert last <= UNTIL + timedelta(minutes=10)


def test_an_address_leads_to_the_web_or_nowhere(seen: Seen) -> None:
    for (url,) in seen.rows("select url from mention where url is not null"):
        assert re.fullmatch(r"https?://[\w.\-]+(?::\d+)?/[!-~]*", url), url


# --- nothing is executed, fetched or opened


def test_nothing_is_asked_but_what_the_settings_name(seen: Seen) -> None:
    paths = {asked.path.split("?")[0] for asked in seen.asked}
    assert not any("secret" in path for path in paths)
    mastodon = {path for path in paths if path.startswith(("/api/v1/timelines/", "/api/v2/inst"))}
    assert paths - mastodon == {f"/feeds/{name}" for name in FEEDS}


def test_the_tables_are_those_of_the_migrations(seen: Seen, tmp_path: Path) -> None:
    query = "select table_name from duckdb_tables() order by 1"
    with warehouse.opened(tmp_path) as connection:
        warehouse.migrate(connection)
        expected = connection.execute(query).fetchall()
    assert seen.rows(query) == expected


def test_every_file_of_the_home_is_where_it_belongs(seen: Seen) -> None:
    inside = {path.relative_to(seen.home).parts[0] for path in seen.home.rglob("*")}
    own = {"vigie.toml", "keys", "inbox", "landing", "staging", "warehouse.duckdb", "outbox"}
    own |= {f"budget.sqlite{part}" for part in ("", "-wal", "-shm")}
    assert inside - own <= {"digests", "datadocs", "published"}
    sources = {*FEEDS, "mastodon", "exports"}
    assert {path.name for path in (seen.home / "landing").iterdir()} <= sources
    assert [path.name for path in (seen.home / "digests").iterdir()] == [f"{DAY}.fr.html"]


class _Page(HTMLParser):
    """The tags, attributes and visible text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("br", "img", "meta", "hr", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close a tag; AssertionError where another is open."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note what is read."""
        self.text += data


_TAG_LIST = (
    "html head meta title style body div table tr td th p h1 h2 h3 a b i em strong span br hr img "
    "blockquote ul ol li small tbody thead caption section header footer main nav details summary "
    "figure figcaption code pre"
)
_TAGS = frozenset(_TAG_LIST.split())
# What a chart on a page is made of.
_DRAWN = frozenset(("svg", "g", "path", "rect", "line", "text", "tspan"))


def _is_harmless(html: str, tags: frozenset[str] = _TAGS) -> _Page:
    page = _Page(html)
    assert set(page.tags) <= tags
    assert html.count("<svg") == html.count('<svg class="chart" role="img" viewBox="')  # ours
    assert page.open == []
    for name, value in page.attributes:
        assert not name.startswith("on"), name
        assert name not in ("srcdoc", "background", "action", "formaction", "ping"), name
        assert name != "xlink:href"
        if name not in ("href", "content"):
            assert "url(" not in value or re.fullmatch(r"url\(#\w+\)", value), value
        if name == "href":
            assert re.match(r"https?://|#|mailto:", value), value
        if name in ("src", "srcset"):
            assert re.match(r"cid:[\w@.]+$|data:image/png;base64,[A-Za-z0-9+/=]+$", value), value
        if name == "style":
            assert "@import" not in value
    assert not re.search(r"url\(|@import", "".join(re.findall(r"<style>.*?</style>", html, re.S)))
    assert "[red]{{7*7}}[/]" in page.text  # our own odd label stands as it is written
    assert WORD in page.text  # what people wrote is shown
    return page


def test_the_page_of_the_digest_is_words(seen: Seen) -> None:
    page = _is_harmless(seen.page, _TAGS | _DRAWN)
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page.text)


def test_the_mails_are_words(seen: Seen) -> None:
    assert len(seen.mails) >= 2
    for mail in seen.mails:
        body = mail.get_body(("html",))
        assert body is not None
        page = _is_harmless(body.get_content())
        odd = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]"
        assert not re.search(odd, page.text)
        plain = mail.get_body(("plain",))
        assert plain is not None
        assert not re.search(odd, plain.get_content())
        assert WORD in plain.get_content()
        assert "\nBcc:" not in plain.get_content()


def test_no_text_of_a_stranger_adds_a_header(seen: Seen) -> None:
    expected = ["From", "To", "Subject", "Date", "Message-ID", "List-Id", "Auto-Submitted"]
    expected += ["X-Auto-Response-Suppress", "MIME-Version", "Content-Type"]
    for mail in seen.mails:
        assert sorted(mail.keys()) == sorted(expected)
        assert str(mail["To"]) == "astreinte@belleroche.example"
        assert len(str(mail["Subject"])) <= 200
        assert "Bcc: tous@" in str(mail["Subject"])  # a part of the label, and no more than that
        parts = [part.get_content_type() for part in mail.walk() if not part.is_multipart()]
        assert set(parts) <= {"text/plain", "text/html", "image/png"}
        assert parts.count("text/html") == 1


def test_the_data_docs_hold_no_text(seen: Seen) -> None:
    for path in (seen.home / "datadocs").rglob("*"):
        if path.is_file() and path.suffix in (".html", ".json"):
            assert not _tells(path.read_text(encoding="utf-8")), path.name


# --- nobody is told on


def _tells(text: str) -> bool:
    """Whether a text holds what a person wrote or is called."""
    return WORD in text or NAME in text


def test_no_log_holds_a_text_or_a_name_and_each_entry_is_one_line(seen: Seen) -> None:
    assert len(seen.logged) > 20
    for line in seen.logged:
        assert not _tells(line), line
        assert line.isprintable(), repr(line)


def test_no_error_note_or_reason_holds_a_text_or_a_name(seen: Seen) -> None:
    notes = [note for (note,) in seen.rows("select note from intake where note is not null")]
    details = [detail for (detail,) in seen.rows("select detail from quarantine")]
    assert len(seen.raised) > 10
    for told in (*seen.raised.values(), *notes, *details):
        assert not _tells(told), told
        plain = re.sub(r"[\n\u00a0\u202f]", " ", told)  # French has spaces of its own
        assert plain.isprintable(), repr(told)


def test_no_author_is_called_by_name_once_landed(seen: Seen) -> None:
    for row in seen.rows("select * exclude (native_id, url, raw_ref) from mention"):
        assert NAME not in repr(row)
        assert not any(sign in str(row) for sign in (r"\x1b", r"\x00", r"\u202e")), row


def test_the_analysts_file_is_whole_and_holds_no_account(seen: Seen) -> None:
    path = seen.home / "published" / "analyst.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute("select text from mention_public").fetchall()
        names = connection.execute("select column_name from duckdb_columns()").fetchall()
    ((count,),) = seen.rows("select count(*) from mention")
    assert len(found) == count
    assert any("drop table mention" in text for (text,) in found)
    assert not {name for (name,) in names} & {"author_key", "author_handle", "raw_ref"}


def test_what_is_staged_is_json_that_others_can_read(seen: Seen) -> None:
    found = sorted((seen.home / "staging" / RUN).rglob("*.json"))
    assert len(found) > len(FEEDS)
    for path in found:
        json.loads(path.read_text(encoding="utf-8"))
