"""Who may open and do what on the board: one table, which a test holds for every page and role.

A director reads all that is about the town and may take an alert in hand; an analyst reads,
searches and exports; a moderator acts on alerts and sees where a message stands; both label; a
data-protection officer sees receipts, erasures and who has opened what (docs/law.md, rule 10).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["director", "analyst", "moderator", "dpo"]
ROLES: tuple[Role, ...] = get_args(Role)
Method = Literal["GET", "POST"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page or an action: its path under the board, and the roles that may use it.

    `is_menu`: it stands in the menu; `shows_texts`: it may show what people wrote, so that the
    access log counts how many messages were seen.
    """

    name: str
    path: str
    roles: frozenset[Role]
    method: Method = "GET"
    is_menu: bool = False
    shows_texts: bool = False


_EVERY = frozenset(ROLES)
_READERS: frozenset[Role] = frozenset({"director", "analyst", "moderator"})
# A director reads what was counted and the few messages that a digest or an alert quotes.
_SEARCHERS: frozenset[Role] = frozenset({"analyst", "moderator"})
_MODERATOR: frozenset[Role] = frozenset({"moderator"})
_LABELLERS: frozenset[Role] = frozenset({"analyst", "moderator"})
_DPO: frozenset[Role] = frozenset({"dpo"})

PAGES: tuple[Page, ...] = (
    Page(name="today", path="/", roles=_READERS, is_menu=True, shows_texts=True),
    Page(name="alerts", path="/alerts", roles=_READERS, is_menu=True),
    Page(name="alert", path="/alerts/{incident_id}", roles=_READERS, shows_texts=True),
    Page(
        name="acknowledge",
        path="/alerts/{incident_id}/acknowledge",
        method="POST",
        roles=frozenset({"director", "moderator"}),
    ),
    Page(name="silence", path="/alerts/{incident_id}/silence", method="POST", roles=_MODERATOR),
    Page(name="unsilence", path="/alerts/{incident_id}/unsilence", method="POST", roles=_MODERATOR),
    Page(name="judge", path="/alerts/{incident_id}/judge", method="POST", roles=_MODERATOR),
    Page(name="take_back", path="/alerts/{incident_id}/take-back", method="POST", roles=_MODERATOR),
    Page(name="labels", path="/labels", roles=_LABELLERS, is_menu=True, shows_texts=True),
    Page(name="draw", path="/labels/draw", method="POST", roles=_LABELLERS),
    Page(name="agreement", path="/labels/agreement", roles=_LABELLERS, shows_texts=True),
    Page(name="labelling", path="/labels/task/{task_id}", roles=_LABELLERS, shows_texts=True),
    Page(name="label", path="/labels/task/{task_id}", method="POST", roles=_LABELLERS),
    Page(name="unlabel", path="/labels/task/{task_id}/undo", method="POST", roles=_LABELLERS),
    Page(name="dispute", path="/labels/task/{task_id}/settle", roles=_LABELLERS, shows_texts=True),
    Page(name="settle", path="/labels/task/{task_id}/settle", method="POST", roles=_LABELLERS),
    Page(name="search", path="/search", roles=_SEARCHERS, is_menu=True, shows_texts=True),
    Page(name="export", path="/search.csv", roles=frozenset({"analyst"}), shows_texts=True),
    Page(name="topics", path="/topics", roles=_READERS, is_menu=True),
    Page(name="topic", path="/topics/{topic_id}", roles=_READERS),
    Page(name="sources", path="/sources", roles=_READERS, is_menu=True),
    Page(name="source", path="/sources/{source_name}", roles=_READERS),
    Page(name="coverage", path="/coverage", roles=_EVERY, is_menu=True),
    Page(name="archive", path="/digests", roles=_READERS),
    Page(name="digest", path="/digests/{name}", roles=_READERS, shows_texts=True),
    Page(name="privacy", path="/privacy", roles=_DPO, is_menu=True),
    Page(name="accesses", path="/accesses", roles=_DPO, is_menu=True),
    Page(name="settings", path="/settings", roles=_EVERY, is_menu=True),
    Page(name="examine", path="/settings", method="POST", roles=_EVERY),
)


def home(role: Role) -> str:
    """The first page of a role: where it lands after logging in."""
    return next(page.path for page in PAGES if page.is_menu and role in page.roles)


def may(role: Role, name: str) -> bool:
    """Whether a role may use the page or action of that name."""
    return any(page.name == name and role in page.roles for page in PAGES)
