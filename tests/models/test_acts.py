"""What a message does and how risky it is: what holds for any text, threats, and the risk."""

import tomllib
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from models import acts, heads, lexicons
from models.acts import ABUSE_REGISTERS, ACTS, RISKS, Done
from models.errors import WeightsError
from models.network import Views
from models.reading import Batch

MODEL = acts.load()
THREAT = ACTS.index("threat")

# Invented, and not taught: those that the model misses stay here (see the floors below).
THREATS = (
    "On va te retrouver, toi et ta famille, tu vas le payer.",
    "Je vais te crever, sale vendu.",
    "Le maire, on va lui brûler sa voiture.",
    "La prochaine fois je viens au guichet avec un couteau.",
    "Continuez comme ça et je fais sauter votre mairie.",
    "Je sais où tu habites, surveille tes arrières.",
    "On va vous pendre, tous autant que vous êtes.",
    "Cet adjoint mérite une balle dans la tête et je m'en occupe.",
    "Vous allez finir à l'hôpital si vous fermez la crèche.",
    "Je vais lui casser les jambes au directeur.",
    "Attends que je te croise dans la rue, tu vas saigner.",
    "On sait à quelle heure tu sors du bureau, prépare ton cercueil.",
)
NO_THREATS = (
    "Le maire a reçu des menaces de mort, il a porté plainte.",
    "Un homme a menacé un agent avec un couteau hier au guichet.",
    "Le risque de crue menace le quartier bas.",
    "La fermeture menace l'emploi de vingt personnes.",
    "Personne ne doit menacer un élu, c'est inadmissible.",
    "Ce projet va tuer le commerce de proximité.",
    "Je vais exploser de rire, votre site ne marche jamais.",
    "On va porter plainte et saisir le tribunal administratif.",
    "Les électeurs vous le feront payer dans les urnes.",
    "Le bus m'a tué, deux heures d'attente.",
    "« On va te crever » : voilà ce qu'on a écrit sur la porte de l'élue, soutien à elle.",
    "Merci à l'équipe, une tuerie ce concert.",
)

ENGLISH_THREATS = (
    "I'm going to find you and smash your face in.",
    "We know where your kids go to school.",
    "Somebody should put a bullet in that mayor.",
    "Keep this up and I'll burn your house down.",
    "You're a dead man, inspector.",
    "I will be waiting for you outside your office with a knife.",
    "Someone ought to hang the lot of them.",
    "I'll kill you, you thief.",
    "Hope you die in a fire, all of you.",
    "Watch your back when you leave work tonight.",
    "Next time he knocks I'm shooting him.",
    "There's a bomb in the council building.",
)
TURNS_OF_SPEECH = (
    "I'm going to kill someone if this flight is delayed again.",
    "You guys are killing me with these delays.",
    "My boss is going to kill me if I miss this meeting.",
    "I would kill for a coffee right now.",
    "Two hours on hold, shoot me now.",
    "They beat the champions last night.",
    "You're next in line, please wait.",
    "Someone should tell the staff at the desk.",
    "What doesn't kill you makes you stronger.",
    "We'll find you a seat, don't worry.",
    "Don't let this council break your heart.",
    "You will regret missing this concert.",
    "The storm may knock out your power.",
    "You will pay for this at the next election.",
    "That app is going to blow up.",
)


def french(*texts: str) -> Done:
    return MODEL.score(texts, ["fr"] * len(texts))


def probes() -> tuple[list[str], list[str]]:
    """Every text of the probes with its language."""
    found: list[tuple[str, str]] = []
    for name, kind in (("behaviour", "case"), ("director", "sentence")):
        path = files("models") / "probes" / f"{name}.toml"
        rows = tomllib.loads(path.read_text(encoding="utf-8"))[kind]
        found += [(row["text"], row["lang"]) for row in rows]
    return [text for text, _ in found], [lang for _, lang in found]


@pytest.mark.parametrize(
    ("said", "p_abuse", "has_slur", "risk"),
    [
        ((), 0.0, False, "information"),
        (("praise", "question", "request"), 0.1, False, "information"),
        ((), 0.49, True, "information"),  # a slur that is mentioned is no abuse
        (("complaint",), 0.1, False, "contested"),
        (("claim",), 0.1, False, "contested"),
        (("praise", "gather"), 0.1, False, "contested"),
        (("abuse",), 0.6, False, "hostile"),
        (("complaint", "abuse"), 0.6, True, "hostile"),
        (("abuse",), 0.849, True, "hostile"),
        (("abuse",), 0.99, False, "hostile"),  # near certain, and no slur
        (("abuse",), 0.85, True, "illicit suspected"),
        (("complaint", "threat"), 0.0, False, "illicit suspected"),
        (("threat", "abuse"), 0.6, False, "illicit suspected"),
    ],
)
def test_the_risk_follows_from_the_acts(
    said: tuple[str, ...], p_abuse: float, *, has_slur: bool, risk: str
) -> None:
    assert acts.risk(said, p_abuse=p_abuse, has_slur=has_slur) == risk
    assert acts.risk(said[::-1], p_abuse=p_abuse, has_slur=has_slur) == risk


