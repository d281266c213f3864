"""Draws of the parameters of purchase models."""

from __future__ import annotations

import pickle

import pytest
from support import columns

import headwater as hw

RFM = {
    "customer": list("abcdefg"),
    "frequency": [0, 1, 1, 2, 2, 6, 6],
    "recency": [0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0],
    "T": [35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0],
    "many": [1400, 300, 200, 100, 100, 10, 90],
}


@pytest.fixture(scope="module")
def drawn():
    return hw.clv.sample_posterior(RFM, chains=2, draws=300, weight="many", period="7d", seed=1)


def test_chains_agree_and_the_draws_travel(drawn, tmp_path):
    table = columns(drawn.summary())
    assert table["parameter"] == ["r", "alpha", "a", "b"]
    assert max(table["r_hat"]) < 1.05
    assert len(drawn.draws()) == 600
    assert columns(drawn.fit_summary())["method"] == ["nuts", "nuts"]
    ahead = columns(drawn.predict(RFM, 26, purchase_interval=0.9, period="7d"))
    drawn.save(tmp_path / "draws.json")
    for again in (hw.load(tmp_path / "draws.json"), pickle.loads(pickle.dumps(drawn))):
        assert isinstance(again, hw.clv.Posterior)
        assert columns(again.predict(RFM, 26, purchase_interval=0.9, period="7d")) == ahead
        assert repr(again) == repr(drawn) == "Posterior(model='BetaGeo', method='nuts')"
    assert "r_hat 1.0" in drawn._repr_html_()


def test_customers_beside_those_that_the_model_makes(drawn):
    given = {"weight": "many", "most": 3, "period": "7d"}
    found = columns(drawn.check(RFM, **given))
    shares = ["share_0", "share_1", "share_2", "share_3_or_more"]
    assert found["statistic"] == [*shares, "mean", "variance", "bought_lately"]
    assert found["observed"][:4] == pytest.approx([1400 / 2200, 500 / 2200, 200 / 2200, 100 / 2200])
    assert all(low <= high for low, high in zip(found["low"], found["high"], strict=True))
    assert (
        columns(drawn.check(RFM, threads=1, **given)) == found != columns(drawn.check(RFM, seed=1, **given))
    )
    with pytest.raises(hw.HeadwaterError, match="whole number of customers"):
        drawn.check({**RFM, "many": [0.5] * 7}, weight="many")


def test_the_seed_alone_decides(drawn):
    given = {"chains": 2, "draws": 300, "weight": "many", "period": "7d"}
    again, other = (hw.clv.sample_posterior(RFM, seed=seed, threads=1, **given) for seed in (1, 2))
    assert again.to_bytes() == drawn.to_bytes() != other.to_bytes()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"chains": 0}, "chains"),
        ({"prior": "strong"}, "prior"),
        ({"priors": {"beta": {"median": 1, "sd": 1}}}, "beta"),
        ({"model": "NoSuchLaw"}, "NoSuchLaw"),
        ({"seed": -1}, "seed"),
    ],
)
def test_options_that_cannot_be(options, named):
    with pytest.raises(hw.OptionError, match=named):
        hw.clv.sample_posterior(RFM, **options)


def test_rows_that_cannot_be_are_dropped_and_kept_in_mind(drawn):
    rfm = {**RFM, "recency": [0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 99.0]}
    with pytest.raises(hw.HeadwaterError):
        hw.clv.laplace(rfm)
    found = hw.clv.laplace(rfm, draws=10, on_invalid="drop")
    assert sum(columns(found.dropped_)["count"]) == 1
    report = {}
    assert len(drawn.predict(rfm, on_invalid="drop", report=report)) == 6
    assert len(report["dropped"]) == 1


def test_a_file_of_another_kind_is_refused(drawn):
    with pytest.raises(hw.ModelFileError):
        hw.clv.BetaGeo.from_bytes(drawn.to_bytes())


