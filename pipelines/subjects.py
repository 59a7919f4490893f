"""Which watched subjects a post names: the terms and queries of `vigie.toml` as one tree each.

The simple terms of a subject become the tree that a query becomes (`query_tree`). A hashtag, an
account or a name is enough by itself; names also stand for the hashtag that they make. An
ambiguous name ("Nice", "Sens") counts where a word of `context` stands within `window` words, none
of `exclude` does, and nothing shows a common word (`words.reads`); or in a text that names a place
of `places` and holds no word of `exclude`. A phrase of `exclude` that
holds the name itself ("OGC Nice") only takes that one place out, and does so for plain names too.
A `query` is joined to the terms by OR.

The institution's own name, aliases and handles belong to the subject that bears its id, else to
the first whose names or handles name it ("Nice" names "Ville de Nice"). When none does, they
belong to none: what is watched must state its purpose.

A version is the subject's id and a hash of its tree: it changes when the meaning does, and comes
back when the meaning comes back.

Cost: 30 µs for 240 characters, whatever the number of subjects (`tests/bench`); 110 more for a
post that holds an ambiguous name of a subject with `places` (language once, places twice).
Known gaps: those of `words`; declined or misspelt names.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipelines import query, query_match, words
from pipelines.query_match import Compiled, Document
from pipelines.query_terms import Allowed, literal
from pipelines.query_tree import (
    All,
    Any,
    Author,
    Cut,
    Named,
    Node,
    Not,
    Part,
    Phrase,
    Site,
    Way,
    any_of,
    cover,
    digest,
    is_late,
    loosened,
    walk,
)
from pipelines.settings import Institution, Relay, Subject

log = logging.getLogger(__name__)

WINDOW = 40  # words on either side of an ambiguous name: a whole short post, part of an article


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A subject as it is watched: its tree, and the version that mentions record."""

    subject: Subject
    tree: Node
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The subjects that a post names, in the settings' order, and the versions that say so."""

    subject_ids: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()


NOTHING = Found()


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Finds subjects in posts; made once a run by `matcher`.

    `is_late` says that some query asks for a language or a place: `may_name` then tells which
    posts are worth finding it out, and `find` is asked of those. `asks_address` says that some
    query asks where a post was published, or by which institution.
    """

    watches: tuple[Watch, ...]
    institution_subject: str | None
    is_late: bool
    asks_address: bool
    _exact: Compiled
    _loose: Compiled

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the subjects, in the order of the settings."""
        return tuple(watch.subject.id for watch in self.watches)

    def find(self, documents: Iterable[Document]) -> list[Found]:
        """What each document names."""
        return [self._found(self._exact.find(document)) for document in documents]

    def may_name(self, documents: Iterable[Document]) -> list[Found]:
        """What each document names if its language and its places turn out to be those asked."""
        return [self._found(self._loose.find(document)) for document in documents]

    def match(
        self,
        texts: Sequence[str],
        hashtags: Sequence[Sequence[str]],
        handles: Sequence[Sequence[str]],
    ) -> list[tuple[str, ...]]:
        """The subject ids that each text names; () when none.

        `hashtags` and `handles` are those that the source gives beside each text.
        """
        rows = zip(texts, hashtags, handles, strict=True)
        read = (query_match.document(t, hashtags=tags, handles=names) for t, tags, names in rows)
        return [found.subject_ids for found in self.find(read)]

    def _found(self, places: tuple[int, ...]) -> Found:
        if not places:
            return NOTHING
        watches = [self.watches[n] for n in places]
        return Found(
            subject_ids=tuple(watch.subject.id for watch in watches),
            versions=tuple(watch.version for watch in watches),
        )


def matcher(
    subjects: Sequence[Subject],
    institution: Institution,
    relays: Sequence[Relay] = (),
    *,
    window: int = WINDOW,
) -> Matcher:
    """The matcher of an institution's subjects; logs a warning when none is the institution's.

    Raises QueryError for a query that cannot be read, which reading the settings has told before.
    """
    allowed = allow_list(institution, relays)
    plain = _matcher(watched(subjects, allowed, window=window), own=None)
    own = _own_subject(subjects, institution, plain)
    if own is None:
        log.warning("subjects.institution_unwatched institution=%s", institution.id)
        return plain
    whole = [_with_own(s, institution) if s.id == own else s for s in subjects]
    return _matcher(watched(whole, allowed, window=window), own=own)


def allow_list(institution: Institution, relays: Sequence[Relay]) -> Allowed:
    """Whose posts and accounts a query may ask for."""
    own = (institution.id, *institution.handles)
    return query.allowed(own, ((relay.id, relay.handles) for relay in relays))


def watched(
    subjects: Iterable[Subject], allowed: Allowed, *, window: int = WINDOW
) -> tuple[Watch, ...]:
    """Each subject with its tree and its version."""
    trees = [(subject, tree(subject, allowed, window=window)) for subject in subjects]
    return tuple(
        Watch(subject=subject, tree=made, version=f"{subject.id}@{digest(made)}")
        for subject, made in trees
    )


