"""Charts: every one draws what it is given, on given axes or its own."""

from __future__ import annotations

import matplotlib
import polars as pl
import pytest
from support import columns
from test_bad_input import ORDERS, RFM, SEEN, TOUCHES

import headwater as hw

matplotlib.use("Agg")


CONTRACTS = {
    "duration": [2, 3, 5, 6, 6, 7, 9, 12],
    "event": [1, 1, 1, 0, 1, 0, 1, 0],
    "plan": list("aabbabab"),
}
COHORT = {"period": [0, 1, 2, 3], "customers": [1000, 869, 743, 653]}
#: Two orders on the second day are one purchase, and the last one is after the path's end.
HISTORY = ["2024-01-31T09:00", "2024-01-01", "2024-01-31T12:00", "2024-02-20", "2024-05-01"]


def journeys():
    return hw.Journeys.from_events(TOUCHES, conversions=ORDERS, value="value")


def forecast(interval=None, cohort=None):
    report = {}
    model = hw.clv.BetaGeo().fit(RFM)
    found = hw.clv.tracking(
        ORDERS,
        model,
        period="1d",
        interval=interval,
        cohort=cohort,
        observation_end="2024-03-01",
        report=report,
    )
    return report["by_cohort"] if cohort else found


def values():
    model, spend = hw.clv.BetaGeo().fit(RFM), hw.clv.GammaGamma().fit(RFM)
    return hw.clv.lifetime_value(model, spend, RFM)


CHARTS = {
    "cluster_sizes": lambda **o: hw.stitch(SEEN, identifiers=["cookie", "email"]).plot(**o),
    "attribution": lambda **o: hw.plot.attribution(hw.attribute(journeys(), ["first", "markov"]), **o),
    "attribution with truth": lambda **o: hw.plot.attribution(
        hw.attribute(journeys(), "linear"),
        truth={"channel": ["email"], "incremental_conversions": [1]},
        **o,
    ),
    "attribution with intervals": lambda **o: hw.plot.attribution(
        hw.attribute(journeys(), "linear", bootstrap=20), **o
    ),
    "calibration": lambda **o: hw.plot.calibration(
        hw.calibrate(
            journeys(),
            "linear",
            lift_tests={"channel": ["email"], "effect": [0.5], "standard_error": [0.2]},
        ),
        **o,
    ),
    "money": lambda **o: hw.plot.money(
        hw.money(journeys(), "linear", spend={"channel": ["email"], "spend": [2.0]}), **o
    ),
    "transitions": lambda **o: hw.plot.transitions(journeys(), **o),
    "markov": lambda **o: hw.Markov().fit(journeys()).plot(**o),
    "sankey": lambda **o: hw.plot.sankey(journeys(), steps=2, channels=1, **o),
    "funnel": lambda **o: hw.plot.funnel(journeys().funnel(["email", "(conversion)"]), **o),
    "funnel by first channel": lambda **o: hw.plot.funnel(
        journeys().funnel(["email", "(conversion)"], split_by="first_channel"), **o
    ),
    "step_matrix": lambda **o: hw.plot.step_matrix(journeys(), **o),
    "survival": lambda **o: hw.plot.survival(journeys(), **o),
    "survival in touches": lambda **o: hw.plot.survival(journeys().path_length(split_by="last_channel"), **o),
    "lag_curves": lambda **o: hw.plot.lag_curves(journeys(), **o),
    "overlap": lambda **o: hw.plot.overlap(journeys().overlap(min_journeys=0), **o),
    "overlap of none": lambda **o: hw.plot.overlap(journeys(), **o),
    "overlap by lift": lambda **o: hw.plot.overlap(journeys().overlap(min_journeys=0), metric="lift", **o),
    "journey_flow": lambda **o: journeys().plot(**o),
    "tracking": lambda **o: hw.plot.tracking(
        hw.clv.tracking(ORDERS, hw.clv.BetaGeo.from_params(1, 10, 1, 3), period="1d"), **o
    ),
    "tracking with bounds": lambda **o: hw.plot.tracking(forecast(0.9), split="2024-02-01", **o),
    "tracking by the period": lambda **o: hw.plot.tracking(forecast(0.9), kind="period", **o),
    "tracking of cohorts": lambda **o: hw.plot.tracking(forecast(cohort="1d"), **o),
    "backtest": lambda **o: hw.plot.backtest(
        {
            "origin": ["2024-01-31", "2024-02-29"],
            "actual": [10, 12],
            "expected": [9.5, 14.0],
            "relative_bias": [-0.05, None],
        },
        **o,
    ),
    "by_cohort": lambda **o: hw.plot.by_cohort(
        {"cohort": ["a", "b"], "actual": [10, 0], "expected": [9.5, 1.0], "relative_bias": [-0.05, None]}, **o
    ),
    "errors": lambda **o: hw.plot.errors(
        {"level": ["customer", "total"], "mae": [0.5, 20.0], "rmse": [0.8, 20.0], "bias": [0.0, -20.0]}, **o
    ),
    "survival of customers": lambda **o: hw.plot.survival(hw.clv.kaplan_meier(CONTRACTS, group="plan"), **o),
    "hazard of customers": lambda **o: hw.plot.survival(hw.clv.nelson_aalen(CONTRACTS), **o),
    "survival under contract": lambda **o: hw.plot.survival(
        hw.clv.ShiftedBetaGeo().fit(COHORT).survival(6, interval=0.9), **o
    ),
    "frequency_recency_matrix": lambda **o: hw.plot.frequency_recency_matrix(
        hw.clv.BetaGeo.from_params(1, 10, 1, 3), 20, periods=10, most=4, **o
    ),
    "probability_alive_matrix": lambda **o: hw.plot.probability_alive_matrix(
        hw.clv.BetaGeo.from_params(1, 10, 1, 3), 20, most=4, **o
    ),
    "alive_path": lambda **o: hw.plot.alive_path(
        hw.clv.BetaGeo.from_params(1, 10, 1, 3), HISTORY, until="2024-03-01", period="1d", **o
    ),
    "frequencies": lambda **o: hw.plot.frequencies(
        {"purchases": [0, 1, 2], "actual": [5.0, 3.0, 1.0], "expected": [4.5, 3.0, 1.5]}, **o
    ),
    "conditional": lambda **o: hw.plot.conditional(
        {"low": [0.0, 1.0], "high": [0.0, None], "actual": [0.2, None], "expected": [0.3, 1.1]}, **o
    ),
    "deciles": lambda **o: hw.plot.deciles(
        {"decile": [1, 2], "actual": [2.0, 0.5], "expected": [1.8, 0.6]}, **o
    ),
    "posterior_check": lambda **o: hw.plot.posterior_check(
        {
            "statistic": ["share_0", "share_1_or_more", "mean", "variance"],
            "observed": [0.6, 0.4, 0.9, 2.0],
            "expected": [0.62, 0.38, 0.8, 1.5],
            "low": [0.61, 0.37, 0.7, 1.2],
            "high": [0.64, 0.41, 0.95, 1.8],
            "p": [0.99, 0.2, 0.4, 0.01],
        },
        **o,
    ),
    "lifetime_value": lambda **o: hw.plot.lifetime_value(values(), **o),
    "rfm_map": lambda **o: hw.plot.rfm_map(hw.segment.rfm(ORDERS), **o),
}


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_is_drawn(chart, tmp_path):
    axes = CHARTS[chart]()
    axes.figure.savefig(tmp_path / "chart.svg")
    assert axes.get_title()
    given = matplotlib.figure.Figure().subplots()
    assert CHARTS[chart](ax=given) is given


