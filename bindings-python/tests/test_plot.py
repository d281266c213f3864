"""Charts: every one draws what it is given, on given axes or its own."""

from __future__ import annotations

import matplotlib
import pytest
from test_bad_input import ORDERS, RFM, SEEN, TOUCHES

import headwater as hw

matplotlib.use("Agg")


def journeys():
    return hw.Journeys.from_events(TOUCHES, conversions=ORDERS, value="value")


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
    "tracking with bounds": lambda **o: hw.plot.tracking(
        hw.clv.tracking(ORDERS, hw.clv.BetaGeo.from_params(1, 10, 1, 3), period="1d", interval=0.9), **o
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
