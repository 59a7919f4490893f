"""A home of Belleroche whose every source is hostile: feeds, a Mastodon server, exports.

What people write bears `WORD`, what they are called bears `NAME`: neither may be found where no
person's text belongs. Everybody and everything here is invented.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import privacy
from tests.hostile.values import ESCAPE, FIGURES, FORMULAS, MOMENTS, TEXTS
from tests.pipelines.loopback import Answer, Asked, Peer, serving

WORD, NAME = "zorglubien", "zorgluberlu"
UNTIL = datetime(2026, 11, 20, 10, 25, tzinfo=UTC)
LABEL = "Ville\r\nBcc: tous@pisteur.example <script>alert(1)</script> \u202e[red]{{7*7}}[/]"
STATUS_COUNT = 120
LONG_TEXT, LONG_ID = 12, 2  # the numbers of a status of a megabyte and of one whose id is no id
HEADER = ["Date", "Réseau", "Lien", "Compte", "Texte", "Titre", "J'aime", "Identifiant", "Type"]


def said(number: int) -> str:
    """The text of number `number`: one of the hostile ones, on the subject, by a person."""
    return f"{TEXTS[number % len(TEXTS)]} Belleroche {WORD} {number} honte, danger, incendie"


def at(number: int) -> datetime:
    """When it was written: within the hour before the run ends."""
    return UNTIL - timedelta(seconds=20 * number + 30)


# Feeds


def _xml(text: str) -> str:
    """Text as XML can hold it; characters that it cannot are left to the JSON feed."""
    kept = "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
    return escape(kept, {"\r": "&#13;"})


def _item(number: int, text: str) -> str:
    return (
        f"<item><guid>{_xml(TEXTS[number % len(TEXTS)])} {number}</guid><title>{_xml(text)}</title>"
        f"<link>{_xml(TEXTS[-1 - number % len(TEXTS)])}</link><author>{NAME}{number}</author>"
        f"<pubDate>{at(number):%a, %d %b %Y %H:%M:%S} GMT</pubDate>"
        f"<description>{_xml(text)}</description></item>"
    )


def rss(items: str, *, head: str = '<?xml version="1.0" encoding="utf-8"?>') -> str:
    """A feed of items."""
    channel = f"<channel><title>Le Journal {_xml(ESCAPE)}</title>{items}</channel>"
    return f'{head}<rss version="2.0">{channel}</rss>'


def _laughs() -> str:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    doctype = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY e0 "{WORD}">{entities}]>'
    return rss("<item><guid>1</guid><title>Belleroche &e9;</title></item>", head=doctype)


def _outside(target: str) -> str:
    head = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "{target}">]>'
    return rss(f"<item><guid>1</guid><title>Belleroche {WORD} &x;</title></item>", head=head)


def _swollen(size: int) -> bytes:
    body = rss(_item(0, said(0)) + "<!--" + "a" * size + "-->")
    return gzip.compress(body.encode())


def _json_feed() -> bytes:
    moments = [*MOMENTS, *(at(n).isoformat() for n in range(len(TEXTS)))]
    items = [
        {
            "id": f"{TEXTS[n % len(TEXTS)]} {n}",
            "url": TEXTS[-1 - n % len(TEXTS)],
            "title": said(n),
            "content_html": said(n),
            "authors": [{"name": f"{NAME}{n}"}],
            "date_published": moment,
        }
        for n, moment in enumerate(moments)
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": items}
    return json.dumps(feed).encode() + b" "


JSON_COUNT = len(TEXTS)  # those whose date cannot be are left out of a first reading, and told


def _one(name: str) -> str:
    """An honest feed of one article, for encodings to spoil."""
    text = f"Séance du conseil à Belleroche, où {WORD} a parlé, déjà"
    return rss(
        f"<item><guid isPermaLink='false'>{name}</guid><title>{text}</title>"
        f"<pubDate>{at(5):%a, %d %b %Y %H:%M:%S} GMT</pubDate></item>"
    )


_XML = {"content-type": "application/rss+xml; charset=utf-8"}

# Name of the feed, its answer, how its reading ends, and how many posts it holds.
Feed = tuple[Callable[[str], Answer], str, int]


def _body(content: str | bytes, **headers: str) -> Callable[[str], Answer]:
    body = content.encode() if isinstance(content, str) else content
    sent = _XML | {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Answer(headers=sent, body=body)


def _moved(target: str) -> Callable[[str], Answer]:
    return lambda here: Answer(status=302, headers={"location": target.replace("{url}", here)})


FEEDS: Mapping[str, Feed] = {
    "texts": (_body(rss("".join(_item(n, said(n)) for n in range(60)))), "ok", 60),
    "json": (_body(_json_feed(), content_type="application/feed+json"), "ok", JSON_COUNT),
    "laughs": (_body(_laughs()), "failed", 0),
    "file_entity": (_body(_outside("file:///etc/passwd")), "failed", 0),
    "http_entity": (
        lambda here: _body(_outside(f"{here}/secret"))(here),
        "failed",
        0,
    ),
    "http_doctype": (
        lambda here: _body(
            rss(_item(12, said(12)), head=f'<!DOCTYPE rss SYSTEM "{here}/secret.dtd">')
        )(here),
        "ok",
        1,
    ),
    "latin_as_utf8": (_body(_one("latin_as_utf8").encode("iso-8859-15")), "ok", 1),
    "utf16_no_mark": (
        _body(_one("utf16_no_mark").replace("utf-8", "utf-16").encode("utf-16-le")),
        "ok",
        1,
    ),
    "windows_as_latin": (
        _body(
            _one("windows_as_latin")
            .replace("utf-8", "iso-8859-1")
            .replace("déjà", "l’eau à 3 €")
            .encode("cp1252"),
            content_type="application/xml",
        ),
        "ok",
        1,
    ),
    "cut_short": (_body(rss(_item(4, said(4)) + _item(5, said(5)))[:-150]), "ok", 3),
    "no_charset": (_body(_one("no_charset"), content_type="text/xml; charset=klingon"), "ok", 1),
    "too_large": (_body(rss("<!--" + "a" * (21 << 20) + "-->")), "failed", 0),
    "bomb": (_body(_swollen(64 << 20), content_encoding="gzip"), "failed", 0),
    "double_bomb": (
        _body(zlib.compress(_swollen(22 << 20)), content_encoding="deflate, gzip"),
        "failed",
        0,
    ),
    "page": (
        _body(
            f"<!doctype html><html><head><title>{WORD}</title><link rel=alternate "
            f'type="application/rss+xml" href="http://[::1{ESCAPE}"></head>{WORD}</html>'
        ),
        "failed",
        0,
    ),
    "noise": (_body(bytes(range(256)) * 40), "failed", 0),
    "nothing": (_body(b""), "failed", 0),
    "to_metadata": (_moved("http://169.254.169.254/latest/meta-data/"), "failed", 0),
    "to_file": (_moved("file:///etc/passwd"), "failed", 0),
    "to_itself": (_moved("{url}/feeds/to_itself"), "failed", 0),
    "to_header": (_moved("/feeds/x\u00ff \x01"), "failed", 0),
    "honest": (_body(_one("honest")), "ok", 1),
}


# Mastodon


def _status(number: int) -> dict[str, Any]:
    name = f"{NAME}{number}"
    long = number == LONG_ID
    text = said(number) + " a\u0301\u0316\u200d" * 250_000 * (number == LONG_TEXT)
    return {
        "id": str(((int(at(number).timestamp() * 1000)) << 16) + number),
        "uri": f"https://quais.example/s/{TEXTS[number % len(TEXTS)]}{number}" + "/" * long * 2_000,
        "url": TEXTS[-1 - number % len(TEXTS)],
        "created_at": at(number).isoformat(),
        "content": f"<p>{text}</p>" if number % 2 else f"<p>{escape(text)}</p>",
        "spoiler_text": TEXTS[number % len(TEXTS)] + WORD if number % 5 == 0 else "",
        "visibility": "public",
        "language": TEXTS[number % len(TEXTS)] if number % 7 == 0 else "fr",
        "account": {
            "acct": name,
            "uri": f"https://quais.example/users/{name}",
            "display_name": text,
        },
        "favourites_count": FIGURES[number % 7] if number % 3 == 0 else number,
        "reblogs_count": number % 50,
        "replies_count": 1,
        "tags": [{"name": TEXTS[number % len(TEXTS)]}],
        "mentions": [{"acct": TEXTS[number % len(TEXTS)]}],
        "media_attachments": [],
    }


def _timeline(query: Mapping[str, list[str]]) -> Answer:
    statuses = sorted((_status(n) for n in range(STATUS_COUNT)), key=lambda s: -int(s["id"]))
    least = int(query.get("min_id", ["0"])[0])
    page = [s for s in statuses if int(s["id"]) > least][-40:] if least else statuses[:40]
    return Answer(headers={"content-type": "application/json"}, body=json.dumps(page).encode())


# Exports


def _rows() -> list[list[Any]]:
    rows: list[list[Any]] = []
    for number in range(2 * len(TEXTS)):
        odd = TEXTS[number % len(TEXTS)]
        link = odd if number % 2 else f"https://reseau.example/{number}"
        native_id = f"{odd} {number}" if number % 3 == 0 else f"n{number}"
        moment = MOMENTS[number % len(MOMENTS)] if number % 10 == 0 else f"{at(number):%F %TZ}"
        likes = FIGURES[number % len(FIGURES)]
        kind = f"Facebook private message {WORD}" if number % 20 == 7 else odd
        title = odd if number % 4 == 0 else ""
        rows.append(
            [moment, odd, link, f"{NAME}{number}", said(number), title, likes, native_id, kind]
        )
    return rows


def write_exports(inbox: Path) -> int:
    """Exports of every form, some that are none, under names made to harm; how many rows."""
    inbox.mkdir(parents=True)
    rows = _rows()
    with (inbox / "[bold]a[red]\n\x1b[31m=cmd.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([HEADER, *rows])
    _as_lines(inbox / "b; drop table mention; --.jsonl", rows)
    _as_parquet(inbox / "c.parquet", rows)
    _as_workbook(inbox / "d.xlsx")
    Path(os.fsdecode(os.fsencode(inbox) + b"/k\xff.csv")).write_text(f"Date;Texte\n;{WORD}\n")
    (inbox / "e.csv").write_bytes(b"\x00\xff" * 500)
    (inbox / "f.xlsx").write_bytes(b"PK\x03\x04" + WORD.encode())
    (inbox / "g.csv.gz").write_bytes(b"\x1f\x8b\x08\x00" + WORD.encode())
    (inbox / "h.jsonl").write_text(f'{{"Texte": "{WORD}"' * 1_000)
    (inbox / "i.parquet").write_bytes(b"PAR1" + WORD.encode() + b"PAR1")
    (inbox / "j.json").write_text("[" * 100_000)
    return 3 * len(rows) + 2


def _as_lines(path: Path, rows: list[list[Any]]) -> None:
    """JSON lines with what JSON can hold and a spreadsheet cannot; two lines that are no row."""
    shapes: list[Any] = [[], {}, [1, "a"], {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}, True]
    lines = []
    for number, row in enumerate(rows):
        record = dict(zip(HEADER, row, strict=True)) | {"Date": f"{at(number):%F %TZ}"}
        record |= {"J'aime": shapes[number % 5], "Identifiant": f"l{number}"}
        record["Texte"] = f"l{number} {said(number)}"
        lines.append(json.dumps(record, allow_nan=False))
    lines += [f'{{"Texte": "\\ud800 {WORD}"}}', f'["{WORD}"]']
    path.write_text("\n".join(lines), encoding="utf-8")


def _as_parquet(path: Path, rows: list[list[Any]]) -> None:
    columns = {name: [str(row[place]) for row in rows] for place, name in enumerate(HEADER)}
    columns["Identifiant"] = [f"p{number}" for number in range(len(rows))]
    columns["Texte"] = [f"p{number} {row[4]}" for number, row in enumerate(rows)]
    pq.write_table(pa.table(columns), path)


def _as_workbook(path: Path) -> None:
    """A workbook with a formula, and with a person's words in a cell that claims to be a number."""
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    for number, formula in enumerate(FORMULAS):
        book.active.append([f"{at(number):%F %TZ}", "", "", NAME, f"{formula} {said(number)}"])
    book.active["G2"] = 5
    book.save(path)
    _replace_in(path, "xl/worksheets/sheet1.xml", b"<v>5</v>", f"<v>{WORD}</v>".encode())


