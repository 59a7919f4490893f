"""Which watched subjects a text names: names, handles, hashtags, and town names that mislead."""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import Any

import pytest

from pipelines import query_match
from pipelines.errors import QueryError
from pipelines.query_terms import Allowed
from pipelines.settings import Institution, Relay, Subject
from pipelines.subjects import Matcher, matcher, wanted

TOWN_WORDS = (
    "mairie", "maire", "ville", "quartier", "tram", "tramway", "bus", "gare", "poubelle", "école",
    "hôpital", "habitant", "rue", "travaux", "préfecture", "police municipale", "aéroport",
    "centre-ville", "piscine", "cantine", "mayor", "city council", "airport", "town hall",
)  # fmt: skip


def town(name: str, *exclude: str) -> Subject:
    return Subject(
        id=name.lower(),
        label=name,
        purpose=f"répondre aux habitants de {name}",
        ambiguous=(name,),
        context=TOWN_WORDS,
        exclude=exclude,
    )


def institution(**changes: object) -> Institution:
    values = {"id": "metropole", "name": "Métropole de l'Azur", "kind": "autre"}
    return Institution(**(values | {"legal_basis": "délibération"} | changes))


@pytest.fixture(scope="module")
def towns() -> Matcher:
    return matcher(
        (
            town("Nice", "OGC", "OGC Nice", "Nice-Matin", "Ligue 1", "match"),
            town("Tours", "Tours FC", "Joué-lès-Tours", "tours de scrutin"),
            town("Sens", "Sens commun", "sens unique", "sens interdit", "sens de circulation"),
            town("Lens", "RC Lens", "Racing", "Ligue 1", "match", "objectif"),
            town("Brest", "Stade brestois", "Biélorussie", "Brest-Litovsk", "match"),
        ),
        institution(),
    )


