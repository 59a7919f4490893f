"""Marks: what can be observed of a name in its text, each as a function.

A function takes the names of a batch with the words around them (`Around`) and gives, for each,
whether the mark is there. What a mark weighs is told in `evidence`.
"""

from __future__ import annotations

import numpy as np

from models.hashing import Marks, word_hash
from pipelines.places.around import Around, Counts, Sets, bit
from pipelines.places.names import Kind
from pipelines.places.reading import (
    BREAK,
    CLOSING,
    COLON,
    COMMA,
    DASH,
    HYPHEN,
    LINKED,
    PAREN,
    QUOTE,
    SLASH,
    SPACE,
    STOP,
    Bits,
)

NEAR = 8  # words on either side in which words of public life and of water count
FAR = 14  # words on either side in which a country, a match or a journey counts
BIG, MIDDLING, SMALL = 100_000, 20_000, 5_000  # inhabitants
ACRONYM_LETTERS = 4


def _has(sets: Sets, *lists: str) -> Marks:
    """Whether words are in any of these lists."""
    found: Marks = (sets & bit(*lists)) != 0
    return found


def _shows(gap: Bits, *signs: int) -> Marks:
    """Whether any of these signs stands between two words."""
    found: Marks = (gap & np.uint16(sum(signs))) != 0
    return found


def _only(gap: Bits, *signs: int) -> Marks:
    """Whether nothing but these signs stands between two words."""
    found: Marks = (gap & ~np.uint16(sum(signs))) == 0
    return found


def _is(values: Counts | Bits, value: int) -> Marks:
    found: Marks = values == value
    return found


# --- what the name is


def _is_commune_of(names: Around, low: int, high: float) -> Marks:
    is_so: Marks = (names.own.population >= low) & (names.own.population < high)
    return is_so & _is(names.own.kind, Kind.COMMUNE)


def big(names: Around) -> Marks:
    """Its largest bearer has 100,000 inhabitants or more."""
    return _is_commune_of(names, BIG, np.inf)


def middling(names: Around) -> Marks:
    """Its largest bearer has 20,000 inhabitants or more."""
    return _is_commune_of(names, MIDDLING, BIG)


def small(names: Around) -> Marks:
    """Its largest bearer has 5,000 inhabitants or more."""
    return _is_commune_of(names, SMALL, MIDDLING)


def village(names: Around) -> Marks:
    """Its largest bearer has fewer than 5,000 inhabitants."""
    return _is_commune_of(names, 0, SMALL)


def an_area(names: Around) -> Marks:
    """It is a department's or a region's."""
    return _is(names.own.kind, Kind.AREA)


def inhabitants(names: Around) -> Marks:
    """It is what inhabitants are called."""
    return _is(names.own.kind, Kind.PEOPLE)


def number(names: Around) -> Marks:
    """It is the number of a department."""
    return _is(names.own.kind, Kind.NUMBER)


def here(names: Around) -> Marks:
    """It is a word for "here"."""
    return _is(names.own.kind, Kind.HERE)


def several_words(names: Around) -> Marks:
    """It has several words, its article left out."""
    is_so: Marks = names.own.size > 1
    return is_so


def a_word(names: Around) -> Marks:
    """It is first a word: of French, or of English where the text or small letters say so."""
    return names.own.is_word | (names.own.is_english & (names.is_english | in_small(names)))


def also_a_word(names: Around) -> Marks:
    """It is a word of French too, more often a name."""
    return names.own.is_also_word & ~a_word(names)


def surname(names: Around) -> Marks:
    """It stands most often behind a first name."""
    return names.own.is_person


def forename(names: Around) -> Marks:
    """It is a first name too."""
    return names.own.is_forename


def short(names: Around) -> Marks:
    """It has one letter or two."""
    is_so: Marks = names.own.letters <= 2
    return is_so


