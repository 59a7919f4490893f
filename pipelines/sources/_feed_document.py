"""Reads a feed's bytes: charset, safety, then RSS, Atom or JSON Feed into one kind of entry.

Pure: no network, no clock. The bytes are a stranger's, so the order matters: they become text
first (no encoding can then hide a declaration), entities and deep nesting are refused before
anything expands them (defusedxml), and only then feedparser reads. What is slightly broken (a bare
`&`, an HTML entity without its DTD) is mended; what is broken further is read as far as it goes
and said so.

Costs about two seconds a megabyte of small entries, twice that for broken XML. Known gap: of a
document that breaks off, the last entry may be half an entry; it is marked as cut.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html.entities import html5
from typing import Any
from urllib.parse import urljoin
from xml.sax import ErrorHandler, SAXParseException
from xml.sax.handler import ContentHandler

import charset_normalizer
import defusedxml.sax
import feedparser
from defusedxml.common import DefusedXmlException
from selectolax.lexbor import LexborHTMLParser

from pipelines import plaintext
from pipelines.errors import SourceError
from pipelines.mention import TextFormat
from pipelines.said import Said, say

_DEPTH_LIMIT = 256
_LOOSE_DEPTH_LIMIT = 20_000  # unclosed <br> of broken feeds count too; 100,000 take seconds
_NAMESPACE_LIMIT = 500  # feedparser takes the square of their number: 30,000 are half a minute
_BASE_LIMIT = 2_000  # characters of an address that every link of the document is joined to
_CROWDED = re.compile(  # 300 attributes in one tag, whose square it takes as well
    r"<[A-Za-z][^\s<>/\"']*+(?:\s*+[^\s<>=/\"']++\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+')){300}"
)
_LONG_BASE = re.compile(rf"xml:base\s*=\s*[\"'][^\"']{{{_BASE_LIMIT}}}")
_NAMESPACE = re.compile(r"\bxmlns:([\w.\-]+)")
_SAMPLE_BYTES = 65_536
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0?\0", "utf-16-le"),
    (b"\0<\0?", "utf-16-be"),
)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_DECLARED = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)[\"']")
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_NUMBERED = re.compile(r"&#(?:(\d{1,10})|[xX]([0-9A-Fa-f]{1,8}));")
_BARE = re.compile(r"&(?!#\d{1,7};|#[xX][0-9A-Fa-f]{1,6};|(?:amp|lt|gt|quot|apos);)")
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[<>]*>", re.IGNORECASE)  # one without an internal subset
_CDATA = re.compile(r"(<!\[CDATA\[.*?(?:\]\]>|\Z))", re.DOTALL)
_CLOSED = re.compile(r"</(?:[\w-]+:)?(?:rss|feed|RDF|channel)\s*>\s*(?:<!--.*?-->\s*)*$", re.DOTALL)
_HTML_PAGE = re.compile(
    r"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+)?html\b", re.I | re.S
)
_JSON_FEED = "https://jsonfeed.org/version/"


class Unreadable(SourceError):
    """A document that is no feed we read: `reason` is the code of a rejection."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text as the feed has it, and whether it is HTML."""

    value: str
    format: TextFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as the feed has it; dates are as written; links are absolute where they can be."""

    guid: str | None = None
    link: str | None = None
    title: str | None = None
    summary: Text | None = None
    content: Text | None = None
    published: str | None = None
    updated: str | None = None
    author: str | None = None
    origin: str | None = None  # the site of an entry that a collection of feeds passes on
    origin_title: str | None = None  # how that collection calls the site
    lang: str | None = None
    parent: str | None = None
    reply_count: int | None = None
    media_types: tuple[str, ...] = ()
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """An entry that the feed says is gone (RFC 6721): its id and when, as written."""

    guid: str
    when: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A feed: its title and language, its entries in its own order, and what was wrong with it."""

    title: str | None
    lang: str | None
    entries: tuple[Entry, ...]
    tombstones: tuple[Tombstone, ...] = ()
    fault: str | None = None


def read(body: bytes, *, url: str, headers: Mapping[str, str]) -> Document:
    """The feed that `body` is; Unreadable with a reason when it is none or not safe to read."""
    text = decoded(body, headers.get("content-type", ""))
    if not text.strip():
        raise Unreadable("empty", say("the document is empty: check the address of the feed"))
    if text.lstrip()[:1] in {"{", "["}:
        return _read_json(text)
    if _HTML_PAGE.match(text[:2000]):
        raise Unreadable("html_page", _not_a_feed(text, url))
    return _read_xml(text, url, headers.get("content-language"))


