"""The alert mail as a moderator reads it, at night, on a phone, in two languages."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines import alert_letter, charts, rules
from pipelines.coverage import Coverage, SourceCover
from pipelines.evidence import Curve, Evidence, Message, Term
from pipelines.explanation import Explanation, Moved
from pipelines.gaps import Gap
from pipelines.incidents import Decision
from pipelines.letter import Letter
from pipelines.settings import Institution
from tests.pipelines.test_incidents import alert, incident
from tests.pipelines.watched import AS_OF, settings

MINUTE = timedelta(minutes=1)
FIRST = Decision(reason="first", is_sent=True)


def message(**changes: Any) -> Message:
    values: dict[str, Any] = {
        "mention_id": "m1",
        "text": "Toujours pas d'eau aux Tilleuls",
        "title": None,
        "url": "https://social.example/@x/1",
        "network": "mastodon",
        "published_at": AS_OF - 20 * MINUTE,
        "sentiment": "negative",
        "copy_count": 480,
        "origin_count": 3,
    }
    return Message(**(values | changes))


def reasons(*words: tuple[str, float], terms: tuple[str, ...] = ()) -> Explanation:
    moved = tuple(Moved(word=word, effect=effect) for word, effect in words)
    return Explanation(mention_id="m1", tone="negative", words=moved, terms=terms)


def source(name: str, **changes: Any) -> SourceCover:
    """A source that was read as it should over the last six hours."""
    values: dict[str, Any] = {
        "name": name,
        "kind": name,
        "state": "ok",
        "since_at": None,
        "read_at": AS_OF,
        "last_status": "ok",
        "every_minutes": 5,
        "due": ((AS_OF - 360 * MINUTE, AS_OF),),
        "unread": (),
        "gaps": (),
        "capped": (),
        "capped_count": 0,
        "run_count": 72,
        "failed_count": 0,
        "waiting_count": 0,
        "mention_count": 30,
        "usual_count": 30.0,
        "usual_unheard": 0.0,
        "unheard_count": 0.0,
    }
    return SourceCover(**(values | changes))


def covered(*sources: SourceCover, **changes: Any) -> Coverage:
    values: dict[str, Any] = {
        "since": AS_OF - 360 * MINUTE,
        "until": AS_OF,
        "as_of": AS_OF,
        "sources": sources,
    }
    return Coverage(**(values | changes))


def rests_on(**changes: Any) -> Evidence:
    values: dict[str, Any] = {
        "lately": covered(source("mastodon"), source("presse"), late_p50=3.2, late_p95=11.0),
        "messages": (message(),),
        "terms": (Term(term="canalisation", count=40, share=0.51, usual_share=0.01),),
        "networks": {"mastodon": 100, "press": 34},
        "tone": {"negative": 90, "positive": 4, "undetermined": 40},
        "topics": {"T10": 0.8},
    }
    return Evidence(**(values | changes))


def letter(
    *,
    locale: Any = "fr",
    decision: Decision = FIRST,
    evidence: Evidence | None = None,
    as_of: datetime = AS_OF,
    beside: dict[str, Any] | None = None,
    **changes: Any,
) -> Letter:
    town = settings(
        Path("/nowhere"),
        institution=Institution(
            id="valmorin",
            name="Valmorin",
            place="Valmorin (38)",
            kind="commune",
            legal_basis="x",
            locale=locale,
        ),
    )
    what = {
        "severity": "critical",
        "opened_at": AS_OF,
        "last_fired_at": AS_OF,
        "alert": alert(severity="critical", observed=134.0, expected=17.6, low=9.0, high=27.0),
    }
    occasion = alert_letter.Occasion(
        incident=incident(**(what | changes)),
        decision=decision,
        evidence=evidence or rests_on(),
        settings=town,
        as_of=as_of,
        **(beside or {}),
    )
    return alert_letter.letter(occasion)


def visible(html: str) -> str:
    """What of a page is read, without its tags and sheet."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL).split())


