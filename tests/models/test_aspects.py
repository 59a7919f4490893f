from models import aspects, sentiment
from models.reading import Batch

TONE = sentiment.load()


def of(*texts: str, lang: str = "fr") -> list[tuple[str, ...]]:
    return aspects.aspects(Batch(texts, [lang] * len(texts)), TONE)


def test_two_services_with_two_tones_are_told_apart() -> None:
    text = (
        "Merci aux agents de la crèche, ils sont formidables, mais les poubelles débordent, honteux"
    )
    assert {"childcare:positive", "waste:negative"} <= set(of(text)[0])


def test_a_text_without_a_service_or_in_another_language_has_none() -> None:
    assert of("bonjour", "") == [(), ()]
    assert of("De bus is te laat", lang="nl") == [()]


def test_a_hundred_thousand_spaces_cost_no_time() -> None:
    text = "La poubelle, le bus et la mairie. La crèche et la piscine" + " " * 100_000 + "fin"
    assert len(of(text)[0]) > 1  # quadratic before: minutes


def test_many_texts_have_the_services_of_each_alone() -> None:
    texts = [
        "Merci à la crèche, formidable, mais les poubelles débordent, honteux",
        "bonjour",
        "Bus parfait, crèche sale",
    ]
    alone = [of(text)[0] for text in texts]
    assert of(*(texts * 200)) == alone * 200
    assert max(map(len, alone)) > 1
