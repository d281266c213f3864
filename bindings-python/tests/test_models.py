"""Fitted models and stateful objects: attributes, files, pickles."""

from __future__ import annotations

import pickle

import polars as pl
import pytest
from support import columns
from test_bad_input import ORDERS, RFM, SEEN, TOUCHES

import headwater as hw


def journeys():
    return hw.Journeys.from_events(TOUCHES, conversions=ORDERS, value="value")


MIXED = {
    "customer": ["a", "a", "b", "c", "c", "d", "e", "f"],
    "time": [f"2024-01-0{day}" for day in (1, 3, 2, 1, 4, 5, 2, 6)],
    "channel": ["search", "email", "email", "search", "social", "social", "search", "email"],
}
BOUGHT = {
    "customer": ["a", "b", "c"],
    "time": ["2024-01-05", "2024-01-04", "2024-01-09"],
    "value": [10.0, 20.0, 5.0],
}


def mixed():
    """Some convert, some do not."""
    return hw.Journeys.from_events(MIXED, conversions=BOUGHT, value="value")


MODELS = {
    "beta_geo": (lambda: hw.clv.BetaGeo().fit(RFM), lambda m: m.predict(RFM, periods=3, interval=0.9)),
    "gamma_gamma": (lambda: hw.clv.GammaGamma().fit(RFM), lambda m: m.predict(RFM)),
    "kmeans": (lambda: hw.segment.KMeans(2).fit(RFM, ["recency", "T"]), lambda m: m.predict(RFM)),
    "markov": (lambda: hw.Markov(order=2).fit(journeys()), lambda m: m.transitions()),
    "path_counterfactual": (lambda: hw.PathCounterfactual("first", 2.0).fit(mixed()), lambda m: m.rates()),
    "shao_li": (lambda: hw.ShaoLi("journey").fit(mixed()), lambda m: m.contributions()),
    "logistic": (lambda: hw.Logistic(bags=3).fit(mixed(), seed=5), lambda m: m.coefficients()),
    "time_to_event": (lambda: hw.TimeToEvent(ages=["2d", "9d"]).fit(journeys()), lambda m: m.incremental()),
    "additive_hazard": (lambda: hw.AdditiveHazard(delay="3d").fit(journeys()), lambda m: m.effects()),
    "shapley": (lambda: hw.Shapley(worth="rate").fit(journeys()), lambda m: m.dividends()),
}


@pytest.fixture(params=MODELS)
def fitted(request):
    fit, use = MODELS[request.param]
    return fit(), use


def test_a_model_comes_back_from_file_pickle_and_bytes_the_same(fitted, tmp_path):
    model, use = fitted
    before = columns(use(model))
    model.save(tmp_path / "model.json")
    for back in (
        hw.load(tmp_path / "model.json"),
        pickle.loads(pickle.dumps(model)),
        type(model).from_bytes(model.to_bytes()),
    ):
        assert type(back) is type(model)
        assert repr(back) == repr(model)
        assert columns(use(back)) == before
        assert back.to_bytes() == model.to_bytes()


def test_a_model_shows_itself(fitted):
    model, _ = fitted
    assert type(model).__name__ in repr(model)
    assert "<table>" in model._repr_html_()


@pytest.mark.parametrize("new", [hw.clv.BetaGeo, hw.clv.GammaGamma, hw.segment.KMeans, hw.Markov])
def test_an_unfitted_model_says_so(new):
    with pytest.raises(hw.NotFittedError, match="call fit"):
        new().to_bytes()
    assert "not fitted" in new()._repr_html_()
    assert repr(pickle.loads(pickle.dumps(new()))) == repr(new())


