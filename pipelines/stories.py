"""What a day's messages are about: near-copies first, then unusual words, then meaning.

Pure and deterministic. A story begins with messages that share unusual words (more frequent that
day than in the two weeks before), or with one text that was copied; groups that mean the same
(`pipelines/meaning.py`) are one story, and what is left over is drawn to a story that it is near
to. Its headline is cut out of one of its own messages; nothing is written for it. Every pass is
linear in the number of texts.

Known gaps: a story without any unusual word or copy is none; French and English stop words only.
Without a past, the days of a week or month are compared with each other; on the first day of all,
every frequent word may name a story, alone if twenty messages hold it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import log, sqrt
from typing import Any, TypeVar

from pipelines import copies, cues, meaning
from pipelines.brief import Action, ActionKind, Answer, Claim, Message, Said, Story
from pipelines.outlook import wilson

Key = TypeVar("Key", str, datetime)
_Part = tuple[list[int], list[str]]  # places of bundles, and the words that name them

CRISIS_TOPIC = "T20"
STORY_COUNT = 3
DAY = timedelta(days=1)
LEAST_MENTIONS = 5  # of a story
LEAST_COPIES = 5  # of a text that is a story, or a claim, by itself
LEAST_ASKED = 3
LEAST_HELD = 6  # words of a text that is held in a longer one, for both to say the same
MOST_CLAIMS = 100  # that are compared with each other; the digest shows five
LEAST_TONE = 10  # distinct texts below which a share of negative ones is not shown
UNUSUAL = 1.5  # times a word's usual share
SURE = 16.0  # G-squared of a word's two counts; chance gives it 1 in 16,000
SURE_ALONE = 20.0  # where one word alone names a story, no text copied: 1 in 130,000
LEAST_ALONE = 20  # messages of a first day that hold a word, for it to name a story alone
SEEDS = 100  # words that may name a story
JOINED = 0.5  # of the rarer word's messages, for two words to name one story
GRAVE = ("crisis", "claim", "gathering")
ALIKE = 0.7  # of the words of the shorter one, for two copied texts to be one story
ANSWERED = 0.4  # of a claim's words, for an own post to be shown as its answer
_STEM = 6  # letters that tell a word and its forms: contamin-ée, contamin-ation
_HEADLINE = 120
_SHORT = 6  # words of a headline below which fewer do not make it more typical
_EXAMPLES = 3
IDS = 20  # of messages, that an entry carries

_LINK = re.compile(r"https?://\S+|www\.\S+", re.IGNORECASE)
_ADDRESSED = re.compile(r"^(?:(?:RT\s+)?\.?@\S+(?:\s+|$)|-\s+)+")  # whom it answers
_WORD = re.compile(r"[^\W\d_]{3,}")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+")
_STOP = frozenset(
    word
    for line in (
        "alors aller ainsi après assez aucun aucune aujourd aussi autant autre autres avait avant",
        "avec avez avons beaucoup bien bonjour bonsoir cela celle celles celui cependant certains",
        "ceux chaque chez comme comment contre dans demain depuis dernier dernière derrière",
        "deux devant devrait dire dirait doit donc dont elle elles encore enfin entre envers",
        "était étaient étant être eux fait faire fois font grand grande gens hier ici ils jamais",
        "jour jours jusqu juste laquelle lequel leur leurs lors lorsque lundi mardi mercredi jeudi",
        "vendredi samedi dimanche maintenant mais malgré même mêmes merci mieux moins notre nous",
        "nouveau nouvelle parce parfois parmi part pendant personne petit petite peut peuvent",
        "question questions plus plusieurs plutôt pour pourquoi pourtant pourra presque puis",
        "quand quel quelle",
        "quelles quelque quelques quels quoi rien sans sait savoir selon sera serait seront seul",
        "seulement sinon soir sont sous souvent suis sur surtout tant tellement tous tout toute",
        "toutes toujours trop très trouve trois vers veut vient voilà voici voir vois vont votre",
        "vous vraiment ville mairie maire commune matin semaine année mois heure heures faut",
        "ais ait ans aux ben bon car ces cet ceci comme dès des dit don elle est eux fin fut hop",
        "ils ici ira jai les leur lui mais mal mes moi mon ont oui par pas peu plus puis que qui",
        "quoi sait ses soi son sur tes toi ton tôt tous une vas vers via voi vos vrai été ouais",
        "avoir ceux quelqu jusqu lorsqu puisqu presqu aujourd hui non sauf svp mdr lol",
        "about after again also because been before being between could does doing down during",
        "each from further have having here into itself just more most only other ours over same",
        "should some such than that their them then there these they this those through today",
        "all and any are but can did for get got had has her him his how its let may new not now",
        "off one our out own say see she the too two use was way who why yes you",
        "night day anyone someone something anything everyone everybody number people thing things",
        "still even ever never really going back time please thanks great good",
        "tomorrow under until very were what when where which while whom will with would your",
    )
    for word in line.split()
)


@dataclass(slots=True)
class _Topic:
    """A cluster of seed words while it grows."""

    words: list[str]
    places: set[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A message with its near-copies, the most said first."""

    messages: tuple[Message, ...]
    count: int

    @property
    def lead(self) -> Message:
        """The form in which it was said most."""
        return self.messages[0]


