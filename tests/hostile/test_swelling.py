"""What is made to be slow or large is read in time that grows with its length, and no faster.

Each text here took minutes to hours before its reader was mended; the limit is generous.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from pipelines import cues, plaintext, privacy, sources
from pipelines.mention import TEXT_LIMIT, Post, Rejection
from pipelines.settings import Institution, Subject
from pipelines.sources import Payload, Terms, _cells
from pipelines.sources._sieve import sieve
from pipelines.subjects import matcher

SEEN = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
LENGTH = 300_000
MARKS = "\u0301\u0316" * (LENGTH // 2)  # each pair must change places for NFC
DIVS = "<div>" * (LENGTH // 5)


@contextmanager
def soon(seconds: float = 3.0) -> Iterator[None]:
    """Fails when the block takes longer than it may (wall clock, on a busy machine)."""
    started = time.perf_counter()
    yield
    assert time.perf_counter() - started < seconds


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "sign", ["\u200d", "\u200c\u200d", "\u0301\u0316", "\u064e\u0650", "\u202e", "\U000e0041", "…"]
)
def test_a_run_of_one_sign_is_cleaned_soon(sign: str) -> None:
    with soon():
        read, _ = plaintext.plain("a" + sign * (LENGTH // len(sign)) + " fin")
    assert 0 < len(read) <= TEXT_LIMIT


def test_marks_are_cut_only_where_they_tower() -> None:
    written = "Tiếng Việt, שָׁלוֹם, السَّلَامُ, é 👩‍👩‍👧‍👦 ……………… " * 40
    assert plaintext.clean(written).count("שָׁלוֹם") == 40
    assert plaintext.clean(written).count("👩‍👩‍👧‍👦 ………………") == 40
    assert len(plaintext.clean("ב" + "\u05b4\u05b0" * 1_000 + " fin" * 300)) == 31 + 4 * 300


@pytest.mark.timeout(60)
def test_a_handle_tag_or_cell_that_towers_is_read_soon() -> None:
    subject = Subject(
        id="ville", label="V", purpose="répondre aux habitants", names=("Belleroche",)
    )
    who = Institution(id="b", name="Belleroche", kind="commune", legal_basis="délibération 12")
    subjects = matcher((subject,), who)
    clock = _cells.Clock(UTC)
    with soon():
        assert privacy.fold_handle("a" + MARKS)
        assert subjects.match(["Belleroche"], [["a" + MARKS]], [["a" + MARKS]]) == [("ville",)]
        assert _cells.time_of("1 " + MARKS, clock) is None
        assert _cells.count_of("1" * LENGTH) is None
        may_name = sieve(Terms(names=("Belleroche",)))
        assert not may_name(["a" + MARKS], ["a" + MARKS])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("sign", ["!", "?", "…", "0", "1,2.", "#a", "comment, ", "J'"])
def test_a_text_of_one_sign_is_matched_and_judged_soon(sign: str) -> None:
    subject = Subject(
        id="ville", label="V", purpose="répondre aux habitants", names=("Belleroche",)
    )
    who = Institution(id="b", name="Belleroche", kind="commune", legal_basis="délibération 12")
    text = sign * (TEXT_LIMIT // len(sign)) + "x Belleroche"
    with soon():
        assert matcher((subject,), who).match([text], [[]], [[]]) == [("ville",)]
        for judge in (cues.is_request, cues.is_claim, cues.is_denial, cues.is_gathering):
            judge(text)


def _read(body: str, *, network: str = "press") -> list[object]:
    feed = sources.load("feed")
    options = feed.Options(url="https://journal.example/f", network=network)
    data = {"body": base64.b64encode(body.encode()).decode()}
    return list(feed.parse(Payload(kind="document", data=data, fetched_at=SEEN), options))


def _rss(inner: str) -> str:
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>J</title>{inner}</channel></rss>'
    )


@pytest.mark.timeout(60)
@pytest.mark.parametrize("tag", ["title", "description"])
def test_html_nested_without_end_in_a_feed_is_read_soon(tag: str) -> None:
    item = f"<item><guid>g</guid><{tag}><![CDATA[{DIVS}Belleroche]]></{tag}></item>"
    with soon():
        (post,) = _read(_rss(item))
    assert isinstance(post, Post)


@pytest.mark.timeout(60)
def test_quotations_that_never_close_in_a_feed_are_read_soon() -> None:
    with soon():
        found = _read(_rss(f"<item><guid>g</guid>{'<![CDATA[' * (LENGTH // 9)}</item>"))
    assert found


ATTRIBUTES = " ".join(f"a{n}='1'" for n in range(30_000))
SWOLLEN = {
    "attributes": f"<item {ATTRIBUTES}><title>b</title></item>",
    "namespaces": "".join(f"<a{n}:b xmlns:a{n}='u{n}'/>" for n in range(20_000)),
    "base": f"<item xml:base='http://a.example/{'a/' * 50_000}'>{'<link>x</link>' * 9_000}</item>",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("swollen", SWOLLEN.values(), ids=SWOLLEN.keys())
def test_a_feed_that_would_take_hours_to_read_is_refused_soon(swollen: str) -> None:
    with soon():
        (refused,) = _read(_rss(swollen))
    assert isinstance(refused, Rejection)
    assert refused.reason == "swollen"


@pytest.mark.timeout(60)
def test_html_nested_without_end_in_a_status_is_read_soon() -> None:
    mastodon = sources.load("mastodon")
    status = {"uri": "https://quais.example/1", "visibility": "public", "content": "<a>" + DIVS}
    options = mastodon.Options(instance="https://quais.example")
    with soon():
        (post,) = mastodon.parse(Payload(kind="status", data=status), options)
    assert isinstance(post, Post)
    assert post.urls == ()