def water_or_side(names: Around) -> Marks:
    """A river, a sea or a side of the sky bears it before the department does."""
    return names.own.is_water


def of_an_area_too(names: Around) -> Marks:
    """A village called as a department or region with its article: "La Creuse"."""
    return names.own.is_shadowed


def better_known(names: Around) -> Marks:
    """A place abroad of the same name is better known."""
    return _is(names.own.far, 2)


# --- how it is written


def _is_small(names: Around) -> Marks:
    return ~names.read.is_capital[names.last] & ~names.read.is_digits[names.last]


def in_small(names: Around) -> Marks:
    """One word in small letters."""
    return _is_small(names) & ~several_words(names)


def word_in_small(names: Around) -> Marks:
    """A department in small letters, where it is the word or the side of the sky that it is too."""
    return in_small(names) & (names.own.is_word | names.own.is_water)


def words_in_small(names: Around) -> Marks:
    """Several words in small letters."""
    return _is_small(names) & several_words(names)


def other_accents(names: Around) -> Marks:
    """It bears accents that the name does not: "limogés"."""
    own, written = names.own.written, names.read.written[names.last]
    is_other: Marks = (own != 0) & (written != own)
    return is_other & names.read.has_accent[names.last]


def in_capitals(names: Around) -> Marks:
    """All its letters are capitals."""
    return names.read.is_shouted[names.last]


def acronym(names: Around) -> Marks:
    """A few letters, and it alone is in capitals: "ARS", "SOS"."""
    is_beside = np.zeros(len(names.first), np.bool_)
    for place in (names.place_before, names.place_after):
        at, is_there = place(1, is_linked=False)
        is_beside |= is_there & names.read.is_shouted[at]
    is_short: Marks = names.own.letters <= ACRONYM_LETTERS
    return in_capitals(names) & is_short & ~is_beside


def small_article(names: Around) -> Marks:
    """A word with its article in small letters: "l'Union" is not the town "L'Union"."""
    is_word = names.own.is_word | names.own.is_also_word
    return is_word & names.own.has_article & ~names.read.is_capital[names.first]


def _opens(names: Around) -> Marks:
    return _shows(names.gap_before(), STOP, BREAK, LINKED)


def opening_word(names: Around) -> Marks:
    """A word or a first name that opens a sentence: its capital tells nothing."""
    own = names.own
    is_word = own.is_word | own.is_also_word | own.is_english | own.is_forename
    return _opens(names) & is_word & ~_is_small(names) & ~names.read.in_tag[names.first]


def hashtag(names: Around) -> Marks:
    """It is a hashtag or a part of one, with a capital or of several words."""
    return names.read.in_tag[names.first] & ~in_small(names)


def longer_word(names: Around) -> Marks:
    """A hyphen makes it a part of a longer word, which is no quarter of the town."""
    left, right = _is(names.gap_before(), HYPHEN), _is(names.gap_after(), HYPHEN)
    is_quarter = _has(names.after(1), "quarter")
    return (left & ~_ends(names, 1)) | (right & ~_starts(names, 1) & ~is_quarter)


def address(names: Around) -> Marks:
    """An address goes on behind it: "tours@…"."""
    return _shows(names.gap_after(), LINKED) & ~_shows(names.gap_after(), SPACE)


# --- what stands before and after


def after_at(names: Around) -> Marks:
    """After "à", or an "a" that opens a French sentence or text; "au Mans" too."""
    at, is_there = names.place_before(1)
    is_at: Marks = names.read.written[at] == np.uint64(word_hash("à"))
    is_first = names.read.is_capital[at] | _shows(names.read.before[at], BREAK)
    is_at |= _has(names.sets[at], "a") & is_first & ~names.is_english
    return (is_there & is_at) | names.own.is_at


def on_an_island(names: Around) -> Marks:
    """After "à" or "à la", a department that is an island."""
    is_at = after_at(names) | (_has(names.before(1), "le") & _has(names.before(2), "a"))
    return is_at & names.own.is_island