def test_the_subject_alone_tells_how_bad_what_how_much_and_whose() -> None:
    assert (
        letter().subject == "[Vigie] CRITIQUE · Eau · 134 mentions en 1 h (attendu 18) · Valmorin"
    )
    assert letter(locale="en").subject == (
        "[Vigie] CRITICAL · Eau · 134 mentions in 1 h (expected 18) · Valmorin"
    )
    assert letter(severity="warning").subject.startswith("[Vigie] Avertissement · Eau · ")


def test_the_subject_does_not_name_the_institution_twice() -> None:
    whole = alert(severity="critical", observed=134.0, expected=17.6, subject_id="Valmorin")
    assert letter(alert=whole).subject == (
        "[Vigie] CRITIQUE · Valmorin · 134 mentions en 1 h (attendu 18)"
    )


EVERYTHING = {
    "count against expected": "134 mentions en 1 h (attendu 18)",
    "its interval": "à cette heure, d’habitude 9 à 27",
    "subject": "Eau",
    "place": "Valmorin (38)",
    "time": "de 10:25 à 11:25 (1 h)",
    "a message": "Toujours pas d'eau aux Tilleuls",
    "its copies": "repris 479 fois, sur 3 sources",
    "a term": "canalisation (51 %, d’habitude 1 %)",
    "sources": "Mastodon",
    "share of tone": "50 % de textes négatifs (entre 40 % et 60 %), d’habitude 25 %.",
    "undetermined": "indéterminé 40",
    "topic": "Environnement, eau, énergie 80 %",
    "coverage": "Tout ce qui devait être lu l’a été (2 sources).",
    "lateness": "La moitié des messages sont entendus moins de 4 min après leur publication",
    "procedure": "Lire les messages cités",
    "owner": "Responsable proposé : modération d’astreinte.",
    "what resolves": "Se clôt quand le volume repasse",
    "next reminder": "Prochain rappel le 20 nov. à 15:25",
    "rule and version": "volume_surge, version 1",
    "a person decides": "une personne décide",
}


@pytest.mark.parametrize("what", EVERYTHING)
def test_the_mail_holds(what: str) -> None:
    made = letter()
    for part in (made.text, visible(made.html).replace("&#39;", "'")):
        assert EVERYTHING[what] in " ".join(part.split())


def test_the_permalink_is_a_link_and_the_parameters_are_there() -> None:
    made = letter(alert=alert(parameters='{"hour_score": 3.5}'))
    assert 'href="https://social.example/@x/1"' in made.html
    assert "hour_score = 3.5" in made.text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://user:pass@mal.example/",
        "https://a.example/\nx",
        "//a.example",
        "http://[",
        None,
    ],
)
def test_a_link_that_nobody_should_follow_is_no_link(url: str | None) -> None:
    made = letter(evidence=rests_on(messages=(message(url=url),)))
    assert "href" not in made.html.replace('href="cid', "")
    assert "sans lien public" in made.text


def test_a_message_tells_which_words_weigh_and_which_terms_it_has() -> None:
    why = reasons(("inadmissible", 0.21), ("merci", -0.3), ("toujours", 0.1), terms=("eau coupée",))
    told = {
        "fr": "mots qui pèsent : inadmissible, toujours · termes du thème : eau coupée",
        "en": "words that weigh: inadmissible, toujours · terms of the topic: eau coupée",
    }
    for locale, line in told.items():
        made = letter(locale=locale, evidence=rests_on(messages=(message(reasons=why),)))
        assert line in made.text
        assert line in visible(made.html)


def test_a_message_without_reasons_has_no_line_for_them() -> None:
    for why in (None, reasons(), reasons(("merci", -0.3))):
        made = letter(evidence=rests_on(messages=(message(reasons=why),)))
        assert "qui pèsent" not in made.text + made.html
        assert "termes du thème" not in made.text + made.html


def test_words_that_weigh_never_become_markup_nor_template() -> None:
    hostile = "<script>alert(1)</script>{{7*7}}{listed}‮"
    why = reasons((hostile, 0.3), terms=("<img/src=x>",))
    made = letter(evidence=rests_on(messages=(message(reasons=why),)))
    assert "<script>" not in made.html
    assert "<img/src" not in made.html
    assert "{{7*7}}{listed}" in made.html
    assert "‮" not in made.html + made.text


