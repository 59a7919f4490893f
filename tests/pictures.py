"""Pictures of every letter to the moderator and of the digest, in the light and the dark.

python -m tests.pictures FOLDER          # every kind, both languages
python -m tests.pictures --docs          # those of docs/pictures
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from pipelines import crisis, digest, preview
from tests.browser import Tab, tab
from tests.pipelines import valmont
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


# Mood, language, light and how much of the digest of Valmont they show.
DIGESTS: dict[str, tuple[valmont.Mood, str, bool, int]] = {
    "digest-crisis": ("crisis", "fr", False, 1500),
    "digest-quiet": ("quiet", "en", True, 1130),
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


def told(folder: Path, browser: Tab) -> None:
    """The digests of an invented town, quiet and in crisis, and the report two hours into it."""
    for name, (mood, locale, is_dark, height) in DIGESTS.items():
        with valmont.warehouse_of(mood) as town:
            made = digest.build(
                town, settings=valmont.SETTINGS, day=valmont.DAY, as_of=valmont.AS_OF
            )
            page = digest.save(folder, made, digest.render(made, locale=locale), locale=locale)
            _keep(browser, page, name, height=height, is_dark=is_dark)
            if mood == "crisis":
                _keep(browser, _reported(town, folder), "crisis-report", height=1130)


def _reported(town: duckdb.DuckDBPyConnection, folder: Path) -> Path:
    (incident,) = crisis.incidents(town, as_of=valmont.AS_OF)
    moment = incident.opened_at + timedelta(hours=2)
    made = crisis.build(town, incident, settings=valmont.SETTINGS, as_of=moment, horizon="h2")
    return crisis.save(folder / "report.html", crisis.render(made, locale="fr"))


def _keep(browser: Tab, page: Path, name: str, *, height: int, is_dark: bool = False) -> None:
    seen = browser.look(page, width=PHONE, height=height, whole=False, is_dark=is_dark)
    (DOCS / f"{name}.png").write_bytes(seen.png)


def main() -> None:
    """Pictures into the folder that is named, or into the documentation."""
    with tab() as browser:
        if sys.argv[1] == "--docs":
            with tempfile.TemporaryDirectory() as folder:
                documented(Path(folder), browser)
                told(Path(folder), browser)
        else:
            every(Path(sys.argv[1]), browser)


if __name__ == "__main__":
    main()