def test_every_chart_is_tried():
    assert set(hw.plot.__all__) <= set(CHARTS)


def test_a_missing_column_is_named():
    with pytest.raises(hw.ColumnError, match="`model`"):
        hw.plot.attribution({"channel": ["a"]})


NO_TOUCHES = {"customer": [], "time": [], "channel": []}
EMPTY = {
    "nothing": lambda: hw.Journeys.from_events(NO_TOUCHES),
    "conversions without a touch": lambda: hw.Journeys.from_events(NO_TOUCHES, conversions=ORDERS),
}


@pytest.mark.parametrize("journeys", EMPTY.values(), ids=EMPTY)
@pytest.mark.parametrize("chart", ["transitions", "journey_flow", "sankey", "step_matrix", "overlap"])
def test_a_chart_of_nothing_says_so(chart, journeys, tmp_path):
    axes = getattr(hw.plot, chart)(journeys())
    axes.figure.savefig(tmp_path / "chart.svg")
    unattributed = chart == "journey_flow" and len(journeys()) > 0
    assert unattributed or axes.texts[0].get_text().startswith("no ")


def lines(axes):
    """The lines of a chart by their labels; those of matplotlib's own have names with underscores."""
    return {line.get_label(): [list(map(float, line.get_ydata())), line] for line in axes.get_lines()}


@pytest.mark.parametrize(("kind", "tail"), [("cumulative", "_cumulative"), ("period", "")])
def test_tracking_draws_both_kinds_with_their_bounds(kind, tail):
    found = columns(forecast(0.9))
    axes = hw.plot.tracking(found, kind=kind)
    drawn = lines(axes)
    assert drawn["actual"][0] == found[f"actual{tail}"]
    assert drawn["expected"][0] == found[f"expected{tail}"]
    (band,) = axes.collections
    edge = band.get_paths()[0].vertices[:, 1]
    assert max(found[f"expected{tail}_high"]) == max(edge)


def test_tracking_gives_each_cohort_lines_of_its_own():
    found = columns(forecast(cohort="1d"))
    drawn = lines(hw.plot.tracking(forecast(cohort="1d")))
    assert {"2024-01-05", "2024-01-06", "actual", "expected"} <= set(drawn)
    for cohort in set(found["cohort"]):
        mine = [y for y, at in zip(found["actual_cumulative"], found["cohort"], strict=True) if at == cohort]
        assert mine in [ys for ys, _ in drawn.values()]
    with pytest.raises(hw.OptionError, match="`kind`"):
        hw.plot.tracking(forecast(), kind="weekly")