def test_fitted_attributes():
    model = hw.clv.BetaGeo().fit(RFM)
    assert list(model.params_) == list(model.standard_errors_) == ["r", "alpha", "a", "b"]
    assert model.log_likelihood_ < 0
    expected, alive = model.score(3, 20.0, 35.0, periods=2)
    row = columns(model.predict(RFM, periods=2))
    assert (expected, alive) == (row["expected_purchases"][2], row["p_alive"][2])
    mean, chances = model.new_customer(periods=4, most=3)
    assert mean > 0
    assert len(chances) == 4
    (low, high), mass = model.new_customer_interval(periods=4, most=3)
    assert low <= mean <= high
    assert all(low <= chance <= high for (low, high), chance in zip(mass, chances, strict=True))
    row = columns(model.predict(RFM, periods=2, interval=0.9))
    one, living = model.score_interval(3, 20.0, 35.0, periods=2, interval=0.9)
    assert one[0] == pytest.approx(row["expected_purchases_low"][2], rel=1e-9)
    assert living[1] == pytest.approx(row["p_alive_high"][2], rel=1e-9)
    assert len(model.probabilities_interval(3, 20.0, 35.0, most=5)) == 6
    with pytest.raises(hw.errors.OptionError, match="level"):
        model.score_interval(3, 20.0, 35.0, interval=95)
    assert columns(model.summary())["parameter"] == ["r", "alpha", "a", "b"]
    assert columns(model.fit_summary())["log_likelihood"] == [model.log_likelihood_]

    spend = hw.clv.GammaGamma().fit(RFM)
    assert spend.score(3, 12.0) == columns(spend.predict(RFM))["expected_spend"][2]
    assert -1 <= spend.correlation_ <= 1

    values = columns(hw.clv.lifetime_value(model, spend, RFM, periods=10, discount_rate=0.01, margin=0.3))
    assert list(values) == ["customer", "expected_purchases", "p_alive", "expected_spend", "lifetime_value"]

    clusters = hw.segment.KMeans(2, seed=1).fit(RFM, ["recency"])
    assert len(clusters.labels_) == 6
    assert sum(clusters.sizes_) == 6
    assert clusters.inertia_ >= 0
    assert clusters.score([30.0])[0] == clusters.labels_[4]
    with pytest.raises(AttributeError, match="predict"):
        _ = hw.segment.KMeans.from_bytes(clusters.to_bytes()).labels_


def test_published_parameters_can_be_used():
    model = hw.clv.BetaGeo.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426, period="7d")
    # Fader, Hardie & Lee 2005: a customer with x = 2, t_x = 30.43, T = 38.86 makes 1.226 in 39 weeks.
    assert model.score(2, 30.43, 38.86, 39)[0] == pytest.approx(1.226, abs=5e-4)
    with pytest.raises(hw.OptionError, match="alpha"):
        hw.clv.BetaGeo.from_params(1, -1, 1, 1)
    tracked = columns(hw.clv.tracking(ORDERS, model, period="1d"))
    assert tracked["actual_cumulative"][-1] == 0.0
    bounded = columns(hw.clv.tracking(ORDERS, model, period="1d", interval=0.9))
    assert bounded["expected_cumulative"] == tracked["expected_cumulative"]
    assert bounded["expected_cumulative_high"][-1] > bounded["expected_cumulative"][-1] > 0.0
    with pytest.raises(hw.OptionError, match="interval"):
        hw.clv.tracking(ORDERS, model, period="1d", interval=90)


def test_forecast_errors():
    scores = hw.clv.forecast_errors({"actual": [1.0, 2.0], "expected_purchases": [1.0, 4.0]})
    assert scores["mae"] == 1.0
    assert scores["spearman"] == 1.0


def test_attribution_models_are_values():
    assert hw.TimeDecay("7d") == hw.TimeDecay("7d") != hw.TimeDecay("8d")
    assert len({hw.Linear(), hw.Linear(), hw.Shapley()}) == 2
    assert hw.PositionBased().score(["a", "b", "a"]) == [0.4, 0.19999999999999996, 0.4]
    assert sum(hw.TimeDecay("1d").score(["a", "b"], ["2024-01-01", "2024-01-02"])) == pytest.approx(1.0)
    assert repr(hw.LastNonDirect(["direct"])) == "LastNonDirect(direct=['direct'])"
    credit = columns(
        hw.attribute(journeys(), ["first", hw.FirstTouch().__class__.__name__ and "last", hw.Markov()])
    )
    assert set(credit["model"]) == {"first", "last", "markov"}
    fitted = hw.Markov().fit(journeys())
    assert set(fitted.removal_effects_) == {"email", "search"}
    assert sum(fitted.score(["email", "search"])) == pytest.approx(1.0)


