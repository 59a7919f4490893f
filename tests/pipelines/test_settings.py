"""vigie.toml is read whole: every fault at once, each with its line and what to write instead."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict

from pipelines import init, settings, sources
from pipelines.errors import Fault, SettingsError
from pipelines.sources import file, telegram


class Wire(BaseModel):
    """The options of an invented source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    depth: int = 1
    flavour: Literal["plain", "spicy"] = "plain"
    token_env: str | None = None
    password_env: str = "VIGIE_WIRE"
    time_zone: str = "Europe/Paris"
    accounts: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


KINDS: dict[str, type[BaseModel]] = {"wire": Wire, "file": file.Options}
WORD = 'word = "veillevernelle7f3k"\n'
EVENT = """[[events]]
label = "Vote du budget"
start = 2026-12-14T18:00:00
end = 2026-12-15T01:00:00
"""
CANARY = """[[canaries]]
id = "matin"
daily_at = 09:00:00
sources = ["gazette"]
"""
GOOD = """\
[institution]
id = "vernelle"
name = "Ville de Vernelle"
kind = "commune"
handles = ["@vernelle@social.example"]
legal_basis = "Mission d'intérêt public (RGPD, art. 6-1-e), délibération n° 2026-14"
time_zone = "Indian/Reunion"

[[subjects]]
id = "ville"
label = "La Ville"
purpose = "Répondre aux habitants de la ville."
names = ["Vernelle"]

[[sources]]
name = "gazette"
kind = "wire"
url = "https://gazette.example/feed"
subject = "ville"

[[sources]]
name = "exports"
kind = "file"
path = "inbox/*.csv"

[sources.columns]
text = "Texte"
published_at = "Date"

[[recipients]]
name = "Astreinte"
email = "astreinte@vernelle.example"
role = "moderator"
gets = ["alerts", "digest", "failures"]

[[rota]]
email = "astreinte@vernelle.example"
from_on = 2026-11-01
to_on = 2026-11-30

[mail]
sender = "vigie@vernelle.example"
"""


def read(home: Path, text: str, environ: dict[str, str] | None = None) -> settings.Settings:
    (home / "vigie.toml").write_text(text, encoding="utf-8")
    return settings.read(home, environ=environ or {}, source_options=KINDS)


def faults(home: Path, text: str, environ: dict[str, str] | None = None) -> tuple[Fault, ...]:
    with pytest.raises(SettingsError) as told:
        read(home, text, environ)
    return told.value.faults


def only(found: tuple[Fault, ...]) -> Fault:
    assert len(found) == 1, [str(f) for f in found]
    return found[0]


