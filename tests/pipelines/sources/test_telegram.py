"""The Telegram source, against a small site on loopback that shows channels as t.me does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings, strategies as st

from pipelines.errors import RateLimited, SourceError, StatusRefused
from pipelines.mention import Deletion, Post, Rejection
from pipelines.sources import Payload, _telegram_page as pages, telegram
from tests.pipelines.loopback import Answer, Asked
from tests.pipelines.sources.generated import ODD
from tests.pipelines.sources.hearing import (
    UNTIL,
    Ear,
    every_fault,
    every_wait,
    listening,
    minutes,
    read_generated,
)

PAYLOAD = Path(__file__).parents[2] / "payloads" / "telegram" / "message.html"
SAMPLE = PAYLOAD.read_text(encoding="utf-8")
HEAD = '<html><body><header class="tgme_header"><div class="tgme_channel_info"></div></header>'


def message(channel: str, number: int, at: datetime, text: str, views: str = "900") -> str:
    return (
        f'<div class="tgme_widget_message" data-post="{channel}/{number}">'
        f'<div class="tgme_widget_message_text js-message_text">{text}</div>'
        f'<span class="tgme_widget_message_views">{views}</span>'
        '<span class="tgme_widget_message_meta"><a class="tgme_widget_message_date" href="#">'
        f'<time datetime="{at.isoformat()}">x</time></a></span></div>'
    )


@dataclass
class Site:
    """Channels by name, their messages by number; channels without a preview."""

    channels: dict[str, dict[int, tuple[datetime, str]]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)

    def __call__(self, asked: Asked) -> Answer:
        parts = urlsplit(asked.path)
        name = parts.path.rpartition("/")[2]
        if not parts.path.startswith("/s/"):
            return Answer(body=b'<html><div class="tgme_page"></div></html>')
        if name in self.closed or name not in self.channels:
            return Answer(302, {"location": f"/{name}"})
        below = int(parse_qs(parts.query).get("before", ["9999999"])[0])
        numbers = sorted(n for n in self.channels[name] if n < below)[-20:]
        shown = (message(name, n, *self.channels[name][n]) for n in numbers)
        return Answer(body=f"{HEAD}{''.join(shown)}</body></html>".encode())


def every(seconds: int, *, count: int, text: str = "à Valmont") -> dict[int, tuple[datetime, str]]:
    return {n: (minutes(0) + timedelta(seconds=seconds * n), text) for n in range(1, count + 1)}


@contextmanager
def ear(site: Site, home: Path, *channels: str) -> Iterator[Ear]:
    named = channels or ("valmont_infos",)
    with listening(telegram, site, home, lambda url: {"site": url, "channels": named}) as listener:
        yield listener


def number(native_id: str) -> int:
    return int(native_id.rpartition("/")[2])


def parse(html: Any, **chosen: Any) -> Post | Deletion | Rejection:
    options = telegram.Options(**{"channels": ("valmont_infos",), **chosen})
    (found,) = telegram.parse(Payload(kind="message", data={"html": html}), options)
    return found


# Parsing


def test_a_message_becomes_a_post_with_all_that_it_says() -> None:
    found = parse(SAMPLE)
    assert isinstance(found, Post)
    assert found.native_id == "valmont_infos/412"
    assert found.url == "https://t.me/valmont_infos/412"
    assert "fermée jusqu’à lundi" in found.text
    assert "Message cité" not in found.text
    assert found.title == "La piscine ferme"
    assert found.published_at == datetime(2026, 11, 20, 8, 12, 4, tzinfo=UTC)
    assert (found.native_version, found.edited_at) == ("edited", None)
    assert (found.content_type, found.parent_native_id) == ("repost", "valmont_infos/409")
    assert (found.view_count, found.like_count) == (12_300, 1_243)
    assert found.urls == ("https://journal.example/piscine?utm_source=tg",)
    assert found.media_types == ("image",)
    assert (found.author_handle, found.author_kind) == ("valmont_infos", "organisation")
    assert not found.is_own
    assert found.collected_via == "html"


def test_names_of_people_are_taken_out_before_the_first_write() -> None:
    (found,) = pages.read_page(SAMPLE).messages
    for name in ("Odile", "Ferrand", "odile_f", "Claire"):
        assert name in SAMPLE
        assert name not in found.markup
    read = parse(found.markup)
    assert isinstance(read, Post)
    assert read.content_type == "repost"
    assert read.native_version == "edited"


def test_the_institutions_own_channel_is_known() -> None:
    found = parse(SAMPLE, own=("@Valmont_Infos",))
    assert isinstance(found, Post)
    assert found.is_own


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("987", 987), ("12.3K", 12_300), ("1.05M", 1_050_000), ("2K", 2_000), ("3,4K", 3_400),
        ("0", 0), ("", None), ("K", None), ("-3", None), ("1e9", None), ("9" * 12, None),
        (" 45 ", 45), ("1B", 10**9),
    ],
)  # fmt: skip
def test_rounded_counts_are_read(said: str, meant: int | None) -> None:
    assert pages.count(said) == meant


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        (None, "not_a_message"), (3, "not_a_message"), ("", "not_a_message"),
        ("<" * 40_000, "not_a_message"), ("<p>x</p>", "no_id"),
        ('<div class="tgme_widget_message" data-post="a b/1">x</div>', "no_id"),
        ('<div class="tgme_widget_message" data-post="chan/x">x</div>', "no_id"),
        ('<div class="tgme_widget_message service_message" data-post="chan/1">x</div>',
         "not_a_message"),
    ],
)  # fmt: skip
def test_what_is_no_message_is_rejected(html: Any, reason: str) -> None:
    found = parse(html)
    assert isinstance(found, Rejection)
    assert found.reason == reason


def _generated() -> Iterator[Any]:
    """Three hundred messages, parts of whose markup are missing, odd, or cut anywhere."""
    dice = random.Random(20261120)
    values = [str(value).encode("utf-8", "replace").decode() for value in ODD]
    for turn in range(300):
        html = SAMPLE
        for old in ("Valmont_infos/412", "12.3K", "2026-11-20T08:12:04+00:00", "1.2K", "edited"):
            if dice.random() < turn / 300:
                html = html.replace(old, escape(dice.choice(values)), 1)
        if dice.random() < turn / 600:
            html = html[: dice.randrange(len(html))] + html[dice.randrange(len(html)) :]
        yield {"html": html if dice.random() > 0.05 * turn / 300 else dice.choice(ODD)}


def test_three_hundred_generated_messages_give_posts_and_reasons_and_no_crash(
    tmp_path: Path,
) -> None:
    made = [
        data if not isinstance(data["html"], str) else {"html": data["html"].replace("\ud800", "")}
        for data in _generated()
    ]
    payloads = [Payload(kind="message", data=data) for data in made]
    options = telegram.Options(channels=("valmont_infos",))
    parsed = read_generated(telegram, options, payloads, tmp_path)
    assert len(parsed) == 300
    assert sum(isinstance(item, Post) for item in parsed) > 100


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_no_page_makes_the_reader_fail(html: str) -> None:
    assert pages.read_page(html).messages == ()
    assert isinstance(parse(f'<div class="tgme_widget_message" data-post="chan/1">{html}'), Post)


# The walk


def test_every_new_message_comes_once_across_pages_and_runs(tmp_path: Path) -> None:
    site = Site({"valmont_infos": every(40, count=80)})
    with ear(site, tmp_path) as listener:
        first = listener.hear()
        site.channels["valmont_infos"] |= {
            n: (UNTIL + timedelta(seconds=n - 100), "Valmont") for n in range(100, 150)
        }
        second = listener.hear(first.cursor, since=UNTIL, until=UNTIL + timedelta(minutes=5))
        third = listener.hear(second.cursor, since=UNTIL + timedelta(minutes=5))
    assert sorted(map(number, first.ids)) == list(range(1, 81))
    assert sorted(map(number, second.ids)) == list(range(100, 150))
    assert (third.ids, third.checkpoint.gap, third.note) == ([], None, "")


def test_a_first_run_stops_at_the_start_of_its_window(tmp_path: Path) -> None:
    old = {n: (minutes(0) - timedelta(days=2), "Valmont") for n in range(1, 300)}
    site = Site({"valmont_infos": {**old, 300: (minutes(5), "Valmont")}})
    with ear(site, tmp_path) as listener:
        assert listener.hear().ids == ["valmont_infos/300"]
        assert len(listener.paths) == 2


def test_only_what_may_name_a_subject_is_written_down(tmp_path: Path) -> None:
    site = Site(
        {
            "valmont_infos": {
                1: (minutes(1), "la <b>mairie</b> de Valmont"),
                2: (minutes(2), "le marché de Noël"),
                3: (minutes(3), "voir #valmont"),
            }
        }
    )
    with ear(site, tmp_path) as listener:
        heard = listener.hear()
        own = listener.hear(own=("Valmont_Infos",))
    assert sorted(map(number, heard.ids)) == [1, 3]
    assert len(own.ids) == 3


def test_a_run_out_of_pages_leaves_the_rest_to_the_next_ones(tmp_path: Path) -> None:
    site = Site({"valmont_infos": every(10, count=200)})
    ids: list[str] = []
    cursor = None
    with ear(site, tmp_path) as listener:
        for _ in range(12):
            heard = listener.hear(cursor, max_pages=2)
            cursor, ids = heard.cursor, ids + heard.ids
    assert heard.note == ""
    assert sorted(map(number, ids)) == list(range(1, 201))


def test_a_channel_without_preview_does_not_stop_the_others(tmp_path: Path) -> None:
    site = Site({"valmont_infos": every(60, count=3)}, closed={"ferme"})
    with ear(site, tmp_path, "ferme", "https://t.me/valmont_infos") as listener:
        heard = listener.hear()
    assert len(heard.ids) == 3
    assert "'ferme' has no public preview" in heard.note
    assert heard.checkpoint.capped


def test_a_page_that_has_changed_its_shape_is_told_and_not_taken_for_calm(tmp_path: Path) -> None:
    with ear(Site({"valmont_infos": {}}), tmp_path) as listener:
        listener.trouble[1] = Answer(body=b"<html><main>Nouvelle version</main></html>")
        with pytest.raises(SourceError, match="may have changed it"):
            listener.hear()
        assert listener.hear().ids == []  # an empty channel has its head


def test_cursors_of_other_shapes_start_again(tmp_path: Path) -> None:
    with ear(Site({"valmont_infos": every(60, count=3)}), tmp_path) as listener:
        for cursor in ({"channels": 3}, {"channels": {"valmont_infos": [1]}}, {"x": 1}):
            assert len(listener.hear(cursor).ids) == 3


# Edits and deletions


def test_messages_kept_are_looked_up_among_their_neighbours(tmp_path: Path) -> None:
    told = {n: (minutes(n), "Valmont") for n in range(1, 46) if n not in (7, 12, 30)}
    site = Site({"valmont_infos": told})
    with ear(site, tmp_path) as listener:
        first = listener.hear()
        told[10] = (minutes(10), "Valmont, corrigé")
        count = len(listener.paths)
        heard = listener.hear(
            first.cursor,
            since=UNTIL,
            until=UNTIL + timedelta(hours=1),
            recheck=(*(f"valmont_infos/{n}" for n in (7, 10, 12, 30, 44)), "autre/3", "x"),
        )
        asked = [p for p in listener.paths[count:] if "before" in p]
    assert heard.gone == ["valmont_infos/30", "valmont_infos/12", "valmont_infos/7"]
    assert sorted(map(number, heard.ids)) == [10, 44]
    assert "corrigé" in next(p.text for p in heard.posts if p.native_id.endswith("/10"))
    assert len(asked) == 2  # 44 and 30 on one page, 12, 10 and 7 on another


@pytest.mark.parametrize("answer", [Answer(403), Answer(500), Answer(302, {"location": "/x"})])
def test_a_site_that_refuses_look_ups_deletes_nothing(answer: Answer, tmp_path: Path) -> None:
    with ear(Site({"valmont_infos": every(60, count=3)}), tmp_path) as listener:
        listener.trouble.update(dict.fromkeys(range(2, 9), answer))
        heard = listener.hear(recheck=("valmont_infos/2", "valmont_infos/9"))
    assert heard.gone == []
    assert "deletions could not be checked" in heard.note


# Trouble


@every_wait
def test_a_wait_in_any_form_is_waited_as_told(headers: dict[str, str], tmp_path: Path) -> None:
    with ear(Site({"valmont_infos": every(60, count=50)}), tmp_path) as listener:
        listener.trouble[2] = Answer(429, headers)
        heard = listener.hear()
    assert len(heard.ids) == len(set(heard.ids)) == 50
    assert 60 <= heard.slept < 62


@every_fault
def test_a_passing_fault_loses_and_doubles_nothing(fault: Answer, tmp_path: Path) -> None:
    with ear(Site({"valmont_infos": every(60, count=50)}), tmp_path) as listener:
        listener.trouble[2] = fault
        heard = listener.hear()
    assert len(heard.ids) == len(set(heard.ids)) == 50


@every_fault
def test_a_lasting_fault_keeps_what_was_read_and_the_next_run_reads_the_rest(
    fault: Answer, tmp_path: Path
) -> None:
    with ear(Site({"valmont_infos": every(60, count=50)}), tmp_path) as listener:
        first, second = listener.hear_twice(fault, at=range(2, 6))
    assert first.checkpoint.capped
    assert sorted(map(number, first.ids + second.ids)) == list(range(1, 51))


def test_a_wait_too_long_for_a_run_is_raised(tmp_path: Path) -> None:
    with ear(Site(), tmp_path) as listener:
        listener.trouble[1] = Answer(429, {"Retry-After": "800"})
        with pytest.raises(RateLimited):
            listener.hear()


def test_a_channel_that_is_not_there_is_told(tmp_path: Path) -> None:
    with ear(Site(), tmp_path) as listener:
        listener.trouble[1] = Answer(404)
        with pytest.raises(StatusRefused, match="check its name"):
            listener.hear()


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": ()},
        {"channels": ("a b",)},
        {"channels": ("+AbCdEf",)},
        {"channels": "valmont"},
        {"max_pages": 0},
        {"unknown": 1},
    ],
)
def test_options_that_cannot_be_meant_are_faults(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        telegram.Options(**{"channels": ("valmont_infos",), **wrong})
