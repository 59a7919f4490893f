"""Every kind of letter comes of a rehearsed crisis, holds what a reader needs, and fits a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from pipelines import preview
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