@dataclass(frozen=True, slots=True)
class _Core:
    """What a text says without what people put around it: its words, and whether it denies.

    Worked out once a text: each claim is compared with a hundred others.
    """

    words: str  # with a space before and after each
    denies: bool


@dataclass(slots=True)
class _Counted:
    """How many bundles and background texts hold each word."""

    total: int = 0
    words: Counter[str] = field(default_factory=Counter)


def bundles(messages: Sequence[Message]) -> list[Bundle]:
    """The messages by near-copies, the largest first."""
    found = []
    for group in copies.groups([message.text for message in messages]):
        members = sorted(
            (messages[place] for place in group.members),
            key=lambda m: (-m.count, m.first_at, m.mention_id),
        )
        found.append(Bundle(messages=tuple(members), count=sum(m.count for m in members)))
    return sorted(found, key=lambda b: (-b.count, b.lead.first_at, b.lead.mention_id))


def said(bundle: Bundle) -> Said:
    """A bundle as it is shown: its lead, its copies, where they were."""
    first = min(bundle.messages, key=lambda m: (m.first_at, m.mention_id))
    ids = [i for m in bundle.messages for i in m.mention_ids]
    return Said(
        message=bundle.lead,
        copy_count=bundle.count - 1,
        text_count=len(bundle.messages),
        origins=_summed(m.origins for m in bundle.messages),
        first_at=first.first_at,
        mention_ids=tuple(ids[:IDS]),
    )


def stories(
    found: Sequence[Bundle], background: Iterable[str], *, known: Collection[str] = ()
) -> tuple[Story, ...]:
    """The three stories that weigh most; fewer when fewer stand out.

    `known` are words in every message (the institution's own name). Weight is the number of
    mentions, half as much again for the share that is negative, twice for civil security (T20).
    """
    told = [_story(parts, words) for parts, words in grouped(found, background, known=known)]
    strong = [s for s in told if s.mention_count >= LEAST_MENTIONS]
    return tuple(sorted(strong, key=lambda s: (-_weight(s), s.first_at))[:STORY_COUNT])


def _weight(story: Story) -> float:
    negative = story.negative.share if story.negative else 0.0
    crisis = 2.0 if CRISIS_TOPIC in story.topics else 1.0
    return story.mention_count * (1 + negative / 2) * crisis


def terms(text: str, known: Collection[str] = ()) -> set[str]:
    """The words of a text that can tell what it is about, in lower case."""
    bare = copies.told(text.lower())
    return {word for word in _WORD.findall(bare) if word not in _STOP and word not in known}


def _counted(texts: Iterable[str], known: Collection[str]) -> _Counted:
    return _tallied(terms(text, known) for text in texts)


def _seeds(days: Sequence[_Counted], usual: _Counted) -> dict[str, float]:
    """The most unusual words, each with its weight; at most `SEEDS`."""
    span = _added(days)
    most = span.total * 0.6 + LEAST_MENTIONS
    scored = {
        word: _unusual(word, days, span, usual)
        for word, count in span.words.items()
        if LEAST_MENTIONS <= count <= most
    }
    sure = [word for word, weight in scored.items() if weight >= SURE]
    return {word: scored[word] for word in sorted(sure, key=lambda w: (-scored[w], w))[:SEEDS]}


