"""Every kind of letter comes of a rehearsed crisis, holds what a reader needs, and fits a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from html import unescape
from pathlib import Path

import pytest

from pipelines import preview, rehearsal
from pipelines.alerts_cli import write_page
from pipelines.settings import Institution, Settings, Subject

AS_OF = datetime(2026, 11, 26, 10, tzinfo=UTC)
Made = Callable[[str, str], preview.Shown]
TOWN = Settings(
    home=Path("/nowhere"),
    institution=Institution(
        id="valmont", name="Ville de Valmont", place="Valmont", kind="commune", legal_basis="x"
    ),
    subjects=(
        Subject(id="ville", label="La ville", purpose="répondre aux habitants", names=("Valmont",)),
    ),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    begun: dict[str, Settings] = {}
    letters: dict[tuple[str, str], preview.Shown] = {}

    def make(kind: str, locale: str) -> preview.Shown:
        if locale not in begun:
            folder = tmp_path_factory.mktemp(locale)
            begun[locale] = preview.begun(TOWN, folder, locale=locale, as_of=AS_OF)
        if (kind, locale) not in letters:
            letters[kind, locale] = preview.letter(begun[locale], kind, as_of=AS_OF)
        return letters[kind, locale]

    return make


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


@pytest.mark.parametrize("name", ["Ville de Vendôme", "Commune de Vendôme", "Vendôme"])
def test_a_town_without_a_place_is_called_as_people_call_it(name: str) -> None:
    who = TOWN.institution.model_copy(update={"name": name, "place": None})
    assert rehearsal._town(who) == "Vendôme"


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["fr", "en"])
@pytest.mark.parametrize("kind", preview.KINDS)
def test_every_kind_is_a_mail_of_its_own(made: Made, kind: str, locale: str) -> None:
    mail = made(kind, locale).mail
    html = body(mail, "html")
    assert str(mail["Subject"]).startswith("[Vigie] ")
    assert len(html.encode()) < 100_000
    assert not re.search(r"<script|<link|<iframe|<form|<svg|url\(|@import", html)
    assert set(re.findall(r'src="([^"]*)"', html)) <= {"cid:curve@vigie"}
    assert not re.search(r"[{}]", re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL))
    assert not re.search(r"[{}]|None", body(mail, "plain"))


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["fr", "en"])
def test_the_page_to_look_back_shows_the_figures_of_the_mail(made: Made, locale: str) -> None:
    shown = made("firing", locale)
    html = look_back(shown)
    for line in evidence_of(body(shown.mail, "html")):
        assert line in flat(html), line


def look_back(shown: preview.Shown) -> str:
    """The page to look back with, as `vigie alerts show --page` writes it."""
    path = shown.settings.home / "page.html"
    write_page(shown.settings, str(shown.incident_id), path, now=shown.at)
    return path.read_text(encoding="utf-8")


def flat(html: str) -> str:
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(words).split())


def evidence_of(html: str) -> list[str]:
    """What of a mail is evidence: its headline, range, counts, copies, tone, and sources.

    What it tells of other incidents stands on their own pages.
    """
    text = flat(re.sub(r"<h2[^>]*>(?:Aussi dans|Also in).*?</div>", " ", html, flags=re.DOTALL))
    patterns = (
        r"\d+ mentions (?:en|in) 1 h \([^)]*\)",
        r"(?:à cette heure, d’habitude|usual at this hour:) \d+ (?:à|to) \d+",
        r"\d+ mentions, \d+ [^,]+, \d+ (?:auteurs|authors)",
        r"(?:repris|repeated) \d+ \w+, (?:sur|on) \d+ \w+",
        r"(?:négatif|negative) \d+ · neutr\w+ \d+ · posit\w+ \d+ · \w+ \d+",
        r"(?:Mastodon|Bluesky) \d+ · \d+ ?%",
    )
    found = [re.findall(pattern, text) for pattern in patterns]
    assert all(found), list(zip(patterns, found, strict=True))
    return [line for lines in found for line in lines]