@pytest.mark.parametrize("act", ACTS)
def test_an_act_never_lowers_the_risk(act: str) -> None:
    for others in ((), ("praise",), ("complaint",), ("abuse",), ("threat",)):
        plain = acts.risk(others, p_abuse=0.6, has_slur=False)
        more = acts.risk((*others, act), p_abuse=0.6, has_slur=False)
        assert RISKS.index(more) >= RISKS.index(plain)


def test_acts_and_risks_follow_from_the_probabilities_of_each_text() -> None:
    texts, langs = probes()
    batch = Batch(texts, langs)
    done = MODEL.score_batch(batch)
    slur = batch.hits[:, lexicons.place("acts/abuse.strong")] > 0
    limits = [MODEL.thresholds[act] for act in ACTS]
    for place, row in enumerate(done.probabilities):
        if np.isnan(row).all():
            assert (done.acts[place], done.risks[place]) == ((), None), texts[place]
            continue
        own = tuple(a for a, p, limit in zip(ACTS, row, limits, strict=True) if p >= limit)
        assert done.acts[place] == own, texts[place]
        stated = acts.risk(own, p_abuse=float(row[-1]), has_slur=bool(slur[place]))
        assert done.risks[place] == stated, texts[place]
    assert set(done.risks) == {None, *RISKS}
    assert {act for own in done.acts for act in own} >= {"complaint", "question", "abuse"}


def test_an_act_is_scored_whole_or_not_at_all() -> None:
    texts = ["Quelle honte", "What a shame", "Wat een schande", "Schande!", "", "...", "honte"]
    langs = ["fr", "en", "nl", "de", "fr", "en", None]
    done = MODEL.score(texts, langs)
    judged = np.isfinite(done.probabilities)
    assert judged.all(axis=1).tolist() == [True, True, False, False, False, False, False]
    assert (judged.any(axis=1) == judged.all(axis=1)).all()
    assert [risk is not None for risk in done.risks] == judged[:, 0].tolist()


def test_acts_other_than_abuse_are_those_of_their_heads() -> None:
    texts = ["Pourriez-vous réparer le banc ?", "Merci !", "Rendez-vous samedi devant la mairie"]
    batch = Batch(texts, ["fr"] * 3)
    columns = heads.columns_of([f"acts/{act}" for act in ACTS])
    done = MODEL.score_batch(batch)
    assert np.array_equal(done.probabilities[:, :-1], batch.chances[:, columns[:-1]])
    assert ACTS[-1] == "abuse"
    assert done.probabilities.dtype == np.float32


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("Les poubelles débordent depuis dix jours, c'est inadmissible", "complaint"),
        ("À quelle heure ouvre la piscine le dimanche ?", "question"),
        ("Pourriez-vous réparer le banc du square, s'il vous plaît", "request"),
        ("Bravo aux agents, accueil impeccable, merci", "praise"),
        ("Rassemblement samedi à 14 h devant la mairie, venez nombreux", "gather"),
        ("Je vais te crever, sale vendu.", "threat"),
        ("Espèce de connard, dégage", "abuse"),
    ],
)
def test_plain_french_acts_are_found(text: str, act: str) -> None:
    assert act in french(text).acts[0]


def test_most_threats_are_found_and_few_reports_of_threats_are() -> None:
    """Seen with the weights of version 2: 8 of 12, and 1 of 12 (a threat quoted by its victim)."""
    found = [
        text for text, own in zip(THREATS, french(*THREATS).acts, strict=True) if "threat" in own
    ]
    wrong = french(*NO_THREATS)
    alarms = [t for t, own in zip(NO_THREATS, wrong.acts, strict=True) if "threat" in own]
    assert len(found) >= 7, found
    assert len(alarms) <= 2, alarms
    assert sum(risk == RISKS[3] for risk in wrong.risks) <= 2, alarms


def test_a_plain_english_threat_is_found() -> None:
    done = MODEL.score(["We will find you and kill you."], ["en"])
    assert "threat" in done.acts[0]
    assert done.risks == [RISKS[3]]


def test_most_english_threats_are_found_and_no_turn_of_speech_is() -> None:
    """Seen with the terms of today: 9 of 12 and none of 15; with those of before, 6 and 10."""
    said = MODEL.score(ENGLISH_THREATS, ["en"] * len(ENGLISH_THREATS))
    found = [t for t, own in zip(ENGLISH_THREATS, said.acts, strict=True) if "threat" in own]
    wrong = MODEL.score(TURNS_OF_SPEECH, ["en"] * len(TURNS_OF_SPEECH))
    alarms = [t for t, own in zip(TURNS_OF_SPEECH, wrong.risks, strict=True) if own == RISKS[3]]
    assert len(found) >= 8, found
    assert alarms == []


