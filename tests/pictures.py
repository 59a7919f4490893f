"""Pictures of every kind of letter, as a telephone and a desk show them, in the light and the dark.

python -m tests.pictures FOLDER          # every kind, both languages
python -m tests.pictures --docs          # those of docs/pictures
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from pipelines import preview
from tests.browser import Tab, tab
from tests.pipelines.test_preview import TOWN

AS_OF = datetime(2026, 11, 26, 10, tzinfo=UTC)
PHONE, DESK, SCREEN = 375, 900, 760
DOCS = Path(__file__).parents[1] / "docs" / "pictures"
# Kind and language of the pictures of the documentation, and how much of the letter they show.
SHOWN = {
    "alert-mail": ("firing", "fr", 1180),
    "alert-escalation": ("escalation", "en", SCREEN),
    "alert-unstable": ("unstable", "fr", SCREEN),
    "alert-resolved": ("resolved", "en", SCREEN),
}


def every(folder: Path, browser: Tab) -> None:
    """Every kind in both languages, whole, at two widths and in two lights."""
    for locale in ("fr", "en"):
        for kind, _ in preview.write(TOWN, preview.KINDS, folder, locale=locale, as_of=AS_OF):
            page = folder / f"{kind}.{locale}.html"
            for width in (PHONE, DESK):
                for light in ("light", "dark"):
                    seen = browser.look(page, width=width, is_dark=light == "dark")
                    name = f"{kind}.{locale}.{width}.{light}.png"
                    (folder / name).write_bytes(seen.png)


def documented(folder: Path, browser: Tab) -> None:
    """The pictures of the documentation, a telephone's width."""
    for name, (kind, locale, height) in SHOWN.items():
        list(preview.write(TOWN, (kind,), folder, locale=locale, as_of=AS_OF))
        page = folder / f"{kind}.{locale}.html"
        seen = browser.look(page, width=PHONE, height=height, whole=False)
        (DOCS / f"{name}.png").write_bytes(seen.png)


def main() -> None:
    """Pictures into the folder that is named, or into the documentation."""
    with tab() as browser:
        if sys.argv[1] == "--docs":
            with tempfile.TemporaryDirectory() as folder:
                documented(Path(folder), browser)
        else:
            every(Path(sys.argv[1]), browser)


if __name__ == "__main__":
    main()
