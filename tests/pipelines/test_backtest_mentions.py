"""`vigie backtest` over stored mentions: as a run evaluates, on a copy, nothing sent or written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines import (
    backtest_compare,
    backtest_copy,
    backtest_mentions,
    backtest_pulse,
    backtest_report,
    backtest_rules,
    backtest_stored,
    cli,
    detect,
    rules,
    surge,
    warehouse,
    wording,
)
from pipelines.backtest_compare import Mark
from pipelines.backtest_copy import Copy
from pipelines.backtest_mentions import Replayed
from pipelines.backtest_stored import Asked
from pipelines.errors import VigieError
from pipelines.settings import Recipient, Settings
from tests.pipelines.staged import prepared
from tests.pipelines.watched import MODERATOR, Said, counted, say, settings

BURST = datetime(2026, 11, 19, 9, tzinfo=UTC)  # a Thursday, 10:00 in Paris
SINCE, UNTIL = BURST - timedelta(hours=4), BURST + timedelta(hours=5)
HOSTILE = "<script>alert(1)</script> l'eau est coupée [x](javascript:alert(2))"
PARIS = ZoneInfo("Europe/Paris")
FIVE = timedelta(minutes=5)


def people() -> tuple[Recipient, ...]:
    """Somebody on call, an operator, a head."""
    return (
        Recipient(name="Astreinte", email=MODERATOR, role="moderator", gets=("alerts",)),
        Recipient(name="Direction", email="d@v.example", role="director", gets=("digest",)),
        Recipient(name="Exploitation", email="x@v.example", role="operator", gets=("failures",)),
    )


def ordinary(days: int = 6, a_day: int = 240) -> list[Said]:
    """An even talk about the water, a tenth of it negative, some of it copied."""
    dice = np.random.default_rng(3)
    return [
        Said(
            at=BURST - timedelta(seconds=float(seconds)),
            text=f"Les travaux de la rue {number % 190}",
            author=f"{number % 70:064x}",
            sentiment="negative" if number % 10 == 0 else "neutral",
            topics=("T09",) if number % 6 == 0 else (),
            acts=("claim",) if number % 25 == 0 else (),
        )
        for number, seconds in enumerate(dice.uniform(-18_000, days * 86_400, days * a_day))
    ]


def crisis() -> list[Said]:
    """Two hours in which ten times as many people write, most of them angry."""
    return [
        Said(
            at=BURST + timedelta(seconds=36 * number),
            text=HOSTILE if number % 20 == 0 else f"Plus d'eau depuis ce matin au {number}",
            author=f"{1000 + number:064x}",
            sentiment="negative" if number % 4 else "neutral",
            topics=("T20",) if number % 8 == 0 else (),
            acts=("complaint",),
            services=("water",) if number % 3 == 0 else (),
            url="javascript:alert(3)" if number % 2 else f"https://m.example/@a/{number}",
        )
        for number in range(200)
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    found = settings(tmp_path_factory.mktemp("home"), recipients=people())
    prepared(found)
    with warehouse.opened(found.home) as connection:
        say(connection, [*ordinary(), *crisis()])
        counted(connection)
    return found


@pytest.fixture(scope="module")
def copy(made: Settings) -> Iterator[Copy]:
    with backtest_copy.copied(made, since=SINCE, until=UNTIL) as found:
        yield found


@pytest.fixture(scope="module")
def replayed(copy: Copy) -> Replayed:
    return backtest_mentions.replay(copy, backtest_rules.present(), since=SINCE, until=UNTIL)


def test_the_crisis_opens_and_is_told_to_those_on_call(replayed: Replayed) -> None:
    surge_opening = next(o for o in replayed.openings if o.rule_id == "volume_surge")
    assert BURST <= surge_opening.fired_at <= BURST + timedelta(minutes=45)
    assert surge_opening.severity == "critical"
    assert backtest_mentions.by_reader(replayed.mails)[MODERATOR, "firing"] >= 1
    assert all(mail.at >= BURST for mail in replayed.mails)


def test_nobody_answers_in_a_replay_so_that_the_head_is_told(replayed: Replayed) -> None:
    kinds = {(mail.recipient, mail.kind) for mail in replayed.mails}
    assert ("d@v.example", "escalation") in kinds


def test_passing_over_moments_changes_no_opening_and_no_mail(
    copy: Copy, replayed: Replayed
) -> None:
    plain = backtest_mentions.replay(
        copy, backtest_rules.present(), since=SINCE, until=UNTIL, skips=False
    )
    assert plain.asked == plain.steps
    assert replayed.asked < 0.75 * plain.asked
    assert (replayed.openings, replayed.mails) == (plain.openings, plain.mails)


def test_a_replay_that_ends_sooner_tells_the_same_until_then(
    made: Settings, replayed: Replayed
) -> None:
    end = BURST + timedelta(minutes=50)
    with backtest_copy.copied(made, since=SINCE, until=end) as shorter:
        found = backtest_mentions.replay(shorter, backtest_rules.present(), since=SINCE, until=end)
    assert found.mails == tuple(mail for mail in replayed.mails if mail.at <= end)
    assert found.mails


def test_the_warehouse_and_its_home_stay_as_they_were(made: Settings, tmp_path: Path) -> None:
    before = _state(made.home)
    asked = Asked(since=BURST, until=BURST + timedelta(minutes=30))
    with backtest_copy.copied(made, since=asked.since, until=asked.until) as found:
        told = backtest_stored.run(found, asked, [], source=None, bar=backtest_stored.silently)
    assert told.present.replayed.mails
    assert _state(made.home) == before


def _state(home: Path) -> dict[str, str]:
    paths = (path for path in sorted(home.rglob("*")) if path.is_file())
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def test_no_copy_is_left_and_a_rule_cannot_reach_a_file(made: Settings) -> None:
    with backtest_copy.copied(made, since=SINCE, until=UNTIL) as found:
        home = found.settings.home
        assert (home.stat().st_mode & 0o077) == 0
        with pytest.raises(duckdb.PermissionException, match="disabled"):
            found.connection.execute("select * from read_text('/etc/hostname')")
    assert not home.exists()


def test_every_count_of_the_pulse_is_at_least_what_rules_see(copy: Copy) -> None:
    zone = copy.settings.institution.zone
    day = BURST.replace(hour=0)
    found = backtest_pulse.counted(copy.connection, day, FIVE, zone).to_pylist()
    rows = {(r["place"], r["window_minutes"], r["subject_id"], r["scope"]): r for r in found}
    for place in (20, 100, 115, 121, 150):
        at = day + FIVE * (place + 1)
        for row in surge.signals(copy.connection, as_of=at, zone=zone).to_pylist():
            seen = rows[place, row["window_minutes"], row["subject_id"], row["scope"]]
            for name in ("mention_count", "author_count", "negative_count"):
                assert seen[name] >= row[name]
            assert seen["negative_share_low"] >= (row["negative_share_low"] or 0) - 1e-9
            for name in ("expected", "negative_share_expected"):
                assert seen[name] <= (row[name] if row[name] is not None else 1e9) + 1e-9
            if row["scope"] == "all":
                assert seen["day_mean"] <= row["day_mean"] + 1e-9
            if row["burst"] and row["scope"] == "all":
                assert seen["burst"] == pytest.approx(row["burst"])


@pytest.mark.parametrize("name", rules.names())
def test_a_rule_says_when_it_sleeps_or_reads_no_signals(name: str) -> None:
    text = backtest_rules.present()[name]
    pulse = backtest_pulse.Pulse(duckdb.connect(), {name: text}, step=FIVE, zone=PARIS)
    assert not pulse.always


def test_a_number_that_is_tried_is_in_the_rule_and_its_alert() -> None:
    found = backtest_rules.tried(None, ("volume_surge.least_mentions=40",))["volume_surge"]
    assert "40 as least_mentions" in found
    assert "12 as least_mentions" not in found


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        ("volume_surge.least_mentions=a; drop table mention", "write it as"),
        ("volume_surge.least=4", "choose of least_mentions"),
        ("surge.least_mentions=4", "there is no rule 'surge'"),
        ("topic_surge.critical_topic=4", "only numbers"),
        ("volume_surge.level=0", "above 0"),
        ("volume_surge", "write it as"),
    ],
)
def test_what_is_no_number_of_a_rule_is_refused(number: str, remedy: str) -> None:
    with pytest.raises(VigieError, match=remedy):
        backtest_rules.tried(None, (number,))


def test_a_factor_on_the_level_divides_what_the_rule_says(copy: Copy) -> None:
    at = BURST + timedelta(minutes=40)
    texts = backtest_rules.tried(None, ("negative_surge.level=1.25",))
    zone = copy.settings.institution.zone
    with detect.read(copy.connection, as_of=at, zone=zone):
        [plain] = detect.evaluate(copy.connection, "negative_surge", as_of=at)
        with warehouse.trying(texts):
            [asked] = detect.evaluate(copy.connection, "negative_surge", as_of=at)
    assert asked.level == pytest.approx(plain.level / 1.25)


def test_a_rule_whose_level_is_tried_is_known_to_be_the_products() -> None:
    text = backtest_rules.present()["volume_surge"]
    tried = backtest_rules.tried(None, ("volume_surge.level=1.25",))["volume_surge"]
    own, factor = backtest_rules.unwrapped(tried)
    assert (backtest_rules.query(own), factor) == (backtest_rules.query(text), 1.25)
    pulse = backtest_pulse.Pulse(duckdb.connect(), {"volume_surge": tried}, step=FIVE, zone=PARIS)
    assert not pulse.always


def new_rule(folder: Path, name: str = "many", **changes: str) -> Path:
    """A folder with a rule that is volume_surge under another name, changed."""
    text = backtest_rules.present()["volume_surge"].replace("volume_surge", name)
    for old, new in changes.items():
        text = text.replace(old, new)
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.sql").write_text(text, encoding="utf-8")
    return folder


def test_a_rule_of_a_folder_stands_beside_the_others(tmp_path: Path) -> None:
    found = backtest_rules.tried(new_rule(tmp_path / "rules"))
    assert set(found) == {*rules.names(), "many"}


def test_a_rule_whose_query_is_another_is_asked_at_every_moment(tmp_path: Path) -> None:
    folder = new_rule(tmp_path / "rules", "volume_surge", **{"measured.is_flood": "true"})
    texts = backtest_rules.tried(folder)
    pulse = backtest_pulse.Pulse(duckdb.connect(), texts, step=FIVE, zone=PARIS)
    assert pulse.always == {"volume_surge"}


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("drop table mention", "not one select"),
        ("select 1; select 2", "not one select"),
        ("copy (select 1) to '/tmp/x.csv'", "not one select"),
        ("selec", "cannot be read as SQL"),
        ("select 1", "has no"),
    ],
)
def test_a_file_that_is_no_rule_is_refused(tmp_path: Path, text: str, remedy: str) -> None:
    (tmp_path / "bad.sql").write_text(text, encoding="utf-8")
    with pytest.raises(VigieError, match=remedy):
        backtest_rules.tried(tmp_path)


def test_a_higher_number_loses_openings_and_a_new_rule_gains_some(
    copy: Copy, tmp_path: Path
) -> None:
    asked = Asked(
        since=BURST - timedelta(minutes=15),
        until=BURST + timedelta(minutes=45),
        folder=new_rule(tmp_path / "rules"),
        numbers=("topic_surge.critical_mentions=1000", "topic_surge.least_mentions=1000"),
    )
    told = backtest_stored.run(copy, asked, [], source=None, bar=backtest_stored.silently)
    assert told.compared is not None
    assert {each.rule_id for each in told.compared.gained} == {"many"}
    assert {each.rule_id for each in told.compared.lost} == {"topic_surge"}
    assert "volume_surge" in {each.rule_id for each, _ in told.compared.same}


def test_marks_give_precision_recall_and_delay(replayed: Replayed) -> None:
    marks = [Mark(at=BURST, is_right=True), Mark(at=SINCE, is_right=True, rule_id="threat")]
    found = backtest_compare.worth(replayed, marks, is_judged=False)
    assert (found.marked, found.told, found.false_count) == (2, 1, 0)
    assert (found.precision, found.recall) == (1.0, 0.5)
    assert found.delays == (replayed.openings[0].fired_at - BURST,)
    assert found.delay(0.9) == found.delays[0]


def test_an_opening_that_nobody_judged_is_neither_right_nor_false(replayed: Replayed) -> None:
    rule = replayed.openings[0].rule_id
    marks = [Mark(at=BURST, is_right=False, rule_id=rule)]
    found = backtest_compare.worth(replayed, marks, is_judged=True)
    assert found.false_count == sum(o.rule_id == rule for o in replayed.openings)
    assert found.unknown_count == len(replayed.openings) - found.false_count
    assert found.precision == 0.0


def test_the_page_holds_no_script_and_no_link_but_permalinks(
    made: Settings, copy: Copy, tmp_path: Path
) -> None:
    asked = Asked(since=SINCE, until=BURST + timedelta(hours=1))
    told = backtest_stored.run(copy, asked, [], source=None, bar=backtest_stored.silently)
    drawn = backtest_report.curves(copy, told)
    for locale in wording.LOCALES:
        path = tmp_path / f"{locale}.html"
        spoken = wording.words(locale, made.institution.zone, name="backtest")
        backtest_report.write(path, told, drawn, settings=made, spoken=spoken)
        html = path.read_text(encoding="utf-8")
        assert "<script" not in html
        assert 'href="javascript:' not in html
        assert 'href="https://m.example/' in html
        assert "&lt;script&gt;" in html
        assert (path.stat().st_mode & 0o077) == 0


def test_a_span_without_mentions_names_one_with_some(made: Settings) -> None:
    now = datetime(2027, 6, 1, tzinfo=UTC)
    with pytest.raises(VigieError, match="--until 2026-11-19"):
        backtest_stored.span(made, since=None, until=None, now=now)


def test_the_command_prints_both_rule_sets(
    made: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class House:
        settings = made

    monkeypatch.setattr("pipelines.house.house", lambda _home, **_: House)
    given = ["backtest", "--since", "2026-11-19T08:30", "--until", "2026-11-19T09:40"]
    more = ["--set", "volume_surge.least_mentions=500", "--locale", "en", "--rule", "volume_surge"]
    marks = tmp_path / "marks.csv"
    marks.write_text("timestamp\n2026-11-19T09:00\n", encoding="utf-8")
    page = tmp_path / "page.html"
    told = CliRunner().invoke(
        cli.app, [*given, *more, "--labels", str(marks), "--report", str(page)]
    )
    assert told.exit_code == 0, told.output
    assert "Gained: 0. Lost: 1. The same: 0." in told.output
    assert "Present rules: precision 100%, recall 100%: 1 of 1 marked moments" in told.output
    assert "https://m.example/" in told.output
    assert page.exists()
