"""Hostile texts, names and addresses through every kind of letter, the page to look back and the
pages of links: nothing runs, nothing is asked for, and the layout holds on the narrowest phone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pipelines import link_pages, preview, rehearsal
from pipelines.alerts_cli import write_page
from pipelines.evidence import Term
from pipelines.rehearsal import Said
from pipelines.settings import Institution, Settings, Subject
from tests.browser import BROWSER, Tab, tab
from tests.hostile.senders import LABEL
from tests.hostile.values import PATHS, TEXTS, WRITING
from tests.pipelines.test_alert_letter import letter, message, rests_on

AS_OF = datetime(2026, 11, 26, 10, tzinfo=UTC)
KINDS = ("firing", "escalation", "grouped", "threat", "resolved", "nobody", "handover")
NARROW = 320
TOWN = Settings(
    home=Path("/nowhere"),
    institution=Institution(
        id="valmont", name=LABEL, place="Valmont", kind="commune", legal_basis="x"
    ),
    subjects=(Subject(id="ville", label=f"{LABEL} {'W' * 120}", purpose="répondre à tous"),),
)


def said(texts: list[Said]) -> list[Said]:
    """The messages of a play, each with a hostile text after it, a hostile title and address."""
    odd = (*TEXTS, *WRITING)
    return [
        replace(
            each,
            text=f"{each.text} {odd[n % len(odd)]}",
            title=odd[-1 - n % len(odd)],
            url=PATHS[n % len(PATHS)] if n % 2 else "javascript:alert(1)",
        )
        for n, each in enumerate(texts)
    ]


@pytest.fixture(scope="module", params=["fr", "en"])
def letters(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, preview.Shown]]:
    """The letters of one language, made of hostile messages."""
    folder = tmp_path_factory.mktemp(request.param)
    begun = preview.begun(TOWN, folder, locale=request.param, as_of=AS_OF)
    honest = rehearsal.waves
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rehearsal, "waves", lambda given, settings: said(honest(given, settings)))
        yield {kind: preview.letter(begun, kind, as_of=AS_OF) for kind in KINDS}


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    if not BROWSER:
        pytest.skip("there is no Chromium on this machine")
    with tab() as opened:
        yield opened


def pages(letters: dict[str, preview.Shown], folder: Path) -> Iterator[tuple[str, Path]]:
    """Every letter, the page to look back, and the pages behind the links, as files."""
    for kind, shown in letters.items():
        path = folder / f"{kind}.html"
        path.write_text(preview.html(shown.mail), encoding="utf-8")
        yield kind, path
    shown = letters["resolved"]
    write_page(shown.settings, str(shown.incident_id), folder / "look_back.html", now=shown.at)
    yield "look back", folder / "look_back.html"
    for number, html in enumerate(answered(letters["firing"])):
        path = folder / f"link{number}.html"
        path.write_text(html, encoding="utf-8")
        yield f"link {number}", path


def answered(shown: preview.Shown) -> Iterator[str]:
    """The pages of every link of a letter, before and after its button."""
    client = TestClient(Starlette(routes=link_pages.routes(shown.settings, now=lambda: shown.at)))
    links = re.findall(r"https://vigie\.example(/\S+)", preview.text(shown.mail))
    assert len(links) >= 7  # three of each alert, one of all together
    for path in links:
        yield client.get(path).text
        yield client.post(path, data={"hours": "4", "reason": f"<b>{LABEL}"}).text


@pytest.mark.slow
def test_nothing_of_a_stranger_becomes_markup(
    letters: dict[str, preview.Shown], tmp_path: Path
) -> None:
    harmful = r"<script|<svg|<iframe|<img src=x|<style>body{background|onerror=[^&]*>|href=\"(?!https?://|(?:\./[\w-]+)?\?lang)"
    for name, path in pages(letters, tmp_path):
        html = path.read_text(encoding="utf-8")
        assert not re.search(harmful, html), name
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", html), name
    text = preview.text(letters["firing"].mail)
    assert "\nBcc:" not in text


@pytest.mark.slow
def test_nobody_runs_or_loads_anything_and_the_narrowest_phone_holds(
    letters: dict[str, preview.Shown], tmp_path: Path, browser: Tab
) -> None:
    for name, path in pages(letters, tmp_path):
        seen = browser.look(path, width=NARROW, is_dark=True)
        assert (seen.ran, seen.asked) == ((), ()), name
        assert seen.wide <= NARROW, name


@pytest.mark.slow
def test_every_hostile_text_is_shown_as_words_on_the_narrowest_phone(
    browser: Tab, tmp_path: Path
) -> None:
    odd = (*TEXTS, *WRITING)
    for first in range(0, len(odd), 3):
        shown = tuple(
            message(text=text, title=text, url=text, network=text)
            for text in odd[first : first + 3]
        )
        terms = tuple(Term(term=t, count=3, share=0.5, usual_share=0.0) for t in odd[first:][:3])
        networks = dict.fromkeys(odd[first : first + 3], 3)
        page = tmp_path / "letter.html"
        found = rests_on(messages=shown, terms=terms, networks=networks)
        page.write_text(letter(evidence=found).html.replace("cid:curve", ""), encoding="utf-8")
        seen = browser.look(page, width=NARROW)
        assert (seen.ran, seen.asked) == ((), ()), odd[first : first + 3]
        assert seen.wide <= NARROW, odd[first : first + 3]


@pytest.mark.slow
def test_a_locked_screen_shows_no_word_of_a_threat(letters: dict[str, preview.Shown]) -> None:
    shown: Callable[[str], str] = lambda kind: preview.html(letters[kind].mail)  # noqa: E731
    [hidden] = re.findall(r'<div style="display:none[^"]*">(.*?)</div>', shown("threat"), re.DOTALL)
    assert "tuer" not in hidden + str(letters["threat"].mail["Subject"])
    assert "tuer" in shown("threat")
