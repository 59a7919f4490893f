"""What the contract found, for the operator: our own page and Great Expectations' Data Docs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipelines import expectations
from pipelines.accept import build_docs
from pipelines.datadocs import GX_INDEX, _texts, describe, render, tally

MADE_AT = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
ON_URL = "expect_column_values_to_match_regex on url"


def result(**changes: Any) -> dict[str, Any]:
    return {"row_count": 1_000, "duplicate_count": 10, "rejected_count": 0, "broken": {}} | changes


BROKEN = result(rejected_count=3, broken={ON_URL: 2, "expect_x on <gone>": 1})


def test_results_of_batches_are_summed() -> None:
    found = tally([result(), BROKEN, BROKEN])

    assert (found.batch_count, found.row_count, found.checked_count) == (3, 3_000, 2_970)
    assert (found.rejected_count, found.broken[ON_URL]) == (6, 4)


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_every_check_is_described_in_words(locale: str) -> None:
    texts = _texts()[locale]
    derived = {c.column for c in expectations.checks()} - set(expectations.MENTION_SCHEMA.names)

    described = [describe(check, texts, locale) for check in expectations.checks()]

    assert all(described)
    assert not any(re.search(r"\{\w+\}", text) for text in described if "[" not in text)
    assert derived == set(texts["columns"])
    assert texts.keys() == _texts()["fr"].keys()


def test_bounds_are_said_as_a_person_would() -> None:
    said = {c.id: describe(c, _texts()["fr"], "fr") for c in expectations.checks()}

    assert said["expect_column_values_to_be_between on like_count"] == "au moins 0"
    assert said["expect_column_values_to_be_between on kept_days"] == "de 0 à 181"
    assert said["expect_column_value_lengths_to_be_between on title"] == "de 1 à 500 caractères"


class _Page(HTMLParser):
    """The addresses, headings and cells of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.headers_without_scope = 0
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append(tag)
        self.addresses += [value or "" for key, value in attrs if key in ("src", "href", "action")]
        self.headers_without_scope += tag == "th" and "scope" not in named


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_our_page_stands_alone_and_can_be_read_aloud(locale: str) -> None:
    source = render(tally([BROKEN]), locale=locale, made_at=MADE_AT)
    page = _Page(source)

    assert f'<html lang="{locale}">' in source
    assert page.addresses == ["vigie.en.html" if locale == "fr" else "vigie.html"]
    assert not {"script", "img", "iframe", "link"} & set(page.tags)
    assert "url(" not in source
    assert "@import" not in source
    assert page.tags.count("h1") == page.tags.count("main") == 1
    assert page.tags.count("caption") == page.tags.count("table")
    assert page.headers_without_scope == 0


def test_our_page_says_what_broke_and_escapes_what_it_shows() -> None:
    source = render(tally([BROKEN]), locale="fr", made_at=MADE_AT)

    assert "2 contrôle(s) enfreint(s)" in source
    assert "contrôle d’une version antérieure" in source
    assert "<gone>" not in source
    assert "20" in source
    assert "2026-11-20 05:00" in source


def test_a_calm_page_says_so_in_one_line() -> None:
    assert "Tous les contrôles sont respectés." in render(
        tally([result()]), locale="fr", made_at=MADE_AT
    )
    assert "No mention was checked" in render(tally([]), locale="en", made_at=MADE_AT)


def test_docs_are_built_and_built_again(tmp_path: Path) -> None:
    first = build_docs(tmp_path, [BROKEN], made_at=MADE_AT)
    again = build_docs(tmp_path, [result()], made_at=MADE_AT)

    folder = tmp_path / "datadocs"
    assert first == again == folder / "vigie.html"
    assert "respectés" in again.read_text(encoding="utf-8")
    assert sorted(path.name for path in folder.iterdir()) == ["gx", "vigie.en.html", "vigie.html"]
    pages = list((folder / "gx").rglob("validations/**/*.html"))
    assert (folder / GX_INDEX).is_file()
    assert len(pages) == 1
    assert "author_key" in pages[0].read_text(encoding="utf-8")


def test_data_docs_may_fetch_nothing_from_other_hosts(tmp_path: Path) -> None:
    build_docs(tmp_path, [result()], made_at=MADE_AT)

    for page in (tmp_path / "datadocs/gx").rglob("*.html"):
        head = page.read_text(encoding="utf-8")[:400]
        assert "Content-Security-Policy" in head
        assert "default-src 'self'" in head