def test_a_graph_goes_on_after_file_and_pickle(tmp_path):
    graph = hw.IdentityGraph(hw.IdentityRules([hw.Namespace("user_id", limit=1), "email", "cookie"]))
    first = graph.observe({"cookie": "c1"}, time="2024-01-01", source="web")
    second = graph.observe({"cookie": "c1", "email": ["a@x.org"], "user_id": None}, time="2024-01-02")
    assert second.customer == first.customer
    assert graph.members(first.customer) == [("cookie", "c1"), ("email", "a@x.org")]
    graph.save(tmp_path / "graph.json")
    for back in (hw.load(tmp_path / "graph.json"), pickle.loads(pickle.dumps(graph))):
        assert back.resolve("email", "A@x.org") == first.customer
        assert columns(back.explain(("email", "a@x.org"), ("cookie", "c1")))["events"] == [1]
        assert back.forget("email", "a@x.org").links == 1
        assert back.resolve("email", "a@x.org") is None
    other = graph.observe({"cookie": "c2", "email": "a@x.org"}, time="2024-01-03")
    assert other.customer == first.customer
    assert graph.unlink(("cookie", "c2"), ("email", "a@x.org")).links == 1
    assert graph.current(first.customer) == first.customer
    assert len(graph) == 3
    assert "customers" in repr(graph)


def test_batch_equals_streaming():
    people = hw.stitch(SEEN, identifiers=["cookie", "email"])
    graph = hw.IdentityGraph()
    for cookie, email, time in zip(*SEEN.values(), strict=True):
        graph.observe({"cookie": cookie, "email": email}, time=time)
    assert columns(people.customers()) == columns(graph.customers())
    assert people.resolve("email", "a@x.org") == graph.resolve("email", "a@x.org")
    assert people.members(people.resolve("cookie", "c1")) == graph.members(graph.resolve("cookie", "c1"))
    assert people.explain(("cookie", "c1"), ("cookie", "nobody")) is None


def test_path_summaries_merge_to_the_same_bits():
    def part(paths, conversions):
        return hw.Journeys.from_paths(pl.DataFrame({"path": paths, "conversions": conversions})).counts()

    a, b = part(["x > y", "y"], [0.1, 2.0]), part(["y", "z > x"], [0.2, 0.7])
    assert a.merge(b) == b.merge(a)
    assert pickle.loads(pickle.dumps(a.merge(b))) == b.merge(a)
    whole = hw.Journeys.from_paths(
        pl.DataFrame({"path": ["x > y", "y", "y", "z > x"], "conversions": [0.1, 2.0, 0.2, 0.7]})
    )
    merged = a.merge(b).journeys()
    assert len(a.merge(b)) == 3
    assert hw.attribute(merged, ["linear", "markov"]).equals(hw.attribute(whole, ["linear", "markov"]))
    with pytest.raises(hw.ModelFileError):
        hw.PathCounts.from_bytes(hw.Markov().fit(whole).to_bytes())


def parts():
    """The touches of the first four rows, and of the rest; each with a conversion or two."""
    for rows, sold in ((slice(0, 4), slice(0, 1)), (slice(4, 8), slice(1, 3))):
        touches = {name: values[rows] for name, values in MIXED.items()}
        yield touches, {name: values[sold] for name, values in BOUGHT.items()}


def test_journeys_grow_by_parts_and_from_file(tmp_path):
    builder = hw.JourneyBuilder(value="value", open="censored", lookback="7d")
    whole = hw.Journeys.from_events(MIXED, conversions=BOUGHT, value="value", open="censored", lookback="7d")
    assert (len(builder), len(builder.journeys())) == (0, 0)
    for touches, orders in parts():
        builder.extend(touches, orders, threads=1, progress=lambda *_: None)
        builder.save(tmp_path / "builder.json")
        for back in (
            hw.load(tmp_path / "builder.json"),
            pickle.loads(pickle.dumps(builder)),
            hw.JourneyBuilder.from_bytes(builder.to_bytes()),
        ):
            assert type(back) is hw.JourneyBuilder
            assert back.to_bytes() == builder.to_bytes()
            assert columns(back.journeys().durations()) == columns(builder.journeys().durations())
        builder = back
    assert (builder.touches, repr(builder)) == (8, "JourneyBuilder(8 touches)")
    for report in ("durations", "paths", "summary", "channels"):
        assert columns(getattr(builder.journeys(), report)()) == columns(getattr(whole, report)())
    first, second = (hw.JourneyBuilder(value="value", open="censored", lookback="7d") for _ in range(2))
    for half, (touches, orders) in zip((first, second), parts(), strict=True):
        half.extend(pl.DataFrame(touches), pl.DataFrame(orders))
    first.merge(second)
    assert first.to_bytes() == builder.to_bytes()
    assert isinstance(first.journeys().paths(), pl.DataFrame)
    assert len(second) == 4
    second.merge(second)
    assert len(second) == 8