KINDS = {name: values * 2 for name, values in RFM.items()} | {
    "customer": list("abcdefghijklmn"),
    "channel": ["web"] * 7 + ["shop"] * 7,
    "many": [1400, 300, 200, 100, 100, 10, 90, 700, 250, 200, 120, 120, 20, 150],
}
WEB = {"purchase": ["channel"]}


def test_coefficients_are_drawn_and_customers_predicted_by_their_own_laws(tmp_path):
    found = hw.clv.sample_posterior(KINDS, chains=2, draws=150, tune=80, weight="many", covariates=WEB)
    table = columns(found.summary())
    assert table["parameter"] == ["r", "alpha", "a", "b", "purchase:channel[web]"]
    assert max(table["r_hat"]) < 1.1
    assert table["high"][4] < 0
    assert list(found.covariates_) == ["channel"]
    ahead = columns(found.predict(KINDS, 26))["expected_purchases"]
    assert all(web < shop for web, shop in zip(ahead[:7], ahead[7:], strict=True) if web > 1)
    found.save(tmp_path / "draws.json")
    again = hw.load(tmp_path / "draws.json")
    assert list(again.covariates_) == ["channel"]
    assert columns(again.predict(KINDS, 26))["expected_purchases"] == ahead
    made = columns(again.check(KINDS, weight="many", most_draws=20))
    assert made["statistic"][0] == "share_0"
    narrow = hw.clv.laplace(KINDS, weight="many", covariates=WEB, coefficient_sd=0.001, draws=50)
    assert abs(columns(narrow.summary())["estimate"][4]) < 0.01
    refits = hw.clv.bootstrap(KINDS, "ParetoNBD", weight="many", covariates=WEB, replicates=5)
    assert columns(refits.summary())["parameter"][4] == "purchase:channel[web]"
    with pytest.raises(hw.HeadwaterError, match="not one that the model was fitted on"):
        found.predict({**KINDS, "channel": ["fair"] * 14})
    with pytest.raises(hw.HeadwaterError, match="priors instead of penalties"):
        hw.clv.laplace(KINDS, weight="many", covariates={**WEB, "purchase_penalty": 1.0})


def test_pareto_ggg_is_drawn_with_the_times_between_purchases():
    rfm = {**RFM, "log_intervals": [0.0, 1.38629, 3.17805, 2.8, 4.1, 4.1, 10.6]}
    found = hw.clv.laplace(rfm, "ParetoGGG", weight="many", chains=1, draws=4)
    assert columns(found.summary())["parameter"][:2] == ["t", "gamma"]
    known = columns(found.predict(rfm, 10))["expected_purchases"]
    assert known != columns(found.predict(RFM, 10))["expected_purchases"]
    with pytest.raises(hw.HeadwaterError, match="log_intervals"):
        hw.clv.laplace(RFM, "ParetoGGG", weight="many")


SPENDS = {**RFM, "monetary_value": [0.0, 12.0, 30.0, 25.0, 41.0, 18.0, 33.5]}
COHORT = {"period": list(range(8)), "customers": [1000, 869, 743, 653, 593, 551, 517, 491]}
YEARLY = {"rate": 0.1, "per": "365d"}


def narrow(table, name):
    """Whether each mean lies between limits that lie apart."""
    limits = zip(table[f"{name}_low"], table[name], table[f"{name}_high"], strict=True)
    return all(low < mean < high for low, mean, high in limits)


