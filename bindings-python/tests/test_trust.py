"""How far to trust credits: the face's own part; the numbers are in the shared vectors."""

from __future__ import annotations

import polars as pl
import pytest

import headwater as hw

PATHS = {
    "path": ["a > b", "b", "a > a > b", "c"],
    "conversions": [4, 2, 3, 1],
    "nulls": [6, 8, 3, 9],
    "value": [40.0, 10.0, 30.0, 5.0],
}
TOUCHES = {
    "customer": ["ann", "ann", "bob", "bob", "cat"],
    "time": ["2024-01-01", "2024-01-04", "2024-01-02", "2024-01-09", "2024-01-03"],
    "channel": ["a", "b", "a", "c", "b"],
}
ORDERS = {
    "customer": ["ann", "bob", "cat"],
    "time": ["2024-01-05", "2024-01-10", "2024-01-08"],
    "value": [10.0, 20.0, 5.0],
}


@pytest.fixture
def paths():
    return hw.Journeys.from_paths(pl.DataFrame(PATHS), value="value", nulls="nulls")


@pytest.fixture
def events():
    return hw.Journeys.from_events(pl.DataFrame(TOUCHES), conversions=pl.DataFrame(ORDERS), value="value")


def test_a_bootstrap_repeats_by_its_seed(paths):
    one = hw.attribute(paths, ["last", hw.Markov()], bootstrap=50, seed=3)
    assert one.equals(hw.attribute(paths, ["last", hw.Markov()], bootstrap=50, seed=3, threads=1))
    assert not one.equals(hw.attribute(paths, ["last", hw.Markov()], bootstrap=50, seed=4))
    assert {"share", "share_low", "value_high"} <= set(one.columns)
    with pytest.raises(hw.OptionError, match="bootstrap"):
        hw.attribute(paths, "last", bootstrap=1)


def test_reports_have_intervals(paths, events):
    found = hw.bootstrap(paths, hw.Markov(), "transitions", bootstrap=50, seed=3)
    assert found.equals(hw.bootstrap(paths, "markov", "transitions", bootstrap=50, seed=3, threads=1))
    assert found.columns[2:6] == ["count", "count_standard_error", "count_low", "count_high"]
    plain = hw.Markov().fit(paths).transitions()
    assert found["probability"].to_list() == plain["probability"].to_pylist()
    report: dict = {}
    states = hw.bootstrap(paths, hw.Markov(order=2), "states", bootstrap=20, report=report)
    assert "expected_visits_low" in states.columns
    assert "conversion_share_high" in report["channels"].columns
    joint = hw.bootstrap(paths, "markov", "joint_effects", sets=[("a", "b")], bootstrap=20)
    assert joint["channels"].to_list() == ["a + b"]
    assert len(hw.bootstrap(paths, "shapley", "dividends", top=2, bootstrap=20)) == 2
    touches = hw.bootstrap(events, "markov", "touch_credits", bootstrap=20)
    assert touches["conversions"].to_list() == events.touch_credits("markov")["conversions"].to_list()
    hw.attribute(paths, "markov", bootstrap=20, report=report)
    assert "removal_effect_standard_error" in report["removal_effects"].columns
    for wrong, name in (
        ({"statistic": "values"}, "statistic"),
        ({"statistic": "steps"}, "statistic"),
        ({"statistic": "states", "top": 3}, "top"),
        ({"statistic": "states", "bootstrap": 0}, "bootstrap"),
    ):
        with pytest.raises(hw.OptionError, match=name):
            hw.bootstrap(paths, "markov", **wrong)