# Written for this test; "" when the sentence names no town that is watched.
LABELLED = [
    ("Les poubelles débordent à Nice depuis lundi.", "nice"),
    ("Le maire de Nice annonce des travaux sur la Prom.", "nice"),
    ("NICE : LA LIGNE 2 DU TRAM EST ENCORE EN PANNE", "nice"),
    ("la mairie de nice répond jamais au téléphone", "nice"),
    ("j'habite à nice et la rue est dans le noir", "nice"),
    ("rdv a nice demain devant la mairie pour la cantine", "nice"),
    ("Encore un quartier sans eau. Nice, réveille-toi !", "nice"),
    ("L’hôpital de Nice cherche des infirmières", "nice"),
    ("Travaux sans fin, merci la ville de Nice…", "nice"),
    ("Entre Cannes et Nice, l’aéroport est saturé", "nice"),
    ("The mayor of Nice said the tram would be late.", "nice"),
    ("We landed at Nice airport and waited two hours", "nice"),
    ("Nice-Lyon en bus : quatre heures de retard à la gare", "nice"),
    ("Nice-Matin le raconte : à Nice, le tram déraille", "nice"),
    ("L'OGC Nice reçoit Lens dimanche près de la gare", ""),  # taken for the town of Lens
    ("Match de Ligue 1 : Nice s'impose, la ville en fête", ""),
    ("What a nice tram, so clean and quiet", ""),
    ("Have a nice day from the mayor's office, mairie du 5e", ""),
    ("Nice work on the new bus lanes, mayor!", ""),
    ("Nice to see a clean street in this city council", ""),
    ("nice, le bus est enfin à l'heure", ""),
    ("trop nice la nouvelle piscine", ""),
    ("C'est nice de voir la mairie répondre", ""),
    ("The bus driver was really nice", ""),
    ("A Nice biscuit with tea near the town hall, what is better", ""),
    ("Selon Nice-Matin, un quartier de Cannes est privé d'eau", ""),
    ("Bonne journée à Nice", ""),
    ("La mairie de Tours ferme la piscine municipale.", "tours"),
    ("À Tours, le tramway est bloqué par un accident", "tours"),
    ("TOURS : DES HABITANTS EN COLÈRE", "tours"),
    ("la gare de tours est une honte", "tours"),
    ("CHU de Tours : l'hôpital manque de lits", "tours"),
    ("De Tours à Blois, plus un seul bus le dimanche", "tours"),
    ("Les tours du quartier vont être détruites", ""),
    ("Il a fait trois tours de la ville à vélo", ""),
    ("Deux tours de scrutin pour élire le maire", ""),
    ("La police municipale joue des tours aux habitants", ""),
    ("La mairie de Joué-lès-Tours ouvre une école", ""),
    ("LES TOURS DU QUARTIER SERONT RASÉES", ""),
    ("Guided tours of the town hall every day", ""),
    ("Le quartier des Tours Aillaud, une école à refaire", ""),
    ("La sous-préfecture de Sens est débordée, dit le maire", "sens"),
    ("À Sens, les habitants réclament un médecin", "sens"),
    ("Sens : le maire augmente la cantine", "sens"),
    ("La rue est en sens unique depuis hier", ""),
    ("Le sens de ces travaux m'échappe", ""),
    ("Ça n'a aucun sens, monsieur le maire", ""),
    ("Bon sens paysan contre la mairie", ""),
    ("Je sens que la rue va être fermée", ""),
    ("Changement de sens de circulation dans le quartier", ""),
    ("Le président de Sens commun à la mairie", ""),
    ("Des décisions de la ville qui n'ont plus de sens", ""),
    ("À Lens, la gare est fermée pour travaux", "lens"),
    ("L'hôpital de Lens recrute", "lens"),
    ("le bus entre arras et lens est supprimé à la gare", "lens"),  # missed
    ("habitant de lens, je trouve la ville sale", "lens"),
    ("RC Lens : le parcage sera près de la gare", ""),
    ("The lens of my camera broke in the bus", ""),
    ("Canon lens for sale, pick up at the airport", ""),
    ("Le maire de Loison-sous-Lens démissionne", ""),
    ("Le tram de Brest prolongé jusqu'à l'hôpital", "brest"),
    ("À Brest, la rue de Siam est en travaux", "brest"),
    ("brest : la mairie veut fermer la piscine", "brest"),  # missed
    ("Paris-Brest en TGV, arrivée en gare avec deux heures de retard", "brest"),
    ("Un Paris-brest à la boulangerie de la rue", ""),
    ("Le traité de Brest-Litovsk, rue par rue", ""),
    ("Brest, en Biélorussie : la ville se vide", ""),
    ("Le Stade brestois rentre à Brest par la gare", ""),
    ("La mairie de Saint-Étienne n'a rien fait", ""),
    ("", ""),
]


def test_towns_whose_names_mislead_are_told_from_words(towns: Matcher) -> None:
    texts = [text for text, _ in LABELLED]
    found = towns.match(texts, [()] * len(texts), [()] * len(texts))
    rows = [(text, true, ids) for (text, true), ids in zip(LABELLED, found, strict=True)]

    right = sum(true in ids for _, true, ids in rows if true)
    told = sum(len(ids) for _, _, ids in rows)
    named = sum(bool(true) for _, true, _ in rows)
    wrong = [row for row in rows if row[2] != ((row[1],) if row[1] else ())]

    assert len(LABELLED) >= 60
    assert right / told >= 0.95, wrong
    assert right / named >= 0.93, wrong


def azur(**changes: object) -> Subject:
    values = {"id": "azur", "label": "Azur", "purpose": "répondre aux voyageurs"}
    return Subject(**(values | changes))


def match(subject: Subject, text: str, *, tags: tuple[str, ...] = (), handles: tuple[str, ...] = (),
          who: Institution | None = None) -> tuple[str, ...]:  # fmt: skip
    return matcher((subject,), who or institution()).match([text], [tags], [handles])[0]


