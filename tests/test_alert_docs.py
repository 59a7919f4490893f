"""docs/alerts.md names what there is: every rule, and every reason why a mail goes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines import rules

DOCS = (Path(__file__).parents[1] / "docs" / "alerts.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", rules.names())
def test_a_rule_is_documented(name: str) -> None:
    assert re.search(rf"^\| `{name}` \|", DOCS, re.MULTILINE)


def test_every_reason_of_a_mail_is_documented() -> None:
    source = Path(rules.__file__).with_name("incidents.py").read_text(encoding="utf-8")
    sent = set(re.findall(r'reason="(\w+)", is_sent=True', source))
    assert len(sent) == 7
    assert all(f"`{reason}`" in DOCS for reason in {*sent, "unstable"})