def test_reports_of_journeys_have_intervals(paths, events):
    found = paths.bootstrap("assisted", bootstrap=50, seed=3)
    assert found.equals(paths.bootstrap("assisted", bootstrap=50, seed=3, threads=1))
    assert not found.equals(paths.bootstrap("assisted", bootstrap=50, seed=4))
    assert found.columns[1:5] == ["first", "first_standard_error", "first_low", "first_high"]
    assert found["assisted"].to_list() == paths.assisted()["assisted"].to_list()
    assert "conversion_rate_high" in paths.bootstrap("paths", bootstrap=20).columns
    report: dict = {}
    options = {"steps": ["a", "b"], "by": "customer", "window": "9d"}
    funnel = events.bootstrap("funnel", bootstrap=20, report=report, **options)
    assert funnel["count"].to_list() == events.funnel(**options)["count"].to_list()
    assert "count_low" in report["dropoff"].columns
    assert len(events.bootstrap("patterns", patterns="a -> b", bootstrap=20)) == 1
    for name in ("graph", "step_matrix", "lag_curves", "summary", "time_to_convert", "positions"):
        assert len(events.bootstrap(name, bootstrap=5)) > 0
    for name, wrong, option in (
        ("assisted", {"asist": "not_last"}, "asist"),
        ("assisted", {"bootstrap": 0}, "bootstrap"),
        ("paths", {"order": 2}, "order"),
        ("features", {}, "report"),
        ("step_matrix", {"steps": 0}, "steps"),
    ):
        with pytest.raises(hw.OptionError, match=option):
            paths.bootstrap(name, **wrong)


def test_scores_and_money_have_intervals(paths, events):
    models = ["markov", hw.Logistic()]
    report: dict = {}
    scores = hw.validate(paths, models, folds=2, bootstrap=20, confidence=0.8, report=report)
    assert {"log_loss_standard_error", "log_loss_low", "auc_high"} <= set(scores.columns)
    assert len(report["differences"]) == 1
    assert "observed_low" in report["calibration"].columns
    compared = hw.compare(paths, models, folds=2, bootstrap=20, interval="basic")
    assert set(compared) == {"agreement", "ranks", "predictions", "differences"}
    assert "total_variation_high" in compared["agreement"].columns
    spend = {"channel": ["a", "b"], "date": ["2024-01-01", "2024-01-05"], "spend": [5.0, 7.0]}
    weeks = hw.money(events, ["linear", "markov"], spend=spend, period="week", bootstrap=20)
    assert {"period", "conversions_low", "cpa_high"} <= set(weeks.columns)


def test_segments_have_intervals(events):
    tiers = {"customer": ["ann", "bob", "cat"], "segment": ["x", "y", "y"]}
    report: dict = {}
    found = hw.segmented(events, "markov", tiers, customers=True, bootstrap=20, confidence=0.8, report=report)
    assert {"conversions_standard_error", "value_low"} <= set(found.columns)
    assert "share_high" in report["effects"].columns
    assert "weight_low" in report["segments"].columns
    assert {"shrinkage", "shrinkage_low", "variance_ratio_high"} <= set(report["shrinkage"].columns)
    assert {"conversions_low", "value_high"} <= set(report["customers"].columns)


def test_weights_by_a_function_and_by_numbers(paths):
    seen = []

    def weigh(path):
        seen.append(tuple(path))
        return [2.0 if channel == "a" else 1.0 for channel in path]

    found = hw.credits_by_weights(paths, weigh)
    assert len(seen) == len(set(seen)) == 4
    as_data = hw.attribute(paths, hw.Custom(channels={"a": 2.0}))
    assert found["conversions"].to_list() == pytest.approx(as_data["conversions"].to_list())
    touches = paths.touch_credits("linear")
    equal = hw.credits_by_weights(paths, [1.0] * len(touches))
    linear = hw.attribute(paths, "linear")
    assert equal["conversions"].to_list() == pytest.approx(linear["conversions"].to_list())
    with pytest.raises(hw.OptionError, match="weights for the"):
        hw.credits_by_weights(paths, lambda path: [1.0])


