"""Pseudonyms of authors and masks over what identifies people in a text."""

from __future__ import annotations

import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from pipelines import privacy
from pipelines.errors import SettingsError, VigieError
from pipelines.privacy import EMAIL, HANDLE, IBAN, NIR, PHONE, PLATE, leak, mask
from pipelines.settings import Institution, Relay, Settings, Subject

KEEP = frozenset({"villedevalmorin", "valmorin@exemple.social"})
KEY = bytes(range(32))
AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


def test_a_drawn_key_is_read_back_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = privacy.new_key(tmp_path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(privacy.read_key(tmp_path, {})) == 32


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = privacy.new_key(tmp_path)
    before = path.read_text()

    with pytest.raises(VigieError, match="cut every pseudonym"):
        privacy.new_key(tmp_path)
    assert path.read_text() == before


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    privacy.new_key(tmp_path)

    assert privacy.read_key(tmp_path, {privacy.KEY_ENV: KEY.hex()}) == KEY


@pytest.mark.parametrize("written", ["", "zz" * 32, "00" * 31, "pas une clé"])
def test_a_key_that_is_none_is_refused_without_being_shown(tmp_path: Path, written: str) -> None:
    with pytest.raises(SettingsError, match="openssl rand -hex 32") as caught:
        privacy.read_key(tmp_path, {privacy.KEY_ENV: written})
    assert not written or written not in str(caught.value)


def test_without_a_key_nothing_is_read_and_the_remedy_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="VIGIE_PSEUDONYM_KEY = missing: set it"):
        privacy.read_key(tmp_path, {})


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    privacy.new_key(tmp_path).chmod(0o640)

    with pytest.raises(SettingsError, match="chmod 600"):
        privacy.read_key(tmp_path, {})


def pseudonym(
    account: str = "a1", *, key: bytes = KEY, network: str = "x", at: datetime = AT
) -> str:
    return privacy.author_key(key, network=network, account_id=account, at=at)


def test_a_pseudonym_is_the_same_within_a_period_only() -> None:
    days = [pseudonym(at=AT + timedelta(days=n)) for n in range(90)]

    assert pseudonym() == pseudonym()
    assert len(pseudonym()) == 64
    assert len(set(days)) == 4  # 90 days touch four periods of thirty


def test_a_pseudonym_depends_on_key_network_and_account() -> None:
    other = pseudonym(key=bytes(32))

    assert len({pseudonym(), other, pseudonym("a2"), pseudonym(network="mastodon")}) == 4


def test_a_pseudonym_does_not_confuse_network_and_account() -> None:
    assert pseudonym("bc", network="a") != pseudonym("c", network="ab")


def test_a_lone_surrogate_in_an_account_still_has_a_pseudonym() -> None:
    assert len(pseudonym("a\ud800")) == 64