@pytest.mark.parametrize(
    "text",
    [
        "Les Lignes d'Azur en grève",
        "les lignes d’azur en grève",
        "LIGNES D'AZUR",
        "Lignes-d'Azur",
        "lignes d azur",
        "le site des Lignes d'Azur.",
        "vu chez « Lignes d’Azur »",
        "#LignesDAzur",
        "#lignesdazur",
        "#GreveLignesDAzur",
        "https://exemple.fr/2026/lignes-d-azur-en-greve",
        "lígnes d'azür",
        "Lignes\u00a0d'Azur",
    ],
)
def test_a_name_is_found_whatever_its_accents_case_and_marks(text: str) -> None:
    assert match(azur(names=("Lignes d'Azur",)), text) == ("azur",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Saint-Étienne", "la gare de St Etienne"),
        ("Saint-Étienne", "la gare de st. étienne"),
        ("Sainte-Maxime", "le port de Ste-Maxime"),
        ("l'Haÿ-les-Roses", "les rues de L’Hay les Roses"),
        ("Œuvre municipale", "l’oeuvre municipale"),
        ("Cœur de ville", "coeur-de-ville"),
        ("Île d'Yeu", "qu'Ile d'Yeu"),
        ("Caisse d'allocations familiales", "La Caisse d’Allocations Familiales"),
        ("école", "l'école"),
        ("hôtel de ville", "aujourd'hui, l'hotel de ville"),
        ("CCAS", "le ccas ferme"),
        ("日本", "日本 est loin"),
    ],
)
def test_french_elision_saints_and_ligatures_are_folded(name: str, text: str) -> None:
    assert match(azur(names=(name,)), text) == ("azur",)


@pytest.mark.parametrize(
    "text",
    [
        "les lignes. D'azur et de gueules",
        "les lignes\nd'azur",
        "les lignesd'azur",
        "azur, lignes",
        "lignes du littoral d'azur",
    ],
)
def test_a_name_is_not_put_together_from_pieces(text: str) -> None:
    assert match(azur(names=("Lignes d'Azur",)), text) == ()


def test_handles_match_whole_from_text_and_from_the_source() -> None:
    subject = azur(handles=("@LignesdAzur", "azur@exemple.social"))

    assert match(subject, "merci @lignesdazur !") == ("azur",)
    assert match(subject, "merci @azur@exemple.social") == ("azur",)
    assert match(subject, "rien", handles=("Azur@exemple.social",)) == ("azur",)
    assert match(subject, "merci @lignesdazur_off, @azur@ailleurs.exemple, lignesdazur") == ()
    assert match(subject, "merci @lіgnesdazur") == ()  # a Cyrillic і


def test_hashtags_match_whole_from_text_and_from_the_source() -> None:
    subject = azur(hashtags=("#TramAzur", "ligne2"))

    assert match(subject, "panne #tramazur") == ("azur",)
    assert match(subject, "panne", tags=("Ligne2",)) == ("azur",)
    assert match(subject, "panne ＃ＴｒａｍＡｚｕｒ") == ("azur",)
    assert match(subject, "tramazur #tramazur2 ligne2") == ()


def test_an_ambiguous_name_in_a_hashtag_needs_context_too(towns: Matcher) -> None:
    texts = ["Le tram encore en panne #Nice", "love #nice #photo", "#Nice06 le tram"]

    assert towns.match(texts, [()] * 3, [()] * 3) == [("nice",), (), ("nice",)]


def test_context_far_away_does_not_count() -> None:
    subject = town("Nice")
    text = "Nous étions à Nice. " + "mot " * 60 + "La mairie est loin."

    assert matcher((subject,), institution(), window=40).match([text], [()], [()]) == [()]
    assert matcher((subject,), institution(), window=80).match([text], [()], [()]) == [("nice",)]


def test_context_is_found_in_the_plural_and_the_singular() -> None:
    subject = azur(ambiguous=("Azur",), context=("poubelles", "école"))

    assert match(subject, "La poubelle déborde à Azur") == ("azur",)
    assert match(subject, "Les écoles d'Azur") == ("azur",)