def test_what_people_write_never_becomes_markup_nor_template() -> None:
    hostile = "</blockquote><script>alert(1)</script><img src=x onerror=y> {{ 7*7 }} {text} \"'>"
    town = rests_on(
        messages=(message(text=hostile, title="<b>titre</b>", network="<i>réseau</i>"),),
        terms=(Term(term="<u>mot</u>", count=3, share=0.5, usual_share=0.0),),
        networks={"<i>réseau</i>": 3},
        lately=covered(source("<s>source</s>", state="never", read_at=None)),
    )
    made = letter(evidence=town)
    assert "<script>" not in made.html
    assert "<img src=x" not in made.html
    assert not re.search(r"<(b>titre|i>réseau|u>mot|s>source)", made.html)
    assert "{{ 7*7 }}" in made.text
    assert "49" not in made.text


def test_marks_that_turn_reading_round_and_control_characters_are_gone() -> None:
    made = letter(
        evidence=rests_on(messages=(message(text="a\u202etxt.exe\x07\u200fb\r\nBcc: c"),))
    )
    assert "\u202e" not in made.html + made.text
    assert "\x07" not in made.html + made.text
    assert "atxt.exeb Bcc: c" in made.text


def test_a_long_text_is_cut_between_words() -> None:
    made = letter(evidence=rests_on(messages=(message(text="mot " * 500),)))
    [quote] = re.findall(r"« (.*) »", made.text)
    assert len(quote) <= alert_letter.QUOTE_LIMIT
    assert quote.endswith("mot…")


@pytest.mark.parametrize(
    "reason", ["first", "severity_up", "volume_doubled", "repeat", "back_again"]
)
@pytest.mark.parametrize("locale", ["fr", "en"])
def test_each_reason_is_a_sentence(reason: str, locale: str) -> None:
    made = letter(locale=locale, decision=Decision(reason=reason, is_sent=True))
    assert "{" not in made.text
    assert "{" not in visible(made.html)


@pytest.mark.parametrize("rule", rules.names())
@pytest.mark.parametrize("locale", ["fr", "en"])
def test_each_rule_makes_a_whole_mail_in_each_language(rule: str, locale: str) -> None:
    changes: dict[str, Any] = {"rule_id": rule}
    if rule == "silent_source":
        changes |= {"subject_id": None, "scope": "mastodon", "low": None, "high": None}
    made = letter(locale=locale, alert=alert(**changes))
    assert rules.read(rule).say("Label", locale) in made.text
    assert "None" not in made.text + visible(made.html)
    assert len(made.html) < 60_000


def test_an_end_says_how_long_it_lasted_and_asks_for_nothing() -> None:
    made = letter(
        decision=Decision(reason="resolved", is_sent=True),
        state="resolved",
        opened_at=AS_OF - 130 * MINUTE,
        resolved_at=AS_OF,
        peak=alert(observed=240.0, expected=18.0),
    )
    assert made.subject == "[Vigie] TERMINÉ · Eau · Afflux de mentions, a duré 2 h 10 · Valmorin"
    assert "Au plus fort : 240 mentions en 1 h (attendu 18)." in made.text
    assert "PROCÉDURE PROPOSÉE" not in made.text
    assert "MOTS AU-DESSUS DE LEUR USAGE" not in made.text
    assert "d’habitude 9 à 27" not in made.text
    assert "Si elle reprend avant le 20 nov. à 17:25" in made.text


def test_nobody_named_for_alerts_is_said_loudly_and_first() -> None:
    made = letter(beside={"nobody": "nobody"})
    assert "Personne n’est désigné pour les alertes." in made.text[:400]
    assert "Personne n’est désigné pour les alertes." in visible(made.html)
    assert "PERSONNE n’est d’astreinte" in letter(beside={"nobody": "off_shift"}).text