def test_a_function_is_a_rule_wherever_models_are_taken(paths):
    seen = []

    def rising(touches):
        seen.append(touches)
        assert all(touch.touches == len(touches) and touch.age is None for touch in touches)
        return [touch.position * (2.0 if touch.channel == "a" else 1.0) for touch in touches]

    as_data = hw.Custom(from_start=[1.0, 2.0, 3.0, 4.0, 5.0], channels={"a": 2.0})
    found = hw.attribute(paths, ["linear", rising], bootstrap=20, seed=3)
    assert len(seen) == len(set(map(tuple, seen)))
    assert isinstance(seen[0][0], hw.Touch)
    data = hw.attribute(paths, ["linear", as_data], bootstrap=20, seed=3)
    for column in ("conversions", "conversions_low", "share_high"):
        assert found[column].to_list() == data[column].to_list()
    assert set(found["model"]) == {"linear", "callback(rising)"}
    assert set(hw.attribute(paths, [rising, lambda t: [1] * len(t)])["model"]) == {
        "callback(rising)",
        "callback(<lambda>)",
    }
    drifted = hw.drift(paths, paths, rising, bootstrap=20)
    assert set(drifted["drift"]["change"]) == {0.0}
    assert len(hw.compare(paths, ["linear", rising])) == 1
    credits = paths.touch_credits(rising)
    assert credits["conversions"].to_list() == paths.touch_credits(as_data)["conversions"].to_list()


def test_a_function_that_is_no_rule_is_named(paths):
    def wrong(touches):
        return [1.0] * (len(touches) + 1)

    def negative(touches):
        return [-1.0] * len(touches)

    def empty(touches):
        return [float("nan")] * len(touches)

    def broken(touches):
        raise ZeroDivisionError

    with pytest.raises(hw.OptionError, match="`wrong`: gave . weights for the"):
        hw.attribute(paths, wrong)
    with pytest.raises(hw.OptionError, match="`negative`: gave -1.0 to touch 1"):
        hw.attribute(paths, ["last", negative])
    with pytest.raises(hw.OptionError, match="`empty`: gave nan"):
        hw.attribute(paths, empty)
    with pytest.raises(ZeroDivisionError):
        hw.attribute(paths, broken)
    with pytest.raises(hw.OptionError, match="`<lambda>` is a rule and predicts nothing"):
        hw.validate(paths, [lambda touches: [1.0] * len(touches)])


def test_what_is_no_model_says_what_to_do(paths):
    with pytest.raises(hw.OptionError, match=r"give `Markov\(\)`"):
        hw.compare(paths, [hw.Markov])
    with pytest.raises(hw.OptionError, match="models"):
        hw.attribute(paths, 3)
    with pytest.raises(hw.OptionError, match="`from_end` is nan; give a finite number"):
        hw.attribute(paths, hw.Custom(from_end=[float("nan")]))


def test_models_that_know_no_weights_are_a_warning():
    touches = {
        "customer": ["ann", "ann"],
        "time": ["2024-01-01", "2024-01-02"],
        "channel": ["a", "b"],
        "weight": [1.0, 0.0],
    }
    orders = {"customer": ["ann"], "time": ["2024-01-03"]}
    weighted = hw.Journeys.from_events(pl.DataFrame(touches), conversions=orders, weight="weight")
    with pytest.warns(hw.IgnoredWeightsWarning, match=r"of 1 conversions.*: markov, shapley\."):
        hw.attribute(weighted, ["linear", "markov", "shapley"])
    report = {}
    hw.attribute(weighted, ["linear", "markov"], report=report)
    assert report["ignored_weights"]["model"].to_list() == ["markov"]
    hw.attribute(weighted, "linear")
    spend = pl.DataFrame({"channel": ["a"], "spend": [2.0]})
    tests = pl.DataFrame({"channel": ["a"], "effect": [0.5], "standard_error": [0.2]})
    for ask in (
        lambda: hw.money(weighted, "markov", spend=spend),
        lambda: hw.calibrate(weighted, "markov", lift_tests=tests),
        lambda: hw.compare(weighted, ["last", "markov"], folds=0),
        lambda: hw.difference(weighted, ["last", "markov"], bootstrap=5),
        lambda: hw.drift(weighted, weighted, "markov", bootstrap=5),
        lambda: hw.bootstrap(weighted, "markov", "touch_credits", bootstrap=5),
        lambda: weighted.touch_credits("markov"),
    ):
        with pytest.warns(hw.IgnoredWeightsWarning, match=r"of [12] conversions.*: markov\."):
            ask()
    report = {}
    hw.money(weighted, "markov", spend=spend, report=report)
    assert report["ignored_weights"]["model"].to_list() == ["markov"]