def after_bare_a(names: Around) -> Marks:
    """After an "a" that may be "à" without its accent, or the verb."""
    return _has(names.before(1), "a") & ~after_at(names) & ~names.is_english


def after_place_word(names: Around) -> Marks:
    """After "vers", "depuis", "entre"."""
    return _has(names.before(1), "places")


def after_english_place_word(names: Around) -> Marks:
    """After "in", "from", "to" in an English text."""
    return _has(names.before(1), "english_places") & names.is_english


def _of(names: Around, steps: int, *lists: str) -> Marks:
    """Whether "de" or "du" stands so many words before, and a word of these lists before it."""
    return _has(names.before(steps), "de", "du", "of") & _has(names.before(steps + 1), *lists)


def of_a_town(names: Around) -> Marks:
    """After "maire de", "gare de" and their like."""
    is_of = names.own.is_of & _has(names.before(1), "of_a_town")
    return is_of | (_of(names, 1, "of_a_town") & ~_has(names.before(1), "du"))


def of_an_area(names: Around) -> Marks:
    """After "préfet de", "conseil départemental de la", "région"."""
    has_article = _has(names.before(1), "le") & _of(names, 2, "of_an_area")
    is_called = _has(names.before(1), "a kind of area")
    return has_article | _of(names, 1, "of_an_area") | is_called


def of_a_department(names: Around) -> Marks:
    """ "les gars du 59", "département 06"; and the one number that needs nobody: "le 93"."""
    before = names.before(1)
    is_93: Marks = names.read.hashes[names.first] == np.uint64(word_hash("93"))
    is_theirs = _has(before, "du") & _has(names.before(2), "of_a_number", "of_an_area")
    return is_theirs | _has(before, "a kind of area") | (is_93 & _has(before, "with le"))


def after_de(names: Around) -> Marks:
    """After "de", with nothing telling before it."""
    return (_has(names.before(1), "de") | names.own.is_of) & ~of_a_town(names)


def after_en(names: Around) -> Marks:
    """After "en"."""
    return _has(names.before(1), "en")


def after_dans_le(names: Around) -> Marks:
    """After "dans le", "dans la", "dans l'"."""
    return _has(names.before(1), "le") & _has(names.before(2), "dans")


def in_a_department(names: Around) -> Marks:
    """After "dans le", not "dans les": "dans le 37"."""
    at, is_there = names.place_before(1)
    is_le: Marks = names.read.hashes[at] == np.uint64(word_hash("le"))
    return is_there & is_le & _has(names.before(2), "dans")


def own_article(names: Around) -> Marks:
    """After the article that the area has: "la Creuse", "du Lot"."""
    is_own: Marks = (names.before(1) & names.own.article) != 0
    return is_own


def determiner(names: Around) -> Marks:
    """After an article or a determiner, which no town has."""
    is_one = _has(names.before(1), "determiners")
    is_one |= _has(names.before(1), "a") & names.is_english
    return is_one & ~own_article(names) & ~paired(names)


def street(names: Around) -> Marks:
    """A street, a square or a station is called by it."""
    with_article = _has(names.before(1), "le") & _of(names, 2, "streets")
    return with_article | _of(names, 1, "streets") | _has(names.before(1), "streets")


def product(names: Around) -> Marks:
    """Something to eat or to buy is called by it."""
    return _of(names, 1, "products")


def title(names: Around) -> Marks:
    """After "Mme", or "M.", whose full stop ends no sentence."""
    at, is_there = names.place_before(1, is_linked=False)
    is_short: Marks = names.read.ends[at] - names.read.starts[at] <= 2
    is_stopped = is_short & _only(names.gap_before(), SPACE, STOP) & names.read.is_capital[at]
    is_near = _is(names.gap_before(), SPACE) | is_stopped
    return is_there & is_near & _has(names.sets[at], "titles") & ~_is_small(names)


