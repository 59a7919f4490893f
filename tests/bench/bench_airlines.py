"""A week of tweets at airlines through the import and the backtest: who would have been woken.

    python -m tests.bench.bench_airlines airline_feb2015.parquet [--home FOLDER] [--page FILE.html]

The file (not here: its licence keeps it out) has the columns `tweet_id, created_at, brand, text,
author, retweet_count`. Each brand is a subject, known by the handle that most of its texts begin
with; a row without a text keeps its time. Everything is imported by the steps of a run, scored by
the models that ship, and replayed by `pipelines/backtest_mentions.py`. Nothing is labelled.
"""

from __future__ import annotations

import argparse
import csv
import re
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines import (
    backtest_commands,
    backtest_copy,
    backtest_mentions,
    backtest_stored,
    house,
    privacy,
    run,
    wording,
)
from pipelines.backtest_mentions import Opening, Replayed
from pipelines.backtest_stored import Asked

HEAD = """
[institution]
id = "airlines"
name = "Airlines"
kind = "commune"
legal_basis = "RGPD art. 6-1-e"
locale = "en"
time_zone = "America/New_York"

[sources.columns]
native_id = "id"
published_at = "at"
text = "text"
author_handle = "author"
share_count = "shares"

[[recipients]]
name = "On call"
email = "on-call@airlines.example"
role = "moderator"
gets = ["alerts", "failures"]

[[recipients]]
name = "Head"
email = "head@airlines.example"
role = "director"
gets = ["digest"]

[mail]
security = "none"
sender = "vigie@airlines.example"
port = 9
"""
SOURCE = """
[[sources]]
name = "tweets"
kind = "file"
path = "inbox/*.csv"
preset = "none"
network = "x"
time_zone = "UTC"
"""
SUBJECT = """
[[subjects]]
id = "{id}"
label = "{label}"
purpose = "Answer the passengers of {label}."
names = ["{handle}"]
handles = ["@{handle}"]

[[relays]]
id = "{id}"
label = "{label}"
kind = "institution"
handles = ["@{handle}"]
"""


def read(path: Path) -> list[dict[str, Any]]:
    """The rows by time; a row without a text is addressed to its brand and says nothing."""
    names = ["tweet_id", "created_at", "brand", "text", "author", "retweet_count"]
    rows: list[dict[str, Any]] = pq.read_table(path, columns=names).to_pylist()
    return sorted(rows, key=lambda row: (row["created_at"], row["tweet_id"]))


def handles(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The account that most texts of each brand are addressed to."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        if match := re.match(r"\s*@(\w+)", row["text"] or ""):
            found.setdefault(row["brand"], Counter())[match[1].lower()] += 1
    return {brand: counts.most_common(1)[0][0] for brand, counts in sorted(found.items())}


def write_home(home: Path, rows: list[dict[str, Any]]) -> None:
    """A home with each brand as a subject and the tweets as an export in its inbox."""
    known = handles(rows)
    subjects = "".join(
        SUBJECT.format(id=re.sub(r"\W+", "_", brand.lower()), label=brand, handle=handle)
        for brand, handle in known.items()
    )
    head, columns = HEAD.split("\n[sources.columns]")
    text = head + subjects + SOURCE + "\n[sources.columns]" + columns
    (home / "inbox").mkdir(parents=True)
    (home / "vigie.toml").write_text(text, encoding="utf-8")
    privacy.new_key(home)
    with (home / "inbox" / "tweets.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "at", "text", "author", "shares"])
        for row in rows:
            # A text without its brand's account would be nobody's: rows say whose they are.
            said = row["text"] or ""
            address = f"@{known[row['brand']]}"
            said = said if address in said.lower() else f"{address} {said}"
            at = f"{row['created_at'].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
            writer.writerow([row["tweet_id"], at, said, row["author"], row["retweet_count"]])


def load(home: Path, until: datetime) -> None:
    """Every step of a run, without its alerts."""
    found = run.house(home)
    name = f"{until:%Y%m%dT%H%M%SZ}"
    run.plan(found, since=until, until=until)
    run.collect(found, name, "tweets")
    run.accept(found, name)
    run.score(found, name)
    run.load(found, name)


def table(found: Replayed) -> None:
    """Every opening: when, what, how grave, what it told."""
    for each in found.openings:
        alert = each.alert
        usual = "warming up" if alert.is_warming_up else f"expected {alert.expected or 0:.1f}"
        share = "" if alert.share is None else f", negative {alert.share:.0%}"
        what = f"{each.subject_id or '-':12} {each.rule_id:15} {each.scope:16} {each.severity:8}"
        seen = f"{alert.observed:.0f} in {alert.window_minutes} min, {usual}{share}"
        print(f"{each.fired_at:%a %d %H:%M} {what} {seen}, mails {each.mail_count}, {_span(each)}")


def _span(each: Opening) -> str:
    return "open" if each.ended_at is None else f"{(each.ended_at - each.fired_at)} long"


def main() -> None:
    """Import, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    rows = read(options.data)
    since = rows[0]["created_at"].astimezone(UTC)
    until = rows[-1]["created_at"].astimezone(UTC) + timedelta(minutes=10)
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder) / "home"
        if not (home / "warehouse.duckdb").exists():
            write_home(home, rows)
            started = time.perf_counter()
            load(home, until)
            print(f"{len(rows)} tweets imported in {time.perf_counter() - started:.0f} s")
        replay(home, since, until, options.page)


def replay(home: Path, since: datetime, until: datetime, page: Path | None) -> None:
    """The backtest of the present rules over the week."""
    settings = house.house(home).settings
    asked = Asked(since=since, until=until)
    started = time.perf_counter()
    with backtest_copy.copied(settings, since=since, until=until) as copy:
        told = backtest_stored.run(copy, asked, [], source=None, bar=backtest_stored.silently)
        table(told.present.replayed)
        if page is not None:
            words = wording.words("en", settings.institution.zone, name="backtest")
            backtest_commands.draw(page, copy, told, settings, words)
    found = told.present.replayed
    print(
        f"{found.steps} moments, {found.asked} asked, {time.perf_counter() - started:.0f} s; mails:"
    )
    for (who, kind), count in backtest_mentions.by_reader(found.mails).items():
        print(f"  {who} {kind} {count}")


if __name__ == "__main__":
    main()