def test_custom_weights_are_data():
    model = hw.Custom(from_end=[3, 1], ages=[("1d", 1.0), ("7d", 0.5)])
    credit = model.score(["a", "b"], ["2024-01-01", "2024-01-05"])
    assert credit == pytest.approx([0.5 / 3.5, 3 / 3.5])
    assert model == hw.Custom(from_end=[3, 1], ages=[("1d", 1.0), ("7d", 0.5)])


def test_lifetime_value_is_carried(events):
    worth = pl.DataFrame({"customer": ["ann", "bob", "cat"], "clv": [100.0, 50.0, 25.0]})
    found = hw.attribute(events, "last", lifetime=worth, lifetime_value="clv")
    assert found["value"].sum() == 175.0
    with pytest.raises(hw.NotEnoughDataError):
        hw.attribute(events, "last", lifetime=worth[:1], lifetime_value="clv")
    zero = hw.attribute(events, "last", lifetime=worth[:1], lifetime_value="clv", lifetime_missing="zero")
    assert zero["value"].sum() == 100.0
    again = pl.concat([worth, worth[:1]])
    with pytest.raises(hw.RowError, match="is there twice .*on_invalid"):
        events.with_lifetime(again, value="clv")
    dropped = events.with_lifetime(again, value="clv", on_invalid="drop")
    assert dropped.summary()["value"].item() == 175.0
    assert dropped.dropped["count"].to_list() == [1]
    # Where there is no such option, none is named.
    with pytest.raises(hw.RowError) as failure:
        hw.attribute(events, "last", lifetime=again, lifetime_value="clv")
    assert "on_invalid" not in str(failure.value)
    assert (failure.value.row, failure.value.count) == (3, 1)


def test_campaigns_have_costs_bounds_and_a_separator():
    touches = pl.DataFrame(TOUCHES).with_columns(
        channel=pl.Series(["google / cpc", "mail", "google / cpc", "google / organic", "mail"]),
        campaign=pl.Series(["brand", None, "generic", None, "news"]),
        cost=pl.Series([1.0, 0.5, 2.0, 0.0, 0.25]),
    )
    journeys = hw.Journeys.from_events(
        touches, conversions=pl.DataFrame(ORDERS), value="value", cost="cost", campaign="campaign"
    )
    with pytest.raises(hw.OptionError, match=r"`/` is in the channel `google / cpc`"):
        journeys.by_campaign()
    fine = journeys.by_campaign(separator="|")
    assert fine.roll_up(separator="|").paths().equals(journeys.paths())
    credit = hw.attribute(fine, "linear", bootstrap=20)
    assert dict(zip(credit["channel"], credit["cost"], strict=True)) == {
        "google / cpc | brand": 1.0,
        "google / cpc | generic": 2.0,
        "google / organic": 0.0,
        "mail": 0.5,
        "mail | news": 0.25,
    }
    down = hw.channels.drill_down(credit, separator="|")
    assert down["channel"].to_list()[:2] == ["google / cpc"] * 2
    assert down["conversions_low"].to_list() == credit["conversions_low"].to_list()
    shared = hw.channels.drill_down(credit, hw.attribute(journeys, "linear"), separator="|")
    assert "conversions_low" not in shared.columns
    both = hw.attribute_levels(fine, "linear", separator="|", bootstrap=20)
    assert both["conversions"].to_list() == shared["conversions"].to_list()
    assert both["cpa_low"].to_list()[:2] == credit["cpa_low"].to_list()[:2]
    assert {"share_of_channel_standard_error", "value_low", "roas_high"} <= set(both.columns)
    summed = hw.attribute_levels(fine, hw.Markov(), separator="|", own_channels=False)
    assert summed["conversions"].sum() == pytest.approx(3.0)

    def even(touches):
        return [1.0] * len(touches)

    by_hand = hw.attribute_levels(
        fine, even, channels={"google": ["google / organic"]}, separator="|", bootstrap=20
    )
    linear = hw.attribute_levels(
        fine, "linear", channels={"google": ["google / organic"]}, separator="|", bootstrap=20
    )
    assert by_hand["conversions_high"].to_list() == linear["conversions_high"].to_list()
    assert "google" in linear["channel"].to_list()
    with pytest.raises(hw.OptionError, match="separator"):
        hw.attribute_levels(fine, "linear", separator="")


