"""What stands behind a field of a query (`site:`, `lang:`, `place:`…), read into its node.

Each value is checked, so that a slip of the pen is an error and not a query that never matches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import get_args
from urllib.parse import quote, unquote

from pipelines import words
from pipelines.errors import ONE_PERSON
from pipelines.insee import DEPARTMENTS, DISTRICTS, REGIONS
from pipelines.mention import ContentType
from pipelines.query_terms import EXAMPLES, Asked, short
from pipelines.query_tree import Author, Engagement, Lang, Node, Place, Site, Source, Type
from pipelines.said import Said, say
from pipelines.vigie_toml import near


def read(asked: Asked, sign: str, value: str, at: int) -> Node:
    """The node of a field (`lang:`) and one value, which stands at `at` of the query."""
    name, written = sign.lower(), value.strip('"')
    if not written or written == "*":
        what = say("{sign}{value} would match every post", sign=sign, value=value)
        remedy = say("write a value, such as {example}", example=EXAMPLES[name])
        asked.refuse(at, value, what, remedy)
    return _FIELDS[name](asked, written, at + value.index(written))


# Where the path of an address is somebody's account: behind these words, or on these networks.
_BEFORE_ACCOUNTS = frozenset(("u", "user", "users", "profile"))
_NETWORKS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("x.com", "twitter.com", "instagram.com", "threads.net", "threads.com", "t.me"),
        frozenset(("explore", "hashtag", "i", "p", "reel", "reels", "s", "search")),
    ),
    "facebook.com": frozenset(("events", "groups", "hashtag", "pages", "reel", "watch")),
}


def _account_in(host: str, path: str) -> str | None:
    """The account whose posts stand under an address; none where it is no account's."""
    first, _, rest = unquote(path.partition("?")[0]).partition("/")
    network = next((n for n in _NETWORKS if host == n or host.endswith(f".{n}")), None)
    is_before = first.lower() in _BEFORE_ACCOUNTS or (host, first) in (
        ("t.me", "s"), ("linkedin.com", "in"), ("youtube.com", "channel"),
    )  # fmt: skip
    if is_before:
        return rest.partition("/")[0] or None
    is_first = network is not None and first.lower() not in _NETWORKS[network]
    return (first or None) if is_first or first.startswith("@") else None


def _check_account(asked: Asked, site: Site, value: str, account: str | None) -> None:
    """An account's address asks for one author, as `author:` does."""
    name = words.fold_handle(account or "")
    if account and name not in asked.allowed.own and name not in asked.allowed.relays:
        asked.refuse(site.at, value, _one_author(f"site:{short(value)}"), _DECLARE)


def _site(asked: Asked, value: str, at: int) -> Site:
    found = _address(asked, value.removesuffix("*") if value.endswith("/*") else value, at)
    _check_account(asked, found, value, _account_in(found.host, found.path))
    if "*" in value.removesuffix("/*"):
        what = say("site:{value} has a *", value=short(value))
        remedy = say("drop it: a host has its sub-domains, a path all that is below it")
        asked.refuse(at, value, what, remedy)
    return found


def _address(asked: Asked, value: str, at: int) -> Site:
    bare = value.partition("://")[2] or value
    host, _, path = bare.partition("/")
    host = host.lower().removeprefix("www.")
    try:
        host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        host = ""
    if not re.fullmatch(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+", host):
        what = say("{value} is no address of a site", value=short(value))
        remedy = say(
            "write its host, such as lemonde.fr (its sub-domains count), and a path if need be"
        )
        asked.refuse(at, value, what, remedy)
    return Site(host, quote(path.rstrip("/"), safe="/%:@!$&'()*+,;=~-._?"), at=at)


def _source(asked: Asked, value: str, at: int) -> Source:
    name = value.lower()
    if not re.fullmatch(r"[a-z][a-z0-9_.\-]{0,39}", name):
        what = say("{value} is no name of a source", value=short(value))
        remedy = say(
            "write a kind (mastodon), the name of a block of vigie.toml, or a network (press)"
        )
        asked.refuse(at, value, what, remedy)
    return Source(name, at=at)


_LANGUAGES = {
    "francais": "fr", "french": "fr", "anglais": "en", "english": "en", "arabe": "ar",
    "arabic": "ar", "espagnol": "es", "spanish": "es", "allemand": "de", "german": "de",
    "italien": "it", "italian": "it", "portugais": "pt", "breton": "br", "corse": "co",
}  # fmt: skip


# ISO 639-1, all 183 codes.
_CODES = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy "
    "da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht "
    "hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky "
    "la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny "
    "oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss "
    "st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo "
    "za zh zu"
)
_TWO_LETTERS = frozenset(_CODES.split())
# Three letters of what mentions have two of: lang:fra would find nothing, and not say so.
_LONG_CODES = {
    "fra": "fr", "fre": "fr", "eng": "en", "ara": "ar", "spa": "es", "deu": "de", "ger": "de",
    "ita": "it", "por": "pt", "bre": "br", "cos": "co", "oci": "oc", "cat": "ca", "eus": "eu",
}  # fmt: skip


