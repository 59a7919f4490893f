"""docs/alerts.md names what there is: every rule, and every reason why a mail goes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines import preview, rules

DOCS = (Path(__file__).parents[1] / "docs" / "alerts.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", rules.names())
def test_a_rule_is_documented(name: str) -> None:
    assert re.search(rf"^\| `{name}` \|", DOCS, re.MULTILINE)


def test_every_reason_to_tell_or_not_is_documented_and_no_other() -> None:
    source = Path(rules.__file__).with_name("incidents.py").read_text(encoding="utf-8")
    told = set(re.findall(r'_yes\("(\w+)"\)|reason="(\w+)", is_sent=True', source))
    kept = set(re.findall(r'_no\((?:f)?"(\w+?)_?["{]', source))
    sent = {one or other for one, other in told}
    assert {"first", "escalation", "unstable"} < sent
    assert {"acked", "silenced", "quiet_hours", "already"} < kept
    part = DOCS.partition("## Whom to tell, and why")[2].partition("\n## ")[0]
    yes, _, no = part.partition("| Nobody is told because")
    assert set(re.findall(r"^\| `(\w+)`", yes, re.MULTILINE)) == sent
    assert set(re.findall(r"^\| `(\w+)`", no, re.MULTILINE)) == kept


def test_every_kind_of_letter_that_can_be_previewed_is_documented_and_no_other() -> None:
    [listed] = re.findall(r"^sent or recorded\. The kinds: (.*?)\.\n?A kind", DOCS, re.M | re.S)
    assert set(re.findall(r"`(\w+)`", listed)) == set(preview.KINDS)
