"""What people ask again and again, and what the institution's own FAQ answers.

Questions are grouped by two words that several share, then by meaning (`pipelines/meaning.py`).
The answer is an entry of `faq.toml` (`pipelines/faq.py`) whose question means the same; below
`ANSWERED` there is none, and the digest says so: a wrong answer is worse than none.

Pure and deterministic. A person decides what becomes an entry.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pipelines import cues, meaning
from pipelines.brief import Asked
from pipelines.faq import Entry
from pipelines.stories import IDS, LEAST_ASKED, SEEDS, Bundle, said, terms

ANSWERED = 0.3  # likeness of a question and an entry's from which the entry is shown
# What questions of all matters have in common: "à quelle heure ouvre …" says nothing of what.
_ASKING = frozenset(
    word
    for line in (
        "ouvre ouvert ouverte ouverts ouvertes ouvrir ouverture ferme fermé fermée fermer rouvre",
        "fermeture horaire horaires commence finit demander demande faire aller avoir obtenir",
        "trouver contacter possible besoin open opens opening close closes closed hours start",
        "apply find contact",
    )
    for word in line.split()
)

_Group = tuple[list[int], tuple[str, ...]]  # places of questions, and the words they share


def asked(
    found: Sequence[Bundle],
    *,
    known: Collection[str] = (),
    faq: Sequence[Entry] = (),
    most: int = 5,
) -> tuple[Asked, ...]:
    """Questions that came at least three times, each with the answer on file, if any."""
    questions = [bundle for bundle in found if cues.is_request(bundle.lead.text)]
    words = [terms(bundle.lead.text, known) for bundle in questions]
    groups = _by_words(questions, words)
    if not groups:
        return ()
    usual = Counter(word for bundle in found for word in terms(bundle.lead.text, known))
    own = meaning.read(words, usual=usual, usual_total=len(found))
    near = likeness(
        [bundle.lead.text for bundle in questions],
        faq,
        known=known,
        usual=usual,
        usual_total=len(found),
    )
    made = [_ask(questions, g, best(near, faq, g[0])) for g in _by_meaning(groups, own)]
    return tuple(sorted(made, key=lambda each: -each.mention_count)[:most])


def _by_words(questions: Sequence[Bundle], words: Sequence[set[str]]) -> list[_Group]:
    """Questions that share two words which three or more have."""
    said_count: Counter[str] = Counter()
    for bundle, mine in zip(questions, words, strict=True):
        said_count.update(dict.fromkeys(mine, bundle.count))
    frequent = [word for word in said_count if said_count[word] >= LEAST_ASKED]
    made: list[_Group] = []
    left = set(range(len(questions)))
    for word in sorted(frequent, key=lambda each: (-said_count[each], each))[:SEEDS]:
        where = [place for place in sorted(left) if word in words[place]]
        second = _second(word, where, words, questions)
        if second is not None:
            both = [place for place in where if second in words[place]]
            left.difference_update(both)
            made.append((both, (word, second)))
    return made


def _second(
    word: str, where: Sequence[int], words: Sequence[set[str]], found: Sequence[Bundle]
) -> str | None:
    """The word that most of the questions with `word` have too; None when too few do."""
    others: Counter[str] = Counter()
    for place in where:
        others.update(dict.fromkeys(words[place] - {word}, found[place].count))
    best = min(others, key=lambda other: (-others[other], other), default=None)
    return best if best is not None and others[best] >= LEAST_ASKED else None


def _by_meaning(groups: Sequence[_Group], own: meaning.Read) -> list[_Group]:
    """Groups that mean the same as one, with the questions left over that are near to them."""
    joined: list[_Group] = [
        (
            [place for member in members for place in groups[member][0]],
            tuple(dict.fromkeys(word for member in members for word in groups[member][1])),
        )
        for members in meaning.joined(own, [places for places, _ in groups])
    ]
    taken = {place for places, _ in joined for place in places}
    for place, group in enumerate(meaning.drawn(own, [places for places, _ in joined])):
        if group >= 0 and place not in taken:
            joined[int(group)][0].append(place)
    return joined


def likeness(
    questions: Sequence[str],
    faq: Sequence[Entry],
    *,
    known: Collection[str] = (),
    usual: Mapping[str, int],
    usual_total: int,
) -> meaning.Floats:
    """How much each question means the same as each way to ask of each entry, one after the other.

    `usual`: how many of `usual_total` texts have a word, so that rare ones weigh; accents are no
    difference.
    """
    count = len(questions)
    written = [text for entry in faq for text in entry.questions]
    words = [_folded(terms(text, known) - _ASKING) for text in (*questions, *written)]
    seen = Counter({_bare(word): n for word, n in usual.items()})
    read = meaning.read(words, usual=seen, usual_total=usual_total)
    own, other = meaning.part(read, slice(count)), meaning.part(read, slice(count, None))
    return meaning.likeness(own, other)


def _folded(words: Collection[str]) -> set[str]:
    return {_bare(word) for word in words}


def _bare(word: str) -> str:
    """A word without its accents."""
    plain = unicodedata.normalize("NFKD", word)
    return "".join(c for c in plain if not unicodedata.combining(c))


def best(
    near: meaning.Floats, faq: Sequence[Entry], places: Sequence[int]
) -> tuple[Entry, float] | None:
    """The entry that a group's questions are nearest to; None where none is near enough.

    `near` is questions by ways to ask; an entry counts by the way that is nearest.
    """
    if not faq:
        return None
    starts = np.cumsum([0, *(len(entry.questions) for entry in faq)])[:-1]
    shares = np.maximum.reduceat(near[list(places)], starts, axis=1).mean(axis=0)
    best = int(shares.argmax())
    return (faq[best], float(shares[best])) if shares[best] >= ANSWERED else None


def _ask(questions: Sequence[Bundle], group: _Group, found: tuple[Entry, float] | None) -> Asked:
    places, words = group
    parts = [questions[place] for place in places]
    largest = max(parts, key=lambda bundle: (bundle.count, -len(bundle.lead.text)))
    return Asked(
        said=said(largest),
        mention_count=sum(bundle.count for bundle in parts),
        text_count=len(parts),
        terms=words[:3],
        answer=found[0] if found else None,
        likeness=found[1] if found else None,
        mention_ids=tuple(i for b in parts for m in b.messages for i in m.mention_ids)[:IDS],
    )
