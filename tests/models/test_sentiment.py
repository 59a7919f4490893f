import numpy as np
import pytest

from models import sentiment
from models.calibrate import calibration_error, softmax, temperature

MODEL = sentiment.load()


def tone(text: str, lang: str | None = "fr") -> str:
    return MODEL.score([text], [lang]).labels[0]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Merci à toute l'équipe de la mairie, accueil au top !", "positive"),
        ("Bravo pour ce beau projet, ma ville est magnifique", "positive"),
        ("Quelle honte, trois heures d'attente et personne ne répond", "negative"),
        ("C'est inadmissible, le bus est encore en retard", "negative"),
        ("Pas content, vraiment pas normal", "negative"),
        ("aucune réponse de la mairie, pas sérieux", "negative"),
        ("Conseil municipal lundi à 18 h, ordre du jour en ligne", "neutral"),
        ("merci 😍👏", "positive"),
        ("la piscine fermée 😡😡", "negative"),
    ],
)
def test_french_tone(text: str, label: str) -> None:
    assert tone(text) == label


@pytest.mark.parametrize(
    ("plain", "negated"),
    [
        ("Je suis content de l'accueil", "Je ne suis pas du tout content de l'accueil"),
        ("Une décision utile", "Une décision pas utile"),
        ("C'est propre et bien entretenu", "Ce n'est jamais propre ni bien entretenu"),
        ("I am satisfied with the answer", "I am not satisfied with the answer"),
    ],
)
def test_a_negation_takes_tone_away(plain: str, negated: str) -> None:
    """Direction only: the linear head does not always turn the label round (see the card)."""
    lang = "en" if plain.startswith("I ") else "fr"
    found = MODEL.score([plain, negated], [lang, lang]).probabilities
    assert found[1, 2] < found[0, 2] - 0.05


@pytest.mark.parametrize(
    ("text", "lang", "label"),
    [
        ("Thank you so much, wonderful service!", "en", "positive"),
        ("This is a disgrace, worst service ever", "en", "negative"),
        ("Vielen Dank, das war wunderbar, ich liebe es", "de", "positive"),
        ("Muchas gracias, me encanta, feliz", "es", "positive"),
        ("Che vergogna, schifo totale", "it", "negative"),
        ("Muito obrigada, que lindo, adorei", "pt", "positive"),
        ("شكرا جزيلا رائع جدا أحب هذا", "ar", "positive"),
    ],
)
def test_each_language_has_a_tone_of_its_own(text: str, lang: str, label: str) -> None:
    assert tone(text, lang) == label


@pytest.mark.parametrize("lang", ["nl", "ru", None, "xx", ""])
def test_a_language_without_a_model_is_undetermined(lang: str | None) -> None:
    found = MODEL.score(["Wonderful, thank you! Merci, super"], [lang])
    assert found.labels == ["undetermined"]
    assert np.isnan(found.probabilities).all()
    assert np.isnan(found.scores).all()


@pytest.mark.parametrize("text", ["", "   ", "...", "\n\t"])
def test_an_empty_text_is_undetermined(text: str) -> None:
    found = MODEL.score([text], ["fr"])
    assert found.labels == ["undetermined"]
    assert np.isnan(found.probabilities).all()


def test_an_unsure_model_abstains_and_still_gives_its_probabilities() -> None:
    found = sentiment.tones(np.array([[0.40, 0.35, 0.25]], np.float32), threshold=0.42)
    assert found.labels == ["undetermined"]
    assert np.isnan(found.scores[0])
    assert found.probabilities[0, 0] == np.float32(0.40)


def test_probabilities_sum_to_one_and_scores_follow_from_them() -> None:
    found = MODEL.score(["merci", "honte", "réunion à 18 h"], ["fr"] * 3)
    assert np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)
    sure = [label != "undetermined" for label in found.labels]
    expected = found.probabilities[:, 2] - found.probabilities[:, 0]
    assert np.allclose(found.scores[sure], expected[sure])


def test_company_changes_nothing() -> None:
    texts = ["merci beaucoup", "", "thank you", "quelle honte", "gracias"]
    langs = ["fr", "fr", "en", "fr", "es"]
    together = MODEL.score(texts, langs).probabilities
    alone = [
        MODEL.score([t], [lang]).probabilities[0] for t, lang in zip(texts, langs, strict=True)
    ]
    assert np.allclose(together, np.stack(alone), atol=1e-6, equal_nan=True)


def test_nothing_to_score_is_no_error() -> None:
    assert MODEL.score([], []).labels == []


FRAMES = [
    "{} a encore menti, quelle honte",
    "merci à {} pour son aide",
    "{} sera à la réunion de mardi",
    "je ne comprends pas la décision de {}",
]
PAIRS = [
    ("LFI", "le RN"),
    ("Mélenchon", "Le Pen"),
    ("le Parti socialiste", "Les Républicains"),
    ("un musulman", "un chrétien"),
    ("Biden", "Trump"),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_sides_and_faiths_swapped_leave_the_tone_where_it_was(one: str, other: str) -> None:
    for frame in FRAMES:
        found = MODEL.score([frame.format(one), frame.format(other)], ["fr", "fr"]).probabilities
        assert np.abs(found[0] - found[1]).max() < 0.10


@pytest.mark.parametrize(("one", "other"), [("Mme Martin", "M. Martin"), ("Karim", "Julien")])
def test_women_men_and_first_names_move_the_tone_little(one: str, other: str) -> None:
    for frame in FRAMES:
        found = MODEL.score([frame.format(one), frame.format(other)], ["fr", "fr"]).probabilities
        assert np.abs(found[0] - found[1]).max() < 0.20


def test_the_temperature_of_overconfident_logits_is_over_one() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 4000)
    logits = random.normal(size=(4000, 3))
    logits[np.arange(4000), truth] += 1.0
    heat = temperature(4.0 * logits, truth, np.ones(4000))
    assert 3.0 < heat < 5.0
    sure = softmax(4.0 * logits / heat)
    right = sure.argmax(axis=1) == truth
    assert calibration_error(sure.max(axis=1), right) < 0.04
