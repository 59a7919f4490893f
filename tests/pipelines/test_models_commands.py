"""`vigie models train, evaluate, card, drift, gold` as an operator types them."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from models import checkpoint, drift, gold, sentiment, train
from models.sentiment import LABELS
from pipelines import models_commands
from pipelines.console import bar
from pipelines.errors import VigieError
from pipelines.models_cli import models_app
from tests.models.test_gold import Shipped, gold_set, small_network

__all__ = ["small_network"]  # a fixture: each test reads with the small network


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentiment, "load", lambda *_: Shipped())
    monkeypatch.setattr(models_commands.out, "width", 200)


def said(*words: object) -> str:
    """What a command prints, on one line."""
    result = CliRunner().invoke(models_app, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def refused(*words: object) -> str:
    with pytest.raises(VigieError) as raised:
        CliRunner().invoke(models_app, list(map(str, words)), catch_exceptions=False)
    return str(raised.value)


CSV = """message;avis;langue
Merci beaucoup;Positif;fr-FR
Quelle honte;NÉGATIF;fr
Le guichet est fermé;négative;fr
Thanks for nothing;neutre;en
À ne pas juger;;fr
;neutre;fr
"""


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "avis.csv"
    path.write_text(CSV, encoding="utf-8-sig")
    return path


COLUMNS = ("--text", "message", "--label", "avis", "--lang", "langue")


def test_anyones_file_is_judged_with_its_own_columns_and_french_labels(labelled: Path) -> None:
    told = said("evaluate", "--data", labelled, *COLUMNS)
    assert "5 texts judged, 0 not read" in told
    assert "1 rows without a label" in told
    heads = "lang texts F1 interval recall accuracy error mined"  # the second line of each
    assert heads in told
    assert "all 5" in told
    assert "en 1" in told
    assert "fr 4" in told


def test_the_worst_errors_come_with_the_words_that_moved_them(labelled: Path) -> None:
    told = said("evaluate", "--data", labelled, *COLUMNS)
    assert "The 1 worst errors" in told
    assert "negative positive 40 % guichet +10 Le guichet est fermé" in told


def test_a_text_that_no_model_reads_is_counted_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": "Merci", "label": "pos", "lang": lang} for lang in ("fr", "ja")]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert "1 texts judged, 1 not read" in said("evaluate", "--data", path)
    path.write_text(json.dumps(rows[1]))
    assert "reads no text of a.jsonl" in refused("evaluate", "--data", path)


def test_a_gold_set_is_judged_in_the_place_of_data_and_parquet_is_read(
    labelled: Path, tmp_path: Path
) -> None:
    path = tmp_path / "gold.parquet"
    pq.write_table(pa.table({"texte": ["Merci", "Honte"], "label": ["positive", "neg"]}), path)
    told = said("evaluate", "--gold", path, "--text", "texte")
    assert "gold.parquet, vigie-sentiment-2" in told
    told = refused("evaluate", "--data", labelled, *COLUMNS, "--gold", path)
    assert "--data and --gold are both given, and one file is judged at a time" in told


@pytest.mark.parametrize("width", [80, 120])
def test_no_figure_is_cut_where_the_terminal_is_narrow(
    width: int, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models_commands.out, "width", width)
    rows = [f'"Merci {place} {"très " * 60}",positif,fr\n' for place in range(60)]
    rows += [f'"Le guichet {place}",négatif,en\n' for place in range(60)]
    path = tmp_path / "long.csv"
    path.write_text("text,label,lang\n" + "".join(rows))
    result = CliRunner().invoke(models_app, ["evaluate", "--data", str(path)])
    lines = result.output.splitlines()
    assert max(map(len, lines)) <= width
    figures = next(line for line in lines if line.startswith("all "))
    assert len(figures.split()) == 9  # eight columns, of which one holds a number and its unit
    assert not any("…" in line for line in lines if "texts judged" not in line)


def test_texts_of_strangers_are_neither_markup_nor_orders_to_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    text = "[red]honte[/red]\x1b[2J au guichet"
    path.write_text(json.dumps({"text": text, "label": "positive", "lang": "fr"}))
    told = said("evaluate", "--data", path)
    assert "[red]honte[/red][2J au guichet" in told
    assert "\x1b[2J" not in told


WRONG = [
    ("text,label\nx,mitigé\nx,bof\n", (), "row 1 of a.csv has the label 'mitigé'"),
    ("text,label\nx,mitigé\nx,bof\n", (), "others hold 'bof'"),
    ("text,label\nx,mitigé\n", (), "write negative, neutral or positive (or négatif"),
    ("text,label\nx,1\nx,0\n", (), "has the label '1'"),
    ("text,label\nx,\n", (), "has no label in any row"),
    ("text,label\n", (), "has no row"),
    ("corps,label\nx,neg\n", (), "holds the texts, or name it with --text"),
    (
        "text,avis\nx,neg\n",
        (),
        "no column 'label' but text, avis: rename it, or name it with --label",
    ),
    ("text,label\nx,neg\n", ("--lang", "langue"), "no column 'langue'"),
]


@pytest.mark.parametrize(("content", "options", "told"), WRONG)
def test_a_wrong_file_is_told_with_what_to_do(
    content: str, options: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    assert told in refused("evaluate", "--data", path, *options)


def test_a_text_in_the_column_of_labels_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\nx,Monsieur Untel habite au 3 rue des Lilas\n")
    told = refused("evaluate", "--data", path)
    assert "a value of 40 characters" in told
    assert "Untel" not in told


def test_files_that_are_not_there_or_of_no_known_form_are_told(tmp_path: Path) -> None:
    assert "is not a file" in refused("evaluate", "--data", tmp_path / "a.csv")
    assert "use .csv, .jsonl" in refused("gold", tmp_path / "a.xlsx")
    assert "give --data FILE or --gold FILE" in refused("evaluate")
    (tmp_path / "b.jsonl").write_text("{broken")
    assert "not JSON" in refused("gold", tmp_path / "b.jsonl")


@pytest.mark.parametrize("command", ["drift", "gold"])
def test_every_command_has_the_options_that_its_hints_name(command: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("corps,avis,langue\nMerci,positif,fr\n")
    told = refused(command, path)
    assert "no column 'text' but corps, avis, langue" in told
    assert "or name it with --text" in told
    told = refused(command, path, "--text", "corps", "--lang", "lg")
    assert "no column 'lg' but corps, avis, langue: rename it, or name it with --lang" in told


def test_nothing_is_drawn_before_what_is_wrong_with_the_arguments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("corps\nMerci\n")
    refused("drift", path)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    with bar("score") as moved:
        assert capsys.readouterr().err == ""
        moved(1, 2)
    assert "1/2" in capsys.readouterr().err


def test_languages_that_are_none_are_counted_and_shown_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = "zut, Monsieur Untel habite au 3 rue des Lilas"
    langs = ["FR", "français", "fr-FR", "", "xx", "xx", "[b]q[/b]", "\x1b[2J", text]
    rows = "".join(f'Merci,positif,"{lang}"\n' for lang in langs)
    path.write_text(f"text,label,lang\n{rows}")
    told = said("evaluate", "--data", path)
    assert "5 rows have an unknown language ('xx' 2, '\\x1b[2J' 1, '[b]q[/b]' 1, …)" in told
    assert "leave it empty, and it is found" in told
    assert "4 texts judged, 5 not read" in told
    assert "Untel" not in told


def test_a_gold_set_may_have_columns_of_other_names_and_weights(tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    path.write_text("corps,avis,weight\nMerci,positif,2\nHonte,négatif,\n")
    told = said("gold", path, "--text", "corps", "--label", "avis", "--home", tmp_path)
    assert "2 texts are too few" in told
    path.write_text("text,label,weight\nMerci,neg,-2\n")
    assert "row 1 of few.csv has the weight '-2'" in refused("gold", path)
    assert "1 texts judged" in said("evaluate", "--data", path)  # where a weight means nothing


@pytest.fixture
def gold_file(tmp_path: Path) -> Path:
    own, path = gold_set(), tmp_path / "gold.parquet"
    labels = [LABELS[place] for place in own.classes]
    pq.write_table(pa.table({"text": own.texts, "lang": own.langs, "label": labels}), path)
    return path


def test_a_gold_set_is_judged_first_and_promoted_when_asked(
    gold_file: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    told = said("gold", gold_file, "--home", home)
    assert "It is better: `--promote` writes it" in told
    assert not home.exists()
    assert 'under [models]: sentiment = "gold"' in said(
        "gold", gold_file, "--home", home, "--promote"
    )
    assert gold.load_gold(home / "models", base=Shipped()).model_id.endswith("+gold-1")
    told = said("evaluate", "--gold", gold_file, "--model", "gold", "--home", home)
    assert "vigie-sentiment-2+gold-1" in told
    assert "learnt from its gold set: what follows flatters it" in told
    assert "flatters" not in said("evaluate", "--gold", gold_file)


def test_a_gold_set_that_proves_nothing_changes_nothing_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    path.write_text("text,label,weight\nMerci,positif,2\nHonte,négatif,\n")
    told = said("gold", path, "--home", tmp_path / "home", "--promote")
    assert "nothing has changed: - 2 texts are too few: label at least 100" in told
    assert not (tmp_path / "home").exists()


def test_a_gold_head_that_is_not_there_is_no_traceback(gold_file: Path, tmp_path: Path) -> None:
    told = refused("evaluate", "--gold", gold_file, "--model", "gold", "--home", tmp_path)
    assert "vigie models gold FILE --promote" in told


def test_drift_says_of_each_figure_whether_it_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["Merci, le guichet est parfait", "Honte"] * 150
    reference = tmp_path / "reference.json"
    reference.write_text(json.dumps(drift.reference(texts, ["fr"] * 300, tone=Shipped())))
    read = drift.read_reference(Shipped(), path=reference)
    monkeypatch.setattr(drift, "read_reference", lambda _: read)
    path = tmp_path / "a.csv"
    own = 'Honte,fr\n"Merci, le guichet est parfait",fr\n' * 120
    path.write_text("text,lang\n" + own)
    told = said("drift", path)
    assert told.count(" ok") == len(drift.KINDS)
    assert "of the same kinds of writing: " in told
    path.write_text("text,lang\n" + own + "Thanks,en\n" * 3 + "Bof,patois\n" * 2)
    told = said("drift", path)
    assert "Not compared, since training text has none of it: en 3, none or unknown 2" in told
    path.write_text("corps,langue\n" + "Zblorg frumeux zblorg,FR\n" * 240)
    told = said("drift", path, "--text", "corps", "--lang", "langue")
    assert "fr, words not known: new names or another way of writing" in told
    path.write_text("text,lang\n" + "Zblorg frumeux zblorg,fr\n" * 30)
    told = said("drift", path)
    assert "30 texts are fr: under 200 the figures move by chance, without a verdict" in told
    assert "new names" not in told
    path.write_text("text,lang\n")
    assert "has no row" in refused("drift", path)


def test_a_missing_reference_of_drift_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift.read_reference, "__kwdefaults__", {"path": tmp_path / "none.json"})
    (tmp_path / "a.csv").write_text("text\nMerci\n")
    assert "vigie models train" in refused("drift", tmp_path / "a.csv")


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The calls that training gets."""
    calls: list[Any] = []

    def once(setting: train.Setting, *, only: tuple[str, ...]) -> dict[str, str]:
        calls.append((setting, only))
        logging.getLogger("models.train").info("models.written step=[b] %s", only)
        return dict.fromkeys(only, "f" * 64)

    monkeypatch.setattr(train, "train", once)
    return calls