def test_spend_is_drawn_and_values_customers_with_draws_of_purchases(drawn):
    spend = hw.clv.sample_posterior(SPENDS, "GammaGamma", chains=2, draws=200, weight="many", seed=1)
    assert columns(spend.summary())["parameter"] == ["p", "q", "v"]
    ahead = columns(spend.predict(SPENDS, level=0.8))
    assert narrow(ahead, "expected_spend")
    found = columns(spend.check(SPENDS, weight="many", most_draws=20))
    assert found["statistic"][-1] == "correlation_of_logs"
    worth = columns(drawn.lifetime_value(spend, SPENDS, periods=26, margin=0.3))
    assert narrow(worth, "lifetime_value")
    fitted = hw.clv.GammaGamma().fit(SPENDS, weight="many")
    assert narrow(columns(drawn.lifetime_value(fitted, SPENDS, interval=0.9)), "lifetime_value")
    assert "lifetime_value_low" not in columns(hw.clv.lifetime_value(drawn, fitted, SPENDS))
    with pytest.raises(hw.errors.OptionError, match="draws of GammaGamma"):
        drawn.lifetime_value(drawn.model, SPENDS)
    with pytest.raises(hw.errors.OptionError, match="model of purchases"):
        spend.lifetime_value(spend, SPENDS)


def test_retention_is_drawn_of_cohorts_and_of_customers():
    drawn = hw.clv.laplace(COHORT, "ShiftedBetaGeo", chains=1, draws=200, period="365d")
    drawn = hw.clv.Posterior.from_bytes(drawn.to_bytes())
    curve = columns(drawn.survival(9, level=0.8))
    assert curve["survival"][7] == pytest.approx(0.491, abs=0.02)
    assert len(curve["churn_high"]) == 10
    assert len(columns(drawn.value(YEARLY, margin=100))["value"]) == 6
    now = {"customer": ["ann", "bob"], "renewals": [0, 6]}
    ahead = columns(drawn.predict(now, 3, discount=YEARLY, margin=100))
    assert ahead["churn"][1] < ahead["churn"][0]
    assert "residual_value_low" in ahead
    lives = {"months": [1, 2, 3, 3, 5, 6], "gone": [True, True, True, False, True, False]}
    contract = {"data": "customers", "duration": "months", "event": "gone"}
    refits = hw.clv.bootstrap(lives, "ShiftedBetaGeo", contract=contract, replicates=20)
    assert columns(refits.summary())["parameter"] == ["alpha", "beta"]
    with pytest.raises(hw.errors.OptionError, match="contract"):
        hw.clv.laplace(COHORT, "ShiftedBetaGeo", contract={"cohorts": "separate"})


def test_curves_of_cohorts_are_drawn_together_and_checked():
    plans = {
        "plan": ["basic"] * 5 + ["family"] * 4 + ["new"] * 2,
        "period": [0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1],
        "customers": [900, 700, 590, 520, 470, 600, 540, 495, 460, 40, 34],
    }
    how = {"group": "plan", "chains": 1, "draws": 60, "tune": 100, "period": "30d"}
    found = hw.clv.sample_hierarchy(plans, "ShiftedBetaGeo", **how)
    found = hw.clv.Hierarchy.from_bytes(found.to_bytes())
    assert found.model == "ShiftedBetaGeo"
    curves = columns(found.survival(3))
    assert curves["group"] == ["basic"] * 4 + ["family"] * 4 + ["new"] * 4 + [None] * 4
    young = found.posterior("new")
    assert isinstance(young, hw.clv.Posterior)
    assert columns(young.survival(3))["survival"] == curves["survival"][8:12]
    assert columns(found.posterior().survival(3))["survival"] == curves["survival"][12:]
    assert len(columns(found.draws())["beta"]) == 180
    assert columns(found.value(YEARLY, tenures=1))["group"][-1] is None
    who = {"customer": ["ann", "bob"], "renewals": [1, 3], "plan": ["other", "basic"]}
    ahead = columns(found.predict(who, 6, discount=YEARLY))
    assert ahead["group"] == ["other", "basic"]
    assert "residual_value_low" in ahead
    checked = columns(found.check(plans))
    assert checked["group"][0] == "basic"
    assert checked["statistic"][:2] == ["churn_1", "churn_2"]
    lives = {"duration": [1, 2, 3, 3, 2, 2], "event": [True, True, True, False, True, False]}
    lives["cohort"] = ["a", "a", "a", "b", "b", "b"]
    contract = {"data": "customers"}
    drawn = hw.clv.laplace(lives, "ShiftedBetaGeo", contract=contract, draws=50)
    assert columns(drawn.check(lives, contract=contract))["statistic"][-1] == "between_cohorts"
    with pytest.raises(hw.errors.OptionError, match="`basic`, `family`, `new`"):
        found.posterior("old")