OUTAGE = (AS_OF - 185 * MINUTE, AS_OF)
LATE = source(
    "mastodon",
    state="late",
    since_at=OUTAGE[0],
    read_at=OUTAGE[0],
    unread=(OUTAGE,),
    gaps=(
        Gap(
            source_name="mastodon",
            since_at=OUTAGE[0],
            until_at=AS_OF,
            reason="failed",
            found_by="r",
            found_at=AS_OF,
        ),
    ),
    usual_unheard=12.0,
    unheard_count=30.0,
)
SAID = {
    "fr": (
        "Lecture incomplète : 1 sur 2 sources lues normalement.",
        "La source mastodon n’est plus lue depuis le 20 nov. à 08:20 (3 h 05), faute de réponse : "
        "ce qui s’y dit depuis n’est pas compté ; d’habitude environ 12 messages sur ce temps-là, "
        "plutôt 30 au rythme de ce jour.",
        "Ce nombre est un minimum : environ 33 % de ce qui s’est dit n’a sans doute pas été "
        "entendu.",
    ),
    "en": (
        "Reading incomplete: 1 of 2 sources read as they should.",
        "The source mastodon has not been read since 20 Nov, 08:20 (3 h 05), for want of an "
        "answer: what has been said there since is not counted; usually about 12 messages in that "
        "time, rather 30 at the pace of this day.",
        "This number is a minimum: about 33% of what was said has likely not been heard.",
    ),
}


def _flat(text: str) -> str:
    return " ".join(re.sub(r"[\u00a0\u202f]", " ", text).split())


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_what_was_not_heard_is_said_and_what_it_means_for_the_count(locale: str) -> None:
    found = covered(LATE, source("presse"))
    made = letter(locale=locale, evidence=rests_on(lately=found, window=found))
    for line in SAID[locale]:
        assert line in _flat(made.text)
        assert line in _flat(visible(made.html))
    first = _flat(made.text).index(SAID[locale][2])
    assert first < _flat(made.text).index("MESSAGES")  # before anything is quoted


def test_a_platform_that_shows_a_part_makes_the_count_a_minimum() -> None:
    cut = source("presse", capped=((AS_OF - 20 * MINUTE, AS_OF),), capped_count=2)
    found = covered(source("mastodon"), cut)
    made = _flat(letter(evidence=rests_on(lately=found, window=found)).text)
    assert "La source presse n’a pas tout montré de 11:05 à 11:25 : le nombre" in made
    assert "Les chiffres sont un minimum : une plateforme n’a pas tout montré." in made


def test_a_gap_that_was_filled_is_told_as_heard_late_and_a_hiccup_is_not() -> None:
    def filled(minutes: int) -> Gap:
        since = AS_OF - 120 * MINUTE
        return Gap(
            source_name="mastodon",
            since_at=since,
            until_at=since + minutes * MINUTE,
            reason="failed",
            found_by="r",
            found_at=since,
            filled_by="s",
            filled_at=since + (minutes + 5) * MINUTE,
        )

    said = "n’a pas pu être lue de 09:25 à 10:25, faute de réponse ; elle l’a été après coup"
    for minutes, is_told in ((60, True), (10, False)):
        found = covered(source("mastodon", gaps=(filled(minutes),)))
        made = _flat(letter(evidence=rests_on(lately=found, window=found)).text)
        assert (said in made) == is_told
        assert "minimum" not in made
        assert "Tout ce qui devait être lu l’a été (1 source)." in made


def test_a_history_too_short_to_say_how_much_is_missing_says_so() -> None:
    unknown = replace(LATE, usual_count=None, usual_unheard=None, unheard_count=None)
    found = covered(unknown)
    made = _flat(letter(evidence=rests_on(lately=found, window=found)).text)
    assert "l’historique est trop court pour dire de combien" in made
    assert "d’habitude environ" not in made


def test_an_alert_that_is_over_claims_no_minimum() -> None:
    found = covered(LATE)
    ended = Decision(reason="resolved", is_sent=True)
    made = letter(
        decision=ended,
        state="resolved",
        resolved_at=AS_OF,
        evidence=rests_on(lately=found, window=found),
    )
    assert "un minimum" not in made.text
    assert "n’est plus lue depuis" in made.text


def test_a_danger_asks_for_the_crisis_cell_and_a_legal_review() -> None:
    made = letter(evidence=rests_on(topics={"T10": 0.8, "T20": 0.3}))
    assert "réunir la cellule de crise" in made.text
    assert "Responsable proposé : direction." in made.text
    assert "Avis juridique requis." in made.text
    assert "cellule de crise" not in letter().text