def test_a_good_file_is_read_into_frozen_records(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert found.home == tmp_path.resolve()
    gazette, exports = found.sources
    assert gazette.options == Wire(url="https://gazette.example/feed", time_zone="Indian/Reunion")
    assert exports.options.columns == {"text": "Texte", "published_at": "Date"}
    assert found.retention.text_days == 30


def test_naive_times_of_a_source_are_of_the_institution_unless_said(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD).sources[1].options.time_zone == "Indian/Reunion"
    said = GOOD.replace('kind = "file"', 'kind = "file"\ntime_zone = "UTC"')
    assert read(tmp_path, said).sources[1].options.time_zone == "UTC"


EIGHT = (
    ('time_zone = "Indian/Reunion"', 'time_zone = "Europe/Pari"'),
    ('purpose = "Répondre aux habitants de la ville."\n', ""),
    ('names = ["Vernelle"]', 'ambiguous = ["Vernelle"]'),
    ('url = "https://gazette.example/feed"', 'ulr = "https://gazette.example/feed"'),
    ('kind = "file"', 'kind = "fiel"'),
    ('email = "astreinte@vernelle.example"\nrole', 'email = "astreinte(at)vernelle.example"\nrole'),
    ("to_on = 2026-11-30", "to_on = 2026-10-30"),
    ('sender = "vigie@vernelle.example"', 'port = 70000\nsender = "vigie@vernelle.example"'),
)


def test_eight_planted_faults_are_all_told_at_once_with_remedies(tmp_path: Path) -> None:
    text = GOOD
    for right, wrong in EIGHT:
        assert right in text
        text = text.replace(right, wrong, 1)
    found = faults(tmp_path, text)
    told = {(f.key, f.line): f.remedy for f in found}
    expected = {
        ("institution.time_zone", 7): "did you mean 'Europe/Paris'",
        ('subjects "ville" purpose', 9): "without a purpose nothing may be collected",
        ('subjects "ville" ambiguous', 12): "counts only near a word of `context`",
        ('sources "gazette" ulr', 17): "did you mean 'url'",
        ('sources "exports" kind', 22): "did you mean 'file'? choose one of file, wire",
        ('recipients "Astreinte" email', 31): "one plain mail address",
        ('rota "astreinte@vernelle.example" to_on', 38): "would end before it starts (2026-11-01)",
        ("mail.port", 41): "write 65535 or less",
    }
    for place, remedy in expected.items():
        assert remedy in told.get(place, ""), (place, told)
    # ... and what follows from the wrong address: the person on call is nobody's.
    assert len(told) == len(expected) + 1
    assert len(str(SettingsError("vigie.toml", found)).splitlines()) == 1 + len(found)


ONE = [
    ("[institution]\n", "[institution]\nlocle = 'fr'\n", "institution.locle", 2,
     "did you mean 'locale'"),
    ("[institution]\n", "[institution]\nlocale = 'de'\n", "institution.locale", 2, "'fr' or 'en'"),
    ("[institution]\n", "[institution]\ndigest_hour = 'sept'\n", "institution.digest_hour", 2,
     "whole number"),
    ("[institution]\n", "[institution]\ndigest_hour = 24\n", "institution.digest_hour", 2,
     "23 or less"),
    ('id = "vernelle"', 'id = "Ville de Vernelle"', "institution.id", 2, "lower-case letter"),
    ('legal_basis = "Mission d\'intérêt public (RGPD, art. 6-1-e), délibération n° 2026-14"\n', "",
     "institution.legal_basis", 1, "RGPD art. 6-1-e"),
    ('names = ["Vernelle"]', "", 'subjects "ville"', 9, "nothing would be heard"),
    ('names = ["Vernelle"]', 'names = "Vernelle"', 'subjects "ville" names', 13, "write a list"),
    ('names = ["Vernelle"]', 'names = ["Vernelle", "VN"]', 'subjects "ville" names',
     13, "`ambiguous`"),
    ('names = ["Vernelle"]', 'names = ["Vernelle", "from:lea_v"]', 'subjects "ville" names', 13,
     "GDPR art. 9"),
    ('names = ["Vernelle"]', 'names = ["Vernelle", "@lea_v"]', 'subjects "ville" names', 13,
     "[[relays]]"),
    ('names = ["Vernelle"]', 'query = "tram AND"', 'subjects "ville" query', 13,
     "nothing stands after AND (character 6): write a word after it"),
    ('names = ["Vernelle"]', 'query = "author:@lea_v tram"', 'subjects "ville" query', 13,
     "GDPR art. 9"),
    ('subject = "ville"', 'subject = "vile"', 'sources "gazette" subject',
     19, "did you mean 'ville'"),
    ('name = "exports"', 'name = "gazette"', 'sources "gazette" name',
     22, "two sources have this name"),
    ('path = "inbox/*.csv"', 'path = "../autres/*.csv"', 'sources "exports" path', 24,
     "leads out of the home"),
    ('text = "Texte"', 'txt = "Texte"', 'sources "exports" columns', 26, "did you mean text"),
    ('subject = "ville"', 'depth = "deep"', 'sources "gazette" depth', 19, "whole number"),
    ('subject = "ville"', 'flavour = "sweet"', 'sources "gazette" flavour',
     19, "'plain' or 'spicy'"),
    ('subject = "ville"', 'accounts = ["@lea_v"]', 'sources "gazette" accounts', 19, "[[relays]]"),
    ('subject = "ville"', 'channels = ["UClea"]', 'sources "gazette" channels', 19, "[[relays]]"),
    ('subject = "ville"', "every_minutes = 0", 'sources "gazette" every_minutes', 19, "1 or more"),
    ('gets = ["alerts", "digest", "failures"]', 'gets = ["digest", "failures"]', "recipients", None,
     "an alert would reach nobody"),
    ('gets = ["alerts", "digest", "failures"]', 'gets = ["alerts", "failures"]', "recipients", None,
     "the daily digest would reach nobody"),
    ('[[rota]]\nemail = "astreinte', '[[rota]]\nemail = "astreint',
     'rota "astreint@vernelle.example" email', 37, "did you mean 'astreinte@vernelle.example'"),
    ("[mail]\nsender", "[mail]\n# sender", "mail.sender", 41, "that mails come from"),
    ("[mail]\n", "[retention]\ntext_days = 400\n[mail]\n", "retention.text_days", 42,
     "180 days at most"),
    ("[mail]\n", "[retention]\ntext_days = 0\n[mail]\n", "retention.text_days", 42, "1 or more"),
    ("[mail]\n", "[models]\nsentiment = 'org/name'\n[mail]\n", "models.sentiment", 42,
     "org/name@revision"),
    ("[mail]\n", "[[relays]]\nid = 'a'\nlabel = 'A'\nkind = 'media'\n[mail]\n", 'relays "a"', 41,
     "handles or sites"),
    ('names = ["Vernelle"]', 'handles = ["@lea_v"]', 'subjects "ville" handles', 13, "[[relays]]"),
    ('kind = "file"\n', "", 'sources "exports" kind', 21, "choose one of file, wire"),
    ("[institution]\n", 'home = "/tmp"\n[institution]\n', "home", 1, "the home is this folder"),
    ("[mail]\n", "[net]\nallow_private = ['10.0.0.0/99']\n[mail]\n", "net.allow_private", 42,
     "10.1.2.0/24"),
    ("[mail]\n", "[net]\nallow_private = ['0.0.0.0/0']\n[mail]\n", "net.allow_private", 42,
     "every address"),
    ('sender = "vigie@vernelle.example"', 'sender = "vigie"', "mail.sender", 42,
     "one mail address"),
    ("[mail]\n", "[budget]\nmonthly_cap_eur = -1\n[mail]\n", "budget.monthly_cap_eur", 42,
     "0 or more"),
    ('subject = "ville"', 'monthly_cap = "dix"', 'sources "gazette" monthly_cap', 19, ""),
    ("[mail]\n", CANARY + 'word = "court"\n[mail]\n', 'canaries "matin" word', 45,
     "nobody else writes"),
    ("[mail]\n", CANARY + "[mail]\n", 'canaries "matin"', 41, "write its word"),
    ("[mail]\n", CANARY.replace("gazette", "gazete") + WORD + "[mail]\n",
     'canaries "matin" sources', 44, "did you mean 'gazette'"),
    ("[mail]\n", CANARY.replace("daily_at = 09:00:00\n", "") + WORD + "[mail]\n",
     'canaries "matin"', 41, "planted_at"),
    ("[mail]\n", CANARY.replace("daily_at = 09:00:00", "planted_at = [2026-11-26T09:00:00]")
     + WORD + "[mail]\n", 'canaries "matin" planted_at', 43, "write its zone"),
    ("[mail]\n", "[wab]\n[mail]\n", "wab", 41,
     "there is alerts, board, budget, canaries, channels, engagement, events"),
    ("[mail]\n", EVENT.replace("end = 2026-12-15", "end = 2026-12-13") + "[mail]\n",
     'events #1 end', 44, "before it starts"),
    ("[mail]\n", EVENT.replace("2026-12-15", "2026-12-31") + "[mail]\n",
     'events #1 end', 44, "seven days at most"),
    ("[mail]\n", EVENT.replace("01:00:00", "01:00:00Z") + "[mail]\n",
     'events #1 end', 44, "of neither"),
    ("[mail]\n", EVENT + 'subjects = ["nul"]\n[mail]\n', 'events #1 subjects', 45,
     "no subject has this id"),
    ('kind = "commune"', 'kind = "commune"\nterritory = ["37261"]', "institution.territory", 5,
     "such as commune:37261"),
    ('path = "inbox/*.csv"', 'path = "inbox/*.csv"\n[sources.options]\nx = 1',
     'sources "exports" options', 25, "without [sources.options]"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "key", "line", "remedy"), ONE)
def test_each_fault_names_its_key_its_line_and_its_remedy(
    tmp_path: Path, right: str, wrong: str, key: str, line: int | None, remedy: str
) -> None:
    assert right in GOOD
    found = only(faults(tmp_path, GOOD.replace(right, wrong, 1)))
    assert (found.key, found.line) == (key, line)
    assert remedy in found.remedy


@pytest.mark.parametrize("missing", ["[institution]", "[[subjects]]"])
def test_a_missing_table_is_one_fault(tmp_path: Path, missing: str) -> None:
    start = GOOD.index(missing)
    rest = GOOD[start + 2 :]
    text = GOOD[:start] + rest[rest.index("\n[") :]
    found = [f for f in faults(tmp_path, text) if f.key == missing.strip("[]")]
    assert "vigie init" in only(tuple(found)).remedy


def test_a_handle_of_the_institution_may_be_watched_with_or_without_its_server(
    tmp_path: Path,
) -> None:
    handles = 'names = ["Vernelle"]\nhandles = ["@vernelle", "vernelle@social.example"]'
    read(tmp_path, GOOD.replace('names = ["Vernelle"]', handles))


@pytest.mark.parametrize("channel", ["vernelle", "@Vernelle", "https://t.me/vernelle"])
def test_a_channel_of_telegram_must_be_the_institutions_or_a_relays(
    tmp_path: Path, channel: str
) -> None:
    block = '[[sources]]\nname = "canaux"\nkind = "telegram"\nchannels = [{}]\n'
    kinds = {**KINDS, "telegram": telegram.Options}
    (tmp_path / "vigie.toml").write_text(GOOD + block.format(f'"{channel}"'), encoding="utf-8")
    settings.read(tmp_path, environ={}, source_options=kinds)
    other = GOOD + block.format(f'"{channel}", "lea_dit"')
    (tmp_path / "vigie.toml").write_text(other, encoding="utf-8")
    with pytest.raises(SettingsError) as raised:
        settings.read(tmp_path, environ={}, source_options=kinds)
    (fault,) = raised.value.faults
    assert "lea_dit" in fault.value
    assert "[[relays]]" in fault.remedy


def test_a_query_may_stand_over_several_lines_and_name_the_allow_list(tmp_path: Path) -> None:
    text = 'query = """\n(Vernelle OR @vernelle)\n  NOT author:@vernelle"""'
    found = read(tmp_path, GOOD.replace('names = ["Vernelle"]', text))
    assert found.subjects[0].query == "(Vernelle OR @vernelle)\n  NOT author:@vernelle"


@pytest.mark.parametrize("wrong", ["sources = 3", "sources = [3]", "subjects = 3", "mail = []"])
def test_a_table_of_the_wrong_form_is_a_fault_and_no_traceback(tmp_path: Path, wrong: str) -> None:
    name = wrong.partition(" ")[0]
    rest = "\n[".join(p for p in GOOD.split("\n[") if name not in p.partition("]")[0])
    assert any(f.key.startswith(name) for f in faults(tmp_path, f"{wrong}\n{rest}"))


# --- rota


def with_rota(*shifts: tuple[str, str, str]) -> str:
    people = "".join(
        f'[[recipients]]\nname = "{who}"\nemail = "{who}@vernelle.example"\nrole = "moderator"\n'
        'gets = ["alerts"]\n'
        for who in ("lea", "tom")
    )
    rota = "".join(
        f'[[rota]]\nemail = "{who}@vernelle.example"\nfrom_on = {first}\nto_on = {last}\n'
        for who, first, last in shifts
    )
    start = GOOD.index("[[rota]]")
    return GOOD[:start] + people + rota + GOOD[GOOD.index("[mail]") :]


def test_a_rota_without_seams_and_a_pair_are_read(tmp_path: Path) -> None:
    read(
        tmp_path,
        with_rota(("lea", "2026-11-02", "2026-11-08"), ("tom", "2026-11-09", "2026-11-15")),
    )
    read(
        tmp_path,
        with_rota(("lea", "2026-11-02", "2026-11-08"), ("tom", "2026-11-02", "2026-11-08")),
    )


def test_days_without_anybody_on_call_are_named(tmp_path: Path) -> None:
    text = with_rota(("lea", "2026-11-02", "2026-11-08"), ("tom", "2026-11-11", "2026-11-15"))
    assert "nobody is on call from 2026-11-09 to 2026-11-10" in only(faults(tmp_path, text)).remedy


def test_shifts_that_lie_over_one_another_are_a_fault(tmp_path: Path) -> None:
    text = with_rota(("lea", "2026-11-02", "2026-11-08"), ("tom", "2026-11-08", "2026-11-15"))
    assert "end the other before it" in only(faults(tmp_path, text)).remedy


# --- secrets


@pytest.mark.parametrize(
    "line",
    [
        'token = "s3cr3t-hunter2"',
        'api_key = "s3cr3t-hunter2"',
        'token_env = "s3cr3t-hunter2"',
        'mot_de_passe = "s3cr3t-hunter2"',
    ],
)
def test_a_secret_in_the_file_is_refused_and_never_shown(tmp_path: Path, line: str) -> None:
    found = faults(tmp_path, GOOD.replace('subject = "ville"', line))
    assert "environment variable" in only(found).remedy
    assert "hunter2" not in str(SettingsError("vigie.toml", found))


def test_a_password_in_an_address_is_a_secret_too(tmp_path: Path) -> None:
    found = faults(tmp_path, GOOD.replace("https://gazette", "https://moi:hunter2@gazette"))
    assert "hunter2" not in "".join(map(str, found))
    assert only(found).key == 'sources "gazette" url'


def test_a_variable_named_in_vain_is_told_before_any_run(tmp_path: Path) -> None:
    text = GOOD.replace('subject = "ville"', 'token_env = "VIGIE_GAZETTE"')
    assert only(faults(tmp_path, text)).value == "'VIGIE_GAZETTE'"
    found = read(tmp_path, text, {"VIGIE_GAZETTE": "hunter2"})
    environ = {"VIGIE_GAZETTE": "hunter2", "VIGIE_SMTP_PASSWORD": "poste", "HOME": "/"}
    assert settings.secrets_for(found, environ) == {
        "VIGIE_GAZETTE": "hunter2",
        "VIGIE_SMTP_PASSWORD": "poste",
    }


def test_a_mail_account_needs_its_password_and_no_clear_line(tmp_path: Path) -> None:
    text = GOOD.replace(
        "[mail]", '[mail]\nhost = "smtp.example"\nsecurity = "none"\nusername = "v"'
    )
    keys = {f.key for f in faults(tmp_path, text)}
    assert keys == {"mail.password_env", "mail.security"}


def test_a_column_named_token_is_no_secret(tmp_path: Path) -> None:
    read(tmp_path, GOOD.replace('path = "inbox/*.csv"', 'path = "i"\nwhere = { token = "oui" }'))


# --- the file itself


def test_no_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="run `vigie init`"):
        settings.read(tmp_path, environ={}, source_options=KINDS)


