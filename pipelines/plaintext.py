"""What a person would read of a text, whatever form it came in, and one form of each address.

HTML is parsed (lexbor), never matched by patterns, up to `TAG_LIMIT` tags; beyond that, where
nesting would make any parser slow, tags are cut out in one linear pass. Nothing here recurses.

Cost: about 3 µs for 240 plain characters, 15 µs for as much HTML (`tests/bench`).
Known gaps: quotations inside a post are kept as its text; a homoglyph stays what it is.
"""

from __future__ import annotations

import html
import re
import unicodedata
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from selectolax.lexbor import LexborHTMLParser

from pipelines.mention import TEXT_LIMIT, TextFormat

TAG_LIMIT = 2_000  # wrongly nested this deep lexbor takes 0.1 s, and the square of it beyond
URL_LIMIT = 2_000  # characters; what servers and mail readers commonly take
_MARK_LIMIT = 3  # combining marks in a row: Vietnamese and Arabic need two, zalgo dozens
_TOWER_LIMIT = 30  # of any script, as in UAX 15's stream-safe text: NFC takes their square
_LONG = 1_000  # characters; towers of a shorter text take no time
_BREAK = "\x1e"  # stands for a line break while HTML's own line breaks are mere spaces

# Characters that change what is seen, or nothing that is seen: controls, bidirectional embeds,
# overrides and isolates, zero-width spaces, soft hyphens, tags (invisible letters), surrogates.
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_REMOVED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ufdd0-\ufdef\ufffe\uffff]"
)
# Joiners shape Persian, Indic scripts and emoji; beside Latin letters they only hide words.
_LATIN = r"[0-9A-Za-z@._\-\u00c0-\u024f]"
_LATIN_JOINER = re.compile(  # each run is tried once: thousands in a row are no text but an attack
    f"(?<={_LATIN})[\u200c\u200d]++|(?<![\u200c\u200d])[\u200c\u200d]++(?={_LATIN})"
)
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_TOWER = re.compile(rf"[^\w\s\x00-\x7f]{{{_TOWER_LIMIT + 1},}}+")
_ZALGO = re.compile(f"([{_MARKS}]{{{_MARK_LIMIT}}})[{_MARKS}]+")
_WIDE_SPACE = re.compile("[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_SPACES = re.compile("[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_EDGE_SPACES = re.compile(" ?\n ?")
_EMPTY_LINES = re.compile("\n{3,}")

_BLOCKS = (
    "p|div|li|h[1-6]|blockquote|pre|article|section|aside|header|footer|main|nav|figure|"
    "figcaption|details|summary|dt|dd|td|th|caption|address|form|fieldset"
)
_BLOCK_START = re.compile(rf"<(?:br|hr|{_BLOCKS})\b[^<>]*>", re.IGNORECASE)
_BLOCK_END = re.compile(rf"</(?:{_BLOCKS})\b", re.IGNORECASE)
_UNSEEN = [
    "script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "math", "head",
    "title", "select", "textarea", "audio", "video", "canvas",
]  # fmt: skip
_UNSEEN_START = re.compile(rf"<({'|'.join(_UNSEEN)})\b|<!--", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>?|<[!?][^<>]*>?")
_HAS_MARKUP = re.compile(r"<[A-Za-z/!?]|&[#\w]")
_HAS_SHORTENED = re.compile(r"ellipsis|…|\.\.\.|&hellip;")
_SHORTENED = re.compile(r"^(?:https?://)?[\w.\-]+\.\w{2,}\S*?(?:…|\.\.\.)$")

_MD_LINK = re.compile(r"!?\[([^\[\]\n]{0,500})\]\([^()\s]{0,2000}(?: \"[^\"\n]{0,200}\")?\)")
_MD_LINE = re.compile(r"^ {0,3}(?:#{1,6} +|(?:> ?)+|```\w*$|(?:[-*_] ?){3,}$)", re.MULTILINE)
_MD_EMPHASIS = re.compile(r"(?<!\w)(\*{1,3}|_{1,3}|~~|`)(?=\S)([^\n*_~`]{1,500})(?<=\S)\1(?!\w)")


def plain(text: str, text_format: TextFormat = "plain") -> tuple[str, bool]:
    """The text as read, in NFC, at most `TEXT_LIMIT` characters, and whether it was cut.

    Paragraphs are one blank line apart; runs of spaces are one; nothing invisible is left.
    """
    if text_format == "html" and _HAS_MARKUP.search(text):
        text = _from_html(text)
    elif text_format == "markdown":
        text = _from_markdown(text)
    read = clean(text)
    if len(read) <= TEXT_LIMIT:
        return read, False
    return read[:TEXT_LIMIT].rstrip(), True


def line(text: str, *, limit: int) -> str:
    """The text on one line and at most `limit` characters, for titles and identifiers."""
    return " ".join(clean(text).split())[:limit].rstrip()


def clean(text: str) -> str:
    """The text in NFC without control, invisible or direction-changing characters."""
    if _ODD.search(text):
        text = _without_odd(text)
    if not text.isascii():
        if len(text) > _LONG:
            text = _TOWER.sub(_lowered, text)
        text = unicodedata.normalize("NFC", text)
        if _ZALGO.search(text):
            text = unicodedata.normalize("NFC", _ZALGO.sub(r"\1", text))
    if "  " in text or _WIDE_SPACE.search(text):
        text = _SPACES.sub(" ", text)
    if "\n" in text:
        text = _EMPTY_LINES.sub("\n\n", _EDGE_SPACES.sub("\n", text))
    return text.strip()


def _without_odd(text: str) -> str:
    if _SURROGATE.search(text):  # JSON may hold halves of a pair; whole pairs become characters
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = _LINE_ENDS.sub("\n", text)
    return _LATIN_JOINER.sub("", _REMOVED.sub("", text))


def _lowered(run: re.Match[str]) -> str:
    """A run of signs with at most `_TOWER_LIMIT` combining marks in a row; other signs stay."""
    kept: list[str] = []
    height = 0
    for sign in run[0]:
        height = height + 1 if unicodedata.combining(sign) else 0
        if height <= _TOWER_LIMIT:
            kept.append(sign)
    return "".join(kept)


def _from_html(source: str) -> str:
    source = _SURROGATE.sub("\ufffd", source).replace("\x00", "").replace(_BREAK, " ")
    marked = _BLOCK_START.sub(lambda found: found[0] + _BREAK, source)
    marked = _BLOCK_END.sub(lambda found: _BREAK + found[0], marked)
    seen = _cut_tags(marked) if marked.count("<") > TAG_LIMIT else _read_tree(marked)
    return " ".join(seen.split(" ")).replace("\n", " ").replace(_BREAK, "\n")


def _read_tree(source: str) -> str:
    body = LexborHTMLParser(source).body
    if body is None:  # a frameset has none
        return _cut_tags(source)
    if _UNSEEN_START.search(source):
        body.strip_tags(_UNSEEN)
    if _HAS_SHORTENED.search(source):
        for link in body.css("a[href]"):
            _expand(link)
    for image in body.css("img.emoji[alt]") if "emoji" in source else ():
        image.replace_with(image.attributes.get("alt") or "")
    return str(body.text(deep=True))


def _expand(link: object) -> None:
    """Put the address in place of a link's text when the text is only its beginning."""
    shown = link.text(deep=True).strip()  # type: ignore[attr-defined]
    href = link.attributes.get("href") or ""  # type: ignore[attr-defined]
    is_cut = bool(_SHORTENED.match(shown)) or link.css_first(".ellipsis")  # type: ignore[attr-defined]
    if is_cut and href.startswith(("https://", "http://")):
        link.replace_with(href)  # type: ignore[attr-defined]


def _cut_tags(source: str) -> str:
    """The text between tags, in one pass: for pages too deep or too large to parse."""
    kept: list[str] = []
    at = 0
    while found := _UNSEEN_START.search(source, at):
        kept.append(source[at : found.start()])
        end = "-->" if found[0] == "<!--" else rf"</{found[1]}[^<>]*>?"
        at = _after(source, end, found.end())
    kept.append(source[at:])
    return html.unescape(_TAG.sub(" ", "".join(kept)))


def _after(source: str, end: str, start: int) -> int:
    found = re.compile(end, re.IGNORECASE).search(source, start)
    return found.end() if found else len(source)


def _from_markdown(source: str) -> str:
    text = _MD_LINE.sub("", _MD_LINK.sub(r"\1", source))
    return html.unescape(_MD_EMPHASIS.sub(r"\2", text))


_TRACKING_NAMES = (
    "fbclid gclid gclsrc dclid gbraid wbraid msclkid yclid twclid ttclid li_fat_id igshid igsh "
    "mc_cid mc_eid mkt_tok _ga _gl _hsenc _hsmi hsctatracking vero_id oly_enc_id oly_anon_id "
    "wt_mc wt_zmc cmpid cmp spm ref_src ref_url s_cid ncid ocid xtor xtref xtcr xts si feature "
    "share_id sharefrom sfnsn rdid trk trackingid sc_campaign sc_channel sc_medium"
)
_TRACKING = frozenset(_TRACKING_NAMES.split())
_TRACKING_STARTS = ("utm_", "at_", "mtm_", "pk_", "piwik_", "matomo_", "hsa_", "mc_", "itm_")
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.\-]*[a-z0-9_])?|\[[0-9a-f:.]+\]")
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_NEVER_ESCAPED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def canonical_url(address: str | None) -> str | None:
    """The one form of a web address, None when it is none: http or https, host in lower case.

    The host is in its ASCII form (IDNA); default ports, user names, fragments, parameters that
    only follow readers and those that hold an e-mail address are left out; the rest is sorted.
    """
    if not address:
        return None
    if _ODD.search(address):
        address = _REMOVED.sub("", _SURROGATE.sub("", address))
    try:
        parts = urlsplit(address.strip())
        host, port = _host(parts.hostname or ""), parts.port
    except ValueError:  # brackets, ports and labels that are none
        return None
    if parts.scheme not in _PORTS or host is None or "\\" in parts.netloc:
        return None
    place = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    path = quote(parts.path or "/", safe=_PATH_SAFE)
    if "%" in path:
        path = _ESCAPE.sub(_one_escape, path)
    query = _query(parts.query)
    url = f"{parts.scheme}://{place}{path}" + (f"?{query}" if query else "")
    return url if len(url) <= URL_LIMIT else None


def host_of(url: str) -> str:
    """The host of a canonical address, without `www.`."""
    return (urlsplit(url).hostname or "").removeprefix("www.")


def _host(name: str) -> str | None:
    name = name.rstrip(".").lower()
    if ":" in name:
        name = f"[{name}]"
    elif not name.isascii():
        name = name.encode("idna").decode()
    return name if len(name) <= 253 and _HOST.fullmatch(name) else None


def _one_escape(found: re.Match[str]) -> str:
    """An escape as RFC 3986 (6.2.2) would have it: in capitals, and none that need not be."""
    if found[1] is None:
        return "%25"
    character = chr(int(found[1], 16))
    return character if character in _NEVER_ESCAPED else found[0].upper()


def _query(query: str) -> str:
    if not query:
        return ""
    pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=None)
    kept = [(key, value) for key, value in pairs if not _is_tracking(key) and "@" not in value]
    return urlencode(sorted(kept))


def _is_tracking(key: str) -> bool:
    key = key.lower()
    return key in _TRACKING or key.startswith(_TRACKING_STARTS)
