"""The syntax tree of a query: frozen records, and what can be said of a tree without a text.

The grammar (`query.lark`), the terms of a subject and the queries of other tools all become this
one tree; the matcher (`query_match`) and the SQL (`query_sql`) read nothing else.

Some nodes have places in a text (`Phrase`, `Near`, `Any` of them): these may stand in NEAR. All
are true or false of a whole post. `at` is where a node stands in the text of its query.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any as Anything

from pipelines.words import VERSION

NEAR_MOST = 100  # words between two; DuckDB's regular expressions count no further than 1,000
# The host and the path of an address; Python and RE2 read this alike.
ADDRESS = r"^(?:[^:/?#]+://)?([^/?#:]*)(?::[0-9]*)?/*([^#]*)"
RISKY_WITHIN = 40  # words: a whole short post, part of an article


@dataclass(frozen=True, slots=True)
class Part:
    """One word of a phrase: any of these tokens, or one that begins so; `?` is any one sign."""

    forms: tuple[str, ...]
    is_prefix: bool = False


Way = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Inflected:
    """Whose forms `forms:` stands for, as they are spelt; for telling and for asking sources.

    `left_out` are forms that stand in nearly every text, `shared` those that are words of their
    own too, `also_of` other words of which the one that was written is a form.
    """

    lemmas: tuple[str, ...]
    forms: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    also_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Phrase:
    """A word, phrase, hashtag or account: one of `ways`, its parts side by side."""

    written: str
    ways: tuple[Way, ...]
    inflected: Inflected | None = field(default=None, compare=False)
    at: int = field(default=0, compare=False)

    @property
    def asks(self) -> tuple[str, ...]:
        """What a source is asked for: the phrase, or each form of a word."""
        return self.inflected.forms if self.inflected else (self.written.strip(),)


@dataclass(frozen=True, slots=True)
class Near:
    """Both sides, at most `most` words between them; the left one first if `is_ordered`."""

    left: Node
    right: Node
    most: int
    is_ordered: bool = False
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Risky:
    """Words that count only within `within` words of a strong one, any other word of the query."""

    words: Node
    strong: Node
    within: int = RISKY_WITHIN
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class All:
    """Every child."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one child."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """What the child is not true of."""

    child: Node


@dataclass(frozen=True, slots=True)
class Title:
    """The child, read in the title alone."""

    child: Node


