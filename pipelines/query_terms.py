"""Words, phrases, hashtags and accounts of a query as the tokens that they may be in a text.

A phrase has one way for each form in which it may be written: "Lignes d'Azur" is `lignes azur`
where the apostrophe stands and `lignes d azur` where it was left out. Small letters stand for the
plural and the singular, capitals for a name; `forms:` stands for every form of a word
(`word_forms`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

from pipelines import word_forms, words
from pipelines.errors import ONE_PERSON, QueryError
from pipelines.query_tree import Inflected, Part, Phrase, Way
from pipelines.said import NOTHING, Said, say, some
from pipelines.vigie_toml import near

STEM_LEAST = 3  # letters before a `*`, and of a word with `?`
WAYS_MOST = 32  # of writing one phrase
_SHOWN = 60
_WILD_MOST = 3  # `?` in one word

EXAMPLES: Mapping[str, str] = {
    "site:": "site:lemonde.fr",
    "source:": "source:mastodon",
    "lang:": "lang:fr",
    "type:": "type:comment",
    "place:": "place:commune:37261",
    "author:": "author:@votre_institution",
    "engagement:": "engagement:>100",
    "title:": 'title:"conseil municipal"',
    "raw:": 'raw:"SNCF"',
    "risky:": "risky:(Nice)",
    "forms:": "forms:fermer",
}


@dataclass(frozen=True, slots=True)
class Allowed:
    """Whose posts and whose @ may be asked for: the allow-list of `vigie.toml`.

    Folded handles and ids: the institution's `own`, and those of each relay with its id.
    """

    own: frozenset[str] = frozenset()
    relays: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What every part of one query needs: its whole text, for errors, and the allow-list."""

    text: str
    allowed: Allowed = Allowed()

    def refuse(self, at: int, written: str, what: Said, remedy: Said) -> NoReturn:
        """Raise QueryError at a place of the text, with what stands there."""
        raise QueryError(self.text, at=at, length=len(written), what=what, remedy=remedy)


