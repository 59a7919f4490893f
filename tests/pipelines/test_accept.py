"""The contract of the accepted table: what keeps it goes on, what breaks it is quarantined."""

from __future__ import annotations

import dataclasses
import json
import logging
import socket
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from pipelines import accept as stage, expectations
from pipelines.accept import accept
from pipelines.errors import ContractBroken
from pipelines.mention import MENTION_SCHEMA, TEXT_LIMIT, Mention, mention_id, text_hash, to_table

SEEN_AT = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
TEXT = "Valmorin est sous l'eau, @valmorin"
SOUND = Mention(
    **dict.fromkeys(MENTION_SCHEMA.names)  # type: ignore[arg-type]
    | {
        "mention_id": mention_id("mastodon", "1"), "source": "mastodon", "source_name": "masto",
        "network": "mastodon", "native_id": "1", "content_type": "post", "collected_via": "search",
        "subject_ids": ("valmorin",), "url": "https://exemple.social/1", "title": "Eau",
        "text": TEXT, "text_truncated": False, "text_hash": text_hash(TEXT), "lang": "fr",
        "lang_declared": "fr", "published_at": SEEN_AT, "published_precision": "second",
        "published_clamped": False, "first_seen_at": SEEN_AT, "last_seen_at": SEEN_AT,
        "author_key": "a" * 64, "author_kind": "person", "is_own": False, "like_count": 3,
        "hashtags": (), "mentioned_handles": ("valmorin",), "urls": (), "media_types": (),
        "geo_country": "FR", "visibility": "public", "optout": False,
        "retention_until": date(2026, 12, 20), "raw_ref": "landing/masto/x#0",
        "connector_version": "1", "schema_version": 1, "run_id": "20261120T101500Z",
    },
)  # fmt: skip


def table(*rows: Mention) -> pa.Table:
    return to_table(rows, MENTION_SCHEMA)


def sound(number: int = 1, **changes: Any) -> Mention:
    native_id = str(number)
    key = {"native_id": native_id, "mention_id": mention_id("mastodon", native_id)}
    return dataclasses.replace(SOUND, **(key | changes))


def test_rows_that_keep_the_contract_go_on_unchanged() -> None:
    given = table(*(sound(n) for n in range(30)))

    found = accept(given)

    assert found.table.equals(given)
    assert (found.rejections, found.duplicate_count) == ((), 0)
    assert found.results == [
        {"row_count": 30, "duplicate_count": 0, "rejected_count": 0, "broken": {}}
    ]


@pytest.mark.parametrize("codes", [None, [], ["commune:2A004", "region:24"]])
def test_place_codes_are_accepted(codes: list[str] | None) -> None:
    assert accept(table(sound(place_codes=codes))).rejections == ()


