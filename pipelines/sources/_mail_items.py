"""Reads a mail (RFC 5322) for what it tells of: the links of an alert or newsletter, with titles.

Pure: no network, no clock, and nothing in a mail is ever opened. Google Alerts carry their items
as data, which is read first; of any other mail, each link whose words read as a title is an item,
with the words around it as its excerpt. Links that only pass a reader on are taken back to where
they lead (`https://www.google.com/url?url=…`); links made for one reader are left out, the title
stays.

Known gaps: what a mail says without a link; a button ("Lire la suite") beside a title without
link is no title; which medium an opaque link leads to.
"""

from __future__ import annotations

import email
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError, MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from pipelines import plaintext
from pipelines.sources import _values as values
from pipelines.sources._feed_document import decoded

ITEM_LIMIT = 200  # items of one mail
_PART_LIMIT = 100
_HEADER_LIMIT = 2_000  # characters of a header that are read
_TAG_LIMIT = 8_000  # newsletters have some thousands; lexbor takes the square where they nest
# A type of so many parameters takes the square of their number to read: 150,000 are five seconds.
_SWOLLEN = re.compile(rb"(?im)^content-[a-z-]{1,40}:(?:[^\r\n]|\r?\n[ \t]){10000}")
_TITLE = range(20, 301)  # characters of what reads as a title
_TITLE_WORDS = 3
_EXCERPT = 1_000
_CLIMB = 5  # elements around a link that are looked at for its excerpt
_TARGETS = ("url", "u", "q", "target", "link", "redirect", "dest", "destination", "to")
_SHARING = re.compile(
    r"(?:facebook\.com/sharer|(?:twitter|x)\.com/(?:intent|share)|linkedin\.com/share|whatsapp|"
    r"t\.me/share|pinterest\.|google\.com/alerts)",
    re.IGNORECASE,
)
_NAVIGATION = re.compile(
    r"d[ée]s?(?:abonn|inscri)|unsubscri|pr[ée]f[ée]rences|preferences|view (?:this|in|it)|"
    r"voir (?:toutes|tous|plus)|(?:voir|lire|ouvrir)\b.{0,40}\b(?:en ligne|navigateur)|"
    r"version en ligne|"
    r"mentions l[ée]gales|confidentialit|privacy|conditions g[ée]n|cr[ée]er une alerte|"
    r"g[ée]rer (?:vos|mes|cette)|modifier (?:vos|mes|cette|l)|signaler|flag as irrelevant|"
    r"see more results|afficher (?:plus|davantage)|all rights reserved|nous contacter|contact us",
    re.IGNORECASE,
)
_QUOTATION = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_COMMENT = re.compile(r"\([^()]*\)")
_SLUG = re.compile(r"\w{1,24}[-_]")  # words of a title, as addresses hold them
_FOR_ONE_READER = re.compile(r"[A-Za-z0-9_\-=%.]{40,}")  # what is left after the slug: a token
_ADDRESS = re.compile(r"https?://[^\s<>\"')\]]+")


class UnreadableMail(ValueError):
    """A mail that cannot be read: `reason` is the code of a rejection."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that a mail tells of: title, excerpt, and where it is, if that can be said."""

    title: str
    excerpt: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail: who sent it (in lower case), when, and what it tells of."""

    sender: str
    sent_at: datetime | None
    items: tuple[Item, ...]


def sender_of(headers: bytes) -> str:
    """The address in `From`, in lower case; empty when there is none."""
    return _sender(email.message_from_bytes(headers))


def is_signed(headers: bytes, *, domain: str, by: str) -> bool:
    """Whether the server `by` says (RFC 8601) that the domain's own signature (DKIM) was sound."""
    message = email.message_from_bytes(headers)
    for said in message.get_all("Authentication-Results", [])[:20]:
        server, _, results = _unquoted(str(said)[:_HEADER_LIMIT]).partition(";")
        if server.strip().partition(" ")[0].lower() != by.lower():
            continue
        for result in results.split(";"):
            found = re.search(r"header\.(?:d|i)=@?([\w.-]+)", result)
            is_sound = re.match(r"\s*dkim\s*=\s*pass\b", result, re.IGNORECASE)
            if is_sound and found and _is_of(domain, found[1].lower()):
                return True
    return False