def test_calibration_and_what_is_beside_it(paths):
    tests = pl.DataFrame({"channel": ["b"], "effect": [4.0], "standard_error": [0.5]})
    beside = {}
    found = hw.calibrate(paths, "last", lift_tests=tests, untested="none", report=beside)
    row = found.filter(pl.col("channel") == "b")
    assert row["calibrated"].item() == pytest.approx(4.0)
    assert found["calibrated"].sum() == pytest.approx(10.0)
    assert set(beside) == {"tests", "pooling", "centre"}


def test_an_option_of_conversions_needs_conversions():
    for option in ("value", "conversion_kind", "conversion_place", "order_id", "conversion_time"):
        with pytest.raises(hw.OptionError, match=f"`{option}`: has no meaning without"):
            hw.Journeys.from_events(pl.DataFrame(TOUCHES), **{option: "x"})
    with pytest.raises(hw.OptionError, match=r"`lookback`: `soon` is not a span"):
        hw.Journeys.from_events(pl.DataFrame(TOUCHES), lookback="soon")


def test_a_period_without_conversions_has_no_shares(events):
    empty = events.between("2025-01-01", "2025-02-01")
    with pytest.raises(hw.NotEnoughDataError, match="the new journeys are none"):
        hw.drift(events, empty, "linear", bootstrap=5)
    with pytest.raises(hw.NotEnoughDataError, match="the other journeys have no conversion"):
        hw.difference(events, "linear", other=empty, bootstrap=5)


def test_each_period_is_calibrated_by_its_own_tests(events):
    old, new = events.between("2023-12-01", "2024-01-07"), events.between("2024-01-07", "2024-02-01")
    tests = pl.DataFrame(
        {
            "canal": ["b", "b"],
            "effect": [0.5, 0.4],
            "standard_error": [0.1, 0.2],
            "start": ["2024-01-01", "2024-01-07"],
            "end": ["2024-01-06", "2024-01-11"],
        }
    )
    how = {"channel": "canal", "untested": "none"}
    found = hw.drift(old, new, "last", metric="conversions", bootstrap=20, lift_tests=tests, calibration=how)
    row = found["drift"].filter((pl.col("model") == "calibrated(last)") & (pl.col("channel") == "b"))
    assert [row["old"].item(), row["new"].item()] == pytest.approx([0.5, 0.4])
    apart = hw.difference(
        new, "last", other=old, metric="conversions", bootstrap=20, lift_tests=tests, calibration=how
    )
    assert apart["low"].to_list() == found["drift"]["low"].to_list()
    with pytest.raises(hw.NotEnoughDataError, match="no lift test ran in the period from 2024-01-0"):
        hw.drift(old, new, "last", bootstrap=20, lift_tests=tests[:1], calibration=how)
    with pytest.raises(hw.ColumnError, match="tests of two periods"):
        hw.difference(new, "last", other=old, lift_tests=tests.drop("end"), calibration=how)
    with pytest.raises(hw.OptionError, match="calibration"):
        hw.drift(old, new, "last", bootstrap=20, calibration=how)


