"""Queries of Brandwatch and Talkwalker in Vigie's words, where both mean the same.

Where they do not, the error names the operator and why. What each operator means was read on
2026-11-26, in stored copies of public pages:

- Brandwatch: "Query Operators", consumer-research-help.brandwatch.com, article 360012098098 (as
  quoted in github.com/mmstroik/bwq, brandwatch-query-operators.md). NEAR/x and NEAR/xf count words
  between; neighbours without an operator are joined by AND; AND and OR may not be mixed.
- Talkwalker: "Search Syntax" (talkwalker.com/syntax-alerts), the user manual of July 2015
  (manualzilla.com, 5896875) and "Special Transformations"
  (developer.talkwalker.com/docs/query-syntax). `"a b"~5` counts jumps from word to word, one more
  than the words between; of NEAR/x only the name was found, and a note says so.

Known gap: fields that neither page names are refused, though the tool may have them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from pipelines import query
from pipelines.errors import ONE_PERSON, QueryError, VigieError
from pipelines.query_terms import Allowed, short
from pipelines.query_tree import NEAR_MOST
from pipelines.said import Said, say
from pipelines.vigie_toml import near

_TOKEN = re.compile(
    r"(?P<comment><<<.*?>>>)|(?P<space>\s+)|(?P<open>\()|(?P<close>\))|(?P<tilde>~\s*\d*)"
    r"|(?P<exact>\+{1,2}(?:\"[^\"]*\"|[^\s()\"]+))|(?P<phrase>\"[^\"]*\")|(?P<upper>\{[^{}]*\})"
    r"|(?P<range>[A-Za-z]\w*:\[[^\]]*\])|(?P<field>[A-Za-z]\w*:(?=[^\s)]))"
    r"|(?P<operator>(?:AND|OR|NOT|O?SENTENCE|O?NEAR(?:/\w*)?)(?![^\s()\"]))"
    r"|(?P<minus>-(?=[^\s\-]))|(?P<word>[^\s()\"~{}]+)|(?P<other>.)",
    re.DOTALL,
)
_FOLDED = (
    "Vigie finds accents, capitals and elided articles written otherwise, and the plural of words "
    'in small letters: write a capital, or raw:"…", where that is too much'
)
_NEVER_KEPT = say("says something of a person, which is never kept: {why}", why=ONE_PERSON)
_WHERE = say("tells where an author or a site is said to be; place: finds places that a text names")
_NOT_STORED = say("asks for what no mention holds here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A query in Vigie's words, and what to know of it."""

    text: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Tool:
    """What a tool writes otherwise: fields that mean the same, and those that have no like."""

    name: str
    same: Mapping[str, str]
    unlike: Mapping[str, Said]
    has_jumps: bool  # `"a b"~n` counts jumps, not the words between
    has_signs: bool  # `-word`, `+"word"`, `++"word"`


def _all(names: str, why: Said) -> dict[str, Said]:
    return dict.fromkeys(names.split(), why)


_BRANDWATCH = _Tool(
    "Brandwatch",
    same={
        "title": "title",
        "site": "site",
        "url": "site",
        "language": "lang",
        "author": "author",
        "raw": "raw",
        "subreddit": "site",
        "engagementtype": "type",
    },
    unlike={
        **_all("continent country region city latitude longitude", _WHERE),
        **_all(
            "authorgender authorverified authorverifiedtype authorfollowers engagingwith blogname "
            "parentblogname rootblogname weblogtitle redditauthorflair",
            _NEVER_KEPT,
        ),
        **_all(
            "channelid links parentpostid rootpostid tags brandids objects engagingwithguid guid "
            "imagetype itemreview rating minuteofday pubtype publishersubtype publication "
            "redditpostflair redditspoiler sensitivecontent subredditnsfw subreddittopics "
            "topleveldomain",
            _NOT_STORED,
        ),
    },
    has_jumps=False,
    has_signs=False,
)
_TALKWALKER = _Tool(
    "Talkwalker",
    same={
        "title": "title",
        "site": "site",
        "domainurl": "site",
        "domain_url": "site",
        "lang": "lang",
        "author": "author",
        "engagement": "engagement",
    },
    unlike={
        **_all(
            "hosturl host_url", say("asks for one host without its sub-domains; site: has them")
        ),
        **_all("sourcecountry sourcegeo sourceregion sourcecity geo country region city", _WHERE),
        **_all(
            "content", say("asks for the text without its title; Vigie has both, or title: alone")
        ),
        **_all("authorgender fluency gender age", _NEVER_KEPT),
        **_all(
            "sourcetype source_type published reach sentiment url inurl is has tag", _NOT_STORED
        ),
    },
    has_jumps=True,
    has_signs=True,
)
_TOOLS = {"brandwatch": _BRANDWATCH, "talkwalker": _TALKWALKER}
_ENGAGEMENT_TYPES = {
    "COMMENT": "comment",
    "REPLY": "reply",
    "RETWEET": "repost",
    "QUOTE": "quote",
}


