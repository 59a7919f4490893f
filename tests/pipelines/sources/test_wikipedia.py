"""Wikipedia, against a wiki and a counter of page views on loopback."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from pipelines.attention import Attention
from pipelines.errors import RateLimited, SourceError
from pipelines.mention import Rejection
from pipelines.sources import Payload, wikipedia as source
from tests.pipelines.loopback import Answer, Asked
from tests.pipelines.sources import peers
from tests.pipelines.sources.peers import SINCE, UNTIL, Reading, answered

PAYLOADS = Path(__file__).parents[2] / "payloads" / "wikipedia"
PAGE = "Valmont (Loire)"


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def change(number: int, at: datetime, **changed: Any) -> dict[str, Any]:
    told = {"revid": number, "timestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}", **changed}
    return sample("change") | told


def fault(code: str, **headers: str) -> Answer:
    """An error of the API: status 200 all the same."""
    told = {"error": {"code": code, "info": "Waiting for a database", "lag": 7.3}}
    return answered(told, **headers)


@dataclass
class Wiki:
    """Changes of pages, `size` an answer, and readings by day as far as they are counted."""

    changes: list[dict[str, Any]] = field(default_factory=list)
    views: dict[date, int] = field(default_factory=dict)
    size: int = 3
    asked: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        path = unquote(urlsplit(asked.path).path)
        if path.startswith("/api/rest_v1/metrics/pageviews/per-article/"):
            return self._views(path)
        query = {name: texts[0] for name, texts in parse_qs(urlsplit(asked.path).query).items()}
        self.asked.append(query)
        span = (query["rcstart"], query["rcend"])
        inside = [
            c
            for c in self.changes
            if c["title"] == query["rctitle"] and span[0] <= c["timestamp"] <= span[1]
        ]
        inside.sort(key=lambda c: (c["timestamp"], c["revid"]))
        start = int(query.get("rccontinue", "x|0").split("|")[1])
        found = {"query": {"recentchanges": inside[start : start + self.size]}}
        if len(inside) > start + self.size:
            onward = {"rccontinue": f"x|{start + self.size}", "continue": "-||"}
            return answered({"continue": onward, **found})
        return answered({"batchcomplete": True, **found})

    def _views(self, path: str) -> Answer:
        *_, title, _, first, last = path.split("/")
        assert title == "Valmont_(Loire)"
        days = [d for d in sorted(self.views) if first <= f"{d:%Y%m%d}" <= last]
        if not days:
            return answered({"type": "…/errors/not_found", "title": "Not found."}, 404)
        like = sample("views")["items"][0]
        items = [like | {"timestamp": f"{d:%Y%m%d}00", "views": self.views[d]} for d in days]
        return answered({"items": items})


def every_minute(count: int) -> list[dict[str, Any]]:
    return [change(100 + n, SINCE + timedelta(minutes=n)) for n in range(count)]


def read(server: peers.Server, **chosen: Any) -> Reading:
    at = ("host", "views_host") if chosen.pop("with_views", False) else ("host",)
    without = {} if len(at) == 2 else {"views_host": ""}
    return peers.read(source, server, at=at, **({"pages": (PAGE,)} | without | chosen))


def parse(data: Any, kind: str = "change") -> list[Any]:
    options = source.Options(pages=(PAGE,))
    return list(source.parse(Payload(kind=kind, data=data), options))


def told(**changed: Any) -> dict[str, Any]:
    items = sample("views")["items"]
    return {"page": PAGE, "from": "2026-11-17", "to": "2026-11-18", "items": items, **changed}


@pytest.mark.parametrize(
    "page",
    ["Utilisateur:Odile", "Discussion utilisateur:Odile", "utilisatrice : Odile", "User_talk:Odile",
     "Spécial:Contributions/Odile", ":User:Odile"],
)  # fmt: skip
def test_the_page_of_an_account_is_not_watched(page: str) -> None:
    with pytest.raises(ValueError, match=r"GDPR art\. 9"):
        source.Options(pages=(page,))


# Parsing


def test_a_change_that_undoes_another_is_a_revert_of_so_many_bytes() -> None:
    (found,) = parse(sample("change"))
    assert found == Attention(
        source="wikipedia",
        native_id="fr.wikipedia:rev:219000107",
        kind="revert",
        about=PAGE,
        url="https://fr.wikipedia.org/wiki/Valmont_%28Loire%29",
        measured_at=datetime(2026, 11, 20, 11, 20, tzinfo=UTC),
        span_seconds=0,
        value=-469.0,
    )
    (plain,) = parse(sample("change") | {"tags": ["mobile edit"]})
    assert plain.kind == "edit"


def test_readings_are_a_measure_a_day_and_a_day_without_a_figure_is_none() -> None:
    first, second = parse(told(), "views")
    assert (first.value, first.measured_at) == (0.0, datetime(2026, 11, 17, tzinfo=UTC))
    assert (second.value, second.kind, second.span_seconds) == (341.0, "page_views", 86_400)
    assert second.native_id == "fr.wikipedia:views:Valmont (Loire):20261118"


def test_a_figure_that_cannot_be_read_is_refused_and_not_taken_for_zero() -> None:
    items = [sample("views")["items"][0] | {"views": "beaucoup"}]
    found = parse(told(items=items), "views")
    assert [getattr(f, "reason", f.__class__.__name__) for f in found] == [
        "bad_figure",
        "Attention",
    ]


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (None, "change", "no_id"),
        ({"revid": 3}, "change", "incomplete"),
        ([], "views", "incomplete"),
        (told(to="2026-11-16"), "views", "incomplete"),
        (told(to="9999-12-31"), "views", "incomplete"),
    ],
)
def test_what_measures_nothing_is_refused(data: Any, kind: str, reason: str) -> None:
    (found,) = parse(data, kind)
    assert isinstance(found, Rejection)
    assert found.reason == reason


def test_300_odd_answers_of_each_shape_are_read_or_refused_with_a_reason() -> None:
    items = [item for data in peers.odd(sample("change")) for item in parse(data)]
    items += [item for data in peers.odd(told()) for item in parse(data, "views")]
    peers.check_parsed(items)
    assert {type(item) for item in items} == {Attention, Rejection}


def test_300_odd_answers_are_read_by_the_fetcher() -> None:
    shape = {
        "batchcomplete": True,
        "continue": {"rccontinue": "x|1", "continue": "-||"},
        "query": {"recentchanges": [sample("change")]},
    }
    answers = iter([*peers.odd(shape), *[{"batchcomplete": True}] * 600])
    pages = tuple(f"Page {n}" for n in range(10))
    for _ in range(30):
        try:
            reading = read(lambda _: answered(next(answers)), pages=pages, max_pages=2)
        except SourceError:
            continue
        peers.check_parsed(reading.parsed)
    views = iter(peers.odd(sample("views")))
    for _ in range(30):
        try:
            reading = read(
                lambda _: answered(next(views)), pages=pages, edits=False, with_views=True,
                since=UNTIL - timedelta(days=5),
            )  # fmt: skip
        except SourceError:
            continue
        peers.check_parsed(reading.parsed)


# Changes


def test_changes_are_read_as_far_as_continue_leads_without_people() -> None:
    wiki = Wiki(every_minute(8))
    reading = read(wiki)
    assert reading.ids == [f"127.0.0.1:rev:{100 + n}" for n in range(8)]
    assert [q.get("rccontinue") for q in wiki.asked] == [None, "x|3", "x|6"]
    assert {q["maxlag"] for q in wiki.asked} == {"5"}
    assert not any("user" in q["rcprop"] or "comment" in q["rcprop"] for q in wiki.asked)
    assert {a.headers["user-agent"] for a in reading.asked} == {
        "Vigie/0.1 (veille@valmont.example)"
    }
    assert reading.clock.slept == [1.0, 1.0]


def test_a_run_capped_by_pages_leaves_the_rest_to_the_next_one() -> None:
    wiki = Wiki(every_minute(16), size=5)
    made = peers.runs(source, wiki, 4, pages=(PAGE,), views_host="", max_pages=2)
    assert made.ids == [f"127.0.0.1:rev:{100 + n}" for n in range(16)]
    assert [r.checkpoint.capped for r in made.readings] == [True, False, False, False]


def test_what_is_older_than_the_wiki_keeps_is_told_as_a_gap() -> None:
    since = UNTIL - timedelta(days=40)
    reading = read(Wiki(), since=since)
    assert reading.checkpoint.gap == (since, UNTIL - timedelta(days=30))


def test_without_a_contact_nothing_is_asked() -> None:
    wiki = Wiki()
    with pytest.raises(SourceError, match=r"write an address or a page as contact in the \[net\]"):
        read(wiki, contact="")
    assert wiki.asked == []


@pytest.mark.parametrize("code", ["maxlag", "ratelimited", "readonly"])
def test_a_busy_wiki_is_waited_for_as_it_says(code: str) -> None:
    wiki = Wiki(every_minute(2))
    reading = read(peers.disturbed(wiki, fault(code, Retry_After="9"), at=1, times=2))
    assert len(reading.ids) == 2
    assert reading.clock.slept == [9.0, 9.0]
    with pytest.raises(RateLimited, match="is busy"):
        read(lambda _: fault(code))


def test_an_error_under_status_200_is_told_by_its_code() -> None:
    with pytest.raises(SourceError, match=r"refuses the question \(badvalue\)"):
        read(lambda _: fault("badvalue"))
    with pytest.raises(SourceError, match="is not the API of a wiki"):
        read(lambda _: answered({"hits": []}))


def test_a_warning_is_passed_on() -> None:
    body = {"batchcomplete": True, "warnings": {"recentchanges": {"warnings": "Unrecognized x"}}}
    assert "the wiki warns about recentchanges" in read(lambda _: answered(body)).note


# Readings


def counted(*figures: int, last: date = date(2026, 11, 19)) -> dict[date, int]:
    return {last - timedelta(days=n): views for n, views in enumerate(reversed(figures))}


def views_of(wiki: Wiki, **chosen: Any) -> Reading:
    given: dict[str, Any] = {"edits": False, "with_views": True}
    return read(wiki, **(given | {"since": UNTIL - timedelta(days=4)} | chosen))


def test_readings_come_a_day_late_and_each_day_once() -> None:
    wiki = Wiki(views=counted(340, 352, 341, 1_203))
    first = views_of(wiki)
    assert [(m.measured_at.day, m.value) for m in first.measures] == [
        (16, 340.0),
        (17, 352.0),
        (18, 341.0),
        (19, 1_203.0),
    ]
    again = views_of(wiki, cursor=first.cursor, until=UNTIL + timedelta(hours=11))
    assert (again.payloads, again.asked) == ([], [])
    wiki.views[date(2026, 11, 20)] = 5
    tomorrow = views_of(wiki, cursor=first.cursor, until=UNTIL + timedelta(days=1))
    assert [(m.measured_at.day, m.value) for m in tomorrow.measures] == [(20, 5.0)]


def test_a_day_that_is_not_counted_yet_is_asked_for_again_before_it_counts_as_none() -> None:
    wiki = Wiki(views=counted(340, last=date(2026, 11, 16)))
    first = views_of(wiki)
    assert [(m.measured_at.day, m.value) for m in first.measures] == [(16, 340.0), (17, 0.0)]
    wiki.views |= counted(7, 8)
    second = views_of(wiki, cursor=first.cursor, until=UNTIL + timedelta(hours=1))
    assert [(m.measured_at.day, m.value) for m in second.measures] == [(18, 7.0), (19, 8.0)]


def test_a_page_that_nobody_reads_is_a_page_of_zeros() -> None:
    reading = views_of(Wiki())
    assert [m.value for m in reading.measures] == [0.0, 0.0]  # the last two may still come


# Faults


@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize("name", [*peers.FAULTS, "maxlag", "error under 200"])
def test_no_fault_loses_or_doubles_a_measure(name: str, at: int) -> None:
    forms = peers.FAULTS | {
        "maxlag": fault("maxlag", Retry_After="5"),
        "error under 200": fault("internal_api_error"),
    }
    wiki = Wiki(every_minute(10), views=counted(3, 4, 5, 6))
    made = peers.runs(
        source,
        peers.disturbed(wiki, forms[name], at=at),
        5,
        at=("host", "views_host"),
        pages=(PAGE,),
        since=UNTIL - timedelta(days=4),
    )
    edits = [f"127.0.0.1:rev:{100 + n}" for n in range(10)]
    days = [f"127.0.0.1:views:{PAGE}:202611{n}" for n in (16, 17, 18, 19)]
    assert sorted(made.ids) == sorted(edits + days)
    values = [m.value for r in made.readings for m in r.measures if m.kind == "page_views"]
    assert sorted(values) == [3.0, 4.0, 5.0, 6.0]