def _matcher(watches: tuple[Watch, ...], *, own: str | None) -> Matcher:
    trees = [watch.tree for watch in watches]
    is_late_tree = any(map(is_late, trees))
    exact = query_match.compiled(trees)
    return Matcher(
        watches=watches,
        institution_subject=own,
        is_late=is_late_tree,
        asks_address=any(isinstance(n, Site | Author) for made in trees for n in walk(made)),
        _exact=exact,
        _loose=query_match.compiled(list(map(loosened, trees))) if is_late_tree else exact,
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
    told = set(map(words.squash, names))
    for subject in subjects:
        if subject.id in named or not told.isdisjoint(map(words.squash, subject.ambiguous)):
            return subject.id
    return None


def _with_own(subject: Subject, institution: Institution) -> Subject:
    unsure = set(map(words.squash, subject.ambiguous))
    names = (institution.name, *institution.aliases)
    added = tuple(name for name in names if words.squash(name) not in unsure)
    return subject.model_copy(
        update={
            "names": (*subject.names, *added),
            "handles": (*subject.handles, *institution.handles),
        }
    )


# --- terms as a tree


def tree(subject: Subject, allowed: Allowed = query.NOBODY, *, window: int = WINDOW) -> Node:
    """The tree of a subject: its hashtags, accounts and names, and its query."""
    found: list[Node] = [*_marks(subject)]
    names, unsure = _phrases(subject.names), _phrases(subject.ambiguous)
    exclude = _phrases(subject.exclude)
    inside = tuple(e for e in exclude if any(_holds(e, name) for name in (*names, *unsure)))
    if names:
        found.append(_cut(any_of(names), inside))
    if unsure:
        context = _phrases(subject.context, is_counted=True)
        beside = tuple(phrase for phrase in exclude if phrase not in inside)
        found.append(_cut(Named(unsure, context, beside, window), inside))
        if subject.places:
            found.append(_placed(_cut(any_of(unsure), inside), beside, subject.places))
    if subject.query is not None:
        found.append(query.parse(subject.query, allowed=allowed).tree)
    return any_of(found) if found else Any(())


def _placed(name: Node, beside: tuple[Phrase, ...], codes: Iterable[str]) -> Node:
    """A name in a text that names one of these places: no club, street or person of that name.

    The nodes of a query, so that the stream and the SQL over `place_codes` agree.
    """
    place = any_of(query.parse(f"place:{code}").tree for code in codes)
    return All((name, place, *((Not(any_of(beside)),) if beside else ())))


def _marks(subject: Subject) -> Iterator[Phrase]:
    """Hashtags and accounts; of names too, written as one: `#MairieDeNice`."""
    tags = (words.squash(tag) for tag in (*subject.hashtags, *subject.names))
    for token in dict.fromkeys(f"#{tag}" for tag in tags if tag):
        yield Phrase(token, ((Part((token,)),),))
    handles = (words.fold_handle(handle) for handle in subject.handles)
    for token in dict.fromkeys(f"@{handle}" for handle in handles if handle):
        yield Phrase(token, ((Part((token,)),),))


def _phrases(terms: Iterable[str], *, is_counted: bool = False) -> tuple[Phrase, ...]:
    """Terms as phrases; a single word of context also in the plural and the singular."""
    found = (literal(t, is_counted=is_counted and len(t.split()) == 1) for t in terms)
    return tuple(dict.fromkeys(phrase for phrase in found if phrase))


def _cut(node: Node, phrases: tuple[Phrase, ...]) -> Node:
    return Cut(node, phrases) if phrases else node


def _holds(longer: Phrase, shorter: Phrase) -> bool:
    """Whether a phrase has another in it: "OGC Nice" has "Nice"."""
    return any(_is_part(way, of) for way in shorter.ways for of in longer.ways)


def _is_part(way: Way, of: Way) -> bool:
    return any(of[n : n + len(way)] == way for n in range(len(of) - len(way) + 1))


# --- what sources may be asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a source is to search for so that nothing which a subject may name is left out.

    `wild` are words with `*` or `?`, which no service searches for. `is_whole` is false for a
    query that posts may answer without any word of it (`site:` alone).
    """

    names: tuple[str, ...]
    hashtags: tuple[str, ...]
    handles: tuple[str, ...]
    wild: tuple[str, ...]
    is_whole: bool = True


def wanted(subject: Subject, allowed: Allowed) -> Wanted:
    """The terms of a subject, and of the words of its query the fewest that every answer holds."""
    asked = query.parse(subject.query, allowed=allowed).tree if subject.query else None
    phrases = cover(asked, with_raw=True) if asked else ()
    written: dict[str, list[str]] = {"#": [], "@": [], "*": [], "a": []}
    for phrase in phrases or ():
        written[_sort(phrase)] += phrase.asks
    return Wanted(
        names=_once((*subject.names, *subject.ambiguous, *written["a"])),
        hashtags=_once((*subject.hashtags, *written["#"])),
        handles=_once((*subject.handles, *written["@"])),
        wild=_once(written["*"]),
        is_whole=phrases is not None,
    )


def _sort(phrase: Phrase) -> str:
    """What a phrase is to a source: `#` a hashtag, `@` an account, `*` a pattern, `a` words."""
    parts = [part for way in phrase.ways for part in way]
    if any(part.is_prefix or "?" in form for part in parts for form in part.forms):
        return "*"
    return phrase.written[0] if phrase.written[0] in "#@" else "a"


def _once(terms: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(terms))