def test_an_unambiguous_name_counts_even_beside_an_excluded_word() -> None:
    subject = azur(names=("Ville d'Azur",), ambiguous=("Azur",), exclude=("match",))

    assert match(subject, "La Ville d'Azur ferme la rue pour le match") == ("azur",)


def test_a_plain_name_inside_an_excluded_phrase_does_not_count() -> None:
    subject = azur(names=("Azur",), exclude=("FC Azur", "football"))

    assert match(subject, "Le FC Azur gagne, #FCAzur aussi") == ()
    assert match(subject, "Le FC Azur joue à Azur") == ("azur",)
    assert match(subject, "Du football à Azur") == ("azur",)


def test_ids_come_in_the_order_of_the_settings() -> None:
    both = (azur(names=("tram",)), azur(id="bus", names=("bus",)))
    found = matcher(both, institution()).match(["bus puis tram", "bus"], [(), ()], [(), ()])

    assert found == [("azur", "bus"), ("bus",)]


def test_the_institution_belongs_to_the_subject_that_bears_its_id() -> None:
    who = institution(id="azur", aliases=("MDA",), handles=("@metropole",))

    assert match(azur(), "La métropole de l’Azur décide", who=who) == ("azur",)
    assert match(azur(), "MDA encore", who=who) == ("azur",)
    assert match(azur(), "@Metropole bravo", who=who) == ("azur",)
    assert matcher((azur(),), who).institution_subject == "azur"


def test_else_the_institution_belongs_to_the_first_subject_that_names_it() -> None:
    who = institution(aliases=("Azur Métropole",), handles=("azur@exemple.social",))
    by_name = azur(names=("l’azur",))
    by_handle = azur(handles=("@Azur@exemple.social",))

    assert matcher((azur(id="bus"), by_name), who).institution_subject == "azur"
    assert match(by_handle, "Azur Métropole décide", who=who) == ("azur",)


def test_an_alias_that_a_subject_calls_ambiguous_stays_so() -> None:
    who = institution(id="azur", name="Azur")
    subject = azur(ambiguous=("Azur",), context=("mairie",))

    assert match(subject, "un ciel, Azur partout", who=who) == ()


def test_an_institution_that_no_subject_names_is_not_watched_and_that_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        made = matcher((azur(names=("tram",)),), institution())

    assert made.institution_subject is None
    assert made.match(["Métropole de l'Azur"], [()], [()]) == [()]
    assert "subjects.institution_unwatched institution=metropole" in caplog.text


def test_hostile_texts_name_nothing_and_break_nothing(towns: Matcher) -> None:
    texts = [
        "#" * 10_000, "@" * 10_000, "https://" * 5_000, "#Nice" * 5_000, "\ud800 #\ud800", "\x00",
        "N̸̡i̷c̶e̴ tram", "Νice tram", "-".join("a" * 10_000), "'" * 10_000, "1" * 100_000,
    ]  # fmt: skip

    found = towns.match(texts, [("\ud800", "")] * len(texts), [("", "@")] * len(texts))

    assert set(found) <= {(), ("nice",)}


