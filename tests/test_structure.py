"""The picture of the structure in docs/structure.md equals the real imports.

    python -m tests.test_structure     # prints the picture as it should be

Modules are drawn by the part that they belong to. What nearly everybody imports is left out: the
records, the errors, the settings, and the warehouse (`LEFT_OUT`).
"""

from __future__ import annotations

import re
from pathlib import Path

import grimp

PAGE = Path(__file__).parents[1] / "docs" / "structure.md"

# Part -> the modules of `pipelines` in it; `models` and `dags` are parts of their own.
PARTS = {
    "cli": (
        *("cli", "commands", "console", "init", "doctor", "explained", "run_told"),
        *("models_cli", "models_commands"),
        *("orchestrator", "query_cli", "coverage_commands", "backtest_commands"),
        *("rules_cli", "alerts_cli", "board_cli", "labels_cli", "gold_commands", "sql_shell"),
    ),
    "run": ("run",),
    "house": ("house",),
    "listen": ("listen",),
    "listening": ("listening",),
    "sources": ("sources",),
    "hooks": ("hooks", "link_pages", "forms"),
    "board": ("board",),
    "http": ("http",),
    "budget": ("budget", "limits"),
    "landing": ("landing",),
    "normalise": ("normalise", "plaintext"),
    "places": ("places",),
    "query": (
        *("query", "query_tree", "query_terms", "query_fields", "query_match", "query_sql"),
        *("query_told", "query_import", "subjects", "insee", "word_forms"),
    ),
    "history": ("query_history",),
    "words": ("words",),
    "privacy": ("privacy",),
    "accept": ("accept", "expectations", "datadocs"),
    "score": ("score", "columns", "textfile"),
    "load": ("load",),
    "counts": ("counts",),
    "gaps": ("gaps", "spans"),
    "coverage": ("coverage", "coverage_words", "canaries", "recall"),
    "detect": ("detect", "spreads", "rule_cases", "late"),
    "baseline": (
        *("baseline", "burst", "surge", "series", "holidays", "rules", "scopes", "outlook"),
        *("learnt", "unread", "gains"),
    ),
    "backtest": (
        *("backtest", "backtest_page", "backtest_copy", "backtest_rules", "backtest_mentions"),
        *("backtest_pulse",),
        *("backtest_compare", "backtest_stored", "backtest_told", "backtest_report"),
    ),
    "notify": (
        *("notify", "alert_letter", "evidence", "explanation", "incidents"),
        *(
            "alert_actions",
            "conversation",
            "alert_record",
            "post_mortem",
            "quality",
            "surroundings",
            "oncall",
            "handover",
            "incident_rows",
            "warning_round",
            "rota",
            "rota_copy",
        ),
        *("links", "outbox", "channels"),
    ),
    "labelling": ("labelling", "labels", "agreement", "gold_set"),
    "preview": ("preview", "rehearsal"),
    "digest": (
        "appendix",
        "crisis",
        "digest",
        "page",
        "brief",
        "stories",
        "asked",
        "meaning",
        "engagement",
        "risk",
        "cues",
    ),
    "wording": ("wording", "templating"),
    "copies": ("copies",),
    "charts": ("charts",),
    "retention": ("retention",),
    "erasure": ("erasure",),
    "publish": ("publish", "contract", "dictionary", "questions"),
    "export": ("export", "analyst"),
}
LEFT_OUT = (
    "mention",
    "attention",
    "alert",
    "letter",
    "errors",
    "settings",
    "vigie_toml",
    "faq",
    "aside",
    "typed",
    "said",
    "notes",
    "warehouse",
)


def _part(module: str) -> str | None:
    top, _, rest = module.partition(".")
    if top != "pipelines":
        return top
    name = rest.split(".")[0]
    if not name or name in LEFT_OUT:
        return None
    return next(part for part, names in PARTS.items() if name in names)


def picture() -> str:
    """The structure as a Mermaid flow chart, an arrow for each import between two parts."""
    graph = grimp.build_graph("pipelines", "models", "dags")
    edges = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            pair = (_part(module), _part(imported))
            if None not in pair and pair[0] != pair[1]:
                edges.add(pair)
    lines = [f"    {importer} --> {imported}" for importer, imported in sorted(edges)]
    return "\n".join(["flowchart LR", *lines])


def test_the_picture_equals_the_real_imports() -> None:
    drawn = re.search(r"```mermaid\n(.*?)\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert drawn is not None
    assert drawn[1] == picture(), "run `python -m tests.test_structure` and paste what it prints"


if __name__ == "__main__":
    print(picture())  # noqa: T201
