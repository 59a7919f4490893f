"""Pages as HTML with the headers that bind a browser: no script, nothing from elsewhere.

Every value is escaped by Jinja. Styles come from one sheet of ours; of a digest, whose styles stand
in its tags for the sake of mail programs, each style is allowed by its own hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, Response

from pipelines.wording import LOCALES, plain, safe_link

SHEET = files("pipelines") / "templates" / "board" / "board.css"
_HEADERS = {
    "referrer-policy": "same-origin",  # "no-referrer" would hide where a form comes from
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), interest-cohort=()",
}


def headers(styles: Iterable[str] = (), *, goes_to: Iterable[str] = ()) -> dict[str, str]:
    """The headers of every answer. `styles` are allowed by hash; forms may lead to `goes_to`."""
    hashes = " ".join(sorted({f"'sha256-{_hash(style)}'" for style in styles}))
    own = f"'self' 'unsafe-hashes' {hashes}" if hashes else "'self'"
    forms = " ".join(("'self'", *goes_to))
    policy = (
        f"default-src 'none'; style-src {own}; img-src 'self' data:; form-action {forms}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return {**_HEADERS, "content-security-policy": policy}


def filled(
    template: str,
    values: Mapping[str, Any],
    *,
    status: int = 200,
    styles: Iterable[str] = (),
    goes_to: Iterable[str] = (),
) -> HTMLResponse:
    """A page; `values` has at least what `layout.html.j2` reads."""
    html = _environment().get_template(f"board/{template}.html.j2").render(values)
    found = headers(styles, goes_to=goes_to)
    return HTMLResponse(html, status_code=status, headers=found)


def sheet() -> Response:
    """The one style sheet; its address changes with it, so that a browser may keep it."""
    kept = {**headers(), "cache-control": "public, max-age=31536000, immutable"}
    return Response(_sheet(), media_type="text/css", headers=kept)


@lru_cache(maxsize=1)
def _sheet() -> bytes:
    return SHEET.read_bytes()


@lru_cache(maxsize=1)
def sheet_name() -> str:
    """The file name of the sheet."""
    return f"board-{hashlib.sha256(_sheet()).hexdigest()[:12]}.css"


def _hash(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("pipelines", "templates"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(plain=plain, safe_link=safe_link, locales=tuple(LOCALES))
    return made
