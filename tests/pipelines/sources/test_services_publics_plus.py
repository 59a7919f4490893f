"""Services Publics+, against a small Opendatasoft portal on loopback with its limits."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines.errors import RateLimited, SourceError, StatusRefused
from pipelines.mention import Deletion, Post, Rejection
from pipelines.sources import Payload, Terms, services_publics_plus as source
from tests.pipelines.loopback import Answer, Asked, Clock
from tests.pipelines.sources import peers
from tests.pipelines.sources.peers import UNTIL, Reading, answered

PAYLOADS = Path(__file__).parents[2] / "payloads" / "services_publics_plus"


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def row(number: int, **changed: Any) -> dict[str, Any]:
    """An experience of Valmont, published `number` days before the 20th of November at most 89."""
    day = (UNTIL - timedelta(days=number % 89)).date().isoformat()
    return {**sample("row"), "id_experience": number, "date_de_publication": day, **changed}


@dataclass
class Portal:
    """Datasets, records in pages that end at 10,000 rows, exports; as Explore 2.1 answers."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=lambda: sample("dataset"))
    exports: int = 0

    def __call__(self, asked: Asked) -> Answer:
        parts = urlsplit(asked.path)
        query = {name: texts[0] for name, texts in parse_qs(parts.query).items()}
        path = parts.path.removeprefix("/api/explore/v2.1/catalog/datasets/export-experiences")
        match path:
            case "":
                return answered(self.about)
            case "/records":
                return self._records(query)
            case "/exports/json":
                self.exports += 1
                return answered(self._found(query))
            case _:
                wrong = {"message": "Unknown dataset", "error_code": "UnknownDataset"}
                return answered(wrong, 404)

    def _records(self, query: dict[str, str]) -> Answer:
        limit, offset = int(query["limit"]), int(query["offset"])
        if limit > 100 or limit + offset > 10_000:
            return answered({"message": "Invalid value", "error_code": "InvalidRESTParam"}, 400)
        found = self._found(query)
        return answered({"total_count": len(found), "results": found[offset : offset + limit]})

    def _found(self, query: dict[str, str]) -> list[dict[str, Any]]:
        found = re.fullmatch(
            r"`date_de_publication` >= date'([\d-]+)' and `date_de_publication` < date'([\d-]+)'",
            query["where"],
        )
        assert found, query["where"]
        assert query["order_by"] == "`date_de_publication`,`id_experience`"
        names = [name.strip("`") for name in query["select"].split(",")]
        wanted = [r for r in self.rows if found[1] <= r["date_de_publication"] < found[2]]
        wanted.sort(key=lambda r: (r["date_de_publication"], r["id_experience"]))
        return [{name: r.get(name) for name in names} for r in wanted]

    def publish(self) -> None:
        """The data are processed anew: what `data_processed` is for."""
        at = datetime.fromisoformat(self.about["metas"]["default"]["data_processed"])
        moved = (at + timedelta(days=1)).isoformat()
        self.about["metas"]["default"]["data_processed"] = moved


def read(server: peers.Server, **chosen: Any) -> Reading:
    return peers.read(source, server, **chosen)


def parse(data: Any, *, kind: str = "experience", **chosen: Any) -> list[Any]:
    options = source.Options(**chosen)
    return list(source.parse(Payload(kind=kind, data=data), options))


# Parsing


def test_an_experience_becomes_the_words_of_a_citizen_and_the_answer_of_a_service() -> None:
    said, answer = parse(sample("row"), structures=("Allocations familiales",))
    assert isinstance(said, Post)
    assert said.native_id == said.thread_id == "5120347"
    assert said.title == "Guichet fermé sans prévenir"
    assert said.text.startswith("Bonjour,\nJe me suis déplacée trois fois au guichet de Valmont")
    assert (said.content_type, said.network) == ("review", "services_publics_plus")
    assert (said.rating_value, said.rating_min, said.rating_max) == (-1.0, -1.0, 1.0)
    assert said.published_at == datetime(2026, 11, 1, 23, tzinfo=UTC)  # the 2nd in Paris
    assert said.published_precision == "day"
    assert said.url == (
        "https://www.plus.transformation.gouv.fr/experiences/5120347_guichet-ferme-sans-prevenir"
    )
    assert (said.author_id, said.geo_place, said.licence) == (
        "Josette31",
        "Haute-Garonne",
        "etalab-2.0",
    )
    assert said.reply_count == 1
    assert isinstance(answer, Post)
    assert answer.native_id == "5120347:reponse:1"
    assert (answer.parent_native_id, answer.content_type) == ("5120347", "reply")
    assert answer.author_id == "Caisse d'allocations familiales de Valmont"
    assert (answer.author_kind, answer.is_own, answer.text_format) == ("institution", True, "html")
    assert answer.published_at == datetime(2026, 11, 16, 23, tzinfo=UTC)
    assert answer.rating_value is None
    assert answer.text == "<p>Bonjour …,</p><p>Nous regrettons cette situation.</p>"


