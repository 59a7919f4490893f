"""Which watched subjects a text names: names, handles and hashtags, and names that mislead.

Words are compared folded: without accents, case, elision or hyphens, `st` as `saint`. A name is
found by spaCy's PhraseMatcher over those words; a text that holds no first word of any name never
reaches it. Handles and hashtags match whole.

An ambiguous name ("Nice", "Sens") counts where a word of `context` stands within `window` words,
none of `exclude` does, and nothing shows a common word: an article before it, a small letter
without "à" before it, the opening of an English sentence. A phrase of `exclude` that holds the
name itself ("OGC Nice") only takes that one place out, and does so for plain names too; any other
takes out the ambiguous names within reach.

The institution's own name, aliases and handles belong to the subject that bears its id, else to
the first whose names or handles name it ("Nice" names "Ville de Nice"). When none does, they
belong to none: what is watched must state its purpose.

Cost: 2 s to load spaCy; then 20 µs for 240 characters, 30 µs where they name something
(`tests/bench`).
Known gaps: declined or misspelt names, look-alike letters, names in other scripts.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from pipelines.privacy import fold_handle
from pipelines.settings import Institution, Subject

log = logging.getLogger(__name__)

WINDOW = 40  # words on either side of an ambiguous name: a whole short post, part of an article

_TOKEN = re.compile(
    r"https?://[^\s<>\"]+|[@＠#＃]\w(?:[\w\-]*\w)?(?:[.@]\w[\w\-]*)*|[^\W_]+"
    # A run of marks is tried once, from its start: a thousand in a row are common.
    r"|(?<!\b[Ss]t)(?<!\b[Ss]te)(?:(?<![.!?…;])|(?<=\b[Ss]t[.!?…;])|(?<=\b[Ss]te[.!?…;]))"
    r"[.!?…;]++(?=\s|$)|\n+"
)
_INNER = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"[A-ZÀ-Þ]+(?![a-zà-ÿ])|[A-ZÀ-Þ]?[a-zà-ÿœ]+|\d+|[^\W\d_]+")
_BREAKS = frozenset(".!?…;\n")
_WIDE_WORD = "·"  # every word that stands in no name: the vocabulary never grows
_PAUSE = "¶"

_TAG_LIMIT = 200  # letters of a hashtag; NFKC takes the square of a long run of combining marks
_LONG_WORD = 40  # letters; longer ones do not come back

_SHORT_FORMS = {"st": "saint", "ste": "sainte", "sts": "saints", "stes": "saintes"}
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


class _Fold(dict[str, str]):
    """Words as they are compared, remembered since they come back; emptied when there are many."""

    def __missing__(self, word: str) -> str:
        if len(word) > _LONG_WORD:
            return _fold(word)
        if len(self) > 200_000:
            self.clear()
        folded = self[word] = _fold(word)
        return folded


def _fold(word: str) -> str:
    spread = unicodedata.normalize("NFKD", word.casefold().replace("œ", "oe").replace("æ", "ae"))
    bare = "".join(c for c in spread if not unicodedata.combining(c)).casefold()
    return _SHORT_FORMS.get(bare, bare)


@cache
def _vocab() -> Any:
    """spaCy's store of strings; words are cut here, so its French tokeniser (2 s) is not loaded."""
    from spacy.vocab import Vocab

    return Vocab()


Kind = Literal["name", "ambiguous", "context", "exclude"]


