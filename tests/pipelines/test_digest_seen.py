"""The director's pages in a real Chromium: axe-core, headings, what stands for a picture, width."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipelines import crisis, digest
from tests.pipelines import valmont
from tests.pipelines.board.browsing import browser, complaints

pytestmark = pytest.mark.slow
PAGES = ("quiet", "crisis", "week", "report")
SECTIONS = ("changed", "stories", "claims", "asked", "topics", "own", "relays", "alerts")
LAST = ("outlook", "coverage", "legal", "queries")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A quiet day, a day of crisis, its week and the report of its second hour."""
    folder = tmp_path_factory.mktemp("pages")
    with valmont.warehouse_of("quiet") as town:
        made = {"quiet": _kept(town, folder / "quiet")}
    with valmont.warehouse_of("crisis") as town:
        made["crisis"] = _kept(town, folder / "crisis")
        sunday = valmont.DAY + timedelta(days=6 - valmont.DAY.weekday())
        made["week"] = _kept(town, folder / "week", day=sunday, edition="week")
        (incident,) = crisis.incidents(town, as_of=valmont.AS_OF)
        moment = incident.opened_at + timedelta(hours=2)
        report = crisis.build(town, incident, settings=valmont.SETTINGS, as_of=moment, horizon="h2")
        made["report"] = crisis.save(folder / "report.html", crisis.render(report, locale="fr"))
    return made


def _kept(town: Any, home: Path, **more: Any) -> Path:
    given = {"day": valmont.DAY, "as_of": valmont.AS_OF + timedelta(days=7), **more}
    made = digest.build(town, settings=valmont.SETTINGS, **given)
    return digest.save(home, made, digest.render(made, locale="fr"), locale="fr")


def _opened(chromium: Any, page: Path, **given: Any) -> Any:
    seen = chromium.new_context(**given).new_page()
    seen.goto(page.as_uri())
    seen.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    return seen


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_axe_finds_nothing_wrong(
    chromium: Any, pages: dict[str, Path], name: str, mode: str
) -> None:
    seen = _opened(chromium, pages[name], color_scheme=mode)
    assert complaints(seen) == []
    seen.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_headings_leave_out_no_level(chromium: Any, pages: dict[str, Path], name: str) -> None:
    seen = _opened(chromium, pages[name])
    levels = seen.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    seen.context.close()


@pytest.mark.parametrize("name", ["quiet", "crisis", "week"])
def test_the_twelve_sections_stand_in_their_order(
    chromium: Any, pages: dict[str, Path], name: str
) -> None:
    """The first is the level, a region of its own."""
    seen = _opened(chromium, pages[name])
    assert seen.locator("[role=region]").count() == 1
    ids = seen.evaluate("[...document.querySelectorAll('h2')].map(h => h.id)")
    assert ids == [*SECTIONS, *LAST]
    seen.context.close()


@pytest.mark.parametrize("name", ["quiet", "crisis", "week"])
def test_what_stands_for_a_chart_tells_its_figures(
    chromium: Any, pages: dict[str, Path], name: str
) -> None:
    seen = _opened(chromium, pages[name])
    told = seen.evaluate("[...document.querySelectorAll('svg')].map(s => s.ariaLabel)")
    assert told
    assert all(any(c.isdigit() for c in alt) for alt in told)
    seen.context.close()


@pytest.mark.parametrize(("width", "shown"), [(320, "slim"), (768, "wide"), (1280, "wide")])
def test_a_chart_is_shown_once_in_the_size_of_the_screen(
    chromium: Any, pages: dict[str, Path], width: int, shown: str
) -> None:
    seen = _opened(chromium, pages["crisis"], viewport={"width": width, "height": 900})
    card, other = seen.locator(".live").first, {"slim": "wide", "wide": "slim"}[shown]
    assert not card.locator(f".{other}").is_visible()
    drawn, whole = (card.locator(each).bounding_box() for each in (f".{shown} svg", ":scope"))
    assert drawn["width"] == whole["width"]
    assert whole["width"] > {320: 240, 768: 500, 1280: 500}[width]
    seen.context.close()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_no_page_scrolls_sideways(
    chromium: Any, pages: dict[str, Path], name: str, width: int
) -> None:
    seen = _opened(chromium, pages[name], viewport={"width": width, "height": 900})
    assert seen.evaluate("document.documentElement.scrollWidth") <= width
    seen.context.close()