def test_the_labels_of_the_csv_and_older_names_are_the_same_columns() -> None:
    labels = {f["name"]: f["label"] for f in sample("dataset")["fields"]}
    older = {
        "id_experience": "identifiant_expérience",
        "ecrit_le": "écrit_le",
        "intitule_structure_1": "intitulé_structure_1",
    }
    for names in (labels, labels | older):
        renamed = {names.get(name, name): value for name, value in sample("row").items()}
        assert parse(renamed) == parse(sample("row"))


@pytest.mark.parametrize(
    ("written", "at", "precision"),
    [
        ("02/11/2026", datetime(2026, 11, 1, 23, tzinfo=UTC), "day"),
        ("2026-11-02T00:00:00+00:00", datetime(2026, 11, 1, 23, tzinfo=UTC), "day"),
        ("2026-07-02", datetime(2026, 7, 1, 22, tzinfo=UTC), "day"),
        ("2026-11-02T14:05:06+01:00", datetime(2026, 11, 2, 13, 5, 6, tzinfo=UTC), "second"),
    ],
)
def test_dates_are_read_in_every_form_met(written: str, at: datetime, precision: str) -> None:
    said = parse(sample("row") | {"ecrit_le": written})[0]
    assert (said.published_at, said.published_precision) == (at, precision)


def test_without_a_day_of_writing_that_of_publication_counts() -> None:
    said = parse(sample("row") | {"ecrit_le": None})[0]
    assert said.published_at == datetime(2026, 11, 5, 23, tzinfo=UTC)
    unknown = parse(sample("row") | {"ecrit_le": "hier", "date_de_publication": None})[0]
    assert (unknown.published_at, unknown.published_precision) == (None, "unknown")


def test_of_several_answers_none_has_a_sure_date() -> None:
    answers = parse(sample("row") | {"reponse_structure_2": "Nous rouvrons lundi."})[1:]
    assert [a.native_id for a in answers] == ["5120347:reponse:1", "5120347:reponse:2"]
    assert {a.published_precision for a in answers} == {"unknown"}
    assert [a.is_own for a in answers] == [False, False]


@pytest.mark.parametrize(
    ("feeling", "rating"),
    [("Positif", 1.0), ("neutre", 0.0), ("NÉGATIF", -1.0), ("Mitigé", None), (None, None)],
)
def test_feelings_are_ratings(feeling: str | None, rating: float | None) -> None:
    said = parse(sample("row") | {"ressenti_usager": feeling})[0]
    assert said.rating_value == rating
    assert (said.rating_max is None) == (rating is None)


def test_text_that_only_looks_like_markup_is_kept() -> None:
    said = parse(sample("row") | {"description": "délai < 3 mois & > 2 semaines"})[0]
    assert (said.text, said.text_format) == ("délai < 3 mois & > 2 semaines", "plain")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "not_a_row"),
        ([], "not_a_row"),
        ({}, "no_id"),
        ({"id_experience": 0, "description": "x"}, "no_id"),
        ({"id_experience": "../x", "description": "x"}, "no_id"),
        ({"id_experience": 4, "texte": "x"}, "unknown_schema"),
    ],
)
def test_what_is_no_experience_is_refused(data: Any, reason: str) -> None:
    (found,) = parse(data)
    assert isinstance(found, Rejection)
    assert found.reason == reason


def test_300_odd_rows_are_read_or_refused_with_a_reason() -> None:
    items = [item for data in peers.odd(sample("row")) for item in parse(data)]
    items += [item for data in peers.odd({"id": "1", "checked_at": "2026-11-20T12:00:00+00:00"})
              for item in parse(data, kind="gone")]  # fmt: skip
    peers.check_parsed(items)
    assert {type(item) for item in items} == {Post, Rejection, Deletion}
    peers.check_kept(source, items)