class _Hit(NamedTuple):
    kind: Kind
    subject: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Finds subjects in texts; made once a run by `matcher`."""

    ids: tuple[str, ...]
    institution_subject: str | None
    window: int
    _phrases: Any
    _keys: dict[int, tuple[Kind, int]]
    _known: frozenset[str]
    _starts: frozenset[str]
    _tags: dict[str, tuple[int, ...]]
    _handles: dict[str, tuple[int, ...]]
    _folds: _Fold = field(default_factory=_Fold)

    def match(
        self,
        texts: Sequence[str],
        hashtags: Sequence[Sequence[str]],
        handles: Sequence[Sequence[str]],
    ) -> list[tuple[str, ...]]:
        """The subject ids that each text names, in the order of the settings; () when none.

        `hashtags` and `handles` are those that the source gives beside each text.
        """
        rows = zip(texts, hashtags, handles, strict=True)
        return [self._match(text, tags, names) for text, tags, names in rows]

    def _match(self, text: str, tags: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
        words = _TOKEN.findall(text)
        found = self._by_tag(tags) | self._by_handle(names)
        if "#" in text or "@" in text or "＠" in text or "＃" in text or "://" in text:
            words, marked = self._open(words)
            found |= marked
        folded = [self._folds[word] for word in words]
        if not self._starts.isdisjoint(folded):
            found |= self._by_name(words, folded)
        return tuple(self.ids[n] for n in sorted(found)) if found else ()

    def _by_tag(self, tags: Iterable[str]) -> set[int]:
        return {n for tag in tags for n in self._tags.get(_squash(tag), ())}

    def _by_handle(self, handles: Iterable[str]) -> set[int]:
        return {n for handle in handles for n in self._handles.get(fold_handle(handle), ())}

    def _open(self, words: list[str]) -> tuple[list[str], set[int]]:
        """The words with tags and addresses opened into theirs, and what those name whole."""
        opened: list[str] = []
        found: set[int] = set()
        for word in words:
            if word[0] in "#＃":
                found |= self._by_tag((word,))
                opened += ["\n", *_CAMEL.findall(word[1:]), "\n"]
            elif word[0] in "@＠":
                found |= self._by_handle((word,))
                opened.append("\n")
            elif "://" in word:
                opened += ["\n", *(part.lower() for part in _INNER.findall(word)), "\n"]
            else:
                opened.append(word)
        return opened, found

    def _by_name(self, words: list[str], folded: list[str]) -> set[int]:
        hits = self._hits(folded)
        found = _plainly_named(hits)
        unsure = [hit for hit in hits if hit.kind == "ambiguous" and hit.subject not in found]
        if unsure:
            reading = _Reading(words=words, folded=folded, hits=hits, window=self.window)
            found.update(hit.subject for hit in unsure if reading.is_meant(hit))
        return found

    def _hits(self, folded: list[str]) -> list[_Hit]:
        from spacy.tokens import Doc

        known = self._known
        shown = [
            word if word in known else (_PAUSE if word[0] in _BREAKS else _WIDE_WORD)
            for word in folded
        ]
        doc = Doc(_vocab(), words=shown)
        hits = ((self._keys[key], start, end) for key, start, end in self._phrases(doc))
        found = [_Hit(kind, n, start, end) for (kind, n), start, end in hits]
        return sorted(found, key=itemgetter(2))


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """One text in which an ambiguous name stands: its words, and every hit, by where it starts."""

    words: list[str]
    folded: list[str]
    hits: list[_Hit]
    window: int

    @cached_property
    def starts(self) -> list[int]:
        return [hit.start for hit in self.hits]

    @cached_property
    def is_english(self) -> bool:
        english = sum(word in _ENGLISH for word in self.folded)
        french = sum(word in _FRENCH for word in self.folded)
        return english > french

    def is_meant(self, hit: _Hit) -> bool:
        """Whether an ambiguous name is meant: context near, nothing excluded, no common word."""
        near = self._near(hit)
        if any(other.kind == "exclude" and _bears(other, hit, near) for other in near):
            return False
        beside = {other.end for other in near if other.kind == "context"}
        return bool(beside) and not self._is_common(hit.start, beside)

    def _near(self, hit: _Hit) -> list[_Hit]:
        first = bisect_left(self.starts, hit.start - self.window)
        last = bisect_left(self.starts, hit.end + self.window)
        return [other for other in self.hits[first:last] if other.subject == hit.subject]

    def _is_common(self, at: int, beside: set[int]) -> bool:
        """Whether the word at a place is a common noun or an adjective instead of a town's name.

        `beside` holds where words of context end: "mairie de nice" needs no capital.
        """
        words = self.words
        before = self.folded[at - 1] if at else "\n"
        if before in _ARTICLES:
            return True
        if before == "a" and words[at - 1] in ("a", "A") and self.is_english:
            return True
        if words[at][0].isupper():
            return before[0] in _BREAKS and self.is_english
        is_told = before in ("de", "d") and at - 1 in beside
        return not (is_told or before in _PLACE_WORDS)


def _plainly_named(hits: list[_Hit]) -> set[int]:
    """The subjects that a plain name names, where no excluded phrase holds that name."""
    taken = {
        (hit.subject, at)
        for hit in hits
        if hit.kind == "exclude"
        for at in range(hit.start, hit.end)
    }
    return {
        hit.subject
        for hit in hits
        if hit.kind == "name"
        and not all((hit.subject, at) in taken for at in range(hit.start, hit.end))
    }


def _bears(exclude: _Hit, hit: _Hit, near: list[_Hit]) -> bool:
    """Whether an excluded phrase bears on this place: it covers it, or covers no such name."""
    covered = [
        other
        for other in near
        if other.kind == "ambiguous" and exclude.start <= other.start and other.end <= exclude.end
    ]
    return hit in covered or not covered


def _squash(tag: str) -> str:
    return "".join(_INNER.findall(_fold(unicodedata.normalize("NFKC", tag[:_TAG_LIMIT]))))


def matcher(
    subjects: Sequence[Subject], institution: Institution, *, window: int = WINDOW
) -> Matcher:
    """The matcher of an institution's subjects; logs a warning when none is the institution's."""
    plain = _matcher(subjects, window=window, own=None)
    own = _own_subject(subjects, institution, plain)
    if own is None:
        log.warning("subjects.institution_unwatched institution=%s", institution.id)
        return plain
    watched = [_with_own(s, institution) if s.id == own else s for s in subjects]
    return _matcher(watched, window=window, own=own)


def _matcher(subjects: Sequence[Subject], *, window: int, own: str | None) -> Matcher:
    phrases, keys, known, starts = _phrases(subjects)
    return Matcher(
        ids=tuple(s.id for s in subjects),
        institution_subject=own,
        window=window,
        _phrases=phrases,
        _keys=keys,
        _known=frozenset(known),
        _starts=frozenset(starts),
        _tags=_index((_squash(tag), n) for n, s in enumerate(subjects) for tag in _tags_of(s)),
        _handles=_index((fold_handle(h), n) for n, s in enumerate(subjects) for h in s.handles),
    )


def _own_subject(
    subjects: Sequence[Subject], institution: Institution, plain: Matcher
) -> str | None:
    """The subject that is the institution: the one of its id, else the first that names it."""
    if institution.id in plain.ids:
        return institution.id
    names = (institution.name, *institution.aliases)
    found = plain.match(names, [()] * len(names), [institution.handles] * len(names))
    named = {subject_id for ids in found for subject_id in ids}
    words = set(map(_squash, names))
    for subject in subjects:
        if subject.id in named or not words.isdisjoint(map(_squash, subject.ambiguous)):
            return subject.id
    return None


def _with_own(subject: Subject, institution: Institution) -> Subject:
    unsure = set(map(_squash, subject.ambiguous))
    names = (institution.name, *institution.aliases)
    added = tuple(name for name in names if _squash(name) not in unsure)
    return subject.model_copy(
        update={
            "names": (*subject.names, *added),
            "handles": (*subject.handles, *institution.handles),
        }
    )


def _tags_of(subject: Subject) -> tuple[str, ...]:
    """The hashtags of a subject, and its names written as one: `#MairieDeNice`."""
    return (*subject.hashtags, *subject.names)


def _index(pairs: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for key, n in pairs:
        if key and n not in found.get(key, ()):
            found[key] = (*found.get(key, ()), n)
    return found


def _phrases(
    subjects: Sequence[Subject],
) -> tuple[Any, dict[int, tuple[Kind, int]], set[str], set[str]]:
    """spaCy's matcher, what each of its keys stands for, all words, and the first of each name."""
    from spacy.matcher import PhraseMatcher
    from spacy.tokens import Doc

    vocab = _vocab()
    phrases = PhraseMatcher(vocab, attr="ORTH")
    keys: dict[int, tuple[Kind, int]] = {}
    known: set[str] = set()
    starts: set[str] = set()
    for n, subject in enumerate(subjects):
        for kind, terms in _terms(subject):
            worded = [words for term in terms for words in _variants(term, kind)]
            known.update(word for words in worded for word in words)
            if kind in ("name", "ambiguous"):
                starts.update(words[0] for words in worded)
            name = f"{kind} {n}"
            if worded:
                phrases.add(name, [Doc(vocab, words=words) for words in worded])
                keys[vocab.strings[name]] = (kind, n)
    return phrases, keys, known, starts


def _terms(subject: Subject) -> tuple[tuple[Kind, tuple[str, ...]], ...]:
    return (
        ("name", subject.names),
        ("ambiguous", subject.ambiguous),
        ("context", subject.context),
        ("exclude", subject.exclude),
    )


def _variants(term: str, kind: Kind) -> list[list[str]]:
    """A term as folded words; a single word of context also in the plural and singular."""
    words = [_fold(word) for word in _INNER.findall(term)]
    if not words:
        return []
    if kind != "context" or len(words) > 1:
        return [words]
    word = words[0]
    return [[w] for w in {word, word + "s", word.removesuffix("s") or word}]