def imported(text: str, *, tool: str, allowed: Allowed = query.NOBODY) -> Imported:
    """The query of another tool in Vigie's words.

    Raises QueryError, with the place in the query that was given, for an operator that has no
    like; VigieError for a tool that is not known.
    """
    chosen = _TOOLS.get(tool.lower())
    if chosen is None:
        guess = near(tool.lower(), _TOOLS)
        told = say(
            "{tool!r} is no tool that is known: {guess}choose among {names}",
            tool=tool,
            guess=guess,
            names=", ".join(_TOOLS),
        )
        raise VigieError(told)
    if len(text) > query.LENGTH_MOST:
        most = query.LENGTH_MOST
        what = say("the query has {n} characters, and may have {most}", n=len(text), most=most)
        raise VigieError(say("{what}: cut it up", what=what))
    putting = _Putting(text, chosen)
    for found in _TOKEN.finditer(text):
        _PUT[found.lastgroup or "other"](putting, found)
    made = " ".join("".join(putting.pieces).split())
    made = _without_operators(putting, made)
    try:
        query.parse(made, allowed=allowed)
    except QueryError as error:
        put = say(
            "put into Vigie's words the query is\n    {made}\nand there {why}", made=made, why=error
        )
        raise VigieError(put) from error
    return Imported(text=made, notes=tuple(dict.fromkeys((*putting.notes, _FOLDED))))


@dataclass(slots=True)
class _Putting:
    """A query on its way: what has been put so far, and what to know of it."""

    text: str
    tool: _Tool
    pieces: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    field_name: str = ""
    group: str = ""  # the field before a parenthesis, whose values stand in it
    depth: int = 0  # parentheses open since that one

    def refuse(self, found: re.Match[str], what: Said, remedy: Said) -> NoReturn:
        """QueryError at a token of the given query, with the operator's name."""
        named = say("{tool}'s {what}", tool=self.tool.name, what=what)
        raise QueryError(
            self.text, at=found.start(), length=len(found[0]), what=named, remedy=remedy
        )

    def put(self, piece: str) -> None:
        """Add a piece; a value goes with the field before it."""
        self.pieces.append(piece)
        self.field_name = ""


def _comment(putting: _Putting, found: re.Match[str]) -> None:
    if putting.tool.has_signs:
        putting.refuse(found, say("query holds <<<"), say("take the comment out"))
    putting.notes.append("comments are left out: TOML takes them, behind #")
    putting.pieces.append(" ")


def _space(putting: _Putting, _: re.Match[str]) -> None:
    putting.pieces.append(" ")


def _open(putting: _Putting, found: re.Match[str]) -> None:
    putting.group = putting.group or putting.field_name
    putting.depth += bool(putting.group)
    putting.put(found[0])


def _close(putting: _Putting, found: re.Match[str]) -> None:
    putting.depth -= bool(putting.group)
    putting.group = putting.group if putting.depth else ""
    putting.put(found[0])


def _phrase(putting: _Putting, found: re.Match[str]) -> None:
    text = found[0]
    if putting.field_name or putting.group:
        putting.put(_value(putting, found, text))
        return
    is_picture = text.strip('" ') and not any(c.isalnum() for c in text)
    putting.put(f"raw:{text}" if is_picture else text)