# Reading


def test_ninety_days_are_read_with_the_columns_that_are_needed() -> None:
    portal = Portal([row(n) for n in range(1, 80)])
    reading = read(portal)
    assert len(reading.ids) == 2 * 79
    assert not any("code_postal" in path for path in reading.paths)
    assert not any("demarches" in path for path in reading.paths)
    assert reading.note == ""


def test_data_that_were_not_processed_anew_cost_one_request() -> None:
    portal = Portal([row(1)])
    first = read(portal)
    again = read(portal, cursor=first.cursor, until=UNTIL + timedelta(hours=1))
    assert (again.payloads, len(again.asked)) == ([], 1)
    assert again.cursor == first.cursor


def test_new_data_hand_over_what_is_new_or_has_been_answered() -> None:
    portal = Portal([row(n, reponse_structure_1=None) for n in range(1, 4)])
    first = read(portal)
    portal.rows[1]["reponse_structure_1"] = "Nous rouvrons lundi."
    portal.rows.append(row(9))
    portal.publish()
    second = read(portal, cursor=first.cursor)
    assert second.ids == ["9", "9:reponse:1", "2", "2:reponse:1"]


def test_a_row_that_is_gone_is_a_deletion_and_one_that_grew_old_is_not() -> None:
    portal = Portal([row(n) for n in range(1, 12)])
    portal.rows[0]["date_de_publication"] = "2026-08-23"  # leaves the window tomorrow
    first = read(portal)
    del portal.rows[4]
    portal.rows[2]["reponse_structure_1"] = None
    portal.publish()
    second = read(portal, cursor=first.cursor, until=UNTIL + timedelta(days=2))
    assert sorted(second.gone) == ["3:reponse:1", "5", "5:reponse:1"]
    assert second.parsed[-1] == Deletion(
        source="services_publics_plus",
        native_id="5:reponse:1",
        deleted_at=UNTIL + timedelta(days=2),
    )


def test_a_dataset_emptied_at_once_deletes_nothing() -> None:
    portal = Portal([row(n) for n in range(1, 12)])
    first = read(portal)
    portal.rows, kept = [], portal.rows
    portal.publish()
    second = read(portal, cursor=first.cursor)
    assert second.gone == []
    assert "none is taken for deleted" in second.note
    portal.rows = kept[1:]
    portal.publish()
    assert read(portal, cursor=second.cursor).gone == ["1", "1:reponse:1"]


def test_a_slice_of_many_rows_is_exported_since_pages_end() -> None:
    day = date(2026, 11, 10).isoformat()
    portal = Portal([row(n, date_de_publication=day) for n in range(1, 1_102)])
    reading = read(portal)
    assert (len(reading.payloads), portal.exports) == (1_101, 1)
    few = Portal(portal.rows[:1_000])
    assert (len(read(few).payloads), few.exports) == (1_000, 0)


def test_a_slice_that_changes_while_it_is_paged_is_read_again() -> None:
    portal = Portal([row(n, date_de_publication="2026-11-10") for n in range(1, 251)])

    def growing(asked: Asked) -> Answer:
        if "offset=200" in asked.path and len(portal.rows) == 250:
            portal.rows.insert(0, row(999, date_de_publication="2026-11-10"))
        return portal(asked)

    assert len(read(growing).payloads) == 251


def test_only_rows_of_what_is_watched_are_written_down() -> None:
    other = {
        "titre": "Permis",
        "description": "Trois mois d'attente",
        "intitule_structure_1": "Préfecture de l'Aude",
        "intitule_structure_2": "ANTS",
        "reponse_structure_1": "Bonjour",
    }
    named = other | {"titre": "À Valmont"}
    portal = Portal([row(1), row(2, **other), row(3, **named)])
    assert {i for i in read(portal).ids if ":" not in i} == {"1", "3"}
    ours = read(portal, structures=("préfecture de l’aude",), terms=Terms())
    assert {i for i in ours.ids if ":" not in i} == {"2", "3"}
    assert {p.is_own for p in ours.posts if ":" in p.native_id} == {True}