def test_a_slip_of_syntax_is_one_fault_with_its_line(tmp_path: Path) -> None:
    found = only(faults(tmp_path, GOOD.replace('label = "La Ville"', "label = La Ville")))
    assert (found.key, found.line) == ("TOML", 11)


def test_a_file_of_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "vigie.toml").write_bytes(GOOD.encode("cp1252"))
    with pytest.raises(SettingsError, match="save it as UTF-8"):
        settings.read(tmp_path, environ={}, source_options=KINDS)


def test_lines_are_right_across_long_texts_lists_and_comments(tmp_path: Path) -> None:
    long = 'names = [\n  "Vernelle", # [[pas une table]]\n  "Mairie = Vernelle",\n]'
    label = 'label = """La\n[ville] = 2\n"""'
    text = GOOD.replace('names = ["Vernelle"]', long).replace('label = "La Ville"', label)
    found = only(faults(tmp_path, text.replace("[mail]\n", "[mail]\nprot = 25\n")))
    assert text.splitlines()[found.line - 2 if found.line else 0] == "[mail]"


def test_a_value_is_shown_on_one_short_line(tmp_path: Path) -> None:
    text = GOOD.replace('id = "ville"', 'id = """' + "Très\\nlong " * 40 + '"""', 1)
    text = text.replace('subject = "ville"\n', "")
    found = only(faults(tmp_path, text))
    assert "\n" not in str(found)
    assert len(found.value) <= 80


