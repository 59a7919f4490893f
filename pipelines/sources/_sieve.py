"""Keeps of a stream of everything the posts that may name what is watched.

A cheap first sieve, before anything is written: the words of a post are cut and folded as the
matcher of subjects has them (`pipelines.words`), and looked for in either number, by one automaton.
It lets through more than the matcher later keeps, and never less, so that the posts of people who
never spoke of the institution are not written down even for a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from pipelines import query_match, words
from pipelines.query_terms import Asked, literal, phrase, word
from pipelines.query_tree import Any, Part, Phrase
from pipelines.sources import Terms

Sieve = Callable[[Sequence[str], Iterable[str]], bool]  # texts and hashtags of a post


def sieve(terms: Terms) -> Sieve:
    """A test whether a post's texts or hashtags hold any of the names, hashtags and handles."""
    found = query_match.compiled([Any(tuple(dict.fromkeys(_phrases(terms))))])

    def may_name(texts: Sequence[str], hashtags: Iterable[str]) -> bool:
        read = query_match.document("\n".join(texts), hashtags=tuple(hashtags))
        return bool(found.find(read))

    return may_name


def _phrases(terms: Terms) -> Iterator[Phrase]:
    yield from (made for made in (literal(n, is_counted=True) for n in terms.names) if made)
    yield from map(_wild, terms.wild)
    tags = (words.squash(tag) for tag in (*terms.hashtags, *terms.names))
    yield from (_mark(f"#{tag}") for tag in tags if tag)
    handles = (words.fold_handle(handle) for handle in terms.handles)
    yield from (_mark(f"@{handle}") for handle in handles if handle)


def _wild(written: str) -> Phrase:
    return (word if written[0] == "#" else phrase)(Asked(written), written, 0)


def _mark(token: str) -> Phrase:
    return Phrase(token, ((Part((token,)),),))