def test_a_turn_of_speech_hides_no_threat() -> None:
    said = "We'll find you a seat, he said. I'll find you and kill you, that's what I say."
    assert MODEL.score([said], ["en"]).risks == [RISKS[3]]
    assert MODEL.score(["Faire sauter les PV, puis on va tout faire sauter"], ["fr"]).acts == [
        *MODEL.score(["Faire voir les PV, puis on va tout faire sauter"], ["fr"]).acts
    ]


def test_swearing_that_calls_nobody_anything_is_hostile_and_no_more() -> None:
    done = MODEL.score(["Fuck you and your shitty website", "Fuck you, you dirty paki"], ["en"] * 2)
    assert done.risks == ["hostile", RISKS[3]]


def test_insults_that_are_told_are_less_abusive_than_those_that_are_thrown() -> None:
    pairs = (
        ("Vous êtes des connards", "Il nous a traités de connards au guichet, j'ai porté plainte"),
        ("Sale pute", "Une agente a été traitée de « sale pute », soutien à elle"),
        ("Les réfugiés sont des cafards", "Appeler les réfugiés des « cafards », c'est abject"),
        ("Sale pédé", "On ne dit pas « sale pédé », c'est une injure homophobe"),
    )
    thrown, told = (french(*texts).probabilities[:, -1] for texts in zip(*pairs, strict=True))
    assert (thrown > told + 0.05).all(), list(zip(thrown.tolist(), told.tolist(), strict=True))
    assert (thrown > 0.6).all()


def views(*, gate: dict[str, float], logits: dict[str, float]) -> Views:
    """Views of one text with the given outputs, 0 elsewhere."""
    names = [f"abuse_{name}.abuse" for name in (*ABUSE_REGISTERS, "en")]
    names += [f"abuse_register.{name}" for name in ABUSE_REGISTERS]
    values = [logits.get(name, 0.0) for name in (*ABUSE_REGISTERS, "en")]
    values += [gate.get(name, 0.0) for name in ABUSE_REGISTERS]
    nothing = np.zeros((1, 0), np.float32)
    return Views(nothing, nothing, np.array([values], np.float32), tuple(names))


def chance(seen: Views, *, plain: bool, lang: str = "fr", linear: float = 0.0) -> float:
    count = len(ABUSE_REGISTERS) if lang == "fr" else 1
    found = acts.abuse(
        seen, np.full((1, count), linear), np.array([plain]), lang=lang, share=0.5,
        slope=[1.0] * count, offset=[0.0] * count,
    )  # fmt: skip
    assert found.shape == (1,)
    return float(found[0])


def test_abuse_is_that_of_the_register_the_text_is_of() -> None:
    logits = {"racism": 4.0, "forum": -4.0}
    assert chance(views(gate={"racism": 20.0}, logits=logits), plain=False) > 0.95
    assert chance(views(gate={"forum": 20.0}, logits=logits), plain=False) < 0.05
    between = chance(views(gate={"racism": 20.0, "forum": 20.0}, logits=logits), plain=False)
    assert between == pytest.approx(0.5, abs=0.01)


def test_a_text_without_a_word_of_abuse_is_weighed_towards_ordinary_posts() -> None:
    seen = views(gate={}, logits={"keyword": 6.0, "post": -6.0})
    assert chance(seen, plain=True) < chance(seen, plain=False) - 0.1


def test_hashed_words_add_by_their_share_and_english_has_one_register() -> None:
    seen = views(gate={}, logits={"en": 1.0})
    assert chance(seen, plain=True, lang="en") == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-6)
    assert chance(seen, plain=True, lang="en", linear=2.0) == pytest.approx(
        1 / (1 + np.exp(-2)), abs=1e-6
    )
    assert chance(seen, plain=False, linear=3.0) > chance(seen, plain=False) > 0.4


def test_a_text_is_plain_when_no_word_of_abuse_or_aim_stands_in_it() -> None:
    texts = ["La piscine ouvre à dix heures", "Espèce de connard", "c'est de la merde", ""]
    assert acts.is_plain(Batch(texts, ["fr"] * 4).hits).tolist() == [True, False, False, True]


def test_every_act_has_a_threshold_and_the_weights_a_name() -> None:
    assert set(MODEL.thresholds) == set(ACTS)
    assert all(0 < limit < 1 for limit in MODEL.thresholds.values())
    assert MODEL.model_id == f"vigie-acts-{MODEL.description.version}"
    assert len(MODEL.weights_sha256) == 64
    assert MODEL.weights_sha256 == acts.load().weights_sha256
    assert MODEL.weights_sha256 != heads.read_weights().sha256


def test_weights_of_another_reading_of_texts_are_refused() -> None:
    weights = acts.load()._weights
    other = replace(weights, description=replace(weights.description, features_version=99))
    with pytest.raises(WeightsError, match="trained on features version 99"):
        acts.Embedded(other)