def short(text: str) -> str:
    """A piece of a query as an error shows it."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


# --- single words

_SMALL_OPERATORS = {"and": "AND", "or": "OR", "not": "NOT", "et": "ET", "ou": "OU", "sauf": "SAUF"}
# What other tools write: the sign, what is wrong with it, what to write here.
_FOREIGN = (
    (
        r"^-(?=.)",
        partial(say, "a minus sign is no operator here"),
        say("write NOT before the word: tram NOT modèle"),
    ),
    (
        r"^\+(?=.)",
        partial(say, "a plus sign is no operator here"),
        say('write raw:"…" for the exact form'),
    ),
    (
        r"^!(?=.)",
        partial(say, "an exclamation mark is no operator here"),
        say("write NOT before the word"),
    ),
    (
        r"^(?:&&?|\|\|?)$",
        partial(say, "{sign} is no operator here"),
        say("write AND, or OR, in capitals"),
    ),
    (
        r"\|",
        partial(say, "| is no operator here"),
        say("write OR between words of which one is enough"),
    ),
    (
        r"\^\d",
        partial(say, "^ is no operator here"),
        say("take it out: no word counts more than another"),
    ),
    (
        r"^['‘’][^'’]+$",
        partial(say, "{sign} begins a quotation that does not end"),
        say('write a phrase between "…"'),
    ),
    (
        r"~",
        partial(say, "~ is no operator here"),
        say("write tram NEAR/5 panne, or ONEAR/5 to keep the order"),
    ),
    (
        r"[{}]",
        partial(say, "braces are no operator here"),
        say('write raw:"BT" for the exact case'),
    ),
    (
        r"[<>]",
        partial(say, "{sign} stands outside engagement:"),
        say("write engagement:>100, or take it out"),
    ),
    (
        r"[\[\]]",
        partial(say, "brackets are no operator here"),
        say("write parentheses: (tram OR bus)"),
    ),
    (
        r"[,;]",
        partial(say, "{sign} joins nothing here"),
        say("write OR between words of which one is enough"),
    ),
)
_FIELDS = tuple(name[:-1] for name in EXAMPLES)
_OTHER_NAMES = {
    "titre": "title", "langue": "lang", "language": "lang", "lieu": "place", "auteur": "author",
    "url": "site", "domain": "site", "domainurl": "site", "country": "place", "city": "place",
    "region": "place", "network": "source", "reseau": "source", "from": "author", "brut": "raw",
    "content_type": "type", "http": "site", "https": "site", "formes": "forms", "lemma": "forms",
    "lemme": "forms",
}  # fmt: skip


def word(asked: Asked, written: str, at: int) -> Phrase:
    """The node of what stands without quotes: a word, a hashtag, an account.

    Signs that are operators elsewhere are refused, with what to write here.
    """
    _check_operator(asked, written, at)
    for pattern, what, remedy in _FOREIGN:
        if found := re.search(pattern, written):
            asked.refuse(at, written, what(sign=found[0]), remedy)
    if written[0] == "#":
        return _tag(asked, written, at)
    if written[0] == "@":
        return _account(asked, written, at)
    if ":" in written and not re.search(r"\d:\d", written):
        _unknown_field(asked, written, at)
    return phrase(asked, written, at)


def _check_operator(asked: Asked, written: str, at: int) -> None:
    operator = _SMALL_OPERATORS.get(written.lower())
    if re.fullmatch(r"o?near(?:/\w*)?", written, re.IGNORECASE):
        operator = written.upper()
    if operator and written != operator:
        what = say("{word} in small letters is a word, not an operator", word=written)
        remedy = say(
            'write {operator}, or "{word}" in quotes for the word', operator=operator, word=written
        )
        asked.refuse(at, written, what, remedy)


def _unknown_field(asked: Asked, written: str, at: int) -> NoReturn:
    name = written.partition(":")[0]
    if name.lower() in _FIELDS:
        example = EXAMPLES[f"{name.lower()}:"]
        remedy = say("write it apart, joined by AND: title:tram AND {example}", example=example)
        what = say("{name}: stands where a word was looked for", name=name)
        asked.refuse(at, f"{name}:", what, remedy)
    known = _OTHER_NAMES.get(name.lower())
    guess = say("did you mean {name}:? ", name=known) if known else near(name.lower(), _FIELDS)
    remedy = say(
        "{guess}there is {names}; put other words in quotes", guess=guess, names=", ".join(EXAMPLES)
    )
    asked.refuse(at, f"{name}:", say("{name}: is no field", name=short(name)), remedy)


def _tag(asked: Asked, written: str, at: int) -> Phrase:
    is_prefix = written.endswith("*")
    name = words.squash(written.rstrip("*"))
    if not name or "*" in written[:-1] or "?" in written:
        remedy = say("write letters and digits after it, such as #TramTours; a * may end it")
        asked.refuse(at, written, say("{word} is no hashtag", word=short(written)), remedy)
    if is_prefix:
        _check_stem(asked, written, at, name)
    return Phrase(written, ((Part((f"#{name}",), is_prefix),),), at=at)


def _account(asked: Asked, written: str, at: int) -> Phrase:
    name = words.fold_handle(written)
    check_account(asked, name, written, at)
    return Phrase(written, ((Part((f"@{name}",)),),), at=at)


def check_account(asked: Asked, name: str, written: str, at: int) -> None:
    """Refuse an account that is not of the allow-list, wherever in a query it is written."""
    if name not in asked.allowed.own and name not in asked.allowed.relays:
        what = say(
            "{word} is not an account of the allow-list: {why}", word=short(written), why=ONE_PERSON
        )
        remedy = say(
            "declare it under institution.handles if it is yours, under [[relays]] if it is an "
            "institution, a medium or an elected official in office (other accounts are masked "
            "before anything is stored)"
        )
        asked.refuse(at, written, what, remedy)


# --- phrases

_Slot = tuple[Way, ...]  # what may stand at one place of a phrase
_Forms = Callable[[str, str], tuple[str, ...]]  # of a token, and what was written
_ENDS: Way = (Part((words.BREAK,)),)


def phrase(asked: Asked, written: str, at: int) -> Phrase:
    """The node of words side by side, with a way for each form that they may have in a text."""
    slots = [slot for found in re.finditer(r"\S+", written) for slot in _slots(asked, found, at)]
    ways = _ways(slots)
    if not ways:
        what = say("{word!r} holds neither letter nor digit", word=short(written))
        asked.refuse(at, written or " ", what, say('write words, or raw:"…" with these signs'))
    if len(ways) > WAYS_MOST:
        what = say("{word!r} holds too many elided words and full stops", word=short(written))
        asked.refuse(at, written, what, say("write a shorter phrase"))
    for form in (form for way in ways for part in way for form in part.forms):
        if form[0] == "@":
            check_account(asked, form[1:], written, at)
    made = Phrase(written, ways, at=at)
    _check_length(asked, made)
    return made


def quoted(asked: Asked, written: str, at: int) -> Phrase:
    """The node of what stands between quotes, where `forms:` is no operator."""
    if found := re.search(r"(?:^|(?<=\s))forms:\S+", written, re.IGNORECASE):
        what = say("{word} stands in quotes", word=short(found[0]))
        remedy = say(
            "take it out of the quotes: {word} ONEAR/0 école finds the two side by side",
            word=found[0],
        )
        asked.refuse(at + found.start(), found[0], what, remedy)
    return phrase(asked, written, at)


def forms(asked: Asked, value: str, at: int) -> Phrase:
    """The node of every form of a word, or of the words of which it is a form."""
    written = value.strip('"').strip()
    if not re.fullmatch(r"[^\W\d_]{2,}(?:-[^\W\d_]+)*", written):
        what = say("forms:{word} is not one word", word=short(value))
        remedy = say(
            "write a word of letters, without signs: forms:fermer; several: forms:(a OR b)"
        )
        asked.refuse(at, value, what, remedy)
    found = word_forms.of(written)
    if found is None:
        near = word_forms.nearest(written)
        guess = say("did you mean forms:{word}? else ", word=near) if near else NOTHING
        remedy = say(
            "{guess}write the forms that you mean, joined by OR, or {word}*",
            guess=guess,
            word=written,
        )
        what = say("no form of {word!r} is known", word=short(written))
        asked.refuse(at, value, what, remedy)
    return Phrase(f"forms:{written}", _form_ways(found), found, at=at)


def _form_ways(found: Inflected) -> tuple[Way, ...]:
    """One way for all forms of a word each, one more for each that is several ("rendez-vous").

    The plural and singular of the word itself are there too: it finds no less than without forms:.
    """
    tokens = [tuple(words.read(form).tokens[1:]) for form in found.forms]
    out = frozenset(map(words.fold, found.left_out))
    more = (form for lemma in found.lemmas for form in words.number_forms(words.fold(lemma)))
    single = {*more, *(each[0] for each in tokens if len(each) == 1)} - out
    longer = (tuple(Part((token,)) for token in each) for each in tokens if len(each) > 1)
    single = {each for each in single if len(each) > 1}
    return ((Part(tuple(sorted(single))),), *dict.fromkeys(longer))


def literal(term: str, *, is_counted: bool = False) -> Phrase | None:
    """A term of a subject as a phrase: as it is written, or in the singular and the plural too.

    None where it holds neither letter nor digit; no sign in it is an operator.
    """
    forms = _either_number if is_counted else _as_written
    ways = _ways(_plain_slots(words.composed(term), forms, is_first=True))
    return Phrase(term, ways[:WAYS_MOST]) if ways else None


def _ways(slots: list[_Slot]) -> tuple[Way, ...]:
    """Every way of choosing at each place, one more than may be where there are too many."""
    while slots and _ENDS in slots[-1]:
        slots = slots[:-1]
    chosen = itertools.islice(itertools.product(*slots), WAYS_MOST + 1)
    ways = dict.fromkeys(tuple(part for parts in choice for part in parts) for choice in chosen)
    return tuple(way for way in ways if way)


def _slots(asked: Asked, found: re.Match[str], at: int) -> list[_Slot]:
    """What each token of a piece without spaces may be."""
    piece, is_first = found[0], not found.start()
    is_alone = piece == found.string  # in a phrase a `?` at the end is a question mark
    if "*" in piece or "?" in piece.rstrip("?") or (is_alone and piece.endswith("?")):
        return [((_wild(asked, piece, at + found.start()),),)]
    return _plain_slots(piece, _by_case, is_first=is_first)


def _plain_slots(text: str, forms: _Forms, *, is_first: bool) -> list[_Slot]:
    read = words.read(text)
    slots: list[_Slot] = []
    for token, written in zip(read.tokens[1:], read.written[1:], strict=True):
        if token == words.BREAK:
            slots.append((_ENDS, ()))
        elif token != words.BLANK:
            slots.append(_token_ways(token, written, forms, is_first=is_first and not slots))
    return slots


def _token_ways(token: str, written: str, forms: _Forms, *, is_first: bool) -> _Slot:
    """A word; where it is elided, what stands before it too, which some texts write apart."""
    head, apostrophe, rest = written.partition("'")
    if not apostrophe:
        return ((Part(forms(token, written)),),)
    before, after = Part((words.fold(head),)), Part(forms(words.fold(rest), rest))
    if token != words.fold(rest):  # "aujourd'hui", which is one word
        return ((Part((token,)),), (before, after))
    return ((after,),) if is_first else ((after,), (before, after))


def _by_case(token: str, written: str) -> tuple[str, ...]:
    return words.number_forms(token) if written == written.lower() else (token,)


def _either_number(token: str, _: str) -> tuple[str, ...]:
    return words.number_forms(token)


def _as_written(token: str, _: str) -> tuple[str, ...]:
    return (token,)


def _wild(asked: Asked, piece: str, at: int) -> Part:
    """The part of a word with a `*` at its end, or with `?`."""
    bare = re.sub(r"^(?:[ldjmnstc]|qu)['’]", "", piece, flags=re.IGNORECASE)
    stem = bare.removesuffix("*")
    if "*" in stem:
        what = say("{word} has a * that does not end it", word=short(piece))
        remedy = say("put one * at the end of a word: trava* finds travaux; for one letter write ?")
        asked.refuse(at, piece, what, remedy)
    if not re.fullmatch(r"[^\W_](?:[^\W_]|\?)*", stem):
        what = say("{word} does not begin with a letter, or holds other signs", word=short(piece))
        remedy = say("write letters and digits alone, such as gr?ve or trava*")
        asked.refuse(at, piece, what, remedy)
    folded = "?".join(words.fold(half) for half in stem.split("?"))
    _check_stem(asked, piece, at, folded.replace("?", ""))
    if stem.count("?") > _WILD_MOST:
        what = say("{word} has more than {most} ?", word=short(piece), most=_WILD_MOST)
        asked.refuse(at, piece, what, say("write the words that it stands for, joined by OR"))
    return Part((folded,), is_prefix=bare != stem)


def _check_stem(asked: Asked, written: str, at: int, stem: str) -> None:
    if len(stem) < STEM_LEAST:
        what = some(
            "{word} has {n} letter of its own: it would match far too much",
            "{word} has {n} letters of its own: it would match far too much",
            n=len(stem),
            word=short(written),
        )
        remedy = say("write {least} letters or more, such as trava*", least=STEM_LEAST)
        asked.refuse(at, written, what, remedy)


def is_picture(sign: str) -> bool:
    """Whether one sign is rare enough to be asked for alone: an emoji, a Chinese character."""
    return len(sign) == 1 and ord(sign) >= 0x2E80


def _check_length(asked: Asked, made: Phrase) -> None:
    """A lone letter stands everywhere."""
    forms = {form for way in made.ways for part in way for form in part.forms}
    if all(len(way) == 1 for way in made.ways) and all(
        len(form) == 1 and not is_picture(form) for form in forms
    ):
        what = say(
            "{word!r} is a single letter: it would match far too much", word=short(made.written)
        )
        remedy = say('write a longer word or a phrase, or raw:"C++" with the signs beside it')
        asked.refuse(made.at, made.written, what, remedy)