def test_a_builder_keeps_what_it_was_given():
    """Not what the caller's arrays hold later."""
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    values = numpy.array([1.0, 2.0])
    orders = pandas.DataFrame(values[:, None], columns=["v"], copy=False)
    orders["customer"], orders["time"] = ["a", "b"], ["2024-01-05", "2024-01-06"]
    builder = hw.JourneyBuilder(value="v")
    builder.extend(MIXED, orders)
    before = builder.to_bytes()
    values[:] = 77.0
    assert builder.to_bytes() == before


def test_a_flagged_frame_grows_too():
    frame = {**MIXED, "sold": [False, True] * 4, "worth": [None, 2.0] * 4, "secret": list("abcdefgh")}
    builder = hw.JourneyBuilder(conversions="sold", value="worth")
    for rows in (slice(0, 3), slice(3, 8)):
        builder.extend(pl.DataFrame({name: values[rows] for name, values in frame.items()}))
    whole = hw.Journeys.from_events(frame, conversions="sold", value="worth")
    assert columns(builder.journeys().paths()) == columns(whole.paths())
    assert b"secret" not in builder.to_bytes()
    with pytest.raises(hw.OptionError, match="flag column"):
        builder.extend(frame, BOUGHT)


def test_a_part_that_fails_changes_nothing():
    builder = hw.JourneyBuilder()
    (touches, orders), (more, _) = parts()
    builder.extend(touches, orders)
    before = builder.to_bytes()
    with pytest.raises(hw.OptionError, match="give an empty one"):
        builder.extend(more)
    with pytest.raises(hw.RowError):
        builder.extend({**more, "channel": ["x", None, "y", "z"]}, orders)
    with pytest.raises(hw.ColumnError, match="in another"):
        builder.extend({**more, "customer": [1, 2, 3, 4]}, {**orders, "customer": [1]})
    with pytest.raises(hw.OptionError, match="differ"):
        builder.merge(hw.JourneyBuilder(lookback="1d"))
    assert builder.to_bytes() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lokback": "7d"}, "lokback"),
        ({"view_weight": -1.0}, "view_weight"),
        ({"view_lookback": "1d"}, "kind"),
        ({"conversions": BOUGHT}, "extend"),
    ],
)
def test_a_builder_checks_its_options(options, said):
    with pytest.raises(hw.OptionError, match=said):
        hw.JourneyBuilder(**options)


def test_a_damaged_builder_is_one_clear_error(tmp_path):
    builder = hw.JourneyBuilder()
    builder.extend(MIXED)
    data = builder.to_bytes()
    for bad in (data[:-20], data.replace(b"search", b"seerch"), hw.Markov().fit(mixed()).to_bytes()):
        with pytest.raises(hw.ModelFileError):
            hw.JourneyBuilder.from_bytes(bad)
    with pytest.raises(hw.FileError):
        builder.save(tmp_path / "no" / "folder")


