"""Arrow arrays that are made of buffers."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
from hypothesis import given, strategies as st

from pipelines.columns import lists, numbers, strings

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.one_of(st.none(), TEXT)))
def test_strings_come_back(values: list[str | None]) -> None:
    made = strings(values)
    made.validate(full=True)
    assert made.equals(pa.array(values, pa.string()))


@given(st.lists(st.lists(TEXT, max_size=4)))
def test_lists_come_back(values: list[list[str]]) -> None:
    made = lists(values)
    made.validate(full=True)
    assert made.equals(pa.array(values, pa.list_(pa.string())))


def test_numbers_are_null_where_there_is_none() -> None:
    made = numbers(np.array([0.25, np.nan, 1.0]))
    made.validate(full=True)
    assert made.to_pylist() == [0.25, None, 1.0]
    assert made.type == pa.float32()
    assert len(numbers(np.zeros(0))) == 0


def test_half_a_pair_is_replaced() -> None:
    assert strings(["\ud800x"]).to_pylist() == ["?x"]


def test_pandas_is_not_imported() -> None:
    program = (
        "import sys; from pipelines.columns import lists, strings; "
        "strings(['a']); lists([('a',)]); sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
