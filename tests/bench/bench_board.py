"""What each page of the board weighs and how soon it is drawn, in a real browser on loopback.

    python -m tests.bench.bench_board [--times 5]

An invented town (60 messages, two alerts, a digest), the director's and the moderator's pages.
Drawn: first contentful paint from the start of navigation, the median; weight: all that the page
loads, the style sheet counted each time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

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
        page.goto(address, wait_until="load")
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
        with served(town.app) as root:
            page = chromium.new_context(viewport={"width": 1280, "height": 800}).new_page()
            network = page.context.new_cdp_session(page)
            network.send("Network.enable")
            network.send("Network.setCacheDisabled", {"cacheDisabled": True})
            log_in(page, root, "moderator")
            for path in paths(town, "moderator"):
                drawn, size = measured(page, f"{root}/board{path}", times)
                print(f"{path[:48]:48} {drawn:6.0f} ms {size / 1000:7.1f} kB")


if __name__ == "__main__":
    main()
