"""The command line: what an operator types wrong comes back as one line, never as a traceback."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from pipelines import budget, cli, console, doctor, init, rules_cli, run, run_told, wording
from pipelines.doctor import Check
from pipelines.limits import Limit, Price, Rolling
from pipelines.said import say
from pipelines.sources import file


def said(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What `vigie` prints when it ends with status 2, on one line."""
    monkeypatch.setattr(sys, "argv", ["vigie", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    return " ".join(printed.split())


WRONG = [
    (["watch", "--until", "2999-01-01T00:00"], "--until 2999-01-01T00:00 n’est pas encore passé"),
    (
        ["watch", "--since", "2026-10-02T00:00", "--until", "2026-10-01T00:00"],
        "finirait (2026-10-01T00:00) avant de commencer (2026-10-02T00:00)",
    ),
    (["digest", "--day", "2999-01-01"], "le 2999-01-01 n’a pas encore commencé"),
    (["digest", "--day", "2/1/2999"], "le 2999-01-02 n’a pas encore commencé"),
    (["upkeep", "--as-of", "2999-01-01"], "--as-of 2999-01-01T00:00 n’est pas encore passé"),
    (["rescore", "2026-10-02", "2026-10-01"], "inversez les deux"),
]


@pytest.mark.parametrize(("words", "told"), WRONG)
def test_a_wrong_moment_is_told_and_nothing_is_run(
    words: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    init.write(tmp_path, answers={"name": "Ville de Monbourg"})
    before = sorted(tmp_path.rglob("*"))
    assert told in said([*words, "--home", str(tmp_path)], monkeypatch, capsys)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("26/11/2026", "2026-11-26T00:00:00"),
        ("26/11/2026 16:05", "2026-11-26T16:05:00"),
        ("6/1/2026T8h05", "2026-01-06T08:05:00"),
        ("2026-11-26", "2026-11-26T00:00:00"),
        ("2026-11-26T16:00", "2026-11-26T16:00:00"),
        ("2026-11-26T16:00+01:00", "2026-11-26T16:00:00+01:00"),
    ],
)
def test_a_moment_is_read_as_iso_and_as_french_people_write_it(text: str, told: str) -> None:
    assert console.moment(text).isoformat() == told


@pytest.mark.parametrize("text", ["31/02/2026", "11/26/2026", "hier", "26/11/26"])
def test_what_is_no_moment_is_told_with_the_right_form(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write 2026-11-26, 26/11/2026"):
        console.moment(text)


def test_an_institution_without_a_name_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(["init", "--home", str(tmp_path / "town")], monkeypatch, capsys)
    assert "l’institution n’a pas de nom : donnez-lui-en un, --name" in told
    assert not (tmp_path / "town").exists()


def test_sources_and_upkeep_need_no_secret_of_a_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init.write(tmp_path, answers={"name": "Ville de Monbourg"})
    toml = tmp_path / "vigie.toml"
    block = '\n[[sources]]\nname = "chaine"\nkind = "youtube"\nkey_env = "VIGIE_NOT_SET"\n'
    toml.write_text(toml.read_text(encoding="utf-8") + block, encoding="utf-8")
    for words in (["sources"], ["upkeep"]):
        _run([*words, "--home", str(tmp_path)], monkeypatch)
    assert "VIGIE_NOT_SET" in said(["watch", "--home", str(tmp_path)], monkeypatch, capsys)


@pytest.mark.parametrize(("locale", "head"), [("fr", "règle"), ("en", "rule")])
def test_the_rules_are_listed_in_the_language_of_the_home(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    locale: str,
    head: str,
) -> None:
    init.write(tmp_path, answers={"name": "Valmorin"})
    toml = tmp_path / "vigie.toml"
    text = toml.read_text(encoding="utf-8").replace('locale = "fr"', f'locale = "{locale}"')
    toml.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(rules_cli.rules_app, ["list", "--home", str(tmp_path)])
    assert result.output.split()[0] == head


def _home(folder: Path, locale: str) -> list[str]:
    """The option that names a new home of that language."""
    init.write(folder, answers={"name": "Valmorin"})
    _home_speaks(folder, locale)
    return ["--home", str(folder)]


def _home_speaks(folder: Path, locale: str) -> None:
    toml = folder / "vigie.toml"
    text = toml.read_text(encoding="utf-8").replace('locale = "fr"', f'locale = "{locale}"')
    toml.write_text(text, encoding="utf-8")


COUNTS = {"sources": 2, "posts": 5, "accepted": 3, "off_subject": 2, "inserted": 3}
RUNS = [
    (
        "fr",
        {"sources_failed": 0, "alerts": 2, "mails_failed": 1},
        "2 sources lues : 5 messages reçus, 3 gardés, 2 hors sujet."
        " Dans l’entrepôt : 3 nouveaux."
        " 2 alertes ouvertes : « vigie alerts list » les montre."
        " 1 courriel n’a pas pu partir et sera réessayé : « vigie doctor » dit pourquoi.",
    ),
    (
        "en",
        {"sources_failed": 0, "alerts": 0, "mails_failed": 0, "mails_waiting": 2},
        "2 sources read: 5 messages received, 3 kept, 2 off the subject."
        " In the warehouse: 3 new. No alert is open. 2 mails wait for their turn.",
    ),
]


@pytest.mark.parametrize(("locale", "found", "told"), RUNS)
def test_a_run_says_what_it_did_and_what_to_run_next(
    locale: str,
    found: dict[str, int],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run, "watch", lambda *_, **__: COUNTS | found)
    _run(["watch", *_home(tmp_path, locale)], monkeypatch)
    assert " ".join(capsys.readouterr().out.split()) == told


@pytest.mark.parametrize(
    ("locale", "told"),
    [
        ("fr", "Échec : 1 source n’a pas pu être lue (exports). « vigie sources » dit pourquoi"),
        ("en", "Failed: 1 source could not be read (exports). `vigie sources` says why"),
    ],
)
def test_a_run_of_which_a_source_failed_ends_with_1_and_says_which(
    locale: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["watch", *_home(tmp_path, locale)]
    (tmp_path / "inbox").rmdir()
    _run(words, monkeypatch, code=1)
    printed = capsys.readouterr()
    *_, last = printed.err.splitlines()
    assert last.replace("\u00a0", " ").startswith(told)
    assert printed.out.count("\n") == 1  # no source was read: the alerts alone


@pytest.mark.parametrize("name", ["live", "refreshed"])
def test_a_run_of_which_a_step_failed_ends_with_1(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = COUNTS | {"sources_failed": 0, "alerts": 0, f"{name}_failed": 1}
    monkeypatch.setattr(run, "watch", lambda *_, **__: counts)
    _run(["watch", *_home(tmp_path, "fr")], monkeypatch, code=1)
    assert capsys.readouterr().err.startswith("Échec")


@pytest.mark.parametrize(
    ("locale", "gone", "none"),
    [
        ("fr", "Effacé, arrivé à échéance : 1 200 textes, 1 refus.", "Rien n’est arrivé"),
        ("en", "Erased, its time being over: 1,200 texts, 1 refusal.", "Nothing has reached"),
    ],
)
def test_upkeep_says_in_sentences_what_it_did(
    locale: str,
    gone: str,
    none: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["upkeep", *_home(tmp_path, locale)]
    _run(words, monkeypatch)
    printed = capsys.readouterr().out
    assert none in printed
    assert str(tmp_path / "published" / "analyst.duckdb") in printed
    receipt = {"texts": 1200, "mentions": 0, "quarantined": 1}
    monkeypatch.setattr(run, "expire", lambda *_, **__: receipt)
    _run(words, monkeypatch)
    assert gone in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("locale", "digest", "deliver", "erase"),
    [
        (
            "fr",
            "Rien n’a encore été lu",
            "Rien n’attend de partir.",
            "Aucun message n’a été trouvé",
        ),
        ("en", "Nothing has been read yet", "Nothing waits to be sent.", "No post was found"),
    ],
)
def test_a_home_that_has_read_nothing_says_so_in_its_language(
    locale: str,
    digest: str,
    deliver: str,
    erase: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = _home(tmp_path, locale)
    for words, code, told in (
        (["digest", "--no-mail"], 1, digest),
        (["deliver"], 0, deliver),
        (["erase", "--permalink", "https://a.example/1"], 0, erase),
    ):
        _run([*words, *home], monkeypatch, code=code)
        assert told in capsys.readouterr().out


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_all_that_a_run_or_the_upkeep_counts_has_its_word(locale: str, tmp_path: Path) -> None:
    init.write(tmp_path, answers={"name": "Valmorin"})
    spoken = wording.words(locale, UTC, name="cli")
    receipt = run.expire(run.house(tmp_path, environ={}), as_of=datetime.now(UTC))
    names = {*receipt, *(key for keys in (run_told._READ, run_told._STORED) for key in keys)}
    assert not names - spoken.texts["counts"].keys()
    assert {run_told.step(name, spoken) for name in ("plan", "wait", "collect x", "accept")}


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "existe pas"),
        ({"LANG": "C.UTF-8"}, "existe pas"),
        ({"LANG": "de_DE.UTF-8"}, "existe pas"),
        ({"LANG": "en_GB.UTF-8"}, "does not exist"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "en_US.UTF-8"}, "does not exist"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "fr_FR.UTF-8"}, "existe pas"),
    ],
)
def test_without_a_home_the_environment_says_the_language(
    environ: dict[str, str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANG")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(cli.app, ["doctor", "--home", str(tmp_path / "away")])
    assert result.exit_code == 1
    assert told in " ".join(result.stdout.split())  # the folder's name decides where lines end
    assert result.stdout.count("✗") == 1


@pytest.mark.parametrize(
    ("locale", "done", "again"),
    [("fr", "Ouvrez-le", "existe déjà"), ("en", "Open it", "exists: change it")],
)
def test_the_beginning_of_a_home_is_told_in_the_language_of_who_begins_it(
    locale: str,
    done: str,
    again: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LANG", f"{locale}_XX.UTF-8")
    words = ["init", "--name", "Valmorin", "--home", str(tmp_path)]
    _run(words, monkeypatch)
    assert done in capsys.readouterr().out
    _home_speaks(tmp_path, locale)
    assert again in said(words, monkeypatch, capsys)


def test_a_digest_tries_no_mail_without_the_secret_of_the_server(tmp_path: Path) -> None:
    init.write(tmp_path, answers={"name": "Valmorin"})
    bare = run.house(tmp_path, environ={})
    assert cli._can_send(bare)
    mail = bare.settings.mail.model_copy(update={"username": "vigie"})
    named = replace(bare, settings=bare.settings.model_copy(update={"mail": mail}))
    assert not cli._can_send(named)
    assert cli._can_send(replace(named, secrets={mail.password_env: "x"}))


@pytest.mark.parametrize(
    ("failed", "told"), [(0, "le reçoivent par courriel"), (1, "« vigie deliver » réessaie")]
)
def test_a_digest_whose_mail_could_not_be_sent_says_so(
    failed: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run, "digest", lambda *_, **__: tmp_path / "2026-11-19.fr.html")
    monkeypatch.setattr(run, "deliver", lambda *_, **__: {"sent": 0, "failed": failed})
    _run(["digest", *_home(tmp_path, "fr")], monkeypatch)
    assert told in capsys.readouterr().out


def test_a_home_that_is_not_there_is_told_where_the_published_file_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = str(tmp_path / "away")
    assert "n’existe pas : lancez `vigie init`" in said(
        ["sql", "--home", away, ".tables"], monkeypatch, capsys
    )


@pytest.mark.parametrize(
    ("locale", "told"), [("fr", "a 1 faute :"), ("en", "1 fault"), ("de", "1 fault")]
)
def test_faulty_settings_are_told_in_the_institutions_language(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    locale: str,
    told: str,
) -> None:
    init.write(tmp_path, answers={"name": "Valmorin", "kind": "commune"})
    toml = tmp_path / "vigie.toml"
    text = toml.read_text(encoding="utf-8").replace('kind = "commune"', 'kind = "village"')
    if locale == "de":
        text = text.replace('kind = "village"', 'kind = "commune"')
    toml.write_text(text.replace('locale = "fr"', f'locale = "{locale}"'), encoding="utf-8")
    assert told in said(["alerts", "list", "--home", str(tmp_path)], monkeypatch, capsys)


def test_ctrl_c_during_a_query_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise RuntimeError(cli.QUERY_BROKEN_OFF)

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130


def test_a_home_that_may_not_be_written_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(home: Path, **_: object) -> Path:
        raise PermissionError(13, "Permission denied", str(home))

    monkeypatch.setattr(init, "write", refuse)  # root, who runs some tests, is refused nothing
    words = ["init", "--name", "Valmorin", "--home", str(tmp_path / "closed")]
    told = said(words, monkeypatch, capsys)
    assert "Permission denied" in told
    assert "chown or chmod" in told


def test_a_home_that_is_a_file_is_told_as_a_wrong_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    assert "nommez le dossier avec --home" in said(
        ["sources", "--home", str(file)], monkeypatch, capsys
    )


def test_what_is_wrong_with_a_file_is_told_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.csv"
    source.write_text("corps,langue\nMerci,fr\n", encoding="utf-8")
    words = ["score", str(source), "--out", str(tmp_path / "out.csv")]
    told = said(words, monkeypatch, capsys)
    assert told.startswith("in.csv has no column 'text' but corps, langue")
    assert told.endswith("or name it with --text")
    told = said([*words, "--text", "corps", "--lang", "lg"], monkeypatch, capsys)
    assert told.startswith("in.csv has no column 'lg'")
    assert not (tmp_path / "out.csv").exists()


def test_score_names_columns_and_tells_languages_that_are_none(tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("corps,langue\nMerci beaucoup,FR\nMerci,xx\n", encoding="utf-8")
    words = ["score", str(source), "--out", str(out), "--text", "corps", "--lang", "langue"]
    result = CliRunner().invoke(cli.app, [*words, "--workers", "1"], catch_exceptions=False)
    told = " ".join(result.output.split())
    assert "2 texts scored into" in told
    assert "1 rows have an unknown language ('xx' 1)" in told
    assert "positive" in out.read_text(encoding="utf-8")


def _run(words: list[str], monkeypatch: pytest.MonkeyPatch, code: int = 0) -> None:
    monkeypatch.setattr(sys, "argv", ["vigie", *words])
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(console.out, "_width", 200)  # made at import, whatever the terminal was
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code


def test_coverage_and_budgets_of_a_home_that_has_read_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init.write(tmp_path, answers={"name": "Ville de Monbourg"})
    home = ["--home", str(tmp_path)]
    for words, told in (
        (["coverage", "--by-hour"], "La source exports n’a pas été lue de ces quatre semaines"),
        (["sources"], "exports"),
        (["backfill"], "Aucun trou de la semaine n’est ouvert"),
    ):
        _run([*words, *home], monkeypatch)
        assert told in capsys.readouterr().out


def test_sources_tells_how_far_each_budget_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init.write(tmp_path, answers={"name": "Ville de Monbourg"})
    toml = tmp_path / "vigie.toml"
    capped = 'path = "inbox"\nmonthly_cap = 2\n'
    toml.write_text(toml.read_text().replace('path = "inbox"\n', capped))
    price = Price(name="calls", amount="0.005", currency="EUR")
    limits = (Limit(name="search", most=100, per=Rolling(3600)),)
    manifest = replace(file.MANIFEST, limits=limits, prices=(price,))
    monkeypatch.setattr(file, "MANIFEST", manifest)
    with closing(budget.Ledger(tmp_path / budget.FILE)) as ledger:
        house = run.house(tmp_path, environ={})
        (mine,) = run.budgets(house, ledger)
        now = datetime.now(UTC)
        held = mine.ask(budget.Call(method="GET", host="api.example", path="/"), now=now)
        assert isinstance(held, budget.Held)
        told = budget.Told(remaining=41, reset_at=now + timedelta(minutes=5), most=60)
        mine.answered(held, status=200, found={}, told=told, now=now)
    _run(["sources", "--home", str(tmp_path)], monkeypatch)
    printed = " ".join(capsys.readouterr().out.split())
    assert "exports search api.example 1 / 100 appels en 60 min 99" in printed
    assert "exports argent de ce mois 0.005 / 2.00 EUR 1.995" in printed
    assert "19 / 60 appels, dit le service 41" in printed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["backfill", "--since", "2026-10-01T00:00"], "une période a deux bouts"),
        (["backfill", "--source", "fax"], "aucune source ne s’appelle 'fax' : il y a exports"),
        (["coverage", "--since", "2999-01-01T00:00"], "inversez les deux, ou choisissez"),
    ],
)
def test_a_wrong_span_or_source_is_told(
    words: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    init.write(tmp_path, answers={"name": "Ville de Monbourg"})
    assert told in said([*words, "--home", str(tmp_path)], monkeypatch, capsys)


def test_places_tells_each_name_with_its_place_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init.write(tmp_path, answers={"name": "Ville de Tours"})
    monkeypatch.setenv("COLUMNS", "200")
    words = ["places", "Ici les tours, et Blois", "--about", "--home", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["vigie", *words])
    with pytest.raises(SystemExit):
        cli.main()
    printed = capsys.readouterr().out
    assert "Blois (commune:41018)" in printed
    assert "a determiner" in printed
    assert "no place" in printed


def test_places_of_nothing_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["places", " ", "--home", str(tmp_path)]
    assert "il n’y a pas de texte" in said(words, monkeypatch, capsys)


def test_sources_tells_what_a_run_noted_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init.write(tmp_path, answers={"name": "Ville de Monbourg"})
    now = datetime.now(UTC).replace(microsecond=0)
    rows = f"date,text,url\n{now.isoformat()},Le pont,https://a.example/1\n{now},a,b,c,d\n"
    (tmp_path / "inbox" / "export.csv").write_text(rows, encoding="utf-8")
    run.watch(run.house(tmp_path, environ={}), since=now - timedelta(minutes=5), until=now, now=now)
    _run(["sources", "--home", str(tmp_path)], monkeypatch)
    printed = " ".join(capsys.readouterr().out.split())
    assert "UTC : export.csv : 1 ligne lue comme generic" in printed
    assert (
        "exports : 1 refusé (ligne abîmée) : export.csv, ligne 3 : 5 cases là où l’en-tête en a 3"
        in printed
    )
    assert "dernier relevé" in printed
    _run(["sources", "--home", str(tmp_path), "--locale", "en"], monkeypatch)
    printed = " ".join(capsys.readouterr().out.split())
    assert "UTC: export.csv : 1 ligne lue" in printed  # a note is kept as it was told to the home
    assert "exports: 1 refused (broken row): export.csv" in printed
    assert "last run" in printed
    for locale, shown in (("fr", "état"), ("en", "state")):
        _run(["coverage", "--home", str(tmp_path), "--locale", locale], monkeypatch)
        assert shown in capsys.readouterr().out


def test_the_heads_of_a_table_are_folded_between_words() -> None:
    heads = ("name", "kept, 24 h", "refused, 24 h", "why")
    shown = Console(width=30, record=True, file=StringIO())
    shown.print(console.table(heads, [("exports", 1, 2, "a long reason " * 4)]))
    assert "refused," in shown.export_text()


@pytest.mark.parametrize("width", [70, 80, 90, 120])
def test_nothing_of_a_table_is_cut_where_the_terminal_is_narrow(width: int) -> None:
    heads = ("rule", "version", "label", "severity", "window", "told to")
    row = ("engagement_surge", "1", "Appel à se rassembler", "warning, critical")
    shown = Console(width=width, record=True, file=StringIO())
    shown.print(console.table(heads, [(*row, "60 minutes or 6 hours of one call", "operators")]))
    text = shown.export_text()
    assert max(map(len, text.splitlines())) <= width
    for word in ("engagement_surge", "version", "label", "severity", "window", "told", "operators"):
        assert word in text


@pytest.mark.parametrize(
    ("locale", "line"),
    [("fr", "✗ disque : aucun encore"), ("en", "✗ disk: none yet")],
)
def test_doctor_tells_its_findings_in_the_locale_asked_for(
    locale: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Check(name=say("disk"), status="error", what=say("none yet"), remedy=say("delete them"))
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: [found])
    words = ["doctor", "--home", str(tmp_path), "--locale", locale]
    result = CliRunner().invoke(cli.app, words)
    assert result.exit_code == 1
    assert line in result.stdout
