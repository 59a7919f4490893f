"""Signs of what a message does: asks, claims, calls to gather. Word patterns, French and English.

No model of acts ships yet, so these are only signs, and the digest says so. They serve to sort
and to propose; nothing is decided by them. Known gaps: irony, other languages, a question
without its mark.
"""

from __future__ import annotations

import re

_LINK = re.compile(r"https?://\S+")
_QUESTION = re.compile(
    r"\?|^\W*(?:bonjour\W+)?(?:comment|quand|où|pourquoi|combien|est-ce qu|qui sait"
    r"|quelqu['’]un sait|savez-vous|y a-t-il|peut-on"
    r"|how|when|where|why|does anyone|is there|can we)\b",
    re.IGNORECASE,
)
_RHETORICAL = re.compile(
    r"\?{2,}|\?!|!\?|jusqu['’]à quand|honte|de qui se moque|que fait (?:la|le)"
    r"|cache quoi|c['’]est normal",
    re.IGNORECASE,
)
_PRACTICAL = re.compile(
    r"(?:^|[.!?:,…]\s*)(?:comment|quand|où|combien|(?:à|de|pour|dans) quel\w*|quel\w*|est-ce qu"
    r"|peut-on|peux-tu|pouvez-vous|y a-t-il|y aura-t-il|qui contacter|qui sait|quelqu['’]un sait"
    r"|savez-vous|how|when|where|what|which|who|is there|are there|can (?:we|i|you)|does anyone)\b"
    r"[^?]{0,400}\?|^(?:bonjour\W+)?faut-il\b[^?]{0,400}\?"
    r"|\b(?!faut)\w+-(?:t-)?(?:il|elle|ils|elles|on)\b[^?]{0,400}\?|\b(?:quand|où|combien|comment)\s*\?",
    re.IGNORECASE,
)
_CLAIM = re.compile(
    r"\b(?:il para[iî]t|para[iî]t[- ]il|apparemment|on (?:nous|vous) (?:cache|ment)"
    r"|selon (?:un|une|des|mes|nos|certains|plusieurs)|d['’]après (?:un|une|des|mes|nos)"
    r"|une source|source s[uû]re|soi-disant|la vérité sur|ce qu['’]on ne (?:nous|vous) dit"
    r"|scandale|révélations?|étouff\w+ (?:l['’]|cette )affaire|dissimul\w+|en secret"
    r"|nous le cache|le cache|cachent|contaminée?s?|toxiques?|empoisonn\w+|alerte"
    r"|c['’]est (?:officiel|confirmé)|preuve|partagez|faites tourner|fait tourner"
    r"|apparently|cover[- ]up|they are hiding|share before|confirmed|leaked)\b",
    re.IGNORECASE,
)
_FIGURE = re.compile(
    r"(?<!\d)\d++(?:[.,]\d++)?\s?(?:€|%|euros?|millions?|milliards?|morts?|blessés?)", re.I
)
_DENIAL = re.compile(
    r"^\W*(?:(?:\w+\W+){0,3}non\b|faux\b)|\b(?:rumeur|intox|fake|hoax|canular|infox|désinformation"
    r"|démen\w+|aucune? (?:analyse|preuve|source)|n['’]est pas vrai|c['’]est faux"
    r"|rumou?r|debunked|no evidence|not true)\b",
    re.IGNORECASE,
)
_GATHERING = re.compile(
    r"\b(?:rassemblement|manif(?:estation|s)?|mobilisation|sit-in|marche (?:blanche|pour|contre)"
    r"|(?:rdv|rendez-vous)\b.{0,40}\b(?:devant|place|mairie|préfecture|parvis)"
    r"|tous (?:à|devant|au) |toutes et tous (?:à|devant|au) |on bloque|blocage de"
    r"|rejoignez[- ]nous|descendons dans la rue|demonstration|rally|march (?:for|against))",
    re.IGNORECASE,
)


def is_question(text: str) -> bool:
    """Whether a text seems to ask for an answer; a rhetorical outcry does not."""
    bare = _LINK.sub(" ", text)
    return bool(_QUESTION.search(bare)) and not _RHETORICAL.search(bare)


def is_request(text: str) -> bool:
    """Whether a text seems to ask something practical: how, when, where, may one."""
    return is_question(text) and bool(_PRACTICAL.search(_LINK.sub(" ", text)))


def is_claim(text: str) -> bool:
    """Whether a text seems to state a fact to be checked; a denial is an answer to one."""
    bare = _LINK.sub(" ", text)
    has_sign = bool(_CLAIM.search(bare) or _FIGURE.search(bare))
    return has_sign and not is_question(text) and not is_denial(text)


def is_denial(text: str) -> bool:
    """Whether a text seems to say that something told is not so."""
    return bool(_DENIAL.search(_LINK.sub(" ", text)))


def is_gathering(text: str) -> bool:
    """Whether a text seems to call people to gather."""
    return bool(_GATHERING.search(_LINK.sub(" ", text)))