@pytest.mark.parametrize("part", ["Nice tram ", "tram nice match ", "OGC Nice rue ", "#NiceTram "])
def test_a_long_text_that_repeats_a_name_costs_little(towns: Matcher, part: str) -> None:
    text = part * (100_000 // len(part))
    began = time.process_time()

    towns.match([text], [()], [()])

    assert time.process_time() - began < 2.0


def test_a_query_and_terms_are_either_enough() -> None:
    subject = azur(names=("Ville d'Azur",), query="(tram OR bus) NEAR/3 Azur")

    assert match(subject, "la Ville d'Azur ferme") == ("azur",)
    assert match(subject, "le tram d'Azur") == ("azur",)
    assert match(subject, "le tram") == ()


def test_the_version_changes_with_the_meaning_of_a_subject() -> None:
    def version(**changes: object) -> str:
        return matcher((azur(**changes),), institution()).watches[0].version

    first = version(query="tram AND Azur")
    assert first.startswith("azur@")
    assert version(query="tram\n  ET Azur") == first
    assert version(query="bus AND Azur") != first
    assert version(query="tram AND Azur", label="Autre") == first
    assert version(names=("Azur",)) != version(ambiguous=("Azur",), context=("tram",))


def test_what_was_found_names_the_versions_that_say_so() -> None:
    made = matcher((azur(query="tram"), azur(id="bus", query="bus OR tram")), institution())
    (found,) = made.find([query_match.document("le tram")])

    assert found.subject_ids == ("azur", "bus")
    assert found.versions == tuple(watch.version for watch in made.watches)


def test_a_language_is_asked_for_once_the_rest_fits() -> None:
    made = matcher((azur(query="tram AND lang:fr"),), institution())
    read = query_match.document("le tram")

    assert made.is_late
    assert made.may_name([read])[0].subject_ids == ("azur",)
    assert made.find([read])[0].subject_ids == ()
    assert made.find([dataclasses.replace(read, lang="fr")])[0].subject_ids == ("azur",)
    assert made.may_name([query_match.document("le bus")])[0].subject_ids == ()


def test_a_relay_may_be_asked_for_and_nobody_else() -> None:
    echo = Relay(id="echo", label="L'Écho", kind="media", handles=("@echo",))
    made = matcher((azur(query="author:@echo"),), institution(), (echo,))

    assert made.find([query_match.document("x", relay_id="echo")])[0].subject_ids == ("azur",)
    with pytest.raises(QueryError, match=r"GDPR art\. 9"):
        matcher((azur(query="author:@jean"),), institution(), (echo,))


@pytest.mark.parametrize(
    ("changes", "names", "hashtags"),
    [
        ({"names": ("Azur",), "hashtags": ("#Azur",)}, ("Azur",), ("#Azur",)),
        ({"query": '"tram d\'Azur" AND (panne OR retard)'}, ("tram d'Azur",), ()),
        ({"names": ("Azur",), "query": "#TramAzur OR tram"}, ("Azur", "tram"), ("#TramAzur",)),
    ],
)
def test_a_source_is_asked_for_the_words_of_a_query_too(
    changes: dict[str, Any], names: tuple[str, ...], hashtags: tuple[str, ...]
) -> None:
    found = wanted(azur(**changes), Allowed())

    assert (found.names, found.hashtags, found.is_whole) == (names, hashtags, True)


def test_a_query_without_words_is_told_as_not_whole() -> None:
    assert not wanted(azur(query="site:azur.example"), Allowed()).is_whole


# --- an ambiguous name whose place the text names


def placed(subject: Subject, text: str, *codes: str) -> bool:
    made = matcher((subject,), institution())
    read = dataclasses.replace(query_match.document(text), place_codes=codes)
    return bool(made.find([read])[0].subject_ids)


LENS = azur(
    ambiguous=("Lens",), context=("mairie",), exclude=("RC Lens", "mercato"),
    places=("commune:62498",),
)  # fmt: skip


def test_an_ambiguous_name_counts_where_the_text_names_its_place() -> None:
    assert placed(LENS, "Lens sous la neige", "commune:62498")
    assert not placed(LENS, "Lens sous la neige", "commune:29019")
    assert not placed(LENS, "Lens sous la neige")
    assert not placed(LENS, "Sous la neige", "commune:62498")


def test_what_is_excluded_is_excluded_there_too() -> None:
    assert not placed(LENS, "Mercato : Lens attend", "commune:62498")
    assert not placed(LENS, "Le RC Lens attend", "commune:62498")
    assert placed(LENS, "Le RC Lens quitte Lens", "commune:62498")


def test_a_place_holds_those_within_it() -> None:
    manche = azur(ambiguous=("Manche",), places=("departement:50",))
    assert placed(manche, "Un accident à Granville, Manche", "commune:50218")


def test_a_subject_without_places_keeps_its_version_and_reads_no_place() -> None:
    made = matcher((LENS.model_copy(update={"places": ()}),), institution())
    assert not made.is_late
    assert matcher((LENS,), institution()).is_late
