"""The language that a file states of each text."""

from __future__ import annotations

import pytest

from models import stated


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("fr", "fr"), ("FR", "fr"), (" fr-FR ", "fr"), ("fr_CA", "fr"), ("fra", "fr"),
        ("fre", "fr"), ("French", "fr"), ("français", "fr"), ("FRANCAIS", "fr"), ("anglais", "en"),
        ("English", "en"), ("Deutsch", "de"), ("allemand", "de"), ("العربية", "ar"), ("nl", "nl"),
        ("zh-Hans-CN", "zh"), ("iw", "he"), ("arq", "arq"),
    ],
)  # fmt: skip
def test_what_has_one_sure_meaning_is_read_as_its_code(value: str, code: str) -> None:
    assert stated.code(value) == code


@pytest.mark.parametrize(
    "value", ["", "und", "xx", "France", "fr,en", "fr;q=0.9", "nan", "None", "1", "Merci beaucoup"]
)
def test_what_names_no_language_is_not_guessed(value: str) -> None:
    assert stated.code(value) is None


def test_languages_are_found_where_none_is_stated_and_kept_where_one_is() -> None:
    texts = ["Merci beaucoup", "Thank you so much", "Merci", "x", "Merci", "😡"]
    found = stated.langs(texts, [None, "", "en-GB", "XX", "und", " "])
    assert found.codes == ["fr", "en", "en", "xx", "fr", "fr"]
    assert found.unknown == {"XX": 1}


def test_rows_whose_language_is_none_are_counted_by_value() -> None:
    found = stated.langs(["a"] * 4, ["xx", "patois", "xx", "fr"])
    assert found.unknown == {"xx": 2, "patois": 1}
    assert stated.langs([], []).unknown == {}
