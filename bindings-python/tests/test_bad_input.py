"""Bad input: one clear error or a right answer, and the process lives on."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support import columns

import headwater as hw

TOUCHES = {
    "customer": ["a", "a", "b", "b"],
    "time": ["2024-01-01", "2024-01-02", "2024-01-01", "2024-01-03"],
    "channel": ["search", "email", "email", "search"],
}
ORDERS = {"customer": ["a", "b"], "time": ["2024-01-05", "2024-01-06"], "value": [10.0, 20.0]}
SEEN = {"cookie": ["c1", "c1"], "email": ["a@x.org", None], "time": ["2024-01-01", "2024-01-02"]}
RFM = {
    "customer": list("abcdef"),
    "frequency": [0, 1, 3, 2, 5, 1],
    "recency": [0.0, 5.0, 20.0, 9.0, 30.0, 8.0],
    "T": [35.0] * 6,
    "monetary_value": [0.0, 10.0, 12.0, 9.0, 30.0, 4.0],
}

CALLS = {
    "journeys": (TOUCHES, "time", lambda f: hw.Journeys.from_events(f, conversions=ORDERS, value="value")),
    "conversions": (
        ORDERS,
        "value",
        lambda f: hw.Journeys.from_events(TOUCHES, conversions=f, value="value"),
    ),
    "stitch": (SEEN, "time", lambda f: hw.stitch(f, identifiers=["cookie", "email"])),
    "summarize": (ORDERS, "value", hw.clv.summarize),
    "rfm": (ORDERS, "value", hw.segment.rfm),
    "beta_geo": (RFM, "recency", lambda f: hw.clv.BetaGeo().fit(f)),
    "gamma_gamma": (RFM, "monetary_value", lambda f: hw.clv.GammaGamma().fit(f)),
    "kmeans": (RFM, "recency", lambda f: hw.segment.KMeans(2).fit(f, ["frequency", "recency"])),
}


@pytest.fixture(params=CALLS)
def call(request):
    return CALLS[request.param]


@pytest.fixture(params=[dict, pd.DataFrame, pl.DataFrame])
def kind(request):
    return request.param


def test_good_input_is_taken(call, kind):
    good, _, work = call
    work(kind(good))


def test_a_missing_column_is_named_with_those_there_are(call, kind):
    good, column, work = call
    renamed = {("other" if name == column else name): values for name, values in good.items()}
    with pytest.raises(hw.ColumnError, match=f"`{column}`.*other") as caught:
        work(kind(renamed))
    assert caught.value.column == column


def test_a_wrong_type_is_named(call, kind):
    good, column, work = call
    wrong = {**good, column: [True] * len(good[column])}
    with pytest.raises(hw.ColumnError, match=f"`{column}`"):
        work(kind(wrong))


def test_a_null_is_an_error_with_row_and_count(call, kind):
    good, column, work = call
    holed = {**good, column: [*good[column][:-1], None]}
    with pytest.raises(hw.RowError, match=f"`{column}`, row {len(good[column]) - 1}") as caught:
        work(kind(holed))
    assert (caught.value.row, caught.value.count) == (len(good[column]) - 1, 1)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize("name", ["conversions", "summarize", "rfm", "beta_geo", "gamma_gamma"])
def test_a_bad_number_is_an_error(name, bad):
    if name == "conversions" and bad == -1.0:
        pytest.skip("a refund is a negative value")
    good, column, work = CALLS[name]
    with pytest.raises(hw.RowError, match=f"`{column}`, row 0"):
        work({**good, column: [bad, *good[column][1:]]})


def outcome(work, frame):
    """The code of the error; None for an answer."""
    try:
        work(frame)
    except hw.HeadwaterError as error:
        return error.code
    return None


def test_an_empty_frame_is_an_empty_answer_or_a_clear_error(call, kind):
    good, _, work = call
    assert outcome(work, kind({name: [] for name in good})) in (None, "HW_NOT_ENOUGH_DATA", "HW_OPTION")


def test_one_row(call, kind):
    good, _, work = call
    frame = kind({name: values[:1] for name, values in good.items()})
    assert outcome(work, frame) in (None, "HW_NOT_ENOUGH_DATA", "HW_OPTION")


def test_a_million_identical_rows():
    n = 1_000_000
    touches = {name: np.full(n, values[0]) for name, values in TOUCHES.items()}
    touches["time"] = np.full(n, "2024-01-01", "M8[us]")
    journeys = hw.Journeys.from_events(touches, conversions=ORDERS, value="value")
    credit = columns(hw.attribute(journeys, ["first", "linear", "markov", "shapley"]))
    assert sum(credit["conversions"]) == pytest.approx(8.0, rel=1e-12)
    seen = {"cookie": np.full(n, "c"), "time": touches["time"]}
    assert hw.stitch(seen, identifiers=["cookie"]).n_customers == 1
    orders = {"customer": np.full(n, "a"), "time": touches["time"], "value": np.full(n, 2.0)}
    assert columns(hw.clv.summarize(orders))["frequency"] == [0]
    assert columns(hw.segment.rfm(orders))["monetary"] == [2.0 * n]
    rfm = {"frequency": np.full(n, 2.0), "recency": np.full(n, 5.0), "T": np.full(n, 9.0)}
    assert hw.clv.BetaGeo().fit(rfm).verdict_ != "interior"
    with pytest.raises(hw.HeadwaterError):
        hw.segment.KMeans(3).fit(rfm, ["recency"])


def test_unsorted_and_duplicate_times_give_what_sorted_ones_give():
    order = [3, 1, 0, 2, 1]
    shuffled = {name: [values[i] for i in order] for name, values in TOUCHES.items()}
    ordered = {name: [values[i] for i in sorted(order)] for name, values in TOUCHES.items()}
    paths = [
        columns(hw.Journeys.from_events(frame, conversions=ORDERS).paths()) for frame in (shuffled, ordered)
    ]
    assert paths[0] == paths[1]


def test_a_customer_with_100_000_touches():
    n = 100_000
    touches = {
        "customer": np.full(n, "a"),
        "time": np.datetime64("2024-01-01") + np.arange(n).astype("m8[s]"),
        "channel": np.array(["x", "y", "z"])[np.arange(n) % 3],
    }
    orders = {"customer": ["a"], "time": ["2024-01-03"], "value": [1.0]}
    journeys = hw.Journeys.from_events(touches, conversions=orders, value="value")
    credit = columns(hw.attribute(journeys, ["last", "linear", "time_decay", "markov", "shapley"]))
    assert sum(credit["conversions"]) == pytest.approx(5.0, rel=1e-12)
    assert len(journeys.touch_credits("linear")) == n


def test_dropped_rows_are_counted():
    orders = {**ORDERS, "value": [float("nan"), 20.0]}
    with pytest.warns(hw.DroppedRowsWarning, match=r"column `value`.*1 rows"):
        hw.clv.summarize(orders, on_invalid="drop")
    report = {}
    hw.segment.rfm(orders, on_invalid="drop", report=report)
    assert columns(report["dropped"])["first_row"] == [0]
    journeys = hw.Journeys.from_events(TOUCHES, conversions=orders, value="value", on_invalid="drop")
    assert columns(journeys.dropped)["column"] == ["value"]
    people = hw.stitch({**SEEN, "time": [None, "2024-01-01"]}, identifiers=["cookie"], on_invalid="drop")
    assert columns(people.dropped)["count"] == [1]
    assert columns(people.assign({**SEEN}))["customer"][0] is not None


@pytest.mark.parametrize(
    "work",
    [
        lambda: hw.Journeys.from_events(TOUCHES, lookback="soon"),
        lambda: hw.Journeys.from_events(TOUCHES, ties="random"),
        lambda: hw.Journeys.from_events(TOUCHES, observation_end="whenever"),
        lambda: hw.attribute(hw.Journeys.from_events(TOUCHES), ["lasst"]),
        lambda: hw.attribute(hw.Journeys.from_events(TOUCHES), []),
        lambda: hw.attribute(hw.Journeys.from_events(TOUCHES), [hw.Markov(order=99)]),
        lambda: hw.attribute(hw.Journeys.from_events(TOUCHES), [hw.TimeDecay(half_life=0)]),
        lambda: hw.Journeys.from_events(TOUCHES).transitions(order=0),
        lambda: hw.stitch(SEEN, identifiers=[]),
        lambda: hw.stitch(
            SEEN, identifiers=["cookie"], rules=hw.IdentityRules([hw.Namespace("cookie", limit=0)])
        ),
        lambda: hw.IdentityGraph().observe({"cookie": "a"}, time="soon"),
        lambda: hw.IdentityGraph().explain("ab", ("a", "b")),
        lambda: hw.clv.summarize(ORDERS, period="0d"),
        lambda: hw.clv.BetaGeo(penalty=-1).fit(RFM),
        lambda: hw.segment.rfm(ORDERS, bins=1),
        lambda: hw.segment.rfm(ORDERS, bins="five"),
        lambda: hw.segment.KMeans(0).fit(RFM, ["recency"]),
        lambda: hw.plot.journey_flow(hw.Journeys.from_events(TOUCHES), steps=0),
    ],
)
def test_a_bad_option_is_an_option_error(work):
    with pytest.raises(hw.OptionError):
        work()


def test_a_damaged_model_file_is_an_error(tmp_path):
    model = hw.clv.BetaGeo().fit(RFM)
    file = tmp_path / "model.json"
    model.save(file)
    good = file.read_bytes()
    assert hw.load(file).params_ == model.params_
    for cut in range(0, len(good), 7):
        file.write_bytes(good[:cut])
        with pytest.raises(hw.ModelFileError):
            hw.load(file)
    for at in range(0, len(good), 5):
        file.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with contextlib.suppress(hw.ModelFileError):
            assert hw.load(file).params_ == model.params_
    for text in ("", "{}", "[]", "null", "[" * 100_000, json.dumps({"headwater": {"format": 1}})):
        file.write_text(text)
        with pytest.raises(hw.ModelFileError):
            hw.load(file)
    with pytest.raises(hw.FileError) as caught:
        hw.load(tmp_path / "nothing.json")
    assert isinstance(caught.value, OSError)
    assert caught.value.filename.endswith("nothing.json")
    with pytest.raises(hw.ModelFileError, match="not a `segment.KMeans`"):
        hw.segment.KMeans.from_bytes(good)
