"""One call that tells whether a forecast can be trusted."""

from __future__ import annotations

import pathlib

import matplotlib
import pytest
from support import Holder, columns

import headwater as hw

pd = pytest.importorskip("pandas")
matplotlib.use("Agg")
ORDERS = pathlib.Path(__file__).parents[2] / "examples" / "data" / "cdnow.csv"
COLUMNS = {"customer": "customer", "time": "date"}
ORIGINS = ["1997-06-30", "1997-09-30"]
WITH_HOLDOUT = ["frequencies", "goodness_of_fit", "errors", "by_frequency", "by_recency", "by_age", "deciles"]


@pytest.fixture(scope="module")
def orders():
    return pd.read_csv(ORDERS).query("customer % 4 == 0")


@pytest.fixture(scope="module")
def rfm(orders):
    found = hw.clv.summarize(
        orders, period="7d", calibration_end="1997-09-30", cohort="month", value="amount", **COLUMNS
    )
    return found.assign(kind=["ab"[i % 2] for i in range(len(found))])


@pytest.fixture(scope="module")
def model(rfm):
    return hw.clv.BetaGeo().fit(rfm, period="7d")


@pytest.fixture(scope="module")
def report(orders, rfm, model):
    draws = hw.clv.laplace(rfm, "BetaGeo", period="7d", draws=50)
    return hw.clv.report(
        model,
        rfm,
        orders=orders,
        origins=ORIGINS,
        posterior=draws,
        cohort="month",
        split="1997-09-30",
        **COLUMNS,
    )


def test_a_report_holds_what_the_single_calls_give(report, orders, rfm, model):
    assert list(report) == [
        *WITH_HOLDOUT,
        "by_cohort",
        "tracking",
        "tracking_by_cohort",
        "backtest",
        "posterior_check",
    ]
    assert len(report) == 12
    assert "deciles" in repr(report)
    assert all(isinstance(table, pd.DataFrame) for table in report.values())
    more = {}
    pd.testing.assert_frame_equal(report["errors"], model.check(rfm, cohort="cohort", report=more))
    pd.testing.assert_frame_equal(report["by_cohort"], more["by_cohort"])
    tracked = hw.clv.tracking(orders, model, interval=0.9, cohort="month", report=more, **COLUMNS)
    pd.testing.assert_frame_equal(report["tracking"], tracked)
    pd.testing.assert_frame_equal(report["tracking_by_cohort"], more["by_cohort"])
    tested = hw.clv.backtest(orders, "BetaGeo", origins=ORIGINS, period="7d", **COLUMNS)
    pd.testing.assert_frame_equal(report["backtest"], tested)


def test_every_table_has_a_chart_and_all_have_one_figure(report, tmp_path):
    charts = [table for table in report if table != "goodness_of_fit"]
    for table in charts:
        axes = report.plot(table)
        assert axes.get_title()
        given = matplotlib.figure.Figure().subplots()
        assert report.plot(table, ax=given) is given
    bars = report.plot("backtest").patches
    assert [bar.get_height() for bar in bars] == columns(report["backtest"])["actual"]
    weekly = {line.get_label(): line for line in report.plot("tracking", kind="period").get_lines()}
    assert list(weekly["actual"].get_ydata()) == list(report["tracking"]["actual"])
    figure = report.figure()
    figure.savefig(tmp_path / "report.png", dpi=40)
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == len(charts) + 2  # tracking is drawn in both kinds
    assert "Conditional expectation by recency" in titles
    assert f"χ² = {report['goodness_of_fit']['chi_squared'][0]:.3g}" in titles[0]
    with pytest.raises(hw.OptionError, match="is no chart of this report"):
        report.plot("goodness_of_fit")


def test_a_report_is_of_what_is_there(orders, rfm, model):
    assert list(hw.clv.report(model, rfm[["frequency", "recency", "T"]])) == [
        "frequencies",
        "goodness_of_fit",
    ]
    assert list(hw.clv.report(model, rfm)) == WITH_HOLDOUT
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(rfm.drop(columns="cohort"))
    assert list(hw.clv.report(model, frame.lazy())) == WITH_HOLDOUT
    assert list(hw.clv.report(model, Holder(frame))) == WITH_HOLDOUT
    with pytest.raises(hw.OptionError, match="is no chart of this report"):
        hw.clv.report(model, rfm).plot("tracking")
    with pytest.raises(KeyError):
        hw.clv.report(model, rfm)["tracking"]


def test_a_report_counts_what_was_dropped(orders, rfm, model):
    rows = pd.concat([rfm, rfm.head(2).assign(frequency=-1)], ignore_index=True)
    lines = pd.concat([orders, orders.head(3).assign(date=None)], ignore_index=True)
    found = hw.clv.report(model, rows, orders=lines, interval=None, on_invalid="drop", **COLUMNS)
    assert {name: list(table["count"]) for name, table in found.dropped_.items()} == {
        "rfm": [2],
        "orders": [3],
    }
    told = {}
    counts = model.frequencies(rows, on_invalid="drop", report=told)
    pd.testing.assert_frame_equal(counts, found["frequencies"])
    pd.testing.assert_frame_equal(told["goodness_of_fit"], found["goodness_of_fit"])