def _lang(asked: Asked, value: str, at: int) -> Lang:
    code = re.split(r"[-_]", value.lower(), maxsplit=1)[0]
    is_long = bool(re.fullmatch(r"[a-z]{3}", code)) and code not in _LONG_CODES
    if code not in _TWO_LETTERS and not is_long:
        known = _LONG_CODES.get(code) or _LANGUAGES.get(words.fold(value), "fr")
        what = say("{value} is no code of a language", value=short(value))
        remedy = say("write its two letters (ISO 639): lang:{code}", code=known)
        asked.refuse(at, value, what, remedy)
    return Lang(code, at=at)


_TYPES: tuple[str, ...] = get_args(ContentType)
_TYPES_FR = {
    "commentaire": "comment", "reponse": "reply", "avis": "review", "citation": "quote",
    "publication": "post", "partage": "repost", "retweet": "repost", "tweet": "post",
}  # fmt: skip


def _type(asked: Asked, value: str, at: int) -> Type:
    name = value.lower()
    if name not in _TYPES:
        known = _TYPES_FR.get(words.fold(value))
        guess = say("did you mean {word!r}? ", word=known) if known else near(name, _TYPES)
        remedy = say("{guess}there is {names}", guess=guess, names=", ".join(_TYPES))
        asked.refuse(at, value, say("{value} is no type of post", value=short(value)), remedy)
    return Type(name, at=at)


def _engagement(asked: Asked, value: str, at: int) -> Engagement:
    found = re.fullmatch(r"(>=|<=|>|<|=)(\d{1,12})", value)
    if not found:
        what = say("{value} is no comparison of engagement", value=short(value))
        remedy = say("write a sign and a whole number: engagement:>100, >=, <, <= or =")
        asked.refuse(at, value, what, remedy)
    sign, count = found[1], int(found[2])
    if count == 0 and sign in (">=", "<"):
        truth = say("every known count") if sign == ">=" else say("no count")
        what = say("engagement:{value} is true of {truth}", value=value, truth=truth)
        asked.refuse(at, value, what, say("write another number: engagement:>100"))
    return Engagement(sign, count, at=at)


_DECLARE = say(
    "drop it; declare an institution, a medium or an elected official in office under [[relays]], "
    "your own accounts under institution.handles"
)


def _one_author(asked_for: str) -> Said:
    return say(
        "{asked_for} asks for one author not of the allow-list: {why}",
        asked_for=asked_for,
        why=ONE_PERSON,
    )


def _author(asked: Asked, value: str, at: int) -> Author:
    name = words.fold_handle(value)
    if name not in asked.allowed.own and name not in asked.allowed.relays:
        asked.refuse(at, value, _one_author(f"author:{short(value)}"), _DECLARE)
    return Author(() if name in asked.allowed.own else (asked.allowed.relays[name],), at=at)


# --- places

_LEVELS = ("arrondissement", "commune", "departement", "region")
_BEGINNINGS = frozenset((*(code[:2] for code in DEPARTMENTS), "98"))  # 98: islands of no department
_Codes = tuple[tuple[str, ...], tuple[str, ...]]  # whole codes, and how codes may begin


def _place(asked: Asked, value: str, at: int) -> Place:
    level, _, code = value.rpartition(":")
    found = _codes(words.fold(level), code.upper())
    if found is None:
        remedy = say(
            "write commune:37261, departement:37 or region:24; commune:372* for all that begin so "
            "(no names: many places share one)"
        )
        what = say("{value} is no INSEE code of a place", value=short(value))
        asked.refuse(at, value, what, remedy)
    return Place(value, *found, at=at)


def _codes(level: str, code: str) -> _Codes | None:
    """The codes that a place may have: a department holds its communes, a region its departments.

    None where there is no such code. Without a level, two digits are a department's.
    """
    if level not in ("", *_LEVELS) or not re.fullmatch(r"\d[0-9AB]\d{0,3}\*?", code):
        return None
    if level != "region" and code[:2] not in _BEGINNINGS:
        return None
    if code.endswith("*"):
        levels = (level,) if level else ("commune", "departement", "arrondissement")
        return (), tuple(f"{each}:{code[:-1]}" for each in levels)
    if level == "region":
        return _region(code)
    if level in ("", "departement") and code in DEPARTMENTS:
        return (f"departement:{code}",), _inside(code)
    if level == "arrondissement" and len(code) == 5:
        return (f"arrondissement:{code}",), ()
    if level != "departement" and len(code) == 5:
        districts = (f"arrondissement:{DISTRICTS[code]}",) if code in DISTRICTS else ()
        return (f"commune:{code}",), districts
    return None


def _inside(department: str) -> tuple[str, ...]:
    """How the codes of what a department holds begin; three of them hold districts."""
    of_districts = any(start.startswith(department) for start in DISTRICTS.values())
    commune, district = f"commune:{department}", f"arrondissement:{department}"
    return (commune, district) if of_districts else (commune,)


def _region(code: str) -> _Codes | None:
    inside = REGIONS.get(code)
    if inside is None:
        return None
    whole = (f"region:{code}", *(f"departement:{each}" for each in inside))
    return whole, tuple(start for each in inside for start in _inside(each))


_FIELDS: Mapping[str, Callable[[Asked, str, int], Node]] = {
    "site:": _site,
    "source:": _source,
    "lang:": _lang,
    "type:": _type,
    "engagement:": _engagement,
    "place:": _place,
    "author:": _author,
}
