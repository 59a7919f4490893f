"""Reads the text of a query into its tree, or says where it breaks off and how to mend it.

The grammar is `query.lark`. A word finds itself whatever its accents, case and elision; written in
small letters it also finds its plural and singular (`mairie`, "mairies"), with a capital it is a
name and does not (`Tours` is no "tour"). `docs/queries.md` is for those who write queries.

Refused, with the reason: what would match nearly everything, a wildcard too short, and `author:`
or `@account` of anyone but the institution and those of the allow-list (`docs/law.md`, rule 2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NoReturn

from lark import Lark, Token, Tree, UnexpectedInput, UnexpectedToken

from pipelines import query_fields, query_terms, words
from pipelines.query_terms import EXAMPLES, Allowed, Asked, short
from pipelines.query_tree import (
    NEAR_MOST,
    RISKY_WITHIN,
    All,
    Any,
    Engagement,
    Lang,
    Near,
    Node,
    Not,
    Part,
    Phrase,
    Raw,
    Risky,
    Source,
    Title,
    Type,
    any_of,
    children,
    is_placed,
    walk,
)
from pipelines.said import Said, say

LENGTH_MOST = 200_000  # characters of one query: some ten thousand phrases
NEAR_DEPTH_MOST = 4  # NEAR inside NEAR
DEPTH_MOST = 30  # parentheses inside parentheses


_QUOTES = {'"': '"', "«": "»", "“": "”"}
_BRACKET = re.compile(r'["«“()]')
# What no stored text holds (`plaintext`), and nobody sees in a query that was copied.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\ufeff]"
)
NOBODY = Allowed()


@dataclass(frozen=True, slots=True)
class Query:
    """A query as it was written, and what it means."""

    text: str
    tree: Node


def allowed(own: Iterable[str], relays: Iterable[tuple[str, Iterable[str]]]) -> Allowed:
    """The allow-list of the institution's handles and id, and of relays: id and handles of each.

    Of `name@host` the bare name too, since its own network shows it without the host.
    """
    return Allowed(
        own=frozenset(name for handle in own for name in _names(handle)),
        relays={n: id_ for id_, handles in relays for h in (id_, *handles) for n in _names(h)},
    )


def _names(handle: str) -> tuple[str, str]:
    folded = words.fold_handle(handle)
    return folded, folded.partition("@")[0]


def parse(text: str, *, allowed: Allowed = NOBODY) -> Query:
    """The query that a text holds; QueryError with the place and the remedy when it holds none."""
    text = words.composed(text)
    asked = Asked(text, allowed)
    _check_size(asked)
    try:
        found = _grammar().parse(text)
    except UnexpectedInput as error:
        _unexpected(asked, error)
    tree = _with_strong(asked, _node(asked, found))
    _check_bounds(asked, tree)
    return Query(text, tree)


@cache
def _grammar() -> Lark:
    grammar = (files("pipelines") / "query.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", maybe_placeholders=False)


def _check_size(asked: Asked) -> None:
    text = asked.text
    if not text.strip():
        remedy = say('write what to find, such as "ville de Valmont"')
        asked.refuse(0, " ", say("the query is empty"), remedy)
    if len(text) > LENGTH_MOST:
        what = say(
            "the query has {n} characters, and may have {most}", n=len(text), most=LENGTH_MOST
        )
        asked.refuse(LENGTH_MOST, " ", what, say("make two subjects of it"))
    if found := _INVISIBLE.search(text):
        what = say("an invisible sign (U+{code:04X}) stands here", code=ord(found[0]))
        remedy = say("take it out, or write the word again by hand: it was copied with the text")
        asked.refuse(found.start(), " ", what, remedy)
    depth = 0
    for at, sign in _brackets(text):
        depth += 1 if sign == "(" else -1
        if depth > DEPTH_MOST:
            what = say("more than {most} parentheses lie in one another", most=DEPTH_MOST)
            asked.refuse(at, sign, what, say("take out those that change nothing"))


def _brackets(text: str) -> Iterator[tuple[int, str]]:
    """Each parenthesis outside quotes, with its place; a quote that is never closed is none.

    Looked for from quote to quote: an expression would try each open one to the end of the text.
    """
    last = {opening: text.rfind(closing) for opening, closing in _QUOTES.items()}
    at = 0
    while found := _BRACKET.search(text, at):
        sign, at = found[0], found.end()
        if sign in ("(", ")"):
            yield found.start(), sign
        elif last[sign] >= at:
            at = text.index(_QUOTES[sign], at) + 1


# --- what does not fit the grammar

_IS_OPERATOR = re.compile(r"(?:AND|ET|OR|OU|NOT|SAUF|O?NEAR(?:/[^\s()]*)?)(?![^\s()\"«“])")


def _unexpected(asked: Asked, error: UnexpectedInput) -> NoReturn:
    """Why the grammar stops where it does, from what stands there and what stands before."""
    at, sign = _stopped(asked.text, error)
    before = _before(asked.text, at)
    start = asked.text.rindex(before, 0, at) if before else 0
    if sign in (*_QUOTES, *_QUOTES.values()):
        pair = next(f"{a}…{b}" for a, b in _QUOTES.items() if sign in (a, b))
        remedy = say("write the phrase between {pair}", pair=pair)
        asked.refuse(at, sign, say("{sign} has no partner", sign=sign), remedy)
    if before.lower() in EXAMPLES:
        remedy = say("write one, such as {example}", example=EXAMPLES[before.lower()])
        asked.refuse(start, before, say("{sign} has no value", sign=before), remedy)
    if _IS_OPERATOR.fullmatch(sign):
        _operator_astray(asked, at, sign, before)
    if _IS_OPERATOR.fullmatch(before):
        what = say("nothing stands after {sign}", sign=before)
        asked.refuse(start, before, what, say("write a word after it, or drop it"))
    _closed_wrongly(asked, at, sign, before)


def _stopped(text: str, error: UnexpectedInput) -> tuple[int, str]:
    """Where the grammar stops, and what stands there: a word or sign, nothing at the end."""
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return len(text.rstrip()), ""
    at = error.pos_in_stream or 0
    found = _IS_OPERATOR.match(text, at)
    if found:
        return at, found[0]
    return at, str(error.token) if isinstance(error, UnexpectedToken) else text[at]


def _before(text: str, at: int) -> str:
    """The last word or parenthesis before a place, nothing at the start."""
    found = re.search(r"([()]|[^\s()]+)\s*$", text[:at])
    return found[1] if found else ""


def _operator_astray(asked: Asked, at: int, sign: str, before: str) -> NoReturn:
    if before in ("", "("):
        what = say("nothing stands before {sign}", sign=sign)
        remedy = say("write a word before it, or drop it")
    elif _IS_OPERATOR.fullmatch(before):
        what = say("{before} and {sign} stand side by side", before=before, sign=sign)
        remedy = say("keep one of the two, or write the word that is missing between them")
    elif re.search(r"risky[^()]*\([^()]*$", asked.text[:at], re.IGNORECASE):
        what = say("{sign} stands inside risky:", sign=sign)
        remedy = say("list words and phrases there, of which each counts: risky:(Nice Menton)")
    elif "NEAR" in sign:
        what = say("{sign} stands beside OR, NOT or another NEAR", sign=sign)
        remedy = say("put NEAR and its two sides in parentheses: (tram NEAR/5 panne) OR mairie")
    else:
        what = say("{sign} is mixed with another operator", sign=sign)
        remedy = say(
            "put parentheses round what belongs together: (tram OR bus) AND panne is not "
            "tram OR (bus AND panne)"
        )
    asked.refuse(at, sign, what, remedy)


def _closed_wrongly(asked: Asked, at: int, sign: str, before: str) -> NoReturn:
    text = asked.text
    if not sign:
        remedy = say("write its ) where the group ends")
        asked.refuse(_left_open(text), "(", say("this parenthesis is never closed"), remedy)
    if sign == ")" and before == "(":
        what = say("these parentheses hold nothing")
        remedy = say("write words in them, or drop them")
        asked.refuse(text.rindex("(", 0, at), "()", what, remedy)
    if sign == ")":
        remedy = say("take it out, or open one before it")
        asked.refuse(at, sign, say("this parenthesis closes nothing"), remedy)
    remedy = say("join values by OR, such as lang:(fr OR en); risky: takes words and phrases alone")
    asked.refuse(at, sign, say("{sign} cannot stand here", sign=short(sign)), remedy)


def _left_open(text: str) -> int:
    waiting: list[int] = []
    for at, sign in _brackets(text):
        if sign == "(":
            waiting.append(at)
        elif waiting:
            waiting.pop()
    return waiting[-1] if waiting else 0


# --- nodes

_Branch = Tree[Token]


def _node(asked: Asked, branch: _Branch) -> Node:
    """The node of a branch of the grammar."""
    parts = branch.children
    match str(branch.data):
        case "word":
            return query_terms.word(asked, str(parts[0]), _at(parts[0]))
        case "phrase":
            return query_terms.quoted(asked, str(parts[0])[1:-1], _at(parts[0]) + 1)
        case "raw":
            return _raw(asked, _token(parts[0]))
        case "negated":
            return Not(_node(asked, _branch(parts[0])))
        case "near":
            return _near(asked, _branch(parts[0]), _token(parts[1]), _branch(parts[2]))
        case "risky":
            return _risky(asked, _token(parts[0]), [_branch(part) for part in parts[1:]])
        case "title":
            return _title(asked, _token(parts[0]), _branch(parts[1]))
        case "forms":
            asked_for = map(_token, parts[1:])
            return any_of(query_terms.forms(asked, str(v), _at(v)) for v in asked_for)
        case "filter":
            sign, *values = map(_token, parts)
            return any_of(query_fields.read(asked, sign, str(v), _at(v)) for v in values)
    made = tuple(_node(asked, _branch(part)) for part in parts)
    return Any(made) if branch.data == "any_of" else All(made)


def _token(part: Token | _Branch) -> Token:
    assert isinstance(part, Token)  # noqa: S101 - the grammar says so
    return part


def _branch(part: Token | _Branch) -> _Branch:
    assert isinstance(part, Tree)  # noqa: S101 - the grammar says so
    return part


def _at(part: Token | _Branch) -> int:
    return int(_token(part).start_pos or 0)


def _near(asked: Asked, left: _Branch, sign: Token, right: _Branch) -> Near:
    name, _, number = sign.partition("/")
    if not _is_number(number):
        remedy = say("write {name}/5: at most 5 words between the two", name=name)
        if re.fullmatch(r"\d+f", number):  # Brandwatch's form
            most = number[:-1]
            remedy = say("write ONEAR/{most} for the left word before the right one", most=most)
        asked.refuse(_at(sign), sign, _no_number(sign), remedy)
    sides = _node(asked, left), _node(asked, right)
    if not all(map(is_placed, sides)):
        remedy = say(
            "give it words, phrases, hashtags, several joined by OR, or another NEAR; write AND, "
            "NOT and fields outside: (tram NEAR/5 panne) AND lang:fr"
        )
        what = say("{sign} joins what has no place in the text", sign=sign)
        asked.refuse(_at(sign), sign, what, remedy)
    if 1 + max(map(_near_depth, sides)) > NEAR_DEPTH_MOST:
        what = say("more than {most} NEAR lie in one another", most=NEAR_DEPTH_MOST)
        remedy = say("join some of them by AND: (a NEAR/5 b) AND (b NEAR/5 c)")
        asked.refuse(_at(sign), sign, what, remedy)
    return Near(*sides, int(number), is_ordered=name == "ONEAR", at=_at(sign))


def _no_number(sign: str) -> Said:
    return say("{sign} gives no number of words from 0 to {most}", sign=sign, most=NEAR_MOST)


def _near_depth(node: Node) -> int:
    """How many NEAR lie in one another; each doubles the expression that SQL is asked."""
    inner = max((_near_depth(child) for child in children(node)), default=0)
    return inner + isinstance(node, Near)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\d{1,4}", text)) and int(text) <= NEAR_MOST


def _risky(asked: Asked, sign: Token, listed: list[_Branch]) -> Risky:
    number = sign[:-1].partition("/")[2]
    if "/" in sign and not _is_number(number):
        remedy = say("write risky:(…) for {most} words, or risky/20:(…) for 20", most=RISKY_WITHIN)
        asked.refuse(_at(sign), sign, _no_number(sign), remedy)
    found = any_of(_node(asked, branch) for branch in listed)
    within = int(number) if number else RISKY_WITHIN
    return Risky(found, Any(()), within, at=_at(sign))


def _title(asked: Asked, sign: Token, branch: _Branch) -> Title:
    child = _node(asked, branch)
    for node in walk(child):
        if not isinstance(node, Phrase | Near | All | Any | Not | Raw):
            what = say("{name}: stands inside title:", name=type(node).__name__.lower())
            remedy = say("write it outside: title:(tram OR bus) AND lang:fr")
            asked.refuse(_at(sign), sign, what, remedy)
    return Title(child)


def _raw(asked: Asked, sign: Token) -> Raw:
    value = sign[4:].strip()
    inner = value[1:-1] if value[0] in _QUOTES else value
    bare = inner.strip()
    if len(bare) < 2 and not query_terms.is_picture(bare):
        what = say("{sign} asks for less than two signs", sign=sign)
        asked.refuse(_at(sign), sign, what, say('write two or more, such as raw:"C++"'))
    for found in re.finditer(r"[@＠](\w[\w\-]*(?:[.@]\w[\w\-]*)*)", inner):
        query_terms.check_account(asked, words.fold_handle(found[1]), sign, _at(sign))
    return Raw(inner, at=_at(sign))


# --- risky words, and queries without bounds


def _with_strong(asked: Asked, tree: Node) -> Node:
    """The tree with the strong words of its `risky:` in place: every other word asked for."""
    risky = [node for node in walk(tree) if isinstance(node, Risky)]
    if not risky:
        return tree
    strong = tuple(dict.fromkeys(_strong(tree)))
    if not strong:
        what = say("risky: has no strong word to stand near")
        remedy = say("add words that make it sure: risky:(Nice) AND (mairie OR tram OR métropole)")
        asked.refuse(risky[0].at, "risky:", what, remedy)
    return _filled(tree, any_of(strong))


def _strong(node: Node) -> Iterator[Phrase]:
    match node:
        case Phrase():
            yield node
        case All(inner) | Any(inner):
            for child in inner:
                yield from _strong(child)
        case Near(left, right):
            yield from (*_strong(left), *_strong(right))
        case Title(child):
            yield from _strong(child)


def _filled(node: Node, strong: Node) -> Node:
    match node:
        case Risky(inner, _, within):
            return Risky(inner, strong, within, at=node.at)
        case All(parts):
            return All(tuple(_filled(child, strong) for child in parts))
        case Any(parts):
            return Any(tuple(_filled(child, strong) for child in parts))
        case Not(child):
            return Not(_filled(child, strong))
    return node


def _check_bounds(asked: Asked, tree: Node) -> None:
    culprit = _unbounded(tree)
    if culprit is None:
        return
    at = next((a for a in (getattr(n, "at", 0) for n in walk(culprit)) if a), 0)
    match culprit:
        case Not():
            what = say("NOT leaves everything else: the query would match nearly every post")
            remedy = say("say first what to find: tram NOT modélisme")
        case Phrase(written) | Raw(written):
            what = say("{word!r} stands in nearly every post", word=short(written))
            remedy = say("add a word that says what is meant, joined by AND")
        case _:
            name = type(culprit).__name__.lower()
            what = say("{name}: alone would match every such post", name=name)
            remedy = say("add what the posts must speak of: (tram OR bus) AND lang:fr")
    asked.refuse(at, " ", what, remedy)


def _unbounded(node: Node) -> Node | None:
    """What lets a query match posts that hold none of its words; none where nothing does."""
    match node:
        case Phrase():
            return node if _is_everywhere(node) else None
        case Raw(text):
            bare = text.strip()
            is_word = bare.isalpha() and not bare[1:].isupper()  # raw:"ET" may be a name
            return node if is_word and words.is_common(words.fold(bare)) else None
        case Any(inner):
            return next((found for found in map(_unbounded, inner) if found), None)
        case All(inner):
            return _loosest([_unbounded(child) for child in inner])
        case Near(left, right):
            return _loosest([_unbounded(left), _unbounded(right)])
        case Title(child) | Risky(child):
            return _unbounded(child)
        case Not() | Lang() | Type() | Source() | Engagement():
            return node
    return None


def _loosest(found: list[Node | None]) -> Node | None:
    """Of things that must all hold, one bound is enough; else the first that has none."""
    return None if None in found else found[0]


def _is_everywhere(phrase: Phrase) -> bool:
    return any(len(way) == 1 and is_common(way[0]) for way in phrase.ways)


def is_common(part: Part) -> bool:
    """Whether a word of a phrase, or what its `*` or `?` stands for, is in nearly every post."""
    is_wild = part.is_prefix or any("?" in form for form in part.forms)
    if is_wild:
        return any(words.meets_common(f, is_prefix=part.is_prefix) for f in part.forms)
    return any(map(words.is_common, part.forms))
