"""Every letter to the director, as the programs that read mail take it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from pipelines import crisis, digest
from pipelines.letter import Letter
from tests.pipelines import valmont
from tests.pipelines.test_page import _outline

LOCALES = ("fr", "en")
TAGS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "table",
    "caption",
    "tr",
    "th",
    "td",
    "div",
}
TAGS |= {"p", "span", "a", "b", "br", "h1", "h2", "h3", "blockquote", "img"}
UNKNOWN_STYLES = re.compile(r"url\(|expression|@import|position:|display:(flex|grid)|var\(|calc\(")


def _letters() -> Iterator[tuple[str, Letter]]:
    """The day, the week, the month and the crisis report of the town's crisis, twice."""
    editions = {
        "day": (valmont.DAY, valmont.AS_OF),
        "week": (date(2026, 11, 22), datetime(2026, 11, 23, 6, tzinfo=UTC)),
        "month": (date(2026, 11, 30), datetime(2026, 12, 1, 6, tzinfo=UTC)),
    }
    with valmont.warehouse_of("crisis") as town:
        for name, (day, as_of) in editions.items():
            made = digest.build(
                town,
                settings=valmont.SETTINGS,
                day=day,
                as_of=as_of,
                edition=name,  # type: ignore[arg-type]
            )
            for locale in LOCALES:
                yield f"{name} {locale}", digest.render(made, locale=locale)
        (incident,) = crisis.incidents(town, as_of=valmont.AS_OF)
        moment = incident.opened_at + timedelta(hours=2)
        report = crisis.build(town, incident, settings=valmont.SETTINGS, as_of=moment, horizon="h2")
        for locale in LOCALES:
            yield f"crisis {locale}", crisis.render(report, locale=locale)


@pytest.fixture(scope="module")
def letters() -> dict[str, Letter]:
    return dict(_letters())


def test_no_letter_runs_or_asks_for_anything(letters: dict[str, Letter]) -> None:
    assert len(letters) == 8
    for name, letter in letters.items():
        found = _outline(letter.html)
        assert (found.faults, found.open) == ([], []), name
        assert {tag for tag, _ in found.tags} - {"!doctype"} <= TAGS, name
        for tag, attributes in found.tags:
            assert not [key for key in attributes if key.startswith("on") or key == "background"]
            assert not UNKNOWN_STYLES.search(attributes.get("style") or ""), (name, attributes)
            if tag == "img":
                assert str(attributes["src"]).removeprefix("cid:") in letter.images, name
            elif "src" in attributes:
                pytest.fail(f"{name}: {tag} asks for {attributes['src']}")


def test_no_letter_is_cut_for_its_length(letters: dict[str, Letter]) -> None:
    sizes = {name: len(letter.html.encode()) for name, letter in letters.items()}
    assert max(sizes.values()) < 100_000, sizes
    assert all(len(png) < 60_000 for each in letters.values() for png in each.images.values())


def test_the_plain_part_keeps_to_72_columns(letters: dict[str, Letter]) -> None:
    for name, letter in letters.items():
        long = [line for line in letter.text.splitlines() if len(line) > 72]
        assert all("http" in line for line in long), (name, long)
        assert "<" not in letter.text
        assert not re.search(r"\n{3}", letter.text), name


def test_the_plain_part_tells_what_the_page_tells(letters: dict[str, Letter]) -> None:
    for name, letter in letters.items():
        headings = re.findall(r'<h2 id="(\w+)"[^>]*>([^<]*)', letter.html)
        lines = letter.text.splitlines()
        missing = [
            text for key, text in headings if key != "queries" and text.strip().upper() not in lines
        ]
        assert missing == [], name


def test_no_letter_says_its_numbers_in_the_other_language(letters: dict[str, Letter]) -> None:
    for name, letter in letters.items():
        said = letter.text if name.endswith("en") else letter.text.replace("\u202f", " ")
        foreign = r"\d\s%" if name.endswith("en") else r"\d%|\d,\d{3}\b"
        assert not re.search(foreign, said), name
