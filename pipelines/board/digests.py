"""The digest of a day as its readers get it, inside the board, and the archive of them.

The page of `digests/` is shown as it is: its sheet and each of its style attributes are allowed by
their hashes, so that the board's policy admits no other style and no script at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from markupsafe import Markup
from selectolax.lexbor import LexborHTMLParser

from pipelines.board.visit import Answer, Stopped, Visit
from pipelines.wording import LOCALES

_FILE = re.compile(r"(\d{4}-\d{2}-\d{2})\.([a-z]{2})\.html")
_SHOWN = 400  # days of the archive on one page


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A digest's page: of which local day, in which language, and where it is."""

    day: date
    locale: str
    path: Path


def today(visit: Visit) -> Answer:
    """The latest digest there is; a page that says so where there is none."""
    every = _kept(visit)
    if not every:
        return Answer(template="today", values={"digest": None, "days": []})
    return _shown(every[0], every)


def digest(visit: Visit) -> Answer:
    """The digest of a day."""
    every = _kept(visit)
    try:
        day = date.fromisoformat(visit.path["day"])
    except ValueError as error:
        raise Stopped("unknown") from error
    found = next((each for each in every if each.day == day), None)
    if found is None:
        raise Stopped("unknown")
    return _shown(found, every)


def archive(visit: Visit) -> Answer:
    """Every digest that is kept, the last first, by month."""
    months: dict[str, list[date]] = {}
    for each in _kept(visit)[:_SHOWN]:
        months.setdefault(f"{each.day:%Y-%m}", []).append(each.day)
    return Answer(template="archive", values={"months": months})


def _kept(visit: Visit) -> list[Kept]:
    """One page a day, the last first: in the visitor's language where there is one."""
    folder = visit.settings.home / "digests"
    liked = [visit.w.locale, visit.settings.institution.locale, *LOCALES]
    found: dict[date, Kept] = {}
    names = sorted(path.name for path in folder.glob("*.html")) if folder.is_dir() else []
    for name in names:
        if (match := _FILE.fullmatch(name)) and match[2] in LOCALES:
            day = date.fromisoformat(match[1])
            one = Kept(day=day, locale=match[2], path=folder / name)
            other = found.get(day)
            if other is None or liked.index(one.locale) < liked.index(other.locale):
                found[day] = one
    return sorted(found.values(), key=lambda each: each.day, reverse=True)


def _shown(one: Kept, every: list[Kept]) -> Answer:
    place = every.index(one)
    after = every[place - 1].day if place else None
    before = every[place + 1].day if place + 1 < len(every) else None
    try:
        html = one.path.read_text(encoding="utf-8")
    except OSError as error:
        raise Stopped("unknown") from error
    sheet, tag, body, styles = taken_apart(html)
    values: dict[str, Any] = {"digest": one, "before": before, "after": after}
    values |= {"sheet_of_digest": sheet, "tag": tag, "body": body}
    shown = body.count("<blockquote")
    about = one.day.isoformat()
    return Answer(template="today", values=values, styles=styles, about=about, shown=shown)


def taken_apart(html: str) -> tuple[Markup, dict[str, str], Markup, list[str]]:
    """The sheet of a page of ours, the attributes and the inside of its body, every style in it."""
    tree = LexborHTMLParser(html)
    for node in tree.css("script, link, base, meta, iframe, object, embed"):
        node.decompose()  # there is none: a page that somebody has changed shows no more
    sheet = "\n".join(node.text() for node in tree.css("style"))
    body = tree.body
    if body is None:
        raise Stopped("unknown")
    tag = {k: str(v) for k, v in body.attributes.items() if k in ("class", "style") and v}
    styles = [sheet, *(str(n.attributes["style"]) for n in tree.css("[style]"))]
    inside = (body.html or "").partition(">")[2].rpartition("</body>")[0]
    return Markup(sheet), tag, Markup(inside), styles  # noqa: S704 - ours, escaped when made