def after_forename(names: Around) -> Marks:
    """Behind a first name."""
    at, is_there = names.place_before(1)
    is_name = _has(names.sets[at], "forenames") & names.read.is_capital[at]
    return is_there & is_name & _is(names.gap_before(), SPACE) & ~_is_small(names)


def of_forename(names: Around) -> Marks:
    """Behind a first name and "de": "François de Roubaix"."""
    at, is_there = names.place_before(2)
    is_name = _has(names.sets[at], "forenames") & names.read.is_capital[at]
    return is_there & is_name & _has(names.before(1), "de")


_TELLING = (
    "civic", "of_a_town", "places", "english_places", "titles", "forenames", "determiners",
    "french", "english", "streets", "products", "clubs_before",
)  # fmt: skip


def _after_unknown(names: Around) -> tuple[Marks, Marks]:
    """Whether an unknown word with a capital stands before, and whether it opens its sentence."""
    at, is_there = names.place_before(1)
    opens = _shows(names.read.before[at], STOP, BREAK, LINKED, QUOTE, COLON)
    is_name = names.read.is_capital[at] & ~names.read.is_shouted[at]
    is_name &= ~_has(names.sets[at], *_TELLING) & ~_ends(names, 1)
    return is_there & is_name & _is(names.gap_before(), SPACE) & ~_is_small(names), opens


def behind_capital(names: Around) -> Marks:
    """Behind another capital inside a sentence."""
    is_behind, opens = _after_unknown(names)
    return is_behind & ~opens


def behind_opening(names: Around) -> Marks:
    """Behind a capital that opens a sentence, and may be a noun."""
    is_behind, opens = _after_unknown(names)
    return is_behind & opens


def before_capital(names: Around) -> Marks:
    """Before another capital, which is no quarter, arrondissement or public service."""
    at, is_there = names.place_after(1)
    is_name = names.read.is_capital[at] & ~names.read.is_shouted[at] & ~_starts(names, 1)
    is_name &= ~_has(names.sets[at], "civic", "quarter", "ordinals", "french", "clubs_after")
    return is_there & is_name & _is(names.gap_after(), SPACE) & ~_is_small(names)


def club(names: Around) -> Marks:
    """A club's name holds it: "RC Lens", "Tours FC", "Stade de Reims"."""
    at, is_there = names.place_after(1)
    is_after = is_there & names.read.is_capital[at] & _has(names.sets[at], "clubs_after")
    is_of = _has(names.before(1), "de") & _after_club_word(names, 2)
    return is_after | is_of | _after_club_word(names, 1)


def _after_club_word(names: Around, steps: int) -> Marks:
    at, is_there = names.place_before(steps)
    is_long: Marks = names.read.ends[at] - names.read.starts[at] > 3
    is_name = names.read.is_shouted[at] | (names.read.is_capital[at] & is_long)
    return is_there & is_name & _has(names.sets[at], "clubs_before")


def of_a_club(names: Around) -> Marks:
    """After "but de", "supporters de": a club is called by its town."""
    return _of(names, 1, "of_a_club")


def paired(names: Around) -> Marks:
    """A dash joins it to another name: a match, or the two ends of a line."""
    left, right = (
        _only(gap, SPACE, HYPHEN, DASH) & _shows(gap, HYPHEN, DASH)
        for gap in (names.gap_before(), names.gap_after())
    )
    return (left & _ends(names, 1)) | (right & _starts(names, 1))


def journey(names: Around) -> Marks:
    """So joined, near a train or a road."""
    return paired(names) & names.near(FAR, "travel")


def headline(names: Around) -> Marks:
    """A colon follows."""
    return _shows(names.gap_after(), COLON)


def in_brackets(names: Around) -> Marks:
    """It stands alone in brackets."""
    is_closed = _shows(names.gap_after(), CLOSING)
    return _shows(names.gap_before(), PAREN) & is_closed & ~_is_small(names)