def test_a_report_of_a_law_with_covariates_tracks_each_customer_by_its_own(orders, rfm):
    model = hw.clv.BetaGeo().fit(rfm, period="7d", covariates={"purchase": ["kind"]})
    found = hw.clv.report(model, rfm, orders=orders, interval=None, **COLUMNS)
    tracked = hw.clv.tracking(orders, model, customers=rfm, **COLUMNS)
    pd.testing.assert_frame_equal(found["tracking"], tracked)
    asked = {"purchase": ["kind"]}
    tested = hw.clv.backtest(
        orders, "BetaGeo", origins=ORIGINS, covariates=asked, customers=rfm, period="7d", **COLUMNS
    )
    given = {"orders": orders, "origins": ORIGINS, "interval": None, **COLUMNS}
    pd.testing.assert_frame_equal(hw.clv.report(model, rfm, **given)["backtest"], tested)
    loaded = type(model).from_bytes(model.to_bytes())
    with pytest.raises(hw.OptionError, match="pass `covariates`"):
        hw.clv.report(loaded, rfm, **given)
    pd.testing.assert_frame_equal(hw.clv.report(loaded, rfm, covariates=asked, **given)["backtest"], tested)


def test_a_report_is_told_of_customers_who_came_in_the_holdout():
    late = {
        "customer": ["a", "a", "b", "c"],
        "time": ["2024-01-01", "2024-02-01", "2024-01-08", "2024-03-20"],
    }
    everybody = {"customer": ["a", "b", "c"], "kind": ["x", "y", "x"]}
    rfm = hw.clv.summarize(late, value=None, period="7d", calibration_end="2024-02-20").to_pydict()
    rfm["kind"] = ["x", "y"]
    model = hw.clv.ParetoNBD(penalty=0.1).fit(rfm, period="7d", covariates={"purchase": ["kind"]})
    with pytest.raises(hw.ColumnError, match="`c` has orders and no covariates"):
        hw.clv.report(model, rfm, orders=late, interval=None)
    asked = {"orders": late, "customers": everybody, "interval": None}
    tracked = hw.clv.tracking(late, model, customers=everybody)
    assert columns(hw.clv.report(model, rfm, **asked)["tracking"]) == columns(tracked)
    plain = hw.clv.ParetoNBD(penalty=0.1).fit(rfm, period="7d")
    with pytest.raises(hw.OptionError, match="customers"):
        hw.clv.report(plain, rfm, **asked)
    with pytest.raises(hw.OptionError, match="origins"):
        hw.clv.report(plain, rfm, orders=late, origins="2024-02-01")


def test_horizons_and_moments_are_in_the_units_of_the_orders(orders):
    tested = hw.clv.backtest(orders, origins=["1997-09-30"], horizon="91d", period="7d", **COLUMNS)
    again = hw.clv.backtest(orders, origins=["1997-09-30"], horizon=13, period="7d", **COLUMNS)
    pd.testing.assert_frame_equal(tested, again)
    quarter = hw.clv.backtest(orders, origins=["1997-09-30"], horizon="quarter", period="7d", **COLUMNS)
    days = hw.clv.backtest(orders, origins=["1997-09-30"], horizon="91d", period="7d", **COLUMNS)
    assert quarter["actual"][0] == days["actual"][0]  # to 1997-12-30
    with pytest.raises(hw.OptionError, match="`covariates`"):
        hw.clv.backtest(orders, origins=["1997-09-30"], customers=orders, **COLUMNS)
    seconds = orders.assign(date=pd.to_datetime(orders["date"]).astype("datetime64[s]").astype("int64"))
    end = int(seconds["date"].quantile(0.6, interpolation="nearest"))
    told = hw.clv.summarize(seconds, calibration_end=end, time_unit="s", value=None, **COLUMNS)
    at = pd.Timestamp(end, unit="s")
    wanted = hw.clv.summarize(orders, calibration_end=at, value=None, **COLUMNS)
    pd.testing.assert_frame_equal(told, wanted)
    with pytest.raises(hw.OptionError, match="time_unit"):
        hw.clv.summarize(orders, calibration_end=end, value=None, **COLUMNS)
    with pytest.raises(hw.OptionError, match="calibration_end"):
        hw.clv.summarize(orders, calibration_end=1.5, time_unit="s", value=None, **COLUMNS)


def test_draws_are_those_of_the_law(rfm, model):
    other = hw.clv.laplace(rfm, "ModifiedBetaGeo", period="7d", draws=20)
    for posterior, said in [(other, "is of ModifiedBetaGeo"), (model, "is a BetaGeo")]:
        with pytest.raises(hw.OptionError, match=f"`posterior`: {said}, not draws of BetaGeo"):
            hw.clv.report(model, rfm, posterior=posterior)


def test_a_back_test_is_of_the_law_that_is_reported(orders, rfm):
    model = hw.clv.BetaGeoCNBD(k=2, penalty=0.01).fit(rfm)
    given = {"orders": orders, "origins": ORIGINS[:1], "period": "7d", **COLUMNS}
    found = hw.clv.report(model, rfm, interval=None, **given)["backtest"]
    tested = hw.clv.backtest(
        orders, "BetaGeoCNBD", origins=ORIGINS[:1], k=2, penalty=0.01, period="7d", **COLUMNS
    )
    pd.testing.assert_frame_equal(found, tested)
    with pytest.raises(hw.OptionError, match="`orders`"):
        hw.clv.report(model, rfm, origins=ORIGINS)


def test_a_report_is_of_a_law(rfm):
    draws = hw.clv.laplace(rfm, "BetaGeo", period="7d", draws=20)
    with pytest.raises(hw.OptionError, match="`model`: is a Posterior"):
        hw.clv.report(draws, rfm)