def test_models_that_predict_and_those_that_do_not():
    times = ["2024-01-01", "2024-01-03"]
    for model in (
        hw.Markov(order=2),
        hw.PathCounterfactual(),
        hw.Logistic(bags=0, penalty=1.0),
        hw.TimeToEvent(),
        hw.AdditiveHazard(),
    ):
        with pytest.raises(hw.NotFittedError):
            model.predict(["search"], times[:1])
        model.fit(mixed())
        now = model.predict(["search", "email"], times)
        assert 0 <= now <= 1
        later = model.predict(["search", "email"], times, end="2024-01-20")
        by_time = isinstance(model, (hw.TimeToEvent, hw.AdditiveHazard))
        assert later <= now if by_time else later == now
        with pytest.raises(hw.OptionError, match="touch"):
            model.predict([])
        with pytest.raises(hw.OptionError, match="earlier"):
            model.predict(["search", "email"], times, end="2024-01-02")
        if by_time:
            with pytest.raises(hw.OptionError, match="times"):
                model.predict(["search"])
    for model in (hw.Shapley(), hw.ShaoLi()):
        with pytest.raises(hw.OptionError, match="predicts nothing"):
            model.fit(mixed()).predict(["search"])


def test_reports_of_models_tell_progress_and_stop():
    told = []
    paths = {"path": ["a > b > c", "b > c", "a", "c > a"], "conversions": [3.0, 1.0, 2.0, 4.0]}
    made = hw.Journeys.from_paths(paths)
    chain = hw.Markov().fit(made)
    shapley = hw.Shapley(worth="exact_set_rate").fit(made)
    for call in (
        lambda progress: chain.joint_effects([["a", "b"]], threads=1, progress=progress),
        lambda progress: chain.states(threads=2, progress=progress),
        lambda progress: shapley.dividends(progress=progress),
        lambda progress: shapley.synergies(progress=progress),
    ):
        told.clear()
        call(lambda *now: told.append(now))
        assert told
        with pytest.raises(ZeroDivisionError):
            call(lambda *_: 1 // 0)
    assert columns(shapley.synergies(threads=1)) == columns(shapley.synergies(threads=3))


def test_learned_models_are_validated_and_segmented():
    report: dict = {}
    scores = columns(
        hw.validate(mixed(), ["markov", hw.Logistic(bags=0, penalty=1.0)], folds=2, report=report)
    )
    assert scores["model"] == ["markov", "logistic"]
    assert list(report) == ["calibration"]
    people = sorted(set(MIXED["customer"]))
    tiers = {"customer": people, "tier": ["gold"] * len(people)}
    found = columns(hw.segmented(mixed(), "markov", tiers, segment="tier", customers=True, report=report))
    whole = columns(hw.attribute(mixed(), "markov"))
    assert set(found["segment"]) == {"gold"}
    credited = [
        c for c, name in zip(whole["conversions"], whole["channel"], strict=True) if name != "(unattributed)"
    ]
    assert found["conversions"] == pytest.approx(credited)
    assert {"segments", "effects", "customers"} <= set(report)
    fitted = hw.Logistic(bags=0, penalty=1.0).fit(mixed())
    assert fitted.channels_ == sorted(set(MIXED["channel"]))
    assert columns(fitted.tried())["penalty"] == []
    chosen = hw.PathCounterfactual(smoothing=None, penalties=[1.0, 5.0], folds=2).fit(mixed())
    assert columns(chosen.tried())["penalty"] == [1.0, 5.0]
    assert "smoothing" in columns(chosen.diagnostics())["name"]
    assert hw.PathCounterfactual.from_bytes(chosen.to_bytes()).smoothing is None
    assert columns(hw.AdditiveHazard().fit(mixed()).trace())["step"][0] == 0
    with pytest.raises(hw.OptionError, match="predicts nothing"):
        hw.validate(mixed(), "linear")


def test_smoothing_of_shao_and_li_is_given_or_chosen():
    made = mixed()
    plain = hw.ShaoLi().fit(made)
    assert len(plain.tried()) == 0
    chosen = hw.ShaoLi(smoothing=None, penalties=[0.5, 50.0], folds=3).fit(made)
    assert len(chosen.tried()) == 2
    assert hw.ShaoLi.from_bytes(chosen.to_bytes()).smoothing is None
    even = hw.ShaoLi(smoothing=1e12).fit(made).contributions()["contribution"].to_pylist()
    (flat,) = {round(x, 6) for x in even}
    assert flat > 0
    with pytest.raises(hw.OptionError, match="smoothing"):
        hw.ShaoLi(smoothing=-1.0).fit(made)