def _word(putting: _Putting, found: re.Match[str]) -> None:
    text = found[0]
    if putting.field_name or putting.group in _VALUED:
        putting.put(_value(putting, found, text))
        return
    if "*" in text.rstrip("*") or text.endswith("**"):
        remedy = say("Vigie has * at the end of a word alone: write the words out, joined by OR")
        putting.refuse(found, say("* inside {word}", word=short(text)), remedy)
    is_picture = not any(c.isalnum() for c in text)
    putting.put(f'raw:"{text}"' if is_picture and text not in ("*", "?") else text)


def _upper(putting: _Putting, found: re.Match[str]) -> None:
    if putting.tool.has_signs:
        putting.refuse(found, say("query holds braces"), say("take them out"))
    putting.put(f'raw:"{found[0][1:-1].strip()}"')


def _exact(putting: _Putting, found: re.Match[str]) -> None:
    if not putting.tool.has_signs:
        remedy = say('write raw:"…" for exact signs')
        putting.refuse(found, say("query holds a plus sign"), remedy)
    value = found[0].lstrip("+").strip('"')
    if found[0].startswith("++"):
        putting.put(f'raw:"{value}"')
        return
    remedy = say(
        'write raw:"{value}" for these signs in this case, or "{value}" for its words', value=value
    )
    putting.refuse(found, say("+ (raw data, whatever the case)"), remedy)


def _minus(putting: _Putting, found: re.Match[str]) -> None:
    if not putting.tool.has_signs:
        remedy = say("write NOT before the word")
        putting.refuse(found, say("query holds a minus sign"), remedy)
    putting.put("NOT ")


def _operator(putting: _Putting, found: re.Match[str]) -> None:
    name = found[0]
    if "SENTENCE" in name:
        remedy = say("Vigie knows no sentence: NEAR/15 is the nearest that it has")
        putting.refuse(found, Said(name), remedy)
    if not name.startswith(("NEAR", "ONEAR")):
        putting.put(name)
        return
    number = re.fullmatch(r"(O?)NEAR/(\d{1,4})(f?)", name)
    if not number or int(number[2]) > NEAR_MOST or (number[3] and putting.tool.has_signs):
        remedy = say("write it with a number of words up to {most}, such as NEAR/5", most=NEAR_MOST)
        putting.refuse(found, Said(name), remedy)
    is_ordered = bool(number[1] or number[3])
    if putting.tool.has_jumps:
        putting.notes.append(
            f"{name}: taken for at most {number[2]} words between the two; Talkwalker's page on it "
            "was not at hand, so try it with `vigie query test`"
        )
    putting.put(f"{'ONEAR' if is_ordered else 'NEAR'}/{number[2]}")


def _field(putting: _Putting, found: re.Match[str]) -> None:
    name = found[0][:-1].lower()
    if name.startswith("http"):
        remedy = say("write site: with the host and path")
        putting.refuse(found, say("address as a word"), remedy)
    if name in putting.tool.unlike:
        what = say("{name} {why}", name=found[0], why=putting.tool.unlike[name])
        putting.refuse(found, what, say("take it out"))
    if name not in putting.tool.same:
        guess = near(name, putting.tool.same)
        remedy = say(
            "{guess}those that mean the same here are {names}",
            guess=guess,
            names=", ".join(putting.tool.same),
        )
        putting.refuse(found, say("{name} is no field that is known", name=found[0]), remedy)
    putting.pieces.append(f"{putting.tool.same[name]}:")
    putting.field_name = name


# Fields of values, not of words.
_VALUED = (
    "engagementtype", "subreddit", "language", "lang", "site", "url", "domainurl", "domain_url",
)  # fmt: skip


def _value(putting: _Putting, found: re.Match[str], value: str) -> str:
    """The value of a field as Vigie writes it."""
    name = putting.field_name or putting.group
    bare = value.strip('"')
    if name == "engagementtype":
        known = _ENGAGEMENT_TYPES.get(bare)
        if known is None:
            names = ", ".join(_ENGAGEMENT_TYPES)
            remedy = say("those that are known are {names}", names=names)
            putting.refuse(found, Said(f"engagementType:{short(bare)}"), remedy)
        return known
    if name == "subreddit":
        return f"reddit.com/r/{bare}"
    return bare if name in _VALUED else value


def _range(putting: _Putting, found: re.Match[str]) -> None:
    name = found[0].partition(":")[0]
    why = putting.tool.unlike.get(name.lower(), _NOT_STORED)
    putting.refuse(found, say("{name} {why}", name=f"{name}:", why=why), say("take it out"))