def _unusual(word: str, days: Sequence[_Counted], span: _Counted, usual: _Counted) -> float:
    """How sure a word is more frequent than before.

    Without a past, than on the other days of the span; of a single day, every frequent word is.
    """
    if usual.total:
        return _surprise(span.words[word], span.total, usual.words[word], usual.total)
    if len(days) == 1:
        return SURE + (SURE_ALONE - SURE) * span.words[word] / LEAST_ALONE
    return max(_standing_out(word, day, span) for day in days)


def _standing_out(word: str, day: _Counted, span: _Counted) -> float:
    """How sure a word is more frequent on a day than on the others of its span."""
    count = day.words[word]
    if count < LEAST_MENTIONS:
        return 0.0
    return _surprise(count, day.total, span.words[word] - count, span.total - day.total)


def _added(days: Sequence[_Counted]) -> _Counted:
    made = _Counted()
    for day in days:
        made.total += day.total
        made.words.update(day.words)
    return made


def _surprise(count: int, total: int, before: int, total_before: int) -> float:
    """How sure a word is more frequent than before; 0 unless it is so by `UNUSUAL` times.

    The log-likelihood ratio of Dunning (Computational Linguistics 19, 1993), over both counts: a
    short background says little, however it looks.
    """
    if count * (total_before + 1) <= UNUSUAL * (before + 0.5) * total:
        return 0.0
    rate = (count + before) / (total + total_before)
    today = count * log(count / (total * rate))
    return 2 * (today + (before * log(before / (total_before * rate)) if before else 0.0))


def _clusters(words: Sequence[Set[str]], seeds: Mapping[str, float]) -> list[_Topic]:
    """The seed words by the messages that they share."""
    places: dict[str, set[int]] = {word: set() for word in seeds}
    for place, mine in enumerate(words):
        for word in mine & seeds.keys():
            places[word].add(place)
    clusters: list[_Topic] = []
    for word in seeds:
        home = next((c for c in clusters if _overlap(places[word], c.places) >= JOINED), None)
        if home is None:
            clusters.append(_Topic(words=[word], places=set(places[word])))
        else:
            home.words.append(word)
            home.places |= _agreeing(home.words, places)
    return clusters


def _is_sure(cluster: _Topic, found: Sequence[Bundle], seeds: Mapping[str, float]) -> bool:
    """Whether several words say that it is a story, or a text copied, or one word very surely."""
    if len(cluster.words) > 1 or seeds[cluster.words[0]] >= SURE_ALONE:
        return True
    return any(found[place].count >= LEAST_COPIES for place in cluster.places)


def _agreeing(words: Sequence[str], places: Mapping[str, set[int]]) -> set[int]:
    """The messages that hold two or more of a cluster's words."""
    counted = Counter(place for word in words for place in places[word])
    return {place for place, count in counted.items() if count >= 2}


def grouped(
    found: Sequence[Bundle],
    background: Iterable[str],
    *,
    known: Collection[str] = (),
    by_meaning: bool = True,
) -> list[tuple[list[Bundle], list[str]]]:
    """The bundles of each story that could be told, with its unusual words; most are in none.

    First by unusual words and copies; then groups that mean the same are one, and what is left over
    is drawn to the group that it is near to.
    """
    usual = _counted(background, known)
    words = [terms(bundle.lead.text, known) for bundle in found]
    seeds = _seeds(_by_day(found, words), usual)
    sure = [c for c in _clusters(words, seeds) if _is_sure(c, found, seeds)]
    parts = _shared_out(found, sure)
    if not by_meaning or not parts:
        return [([found[place] for place in places], names) for places, names in parts]
    read = meaning.read(words, usual=usual.words, usual_total=usual.total)
    return _told_alike(found, _joined(parts, read), read)


