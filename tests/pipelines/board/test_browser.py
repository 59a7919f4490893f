"""Every page and role in a real Chromium: axe-core, keyboard, narrow screens, weight."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipelines.board.access import ROLES, Role
from tests.pipelines.board.browsing import browser, complaints, log_in, paths, served
from tests.pipelines.board.town import Town, built

pytestmark = pytest.mark.slow
HEAVY = 300_000  # bytes of a page with all that it loads
MODES = ("light", "dark")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def root(town: Town) -> Iterator[str]:
    with served(town.app) as found:
        yield found


def visited(chromium: Any, root: str, role: str, **given: Any) -> Any:
    """A page of a new browser window in which a role has logged in."""
    page = chromium.new_context(**given).new_page()
    log_in(page, root, role)
    return page


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("role", ROLES)
def test_axe_finds_nothing_wrong(
    chromium: Any, root: str, town: Town, role: Role, mode: str
) -> None:
    page = visited(chromium, root, role, color_scheme=mode)
    wrong = {}
    for path in paths(town, role):
        page.goto(f"{root}/board{path}")
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        if found := complaints(page):
            wrong[path] = found
    assert wrong == {}
    page.context.close()


@pytest.mark.parametrize("mode", MODES)
def test_axe_finds_nothing_wrong_at_the_gate(chromium: Any, root: str, mode: str) -> None:
    page = chromium.new_context(color_scheme=mode).new_page()
    page.goto(f"{root}/board/login")
    assert complaints(page) == []
    page.fill("#name", "x")
    page.fill("#password", "x")
    page.click("main button")
    assert page.locator("[role=alert]").count() == 1
    assert complaints(page) == []
    page.context.close()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_no_page_scrolls_sideways_asks_elsewhere_or_weighs_much(
    chromium: Any, root: str, town: Town, role: Role, width: int
) -> None:
    page = visited(chromium, root, role, viewport={"width": width, "height": 800})
    asked: list[str] = []
    said: list[str] = []
    sizes: list[int] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("requestfinished", lambda r: sizes.append(r.sizes()["responseBodySize"]))
    for path in paths(town, role):
        sizes.clear()
        page.goto(f"{root}/board{path}", wait_until="load")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, (path, wide)
        assert sum(sizes) < HEAVY, (path, sum(sizes))
    assert {url for url in asked if not url.startswith((root, "data:"))} == set()
    assert [text for text in said if "Content Security Policy" in text] == []
    page.context.close()


def test_a_keyboard_is_enough(chromium: Any, root: str) -> None:
    page = chromium.new_context().new_page()
    page.goto(f"{root}/board/login")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("#name")
    page.keyboard.type("moderator")
    page.keyboard.press("Tab")
    page.keyboard.type("une phrase à garder pour soi")
    page.keyboard.press("Enter")
    page.wait_for_url("**/board/")
    page.goto(f"{root}/board/alerts")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/board/alerts/*")
    assert page.is_visible("#why")  # what may be done with an open alert stands open
    page.focus("details.box summary")
    page.keyboard.press("Enter")
    assert not page.is_visible("#why")
    page.context.close()


def test_nothing_of_a_page_is_a_script(chromium: Any, root: str, town: Town) -> None:
    page = visited(chromium, root, "moderator", java_script_enabled=False)
    for path in paths(town, "moderator"):
        page.goto(f"{root}/board{path}")
        assert page.locator("h1").first.is_visible()
    assert page.locator("script").count() == 0
    page.context.close()


def test_a_message_is_labelled_by_keyboard_and_without_a_script(
    chromium: Any, tmp_path: Any
) -> None:
    with served(built(tmp_path).app) as root:
        page = visited(chromium, root, "moderator", java_script_enabled=False)
        page.goto(f"{root}/board/labels")
        message = page.inner_text("blockquote")
        page.focus("input[value=negative]")
        page.keyboard.press("ArrowRight")
        assert page.is_checked("input[value=neutral]")
        page.keyboard.press("Tab")  # what each tone means
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        assert page.is_checked("input[name=topic_none]")
        page.focus("input[name=act_question]")
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        page.wait_for_url("**/board/labels?done=*")
        assert page.inner_text("dd") == "neutre · Aucun de ces thèmes · Question"
        page.click("text=Reprendre ma dernière réponse")
        assert page.inner_text("blockquote") == message
        assert page.is_checked("input[name=act_question]")
        page.context.close()