def test_money(paths):
    spend = pl.DataFrame({"channel": ["a", "radio"], "spend": [8.0, 1.0]})
    found = hw.money(paths, "first", spend=spend, margin=0.5)
    assert found.filter(pl.col("channel") == "a")["cpa"].item() == pytest.approx(8 / 7)
    assert "radio" in found["channel"].to_list()


def test_models_and_periods_are_compared(paths):
    found = hw.compare(paths, ["first", "last"], bootstrap=20)
    assert set(found) == {"agreement", "ranks"}
    apart = hw.difference(paths, ["first", "last"], bootstrap=20, metric="conversions")
    assert apart["difference"].sum() == pytest.approx(0.0)
    spend = pl.DataFrame({"channel": ["a", "b"], "cost": [8.0, 2.0]})
    costs = hw.difference(paths, ["first", "last"], bootstrap=20, metric="cpa", spend=spend, amount="cost")
    assert costs.filter(pl.col("channel") == "a")["credit"].item() == pytest.approx(8 / 7)
    moved = hw.drift(paths, paths, "last", bootstrap=20)
    assert set(moved) == {"drift", "distributions", "alerts"}
    assert moved["drift"]["change"].abs().sum() == 0.0


def test_windows_and_what_touches_add(events):
    found = hw.choose_lookback(events, ["1d", "3d"], folds=2, rule="one_standard_error")
    assert found["chosen"].sum() == 1
    assert any(found["note"])
    with pytest.raises(hw.OptionError, match="no journey touches"):
        hw.choose_lookback(events, folds=2, exclude=["nobody"])
    assert hw.choose_half_life(events, folds=2)["candidate"].to_list()[0] == "12h"
    beside = {}
    added = hw.self_controlled(events, half_lives=["2d"], wear=[0.0], report=beside)
    assert added["conversions"].sum() == pytest.approx(3.0)
    assert "profile" in beside
    assert list(beside["priming"]["primer"]) == []
    assert {"channel", "window", "factor", "conversions", "low"} <= set(beside["priming"].columns)
    blind = hw.self_controlled(events, half_lives=["2d"], wear=[0.0], priming_windows=[])
    assert blind["conversions"].to_list() == added["conversions"].to_list()
    with pytest.raises(hw.OptionError, match="priming_windows"):
        hw.self_controlled(events, priming_windows=["14d", "7d"])


def test_calibrated_models_stand_beside_the_others(paths):
    tests = pl.DataFrame({"channel": ["a", "b"], "effect": [1.0, 3.0], "standard_error": [0.2, 0.5]})
    spend = {"channel": ["a", "b"], "spend": [10.0, 20.0]}
    known = hw.calibrate(paths, "last", lift_tests=tests, untested="none")
    table = hw.money(paths, "last", spend=spend, lift_tests=tests, calibration={"untested": "none"})
    assert table["model"].unique(maintain_order=True).to_list() == ["last", "calibrated(last)"]
    mine = table.filter(pl.col("model") == "calibrated(last)")
    assert mine["channel"].to_list() == known["channel"].to_list()
    assert mine["conversions"].to_list() == known["calibrated"].to_list()
    assert mine["conversions_low"].to_list() == known["low"].to_list()
    assert mine["cpa"][1] == 20.0 / known["calibrated"][1]
    renamed = tests.rename({"effect": "uplift"})
    how = {"untested": "none", "effect": "uplift"}
    assert hw.money(paths, "last", spend=spend, lift_tests=renamed, calibration=how).equals(table)
    compared = hw.compare(paths, "last", lift_tests=tests, bootstrap=20)
    assert compared["agreement"]["other_model"].to_list() == ["calibrated(last)"]
    assert "calibrated(last)" in compared["ranks"]["model"]
    for wrong in ({"bootstrap": 9}, {"metric": "value"}, {"models": ["last"]}, "shrink"):
        with pytest.raises(hw.OptionError, match="calibration"):
            hw.money(paths, "last", spend=spend, lift_tests=tests, calibration=wrong)
    with pytest.raises(hw.OptionError, match="lift_tests"):
        hw.money(paths, "last", spend=spend, calibration={"untested": "none"})
    with pytest.raises(hw.OptionError, match="lift_tests"):
        hw.calibrate(paths, "last", lift_tests=None)