def test_training_runs_its_steps_in_order_and_says_what_was_written(
    trained: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models_commands, "find_spec", lambda name: name)
    told = said(
        "train", "--data", tmp_path, "--out", tmp_path / "w", "--work", tmp_path, "--seed", 3
    )
    assert [only for _, only in trained] == [(step,) for step in train.STEPS]
    assert trained[0][0] == train.Setting(tmp_path, tmp_path / "w", tmp_path, 3)
    assert "f" * 64 in told
    assert "Next: vigie models card --data" in told


def test_one_step_alone_needs_no_torch(
    trained: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models_commands, "find_spec", lambda _: None)
    said("train", "--data", tmp_path, "--only", "heads", "--only", "tone")
    assert [only for _, only in trained] == [("tone",), ("heads",)]
    assert trained[0][0].out == checkpoint.WEIGHTS
    told = refused("train", "--data", tmp_path)
    assert "training needs torch and floret" in told
    assert "pip install -e '.[train]'" in told


def test_one_head_alone_is_fitted_by_its_name(trained: list[Any], tmp_path: Path) -> None:
    said("train", "--data", tmp_path, "--only", "heads", "--head", "T13", "--head", "T20")
    assert trained[0][0].heads == ("T13", "T20")
    assert "--head 'T99' is no head: use T01, T02" in refused(
        "train", "--data", tmp_path, "--only", "heads", "--head", "T99"
    )


def test_what_training_lacks_is_told(
    trained: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--only 'tones' does not exist: use network, tone" in refused(
        "train", "--data", tmp_path, "--only", "tones"
    )
    assert "is not a folder" in refused("train", "--data", tmp_path / "none")

    def lacking(*_: object, **__: object) -> dict[str, str]:
        raise FileNotFoundError(2, "No such file", "sent_umsab.parquet")

    monkeypatch.setattr(train, "train", lacking)
    told = refused("train", "--data", tmp_path, "--only", "tone")
    assert "step tone lacks a file (sent_umsab.parquet)" in told


def test_cards_are_written_from_data_and_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    card = ModuleType("models.card")
    card.write = lambda *folders: calls.append(folders) or ["tone"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "models.card", card)
    monkeypatch.setattr("models.card", card, raising=False)
    assert "written: tone" in said("card", "--data", tmp_path, "--work", tmp_path)
    assert calls == [(tmp_path, tmp_path)]
    assert "--work" in refused("card", "--data", tmp_path, "--work", tmp_path / "none")
