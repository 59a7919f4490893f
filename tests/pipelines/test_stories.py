"""Stories: what messages are about, told in their own words."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from pipelines import asked, stories
from pipelines.brief import Answer, Message

START = datetime(2026, 11, 19, 9, tzinfo=UTC)
BACKGROUND = [f"bus en retard ce matin arrêt {n} et marché place des Halles" for n in range(400)]


def _message(
    text: str,
    number: int,
    *,
    count: int = 1,
    sentiment: str | None = "neutral",
    topics: tuple[str, ...] = (),
    title: str | None = None,
    relay_id: str | None = None,
    network: str = "mastodon",
) -> Message:
    at = START + timedelta(minutes=number)
    return Message(
        mention_id=f"{number:032x}",
        text_hash=f"h{number}",
        text=text,
        title=title,
        url=f"https://{network}.example/{number}",
        network=network,
        origin=network,
        relay_id=relay_id,
        first_at=at,
        count=count,
        sentiment=sentiment,
        topics=topics,
        hours={at.replace(minute=0): count},
        origins={network: count},
        mention_ids=(f"{number:032x}",),
    )


PLACES = ("rue Pasteur", "gare", "parc", "école", "stade", "halles", "pont", "quai", "tour", "lac")


def _told(sentences: list[str], **more: object) -> list[Message]:
    return [_message(text, n, **more) for n, text in enumerate(sentences)]  # type: ignore[arg-type]


def _stories(messages: list[Message], background: list[str] = BACKGROUND) -> tuple[str, ...]:
    found = stories.stories(stories.bundles(messages), background)
    return tuple(story.headline for story in found)


def test_messages_that_share_unusual_words_are_one_story() -> None:
    fire = [f"Gros incendie près {place}, les flammes se voient de loin" for place in PLACES]
    rest = [f"bus en retard ce matin arrêt {n} encore" for n in range(60)]
    found = stories.stories(stories.bundles(_told(fire + rest)), BACKGROUND)
    assert len(found) == 1
    assert found[0].mention_count == 10
    assert "incendie" in found[0].terms
    assert "incendie" in found[0].headline


def test_a_day_like_the_others_has_no_story() -> None:
    assert _stories(_told(BACKGROUND[:80])) == ()


def test_a_span_without_a_past_compares_its_days_with_each_other() -> None:
    """What is said every day of it names no story; what is said on one day does."""
    usual = [f"bus en retard ce matin arrêt {n} et marché place des Halles" for n in range(280)]
    fire = [f"Gros incendie près {place}, les flammes se voient de loin" for place in PLACES]
    days = [_message(text, n * 24 * 60 // 40) for n, text in enumerate(usual)]  # 40 a day
    days += [_message(text, 3 * 24 * 60 + n) for n, text in enumerate(fire)]
    found = stories.stories(stories.bundles(days), [])
    assert [story.mention_count for story in found] == [10]
    assert "incendie" in found[0].terms


def test_a_day_of_25_hours_is_one_day() -> None:
    hours = [_message(f"bus en retard arrêt {n} encore", n * 25 * 60 // 99) for n in range(100)]
    found = stories.bundles(hours)
    words = [stories.terms(bundle.lead.text) for bundle in found]
    assert [day.total for day in stories._by_day(found, words)] == [len(found)]


def test_a_text_copied_five_times_is_a_story_by_itself() -> None:
    text = "Le vieux pont sera démonté pierre par pierre dit-on ce soir au conseil"
    assert _stories([_message(text, 1, count=5)]) == (text,)
    assert _stories([_message(text, 1, count=4)]) == ()


def test_a_copied_text_and_its_longer_form_are_one_story() -> None:
    text = "Le vieux pont de pierre sera démonté au printemps dit une note du conseil municipal"
    longer = f"{text} et nous demandons tous ensemble une réunion publique avant la fin du mois svp"
    found = stories.stories(
        stories.bundles([_message(text, 1, count=40), _message(longer, 2, count=9)]), BACKGROUND
    )
    assert [(story.mention_count, story.text_count) for story in found] == [(49, 2)]


def test_civil_security_comes_before_a_louder_story() -> None:
    loud = _message("Concert complet au stade, billets en vente lundi prochain", 1, count=20)
    fire = _message(
        "Fumée noire au-dessus de l’usine du quai, odeur forte", 2, count=15, topics=("T20",)
    )
    assert _stories([loud, fire])[0].startswith("Fumée noire")


def test_there_are_three_stories_at_most() -> None:
    texts = (
        "alpha un deux trois",
        "bravo des chats roux",
        "charlie le vélo vert",
        "delta à la mer",
    )
    many = [_message(f"{text} dans le parc municipal", n, count=9) for n, text in enumerate(texts)]
    assert len(_stories(many)) == 3


def test_the_headline_of_a_reported_story_is_the_relays_title() -> None:
    texts = [f"Gros incendie près {place}, flammes visibles" for place in PLACES]
    reported = _message(
        "Un incendie s’est déclaré.", 50, title="Incendie : le point à midi", relay_id="echo"
    )
    assert _stories([*_told(texts), reported]) == ("Incendie : le point à midi",)


def test_a_headline_ends_at_a_sentence_or_a_word() -> None:
    long = _message("mot " * 80, 1)
    assert len(stories.headline(long)) <= 120
    assert stories.headline(long).endswith("mot…")
    two = _message("Une première phrase assez longue pour un titre. Une seconde.", 1)
    assert stories.headline(two) == "Une première phrase assez longue pour un titre."


def test_a_headline_leaves_out_whom_a_message_answers_or_repeats() -> None:
    answer = _message("RT @relais: @ville @tram le pont est fermé depuis ce matin à huit heures", 1)
    assert stories.headline(answer) == "le pont est fermé depuis ce matin à huit heures"
    assert stories.headline(_message("@ville @tram", 2)) == "@ville @tram"


def test_the_headline_is_the_message_that_says_most_of_what_all_say() -> None:
    fire = [f"Gros incendie près {place}, flammes visibles de loin" for place in PLACES]
    aside = "Incendie : je pense surtout à mes cousins, à leur chien, au piano et aux albums photo"
    assert _stories(_told([aside, *fire]))[0].startswith("Gros incendie")


def test_a_word_half_as_frequent_again_names_a_story_only_if_it_is_sure() -> None:
    before = ["encore une panne du tram"] * 30 + ["rien à dire"] * 970

    def named(broken: int, day: int, usual: int) -> bool:
        today = ["panne du tram"] * broken + ["rien à dire"] * (day - broken)
        found = stories._seeds(
            [stories._counted(today, ())], stories._counted(before * usual, ("tram",))
        )
        return "panne" in found

    assert named(60, 1_000, 10)  # 6 % beside 3 %
    assert not named(6, 100, 10)  # the same share of few texts
    assert not named(6, 100, 1)
    assert not named(40, 1_000, 10)  # a third more is as usual


@pytest.mark.parametrize(
    "hostile",
    [
        "@a " * 33_000,
        "RT " * 33_000,
        "RT @a " * 16_000,
        "- " * 50_000,
        "@" * 100_000,
        ". " * 50_000,
    ],
)
def test_a_headline_of_a_hostile_text_takes_a_time_that_grows_with_its_length(hostile: str) -> None:
    begun = time.process_time()
    stories.headline(_message(hostile, 1))
    assert time.process_time() - begun < 2


@given(st.text(max_size=400))
@settings(max_examples=200)
def test_a_headline_is_always_part_of_its_message(text: str) -> None:
    made = stories.headline(_message(text, 1)).removesuffix("…")
    assert made in " ".join(stories._LINK.sub(" ", text).split())


@pytest.mark.parametrize(
    ("text", "topics", "sentiment", "kinds"),
    [
        ("Fumée noire au-dessus de l’usine, {}", ("T20",), "neutral", ["crisis"]),
        ("Rassemblement samedi devant la préfecture, {}", (), "neutral", ["gathering"]),
        ("Quand rouvre la passerelle du canal {} ?", (), "neutral", ["request"]),
        ("Passerelle du canal fermée, quelle honte {}", (), "negative", ["complaint"]),
        ("Passerelle du canal repeinte en bleu {}", (), "positive", []),
    ],
)
def test_the_procedure_follows_from_the_signs(
    text: str, topics: tuple[str, ...], sentiment: str, kinds: list[str]
) -> None:
    told = _told([text.format(p) for p in PLACES], topics=topics, sentiment=sentiment)
    (story,) = stories.stories(stories.bundles(told), BACKGROUND)
    assert [action.kind for action in story.actions] == kinds


def test_a_claim_needs_signs_and_copies_and_is_never_a_relays_report() -> None:
    text = "Il paraît que la passerelle va être vendue en secret à un casino"
    many = _message(text, 1, count=6)
    few = _message(f"{text} étranger dit mon oncle qui sait tout et bien plus encore", 2, count=2)
    relay = _message(
        f"Le journal : {text} selon plusieurs agents de la ville", 3, count=9, relay_id="echo"
    )
    found = stories.claims(stories.bundles([many, few, relay]), ())
    assert [claim.said.message.mention_id for claim in found] == [many.mention_id]


WATER = "L'eau du robinet est trouble à Sainte-Aude, on nous cache quelque chose"


@pytest.mark.parametrize(
    "again",
    [f"Pour info, {WATER}", f"{WATER}. Partagez.", f"Ma voisine me dit que {WATER.lower()}"],
)
def test_a_claim_with_other_words_before_or_after_is_listed_once(again: str) -> None:
    told = [_message(WATER, 1, count=9), _message(again, 2, count=6)]
    (found,) = stories.claims(stories.bundles(told), ())
    assert (found.said.message.text, found.said.copy_count) == (WATER, 14)


def test_a_few_words_that_many_claims_hold_are_none_of_them() -> None:
    texts = (WATER, "on nous cache quelque chose", f"Il paraît que le pont ferme, {WATER[-29:]}")
    told = [_message(text, n, count=9 - n) for n, text in enumerate(texts)]
    found = stories.claims(stories.bundles(told), ())
    assert [claim.said.copy_count for claim in found] == [8, 7, 6]


def test_claims_that_are_joined_are_ordered_by_the_copies_of_all() -> None:
    casino = "Il paraît que la passerelle va être vendue à un casino, on nous cache tout"
    told = [_message(casino, 1, count=10), _message(WATER, 2, count=8)]
    told.append(_message(f"{WATER}. Partagez.", 3, count=7))
    found = stories.claims(stories.bundles(told), ())
    assert [claim.said.message.text for claim in found] == [WATER, casino]


def test_a_hundred_long_claims_are_compared_at_once() -> None:
    """Each text is read once, not once for each other: that took half a minute."""
    words = [" ".join(f"mot{n}x{word}" for word in range(600)) for n in range(100)]
    told = [_message(f"On nous cache tout {text}", n, count=5) for n, text in enumerate(words)]
    bundles = [stories.Bundle(messages=(each,), count=5) for each in told]
    begun = time.process_time()
    assert len(stories._once(bundles)) == 100
    assert time.process_time() - begun < 5


def test_what_nobody_else_says_makes_no_text_typical_however_unusual() -> None:
    told = [_message(text, n) for n, text in enumerate(
        ("Incendie zeppelin", "Incendie fumée", "Incendie fumée dense"))]  # fmt: skip
    found = stories._typical(stories.bundles(told), ["incendie", "zeppelin"])
    assert [bundle.lead.text for bundle in found][-1] == "Incendie zeppelin"


def test_the_examples_of_a_story_differ_by_more_than_a_greeting() -> None:
    told = [_message(WATER, 1, count=9), _message(f"Bonjour, {WATER}", 2, count=6)]
    (story,) = stories.stories(stories.bundles(told), BACKGROUND)
    assert (story.mention_count, len(story.examples)) == (15, 1)


def test_a_claim_and_its_denial_are_two_examples() -> None:
    told = [_message(WATER, 1, count=9), _message(f"C'est faux : {WATER}", 2, count=6)]
    (story,) = stories.stories(stories.bundles(told), BACKGROUND)
    assert [each.message.count for each in story.examples] == [9, 6]


def test_what_people_put_around_a_message_names_no_story() -> None:
    assert stories.terms("Petit message : concert au stade. À suivre.") == {"concert", "stade"}


@pytest.mark.parametrize(("usual_count", "story_count"), [(0, 1), (5, 0)])
def test_one_word_alone_names_a_story_only_where_it_is_very_unusual(
    usual_count: int, story_count: int
) -> None:
    gate = [f"Le portail {place}" for place in PLACES[:8]]
    past = [*BACKGROUND, *gate[:usual_count]]
    assert len(_stories(_told([*gate, *BACKGROUND[:80]]), past)) == story_count


def test_the_answer_on_file_takes_up_the_claims_words() -> None:
    claim = _message("Il paraît que la passerelle du canal va être vendue à un casino", 1, count=6)
    posts = [
        Answer(mention_id="a", url=None, text="Agenda du marché", published_at=START),
        Answer(
            mention_id="b",
            url=None,
            text="Non, la passerelle du canal n’est pas vendue et il n’y aura pas de casino.",
            published_at=START + timedelta(hours=2),
        ),
    ]
    (found,) = stories.claims(stories.bundles([claim]), posts)
    assert found.answer is not None
    assert found.answer.mention_id == "b"
    assert stories.claims(stories.bundles([claim]), posts[:1])[0].answer is None


def test_a_question_asked_three_times_in_the_same_words_is_a_request() -> None:
    texts = [
        "À quelle heure ouvre la piscine pendant les vacances ?",
        "La piscine est-elle ouverte pendant les vacances de Noël ?",
        "Vacances : la piscine ouvre quand ?",
        "Où se garer près du stade ?",
    ]
    (found,) = asked.asked(stories.bundles(_told(texts)))
    assert found.mention_count == 3
    assert set(found.terms) == {"piscine", "vacances"}


def test_without_messages_there_is_nothing_to_tell() -> None:
    assert stories.stories([], []) == ()
    assert stories.claims([], []) == ()
    assert asked.asked([]) == ()


def test_a_story_told_in_other_words_is_one_story() -> None:
    fire = [f"Gros incendie dans la forêt près {place}, flammes visibles" for place in PLACES]
    blaze = [f"La forêt brûle près {place}, les pompiers luttent contre le feu" for place in PLACES]
    found = stories.bundles(_told(fire + blaze))
    apart = stories.grouped(found, BACKGROUND, by_meaning=False)
    assert len(apart) == 2
    (story, *_) = stories.stories(found, BACKGROUND)
    assert story.mention_count == 20


def test_two_matters_of_a_day_stay_two_stories() -> None:
    fire = [f"Gros incendie dans la forêt près {place}, flammes visibles" for place in PLACES]
    piano = [f"Récital de piano annulé au conservatoire, {place} remboursé" for place in PLACES]
    found = stories.stories(stories.bundles(_told(fire + piano)), BACKGROUND)
    assert sorted(story.mention_count for story in found) == [10, 10]
