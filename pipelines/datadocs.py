"""What the contract found, for the operator: a page of our own and Great Expectations' Data Docs.

Both are made from the same results: counts of rows, never a value of one. Our page asks nothing
of any other host and can be read aloud; the Data Docs name libraries of other hosts, which the
policy written into each of their pages keeps the browser from fetching.

Cost: importing Great Expectations (4 s of processor once a process), then half a second.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from babel.numbers import format_decimal

from pipelines import expectations
from pipelines.aside import written_aside
from pipelines.templating import template

PAGES = {"fr": "vigie.html", "en": "vigie.en.html"}
GX_INDEX = "gx/uncommitted/data_docs/local_site/index.html"
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'self' 'unsafe-inline' data:\">"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The results of many batches as one: rows in all, and rows that broke each check."""

    batch_count: int
    row_count: int
    duplicate_count: int
    rejected_count: int
    broken: Mapping[str, int]

    @property
    def checked_count(self) -> int:
        """The rows that were checked: repeats are left out before."""
        return self.row_count - self.duplicate_count


def tally(results: Iterable[Mapping[str, Any]]) -> Tally:
    """The sum of what `accept` found, batch by batch."""
    found = list(results)
    broken: Counter[str] = Counter()
    for result in found:
        broken.update(result["broken"])
    return Tally(
        batch_count=len(found),
        row_count=sum(result["row_count"] for result in found),
        duplicate_count=sum(result["duplicate_count"] for result in found),
        rejected_count=sum(result["rejected_count"] for result in found),
        broken=dict(broken),
    )


def build_docs(home: Path, results: Iterable[Mapping[str, Any]], *, made_at: datetime) -> Path:
    """The page `datadocs/vigie.html`, French and English, and the Data Docs beside it.

    A second call writes both anew. Nothing is sent anywhere.
    """
    found = tally(results)
    folder = home / "datadocs"
    folder.mkdir(parents=True, exist_ok=True)
    _build_gx(folder, found, made_at)
    for locale, name in PAGES.items():
        with written_aside(folder / name) as aside:
            aside.write_text(render(found, locale=locale, made_at=made_at), encoding="utf-8")
    return folder / PAGES["fr"]


def render(found: Tally, *, locale: str, made_at: datetime) -> str:
    """Our page in French or English, as HTML that stands alone."""
    texts = _texts()[locale]
    other = "en" if locale == "fr" else "fr"
    rows = list(_rows(found, texts, locale))
    broken_count = sum(row["is_broken"] for row in rows)
    return template("datadocs.html.j2").render(
        locale=locale,
        other_locale=other,
        other_page=PAGES[other],
        t=texts,
        made=texts["made"].format(at=f"{made_at.astimezone(UTC):%Y-%m-%d %H:%M}"),
        verdict=_verdict(found, broken_count, texts),
        broken_count=broken_count,
        sums=_sums(found, texts, locale),
        rows=rows,
        gx=texts["gx"].format(path=f"datadocs/{GX_INDEX}"),
    )


def _verdict(found: Tally, broken_count: int, texts: Mapping[str, Any]) -> str:
    if not found.row_count:
        return str(texts["nothing"])
    return str(texts["some_broken"].format(n=broken_count) if broken_count else texts["all_kept"])


def _sums(found: Tally, texts: Mapping[str, Any], locale: str) -> list[tuple[str, str]]:
    counts = {
        "batches": found.batch_count,
        "rows": found.row_count,
        "duplicates": found.duplicate_count,
        "rejected": found.rejected_count,
        "accepted": found.checked_count - found.rejected_count,
    }
    return [(texts[key], _number(count, locale)) for key, count in counts.items()]


def _rows(found: Tally, texts: Mapping[str, Any], locale: str) -> Iterator[dict[str, Any]]:
    checks = expectations.checks()
    for check in checks:
        expected = describe(check, texts, locale)
        yield _row(check.id, check.column, expected, found, texts, locale)
    for name in sorted(set(found.broken).difference(check.id for check in checks)):
        yield _row(name, name.rpartition(" ")[2], texts["retired"], found, texts, locale)


def _row(
    name: str, column: str, expected: str, found: Tally, texts: Mapping[str, Any], locale: str
) -> dict[str, Any]:
    broken = found.broken.get(name, 0)
    return {
        "column": column,
        "about": texts["columns"].get(column, ""),
        "expected": expected,
        "checked": _number(found.checked_count, locale),
        "broken": _number(broken, locale),
        "is_broken": broken > 0,
    }


def describe(check: expectations.Check, texts: Mapping[str, Any], locale: str) -> str:
    """What a check expects, in words."""
    kinds = texts["kinds"]
    limits = {key: _shown(value, locale) for key, value in check.limits.items()}
    bounds = ""
    if limits.keys() & {"min_value", "max_value"}:
        form = "between" if len(limits) == 2 else "at_least" if "min_value" in limits else "at_most"
        bounds = kinds[form].format(**limits)
    return str(kinds[check.kind].format(bounds=bounds, **limits))


def _shown(value: object, locale: str) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return _number(value, locale) if isinstance(value, int) else str(value)


def _number(value: int, locale: str) -> str:
    return str(format_decimal(value, locale=locale))


@cache
def _texts() -> dict[str, Any]:
    path = files("pipelines") / "templates" / "datadocs.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _build_gx(folder: Path, found: Tally, made_at: datetime) -> None:
    """Great Expectations' own site, built beside and then put in place of the last one."""
    aside = folder / f".gx.{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        context = expectations.gx_context(mode="file", project_root_dir=str(aside))
        context.suites.add(expectations.gx_suite())
        _store(context, found, made_at)
        context.build_data_docs()
        for page in aside.rglob("*.html"):
            read = page.read_text(encoding="utf-8")
            page.write_text(read.replace("<head>", f"<head>{_POLICY}", 1), encoding="utf-8")
        shutil.rmtree(folder / "gx", ignore_errors=True)
        (aside / "gx").replace(folder / "gx")
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _store(context: Any, found: Tally, made_at: datetime) -> None:
    """Put the tally where Data Docs look for the result of a validation."""
    from great_expectations.core import RunIdentifier
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
    )
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    run = RunIdentifier(run_name="vigie", run_time=made_at)
    results = [_gx_result(check, found) for check in expectations.checks()]
    kept = sum(bool(result.success) for result in results)
    validation = ExpectationSuiteValidationResult(
        success=kept == len(results),
        results=results,
        suite_name=expectations.SUITE,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": kept,
            "unsuccessful_expectations": len(results) - kept,
            "success_percent": 100 * kept / len(results),
        },
        meta={"run_id": run, "expectation_suite_name": expectations.SUITE},
    )
    key = ValidationResultIdentifier(
        expectation_suite_identifier=ExpectationSuiteIdentifier(name=expectations.SUITE),
        run_id=run,
        batch_identifier="mentions",
    )
    context.stores["validation_results_store"].set(key, validation)


def _gx_result(check: expectations.Check, found: Tally) -> Any:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    broken = found.broken.get(check.id, 0)
    return ExpectationValidationResult(
        success=not broken,
        expectation_config=ExpectationConfiguration(
            type=check.kind, kwargs={"column": check.column, **check.limits}
        ),
        result={
            "element_count": found.checked_count,
            "unexpected_count": broken,
            "unexpected_percent": 100 * broken / max(found.checked_count, 1),
            "partial_unexpected_list": [],
        },
        exception_info={
            "raised_exception": False,
            "exception_message": None,
            "exception_traceback": None,
        },
    )