def _unquoted(header: str) -> str:
    """A header without its quotations and comments, in which a sender may have words of its own:
    an envelope address `"; dkim=pass header.d=…"@…` is no result. An open one ends the header.
    """
    bare = _QUOTATION.sub(" ", header)
    while (inner := _COMMENT.sub(" ", bare)) != bare:
        bare = inner
    return " ".join(re.split(r'["(]', bare, maxsplit=1)[0].split())


def _is_of(domain: str, signer: str) -> bool:
    return domain == signer or domain.endswith("." + signer)


def read(raw: bytes) -> Mail:
    """What a mail says; UnreadableMail when it is none."""
    if _SWOLLEN.search(raw):
        raise UnreadableMail("swollen", "a header of the mail is longer than any mail needs")
    try:
        message = email.message_from_bytes(raw)
        parts = list(_texts(message))
    except (MessageError, LookupError, ValueError, RecursionError) as error:
        raise UnreadableMail("unreadable_mail", f"{type(error).__name__} in its MIME") from error
    if not parts:
        raise UnreadableMail("no_text", "no part of the mail is text")
    items = list(_items(parts))
    return Mail(
        sender=_sender(message),
        sent_at=_sent_at(message),
        items=tuple({_key(item): item for item in reversed(items)}.values())[::-1][:ITEM_LIMIT],
    )


def _key(item: Item) -> str:
    return item.url or item.title.casefold()


def _sender(message: Message) -> str:
    """The address, read before encoded words are: a name may hold commas, and another address."""
    said = " ".join(str(message.get("From") or "")[:_HEADER_LIMIT].split())
    return parseaddr(said)[1].strip().lower()


def _header(message: Message, name: str) -> str:
    """A header in plain characters, its encoded words read; empty when it cannot be."""
    said = str(message.get(name) or "")[:_HEADER_LIMIT]
    try:
        return " ".join(str(make_header(decode_header(said))).split())
    except (HeaderParseError, LookupError, ValueError):
        return ""


def _sent_at(message: Message) -> datetime | None:
    try:
        at = parsedate_to_datetime(_header(message, "Date"))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _texts(message: Message) -> Iterator[tuple[str, str]]:
    """The texts of a mail that a reader sees, each with its kind (html, plain)."""
    for count, part in enumerate(message.walk()):
        if count >= _PART_LIMIT:
            return
        kind = part.get_content_type()
        is_shown = part.get_content_disposition() != "attachment"
        if kind not in ("text/html", "text/plain") or not is_shown or part.is_multipart():
            continue
        body = part.get_payload(decode=True)
        if isinstance(body, bytes):
            text = decoded(body, f"charset={part.get_content_charset() or ''}")
            yield kind.removeprefix("text/"), text


def _items(parts: list[tuple[str, str]]) -> Iterator[Item]:
    """The items of the HTML, as data or as links; of the plain text when there is no HTML."""
    pages = [text for kind, text in parts if kind == "html" and text.count("<") <= _TAG_LIMIT]
    for page in pages:
        tree = LexborHTMLParser(page)
        told = list(_from_data(tree))
        yield from told or _from_links(tree)
    if not pages:
        for kind, text in parts:
            if kind == "plain":
                yield from _from_lines(text)


# Items as data: Google Alerts