@pytest.mark.parametrize("wanted", ["Haute-Garonne", "haute garonne (31)", "31"])
def test_departments_are_known_by_name_or_number(wanted: str) -> None:
    rows = [
        row(1, intitule_departement_usager="31 - Haute-Garonne"),
        row(2, intitule_departement_usager="Garonne"),
        row(3, intitule_departement_usager=None),
    ]
    assert [i for i in read(Portal(rows), departments=(wanted,)).ids if ":" not in i] == ["1"]


def test_an_unknown_schema_is_told_with_every_column_that_it_lacks() -> None:
    portal = Portal([row(1)])
    lost = {"description", "reponse_structure_1"}
    portal.about["fields"] = [f for f in portal.about["fields"] if f["name"] not in lost]
    with pytest.raises(SourceError, match="no column description, reponse_structure_1: its schema"):
        read(portal)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "does not take the question"),
        (401, "set a new one in the variable"),
        (403, "does not let us in"),
        (404, "has no dataset 'export-experiences': correct `dataset`"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, said: str) -> None:
    with pytest.raises(StatusRefused, match=said):
        read(lambda _: answered({"error_code": "x", "message": "y"}, status))


def test_a_key_is_sent_in_a_header_and_missed_by_its_name() -> None:
    portal = Portal([row(1)])
    reading = read(portal, key_env="VIGIE_ODS_KEY", secrets={"VIGIE_ODS_KEY": "clef"})
    assert {a.headers["authorization"] for a in reading.asked} == {"Apikey clef"}
    assert not any("clef" in path for path in reading.paths)
    with pytest.raises(SourceError, match="VIGIE_ODS_KEY, which is not set"):
        read(portal, key_env="VIGIE_ODS_KEY")


@pytest.mark.parametrize("body", [{"total_count": "many", "results": []}, {}, [], "x"])
def test_an_answer_without_records_is_told(body: Any) -> None:
    portal = Portal([row(1)])
    wrong = lambda a: answered(body) if "/records" in a.path else portal(a)  # noqa: E731
    with pytest.raises(SourceError, match="answered without records"):
        read(wrong)


# Limits and faults


def test_a_spent_quota_is_waited_for_until_the_reset_that_the_body_tells() -> None:
    spent = {
        "errorcode": 10002,
        "reset_time": "2026-11-21T00:00:00Z",
        "limit_time_unit": "day",
        "call_limit": 10000,
        "error": "Too many requests on the domain. Please contact the domain administrator.",
    }
    clock = Clock(at=UNTIL)
    with pytest.raises(RateLimited, match="no calls left for this day") as raised:
        read(lambda _: answered(spent, 429), clock=clock)
    assert raised.value.retry_at == datetime(2026, 11, 21, tzinfo=UTC)
    assert clock.slept == []


@pytest.mark.parametrize("reset", ["2099-01-01T00:00:00Z", "soon", None, 5])
def test_a_reset_that_cannot_be_is_asked_about_again_within_the_hour(reset: Any) -> None:
    spent = {"errorcode": 10002, "reset_time": reset, "limit_time_unit": "day"}
    with pytest.raises(RateLimited) as raised:
        read(lambda _: answered(spent, 429))
    assert raised.value.retry_at <= UNTIL + timedelta(hours=1)


def test_a_short_limit_is_waited_out_by_its_iso_header() -> None:
    portal = Portal([row(1)])
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-11-20T12:00:40+00:00"}
    limited = peers.disturbed(portal, Answer(429, headers), at=2)
    reading = read(limited)
    assert len(reading.posts) == 2
    assert 40 <= sum(reading.clock.slept) < 42


WORLD_ROWS = [row(n, date_de_publication="2026-11-10") for n in range(1, 131)]


@pytest.mark.parametrize("at", range(1, 8))
@pytest.mark.parametrize("name", peers.FAULTS)
def test_no_fault_loses_or_doubles_an_experience(name: str, at: int) -> None:
    portal = Portal(WORLD_ROWS)
    made = peers.runs(source, peers.disturbed(portal, peers.FAULTS[name], at=at), 3)
    assert sorted(made.ids) == sorted(
        i for r in WORLD_ROWS for i in (str(r["id_experience"]), f"{r['id_experience']}:reponse:1")
    )
    assert len(made.landed) == len(set(made.landed)) == 130