def test_margin_is_the_value_of_all_reports(paths, events):
    half = paths.with_margin(0.5)
    assert hw.attribute(half, "last")["value"].sum() == 0.5 * sum(PATHS["value"])
    orders = {**ORDERS, "event": ["purchase", "purchase", "subscription"]}
    kinds = hw.Journeys.from_events(TOUCHES, conversions=orders, value="value", conversion_kind="event")
    left = kinds.with_margin(0.5, by_kind={"subscription": 0.8})
    assert left.summary()["value"].to_pylist() == [0.5 * 30 + 0.8 * 5]
    for wrong in ({}, {"rate": -1.0}, {"rate": float("nan")}, {"rate": 0.5, "by_kind": {"gift": 1.0}}):
        with pytest.raises(hw.OptionError, match="rate|by_kind"):
            kinds.with_margin(**wrong)
    with pytest.raises(hw.OptionError, match="rate"):
        hw.Journeys.from_paths({"path": ["a"], "conversions": [1]}).with_margin(0.5)


def test_errors_name_what_was_given(paths, events):
    def rule(touches):
        return [1.0] * len(touches)

    worth = {"customer": ["ann"], "lifetime_value": [3.0]}
    cases = [
        (lambda: hw.attribute(paths, {}), "`models`.*linear"),
        (lambda: hw.attribute(paths, {"model": 3}), "`models`.*linear"),
        (lambda: hw.bootstrap(paths, "markov", "nothing"), "`statistic`.*removal_effects"),
        (lambda: hw.bootstrap(paths, "markov", "values"), "`statistic`.*removal_effects"),
        (lambda: hw.attribute(events, "last", lifetime=worth, lifetime_missing="x"), "`lifetime_missing`"),
        (lambda: hw.choose_lookback(events, []), "`candidates`"),
        (lambda: hw.choose_half_life(events, []), "`candidates`"),
        (lambda: paths.sequences(min_count=-1), "`min_count`"),
        (lambda: hw.attribute(paths, hw.Logistic(penalty=float("inf"))), "`penalty`.*finite"),
        (lambda: hw.Logistic(penalty=float("nan")).fit(paths), "`penalty`.*finite"),
        (lambda: hw.validate(paths, ["markov", rule]), "`models`.*`rule`.*predicts nothing"),
        (
            lambda: hw.segmented(events, rule, {"customer": ["ann"], "segment": ["x"]}),
            "`model`.*learns nothing",
        ),
        (lambda: hw.JourneyBuilder().merge("x"), "`other`.*JourneyBuilder"),
        (lambda: hw.clv.RfmBuilder().merge("x"), "`other`.*RfmBuilder"),
        (lambda: paths.counts().merge("x"), "`other`.*PathCounts"),
        (lambda: paths.graph_difference("x"), "`other`"),
    ]
    for call, said in cases:
        with pytest.raises(hw.OptionError, match=said):
            call()
    huge = [1.7e308, 1.7e308]
    with pytest.raises(hw.ColumnError, match="spend.*larger unit"):
        hw.money(paths, "last", spend={"channel": ["a", "b"], "spend": huge})
    with pytest.raises(hw.ColumnError, match="value.*larger unit"):
        hw.Journeys.from_paths({"path": ["a", "b"], "conversions": [1, 1], "value": huge}, value="value")
    assert set(hw.attribute(paths, rule)["model"]) == {"callback(rule)"}
