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
    assert columns(hw.AdditiveHazard().fit(mixed()).trace())["step"][0] == 0
    with pytest.raises(hw.OptionError, match="predicts nothing"):
        hw.validate(mixed(), "linear")