def decoded(body: bytes, content_type: str) -> str:
    """The document as text: byte order mark, then UTF-8 if it is, then what is declared.

    UTF-8 goes before the declaration because text of another charset almost never happens to be
    valid UTF-8, while feeds that declare ISO-8859-1 and send UTF-8 are common.
    """
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body.decode(encoding, errors="replace").lstrip("\ufeff")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return _decoded_otherwise(body, content_type)


def _decoded_otherwise(body: bytes, content_type: str) -> str:
    mostly_utf8 = body.decode("utf-8", errors="replace")
    if _is_mostly_utf8(mostly_utf8):
        return mostly_utf8
    for encoding in _candidates(body, content_type):
        try:
            return body.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    best = charset_normalizer.from_bytes(body[:_SAMPLE_BYTES]).best()
    return body.decode(best.encoding if best else "cp1252", errors="replace")


def _is_mostly_utf8(text: str) -> bool:
    """Whether more letters beyond ASCII were read than lost: a fault or two, not a charset."""
    lost = text.count("\ufffd")
    beyond = sum(1 for c in text if c > "\x7f") - lost
    return beyond > 4 * lost


def _candidates(body: bytes, content_type: str) -> Iterator[str]:
    """The charsets to try: declared by HTTP, then by XML; windows-1252 for a lie about Latin."""
    by_http = re.search(r"charset=\s*[\"']?([\w.:-]+)", content_type)
    by_xml = _DECLARED.match(body[:1000])
    said = [by_http[1] if by_http else "", by_xml[1].decode() if by_xml else ""]
    has_c1 = re.search(rb"[\x80-\x9f]", body) is not None
    for name in filter(None, said):
        is_latin = re.fullmatch(r"(?i)(iso[-_]?8859[-_]?\d+|latin[-_]?\d|us-ascii|ascii)", name)
        yield "cp1252" if is_latin and (has_c1 or "59-1" in name[-4:]) else name
    yield "cp1252"


def _not_a_feed(text: str, url: str) -> Said:
    """What to tell about a web page, with the feed that it names, if it names one."""
    for node in LexborHTMLParser(text[:_SAMPLE_BYTES]).css("link[rel~=alternate][href]"):
        is_feed = re.search(r"(?:rss|atom|feed)\+?", node.attributes.get("type") or "")
        named = _address(url, node.attributes.get("href") or "") if is_feed else None
        if named:
            return say(
                "the address is that of a web page, not of a feed: the page names {named}",
                named=named,
            )
    return say(
        "the address is that of a web page, not of a feed: set the address of the feed itself"
    )


def _address(page: str, link: str) -> str | None:
    """Where a link of a page leads, as it may be printed; None for what is no address."""
    try:
        return plaintext.canonical_url(urljoin(page, link))
    except ValueError:
        return None


# XML


def _read_xml(text: str, url: str, lang: str | None) -> Document:
    text = _NOT_XML.sub(" ", _DECLARATION.sub("", text, count=1))
    _check_swelling(text)
    text, fault, tombstones = _checked(text)
    found = _parsed(text, url, lang)
    if not found["entries"] and not found["version"]:
        raise Unreadable("not_a_feed", say("the document is not RSS, Atom or JSON Feed: check it"))
    entries = [_entry(entry) for entry in found["entries"]]
    if entries and fault and not _CLOSED.search(text[-2000:]):
        entries[-1] = replace(entries[-1], is_cut=True)
    return Document(
        title=_title(found["feed"]),
        lang=_string(found["feed"].get("language")),
        entries=_with_honest_guids(entries),
        tombstones=tombstones,
        fault=fault,
    )


def _check_swelling(text: str) -> None:
    is_crowded = _CROWDED.search(text) or _LONG_BASE.search(text)
    if is_crowded or len(set(_NAMESPACE.findall(text))) > _NAMESPACE_LIMIT:
        raise Unreadable(
            "swollen",
            say(
                "the document has more attributes, namespaces or a longer xml:base than a feed "
                "needs, which take hours to read: it is refused"
            ),
        )


def _parsed(text: str, url: str, lang: str | None) -> Any:
    """What feedparser makes of it; a stream, since it would open a string as a file or a URL."""
    headers = {"content-type": "application/xml; charset=utf-8"}
    headers |= {"content-location": url} if len(url) <= _BASE_LIMIT else {}
    try:
        return feedparser.parse(
            io.BytesIO(b'<?xml version="1.0" encoding="utf-8"?>' + text.encode()),
            response_headers=headers | ({"content-language": lang} if lang else {}),
            resolve_relative_uris=True,
            sanitize_html=False,
        )
    except Exception as error:
        raise Unreadable(
            "unreadable",
            say("the document cannot be read ({why}): ask its owner", why=type(error).__name__),
        ) from error