@pytest.mark.parametrize(
    ("locale", "told"), [("fr", "40 mentions en 1 h"), ("en", "40 mentions in 1 h")]
)
def test_a_headline_leaves_out_what_nobody_expects_yet(locale: str, told: str) -> None:
    spoken = alert_letter.spoken(ZoneInfo("Europe/Paris"), locale)
    assert alert_letter.headline(alert(expected=None), spoken).replace("\u00a0", " ") == told


def test_while_warming_up_no_expectation_is_claimed() -> None:
    made = letter(alert=alert(is_warming_up=True))
    assert "historique en cours de constitution" in made.text
    assert "d’habitude 8 à 24" not in made.text


def test_the_people_of_a_claim_stand_beside_its_own_count_and_not_the_subjects() -> None:
    nothing = dict.fromkeys(("expected", "low", "high", "share", "share_low", "share_high"))
    counts = {"observed": 6.0, "text_count": 5, "author_count": 6}
    made = letter(alert=alert(rule_id="claim_spreads", **nothing, **counts))
    assert "6 mentions, 5 textes différents, 6 auteurs" in made.text.replace("\xa0", " ")


def test_other_alerts_that_fire_are_named() -> None:
    other = incident(alert=alert(rule_id="negative_surge"), opened_at=AS_OF)
    made = letter(beside={"others": (other,)})
    assert "Messages négatifs en hausse · Eau, depuis le 20 nov. à 11:25" in made.text


CURVE = Curve(
    times=tuple(AS_OF - 30 * MINUTE * (47 - i) for i in range(48)),
    counts=(8.0,) * 47 + (90.0,),
    low=(4.0,) * 48,
    high=(14.0,) * 48,
)


def test_the_curve_is_a_picture_with_words_for_those_who_do_not_see_it() -> None:
    made = letter(evidence=rests_on(curve=CURVE))
    assert made.images["curve"].startswith(b"\x89PNG")
    assert 'src="cid:curve"' in made.html
    assert "90 dans la dernière, 14 au plus attendu" in made.html


@pytest.mark.parametrize(
    ("locale", "words"),
    [("fr", "réactions par heure"), ("en", "likes, replies and shares per hour")],
)
def test_a_curve_of_reactions_says_what_it_counts(
    locale: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles: list[str] = []

    plain = charts.curve

    def _drawn(*given: Any, title: str, **named: Any) -> charts.Chart:
        titles.append(title)
        return plain(*given, title=title, **named)

    monkeypatch.setattr(charts, "curve", _drawn)
    drawn = replace(CURVE, of="reactions", counts=(8.0,) * 47 + (90.4,))
    made = letter(evidence=rests_on(curve=drawn), locale=locale)
    assert words in titles[0]
    assert "90" in made.html
    assert "90.4" not in made.html.replace(",", ".")
    assert "mentions" not in titles[0]


def test_an_alert_goes_out_without_its_picture_when_it_cannot_be_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def _fails(*_: Any, **__: Any) -> bytes:
        raise ValueError("no font")

    monkeypatch.setattr(charts, "curve", _fails)
    made = letter(evidence=rests_on(curve=CURVE))
    assert made.images == {}
    assert "cid:" not in made.html


def test_lengths_of_time_are_said_as_people_say_them() -> None:
    spoken = alert_letter._words(settings(Path("/nowhere")))
    said = [
        alert_letter.span(minutes, spoken) for minutes in (15, 59.6, 60, 130, 1440, 2880, 20160)
    ]
    assert said == ["15 min", "1 h", "1 h", "2 h 10", "24 h", "2 j", "14 j"]


def test_the_page_asks_for_nothing_from_outside() -> None:
    made = letter(evidence=rests_on(curve=CURVE, messages=(message(url=None),)))
    assert not re.findall(r'(?:src|href)="(?!cid:)[^"]*"', made.html)
    assert "@import" not in made.html


def test_a_warning_held_for_the_morning_says_since_when() -> None:
    made = letter(severity="warning", opened_at=AS_OF - timedelta(hours=6))
    assert "Ouverte le 20 nov. à 05:25, gardée pour le matin." in made.text


def test_a_subject_that_is_no_longer_watched_still_has_a_name() -> None:
    assert " · disparu · " in letter(alert=replace(alert(), subject_id="disparu")).subject
