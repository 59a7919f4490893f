"""The alert mail: what a moderator reads, from an incident and what the warehouse knows of it."""

from __future__ import annotations

from datetime import datetime

from pipelines.incidents import Decision, Incident
from pipelines.letter import Letter
from pipelines.settings import Settings


def letter(
    incident: Incident, *, decision: Decision, settings: Settings, as_of: datetime
) -> Letter:
    """The letter about an incident at `as_of`, in the institution's language."""
    alert = incident.alert
    subject = (
        f"[Vigie] {incident.severity.upper()} · {alert.rule_id} · {alert.observed:.0f} "
        f"· {settings.institution.name}"
    )
    text = f"{subject}\n{decision.reason} {as_of.isoformat()}\n"
    return Letter(subject=subject, text=text, html=f"<p>{alert.rule_id}</p>")


def failure(*, dag: str, task: str, run: str, error: str, settings: Settings) -> Letter:
    """The letter about a task that failed."""
    subject = f"[Vigie] {task} · {settings.institution.name}"
    text = f"{dag} {task} {run}\n{error}\n"
    return Letter(subject=subject, text=text, html=f"<p>{dag}</p>")
