"""`vigie rules …`: the rules there are, and their given/expected cases."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Annotated

import typer

from pipelines import rule_cases, rules
from pipelines.commands import Commands
from pipelines.console import HERE, Home, Locale, chosen_locale, out, table, words

rules_app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Alert rules: list them, run the cases beside each (docs/alerts.md).",
)
_SEVERITY = re.compile(r"\b(?:warning|critical)\b")
_TOLD = {  # whom a rule tells
    "fr": {"on_call": "astreinte", "operators": "exploitant"},
    "en": {"on_call": "on call", "operators": "operators"},
}
_HEADS = {
    "fr": ("règle", "version", "intitulé", "gravité", "fenêtre", "dite à"),
    "en": ("rule", "version", "label", "severity", "window", "told to"),
}


@rules_app.command("list")
def list_(home: Home = HERE, locale: Locale = None) -> None:
    """Every rule: its version, severity, window, and what people read."""
    from pipelines.wording import words as spoken_in  # CLDR takes a tenth of a second

    chosen = chosen_locale(home, locale)
    rows, spoken = [], spoken_in(chosen, UTC, name="alerts")
    for name in rules.names():
        rule = rules.read(name)
        label, window = (rule.say(part, chosen) for part in ("Label", "Window"))
        graded = sorted({*_SEVERITY.findall(rule.severity)})  # when, its file says
        severities = (spoken.text(f"severity.{each}") for each in graded)
        told = _TOLD[chosen][rule.tells]
        rows.append((name, rule.version, label, ", ".join(severities), window, told))
    out.print(table(_HEADS[chosen], rows))


@rules_app.command("test")
def run(
    rule: Annotated[list[str] | None, typer.Argument(help="Rules. Default: all.")] = None,
) -> None:
    """Run the cases beside each rule (sql/alerts/<rule>.toml); 1 where one fails."""
    failed = count = 0
    for name in rule_cases.names(rule or ()):
        for outcome in rule_cases.run(name):
            count += 1
            if outcome.trouble:
                failed += 1
                out.print("[red]✗[/]", words(f"{name}: {outcome.case}: {outcome.trouble}"))
    out.print(f"{count - failed} of {count} cases pass")
    if failed:
        raise typer.Exit(1)