def test_the_allow_list_holds_institution_subjects_and_relays_folded() -> None:
    listed = privacy.allow_list(
        Settings(
            home=Path("/nowhere"),
            institution=Institution(
                id="valmorin",
                name="Valmorin",
                kind="commune",
                handles=("@VilleDeValmorin",),
                legal_basis="délibération",
            ),
            subjects=(
                Subject(id="eau", label="Eau", purpose="répondre sur l'eau", handles=("eau.test",)),
            ),
            relays=(
                Relay(id="echo", label="Écho", kind="media", handles=("@Echo@exemple.social",)),
            ),
        )
    )

    assert listed == {"villedevalmorin", "eau.test", "echo@exemple.social", "echo"}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Merci @camille_d !", f"Merci {HANDLE} !"),
        ("@camille@exemple.social: oui", f"{HANDLE}: oui"),
        ("(@camille.exemple.social).", f"({HANDLE})."),
        ("Merci@camille", f"Merci{HANDLE}"),
        ("＠camille et ﹫dominique", f"{HANDLE} et {HANDLE}"),
        ("@caмille en cyrillique", f"{HANDLE} en cyrillique"),
        ("@a@b@c.d", f"{HANDLE}{HANDLE}"),
        ("https://exemple.social/@camille/1234", f"https://exemple.social/{HANDLE}/1234"),
        ("https://x.com/camille_d/status/12", f"https://x.com/{HANDLE}/status/12"),
        ("écris à camille.durand+x@exemple.fr.", f"écris à {EMAIL}."),
        ("CAMILLE@EXEMPLE.FR", EMAIL),
        ("mailto:camille@exemple.co.uk", f"mailto:{EMAIL}"),
        ("camille (at) exemple (point) fr", EMAIL),
        ("camille[arobase]exemple.fr", EMAIL),
        ("06 12 34 56 78", PHONE),
        ("0612345678", PHONE),
        ("06.12.34.56.78 ou 06-12-34-56-78", f"{PHONE} ou {PHONE}"),
        ("06/12/34/56/78", PHONE),
        ("06 . 12 . 34 . 56 . 78", PHONE),
        ("06–12–34–56–78", PHONE),
        ("06 123 456 78", PHONE),
        ("(04) 12 34 56 78", PHONE),
        ("0612345678/0698765432", f"{PHONE}/{PHONE}"),
        ("7j/7 06 12 34 56 78 24h/24", f"7j/7 {PHONE} 24h/24"),
        ("+33 6 12 34 56 78", PHONE),
        ("+33(0)6.12.34.56.78", PHONE),
        ("+33 (0)6 12 34 56 78", PHONE),
        ("0033612345678", PHONE),
        ("00 33 6 12 34 56 78", PHONE),
        ("+32 470 12 34 56", PHONE),
        ("0032470123456", PHONE),
        ("+351 912 345 678", PHONE),
        ("+1 (514) 555-0199", PHONE),
        ("+262 692 12 34 56", PHONE),
        ("+213551234567", PHONE),
        ("FR76 3000 6000 0112 3456 7890 189 merci", f"{IBAN} merci"),
        ("iban fr7630006000011234567890189.", f"iban {IBAN}."),
        ("BE71 0961 2345 6769", IBAN),
        ("DE89-3704-0044-0532-0130-00", IBAN),
        ("2 84 05 88 321 025 32", NIR),
        ("284058832102532", NIR),
        ("1 85 05 2A 006 048 71", NIR),
        ("2 84 05 88 321 025", NIR),
        ("AB-123-CD", PLATE),
        ("plaque GH 456 JK garée", f"plaque {PLATE} garée"),
        ("GH456JK", PLATE),
        ("1234 WX 06", PLATE),
        ("123-ABX-75", PLATE),
    ],
)  # fmt: skip
def test_what_identifies_a_person_is_masked(text: str, masked: str) -> None:
    assert mask(text, keep=KEEP) == masked
    assert mask(masked, keep=KEEP) == masked
    assert leak(text, keep=KEEP) or "(" in text or "[" in text or "x.com" in text
    assert leak(masked, keep=KEEP) is None


@pytest.mark.parametrize(
    "text",
    [
        "Le budget est de 12 000 000 € sur 10 ans, soit +10 000 000 €.",
        "+1 200 habitants, +12 345 678 habitants, -5 %",
        "Le 01.02.2026 14:30, le 01/02/2026 15:00, le 01-02-2026 16 17",
        "2026-11-20 08:28:06, 2026-01-02 03 04 05 06, 20/11/2026-21/11/2026",
        "SIRET 732 829 320 00074, 73282932000074, SIREN 732 829 320",
        "TVA FR 32 732829320",
        "Articles L.52-1 et L. 1234-56, décret n° 2020-1310, loi 78-17 du 6 janvier 1978",
        "Pi vaut 3,14159265358, et 0,0612345678",
        "Horodatage 1763640000000, dossier 0012345678",
        "FR76 3000 6000 0112 3456 7890 188",
        "Codes 06000, 75001, 2A004, 97100",
        "Appelez le 3939, le 15, le 112, le 0 800 123 456",
        "À PLUS DE 130 KM/H, IL EST 100 % FAUX, EN 2024 ET 2025",
        "LE 11 NOV 23, 15 MAI 20, 100 KM 20, 2000 EUR 20, A8, D 6007, RN 202",
        "RDV @18h30 ou @ 20 h",
        "Bus 12 34 56 78, lignes 05, 06 et 07",
        "5@6€, a@ b, @ @, @@",
        "https://exemple.fr/2026/11/20/article-123456789.html",
        "https://x.com/hashtag/valmorin https://facebook.com/groups/12 https://x.com/i/status/1",
    ],
)
def test_dates_sums_laws_and_addresses_stay(text: str) -> None:
    assert mask(text) == text
    assert leak(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Bravo @VilleDeValmorin, @villedevalmorin.",
        "@Valmorin@exemple.social répond",
        "https://x.com/villedevalmorin/status/1",
        "(@VilleDeValmorin) @VilleDeValmorin- @VilleDeValmorin…",
    ],
)
def test_handles_of_the_allow_list_stay_readable(text: str) -> None:
    assert mask(text, keep=KEEP) == text
    assert leak(text, keep=KEEP) is None


