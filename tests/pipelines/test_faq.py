"""`faq.toml`: what is read of it, what is refused, and which requests it answers."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipelines import asked, digest, doctor, faq, init, stories
from pipelines.errors import SettingsError
from pipelines.faq import Entry
from tests.pipelines import valmont
from tests.pipelines.test_stories import _message

GOOD = """
[[entries]]
question = "Quand ouvre la piscine des Ormes ?"
others = ["Horaires de la piscine"]
answer = "Du mardi au dimanche, de 10 h à 19 h."
link = "https://www.valmont.example/piscine"
checked_on = 2026-09-01
"""


def _written(home: Path, text: str) -> Path:
    (home / faq.FILE).write_text(text, encoding="utf-8")
    return home


def test_no_file_is_no_entry(tmp_path: Path) -> None:
    assert faq.read(tmp_path) == ()


def test_an_entry_is_read_with_every_way_to_ask(tmp_path: Path) -> None:
    (entry,) = faq.read(_written(tmp_path, GOOD))
    assert entry.questions == ("Quand ouvre la piscine des Ormes ?", "Horaires de la piscine")
    assert entry.checked_on == date(2026, 9, 1)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[[entries]]\nquestion = "Où ?"\nanswer = "Là."', 2, "8 characters or more"),
        ('[[entries]]\nquestion = "Où aller donc ?"', 1, "write it: it is needed"),
        ('[[entries]]\nquestion = "Où aller ?"\nanswer = "Là."\nlink = "x"', 4, "https address"),
        (
            '[[entries]]\nquestion = "Où aller ?"\nanswer = "Là."\nlink = "javascript:alert(1)"',
            *(4, "https address"),
        ),
        ('[[entries]]\nquestion = "Où aller ?"\nansver = "Là."', 3, "did you mean 'answer'?"),
        ("[[entries]\n", 1, "mend this line"),
    ],
)
def test_each_fault_has_its_line_and_a_remedy(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        faq.read(_written(tmp_path, text))
    assert any(fault.line == line and said in fault.remedy for fault in caught.value.faults)


def test_the_template_has_two_entries_once_its_marks_are_taken_away(tmp_path: Path) -> None:
    init.write(tmp_path / "home", answers={"name": "Ville de Valmont"})
    text = (tmp_path / "home" / faq.FILE).read_text(encoding="utf-8")
    assert faq.read(tmp_path / "home") == ()
    written = [line[2:] for line in text.splitlines() if re.match(r"# (\[\[|[a-z_]+ = )", line)]
    entries = faq.read(_written(tmp_path, "\n".join(written)))
    assert len(entries) == 2
    assert all(entry.link for entry in entries)


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    _written(tmp_path, GOOD)
    init.write(tmp_path, answers={"name": "Ville de Valmont"})
    assert (tmp_path / faq.FILE).read_text(encoding="utf-8") == GOOD


def test_the_doctor_names_faults_and_answers_that_are_old(tmp_path: Path) -> None:
    def _found(text: str) -> list[tuple[str, str]]:
        patient = doctor._Patient(
            home=_written(tmp_path, text),
            environ={},
            now=datetime(2027, 12, 1, tzinfo=UTC),
            settings=None,
            client=None,  # type: ignore[arg-type]
        )
        return [(check.status, check.what + check.remedy) for check in doctor._faq(patient)]

    ((status, what),) = _found(GOOD)
    assert (status, "not looked at for a year" in what) == ("warning", True)
    assert _found(GOOD.replace("2026-09-01", "2027-09-01")) == [("ok", "1 question answered")]
    ((status, what),) = _found("entries = 3")
    assert (status, "entries" in what) == ("error", True)


ENTRIES = tuple(
    Entry(question=first, others=tuple(others), answer="Voir la page.")
    for first, *others in (
        ("À quelle heure ouvre la piscine pendant les vacances ?", "Horaires de la piscine"),
        ("Où déposer le dossier de carte d'identité ?", "Comment refaire mon passeport ?"),
        ("Quand passe la collecte des encombrants ?",),
        ("L'eau du robinet est-elle potable ?",),
        ("Comment inscrire mon enfant à la cantine ?", "Inscription périscolaire"),
        ("Où se garer en centre-ville ?", "Tarifs du stationnement"),
        ("Comment signaler un nid-de-poule ou un lampadaire en panne ?",),
        ("Quels sont les horaires de la déchèterie ?",),
        ("Comment obtenir un acte de naissance ?",),
        ("Comment demander un logement social ?",),
    )
)
# Each question with its entry above, None where none answers it. Written for this test.
QUESTIONS = (
    ("Bonjour Valmont, quand ouvre la piscine des Ormes ?", 0),
    ("La piscine des Ormes est-elle ouverte le dimanche ?", 0),
    ("quels sont les horaires du bassin nautique svp ?", 0),
    ("Où faut-il aller pour la carte nationale d'identité ?", 1),
    ("Comment faire pour renouveler un passeport ?", 1),
    ("C'est quand les encombrants dans ma rue ?", 2),
    ("Peut-on boire l'eau du robinet aux Tilleuls ce soir ?", 3),
    ("L'eau est-elle potable pour un bébé ?", 3),
    ("Comment on inscrit les petits à la cantine scolaire ?", 4),
    ("Où peut-on stationner gratuitement dans le centre ?", 5),
    ("Le stationnement est-il payant samedi ?", 5),
    ("À qui signaler un lampadaire éteint ?", 6),
    ("Quelqu'un sait quand rouvre la déchèterie ?", 7),
    ("A quelle heure ferme la dechetterie ?", 7),
    ("Comment avoir un extrait d'acte de naissance ?", 8),
    ("Comment faire une demande de HLM ?", 9),
    ("Pourquoi le bus 4 est-il toujours en retard ?", None),
    ("Quand sera voté le budget ?", None),
    ("Où voir le feu d'artifice ?", None),
    ("Quelqu'un a perdu un chat gris rue Pasteur ?", None),
    ("À quelle heure commence le concert place des Halles ?", None),
    ("Quand finiront les travaux de la gare ?", None),
    ("Y a-t-il un marché de Noël cette année ?", None),
    ("Comment contacter le maire ?", None),
    ("Où se plaindre du bruit des voisins ?", None),
    ("Les écoles sont-elles fermées demain à cause de la neige ?", None),
    ("À quelle heure ouvre la médiathèque ?", None),
    ("Combien coûte l'abonnement de bus ?", None),
)


def test_answers_are_found_by_meaning_and_a_wrong_one_is_not_shown() -> None:
    said = [s for kind in (*valmont._KINDS, *valmont._CRISIS) for s in kind.sentences] * 4
    usual = Counter(word for text in said for word in stories.terms(text, {"valmont"}))
    texts = [text for text, _ in QUESTIONS]
    near = asked.likeness(texts, ENTRIES, known={"valmont"}, usual=usual, usual_total=len(said))
    found = [asked.best(near, ENTRIES, [place]) for place in range(len(texts))]
    shown = [ENTRIES.index(each[0]) if each else None for each in found]
    wanted = [entry for _, entry in QUESTIONS]
    assert sum(s is not None and s != w for s, w in zip(shown, wanted, strict=True)) == 0
    assert sum(s == w for s, w in zip(shown, wanted, strict=True) if w is not None) >= 12


def test_a_recurring_request_has_its_answer_beside_it() -> None:
    found = stories.bundles(
        [_message(f"Quand ouvre la piscine des Ormes, numéro {n} ?", n) for n in range(4)]
        + [_message(f"Où voir le feu d'artifice ce soir, place {n} ?", 9 + n) for n in range(3)]
    )
    first, second = asked.asked(found, faq=ENTRIES)
    assert (first.mention_count, first.answer) == (4, ENTRIES[0])
    assert first.likeness is not None
    assert (second.mention_count, second.answer) == (3, None)


def test_the_page_shows_the_answer_its_link_or_that_there_is_none() -> None:
    entry = Entry(
        question="L’eau du robinet est-elle potable ?",
        answer="Oui : <b>analyses</b> du jour.",
        link="https://www.valmont.example/eau?q=1&b=2",
    )
    with valmont.warehouse_of("crisis") as connection:
        texts = {
            name: digest.render(
                digest.build(
                    connection,
                    settings=valmont.SETTINGS,
                    day=valmont.DAY,
                    as_of=valmont.AS_OF,
                    faq=given,
                ),
                locale="fr",
            ).html
            for name, given in (("some", (entry,)), ("none", ()), ("broken", None))
        }
    assert "&lt;b&gt;analyses&lt;/b&gt;" in texts["some"]
    assert 'href="https://www.valmont.example/eau?q=1&amp;b=2"' in texts["some"]
    assert "Aucune de ces questions n’a de réponse au dossier" in texts["none"]
    assert "faq.toml ne peut pas être lu" in texts["broken"]