def test_an_empty_batch_is_accepted() -> None:
    found = accept(table())

    assert found.table.num_rows == 0
    assert found.results[0]["row_count"] == 0


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"mention_id": "x"}, "expect_column_values_to_match_regex on mention_id"),
        ({"mention_id": "A" * 32}, "expect_column_values_to_match_regex on mention_id"),
        ({"text_hash": "0" * 31}, "expect_column_values_to_match_regex on text_hash"),
        ({"author_key": "a" * 63}, "expect_column_values_to_match_regex on author_key"),
        ({"author_key": "camille"}, "expect_column_values_to_match_regex on author_key"),
        ({"source": "Mastodon!"}, "expect_column_values_to_match_regex on source"),
        ({"url": "javascript:alert(1)"}, "expect_column_values_to_match_regex on url"),
        ({"url": "https://exemple.fr/\nBcc: x"}, "expect_column_values_to_match_regex on url"),
        ({"url": "https://exemple.fr/\n"}, "expect_column_values_to_match_regex on url"),
        ({"url": "https://" + "a" * 2_000}, "expect_column_value_lengths_to_be_between on url"),
        ({"lang": "français"}, "expect_column_values_to_match_regex on lang"),
        ({"lang_declared": "fr-FR"}, "expect_column_values_to_match_regex on lang_declared"),
        ({"geo_country": "France"}, "expect_column_values_to_match_regex on geo_country"),
        ({"place_codes": ["48.85,2.35"]}, "expect_column_values_to_be_in_set on is_place_misspelt"),
        ({"place_codes": ["Tours"]}, "expect_column_values_to_be_in_set on is_place_misspelt"),
        ({"native_id": None}, "expect_column_values_to_not_be_null on native_id"),
        ({"text": None}, "expect_column_values_to_not_be_null on text"),
        ({"retention_until": None}, "expect_column_values_to_not_be_null on retention_until"),
        ({"published_at": None}, "expect_column_values_to_not_be_null on published_at"),
        ({"run_id": None}, "expect_column_values_to_not_be_null on run_id"),
        ({"content_type": "story"}, "expect_column_values_to_be_in_set on content_type"),
        ({"collected_via": "magic"}, "expect_column_values_to_be_in_set on collected_via"),
        ({"visibility": "private"}, "expect_column_values_to_be_in_set on visibility"),
        ({"author_kind": "citizen"}, "expect_column_values_to_be_in_set on author_kind"),
        (
            {"published_precision": "era"},
            "expect_column_values_to_be_in_set on published_precision",
        ),
        ({"deletion_reason": "bored"}, "expect_column_values_to_be_in_set on deletion_reason"),
        ({"schema_version": 99}, "expect_column_values_to_be_in_set on schema_version"),
        ({"like_count": -1}, "expect_column_values_to_be_between on like_count"),
        ({"view_count": -5}, "expect_column_values_to_be_between on view_count"),
        (
            {"published_at": SEEN_AT + timedelta(minutes=11)},
            "expect_column_values_to_be_between on published_lead_seconds",
        ),
        (
            {"published_at": datetime(2004, 12, 31, tzinfo=UTC)},
            "expect_column_values_to_be_between on published_year",
        ),
        (
            {"retention_until": date(2028, 1, 1)},
            "expect_column_values_to_be_between on kept_days",
        ),
        ({"text": "a" * (TEXT_LIMIT + 1)}, "expect_column_value_lengths_to_be_between on text"),
        ({"text": "écris à camille@exemple.fr"}, "expect_column_values_to_be_null on unmasked"),
        ({"text": "vu par @camille_d"}, "expect_column_values_to_be_null on unmasked"),
        ({"text": "appelle le 06 12 34 56 78"}, "expect_column_values_to_be_null on unmasked"),
        ({"content_warning": "@camille_d"}, "expect_column_values_to_be_null on unmasked"),
        ({"title": "@camille_d"}, "expect_column_values_to_be_null on unmasked"),
        ({"mentioned_handles": ()}, "expect_column_values_to_be_null on unmasked"),
        ({"text": "", "title": None}, "expect_column_values_to_be_in_set on is_empty"),
        ({"optout": True}, "expect_column_values_to_be_in_set on is_read_against_wish"),
        ({"is_own": True}, "expect_column_values_to_be_in_set on is_author_named"),
        ({"relay_id": "echo"}, "expect_column_values_to_be_in_set on is_author_named"),
    ],
)
def test_a_row_that_breaks_the_contract_is_set_aside_with_its_reason(
    changes: dict[str, Any], broken: str
) -> None:
    found = accept(table(sound(1), sound(2, **changes), sound(3)))

    (rejection,) = found.rejections
    assert found.table["native_id"].to_pylist() == ["1", "3"]
    assert rejection.reason == "contract"
    assert broken in rejection.detail.split("; ")
    assert rejection.raw_ref == "landing/masto/x#0"
    assert found.results[0]["rejected_count"] == 1
    assert found.results[0]["broken"][broken] == 1


