"""A text as its words are compared: what queries and their SQL both read.

`read` cuts a text into tokens, once, in Python; they are stored with the mention (column `words`),
so that the matcher of the stream and the SQL over history cannot cut or fold differently.

A token is a word without case and accents (`st` as `saint`), or one of these signs:

    .        the end of a sentence or a line; no phrase crosses it, and it is no word between two
    |        the end of the title, or of a content warning; as `.`
    !        what follows stands beside the text (hashtags and accounts told by the source)
    _        something masked
    #tag     a hashtag, followed by its words: `#TramNice` is `#tramnice tram nice .`
    @handle  an account, when it may be read

In a line every token stands between two spaces of its own (` le  tram `), so that a phrase is a
plain part of it. After the line, one letter a token says how it reads as a town's name:

    n     as a name
    w     as a common word
    d, e  as a name if a context word stands before its "de", its "d'"

Elided words are left out where an apostrophe shows them: "l'école" is `ecole`, "d'Azur" is
`azur`; "aujourd'hui" is one word. Number is not folded here: a query asks for both forms
(`number_forms`), since only its writer knows whether `Tours` is a town.

Cost: 15 to 25 µs for 240 characters (`tests/bench/bench_query.py`).
Known gaps: words of scripts that write no spaces (Chinese, Thai) are cut at other signs only;
vowel signs that Unicode counts as marks (Hindi, pointed Arabic) part words, in queries as in
texts; misspelt words; look-alike letters of other scripts stay what they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

VERSION = 1  # of all that is below: another version reads stored texts again

BREAK, PART, WALL, BLANK = ".", "|", "!", "_"
_STOPS = frozenset((BREAK, PART, WALL))

_APOSTROPHES = "’ʼ′‘ʹ＇"
_ELISIONS = (*"ldjmnstc", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu")  # left out before a word
_JOINED = ("aujourd", "prud")  # one word with what follows
_CASES = (str.lower, str.title, str.upper)


def _before_apostrophe(words: Iterable[str]) -> str:
    written = sorted({case(word) for word in words for case in _CASES})
    return "|".join(rf"(?<=\b{word}')" for word in written)


_WORD = rf"[^\W_]+(?:'(?:{_before_apostrophe((*_ELISIONS, *_JOINED))})[^\W_]+)?"
# The end of a sentence, but not of "St." A run of marks is tried once, from its start: a thousand
# in a row are common.
_MARKS = (
    r"[.!?…;](?:(?<![.!?…;].)(?<!\b[Ss]t.)(?<!\b[Ss]te.)"
    r"|(?<=\b[Ss]t[.!?…;].)|(?<=\b[Ss]te[.!?…;].))[.!?…;]*+(?=\s|$)|\n+"
)
_PLAIN = re.compile(f"{_WORD}|{_MARKS}")
_WHOLE = re.compile(
    r"https?://[^\s<>\"]+|[@＠#＃]\w(?:[\w\-]*\w)?(?:[.@]\w[\w\-]*)*"
    rf"|\[(?:e-mail|tel|IBAN|NIR|plaque)\]|@…|{_WORD}|{_MARKS}"
)
_INNER = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"[A-ZÀ-Þ]+(?![a-zà-ÿ])|[A-ZÀ-Þ]?[a-zà-ÿœ]+|\d+|[^\W\d_]+")
_ELIDED = re.compile(rf"(?:{'|'.join(_ELISIONS)})'", re.IGNORECASE)
_WHOLE_SIGNS = frozenset("#@＃＠")
_BREAKS = frozenset(".!?…;\n")

_TOWER = re.compile(r"[^\w\s\x00-\x7f]{31}")  # of marks, of which NFC takes the square
_TAG_LIMIT = 200  # letters of a hashtag; NFKC takes the square of a long run of combining marks
_HANDLE_LIMIT = 1_000
_LONG_WORD = 40  # letters; longer ones do not come back, and are not remembered
_REMEMBERED = 200_000

_SHORT_FORMS = {"st": "saint", "ste": "sainte", "sts": "saints", "stes": "saintes"}


class _Fold(dict[str, str]):
    """Tokens by what was written, remembered since they come back; emptied when there are many."""

    def __missing__(self, word: str) -> str:
        if len(word) > _LONG_WORD:
            return _token(word)
        if len(self) > _REMEMBERED:
            self.clear()
        token = self[word] = _token(word)
        return token


_FOLDS = _Fold()


def fold(word: str) -> str:
    """A word as it is compared: without case, accents and ligatures; `st` as `saint`."""
    spread = unicodedata.normalize("NFKD", word.casefold().replace("œ", "oe").replace("æ", "ae"))
    bare = "".join(c for c in spread.casefold() if c.isalnum())
    return _SHORT_FORMS.get(bare, bare)


def fold_handle(handle: str) -> str:
    """A handle as it is compared: without @, in one case and one form; no look-alikes folded."""
    handle = handle[:_HANDLE_LIMIT]
    if handle.isascii():
        return handle.strip().lstrip("@").lower()
    return unicodedata.normalize("NFKC", handle).strip().lstrip("@").casefold()


def composed(text: str) -> str:
    """What a person wrote to be looked for in the form of stored texts (NFC): letters copied from
    a PDF or a Mac have their accents apart, and would find nothing.
    """
    return text if text.isascii() or _TOWER.search(text) else unicodedata.normalize("NFC", text)


def squash(tag: str) -> str:
    """A hashtag, or a name written as one, as it is compared: its folded letters and digits."""
    return "".join(map(fold, _INNER.findall(unicodedata.normalize("NFKC", tag[:_TAG_LIMIT]))))


def _token(written: str) -> str:
    """The token of what `_TOKEN` found, but for hashtags, accounts and addresses."""
    if written[0] in _BREAKS:
        return BREAK
    if written[0] in "[@":
        return BLANK
    if elided := _ELIDED.match(written):
        written = written[elided.end() :]
    return fold(written) or BLANK


@dataclass(frozen=True, slots=True)
class Words:
    """The tokens of a text, what each was written as, and how many stand before the text proper.

    `written` is as long as `tokens`; an elided word stands before what it belongs to ("d'Azur").
    """

    tokens: list[str]
    written: list[str]
    title_count: int

    @property
    def line(self) -> str:
        """The tokens in one line, each between two spaces of its own."""
        return f" {'  '.join(self.tokens)} " if self.tokens else ""

    @property
    def stored(self) -> str:
        """The line and, after a line end, how each token reads: the column `words`."""
        return f"{self.line}\n{reads(self)}"


def read(
    text: str,
    *,
    title: str | None = None,
    warning: str | None = None,
    hashtags: Sequence[str] = (),
    handles: Sequence[str] = (),
) -> Words:
    """The words of a post: title, content warning, text, and what its source tells beside it.

    `hashtags` and `handles` that the text holds itself are not told twice.
    """
    tokens, written = _read(title) if title else ([], [])
    title_count = len(tokens)
    for part in (warning, text):
        if part is not None:
            more, as_written = _read(part)
            tokens += [PART, *more]
            written += [PART, *as_written]
    beside = _beside(tokens, hashtags, handles)
    if beside:
        tokens += [WALL, *beside]
        written += [WALL, *beside]
    return Words(tokens, written, title_count)


def _read(text: str) -> tuple[list[str], list[str]]:
    """The tokens of a text and what each was written as, hashtags and addresses opened."""
    text = _with_apostrophes(text)
    if not _has_signs(text):
        written = _PLAIN.findall(text)
        return [_FOLDS[word] for word in written], written
    tokens: list[str] = []
    shown: list[str] = []
    for word in _WHOLE.findall(text):
        if word[0] in _WHOLE_SIGNS or "://" in word:
            more, as_written = _opened(word)
            tokens += more
            shown += as_written
        else:
            tokens.append(_FOLDS[word])
            shown.append(word)
    return tokens, shown


def _with_apostrophes(text: str) -> str:
    """The text with one form of apostrophe; `str.translate` takes five times as long."""
    if not text.isascii():
        for sign in _APOSTROPHES:
            if sign in text:
                text = text.replace(sign, "'")
    return text


def _has_signs(text: str) -> bool:
    """Whether a text may hold a hashtag, an account, an address or a mask."""
    if "#" in text or "@" in text or "[" in text or "://" in text:
        return True
    return not text.isascii() and ("＃" in text or "＠" in text)


def _opened(word: str) -> tuple[list[str], list[str]]:
    """The tokens of one find, a hashtag, an account and an address opened; what was written."""
    if word[0] in "@＠" and word != "@…":
        # NFKC spreads some letters over several words ("ﷺ"): a token holds no space.
        return [f"@{''.join(fold_handle(word.lstrip('＠')).split())}"], [word]
    if word[0] in "#＃":
        parts = _CAMEL.findall(unicodedata.normalize("NFKC", word[1:_TAG_LIMIT]))
        return [f"#{squash(word)}", *map(_folded, parts), BREAK], [word, *parts, BREAK]
    if "://" not in word:
        return [_FOLDS[word]], [word]
    parts = [part.lower() for part in _INNER.findall(word)[1:]]  # without its scheme
    return [BREAK, *map(_folded, parts), BREAK], [BREAK, *parts, BREAK]


def _folded(word: str) -> str:
    return fold(word) or BLANK


def _beside(tokens: list[str], hashtags: Iterable[str], handles: Iterable[str]) -> list[str]:
    told = [f"#{tag}" for tag in map(squash, hashtags) if tag]
    told += [f"@{handle}" for handle in map(fold_handle, handles) if handle]
    told = [token for token in dict.fromkeys(told) if len(token.split()) == 1]
    return [token for token in told if token not in tokens] if told else []


def spans(text: str) -> list[tuple[int, int]]:
    """Where each token of a text was written (characters, half open), for showing them.

    The words of a hashtag or an address have the place of the whole.
    """
    text = _with_apostrophes(text)
    found: list[tuple[int, int]] = []
    for match in (_WHOLE if _has_signs(text) else _PLAIN).finditer(text):
        found += [match.span()] * len(_opened(match[0])[0])
    return found


def starts(tokens: Sequence[str]) -> list[int]:
    """Where each token begins in the line, its leading space included."""
    return [0, *accumulate(len(token) + 2 for token in tokens)][:-1]


def ordinals(tokens: Sequence[str]) -> list[int]:
    """How many words stand before each token, one more entry for the end; a wall is a million.

    Sentence ends and parts are no words. `ordinals[b] - ordinals[a]` is the number of words
    between a span that ends at `a` and one that starts at `b`.
    """
    weights = {BREAK: 0, PART: 0, WALL: 1_000_000}
    return [0, *accumulate(weights.get(token, 1) for token in tokens)]


# --- number

# Folded words that look like a plural and are none, or whose other form is another word.
_INVARIABLE_LIST = (
    "abus acces alors ananas anglais apres assez assis autrefois aux avis bas bis bois bras bus "
    "campus cas ceux chaos choix colis commis compas compris compromis concours congres "
    "consensus corps corpus cours croix cursus dans deces dedans dehors depens depuis des "
    "dessous dessus deux devers devis discours divers dos doux elles enclos engrais envers "
    "epoux eux exces expres faux fils flux fois fonds fracas francais frais gaz gras gros has "
    "heros heureux hormis hors ils is jadis jaloux jamais jus laps les leurs longtemps lors "
    "mais marais matelas mauvais mepris mes mets mieux mis mois moins mors news noix nos nous "
    "obus omnibus opus ours paix palais parcours parfois pas pays permis pis plus plusieurs "
    "poids pouls pres prix printemps proces processus progres propos puis puits quelquefois "
    "radis rebus recours reflux refus remords repas repos revers roux rubis sans secours sens "
    "ses sous souris sursis succes surplus tamis tandis tapis taux temps terminus tes this "
    "tiers toujours toutefois travers tres univers us velours verglas vers vieux virus voix "
    "volontiers vos vous was yes yeux"
)
_INVARIABLE = frozenset(_INVARIABLE_LIST.split())
_NUMBERED = re.compile(r"[a-z]{3,}")


def number_forms(word: str) -> tuple[str, ...]:
    """A folded word in the singular and in the plural, sorted; the word alone where it has none.

    French endings (-s, -x, -al/-aux, -ail/-aux, -eau/-eaux); a form that is no word finds nothing.
    Words that end in -s in the singular ("mois", "cours") are listed and keep to themselves.
    """
    if not _NUMBERED.fullmatch(word) or word in _INVARIABLE:
        return (word,)
    single = _singulars(word)
    return tuple(sorted({word, *single, *(_plural(word) if not single else ())}))


def _singulars(word: str) -> tuple[str, ...]:
    if len(word) < 4 or word.endswith("ss"):
        return ()
    if word.endswith("eaux"):
        return (word[:-1],)
    if word.endswith("aux"):
        return (f"{word[:-3]}al", f"{word[:-3]}ail", word[:-1])
    if word.endswith(("eux", "oux", "s")):
        return (word[:-1],)
    return ()


def _plural(word: str) -> tuple[str, ...]:
    if word[-1] in "sxz":
        return ()
    if word.endswith("al"):
        return (f"{word[:-2]}aux", f"{word}s")
    if word.endswith("ail"):
        return (f"{word[:-3]}aux", f"{word}s")
    if word.endswith(("au", "eu", "ou")):
        return (f"{word}x", f"{word}s")
    return (f"{word}s",)


# --- how a word reads

_ARTICLE_LIST = (
    "le la les un une des du au aux ce cet cette ces son sa ses mon ton leur leurs notre nos vos "
    "deux trois quatre plusieurs quelques chaque aucun quel quels quelle quelles double premier "
    "bon mauvais the an this that these those my your his her its our their so very really such "
    "too pretty quite not be is are was were been being how have has had more most no some "
    "any super just looks look looked sounds seems feel feels play sous lez"
)
_ARTICLES = frozenset(_ARTICLE_LIST.split())
_PLACE_WORDS = frozenset(("a", "sur", "vers", "depuis"))  # folded; what stands before a town
_ENGLISH_LIST = (
    "the and of to is are was were you your my it its this that for with have has had not but so "
    "we they he she his her what when who how all just be been at from by an or if would will can "
    "do does did our their there here about very really good day guy one people time"
)
_ENGLISH = frozenset(_ENGLISH_LIST.split())
_FRENCH_LIST = (
    "le la les un une des du de et est sont pas plus dans pour avec sur par qui que quoi je tu il "
    "elle nous vous ils elles ce cette ces mon ma mes ton ta tes son sa ses notre votre leur aux "
    "au en ne se y ou mais donc car si tout tous tres etre avoir fait l d j n s c qu"
)
_FRENCH = frozenset(_FRENCH_LIST.split())
_EVERYWHERE_LIST = "the and that this with for you was are have not but"
_EVERYWHERE = _FRENCH.union(_EVERYWHERE_LIST.split())


def reads(words: Words) -> str:
    """How each token reads, a letter each: as a town's name or as a common word (see above)."""
    is_english = _is_english(words)
    tokens, written = words.tokens, words.written
    how = []
    last, last_written = BREAK, ""
    for token, shown in zip(tokens, written, strict=True):
        # Most words stand behind no article and begin small: a common word, told without a call.
        is_plain = shown[0].islower() and "'" not in shown and last not in _BEFORE_NAMES
        how.append("w" if is_plain else _how(token, shown, last, last_written, is_english))
        last, last_written = token, shown
    return "".join(how)


