import pytest

from models.language import LANGUAGES, detect


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("La mairie a fermé le guichet de l'état civil sans prévenir personne.", "fr"),
        ("The town hall closed its front desk without telling anyone.", "en"),
        ("Das Rathaus hat den Schalter ohne Ankündigung geschlossen.", "de"),
        ("El ayuntamiento cerró la ventanilla sin avisar a los vecinos.", "es"),
        ("Il comune ha chiuso lo sportello senza avvisare nessuno.", "it"),
        ("A câmara municipal fechou o balcão sem avisar os moradores.", "pt"),
        ("أغلقت البلدية مكتب الاستقبال دون إعلام أحد", "ar"),
    ],
)
def test_each_language_is_recognised(text: str, lang: str) -> None:
    assert detect([text]) == [lang]


@pytest.mark.parametrize("text", ["Merci !", "la honte", "grève bus", "c'est nul", "mdr"])
def test_short_french_posts_are_french(text: str) -> None:
    assert detect([text]) == ["fr"]


@pytest.mark.parametrize("text", ["", "   ", "?!…", "@user https://exemple.fr", "12 345", "ok"])
def test_what_cannot_be_told_is_none(text: str) -> None:
    assert detect([text]) == [None]


@pytest.mark.parametrize(
    "text", ["😡😡😡", "👍", "@user 👏 !", ":-(", "<3", ":D", "T_T", "^_^", "100 % 🙂"]
)
def test_emoji_and_emoticons_alone_say_the_same_in_french(text: str) -> None:
    assert detect([text]) == ["fr"]


@pytest.mark.parametrize("text", ["Belediye 👍", "Мэрия 😡", "(1)", "8) 9)", "10:00"])
def test_a_sign_beside_other_letters_or_figures_makes_no_text_french(text: str) -> None:
    assert detect([text]) == [None]


@pytest.mark.parametrize(
    "text",
    [
        "Wat een mooie stad, wij komen graag terug volgend jaar met de kinderen",
        "Belediye hiçbir haber vermeden danışma masasını kapattı",
        "Мэрия закрыла окно приёма без предупреждения",
    ],
)
def test_a_language_we_do_not_know_is_none(text: str) -> None:
    assert detect([text]) == [None]


def test_links_and_handles_do_not_choose_the_language() -> None:
    text = "@thebestcityinthewest https://the-news.example/what-is-this la mairie est fermée"
    assert detect([text]) == ["fr"]


def test_answers_come_in_the_order_of_the_texts() -> None:
    assert detect(["Merci beaucoup", "", "Thank you so much"]) == ["fr", None, "en"]


def test_the_languages_begin_with_french_and_english() -> None:
    assert LANGUAGES[:2] == ("fr", "en")