def test_survival_draws_customers_who_stay_and_journeys_that_convert():
    found = columns(hw.clv.kaplan_meier(CONTRACTS))
    axes = hw.plot.survival(hw.clv.kaplan_meier(CONTRACTS))
    assert [list(line.get_ydata()) for line in axes.get_lines()] == [found["survival"]]
    assert len(hw.plot.survival(hw.clv.kaplan_meier(CONTRACTS, group="plan")).get_lines()) == 2
    (hazard,) = hw.plot.survival(hw.clv.nelson_aalen(CONTRACTS)).get_lines()
    assert list(hazard.get_ydata()) == columns(hw.clv.nelson_aalen(CONTRACTS))["cumulative_hazard"]
    curve = columns(journeys().time_to_convert())
    (converted,) = hw.plot.survival(journeys()).get_lines()
    assert list(converted.get_ydata()) == [1 - share for share in curve["survival"]]


def test_matrices_are_what_the_model_predicts():
    model = hw.clv.BetaGeo.from_params(1, 10, 1, 3)
    rows = {"customer": [0, 1], "frequency": [0, 3], "recency": [0.0, 20.0], "T": [20.0, 20.0]}
    told = columns(model.predict(rows, periods=10))
    grid = hw.plot.frequency_recency_matrix(model, 20, periods=10, most=4).get_images()[0].get_array()
    assert [grid[0][0], grid[-1][3]] == told["expected_purchases"]
    grid = hw.plot.probability_alive_matrix(model, 20, most=4).get_images()[0].get_array()
    assert [grid[0][0], grid[-1][3]] == told["p_alive"]
    blank = grid.mask
    assert blank[1:, 0].all()
    assert blank[0, 1:].all()
    assert not blank[1:, 1:].any()


def test_matrices_of_opportunities_have_whole_ones_only():
    model = hw.clv.BetaGeoBetaBinomial.from_params(1.2, 0.75, 0.66, 2.78)
    grid = hw.plot.probability_alive_matrix(model, 6).get_images()[0].get_array()
    assert grid.shape == (7, 7)
    assert not grid.mask[6, 1:].any()
    assert grid.mask[3, 4:].all()


def test_an_alive_path_is_that_of_the_histories():
    model = hw.clv.BetaGeo.from_params(1, 10, 1, 3)
    axes = hw.plot.alive_path(model, HISTORY, until="2024-03-01", period="1d")
    drawn = lines(axes)["P(alive)"][1]
    path = list(zip(*drawn.get_data(), strict=True))
    marks = [line.get_xdata()[0] for line in axes.get_lines() if line is not drawn]
    assert marks == [0.0, 30.0, 50.0]
    rows = {"frequency": [0, 1, 1, 2, 2], "recency": [0, 30, 30, 50, 50], "T": [30, 30, 50, 50, 60]}
    told = columns(model.predict(rows | {"customer": list(range(5))}))["p_alive"]
    assert [alive for age, alive in path if age in (30, 50)] == told[:4]
    assert path[-1] == (60, told[4])


def test_what_no_history_can_be_asked_of_is_refused():
    given = {"customer": list("abcdef"), "channel": list("xyxyxy")}
    model = hw.clv.BetaGeo(penalty=0.1).fit(RFM | given, covariates={"purchase": ["channel"]})
    with pytest.raises(hw.OptionError, match="`model`: has covariates"):
        hw.plot.probability_alive_matrix(model, 20)
    assert hw.plot.probability_alive_matrix(model.at(channel="x"), 20, most=2)
    with pytest.raises(hw.OptionError, match="`model`: is a GammaGamma"):
        hw.plot.frequency_recency_matrix(hw.clv.GammaGamma(), 20)
    model = hw.clv.BetaGeo.from_params(1, 10, 1, 3)
    with pytest.raises(hw.OptionError, match="`T`"):
        hw.plot.probability_alive_matrix(model, 0)
    with pytest.raises(hw.OptionError, match="`period`"):
        hw.plot.alive_path(model, HISTORY)
    with pytest.raises(hw.OptionError, match="`purchases`"):
        hw.plot.alive_path(model, [], period="1d")
    with pytest.raises(hw.OptionError, match="`purchases`"):
        hw.plot.alive_path(model, ["2024-01-01", 3], period="1d")


@pytest.mark.parametrize(
    "name", ["attribution", "money", "transitions", "funnel", "survival", "tracking", "rfm_map"]
)
def test_what_is_no_frame_is_told(name):
    draw = getattr(hw.plot, name)
    for wrong in (None, "credits", 3, ["a"]):
        with pytest.raises(hw.OptionError, match="a chart is drawn from"):
            draw(wrong)
    for wrong in ({"other": [1.0]}, pl.DataFrame({"other": [1.0]})):
        with pytest.raises(hw.ColumnError, match="there is none"):
            draw(wrong)
    with pytest.raises(hw.ColumnError, match="one value a row"):
        hw.plot.transitions({"from": "a", "to": "b", "probability": 1.0})
