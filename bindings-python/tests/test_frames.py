"""Frames of every kind in; the same kind out."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from support import Holder, columns, script

import headwater as hw

ORDERS = {
    "who": ["ann", "bob", "ann", "cy", "bob", "ann"],
    "when": [dt.datetime(2024, 1, day, 12) for day in (1, 2, 5, 9, 20, 28)],
    "paid": [10.0, 5.5, 7.25, 100.0, 3.0, 2.0],
}


def segments(orders):
    return hw.segment.rfm(orders, customer="who", time="when", value="paid")


EXPECTED = columns(segments(ORDERS))
TABLE = pa.table(ORDERS)
CHUNKED = pa.concat_tables([TABLE[:1], TABLE[1:4], TABLE[4:]])

KINDS = {
    "dict of lists": (ORDERS, pa.Table),
    "dict of arrays": (
        {
            "who": np.array(ORDERS["who"]),
            "when": np.array(ORDERS["when"], "M8[ns]"),
            "paid": np.array(ORDERS["paid"]),
        },
        pa.Table,
    ),
    "dict of mixed columns": (
        {"who": pl.Series(ORDERS["who"]), "when": CHUNKED["when"], "paid": pd.Series(ORDERS["paid"])},
        pa.Table,
    ),
    "dict of strided arrays": (
        {**ORDERS, "paid": np.repeat(np.array(ORDERS["paid"], "f4"), 2)[::2]},
        pa.Table,
    ),
    "pandas": (pd.DataFrame(ORDERS), pd.DataFrame),
    "pandas of objects": (pd.DataFrame(ORDERS, dtype=object), pd.DataFrame),
    "pandas of categories": (pd.DataFrame(ORDERS).astype({"who": "category"}), pd.DataFrame),
    "polars": (pl.DataFrame(ORDERS), pl.DataFrame),
    "polars of categories": (
        pl.DataFrame(ORDERS).with_columns(pl.col("who").cast(pl.Categorical)),
        pl.DataFrame,
    ),
    "polars, lazy": (pl.LazyFrame(ORDERS), pl.DataFrame),
    "pyarrow": (TABLE, pa.Table),
    "pyarrow in chunks": (CHUNKED, pa.Table),
    "pyarrow batch": (TABLE.to_batches()[0], None),
    "pyarrow reader": (TABLE.to_reader(), None),
    "duckdb": (duckdb.from_arrow(TABLE), pa.Table),
    "capsule only": (Holder(TABLE), pa.Table),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_goes_in_and_comes_out_as_it_was(kind):
    frame, out = KINDS[kind]
    found = segments(frame)
    assert columns(found) == EXPECTED
    if out is not None:
        assert type(found) is out


def test_our_own_frame_comes_out_for_our_own_frame():
    market = script(
        "import sys\n"
        "for name in ('pyarrow', 'pandas', 'polars', 'numpy'): sys.modules[name] = None\n"
        "import headwater as hw\n"
        "orders = {'customer': ['a', 'b', 'a'], 'value': [1, 2.5, 3]}\n"
        "orders['time'] = ['2024-01-01', '2024-01-02', '2024-02-01']\n"
        "frame = hw.segment.rfm(orders)\n"
        "again = hw.segment.KMeans(2).fit(frame, ['monetary'])\n"
        "print(type(frame).__name__, frame.shape, frame['monetary'], list(again.labels_))\n"
    )
    assert market.stdout.strip() == "Frame (2, 9) [4.0, 2.5] [1, 0]", market.stderr


def test_our_own_frame_turns_into_every_other():
    frame = hw.Frame(segments_native())
    assert frame.columns == list(EXPECTED)
    assert columns(frame) == columns(frame.to_pandas()) == columns(frame.to_polars()) == EXPECTED
    assert columns(frame.to_arrow()) == columns(pl.DataFrame(frame)) == EXPECTED
    assert frame["customer"] == ["ann", "bob", "cy"]
    assert "[3 rows x 9 columns]" in repr(frame)
    assert frame._repr_html_().count("<tr>") == 4


def segments_native():
    from headwater import _core

    return _core.segment_rfm(ORDERS, '{"customer":"who","time":"when","value":"paid"}', (0, 0, None))[0]


def test_strings_are_plain_so_that_they_join():
    out = segments(pl.DataFrame(ORDERS))
    assert out.schema["customer"] == pl.String
    assert out.join(pl.DataFrame({"customer": ["ann"]}), on="customer").height == 1


def test_a_result_keeps_the_callers_index_when_a_column_is_added():
    frame = pd.DataFrame({"cookie": ["a", "b", "a"], "time": ["2024-01-01"] * 3}, index=[7, 5, 3])
    out = hw.stitch(frame, identifiers=["cookie"]).assign(frame)
    assert list(out.index) == [7, 5, 3]
    assert out["customer"].nunique() == 2


@pytest.mark.parametrize(
    ("values", "good"),
    [
        ([1, 2, 3, 4, 5, 6], True),
        ([1, 2.5, None, 4, 5, 6], False),
        ([Decimal("1.5")] * 6, True),
        (np.arange(6, dtype="u8"), True),
        (np.arange(6, dtype="i2"), True),
        ((1.0, 2.0, 3.0, 4.0, 5.0, float("nan")), False),
        (range(6), True),
    ],
)
def test_columns_of_numbers(values, good):
    orders = {**ORDERS, "paid": values}
    if good:
        assert len(segments(orders)) == 3
    else:
        with pytest.raises(hw.RowError, match="paid"):
            segments(orders)


@pytest.mark.parametrize(
    "values",
    [
        [pd.Timestamp("2024-01-01")] * 6,
        [np.datetime64("2024-01-01")] * 6,
        [dt.date(2024, 1, 1)] * 6,
        ["2024-01-01T00:00:00+02:00"] * 6,
        np.array(["2024-01-01"] * 6, "M8[D]"),
        pa.array([dt.date(2024, 1, 1)] * 6),
    ],
)
def test_columns_of_times(values):
    assert len(segments({**ORDERS, "when": values})) == 3


def test_missing_times_are_found():
    with pytest.raises(hw.RowError, match="row 2"):
        segments({**ORDERS, "when": np.array(["2024-01-01", "2024-01-01", "NaT"] * 2, "M8[s]")})
    with pytest.raises(hw.RowError, match="row 1"):
        segments({**ORDERS, "when": [pd.Timestamp("2024-01-01"), pd.NaT] * 3})


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("paid", ["a", 1, 2, 3, 4, 5], "mixes types: int .row 1., str .row 0."),
        ("paid", "abc", "is one string"),
        ("paid", 5, "is not a list"),
        ("paid", [object()] * 6, "holds a `object`"),
        ("paid", [2**80] * 6, "beyond 64 bits"),
        ("who", ["\ud800"] * 6, "not valid Unicode"),
        ("paid", [1.0, 2.0], "has 2 rows, but `who` has 6"),
        ("paid", np.ones((6, 2)), "more than one dimension"),
        ("paid", [{"a": 1}] * 6, "holds a `dict`"),
    ],
)
def test_a_column_that_is_none_says_why(column, values, says):
    with pytest.raises(hw.ColumnError, match=says) as caught:
        segments({**ORDERS, column: values})
    assert caught.value.column == column


@pytest.mark.parametrize("nothing", [None, 3, "orders", [1, 2], object()])
def test_what_is_no_frame_is_a_type_error(nothing):
    with pytest.raises(TypeError, match="is not a frame"):
        segments(nothing)


def test_a_bare_array_is_no_table():
    with pytest.raises(hw.HeadwaterError, match="dict of columns"):
        segments(Holder(pa.chunked_array([[1, 2, 3]])))


def test_a_used_stream_is_a_clear_error():
    reader = TABLE.to_reader()
    segments(reader)
    with pytest.raises(hw.HeadwaterError):
        segments(reader)
