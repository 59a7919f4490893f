"""A real browser without a window: pictures of pages as people see them, and whether they hold.

    python -m tests.browser PAGE.html PICTURE.png 375 [dark]

Drives the Chromium of this machine over its debugging socket on loopback; every address outside
is refused by the browser itself. `BROWSER` is None where there is no Chromium.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
    *("--remote-debugging-port=0", "--host-resolver-rules=MAP * ~NOTFOUND", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a browser made of a page: `wide` is how far it reaches (CSS pixels), `asked` every
    address it wanted beyond the page, `ran` dialogs and lines of a console."""

    png: bytes
    wide: float
    high: float
    asked: tuple[str, ...]
    ran: tuple[str, ...]


@dataclass(slots=True)
class Tab:
    """One tab; `look` may be called again and again."""

    socket: ClientConnection
    count: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the DevTools protocol."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": parameters}))
        while True:
            said = json.loads(self.socket.recv(timeout=30))
            if said.get("id") == self.count:
                assert "error" not in said, (method, said)
                return dict(said["result"])
            self.note(said)

    def note(self, said: dict[str, Any]) -> None:
        """Keep an event; a dialog is closed, or nothing goes on."""
        self.events.append(said)
        if said.get("method") == "Page.javascriptDialogOpening":
            self.socket.send(
                '{"id": 0, "method": "Page.handleJavaScriptDialog", "params": {"accept": false}}'
            )

    def wait(self, method: str) -> None:
        """Go on once an event has come."""
        while not any(e.get("method") == method for e in self.events):
            self.note(json.loads(self.socket.recv(timeout=30)))

    def look(
        self,
        page: Path,
        *,
        width: int,
        is_dark: bool = False,
        height: int = 800,
        whole: bool = True,
    ) -> Seen:
        """A page of this machine at a width in CSS pixels, in the light or in the dark."""
        self.events.clear()
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 700,
        )  # fmt: skip
        self.ask("Page.navigate", url=page.resolve().as_uri())
        self.wait("Page.loadEventFired")
        size = self.ask(
            "Runtime.evaluate",
            expression="((e) => [e.scrollWidth, e.scrollHeight])(document.documentElement)",
            returnByValue=True,
        )
        wide, high = size["result"]["value"]
        clip = {"x": 0, "y": 0, "width": width, "height": high if whole else height, "scale": 1}
        shot = self.ask(
            "Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=whole
        )
        return Seen(
            png=base64.b64decode(shot["data"]),
            wide=wide,
            high=high,
            asked=tuple(self._asked(page)),
            ran=tuple(str(e) for e in self.events if e.get("method") in _RAN),
        )

    def _asked(self, page: Path) -> Iterator[str]:
        own = page.resolve().as_uri()
        for event in self.events:
            if event.get("method") == "Network.requestWillBeSent":
                url = event["params"]["request"]["url"]
                if url != own and not url.startswith("data:image/png;base64,"):
                    yield url


_RAN = ("Page.javascriptDialogOpening", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")


@contextmanager
def tab() -> Iterator[Tab]:
    """A tab of a browser that ends with the block."""
    assert BROWSER, "there is no Chromium on this machine: install one"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [BROWSER, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            with connect(_target(process), max_size=None) as socket:
                opened = Tab(socket)
                for part in ("Page", "Runtime", "Network"):
                    opened.ask(f"{part}.enable")
                yield opened
        finally:
            process.terminate()
            process.wait(timeout=20)
            if process.stderr:
                process.stderr.close()


def _target(process: subprocess.Popen[str]) -> str:
    """The socket of the first tab of a browser that has just been started."""
    import httpx

    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"ws://(127\.0\.0\.1:\d+)/", line):
            pages = httpx.get(f"http://{found[1]}/json/list").json()
            return str(next(p for p in pages if p["type"] == "page")["webSocketDebuggerUrl"])
    raise AssertionError("the browser ended before it could be spoken to")


def main() -> None:
    """One picture, from the command line."""
    page, picture, width, *rest = sys.argv[1:]
    with tab() as opened:
        seen = opened.look(Path(page), width=int(width), is_dark="dark" in rest)
    Path(picture).write_bytes(seen.png)
    print(f"{seen.wide:.0f} x {seen.high:.0f}")  # noqa: T201


if __name__ == "__main__":
    main()