def _replace_in(path: Path, part: str, old: bytes, new: bytes) -> None:
    import zipfile

    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    assert old in parts[part]
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content.replace(old, new) if name == part else content)


# The home


def _answered(asked: Asked, url: Callable[[], str]) -> Answer:
    parts = urlsplit(asked.path)
    if parts.path.startswith("/feeds/"):
        name = parts.path.removeprefix("/feeds/")
        return FEEDS[name][0](url()) if name in FEEDS else Answer(status=404)
    if parts.path.startswith("/api/v1/timelines/tag/"):
        return _timeline(parse_qs(parts.query))
    return Answer(status=404, body=f"{WORD} {ESCAPE}".encode())


@contextmanager
def hostile_server() -> Iterator[Peer]:
    """Feeds under /feeds and a Mastodon server, on loopback."""
    found: list[Peer] = []
    with serving(lambda asked: _answered(asked, lambda: found[0].url)) as peer:
        found.append(peer)
        yield peer


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=True)


def write_home(home: Path, *, url: str, smtp_port: int) -> None:
    """The home of an institution whose settings are odd, too: its label holds line ends."""
    feeds = "".join(
        f'\n[[sources]]\nname = "{name}"\nkind = "feed"\nurl = "{url}/feeds/{name}"\n'
        'network = "forum"\n'
        for name in FEEDS
    )
    columns = dict(zip(
        ("published_at", "network", "url", "author_handle", "text", "title", "like_count",
         "native_id", "content_type"), HEADER, strict=True,
    ))  # fmt: skip
    mapped = "".join(f"{field} = {_toml(column)}\n" for field, column in columns.items())
    text = f"""
[institution]
id = "belleroche"
name = {_toml("Belleroche " + LABEL)}
kind = "commune"
legal_basis = {_toml("délibération 12 " + LABEL)}

[[subjects]]
id = "ville"
label = {_toml(LABEL)}
purpose = "Répondre aux habitants."
names = ["Belleroche"]
hashtags = ["belleroche"]
{feeds}
[[sources]]
name = "mastodon"
kind = "mastodon"
instance = "{url}"

[[sources]]
name = "exports"
kind = "file"
path = "inbox"

[sources.columns]
{mapped}
[[recipients]]
name = {_toml(LABEL)}
email = "astreinte@belleroche.example"
role = "moderator"
gets = ["alerts", "digest", "failures"]

[[rota]]
email = "astreinte@belleroche.example"
from_on = 2026-11-01
to_on = 2026-12-31

[mail]
host = "127.0.0.1"
port = {smtp_port}
security = "none"
sender = "vigie@belleroche.example"

[net]
allow_private = ["127.0.0.1"]
"""
    home.mkdir(parents=True)
    (home / "vigie.toml").write_text(text, encoding="utf-8")
    privacy.new_key(home)