def _by_day(found: Sequence[Bundle], words: Sequence[Set[str]]) -> list[_Counted]:
    """The words of each day from the first message on, of the bundles first said on it.

    Days are as near to 24 hours as makes them equal: a day of 25, at a clock change, is one.
    """
    if not found:
        return []
    times = [bundle.lead.first_at for bundle in found]
    first, span = min(times), max(times) - min(times)
    length = span / max(round(span / DAY), 1) + timedelta(microseconds=1)
    days: dict[int, list[Set[str]]] = {}
    for at, mine in zip(times, words, strict=True):
        days.setdefault((at - first) // length, []).append(mine)
    return [_tallied(days[day]) for day in sorted(days)]


def _tallied(texts: Iterable[Set[str]]) -> _Counted:
    counted = _Counted()
    for words in texts:
        counted.total += 1
        counted.words.update(words)
    return counted


def _joined(parts: Sequence[_Part], read: meaning.Read) -> list[_Part]:
    """Parts that mean the same as one, with the words of each in their order.

    Two copied texts without unusual words are joined by `_alike` alone: short ones that name the
    same street would else be one.
    """
    loners = {number for number, (_, words) in enumerate(parts) if not words}
    made = []
    for members in meaning.joined(read, [places for places, _ in parts], loners=loners):
        places = sorted(place for member in members for place in parts[member][0])
        made.append((places, [word for member in members for word in parts[member][1]]))
    return made


def _told_alike(
    found: Sequence[Bundle], parts: Sequence[_Part], read: meaning.Read
) -> list[tuple[list[Bundle], list[str]]]:
    """The parts with what is left over and near to one of them."""
    taken = {place for places, _ in parts for place in places}
    near = meaning.drawn(read, [places for places, _ in parts])
    more: dict[int, list[int]] = {}
    for place, part in enumerate(near):
        if part >= 0 and place not in taken:
            more.setdefault(int(part), []).append(place)
    return [
        ([found[place] for place in sorted([*places, *more.get(n, [])])], names)
        for n, (places, names) in enumerate(parts)
    ]


def _shared_out(found: Sequence[Bundle], clusters: Sequence[_Topic]) -> list[_Part]:
    """Each bundle to one cluster, the largest first; copied texts left over stand alone."""
    taken: set[int] = set()
    parts: list[_Part] = []
    sizes = {id(c): sum(found[p].count for p in c.places) for c in clusters}
    for cluster in sorted(clusters, key=lambda c: (-sizes[id(c)], c.words)):
        mine = sorted(cluster.places - taken)
        taken |= cluster.places
        if mine:
            parts.append((mine, cluster.words))
    alone = [p for p, b in enumerate(found) if p not in taken and b.count >= LEAST_COPIES]
    return parts + [(told, []) for told in _alike(found, alone[:SEEDS])]


def _alike(found: Sequence[Bundle], copied: Sequence[int]) -> list[list[int]]:
    """Copied texts, the largest first, with those that hold most of the same words.

    A text and its denial may stand in one story; they never count as one message.
    """
    made: list[tuple[set[str], list[int]]] = []
    for place in copied:
        mine = terms(found[place].lead.text)
        if not mine:  # a bare address or handle, however often it is sent, tells nothing
            continue
        home = next((told for words, told in made if _overlap(mine, words) >= ALIKE), None)
        if home is None:
            made.append((mine, [place]))
        else:
            home.append(place)
    return [told for _, told in made]


def _overlap(mine: Set[Any], theirs: Set[Any]) -> float:
    """How much of the smaller of two sets is in the other too, 0..1."""
    return len(mine & theirs) / max(min(len(mine), len(theirs)), 1)


def _story(parts: Sequence[Bundle], words: Sequence[str]) -> Story:
    messages = [message for bundle in parts for message in bundle.messages]
    first = min(messages, key=lambda m: (m.first_at, m.mention_id))
    hours = _summed(message.hours for message in messages)
    peak_at = max(sorted(hours), key=lambda hour: hours[hour])
    largest = max(parts, key=lambda b: (b.count, -b.lead.first_at.timestamp()))
    head = _head(parts, words)
    tones = Counter(message.sentiment for message in messages)
    told = tones["negative"] + tones["neutral"] + tones["positive"]
    return Story(
        headline=headline(head),
        headline_id=head.mention_id,
        mention_count=sum(b.count for b in parts),
        text_count=len(parts),
        largest=said(largest),
        origins=_summed(m.origins for m in messages),
        first_at=first.first_at,
        first_origin=first.origin,
        peak_at=peak_at,
        peak_count=hours[peak_at],
        negative=wilson(tones["negative"], told) if told >= LEAST_TONE else None,
        undetermined_count=tones["undetermined"],
        topics=_topics(messages),
        terms=tuple(words[:5]),
        examples=_examples(parts, words),
        actions=_actions(parts),
        mention_ids=tuple(i for m in messages for i in m.mention_ids)[:IDS],
        text_hashes=tuple(m.text_hash for m in messages),
    )


def _head(parts: Sequence[Bundle], words: Sequence[str]) -> Message:
    """The message that speaks for a story: copied most, else a relay's, else the most typical."""
    largest = max(parts, key=lambda b: b.count)
    if largest.count >= LEAST_COPIES:
        return largest.lead
    titled = [b.lead for b in parts if b.lead.title and b.lead.relay_id]
    if titled:
        return min(titled, key=lambda m: m.first_at)
    return _typical(parts, words)[0].lead


def _typical(parts: Sequence[Bundle], words: Sequence[str]) -> list[Bundle]:
    """The bundles by how much their headlines hold of what all of them say, most first.

    The centroid of Radev et al. (Information Processing and Management 40, 2004), the story's
    unusual words counted twice, and what nobody else says not at all. Being long, or very short,
    makes a text no more typical.
    """
    held = Counter(word for bundle in parts for word in terms(bundle.lead.text))
    others = {word: count - 1 for word, count in held.items()}
    others |= {word: 2 * others[word] for word in words if word in others}
    weights = {
        bundle.lead.mention_id: sum(others.get(word, 0) for word in mine)
        / sqrt(max(len(mine), _SHORT))
        for bundle in parts
        for mine in [terms(headline(bundle.lead))]
    }
    return sorted(parts, key=lambda b: (-weights[b.lead.mention_id], b.lead.mention_id))


def headline(message: Message) -> str:
    """The title of a message, or its first sentence, cut at a word; whom it is sent to left out."""
    text = unaddressed(" ".join(_LINK.sub(" ", message.title or message.text).split()))
    sentences = _SENTENCE.split(text)
    first = sentences[0]
    for more in sentences[1:]:
        if len(first) >= _HEADLINE // 3:
            break
        first = f"{first} {more}"
    return shortened(first or text, _HEADLINE)


def unaddressed(text: str) -> str:
    """A text without whom it is sent to; whole where it says nothing else."""
    return _ADDRESSED.sub("", text) or text


def shortened(text: str, limit: int) -> str:
    """`text` cut at the last word within `limit` characters, with an ellipsis if it was cut."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut).rstrip(" ,;:—-") + "…"


def _topics(messages: Sequence[Message]) -> tuple[str, ...]:
    """The topics of at least a fifth of a story's messages, the most frequent first."""
    counted = Counter(topic for message in messages for topic in message.topics)
    return tuple(t for t, n in counted.most_common(3) if n >= len(messages) / 5)


def _examples(parts: Sequence[Bundle], words: Sequence[str]) -> tuple[Said, ...]:
    """Up to three messages that differ: the most copied, then the most typical ones."""
    chosen: list[tuple[_Core, Bundle]] = []
    for bundle in sorted(_typical(parts, words), key=lambda b: -b.count):
        core = _core(bundle)
        if not any(_says_as_much(core, other) for other, _ in chosen):
            chosen.append((core, bundle))
        if len(chosen) == _EXAMPLES:
            break
    return tuple(said(bundle) for _, bundle in chosen)


def _actions(parts: Sequence[Bundle]) -> tuple[Action, ...]:
    """The procedures that the messages of a story call for, the gravest first; often none.

    A complaint and a question are part of what is graver, and proposed only without it.
    """
    total = sum(b.count for b in parts)
    signs: dict[ActionKind, tuple[int, float]] = {
        "crisis": (_having(parts, _is_crisis), max(LEAST_MENTIONS, total * 0.3)),
        "claim": (_having(parts, _is_spread_claim), LEAST_COPIES),
        "gathering": (_having(parts, lambda b: cues.is_gathering(b.lead.text)), LEAST_ASKED),
        "request": (
            _having(parts, lambda b: cues.is_request(b.lead.text)),
            max(LEAST_ASKED, total * 0.4),
        ),
        "complaint": (
            _having(parts, _is_complaint),
            max(LEAST_MENTIONS, total * 0.4),
        ),
    }
    held = [
        Action(kind=kind, sign_count=count, total=total)
        for kind, (count, least) in signs.items()
        if count >= least
    ]
    grave = tuple(action for action in held if action.kind in GRAVE)
    return grave or tuple(held[:1])


def _having(parts: Sequence[Bundle], holds: Callable[[Bundle], bool]) -> int:
    """How many mentions of a story have a sign."""
    return sum(bundle.count for bundle in parts if holds(bundle))


def _is_crisis(bundle: Bundle) -> bool:
    return CRISIS_TOPIC in bundle.lead.topics


def _is_complaint(bundle: Bundle) -> bool:
    return bundle.lead.sentiment == "negative" and not cues.is_question(bundle.lead.text)


def _is_spread_claim(bundle: Bundle) -> bool:
    is_reported = bundle.lead.relay_id is not None
    return bundle.count >= LEAST_COPIES and not is_reported and cues.is_claim(bundle.lead.text)


def claims(found: Sequence[Bundle], own: Sequence[Answer], *, most: int = 5) -> tuple[Claim, ...]:
    """Texts with the signs of a claim that spread in copies; relays report and are left out."""
    spread = _once([bundle for bundle in found if _is_spread_claim(bundle)][:MOST_CLAIMS])[:most]
    lower = [bundle.lead.text.lower() for bundle in found] if spread else []
    return tuple(
        Claim(
            said=said(bundle),
            answer=_answer(bundle.lead, own),
            contrary_count=_contrary(bundle.lead, found, lower),
        )
        for bundle in spread
    )


def _once(spread: Sequence[Bundle]) -> list[Bundle]:
    """The bundles without those that say what another does, whose messages join it; the largest
    first."""
    made: list[tuple[_Core, list[Bundle]]] = []
    for bundle in spread:
        core = _core(bundle)
        home = next((parts for other, parts in made if _says_as_much(core, other)), None)
        if home is None:
            made.append((core, [bundle]))
        else:
            home.append(bundle)
    return sorted((_merged(parts) for _, parts in made), key=lambda b: -b.count)


def _core(bundle: Bundle) -> _Core:
    text = bundle.lead.text
    return _Core(f" {' '.join(copies.words(copies.told(text)))} ", _denies(text))


def _says_as_much(one: _Core, other: _Core) -> bool:
    """Whether a text holds the other word for word, but for what people put around it.

    "Ma voisine dit que X" says as much as "Pour info, X"; "C'est faux : X" denies it. A few words
    that many texts hold ("on nous ment") are none of them.
    """
    shorter, longer = sorted((one.words, other.words), key=len)
    is_held = shorter in longer and shorter.count(" ") > LEAST_HELD
    return (is_held or shorter == longer) and one.denies == other.denies


def _merged(parts: Sequence[Bundle]) -> Bundle:
    messages = tuple(message for bundle in parts for message in bundle.messages)
    return Bundle(messages=messages, count=sum(bundle.count for bundle in parts))


def _contrary(claim: Message, found: Sequence[Bundle], lower: Sequence[str]) -> int:
    """How many messages in much the same words deny what `claim` states, or the reverse.

    A stem is first looked for anywhere in a text, which is quick, then at a word's beginning.
    """
    wanted, denies = _stems(claim.text), _denies(claim.text)
    least = _least_shared(wanted)
    near = [b for b, t in zip(found, lower, strict=True) if sum(w in t for w in wanted) >= least]
    return _having(near, lambda b: _takes_up(b.lead.text, wanted) and _opposes(b.lead, denies))


def _opposes(message: Message, denies: bool) -> bool:
    return _denies(message.text) != denies and not cues.is_question(message.text)


def _denies(text: str) -> bool:
    return cues.is_denial(text) or copies.denial_count(copies.words(text)) > 0


def _takes_up(text: str, wanted: set[str]) -> bool:
    """Whether a text has two fifths of the words wanted, three at least."""
    return len(_stems(text) & wanted) >= _least_shared(wanted)


def _least_shared(wanted: set[str]) -> float:
    return max(3.0, len(wanted) * ANSWERED)


def _answer(claim: Message, own: Sequence[Answer]) -> Answer | None:
    """The latest own post that takes up two fifths of a claim's words, three at least."""
    wanted = _stems(claim.text)
    latest = sorted(own, key=lambda p: p.published_at, reverse=True)
    return next((post for post in latest if _takes_up(post.text, wanted)), None)


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in terms(text)}


def _summed(parts: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    """The counts of several tables added up, the largest first."""
    total: Counter[Key] = Counter()
    for part in parts:
        total.update(part)
    return dict(total.most_common())