def test_values_are_by_group_and_fits_take_draws_of_spend(drawn):
    rfm = RFM | {"monetary_value": [0, 12, 30, 25, 41, 18, 33.5], "channel": [*["web"] * 4, *["shop"] * 3]}
    how = {"group": "channel", "chains": 1, "draws": 40, "tune": 80, "weight": "many"}
    purchases = hw.clv.sample_hierarchy(rfm, **how)
    spend = hw.clv.sample_hierarchy(rfm, "GammaGamma", **how)
    found = columns(hw.clv.lifetime_value(purchases, spend, rfm, periods=4))
    assert found["group"] == rfm["channel"]
    own = purchases.posterior("shop").lifetime_value(spend.posterior("shop"), rfm, periods=4)
    assert found["lifetime_value"][4:] == columns(own)["lifetime_value"][4:]
    with pytest.raises(hw.errors.OptionError, match="`spend`: is a Hierarchy"):
        drawn.lifetime_value(spend, rfm)
    law = hw.clv.BetaGeo().fit(RFM, weight="many")
    draws = hw.clv.laplace(rfm, "GammaGamma", draws=50, weight="many", priors={"q": {"median": 3, "sd": 0.1}})
    plain = columns(hw.clv.lifetime_value(law, draws, rfm, periods=4))
    limits = columns(hw.clv.lifetime_value(law, draws, rfm, periods=4, interval=0.9, most_draws=100, seed=3))
    assert "lifetime_value_low" not in plain
    assert limits["lifetime_value_low"][5] < limits["lifetime_value_high"][5]
    fit = hw.clv.GammaGamma.from_params(6.25, 3.74, 15.44)
    with pytest.raises(hw.errors.OptionError, match="most_draws"):
        hw.clv.lifetime_value(law, fit, rfm, most_draws=100)


def test_options_that_mean_nothing_are_refused(drawn):
    with pytest.raises(hw.errors.OptionError, match="`margin`: means nothing to BetaGeo"):
        drawn.predict(RFM, margin=2)
    with pytest.raises(hw.errors.OptionError, match="`weight`: means nothing"):
        hw.clv.ShiftedBetaGeo().fit(COHORT, weight="many")
    with pytest.raises(hw.errors.OptionError, match="`priors.a`: `sd` is missing"):
        hw.clv.laplace(RFM, priors={"a": {"median": 1}})
    monthly = {"rate": 0.01, "per": "month"}
    model = hw.clv.ShiftedBetaGeo.from_params(0.668, 3.806, period="365d")
    assert (
        columns(model.value(monthly))["value"][0]
        < columns(model.value({"rate": 0.1, "per": "year"}))["value"][0]
    )


def test_models_of_retention_may_be_given_parameters():
    model = hw.clv.ShiftedBetaGeo.from_params(alpha=0.668, beta=3.806, period="365d")
    assert model.verdict_ == "given"
    assert model.log_likelihood_ is None
    assert columns(model.survival(7))["survival"][7] == pytest.approx(0.491, abs=0.01)
    assert len(columns(model.value(YEARLY))["value"]) == 6
    with pytest.raises(hw.errors.OptionError, match="standard errors"):
        model.survival(7, interval=0.9)
    with pytest.raises(hw.errors.OptionError, match="between 0.01 and 20"):
        hw.clv.BetaDiscreteWeibull.from_params(1, 2, 30)


PLANS = {
    "plan": ["basic"] * 4 + ["plus"] * 4,
    "duration": [1, 2, 3, 3] * 2,
    "event": [True, True, True, False] * 2,
    "n": [369, 163, 86, 382, 131, 126, 90, 653],
}
BY_PLAN = {"data": "customers", "covariates": {"alpha": ["plan"], "beta": ["plan"]}}


