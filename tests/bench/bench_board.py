"""What each page of the board weighs and how soon it is drawn, in a real browser on loopback.

    python -m tests.bench.bench_board [--times 5]

An invented town (60 messages, two alerts, a digest), every page of every role, each once.
Drawn: first contentful paint from the start of navigation, the median; weight: all that the page
loads, the style sheet counted each time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from pipelines.board.access import ROLES
from tests.pipelines.board.browsing import browser, log_in, paths, served
from tests.pipelines.board.town import built

PAINT = (
    "new Promise(done => new PerformanceObserver((list, watch) => { watch.disconnect();"
    " done(list.getEntries()[0].startTime) }).observe({type: 'paint', buffered: true}))"
)


def measured(page: Any, address: str, times: int) -> tuple[float, int]:
    """Milliseconds to the first paint, and bytes, of a page."""
    found, sizes = [], []

    def note(request: Any) -> None:
        sizes.append(request.sizes()["responseBodySize"])

    page.on("requestfinished", note)
    for _ in range(times):
        sizes.clear()
        page.goto(address, wait_until="networkidle")  # its sheet too has been counted by then
        found.append(float(page.evaluate(PAINT)))
    page.remove_listener("requestfinished", note)
    return statistics.median(found), sum(sizes)


def main() -> None:
    """Print a line a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        town = built(Path(folder))
        seen: set[str] = set()
        with served(town.app) as root:
            for role in ROLES:
                page = _logged_in(chromium, root, role)
                for path in (p for p in paths(town, role) if p not in seen):
                    drawn, size = measured(page, f"{root}/board{path}", times)
                    print(f"{role:9} {path[:48]:48} {drawn:6.0f} ms {size / 1000:7.1f} kB")
                seen.update(paths(town, role))


def _logged_in(chromium: Any, root: str, role: str) -> Any:
    """A page of a window in which a role has logged in, and that keeps no sheet."""
    page = chromium.new_context(viewport={"width": 1280, "height": 800}).new_page()
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    log_in(page, root, role)
    return page


if __name__ == "__main__":
    main()
