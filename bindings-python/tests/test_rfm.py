"""Summaries: in parts, in calendar months, with cohorts, by the clock of the seasons."""

import pickle

import polars as pl
import pytest
from support import columns

import headwater as hw

ORDERS = {
    "customer": ["a", "b", "a", "c", "a", "b", "d", "c", "a"],
    "time": [
        f"2024-0{m}-{d:02}"
        for m, d in [(1, 5), (1, 9), (1, 31), (2, 29), (3, 1), (3, 1), (4, 2), (4, 30), (6, 5)]
    ],
    "value": [10.1, 20.0, 0.2, 7.5, 3.3, 1.0, 5.0, 8.0, 2.5],
}


def part(rows):
    return {name: values[rows] for name, values in ORDERS.items()}


def test_summaries_grow_by_parts_and_from_file(tmp_path):
    options = {"period": "7d", "calibration_end": "2024-03-31", "log_intervals": True}
    whole, told = {}, {}
    want = columns(hw.clv.summarize(ORDERS, **options, report=whole))
    builder = hw.clv.RfmBuilder(**options)
    for rows in (slice(0, 4), slice(4, 9)):
        builder.extend(part(rows), threads=1, progress=lambda *_: None)
        builder.save(tmp_path / "orders.json")
        for back in (
            hw.load(tmp_path / "orders.json"),
            pickle.loads(pickle.dumps(builder)),
            hw.clv.RfmBuilder.from_bytes(builder.to_bytes()),
        ):
            assert type(back) is hw.clv.RfmBuilder
            assert back.to_bytes() == builder.to_bytes()
        builder = back
    assert columns(builder.summary(report=told)) == want
    assert columns(told["accounting"]) == columns(whole["accounting"])
    assert (builder.orders, builder.customers, builder.lines) == (9, 4, 9)
    assert repr(builder) == "RfmBuilder(9 orders of 4 customers)"

    first, second = (hw.clv.RfmBuilder(**options) for _ in range(2))
    first.extend(pl.DataFrame(part(slice(0, 4))))
    second.extend(pl.DataFrame(part(slice(4, 9))))
    first.merge(second)
    assert isinstance(first.summary(), pl.DataFrame)
    assert columns(first.summary()) == want
    second.merge(second)
    assert second.orders == 10


def test_a_part_that_fails_changes_nothing():
    builder = hw.clv.RfmBuilder(value=None)
    builder.extend(part(slice(0, 4)))
    before = builder.to_bytes()
    with pytest.raises(hw.RowError):
        builder.extend({**part(slice(4, 9)), "customer": ["x", None, "y", "z", "z"]})
    with pytest.raises(hw.ColumnError, match="in another"):
        builder.extend({**part(slice(4, 9)), "customer": [1, 2, 3, 4, 5]})
    with pytest.raises(hw.OptionError, match="differ"):
        builder.merge(hw.clv.RfmBuilder(period="7d"))
    assert builder.to_bytes() == before
    assert "monetary_value" not in columns(builder.summary())
    for bad in ({"perid": "7d"}, {"grain": "0d"}, {"calibration_end": "soon"}):
        with pytest.raises(hw.OptionError, match=next(iter(bad))):
            hw.clv.RfmBuilder(**bad)
    with pytest.raises(hw.ModelFileError):
        hw.clv.RfmBuilder.from_bytes(before[:-9])
    with pytest.raises(hw.NotEnoughDataError):
        hw.clv.RfmBuilder().summary()


def test_months_cohorts_and_their_units():
    rfm = hw.clv.summarize(ORDERS, period="month", cohort="month", calibration_end="2024-04-15")
    found = columns(rfm)
    assert found["T"][0] == 3 + 10 / 30  # from January 5, of which the fourth month is April 5 to May 5
    assert found["recency"][0] == 1 + 25 / 29  # to March 1: of the month from February 5, 25 days of 29
    micros = 86_400_000_000
    assert found["cohort"] == [19723 * micros, 19723 * micros, 19754 * micros, 19814 * micros]
    model = hw.clv.BetaGeo.from_params(r=0.3, alpha=2.0, a=0.8, b=2.5, period="month")
    model.predict(rfm, periods=2, period="month")
    with pytest.raises(hw.OptionError, match="month"):
        model.predict(rfm, period="30d")
    assert hw.clv.BetaGeo.from_bytes(model.to_bytes()).predict(rfm, period="month") is not None
    report, tracked = {}, {}
    model.check(rfm, cohort="cohort", report=report)
    by = columns(report["by_cohort"])
    assert by["customers"] == [2, 1, 1]
    assert sum(by["actual"]) == sum(found["frequency_holdout"])
    whole = columns(hw.clv.tracking(ORDERS, model, cohort="month", report=tracked))
    assert sum(columns(tracked["by_cohort"])["actual"]) == whole["actual_cumulative"][-1] == 5


def seasonal():
    """Customers who buy on every second day of winter months, and on every sixth of others."""
    days = range(19723, 19723 + 365)
    rows = []
    for who in range(60):
        for day in days:
            month = (day - 19723) // 31
            every = 2 if month in (0, 10, 11) else 6
            if (day * 7 + who * 13) % every == 0 and (day + who) % (3 + who % 5) == 0 and day - 19723 >= who:
                rows.append((who, day))
    return {"customer": [r[0] for r in rows], "time": [r[1] * 86400 for r in rows]}


def test_a_clock_is_fitted_counts_and_travels(tmp_path):
    orders = seasonal()
    clock = hw.clv.SeasonalClock("quarter").fit(orders, period="7d", time_unit="s")
    speeds = clock.speeds_
    assert list(speeds) == ["quarter_1", "quarter_2", "quarter_3", "quarter_4"]
    assert speeds["quarter_4"] > speeds["quarter_2"]
    assert columns(clock.fit_summary())["model"] == ["BetaGeo"]
    clock.save(tmp_path / "clock.json")
    for back in (hw.load(tmp_path / "clock.json"), pickle.loads(pickle.dumps(clock))):
        assert type(back) is hw.clv.SeasonalClock
        assert (back.speeds_, back.seasons, back.model) == (speeds, "quarter", "BetaGeo")
    options = {"period": "7d", "value": None, "time_unit": "s"}
    rfm = hw.clv.summarize(orders, clock=clock, **options)
    plain = columns(hw.clv.summarize(orders, **options))
    assert columns(rfm)["T"] != plain["T"]
    builder = hw.clv.RfmBuilder(clock=clock, **options)
    builder.extend(orders)
    assert columns(builder.summary()) == columns(rfm)
    assert clock.span("2024-12-31", 2) != 2
    one = hw.clv.SeasonalClock.with_speeds([1.0] * 12, period="7d")
    assert columns(hw.clv.summarize(orders, clock=one, **options)) == plain
    assert one.span("2024-12-31", 2) == 2
    with pytest.raises(hw.OptionError, match="7d"):
        hw.clv.summarize(orders, clock=clock, value=None, time_unit="s")
    with pytest.raises(hw.OptionError, match="seasons"):
        hw.clv.SeasonalClock("moon").fit(orders, period="7d", time_unit="s")
    with pytest.raises(hw.NotFittedError):
        hw.clv.SeasonalClock().span("2024-01-01", 1)