@pytest.mark.parametrize(
    "text",
    [
        "@VіlleDeValmorin",  # a Cyrillic і
        "@villedevalmorin@ailleurs.exemple",
        "@villedevalmorin_off",
        "@villedevalmorin.ailleurs.exemple",
        "@valmorin@ailleurs.exemple",
    ],
)
def test_a_handle_that_only_looks_allowed_is_masked(text: str) -> None:
    assert mask(text, keep=KEEP) == HANDLE


def test_the_author_is_hidden_without_an_at_too() -> None:
    hide = ("camille_d@exemple.social",)

    assert mask("Signé Camille_D. camille_dupont", hide=hide) == f"Signé {HANDLE}. camille_dupont"
    assert mask("dominiquedurand !", hide=("DominiqueDurand",)) == f"{HANDLE} !"


def test_a_handle_that_is_a_plain_word_hides_no_word() -> None:
    assert mask("La rose et le lilas", hide=("rose", "lilas")) == "La rose et le lilas"
    assert mask("villedevalmorin", hide=("villedevalmorin",), keep=KEEP) == "villedevalmorin"


def test_readable_handles_come_folded() -> None:
    assert privacy.readable_handles("@VilleDeValmorin et @A@b.c, x@y.fr") == (
        "villedevalmorin",
        "a@b.c",
    )


@pytest.mark.parametrize(
    "bomb",
    [
        "a" * 100_000, "@" * 100_000, "a@" * 50_000, "a." * 50_000, "@a." * 33_000, "@a-" * 33_000,
        "0" * 100_000, "0 " * 50_000, "06 12 34 56 7" * 8_000, "FR76" * 25_000,
        "FR76 1234 " * 10_000, "+1 " * 33_000, "+1 2 3 4 5 6 7 8" * 6_000, "a(at)b." * 15_000,
        "AB-123-" * 14_000, "x.com/" * 16_000, "+1(1)" * 20_000, "-" * 100_000, "@a" + "-" * 99_000,
        "@" + "a-" * 50_000 + "@", "1 22 33 " * 12_000,
    ],
    ids=lambda bomb: bomb[:8],
)  # fmt: skip
def test_a_hundred_thousand_hostile_characters_cost_little(bomb: str) -> None:
    began = time.process_time()

    mask(bomb)

    assert time.process_time() - began < 0.5


_PIECES = st.sampled_from(
    ["@", "＠", ".", "-", " ", "a", "camille", "0", "06", "12", "+33", "(0)", "FR76", "AB", "123",
     "[at]", "exemple.fr", "x.com/", "\n", "é", "…", "[", "]", "2A"]
)  # fmt: skip


@hypothesis_settings(max_examples=500, deadline=None)
@given(st.lists(_PIECES, max_size=25).map("".join))
def test_masking_twice_is_masking_once_and_leaves_no_leak(text: str) -> None:
    masked = mask(text)

    assert mask(masked) == masked
    assert leak(masked) is None