def _checked(text: str) -> tuple[str, str | None, tuple[Tombstone, ...]]:
    """The text, mended if need be, its first fault if it still has one, and its tombstones."""
    prolog = re.split(r"<[A-Za-z]", text, maxsplit=1)[0]
    if re.search(r"<!ENTITY", prolog, re.IGNORECASE):
        raise _entities_refused()
    text = _DOCTYPE.sub("", prolog, count=1) + text[len(prolog) :]
    fault, tombstones = _walked(text)
    if fault is None:
        return text, None, tombstones
    mended = _mended(text)
    again, tombstones = _walked(mended)
    if again is not None and _loose_depth(mended) > _LOOSE_DEPTH_LIMIT:
        raise _depth_refused()
    return mended, again, tombstones


def _entities_refused() -> Unreadable:
    return Unreadable(
        "xml_entities",
        say(
            "the document declares XML entities, which can swell without end or read files: it is "
            "refused; ask its owner for a feed without them"
        ),
    )


def _depth_refused() -> Unreadable:
    return Unreadable("too_deep", say("the document nests too deep for a feed: it is refused"))


def _mended(text: str) -> str:
    """The text with HTML's named entities as characters and bare ampersands escaped."""
    parts = _CDATA.split(text)
    for at in range(0, len(parts), 2):
        known = _NUMBERED.sub(_numbered, _NAMED.sub(_character, parts[at]))
        parts[at] = _BARE.sub("&amp;", known)
    return "".join(parts)


def _numbered(reference: re.Match[str]) -> str:
    """The reference, or the replacement character where XML has no such character."""
    code = int(reference[1]) if reference[1] else int(reference[2], 16)
    is_one = code <= 0x10FFFF and not _NOT_XML.match(chr(code))
    return reference[0] if is_one else "\ufffd"


def _character(named: re.Match[str]) -> str:
    meant = html5.get(f"{named[1]};", "")
    return named[0] if not meant or any(c in "<>&\"'" for c in meant) else meant


def _loose_depth(text: str) -> int:
    opened = len(re.findall(r"<[A-Za-z]", text))
    return opened - len(re.findall(r"</|/>", text))


class _Walk(ContentHandler, ErrorHandler):
    """Counts the depth and gathers tombstones; stops at the first fault."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.tombstones: list[Tombstone] = []

    def startElement(self, name: str, attrs: Any) -> None:  # noqa: N802 - SAX's own name
        self.depth += 1
        if self.depth > _DEPTH_LIMIT:
            raise _depth_refused()
        if name.split(":")[-1] == "deleted-entry" and attrs.get("ref"):
            self.tombstones.append(Tombstone(guid=attrs["ref"], when=attrs.get("when")))

    def endElement(self, name: str) -> None:  # noqa: N802, ARG002 - SAX's own name
        self.depth -= 1


def _walked(text: str) -> tuple[str | None, tuple[Tombstone, ...]]:
    """The first fault of the XML, if any, and its tombstones; Unreadable when it is not safe."""
    walk = _Walk()
    try:
        defusedxml.sax.parseString(text.encode(), walk, walk)
    except DefusedXmlException as error:
        raise _entities_refused() from error
    except SAXParseException as error:
        return f"line {error.getLineNumber()}: {error.getMessage()}", tuple(walk.tombstones)
    return None, tuple(walk.tombstones)


def _entry(found: Any) -> Entry:
    """One entry of feedparser's; `dict.get` because its own makes up an update from a date."""
    contents = [_text(each) for each in dict.get(found, "content", ())]
    parent = dict.get(found, "thr_in-reply-to")
    author = dict.get(found, "author_detail") or {}
    return Entry(
        guid=_string(dict.get(found, "id")),
        link=_string(dict.get(found, "link")),
        title=_title(found),
        summary=_text(dict.get(found, "summary_detail")),
        content=max(filter(None, contents), key=lambda text: len(text.value), default=None),
        published=_string(dict.get(found, "published") or dict.get(found, "created")),
        updated=_string(dict.get(found, "updated")),
        author=_string(author.get("name")) or _string(dict.get(found, "author")),
        origin=_string((dict.get(found, "source") or {}).get("href")),
        origin_title=_string((dict.get(found, "source") or {}).get("title")),
        lang=_language(found),
        parent=_string(parent.get("ref")) if isinstance(parent, dict) else None,
        reply_count=_count(dict.get(found, "thr_total") or dict.get(found, "slash_comments")),
        media_types=_media(found),
    )


