"""A real browser at the board, and the board on a port of loopback for it."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from pipelines.board import access
from pipelines.board.access import PAGES, Role
from tests.pipelines.board.town import PASSWORD, Town

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def served(app: Any) -> Iterator[str]:
    """An application on a free port of loopback; its address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium of this machine, headless; the test is left out where there is none."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser here: install one of {', '.join(BROWSERS)}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playing:
        found = playing.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield found
        finally:
            found.close()


def complaints(page: Any) -> list[str]:
    """What axe-core finds wrong with a page, by rule and place."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {n['html'][:160]} {n['failureSummary'][:160]}"
            for v in found for n in v["nodes"]]  # fmt: skip


def log_in(page: Any, root: str, role: str) -> None:
    """Log in as a person does."""
    page.goto(f"{root}/board/login")
    page.fill("#name", role)
    page.fill("#password", PASSWORD)
    page.click("main button")
    assert "/login" not in page.url


def paths(town: Town, role: Role) -> list[str]:
    """Every page that a role may open, with one of each thing, and what goes wrong."""
    values = {"incident_id": town.incident, "topic_id": "T09", "source_name": "mastodon"}
    found = [
        page.path.format(
            **values,
            name="2026-11-19",
            task_id=town.dispute if page.name == "dispute" else town.task,
        )
        for page in PAGES
        if role in page.roles and page.method == "GET" and page.name != "export"
    ]
    extra = ["/search?q=trouble&since=2026-11-01", "/search?q=(eau", "/alerts?all=1"]
    return [*found, "/nope", *(extra if access.may(role, "search") else extra[2:])]
