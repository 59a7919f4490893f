import pytest

from models.text import READ_LIMIT, SEPARATOR, prepare


def read(text: str, lang: str | None = "fr") -> str:
    return " ".join(prepare([text], lang=lang)[0].split())


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Voir https://exemple.fr/page?id=3, merci", "voir ‹lien› merci"),
        ("Bonjour @jeanne_d@mastodon.exemple et @luc", "bonjour ‹nom› et ‹nom›"),
        ("Écrire à jeanne@exemple.fr", "écrire à ‹adresse›"),
        ("RT @luc: la piscine ferme", "‹nom› : le piscine ferme"),
        ("#StopGreveSNCF #non_merci", "stop greve sncf non merci"),
        ("c’est NUUUUL !!!!!", "c'est nuul !!"),
        ("Quelle honte 😡", "quel honte 😡 ‹colère›"),
        ("Merci ❤️ 👏🏽", "merci ❤ ‹amour› 👏 ‹accord›"),
        ("d'accord :-) <3", "d'accord ‹joie› ‹amour›"),
        ("dommage :(", "dommage ‹tristesse›"),
        ("bcp de monde, jsp pk", "beaucoup de monde, je sais pas pourquoi"),
        ("ptn jsuis vnr, c ouf", "putain je suis énervé, c'est fou"),
        ("Mme la maire de Lyon", "m le maire de ‹lieu›"),
        ("Rendez-vous à 10:30 (salle 8)", "rendez-vous à 10:30 (salle 8)"),
        ("", ""),
    ],
)
def test_a_text_is_read_as_its_writer_meant_it(text: str, seen: str) -> None:
    assert read(text) == seen


def test_social_spelling_is_that_of_the_language() -> None:
    assert read("thx u", "en") == "thanks you"
    assert read("bcp", "en") == "bcp"
    assert read("thx", None) == "thx"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Bravo à LFI !", "Bravo à FN !"),
        ("Quelle honte, Mélenchon", "Quelle honte, Le Pen"),
        ("un élu de gauche", "un élu de droite"),
        ("le Rassemblement national", "le parti communiste"),
        ("la fête des musulmans", "la fête des chrétiens"),
        ("thank you Biden", "thank you Trump"),
        ("Mohamed habite Trappes", "Pierre habite Versailles"),
        ("des voisins algériens", "des voisins portugais"),
        ("elle est très satisfaite", "il est très satisfait"),
        ("un couple gay", "un couple hétéro"),
        ("j'attends un courriel", "j'attends un mail"),
    ],
)
def test_both_sides_of_an_axis_read_alike(left: str, right: str) -> None:
    assert read(left) == read(right)


def test_texts_do_not_run_into_one_another() -> None:
    texts = ["fin #", "Stop", "https://a.fr", f"a{SEPARATOR}b", "", "@", "x :-"]
    alone = [prepare([text], lang="fr")[0] for text in texts]
    assert prepare(texts, lang="fr") == alone
    assert len(alone) == len(texts)
    assert prepare([], lang="fr") == []


def test_a_long_text_is_cut() -> None:
    assert len(prepare(["mot " * READ_LIMIT], lang="fr")[0]) == READ_LIMIT


def test_hostile_text_takes_no_time() -> None:
    assert prepare(["@" * 50_000, "a." * 50_000, "#" * 50_000, ":" * 50_000], lang="fr")