def read_as(words: Words, at: int) -> str:
    """How one token reads: a letter of `reads`, without reading the others."""
    last = (words.tokens[at - 1], words.written[at - 1]) if at else (BREAK, "")
    return _how(words.tokens[at], words.written[at], *last, _is_english(words))


def _is_english(words: Words) -> bool:
    tokens = words.tokens
    english = len([token for token in tokens if token in _ENGLISH])
    if not english:
        return False
    french = len([token for token in tokens if token in _FRENCH])
    return english > french + len([written for written in words.written if "'" in written])


def _how(token: str, written: str, last: str, last_written: str, is_english: bool) -> str:
    """An article before a word, a small letter without "à", the opening of an English sentence:
    each shows a common word. A small letter after "de" is a name only behind a context word.
    """
    if token in _STOPS or token == BLANK or token[0] in "#@":
        return "w"
    elided = _ELIDED.match(written)
    if elided:
        is_capital = written[elided.end()].isupper()
        return "n" if is_capital else ("e" if elided[0] in ("d'", "D'") else "w")
    if last in _ARTICLES or (last == "a" and is_english and last_written in ("a", "A")):
        return "w"
    if written[0].isupper():
        opens = last in _STOPS or last[0] in "#@"
        return "w" if opens and is_english else "n"
    if last in ("de", "d"):
        return "d"
    return "n" if last in _PLACE_WORDS else "w"


_BEFORE_NAMES = _PLACE_WORDS | {"de", "d"}  # before a small letter that may begin a name


def is_common(token: str) -> bool:
    """Whether a token stands in nearly every French or English text ("le", "de", "the")."""
    return token in _FRENCH or token in _ENGLISH


def meets_common(start: str, *, is_prefix: bool) -> bool:
    """Whether a word with `?`, or the start of one, finds such a token (`les*`, `pou?`).

    Of the English ones only the most frequent: "tim*" finds more than "time".
    """
    pattern = re.escape(start).replace(r"\?", ".") + (".*" if is_prefix else "")
    return any(re.fullmatch(pattern, token) for token in _EVERYWHERE)
