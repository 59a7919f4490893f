"""Queries compiled for the stream: which of them a text answers, and where.

An Aho-Corasick automaton goes over the line of a text once and finds every word and phrase of
every query; only queries of which it found something are looked at further. So the cost of a text
grows with what it holds, not with the number of queries.

Cost: 5 µs for 240 characters and 2,000 phrases, beside the reading of its words (25 µs); spaCy's
PhraseMatcher took 16 µs for the same, 2,000 expressions 5,500 (`tests/bench/bench_query.py`).
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any as Anything

import ahocorasick

from pipelines import words
from pipelines.query_tree import (
    ADDRESS,
    All,
    Always,
    Any,
    Author,
    Cut,
    Engagement,
    Lang,
    Named,
    Near,
    Node,
    Not,
    Part,
    Phrase,
    Place,
    Raw,
    Risky,
    Site,
    Source,
    Title,
    Type,
    Way,
    cover,
    walk,
)
from pipelines.words import Words

Span = tuple[int, int]  # tokens, half open

_FORMS_MOST = 64  # ways of writing one phrase that stand whole in the automaton


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a query may ask of a post; the same columns of table `mention` answer the SQL.

    `text` is all that is shown, title and content warning first, a line each; `parts` are these
    by themselves, as `words` has them. `engagement` adds likes, replies, shares and quotes, none
    when the source tells none of them.
    """

    words: Words
    text: str = ""
    title: str = ""
    parts: Sequence[str] = ()
    url: str | None = None
    source: str = ""
    source_name: str = ""
    network: str = ""
    content_type: str = ""
    lang: str | None = None
    engagement: int | None = None
    place_codes: Sequence[str] = ()
    is_own: bool = False
    relay_id: str | None = None


def document(
    text: str,
    *,
    title: str | None = None,
    warning: str | None = None,
    hashtags: Sequence[str] = (),
    handles: Sequence[str] = (),
    **others: Anything,
) -> Document:
    """A document of the parts of a post; `others` are the remaining fields of `Document`."""
    return Document(
        words=words.read(text, title=title, warning=warning, hashtags=hashtags, handles=handles),
        text="\n".join(part for part in (title, warning, text) if part),
        title=title or "",
        parts=(title or "", *(part for part in (warning, text) if part is not None)),
        **others,
    )


