"""Digests, editions and crisis reports as their readers get them, and the archive of them.

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

_FILE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.([A-Za-z0-9-]{1,60}))?\.([a-z]{2})\.html")
_CRISIS = re.compile(r"crisis-([A-Za-z0-9]{1,8})-([A-Za-z0-9]+)")
_SHOWN = 400  # pages of the archive on one page


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A page that is kept: of which local day, of what kind, in which language, and where it is.

    `kind` is `day`, `week`, `month` or `crisis-<incident>-<horizon or moment>`.
    """

    day: date
    kind: str
    locale: str
    path: Path

    @property
    def name(self) -> str:
        """What its address calls it: `<day>`, or `<day>.<kind>`."""
        return f"{self.day}" if self.kind == "day" else f"{self.day}.{self.kind}"

    @property
    def row(self) -> str:
        """Pages of one row follow each other: those of a kind, the reports on one crisis."""
        found = _CRISIS.fullmatch(self.kind)
        return found[1] if found else self.kind


def today(visit: Visit) -> Answer:
    """The latest digest there is; a page that says so where there is none."""
    every = [each for each in _kept(visit) if each.kind == "day"]
    if not every:
        return Answer(template="today", values={"digest": None})
    return _shown(visit, every[0], every)


def digest(visit: Visit) -> Answer:
    """The digest of a day, an edition, or a crisis report."""
    every = _kept(visit)
    found = next((each for each in every if each.name == visit.path["name"]), None)
    if found is None:
        raise Stopped("unknown")
    return _shown(visit, found, [each for each in every if each.row == found.row])


def archive(visit: Visit) -> Answer:
    """Every page that is kept, the last first, by month."""
    months: dict[str, list[tuple[Kept, str]]] = {}
    for each in _kept(visit)[:_SHOWN]:
        months.setdefault(f"{each.day:%Y-%m}", []).append((each, _title(visit, each)))
    return Answer(template="archive", values={"months": months})


def _kept(visit: Visit) -> list[Kept]:
    """One page of each name, the last first: in the visitor's language where there is one."""
    folder = visit.settings.home / "digests"
    liked = [visit.w.locale, visit.settings.institution.locale, *LOCALES]
    found: dict[str, Kept] = {}
    for path in folder.glob("*.html") if folder.is_dir() else ():
        one = _read(path)
        other = found.get(one.name) if one else None
        if one and (other is None or liked.index(one.locale) < liked.index(other.locale)):
            found[one.name] = one
    return sorted(found.values(), key=lambda each: (each.day, each.kind), reverse=True)


def _read(path: Path) -> Kept | None:
    """What the name of a file says; None for a file that is none of ours."""
    match = _FILE.fullmatch(path.name)
    if match is None or match[3] not in LOCALES:
        return None
    try:
        day = date.fromisoformat(match[1])
    except ValueError:
        return None
    kind = match[2] or "day"
    known = kind in ("day", "week", "month") or _CRISIS.fullmatch(kind)
    return Kept(day=day, kind=kind, locale=match[3], path=path) if known else None


def _title(visit: Visit, one: Kept) -> str:
    """How a list calls a page."""
    w = visit.w
    if one.kind == "day":
        return w.week_day(one.day)
    if found := _CRISIS.fullmatch(one.kind):
        known = w.has(f"archive.{found[2]}")
        when = w.text(f"archive.{found[2]}") if known else w.text("archive.asked")
        return w.say("archive.crisis", day=w.week_day(one.day), when=when)
    return w.say(f"archive.{one.kind}", day=w.week_day(one.day), month=w.month(one.day))


def _shown(visit: Visit, one: Kept, every: list[Kept]) -> Answer:
    place = every.index(one)
    after = every[place - 1] if place else None
    before = every[place + 1] if place + 1 < len(every) else None
    try:
        html = one.path.read_text(encoding="utf-8")
    except OSError as error:
        raise Stopped("unknown") from error
    sheet, tag, body, styles = taken_apart(html)
    values: dict[str, Any] = {"digest": one, "title": _title(visit, one)}
    values |= {
        side: (each.name, _title(visit, each)) if each else None
        for side, each in (("before", before), ("after", after))
    }
    values |= {"sheet_of_digest": sheet, "tag": tag, "body": body}
    shown = body.count("<blockquote")
    about = one.name
    return Answer(template="today", values=values, styles=styles, about=about, shown=shown)


def taken_apart(html: str) -> tuple[Markup, dict[str, str], Markup, list[str]]:
    """The sheet of a page of ours, the attributes and the inside of its body, every style in it."""
    tree = LexborHTMLParser(html)
    for node in tree.css("script, link, base, meta, iframe, object, embed"):
        node.decompose()  # there is none: a page that somebody has changed shows no more
    for node in tree.css("[role=main]"):
        del node.attrs["role"]  # the board's page has a main part of its own
    sheet = "\n".join(node.text() for node in tree.css("style"))
    body = tree.body
    if body is None:
        raise Stopped("unknown")
    tag = {k: str(v) for k, v in body.attributes.items() if k in ("class", "style") and v}
    styles = [sheet, *(str(n.attributes["style"]) for n in tree.css("[style]"))]
    inside = (body.html or "").partition(">")[2].rpartition("</body>")[0]
    return Markup(sheet), tag, Markup(inside), styles  # noqa: S704 - ours, escaped when made