def test_contracts_are_drawn_with_covariates(tmp_path):
    how = {"weight": "n", "contract": BY_PLAN}
    found = hw.clv.sample_posterior(
        PLANS, "ShiftedBetaGeo", chains=2, draws=150, tune=80, period="30d", **how
    )
    names = ["alpha", "beta", "alpha:plan[plus]", "beta:plan[plus]"]
    assert columns(found.summary())["parameter"] == names
    assert list(found.covariates_) == ["plan"]
    basic, plus = (columns(found.survival(4, at={"plan": plan})) for plan in ("basic", "plus"))
    assert basic["survival_high"][4] < plus["survival_low"][4]
    worth = [
        columns(found.value({"rate": 0.1, "per": "365d"}, horizon=24, at={"plan": p}))["value"][0]
        for p in ("basic", "plus")
    ]
    assert worth[0] < worth[1]
    who = {"customer": ["ann", "bob"], "renewals": [0, 0], "plan": ["basic", "plus"]}
    ahead = columns(found.predict(who, 4))["survival"]
    assert ahead == pytest.approx([basic["survival"][4], plus["survival"][4]], rel=1e-12)
    found.save(tmp_path / "draws.json")
    again = hw.load(tmp_path / "draws.json")
    assert columns(again.predict(who, 4))["survival"] == ahead
    rows = {"weight": "n", "contract": {"data": "customers"}}
    assert columns(again.check(PLANS, most_draws=20, **rows))["statistic"][0] == "churn_1"
    refits = hw.clv.bootstrap(PLANS, "BetaDiscreteWeibull", replicates=5, **how)
    assert columns(refits.summary())["parameter"][3] == names[2]
    narrow = hw.clv.laplace(PLANS, "ShiftedBetaGeo", coefficient_sd=0.001, draws=50, **how)
    assert abs(columns(narrow.summary())["estimate"][2]) < 0.01
    with pytest.raises(hw.HeadwaterError, match="stand in `contract`"):
        hw.clv.laplace(PLANS, "ShiftedBetaGeo", covariates={"purchase": ["plan"]}, **rows)
    with pytest.raises(hw.HeadwaterError, match="know theirs"):
        found.check(PLANS, **how)
    with pytest.raises(hw.HeadwaterError, match="without: leave them out"):
        hw.clv.laplace(PLANS, "ShiftedBetaGeo", draws=50, **rows).survival(at={"plan": "plus"})


def test_groups_have_coefficients_in_common(tmp_path):
    market = {**KINDS, "income": [1, 0, 2, 1, 3, 0, 1] * 2}
    how = {"group": "channel", "weight": "many", "chains": 1, "draws": 40, "tune": 80}
    found = hw.clv.sample_hierarchy(market, covariates={"purchase": ["income"]}, coefficient_sd=0.5, **how)
    assert list(found.covariates_) == ["income"]
    told = columns(found.population())
    assert (told["parameter"][-1], told["what"][-1]) == ("purchase:income", "coefficient")
    drawn = [columns(found.posterior(name).draws())["purchase:income"] for name in ("web", "shop", None)]
    assert drawn[0] == drawn[1] == drawn[2]
    found.save(tmp_path / "groups.json")
    again = hw.load(tmp_path / "groups.json")
    ahead = columns(again.predict(market, 26))["expected_purchases"]
    own = columns(found.posterior("shop").predict(market, 26))["expected_purchases"]
    assert ahead[7:] == own[7:]
    assert columns(again.check(market, weight="many", most_draws=10))["group"][0] == "shop"
    with pytest.raises(hw.HeadwaterError, match="income"):
        again.predict(KINDS, 26)
    with pytest.raises(hw.HeadwaterError, match="priors instead of penalties"):
        hw.clv.sample_hierarchy(market, covariates={"purchase": ["income"], "purchase_penalty": 1.0}, **how)