def _from_data(tree: LexborHTMLParser) -> Iterator[Item]:
    """The items that Google Alerts carry for mail programs (`inboxmarkup`)."""
    for node in tree.css('script[data-scope="inboxmarkup"]'):
        try:
            found = json.loads(html.unescape(node.text() or ""))
        except (ValueError, RecursionError):
            continue
        for card in values.items(values.mapping(found).get("cards"))[:ITEM_LIMIT]:
            for widget in values.items(values.mapping(card).get("widgets"))[:ITEM_LIMIT]:
                if item := _of_widget(values.mapping(widget)):
                    yield item


def _of_widget(widget: dict[str, Any]) -> Item | None:
    title = _line(values.string(widget.get("title")) or "", limit=300)
    address = values.web_address(widget.get("url"))
    if not title or not address:
        return None
    excerpt = _line(values.string(widget.get("description")) or "", limit=_EXCERPT)
    return Item(title=title, excerpt=excerpt, url=target(address))


# Items as links


def _from_links(tree: LexborHTMLParser) -> Iterator[Item]:
    """Each link whose words read as a title; of several to one place the longest words."""
    best: dict[str, tuple[str, LexborNode]] = {}
    for node in tree.css("a[href]")[: 10 * ITEM_LIMIT]:
        address = values.web_address(node.attributes.get("href"))
        title = _line(node.text(deep=True, separator=" "), limit=400)
        if address is None or not _is_title(title) or _SHARING.search(address):
            continue
        place = target(address) or address
        if len(title) > len(best.get(place, ("",))[0]):
            best[place] = (title, node)
    for place, (title, node) in best.items():
        url = target(place)
        yield Item(title=title, excerpt=_around(node, title), url=url)


def _is_title(words: str) -> bool:
    """Whether the words of a link read as a title: not an address, not a button."""
    is_long = len(words) in _TITLE and len(words.split()) >= _TITLE_WORDS
    return is_long and not _ADDRESS.match(words) and not _NAVIGATION.search(words)


def _around(node: LexborNode, title: str) -> str:
    """The words around a link, as far out as no other title stands among them."""
    said = ""
    parent = node.parent
    for _ in range(_CLIMB):
        if parent is None or parent.tag in ("body", "html"):
            break
        titles = {_line(a.text(deep=True, separator=" "), limit=400) for a in parent.css("a[href]")}
        if any(_is_title(other) and other != title for other in titles):
            break
        said = parent.text(deep=True, separator=" ")
        parent = parent.parent
    return _line(said, limit=_EXCERPT + len(title)).replace(title, "", 1).strip()[:_EXCERPT]


def _from_lines(text: str) -> Iterator[Item]:
    """Of a mail without HTML: each address, with the line before it as its title."""
    before = ""
    for line in text.splitlines()[:5_000]:
        found = _ADDRESS.search(line[:2_000])
        words = _line(_ADDRESS.sub(" ", line[:2_000]).strip(" <>-*:"), limit=300)
        title = words if _is_title(words) else before
        if found and _is_title(title) and not _SHARING.search(found[0]):
            yield Item(title=title, excerpt="", url=target(found[0].rstrip(".,;")))
            before = ""
        elif words:
            before = words


def target(address: str) -> str | None:
    """Where a link of a mail leads, in canonical form; None for one made for a single reader."""
    for _ in range(3):
        within = _within(address)
        if within is None:
            break
        address = within
    try:
        parts = urlsplit(address)
    except ValueError:  # brackets that are no address
        return None
    token = "/".join(p for p in (parts.path, parts.query) if p)
    if _FOR_ONE_READER.search(_SLUG.sub("", token)):
        return None
    return plaintext.canonical_url(address)


def _within(address: str) -> str | None:
    """The address that a link carries to where it really leads, if it carries one."""
    try:
        pairs = parse_qsl(urlsplit(address).query, max_num_fields=50)
    except ValueError:
        return None
    found = (value for name, value in pairs if name.lower() in _TARGETS)
    return next((value for value in found if values.web_address(value)), None)


def _line(text: str, *, limit: int) -> str:
    return plaintext.line(plaintext.plain(text, "html")[0], limit=limit)