# --- what stands in a text


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a find of the automaton means: a phrase of so many tokens, if the rest fits too."""

    size: int  # characters from the first of the pattern to its last
    phrase: int
    count: int
    rest: tuple[Callable[[str], bool], ...] = ()  # of every token, where the pattern is a start


@dataclass(slots=True)
class View:
    """A text, or a part of it, with where each phrase stands; fills itself in as it is asked."""

    document: Document
    hits: Mapping[int, list[tuple[int, int]]]  # phrase: (first character of the line, tokens)
    is_title: bool = False
    _starts: list[int] = field(default_factory=list)
    _ordinals: list[int] = field(default_factory=list)
    _spans: dict[int, list[Span]] = field(default_factory=dict)

    @property
    def starts(self) -> list[int]:
        if not self._starts:
            self._starts = words.starts(self.document.words.tokens)
        return self._starts

    @property
    def ordinals(self) -> list[int]:
        if not self._ordinals:
            self._ordinals = words.ordinals(self.document.words.tokens)
        return self._ordinals

    def spans(self, phrase: int) -> list[Span]:
        """Where a phrase stands, each place once, from the left."""
        found = self._spans.get(phrase)
        if found is None:
            starts = self.starts
            places = {
                (first, first + count)
                for first, count in (
                    (bisect_left(starts, at), count) for at, count in self.hits.get(phrase, ())
                )
            }
            found = self._spans[phrase] = sorted(places)
        return found

    def kept(self, keep: Callable[[Span], bool], *, is_title: bool = False) -> View:
        """The same text with the phrases of which all tokens are to be kept."""
        starts = self.starts
        hits: dict[int, list[tuple[int, int]]] = {}
        for phrase in self.hits:
            if spans := [span for span in self.spans(phrase) if keep(span)]:
                hits[phrase] = [(starts[first], end - first) for first, end in spans]
        return View(self.document, hits, is_title or self.is_title, starts, self._ordinals)


# Places in a text: where something ends, and as bits how many tokens long it may be.
Ends = dict[int, int]
_Test = Callable[[View], bool]
_Places = Callable[[View], Ends]


# --- the automaton


class Patterns:
    """The phrases of all queries, each once, and the automaton that finds them."""

    def __init__(self, trees: Iterable[Node]) -> None:
        self.numbers: dict[Phrase, int] = {}
        entries: dict[str, list[_Entry]] = {}
        for node in itertools.chain.from_iterable(map(walk, trees)):
            if isinstance(node, Phrase) and node not in self.numbers:
                number = self.numbers[node] = len(self.numbers)
                for way in node.ways:
                    for pattern, entry in _entries(way, number):
                        entries.setdefault(pattern, []).append(entry)
        self.automaton = ahocorasick.Automaton()
        for pattern, found in entries.items():
            self.automaton.add_word(pattern, tuple(found))
        self.automaton.make_automaton()

    def hits(self, document: Document) -> dict[int, list[tuple[int, int]]]:
        """Where each phrase stands in a line: its first character, and how many tokens it has."""
        found: dict[int, list[tuple[int, int]]] = {}
        if not self.numbers:
            return found
        tokens = document.words.tokens
        starts: list[int] = []
        for end, entries in self.automaton.iter(document.words.line):
            for entry in entries:
                at = end - entry.size + 1
                if entry.rest:
                    starts = starts or words.starts(tokens)
                    if not _fits(entry.rest, tokens, bisect_left(starts, at)):
                        continue
                found.setdefault(entry.phrase, []).append((at, entry.count))
        return found


def _fits(rest: Sequence[Callable[[str], bool]], tokens: Sequence[str], first: int) -> bool:
    if first + len(rest) > len(tokens):
        return False
    return all(fits(tokens[first + n]) for n, fits in enumerate(rest))


def _entries(way: Way, phrase: int) -> Iterator[tuple[str, _Entry]]:
    """The patterns of one way of a phrase: each form whole, or its start and tests of the rest."""
    count = len(way)
    if _is_plain(way):
        for forms in itertools.product(*(part.forms for part in way)):
            pattern = "".join(f" {form} " for form in forms)
            pattern = pattern.removesuffix(" ") if way[-1].is_prefix else pattern
            yield pattern, _Entry(len(pattern), phrase, count)
        return
    rest = tuple(_fitting(part) for part in way)
    for form in way[0].forms:
        stem = form.partition("?")[0]
        is_whole = stem == form and not way[0].is_prefix
        pattern = f" {stem} " if is_whole else f" {stem}"
        yield pattern, _Entry(len(pattern), phrase, count, rest)


def _is_plain(way: Way) -> bool:
    """Whether a way is a fixed text, or a few; a prefix may end it."""
    product = 1
    for part in way:
        product *= len(part.forms)
    has_signs = any("?" in form for part in way for form in part.forms)
    return product <= _FORMS_MOST and not has_signs and not any(p.is_prefix for p in way[:-1])


def _fitting(part: Part) -> Callable[[str], bool]:
    if any("?" in form for form in part.forms):
        pattern = "|".join(re.escape(form).replace(r"\?", ".") for form in part.forms)
        whole = re.compile(f"(?:{pattern}){'.*' if part.is_prefix else ''}")
        return lambda token: whole.fullmatch(token) is not None
    if part.is_prefix:
        return lambda token: token.startswith(part.forms)
    forms = frozenset(part.forms)
    return lambda token: token in forms


# --- trees as tests


def test_of(node: Node, numbers: Mapping[Phrase, int]) -> _Test:
    """A function that tells whether a text answers a tree."""
    match node:
        case Phrase():
            number = numbers[node]
            return lambda view: number in view.hits
        case All(inner):
            tests = [test_of(child, numbers) for child in inner]
            return lambda view: all(test(view) for test in tests)
        case Any(inner):
            return _any(inner, numbers)
        case Not(child):
            test = test_of(child, numbers)
            return lambda view: not test(view)
        case Near() | Risky():
            places = places_of(node, numbers)
            return lambda view: bool(places(view))
        case Title(child):
            test = test_of(child, numbers)
            return lambda view: test(_titled(view))
        case Cut(child, phrases):
            return _cut(child, phrases, numbers)
        case Named():
            return _named(node, numbers)
        case Always(is_true):
            return lambda _: is_true
    return _of_document(node)


def _any(inner: tuple[Node, ...], numbers: Mapping[Phrase, int]) -> _Test:
    """Thousands of phrases are one look at what was found."""
    phrases = frozenset(numbers[child] for child in inner if isinstance(child, Phrase))
    tests = [test_of(child, numbers) for child in inner if not isinstance(child, Phrase)]
    if not tests:
        return lambda view: not phrases.isdisjoint(view.hits)
    return lambda view: not phrases.isdisjoint(view.hits) or any(test(view) for test in tests)


def places_of(node: Node, numbers: Mapping[Phrase, int]) -> Callable[[View], Ends]:
    """A function that tells where a tree with places stands in a text."""
    match node:
        case Phrase():
            return _any_places((node,), numbers)
        case Any(inner):
            return _any_places(inner, numbers)
        case Near(left, right, most, is_ordered):
            sides = places_of(left, numbers), places_of(right, numbers)
            return lambda view: _near(view, *sides, most=most, is_ordered=is_ordered)
        case Risky(risky, strong, within):
            sides = places_of(risky, numbers), places_of(strong, numbers)
            return lambda view: _near(view, *sides, most=within, is_ordered=False)
    raise TypeError(f"{type(node).__name__} has no place in a text")


def spans_of(ends: Ends) -> Iterator[Span]:
    """Every span that ends where `ends` says, whatever its length."""
    for end, lengths in ends.items():
        for length in _bits(lengths):
            yield end - length, end


def _bits(number: int) -> Iterator[int]:
    """The places of the bits that are set, from the lowest."""
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


def _any_places(inner: tuple[Node, ...], numbers: Mapping[Phrase, int]) -> _Places:
    """Of many phrases only those that were found are looked at."""
    phrases = frozenset(numbers[child] for child in inner if isinstance(child, Phrase))
    others = [places_of(child, numbers) for child in inner if not isinstance(child, Phrase)]

    def places(view: View) -> Ends:
        found: Ends = {}
        for number in phrases.intersection(view.hits):
            for start, end in view.spans(number):
                found[end] = found.get(end, 0) | 1 << (end - start)
        for of in others:
            _add(found, of(view))
        return found

    return places


def _add(found: Ends, more: Ends) -> None:
    for end, lengths in more.items():
        found[end] = found.get(end, 0) | lengths


def _near(view: View, left: _Places, right: _Places, *, most: int, is_ordered: bool) -> Ends:
    firsts = left(view)
    lasts = right(view) if firsts else {}
    if not lasts:
        return {}
    found = _followed(view.ordinals, firsts, lasts, most)
    if not is_ordered:
        _add(found, _followed(view.ordinals, lasts, firsts, most))
    return found


def _followed(ordinals: Sequence[int], firsts: Ends, lasts: Ends, most: int) -> Ends:
    """From the start of each first to the end of each last that follows it closely enough.

    Each place from which a last may start is looked at once, so that the time grows with the text
    and the distances, not with the pairs that a text of two words in turn would have.
    """
    closed = sorted(firsts)
    begun: dict[int, int] = {}  # start of a last: how far before it the firsts start, as bits

    def before(start: int) -> int:
        lengths = begun.get(start)
        if lengths is None:
            lengths = 0
            for end in reversed(closed[: bisect_right(closed, start)]):
                if ordinals[start] - ordinals[end] > most:
                    break
                lengths |= firsts[end] << (start - end)
            begun[start] = lengths
        return lengths

    found: Ends = {}
    for end, lengths in lasts.items():
        whole = 0
        for length in _bits(lengths):
            whole |= before(end - length) << length
        if whole:
            found[end] = whole
    return found


def _titled(view: View) -> View:
    count = view.document.words.title_count
    return view.kept(lambda span: span[0] < count, is_title=True)


def _cut(child: Node, phrases: Sequence[Phrase], numbers: Mapping[Phrase, int]) -> _Test:
    test, cut = test_of(child, numbers), frozenset(numbers[phrase] for phrase in phrases)
    announced = frozenset(numbers[phrase] for phrase in cover(child) or ())

    def whole(view: View) -> bool:
        if announced and announced.isdisjoint(view.hits):
            return False
        return test(view if cut.isdisjoint(view.hits) else _without(view, cut))

    return whole


def _without(view: View, cut: Iterable[int]) -> View:
    """The text without some phrases: the longest first, from the left, none inside another."""
    spans = {span for number in cut for span in view.spans(number)}
    gone: set[int] = set()
    for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
        if gone.isdisjoint(range(start, end)):
            gone.update(range(start, end))
    return view.kept(lambda span: gone.isdisjoint(range(*span)))


def _named(node: Named, numbers: Mapping[Phrase, int]) -> _Test:
    names, context, exclude = (
        _all_spans(frozenset(numbers[phrase] for phrase in phrases))
        for phrases in (node.names, node.context, node.exclude)
    )

    def test(view: View) -> bool:
        places = names(view)
        beside = context(view) if places else []
        against = exclude(view) if beside else []
        read = view.document.words
        return bool(beside) and any(
            _is_meant(words.read_as(read, span[0]), span[0], _inside(beside, span, node.within))
            and not _inside(against, span, node.within)
            for span in places
        )

    return test


def _all_spans(phrases: frozenset[int]) -> Callable[[View], list[Span]]:
    """Where any of some phrases stands, from the left."""

    def spans(view: View) -> list[Span]:
        found = [view.spans(number) for number in phrases.intersection(view.hits)]
        return found[0] if len(found) == 1 else sorted({s for each in found for s in each})

    return spans


def _inside(spans: list[Span], around: Span, within: int) -> list[Span]:
    """The spans that lie whole within so many tokens of a place."""
    first, last = around[0] - within, around[1] + within
    at = bisect_left(spans, (first, 0))
    found = []
    while at < len(spans) and spans[at][0] < last:
        if spans[at][1] <= last:
            found.append(spans[at])
        at += 1
    return found


def _is_meant(how: str, start: int, beside: list[Span]) -> bool:
    """Whether a name with these words of context about it reads as one (`words.reads`)."""
    if how == "n":
        return bool(beside)
    told_at = {"d": start - 1, "e": start}.get(how)
    return told_at is not None and any(end == told_at for _, end in beside)


# --- what is no word


def _of_document(node: Node) -> _Test:
    match node:
        case Raw(text):
            return lambda view: exactly_at(_shown(view), text) is not None
        case Site():
            return lambda view: is_on(view.document.url, node)
        case Source(name):
            return lambda view: (
                name
                in (
                    view.document.source,
                    view.document.source_name,
                    view.document.network,
                )
            )
        case Lang(code):
            return lambda view: view.document.lang == code
        case Type(name):
            return lambda view: view.document.content_type == name
        case Engagement(sign, count):
            compare = _COMPARE[sign]
            return lambda view: compare(view.document.engagement, count)
        case Place(_, codes, prefixes):
            return lambda view: any(
                code in codes or code.startswith(prefixes) for code in view.document.place_codes
            )
        case Author(relay_ids):
            if not relay_ids:
                return lambda view: view.document.is_own
            return lambda view: view.document.relay_id in relay_ids
    raise TypeError(f"{type(node).__name__} is no node of a query")


def _shown(view: View) -> str:
    return view.document.title if view.is_title else view.document.text


def exactly_at(text: str, signs: str) -> int | None:
    """Where a text first holds exactly these signs, not inside a longer word; none where not."""
    at = text.find(signs)
    while at >= 0:
        end = at + len(signs)
        before, after = text[at - 1 : at], text[end : end + 1]
        is_apart = not (signs[0].isalnum() and before.isalnum())
        if is_apart and not (signs[-1].isalnum() and after.isalnum()):
            return at
        at = text.find(signs, at + 1)
    return None


_ADDRESS = re.compile(ADDRESS)


def is_on(url: str | None, site: Site) -> bool:
    """Whether an address lies on a site's host or a sub-domain of it, and under its path."""
    found = _ADDRESS.match(url) if url else None
    if not found:
        return False
    host, path = found[1], found[2]
    if host != site.host and not host.endswith(f".{site.host}"):
        return False
    return not site.path or path == site.path or path.startswith((f"{site.path}/", f"{site.path}?"))