def _tilde(putting: _Putting, found: re.Match[str]) -> None:
    """`"a b"~5` and `(a AND b)~5` as NEAR; anything else has no like."""
    number = found[0].lstrip("~ \t\n")
    before = next(
        (n for n in reversed(range(len(putting.pieces))) if putting.pieces[n].strip()), -1
    )
    last = putting.pieces[before] if before >= 0 else ""
    if not number or not (last.endswith('"') or last == ")"):
        remedy = say(
            "write the forms out, joined by OR: Vigie does not look for words that resemble"
        )
        putting.refuse(found, say("~ behind one word (a word that resembles it)"), remedy)
    most = int(number) - putting.tool.has_jumps
    if not 0 <= most <= NEAR_MOST:
        remedy = say("Vigie has NEAR/0 to NEAR/{most}", most=NEAR_MOST)
        putting.refuse(found, Said(f"~{number}"), remedy)
    if last == ")":
        _near_group(putting, found, before, most)
        return
    words = last.strip('"').split()
    if len(words) == 1:
        putting.notes.append(f"~{number} behind {last} changes nothing and is left out")
    elif len(words) == 2:
        putting.pieces[before] = f"({_quoted(words[0])} NEAR/{most} {_quoted(words[1])})"
    else:
        remedy = say(
            "say which words are to be near which: (a NEAR/{most} b) AND (b NEAR/{most} c)",
            most=most,
        )
        putting.refuse(found, say("~ over {n} words", n=len(words)), remedy)


def _quoted(word: str) -> str:
    """A word by itself; in quotes where it would be taken for an operator."""
    return f'"{word}"' if word in ("AND", "OR", "NOT", "ET", "OU", "SAUF") else word


def _near_group(putting: _Putting, found: re.Match[str], close: int, most: int) -> None:
    """The one AND of a group becomes NEAR."""
    depth, joints = 0, []
    at = close
    while at >= 0:
        piece = putting.pieces[at]
        depth += (piece == ")") - (piece == "(")
        if depth == 0:
            break
        if depth == 1 and piece in ("AND", "OR", "NOT"):
            joints.append(at)
        at -= 1
    if [putting.pieces[n] for n in joints] != ["AND"]:
        remedy = say("say which two are to be near: (a OR b) NEAR/{most} (c OR d)", most=most)
        what = say("~ behind a group that is not two things joined by AND")
        putting.refuse(found, what, remedy)
    putting.pieces[joints[0]] = f"NEAR/{most}"


def _other(putting: _Putting, found: re.Match[str]) -> None:
    what = say("query holds {sign!r} without its partner", sign=found[0])
    putting.refuse(found, what, say("write both, or none"))


_PUT: Mapping[str, Callable[[_Putting, re.Match[str]], None]] = {
    "comment": _comment,
    "space": _space,
    "open": _open,
    "close": _close,
    "tilde": _tilde,
    "exact": _exact,
    "phrase": _phrase,
    "upper": _upper,
    "range": _range,
    "field": _field,
    "operator": _operator,
    "minus": _minus,
    "word": _word,
    "other": _other,
}


def _without_operators(putting: _Putting, made: str) -> str:
    """Talkwalker's special rules for a query of plain words: near each other, or exact capitals."""
    if not putting.tool.has_jumps or re.search(r"[()\"*?:~/]|\b(?:AND|OR|NOT)\b", made):
        return made
    words = made.split()
    if len(words) == 1 and made.isalpha() and made.isupper():
        putting.notes.append("a word in capitals alone is exact in Talkwalker, so it is here")
        return f'raw:"{made}"'
    if len(words) == 2:
        putting.notes.append("two words without an operator stand within ten jumps in Talkwalker")
        return f"{words[0]} NEAR/9 {words[1]}"
    if len(words) > 2:
        what = say(
            "Talkwalker's {n} words without an operator stand within {jumps} jumps",
            n=len(words),
            jumps=10 * (len(words) - 1),
        )
        remedy = say("write AND between them, or NEAR with the words that are to be near")
        raise QueryError(putting.text, at=0, length=len(putting.text), what=what, remedy=remedy)
    return made