def _text(detail: Any) -> Text | None:
    value = _string(detail.get("value")) if isinstance(detail, dict) else None
    if value is None:
        return None
    return Text(value=value, format="plain" if detail.get("type") == "text/plain" else "html")


def _title(found: Any) -> str | None:
    """A title in plain text: titles hold markup and entities more often than they should."""
    text = _text(dict.get(found, "title_detail"))
    if text is None:
        return None
    return _string(" ".join(plaintext.plain(text.value, text.format)[0].split()))


def _language(found: Any) -> str | None:
    details = (dict.get(found, name) or {} for name in ("title_detail", "summary_detail"))
    return _string(dict.get(found, "language")) or next(
        filter(None, (_string(detail.get("language")) for detail in details)), None
    )


def _media(found: Any) -> tuple[str, ...]:
    links = [link for link in dict.get(found, "links", ()) if link.get("rel") == "enclosure"]
    return _kinds([*links, *dict.get(found, "media_content", ())])


def _kinds(media: Any) -> tuple[str, ...]:
    """The kinds of media (image, video, audio) among MIME types, each once, in order."""
    mimes = (str(each.get("type") or "") for each in media if isinstance(each, dict))
    kinds = (mime.split("/")[0] for mime in mimes)
    return tuple(dict.fromkeys(k for k in kinds if k in {"image", "video", "audio"}))


def _with_honest_guids(entries: list[Entry]) -> tuple[Entry, ...]:
    """The entries, without the guids that a careless feed gives to several different links."""
    links = Counter(guid for guid, _ in {(e.guid, e.link) for e in entries if e.guid})
    return tuple(
        replace(e, guid=None) if e.link and links[e.guid or ""] > 1 else e for e in entries
    )


# JSON


def _read_json(text: str) -> Document:
    """A JSON Feed, version 1 or 1.1 (https://www.jsonfeed.org/version/1.1/)."""
    try:
        found = json.loads(_NOT_XML.sub(" ", text))
    except (ValueError, RecursionError) as error:
        raise Unreadable(
            "broken_json",
            say("the document starts like JSON and breaks off: the next run tries again"),
        ) from error
    version = found.get("version") if isinstance(found, dict) else None
    items = found.get("items") if isinstance(found, dict) else None
    if not str(version).startswith(_JSON_FEED) or not isinstance(items, list):
        raise Unreadable(
            "not_a_feed", say("the document is JSON but no JSON Feed: check the address")
        )
    known = [item for item in items if isinstance(item, dict)]
    odd = len(items) - len(known)
    return Document(
        title=_string(found.get("title")),
        lang=_string(found.get("language")),
        entries=_with_honest_guids([_json_entry(item) for item in known]),
        fault=f"{odd} items are not objects" if odd else None,
    )


def _json_entry(item: dict[str, Any]) -> Entry:
    markup, plain = _string(item.get("content_html")), _string(item.get("content_text"))
    content = Text(value=markup, format="html") if markup else None
    content = content or (Text(value=plain, format="plain") if plain else None)
    summary = _string(item.get("summary"))
    attachments = item.get("attachments")
    return Entry(
        guid=_identifier(item.get("id")),
        link=_string(item.get("url")) or _string(item.get("external_url")),
        title=_string(item.get("title")),
        summary=Text(value=summary, format="plain") if summary else None,
        content=content,
        published=_string(item.get("date_published")),
        updated=_string(item.get("date_modified")),
        author=_json_author(item),
        lang=_string(item.get("language")),
        media_types=_kinds({"type": a.get("mime_type")} for a in attachments if isinstance(a, dict))
        if isinstance(attachments, list)
        else (),
    )


def _json_author(item: dict[str, Any]) -> str | None:
    authors = item.get("authors")
    first = authors[0] if isinstance(authors, list) and authors else item.get("author")
    return _string(first.get("name")) if isinstance(first, dict) else None


def _identifier(value: Any) -> str | None:
    """An id; JSON Feed asks readers to take numbers as text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return _string(value)


def _string(value: Any) -> str | None:
    """The text, trimmed and free of half surrogate pairs; None for what is none or empty."""
    if not isinstance(value, str):
        return None
    return value.strip().encode("utf-8", "replace").decode() or None


def _count(value: Any) -> int | None:
    return (
        int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value.strip()) else None
    )