def test_a_mention_read_against_no_wish_may_be_empty() -> None:
    shown = {"text": "", "title": None, "url": None, "author_key": None, "mentioned_handles": ()}

    assert accept(table(sound(1, optout=True, **shown))).rejections == ()
    assert accept(table(sound(1, text=""))).rejections == ()


def test_a_row_that_breaks_several_checks_is_one_rejection() -> None:
    found = accept(table(sound(1, like_count=-1, lang="x"), sound(2)))

    assert len(found.rejections) == 1
    assert found.rejections[0].detail.count(" on ") == 2


def test_neither_rejection_nor_result_nor_log_holds_a_persons_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = "Camille Durand habite ici, camille@exemple.fr"

    with caplog.at_level(logging.DEBUG):
        found = accept(table(sound(1), sound(2, text=text, url="Camille Durand")))

    said = repr(found.rejections) + json.dumps(found.results) + caplog.text
    assert "amille" not in said
    assert "mentions.rejected count=1" in caplog.text


def test_of_the_same_mention_the_last_seen_is_kept_and_the_others_are_counted() -> None:
    found = accept(table(sound(1, like_count=1), sound(2), sound(1, like_count=9), sound(3)))

    assert found.duplicate_count == 1
    assert found.table["native_id"].to_pylist() == ["2", "1", "3"]
    assert found.table["like_count"].to_pylist() == [3, 9, 3]


def test_a_batch_of_which_more_than_a_fifth_is_broken_stops() -> None:
    rows = [sound(n, lang="?" if n < 21 else "fr") for n in range(100)]

    with pytest.raises(ContractBroken, match="21% of 100 rows") as caught:
        accept(table(*rows))

    assert caught.value.expectations == ("expect_column_values_to_match_regex on lang",)
    assert "landing/" in str(caught.value)
    assert "parse()" in str(caught.value)


def test_a_fifth_or_a_small_batch_does_not_stop() -> None:
    fifth = [sound(n, lang="?" if n < 20 else "fr") for n in range(100)]
    small = [sound(n, lang="?") for n in range(99)]

    assert len(accept(table(*fifth)).rejections) == 20
    assert len(accept(table(*small)).rejections) == 99


def test_a_missing_column_stops_and_is_named() -> None:
    with pytest.raises(ContractBroken, match="lang") as caught:
        accept(table(sound()).drop_columns(["lang"]))

    assert caught.value.expectations == ("expect_table_columns_to_match_set",)


def test_an_unknown_column_stops_and_is_named() -> None:
    with pytest.raises(ContractBroken, match="author_name"):
        accept(table(sound()).append_column("author_name", pa.array(["Camille"])))


def test_a_column_of_another_type_stops_and_is_named() -> None:
    given = table(sound())
    at = given.schema.get_field_index("like_count")
    wrong = given.set_column(at, "like_count", pa.array(["3"]))

    with pytest.raises(ContractBroken, match="like_count is string, not int64") as caught:
        accept(wrong)
    assert caught.value.expectations == ("expect_column_values_to_be_of_type",)


def test_columns_in_another_order_are_no_fault() -> None:
    given = table(sound())

    assert accept(given.select(list(reversed(given.schema.names)))).rejections == ()


def test_nothing_leaves_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the contract asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    assert accept(table(sound())).rejections == ()


def test_the_results_are_json() -> None:
    found = accept(table(sound(1), sound(2, lang="?")))

    assert json.loads(json.dumps(found.results)) == found.results


def test_every_required_column_is_checked() -> None:
    checked = {check.column for check in expectations.checks()}
    required = {f.name for f in MENTION_SCHEMA if not f.nullable and not pa.types.is_list(f.type)}

    assert required <= checked
    assert len({check.id for check in expectations.checks()}) == len(expectations.checks())


def test_a_check_that_cannot_run_stops_instead_of_passing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expectations, "frame", lambda _: pa.table({"text": ["x"]}).to_pandas())

    with pytest.raises(ContractBroken, match="could not run"):
        stage.accept(table(sound()))