@dataclass(frozen=True, slots=True)
class Raw:
    """These signs exactly, case and accents too, not inside a longer word."""

    text: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Site:
    """Published at an address of this host, its sub-domains, or under its path."""

    host: str
    path: str = ""
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Read by a source of this kind, by the block of this name, or on this network."""

    name: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Lang:
    """In this language (ISO 639)."""

    code: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Type:
    """A post, a comment, an article…: `content_type`."""

    name: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Engagement:
    """Likes, replies, shares and quotes added up compare so; unknown counts never do."""

    sign: str  # > >= < <= =
    count: int
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A place named in the text has one of these INSEE codes, or a code that begins so."""

    written: str
    codes: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Author:
    """Posted by the institution itself (no id) or by one of these relays."""

    relay_ids: tuple[str, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Cut:
    """The child, after these phrases were taken out of the text."""

    child: Node
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A name that is a common word too: it counts where it reads as a name, with a word of
    `context` within `within` words and no word of `exclude`."""

    names: tuple[Phrase, ...]
    context: tuple[Phrase, ...]
    exclude: tuple[Phrase, ...] = ()
    within: int = RISKY_WITHIN


@dataclass(frozen=True, slots=True)
class Always:
    """True of every post, or of none: what stands for something that is not known yet."""

    is_true: bool


Node = (
    Phrase | Near | Risky | All | Any | Not | Title | Raw | Site | Source | Lang | Type
    | Engagement | Place | Author | Cut | Named | Always
)  # fmt: skip


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly under a node, in the order in which they were written."""
    match node:
        case All(inner) | Any(inner):
            return inner
        case Not(child) | Title(child):
            return (child,)
        case Near(left, right) | Risky(left, right):
            return (left, right)
        case Cut(child, phrases):
            return (child, *phrases)
        case Named():
            return (*node.names, *node.context, *node.exclude)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """A node and all under it, from the left."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting += reversed(children(found))


def is_placed(node: Node) -> bool:
    """Whether a node has places in the text, so that it may stand in NEAR."""
    match node:
        case Phrase():
            return True
        case Any(inner):
            return all(map(is_placed, inner))
        case Near(left, right):
            return is_placed(left) and is_placed(right)
    return False


def any_of(nodes: Iterable[Node]) -> Node:
    """One node for several of which one is enough."""
    found = tuple(nodes)
    return found[0] if len(found) == 1 else Any(found)


def cover(node: Node, *, with_raw: bool = False) -> tuple[Phrase, ...] | None:
    """Phrases of which every matching post holds at least one: what a source may be asked for.

    The fewest that do; none (not an empty tuple) where a post may match without any of them.
    `with_raw` takes the plain words of `raw:` for a phrase, without ways: enough to search for it.
    """
    match node:
        case Phrase():
            return (node,)
        case Title(child) | Cut(child):
            return cover(child, with_raw=with_raw)
        case Any(inner):
            found = [cover(child, with_raw=with_raw) for child in inner]
            known = [phrases for phrases in found if phrases is not None]
            return _joined(known) if len(known) == len(found) else None
        case All(inner):
            return _least(cover(child, with_raw=with_raw) for child in inner)
        case Near(left, right) | Risky(left, right):
            return _least(cover(side, with_raw=with_raw) for side in (left, right))
        case Named():
            return node.names
        case Raw(text) if with_raw and _PLAIN_WORDS.fullmatch(text):
            return (Phrase(text, ()),)
    return None


_PLAIN_WORDS = re.compile(r"[^\W_]{2,}(?:[ \-][^\W_]{2,})*")


def _joined(found: Iterable[tuple[Phrase, ...]]) -> tuple[Phrase, ...]:
    return tuple(dict.fromkeys(phrase for phrases in found for phrase in phrases))


def _least(found: Iterable[tuple[Phrase, ...] | None]) -> tuple[Phrase, ...] | None:
    known = [phrases for phrases in found if phrases is not None]
    return min(known, key=_breadth, default=None)


def _breadth(phrases: tuple[Phrase, ...]) -> tuple[int, int]:
    """How much phrases let through: how many they are, then how short the shortest is."""
    asked = [each for phrase in phrases for each in phrase.asks]
    return len(asked), -min(map(len, asked), default=0)


LATE = (Lang, Place)  # known only of what is read further, which takes the time of ten matches


def is_late(node: Node) -> bool:
    """Whether a tree asks for what is known only of posts that are read further."""
    return any(isinstance(found, LATE) for found in walk(node))


def loosened(node: Node, *, is_wanted: bool = True) -> Node:
    """The tree that is true wherever `node` may be, whatever language and place turn out to be."""
    match node:
        case Lang() | Place():
            return Always(is_wanted)
        case Not(child):
            return Not(loosened(child, is_wanted=not is_wanted))
        case All(inner):
            return All(tuple(loosened(child, is_wanted=is_wanted) for child in inner))
        case Any(inner):
            return Any(tuple(loosened(child, is_wanted=is_wanted) for child in inner))
    return node


def digest(node: Node) -> str:
    """Eight hexadecimal digits that change with the meaning of a tree, not with its layout."""
    return hashlib.blake2b(f"{VERSION} {_plain(node)}".encode(), digest_size=4).hexdigest()


_UNTOLD = ("at", "written", "inflected")  # what changes nothing of the meaning


def _plain(value: Anything) -> str:
    """A record as text, without places in the query, which mean nothing."""
    if is_dataclass(value) and not isinstance(value, type):
        held = (getattr(value, f.name) for f in fields(value) if f.name not in _UNTOLD)
        return f"{type(value).__name__}({','.join(map(_plain, held))})"
    if isinstance(value, tuple):
        return f"[{','.join(map(_plain, value))}]"
    return repr(value)
