"""A query as DuckDB SQL over stored mentions, which says the same as the matcher of the stream.

Both read the same tokens (column `words`, made by `pipelines.words`), so that nothing is cut or
folded twice; `tests/pipelines/test_query_equal.py` holds the two equal. Whatever has places in a
text is one regular expression over the line, which RE2 answers in linear time; what a person wrote
is bound as a parameter and, inside an expression, made of letters and digits or escaped.

A mention without `words` (expired, or stored by an older version) answers no word.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any as Anything

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
)

_WHOLE_MOST = 8  # forms of a phrase that are looked for one by one; more make an expression
_PATTERN_MOST = 20_000  # characters of one alternation; RE2 gives up on programs of 8 MB

# A word, and a sentence's end or a part's, each between two spaces; the wall is neither.
_ANY_WORD = r" (?:[^ .|!]|[^ ]{2,}) "
_ANY_STOPS = r"(?: [.|] )*"
_SHOWN = "concat_ws(chr(10), nullif(title, ''), nullif(content_warning, ''), nullif(text, ''))"


@dataclass(frozen=True, slots=True)
class Sql:
    """A condition over mentions, what it needs beside their columns, and its parameters.

    `derived` are columns made of others, by name; `parameters` are bound as `$q1`, `$q2`…
    """

    condition: str
    derived: dict[str, str]
    parameters: dict[str, Anything]

    def select(self, relation: str, names: Sequence[str]) -> str:
        """A statement for the rows of `relation` (a table, a view, a subquery) that answer."""
        made = "".join(f",\n        {text} as {name}" for name, text in self.derived.items())
        return (
            f"select {', '.join(names)}\n"  # noqa: S608 - names of columns, no value of anybody
            f"from (\n    select\n        *{made}\n    from {relation}\n)\nwhere {self.condition}"
        )


def condition(tree: Node, *, columns: Iterable[str]) -> Sql:
    """A tree as SQL over a table with these columns; `place_codes` may be missing."""
    writing = _Writing(frozenset(columns))
    text = writing.node(tree, _Text("line", _SHOWN))
    # What stands behind the line in `words` holds no space, so that no expression reaches it.
    derived = {"line": "coalesce(words, '')"} | writing.derived
    named = set(re.findall(r"\$(q\d+)", " ".join((text, *derived.values()))))
    bound = {name: value for name, value in writing.parameters.items() if name in named}
    return Sql(text, derived, bound)


@dataclass(frozen=True, slots=True)
class _Text:
    """Expressions of the text that a condition reads: the line of tokens, and what is shown."""

    line: str
    shown: str


@dataclass(slots=True)
class _Writing:
    """Parameters and derived columns, gathered while a tree is written."""

    columns: frozenset[str]
    parameters: dict[str, Anything] = field(default_factory=dict)
    derived: dict[str, str] = field(default_factory=dict)

    def bind(self, value: Anything) -> str:
        """The name under which a value is bound."""
        name = f"q{len(self.parameters) + 1}"
        self.parameters[name] = value
        return f"${name}"

    def derive(self, text: str) -> str:
        """The name of a column that holds an expression."""
        name = f"part_{len(self.derived) + 1}"
        self.derived[name] = text
        return name

    def node(self, node: Node, text: _Text) -> str:
        """The condition of a node; true or false, never null."""
        match node:
            case Phrase():
                return self._phrases([node], text)
            case All(inner):
                return self._joined(inner, text, " and ")
            case Any(inner):
                return self._any(inner, text)
            case Not(child):
                return f"not {self.node(child, text)}"
            case Near() | Risky():
                return f"regexp_matches({text.line}, {self.bind(pattern(node))})"
            case Title(child):
                line = f"split_part({text.line}, ' | ', 1)"
                return self.node(child, _Text(line, "coalesce(title, '')"))
            case Cut(child, phrases):
                return self.node(child, _Text(self._without(phrases, text.line), text.shown))
            case Named():
                return self._named(node, text)
            case Always(is_true):
                return "true" if is_true else "false"
        return f"coalesce({self._of_mention(node, text)}, false)"

    def _joined(self, inner: Sequence[Node], text: _Text, joint: str) -> str:
        if not inner:
            return "true" if joint == " and " else "false"
        return f"({joint.join(self.node(child, text) for child in inner)})"

    def _any(self, inner: tuple[Node, ...], text: _Text) -> str:
        phrases = [child for child in inner if isinstance(child, Phrase)]
        if len(phrases) <= 1:
            return self._joined(inner, text, " or ")
        others = [self.node(c, text) for c in inner if not isinstance(c, Phrase)]
        return f"({' or '.join([self._phrases(phrases, text), *others])})"

    def _phrases(self, phrases: Sequence[Phrase], text: _Text) -> str:
        """Any of some phrases: plain searches where they are few, else expressions."""
        forms = list(itertools.islice(_plain_forms(phrases), _WHOLE_MOST + 1))
        if len(forms) <= _WHOLE_MOST and not any(map(_has_signs, phrases)):
            found = [f"contains({text.line}, {self.bind(form)})" for form in forms]
        else:
            groups = _grouped([pattern(phrase) for phrase in phrases])
            found = [f"regexp_matches({text.line}, {self.bind(group)})" for group in groups]
        return found[0] if len(found) == 1 else f"({' or '.join(found)})"

    def _without(self, phrases: Sequence[Phrase], line: str) -> str:
        """The line with some phrases blanked, the longest first; it keeps its number of tokens."""
        ways = [way for phrase in phrases for way in phrase.ways]
        for count in sorted({len(way) for way in ways}, reverse=True):
            found = _either(_way(way) for way in ways if len(way) == count)
            blank = " _ " * count
            line = f"regexp_replace({line}, {self.bind(found)}, '{blank}', 'g')"
        return line

    def _named(self, node: Named, text: _Text) -> str:
        """Whether a name stands where it reads as one, a word of context near, none excluded."""
        if not node.names or not node.context:
            return "false"
        tokens = self.derive(f"string_split(trim(split_part({text.line}, chr(10), 1)), '  ')")
        reads = "split_part(words, chr(10), 2)"
        ways = [way for name in node.names for way in name.ways]
        context = _either(map(pattern, node.context))
        found = []
        for count in sorted({len(way) for way in ways}):
            names = _either(_way(way) for way in ways if len(way) == count)
            firsts = sorted({f for way in ways if len(way) == count for f in way[0].forms})
            window = _slice(tokens, f"i - {node.within}", f"i + {count - 1 + node.within}")
            left = f"i - {node.within}"
            meant = [
                f"regexp_matches({_slice(tokens, 'i', f'i + {count - 1}')},"
                f" {self.bind(f'^{names}$')})",
                f"regexp_matches({window}, {self.bind(context)})",
                f"(substr({reads}, i, 1) = 'n'"
                f" or (substr({reads}, i, 1) = 'd' and regexp_matches("
                f"{_slice(tokens, left, 'i - 2')}, {self.bind(f'{context}$')}))"
                f" or (substr({reads}, i, 1) = 'e' and regexp_matches("
                f"{_slice(tokens, left, 'i - 1')}, {self.bind(f'{context}$')})))",
            ]
            if node.exclude:
                exclude = _either(map(pattern, node.exclude))
                meant.append(f"not regexp_matches({window}, {self.bind(exclude)})")
            # Two steps: the windows of the few places that begin as a name, not of all.
            begins = f"list_filter(range(1, len({tokens}) + 1), lambda i: list_contains("
            begins += f"{self.bind(firsts)}, {tokens}[i]))"
            found.append(f"len(list_filter({begins}, lambda i: {' and '.join(meant)})) > 0")
        return f"({' or '.join(found)})"

    def _of_mention(self, node: Node, text: _Text) -> str:
        match node:
            case Raw(signs):
                return f"regexp_matches({text.shown}, {self.bind(raw_pattern(signs))})"
            case Site():
                return self._site(node)
            case Source(name):
                return f"{self.bind(name)} in (source, source_name, network)"
            case Lang(code):
                return f"lang = {self.bind(code)}"
            case Type(name):
                return f"content_type = {self.bind(name)}"
            case Engagement(sign, count):
                return f"{_ENGAGEMENT} {sign} {self.bind(count)}"
            case Place(_, codes, prefixes):
                return self._place(codes, prefixes)
            case Author(relay_ids):
                listed = f"list_contains({self.bind(list(relay_ids))}, relay_id)"
                return listed if relay_ids else "is_own"
        raise TypeError(f"{type(node).__name__} is no node of a query")

    def _site(self, site: Site) -> str:
        host, path = (f"regexp_extract(url, '{ADDRESS}', {n})" for n in (1, 2))
        name = self.bind(site.host)
        is_there = f"({host} = {name} or ends_with({host}, '.' || {name}))"
        if not site.path:
            return is_there
        under = self.bind(site.path)
        return (
            f"{is_there} and ({path} = {under} or starts_with({path}, {under} || '/')"
            f" or starts_with({path}, {under} || '?'))"
        )

    def _place(self, codes: Sequence[str], prefixes: Sequence[str]) -> str:
        if "place_codes" not in self.columns:
            return "false"
        found = [f"list_has_any(place_codes, {self.bind(list(codes))})"] if codes else []
        found += [
            f"len(list_filter(place_codes, lambda c: starts_with(c, {self.bind(start)}))) > 0"
            for start in prefixes
        ]
        return f"({' or '.join(found)})"


_COUNTS = ("like_count", "reply_count", "share_count", "quote_count")
# Unknown where the source tells none of the four.
_ENGAGEMENT = (
    f"(case when coalesce({', '.join(_COUNTS)}) is not null"
    f" then {' + '.join(f'coalesce({name}, 0)::hugeint' for name in _COUNTS)} end)"
)


def _slice(tokens: str, first: str, last: str) -> str:
    """Tokens `first` to `last` (from 1) as a line; places before the start hold nothing."""
    bounds = f"greatest({first}, 1):greatest({last}, 0)"
    return f"(' ' || array_to_string({tokens}[{bounds}], '  ') || ' ')"


# --- expressions


def pattern(node: Node) -> str:
    """The regular expression of a tree that has places in a text, over the line of its tokens."""
    match node:
        case Phrase(_, ways):
            return _either(map(_way, ways))
        case Any(inner):
            return _either(map(pattern, inner))
        case Near(left, right, most, is_ordered):
            return _near(pattern(left), pattern(right), most, is_ordered=is_ordered)
        case Risky(risky, strong, within):
            return _near(pattern(risky), pattern(strong), within, is_ordered=False)
    raise TypeError(f"{type(node).__name__} has no place in a text")


def _near(left: str, right: str, most: int, *, is_ordered: bool) -> str:
    between = f"{_ANY_STOPS}(?:{_ANY_WORD}{_ANY_STOPS}){{0,{most}}}"
    ordered = f"{left}{between}{right}"
    return ordered if is_ordered else f"(?:{ordered}|{right}{between}{left})"


def _either(patterns: Iterable[str]) -> str:
    found = list(dict.fromkeys(patterns))
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"


def _way(way: Way) -> str:
    return "".join(map(_part, way))


def _part(part: Part) -> str:
    forms = [_form(form) for form in part.forms]
    ending = "[^ ]*" if part.is_prefix else ""
    return f" {_either(forms)}{ending} "


def _form(form: str) -> str:
    """A token as an expression: `?` is any one sign, all that is no letter or digit is escaped."""
    return "".join("[^ ]" if c == "?" else _escaped(c) for c in form)


def _escaped(sign: str) -> str:
    is_plain = sign.isascii() and sign.isalnum()
    return sign if is_plain else f"\\x{{{ord(sign):x}}}"


def _has_signs(phrase: Phrase) -> bool:
    return any("?" in form for way in phrase.ways for part in way for form in part.forms) or any(
        part.is_prefix for way in phrase.ways for part in way[:-1]
    )


def _plain_forms(phrases: Iterable[Phrase]) -> Iterable[str]:
    """Each form of some phrases as it stands in a line."""
    for phrase in phrases:
        for way in phrase.ways:
            for forms in itertools.product(*(part.forms for part in way)):
                whole = "".join(f" {form} " for form in forms)
                yield whole.removesuffix(" ") if way[-1].is_prefix else whole


def _grouped(patterns: Iterable[str]) -> list[str]:
    """Patterns as alternations of a bounded size."""
    groups: list[list[str]] = [[]]
    size = 0
    for found in dict.fromkeys(patterns):
        size += len(found)
        if size > _PATTERN_MOST and groups[-1]:
            groups.append([])
            size = len(found)
        groups[-1].append(found)
    return [_either(group) for group in groups]


def raw_pattern(signs: str) -> str:
    """The expression of exact signs that stand in no longer word (`query_match.exactly_at`).

    RE2 knows another version of Unicode than Python does, so letters and digits are listed.
    """
    letters = _letters()
    before = f"(?:^|[^{letters}])" if signs[0].isalnum() else ""
    after = f"(?:$|[^{letters}])" if signs[-1].isalnum() else ""
    return f"{before}{''.join(map(_escaped, signs))}{after}"


@cache
def _letters() -> str:
    """Every letter and digit of this Python's Unicode, as the inside of a class of RE2."""
    ranges: list[list[int]] = []
    for code in range(0x110000):
        if not chr(code).isalnum():
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in ranges)