def test_an_address_of_a_source_is_asked_for_in_words(tmp_path: Path) -> None:
    init.write(tmp_path, answers={"name": "Ville de Vernelle"})
    with (tmp_path / "vigie.toml").open("a", encoding="utf-8") as text:
        text.write("\n[[sources]]\nname = 'gazette'\nkind = 'feed'\nurl = 'gazette.example'\n")
    with pytest.raises(SettingsError, match="write a whole address, such as https://"):
        settings.read(tmp_path, environ={}, source_options=sources.options_by_kind())


def test_caps_and_canaries_are_read(tmp_path: Path) -> None:
    budget = "[budget]\nmonthly_cap_usd = 50\n"
    text = GOOD.replace("[mail]\n", f"{CANARY}{WORD}{budget}[mail]\n")
    text = text.replace('subject = "ville"', "monthly_cap = 12.5", 1)
    found = read(tmp_path, text)
    assert found.sources[0].monthly_cap == 12.5
    assert (found.budget.monthly_cap_usd, found.budget.monthly_cap_eur) == (50, None)
    (canary,) = found.canaries
    assert (canary.word, canary.within_minutes) == ("veillevernelle7f3k", 60)


def test_a_planned_event_holds_by_the_institutions_clock_or_by_its_own_zone(
    tmp_path: Path,
) -> None:
    zoned = EVENT.replace("00:00\n", "00:00Z\n")
    found = read(tmp_path, GOOD.replace("[mail]\n", EVENT + zoned + "[mail]\n", 1))
    here, there = found.events
    zone = found.institution.zone
    at = datetime(2026, 12, 14, 17, 30, tzinfo=UTC)
    assert (here.holds(at, zone), there.holds(at, zone)) == (True, False)
    assert here.concerns("transports")


def test_faults_are_told_in_french_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "vigie.toml"
    path.write_text('[institution]\nkind = "ville"\n\n[mail]\nport = 0\n', encoding="utf-8")
    with pytest.raises(SettingsError) as found:
        settings.read(tmp_path, environ={}, source_options={})
    told = found.value.told("fr").splitlines()
    assert re.fullmatch(r".*vigie\.toml a \d+ fautes\u00a0:", told[0])
    assert any("'commune', 'departement', 'region', 'prefecture' ou 'autre'" in t for t in told)
    assert "  - ligne 5\u00a0: mail.port = 0\u00a0: écrivez 1 ou plus" in told
    assert not re.search("write|choose|missing", " ".join(told))
