"""Keeps of a stream of everything the posts that may name what is watched.

A cheap first sieve, before anything is written: whole words, without case, accents and
punctuation. It lets through more than the matcher of subjects later keeps, and never less, so
that the posts of people who never spoke of the institution are not written down even for a day.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence

from pipelines.sources import Terms

Sieve = Callable[[Sequence[str], Iterable[str]], bool]  # texts and hashtags of a post
# Ten times what the networks that stream allow: NFKD takes the square of a run of marks.
_TEXT_LIMIT = 10_000
_LIGATURES = str.maketrans({"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae"})


def folded(text: str) -> str:
    """The words of `text` in lower case without accents, one space around each."""
    plain = unicodedata.normalize("NFKD", text[:_TEXT_LIMIT].translate(_LIGATURES)).casefold()
    kept = (c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return f" {' '.join(''.join(kept).split())} "


def sieve(terms: Terms) -> Sieve:
    """A test whether a post's texts or hashtags hold any of the names, hashtags and handles."""
    names = _some(folded(name) for name in terms.names)
    tags = frozenset(_some(_squeezed(tag) for tag in terms.hashtags))
    handles = _some(f"@{handle.lstrip('@').casefold()}" for handle in terms.handles)

    def may_name(texts: Sequence[str], hashtags: Iterable[str]) -> bool:
        whole = "\n".join(texts)
        words = folded(whole)
        if any(name in words for name in names):
            return True
        if not tags.isdisjoint(map(_squeezed, hashtags)):
            return True
        lower = whole.casefold()
        return any(handle in lower for handle in handles)

    return may_name


def _squeezed(tag: str) -> str:
    return folded(tag).replace(" ", "")


def _some(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if len(word.strip(" @")) > 0))