_COMPARE: Mapping[str, Callable[[int | None, int], bool]] = {
    ">": lambda count, than: count is not None and count > than,
    ">=": lambda count, than: count is not None and count >= than,
    "<": lambda count, than: count is not None and count < than,
    "<=": lambda count, than: count is not None and count <= than,
    "=": lambda count, than: count is not None and count == than,
}


# --- many queries at once


@dataclass(frozen=True, slots=True)
class Compiled:
    """Queries ready for the stream; made once by `compiled`."""

    patterns: Patterns
    _tests: tuple[_Test, ...]
    _triggers: Mapping[int, tuple[int, ...]]  # phrase: the queries that it may answer
    _always: tuple[int, ...]  # queries that no phrase announces

    def find(self, document: Document) -> tuple[int, ...]:
        """The places of the queries that a document answers, in their order."""
        hits = self.patterns.hits(document)
        if not hits and not self._always:
            return ()
        asked = {n for phrase in hits for n in self._triggers.get(phrase, ())}
        view = View(document, hits)
        return tuple(n for n in sorted(asked.union(self._always)) if self._tests[n](view))

    def view(self, document: Document) -> View:
        """A document as tests and places see it, for telling why it answers."""
        return View(document, self.patterns.hits(document))


def compiled(trees: Sequence[Node]) -> Compiled:
    """Queries ready for the stream."""
    patterns = Patterns(trees)
    triggers: dict[int, list[int]] = {}
    always = []
    for number, tree in enumerate(trees):
        announced = cover(tree)
        if announced is None:
            always.append(number)
        for phrase in announced or ():
            triggers.setdefault(patterns.numbers[phrase], []).append(number)
    return Compiled(
        patterns,
        tuple(test_of(tree, patterns.numbers) for tree in trees),
        {phrase: tuple(queries) for phrase, queries in triggers.items()},
        tuple(always),
    )