def listed(names: Around) -> Marks:
    """Only a comma, "et", "ou" or "à" stands between it and another name."""
    left = _ends(names, 1) & _shows(names.gap_before(), COMMA)
    right = _starts(names, 1) & _shows(names.gap_after(), COMMA)
    left |= _ends(names, 2) & _has(names.before(1), "and")
    return left | right | (_starts(names, 2) & _has(names.after(1), "and"))


def _ends(names: Around, steps: int) -> Marks:
    """Whether another name ends so many words before, in the same text."""
    at, is_there = names.place_before(steps, is_linked=False)
    return is_there & names.ends_at[at]


def _starts(names: Around, steps: int) -> Marks:
    """Whether another name starts so many words after, in the same text."""
    at, is_there = names.place_after(steps, is_linked=False)
    return is_there & names.starts_at[at]


def counted(names: Around) -> Marks:
    """A number of days, hours or things, or a part of a longer one: "le 37 mars", "38,7"."""
    before, is_before = names.place_before(1, is_linked=False)
    after, is_after = names.place_after(1, is_linked=False)
    within = (SPACE, COMMA, STOP, SLASH)
    is_part = is_after & names.read.is_digits[after] & np.isin(names.gap_after(), within)
    is_part |= is_before & names.read.is_digits[before] & np.isin(names.gap_before(), within)
    return _has(names.after(1), "units") | is_part


def goes_on(names: Around) -> Marks:
    """A word for "here" goes on: "la ville de demain", "la région PACA"."""
    at, is_there = names.place_after(1)
    return is_there & (_has(names.sets[at], "not_here") | names.read.is_capital[at])


# --- what stands near


def near_civic(names: Around) -> Marks:
    """Near a word of public life."""
    return names.near(NEAR, "civic")


def among_civic(names: Around) -> Marks:
    """Near three words of public life or more."""
    return names.near(NEAR, "civic", least=3)


def after_civic(names: Around) -> Marks:
    """Small letters right behind a word of public life: "la mairie lyonnaise"."""
    return _has(names.before(1), "civic", "of_a_town") & _is_small(names)


def near_sport(names: Around) -> Marks:
    """Near a word of sport."""
    return names.near(FAR, "sport")


def near_score(names: Around) -> Marks:
    """Near the result of a match."""
    return names.near(FAR, "score")


def near_country(names: Around) -> Marks:
    """A name that a place abroad bears too, near a word of far away."""
    is_borne: Marks = names.own.far > 0
    return is_borne & names.near(FAR, "countries", "far_words")


def beside_country(names: Around) -> Marks:
    """ "Mons, en Belgique", "Paris, Texas", "Lens (Suisse)", "Saint-Louis du Sénégal"."""
    first, second, third = (_following(names, steps) for steps in (1, 2, 3))
    is_apart = _shows(names.gap_after(), COMMA, PAREN)
    is_in = _has(first, "en", "dans", "with le", "with les", "with l'")
    found = (is_apart & _has(first, "countries")) | (is_in & _has(second, "countries"))
    return found | (is_in & _has(second, "le") & _has(third, "countries"))


def _following(names: Around, steps: int) -> Sets:
    """The lists of the word so many after a name, whatever stands between."""
    at, is_there = names.place_after(steps, is_linked=False)
    return np.where(is_there, names.sets[at], np.uint64(0))


def near_water(names: Around) -> Marks:
    """One word near water, boats or banks."""
    return names.near(NEAR, "water") & ~several_words(names)


def opens_english(names: Around) -> Marks:
    """A word of English that opens a sentence of an English text."""
    return names.own.is_english & _opens(names) & names.is_english


def english_topic(names: Around) -> Marks:
    """The same before "is" or "was": the sentence is about it."""
    return opens_english(names) & _has(names.after(1), "english_verbs")
