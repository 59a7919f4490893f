"""A query in words, what in it may surprise, and why a post answers it or does not.

For `vigie query explain` and `vigie query test`; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pipelines import query, words
from pipelines.places import gazetteer
from pipelines.query_match import (
    Compiled,
    Document,
    Span,
    View,
    exactly_at,
    places_of,
    spans_of,
    test_of,
)
from pipelines.query_tree import (
    All,
    Always,
    Any,
    Author,
    Cut,
    Engagement,
    Inflected,
    Lang,
    Named,
    Near,
    Node,
    Not,
    Phrase,
    Place,
    Raw,
    Risky,
    Site,
    Source,
    Title,
    Type,
    children,
    cover,
    walk,
)
from pipelines.said import Said, say

_LISTED = 6  # words of a list that a line shows
# Names of French towns that are common words too, in French or English (folded).
_MISLEADING_LIST = (
    "agde aix ales angers apt auch bar bourg bray bron cannes chateau cognac die dole eu "
    "fontaine gap gex grasse laval lens loos mer menton montagne montreuil nice orange pau "
    "pont port re rue saintes sens sete tours troyes valence vendome vienne vire vitre"
)
_MISLEADING = frozenset(_MISLEADING_LIST.split())


# --- in words


def described(node: Node) -> Iterator[str]:
    """A tree in lines of plain words, what belongs together indented."""
    yield from _described(node, 0, set())


def _described(node: Node, depth: int, cut_out: set[Phrase]) -> Iterator[str]:
    """`cut_out` holds the phrases of every `Cut` that were shown: they are not shown again."""
    yield f"{'  ' * depth}{_named_line(node)}"
    shown = _shown_children(node)
    if isinstance(node, Cut):
        shown = (node.child, *(phrase for phrase in node.phrases if phrase not in cut_out))
        cut_out.update(node.phrases)
    for child in shown:
        yield from _described(child, depth + 1, cut_out)


def _shown_children(node: Node) -> tuple[Node, ...]:
    match node:
        case Risky(risky, _):
            return (risky,)
        case Any(inner) if len(inner) > 1 and all(isinstance(c, Phrase) for c in inner):
            return inner[:50]
        case Named():
            return (*node.names, *node.context, *node.exclude)
    return children(node)


def _named_line(node: Node) -> str:
    match node:
        case Phrase():
            return _phrase_line(node)
        case Not():
            return "but not:"
        case Near(_, _, most, is_ordered):
            order = ", in this order:" if is_ordered else ", in any order:"
            return f"these two with at most {most} words between them{order}"
        case Risky(_, strong, within):
            near = listed(strong)
            return f"risky, counted only within {within} words of {near}:"
        case Title():
            return "in the title:"
        case All():
            return "all of these:"
        case Any(inner):
            more = f" ({len(inner)}, of which 50 are shown)" if len(inner) > 50 else ""
            return f"at least one of these{more}:"
        case Cut(_, phrases):
            out = ", ".join(f"“{phrase.written}”" for phrase in phrases[:_LISTED])
            more = f" and {len(phrases) - _LISTED} more" if len(phrases) > _LISTED else ""
            return f"once {out}{more} is taken out of the text:"
        case Named(names, context, exclude, within):
            against = f", none of {listed(Any(exclude))}" if exclude else ""
            near = listed(Any(context))
            return f"{listed(Any(names))} read as a name, within {within} words of {near}{against}:"
    return _field_line(node)


def _field_line(node: Node) -> str:
    match node:
        case Raw(text):
            return f"exactly “{text}”, capitals and accents too"
        case Site(host, path):
            return f"published on {host}{'/' + path if path else ' or a part of it'}"
        case Source(name):
            return f"read from {name} (a source, its block, or its network)"
        case Lang(code):
            return f"in the language {code}"
        case Type(name):
            return f"of type {name}"
        case Engagement(sign, count):
            return f"likes, replies, shares and quotes together {sign} {count}"
        case Place(written):
            return f"naming a place of {written}"
        case Author(relay_ids):
            return f"posted by {', '.join(relay_ids) or 'the institution'}"
        case Always(is_true):
            return "every post" if is_true else "no post"
    raise TypeError(f"{type(node).__name__} is no node of a query")


def _phrase_line(phrase: Phrase) -> str:
    if phrase.inflected:
        return _forms_line(phrase.written, phrase.inflected)
    kind = {"#": "the hashtag", "@": "the account"}.get(phrase.written[:1], "")
    longest = max(len(way) for way in phrase.ways)
    kind = kind or ("the phrase" if longest > 1 else "the word")
    ways = dict.fromkeys(
        " ".join("/".join(part.forms) + "…" * part.is_prefix for part in way) for way in phrase.ways
    )
    return f"{kind} “{phrase.written.strip()}” ({', or '.join(ways)})"


def _forms_line(written: str, found: Inflected) -> str:
    """The forms of a word as they are spelt, and which word it is a form of."""
    lemmas = " and ".join(f"“{lemma}”" for lemma in found.lemmas)
    asked = written.removeprefix("forms:")
    is_form = words.fold(asked) not in map(words.fold, found.lemmas)
    of = f", since “{asked}” is one of them" if is_form else ""
    return f"every form of {lemmas}{of} ({', '.join(found.forms)})"


def listed(node: Node) -> str:
    """The words of a tree, the first few of them."""
    found = [f"“{written}”" for written in _written(node)]
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return ", ".join(found[:_LISTED]) + more


def _written(node: Node) -> list[str]:
    return [p.written.strip() for p in walk(node) if isinstance(p, Phrase)]


# --- what may surprise


def warnings(tree: Node, *, sources: Collection[str] = ()) -> list[Said]:
    """What the writer of a query may not have meant; `sources` are the names that there are."""
    found = [*_lone_words(tree), *_of_words(tree), *_of_forms(tree)]
    found += [*_costly_forms(tree), *_idle_risks(tree), *_of_fields(tree, sources)]
    if cover(tree, with_raw=True) is None:
        found.append(
            say(
                "posts may answer without any word of the query, so no source can be asked for "
                "them: it finds what other subjects and blocks bring in"
            )
        )
    return list(dict.fromkeys(found))


def _lone_words(tree: Node) -> Iterator[Said]:
    """Single words, and phrases of common words, that are enough by themselves."""
    for phrase in _enough(tree):
        if any(len(way) > 1 and all(map(query.is_common, way)) for way in phrase.ways):
            yield say(
                "“{phrase}” holds only words that stand in nearly every post",
                phrase=phrase.written,
            )
        forms = {form for way in phrase.ways for part in way for form in part.forms}
        is_single = all(len(way) == 1 for way in phrase.ways) and phrase.written[0] not in "#@"
        if not is_single:
            continue
        if phrase.inflected is None and not _MISLEADING.isdisjoint(forms):
            yield say(
                "“{word}” is a town and a common word: write risky:({word}) AND (mairie OR …), or "
                "join it with a word that makes it sure",
                word=phrase.written,
            )
        elif phrase.written == phrase.written.lower():
            yield say(
                "“{word}” is enough by itself, wherever it is said: join it with a name "
                "({word} NEAR/10 Tours) if only one is meant",
                word=phrase.written,
            )


def _enough(node: Node) -> Iterator[Phrase]:
    match node:
        case Phrase():
            yield node
        case Any(inner):
            for child in inner:
                yield from _enough(child)


def _of_words(tree: Node) -> Iterator[Said]:
    for phrase in (node for node in walk(tree) if isinstance(node, Phrase)):
        text = phrase.written.strip()
        parts = [part for way in phrase.ways for part in way]
        if text.endswith("?") and " " not in text:
            yield say("“{word}”: the ? stands for one letter, not for a question mark", word=text)
        if any(part.is_prefix or "?" in form for part in parts for form in part.forms):
            yield say(
                "“{word}”: sources that search by words (Bluesky, Mastodon) cannot be asked for "
                "it; write its main forms too, joined by OR",
                word=text,
            )


def _of_forms(tree: Node) -> Iterator[Said]:
    """Forms of a word that are other words too, or that had to be left out."""
    for phrase in (node for node in walk(tree) if isinstance(node, Phrase)):
        found, text = phrase.inflected, phrase.written
        if found is None:
            continue
        if found.left_out:
            yield say(
                "{word}: without {forms}, which cannot be told from words that stand in nearly "
                'every post; raw:"…" finds the exact form',
                word=text,
                forms=_few(found.left_out),
            )
        if found.shared:
            yield say(
                "{word}: finds {forms} where it is a word of its own too",
                word=text,
                forms=_few(found.shared),
            )
        if found.also_of:
            yield say(
                "{word}: is a form of another word too: write {others} if that is meant",
                word=text,
                others=", ".join(f"forms:{lemma}" for lemma in found.also_of),
            )


def _costly_forms(tree: Node) -> Iterator[Said]:
    """Forms that a source must be asked for one by one, where no other word is enough to ask."""
    for phrase in cover(tree) or ():
        if phrase.inflected:
            yield say(
                "{word}: sources that search by words are asked for each of its {n} forms; joined "
                "by AND or NEAR with another word, for that alone",
                word=phrase.written,
                n=len(phrase.asks),
            )


def _few(forms: Sequence[str]) -> Said:
    first = Said(", ".join(f"“{form}”" for form in forms[:_LISTED]))
    more = len(forms) - _LISTED
    return say("{first} and {n} more", first=first, n=more) if more > 0 else first


def _idle_risks(node: Node) -> Iterator[Said]:
    """`risky:` beside strong words that are enough by themselves changes nothing."""
    if isinstance(node, Any):
        for child in node.children:
            if isinstance(child, Risky):
                yield say(
                    "risky:({words}) changes nothing: the words near which it counts are enough "
                    "by themselves; join it by AND: risky:(…) AND (…)",
                    words=_few(_written(child.words)),
                )
            yield from _idle_risks(child)


def _of_fields(tree: Node, sources: Collection[str]) -> Iterator[Said]:
    for node in walk(tree):
        match node:
            case Source(name) if sources and name not in sources:
                yield say(
                    "source:{name} is none of this home: there is {names}",
                    name=name,
                    names=", ".join(sorted(sources)),
                )
            case Engagement():
                yield say(
                    "engagement: is judged when a post is read, often minutes after it was "
                    "published; `vigie query rerun` judges the counts of the last look"
                )
            case Lang():
                yield say(
                    "lang: is what the text seems to be in; short posts are often not told apart"
                )
            case Place() if not _is_found(node):
                yield say(
                    "place:{code} is no code of today: no post can be found there; communes that "
                    "merged have the code of the new one (insee.fr, code officiel géographique)",
                    code=node.written,
                )


def _is_found(place: Place) -> bool:
    """Whether any place of the gazetteer is what a query asks for.

    A warning and no refusal: communes merge every year, and a query that was right last year must
    not keep an institution from reading today.
    """
    known = gazetteer.places()
    return any(code in known for code in place.codes) or any(
        code.startswith(place.prefixes) for code in known
    )


# --- why a post answers


@dataclass(frozen=True, slots=True)
class Why:
    """Whether a post answers, the characters of its text that say so, or what is missing."""

    is_found: bool
    spans: tuple[Span, ...] = ()
    reason: str = ""


def why(tree: Node, found: Compiled, document: Document) -> Why:
    """Why a post answers a tree or not; `found` is that tree compiled alone."""
    view = found.view(document)
    if test_of(tree, found.patterns.numbers)(view):
        return Why(True, _characters(document, _tokens(tree, view, found), _raw_spans(tree, view)))
    return Why(False, reason=_missing(tree, view, found))


def _tokens(node: Node, view: View, found: Compiled) -> set[Span]:
    """The tokens that make a tree true."""
    numbers = found.patterns.numbers
    match node:
        case Phrase():
            return set(view.spans(numbers[node]))
        case All(inner) | Any(inner):
            true = [child for child in inner if test_of(child, numbers)(view)]
            return {span for child in true for span in _tokens(child, view, found)}
        case Near(left, right) | Risky(left, right):
            pairs = list(spans_of(places_of(node, numbers)(view)))
            sides = _tokens(left, view, found) | _tokens(right, view, found)
            return {s for s in sides if any(a <= s[0] and s[1] <= b for a, b in pairs)}
        case Title(child):
            count = view.document.words.title_count
            return {span for span in _tokens(child, view, found) if span[0] < count}
        case Cut(child, phrases):
            gone = {span for phrase in phrases for span in view.spans(numbers[phrase])}
            return {
                span
                for span in _tokens(child, view, found)
                if not any(a <= span[0] and span[1] <= b for a, b in gone)
            }
        case Named():
            phrases = (*node.names, *node.context)
            return {span for phrase in phrases for span in view.spans(numbers[phrase])}
    return set()


def _raw_spans(tree: Node, view: View) -> list[Span]:
    signs = [node.text for node in walk(tree) if isinstance(node, Raw)]
    places = [(exactly_at(view.document.text, each), len(each)) for each in signs]
    return [(at, at + length) for at, length in places if at is not None]


def _characters(
    document: Document, tokens: Collection[Span], more: Sequence[Span]
) -> tuple[Span, ...]:
    """Where tokens stand in what is shown, each stretch once, from the left."""
    places = _places(document)
    spans = [
        (places[first][0], places[last - 1][1]) for first, last in tokens if last <= len(places)
    ]
    joined: list[Span] = []
    for start, end in sorted({*spans, *more}):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(span for span in joined if span[1] > span[0])


def _places(document: Document) -> list[Span]:
    """The characters of each token in what is shown; a bar between two parts has none.

    What stands beside the text, behind the wall, is not shown and has no place.
    """
    found: list[Span] = []
    offset = 0
    for number, part in enumerate(document.parts):
        found += [(offset, offset)] * bool(number)
        found += [(offset + first, offset + last) for first, last in words.spans(part)]
        offset += len(part) + bool(part)
    return found


def _missing(node: Node, view: View, found: Compiled) -> str:
    """What keeps a tree from being true, in few words, the same for all posts of a kind."""
    numbers = found.patterns.numbers
    match node:
        case All(inner):
            false = next(child for child in inner if not test_of(child, numbers)(view))
            return _missing(false, view, found)
        case Not(child):
            return f"left out by {_brief(child)}"
        case Near() | Risky():
            return _apart(node, view, found)
        case Title(child):
            return f"not in the title: {_brief(child)}"
        case Phrase() | Any():
            return f"without {_brief(node)}"
        case Cut(child, _):
            return _missing(child, view, found)
        case Named(names):
            return f"{_brief(Any(names))} missing, or read as a common word, or without context"
    return f"not {_field_line(node)}"


def _apart(node: Near | Risky, view: View, found: Compiled) -> str:
    """Which side of two words that should be near is missing, or that they are far."""
    left, right = children(node)
    is_left, is_right = (bool(places_of(n, found.patterns.numbers)(view)) for n in (left, right))
    if isinstance(node, Risky):
        lacking = f"{_brief(left)} with no strong word within {node.within} words"
        return lacking if is_left else f"without {_brief(left)}"
    if is_left and is_right:
        order = " in this order" if node.is_ordered else ""
        return f"{_brief(left)} and {_brief(right)} not within {node.most} words{order}"
    return f"without {_brief(right if is_left else left)}"


def _brief(node: Node) -> str:
    """The words and fields of a tree, the first few of them."""
    leaves = [found for found in walk(node) if not children(found)]
    named = [
        f"“{leaf.written.strip()}”" if isinstance(leaf, Phrase) else _field_line(leaf)
        for leaf in leaves
    ]
    more = f" and {len(named) - _LISTED} more" if len(named) > _LISTED else ""
    return ", ".join(named[:_LISTED]) + more
