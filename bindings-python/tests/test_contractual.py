"""Survival, retention and finance: models that are kept, frames of the caller's kind, clear errors."""

from __future__ import annotations

import pickle

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from support import columns

import headwater as hw

CONTRACTS = {
    "customer": ["ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal"],
    "duration": [2.0, 3.0, 5.0, 6.0, 6.0, 7.0, 9.0, 12.0],
    "event": [1, 1, 1, 0, 1, 0, 1, 0],
    "price": [30.0, 20.0, 30.0, 10.0, 20.0, 30.0, 10.0, 20.0],
    "plan": ["basic", "basic", "plus", "plus", "basic", "plus", "basic", "plus"],
}
COHORTS = {"period": [0, 1, 2, 3, 4], "customers": [1000.0, 869.0, 743.0, 653.0, 593.0]}
RATE = {"rate": 0.1, "per": "365d"}
ORDERS = {
    "customer": ["a", "a", "b", "c", "c"],
    "time": ["2024-01-05", "2024-02-03", "2024-01-09", "2024-02-11", "2024-03-31"],
    "value": [40.0, 25.0, 30.0, 50.0, 20.0],
}
TRIANGLE = {
    "cohort": ["a", "a", "a", "b", "b", "c"],
    "age": [0, 1, 2, 0, 1, 0],
    "value": [9.0, 5, 1, 8, 4, 7],
}
STEPS = {"from": ["in", "in", "out"], "to": ["in", "out", "out"], "probability": [0.7, 0.3, 1.0]}
VALUES = {"customer": ["a", "b"], "value": [30.0, 10.0]}

MODELS = {
    "Cox": (
        lambda: hw.clv.Cox(ties="breslow", penalty=0.1),
        CONTRACTS,
        {"covariates": ["price", "plan"], "references": {"plan": "plus"}},
    ),
    "DiscreteHazard": (
        lambda: hw.clv.DiscreteHazard(link="cloglog", baseline="constant"),
        CONTRACTS,
        {"covariates": ["price"]},
    ),
    "Aft": (lambda: hw.clv.Aft("log_normal"), CONTRACTS, {"covariates": ["price"]}),
    "ZeroInflatedLognormal": (
        lambda: hw.clv.ZeroInflatedLognormal(penalty=(0.5, 1.0, 2.0)),
        CONTRACTS,
        {"target": "duration", "covariates": ["price", "plan"]},
    ),
    "ShiftedBetaGeo": (hw.clv.ShiftedBetaGeo, COHORTS, {"period": "365d"}),
    "BetaDiscreteWeibull": (hw.clv.BetaDiscreteWeibull, COHORTS, {"period": "365d"}),
}


@pytest.fixture(params=MODELS)
def fitted(request):
    make, frame, options = MODELS[request.param]
    return make().fit(frame, **options), frame


def test_models_are_kept_whole(fitted, tmp_path):
    model, _ = fitted
    model.save(tmp_path / "model.json")
    for again in (
        hw.load(tmp_path / "model.json"),
        type(model).from_bytes(model.to_bytes()),
        pickle.loads(pickle.dumps(model)),
    ):
        assert type(again) is type(model)
        assert repr(again) == repr(model)
        assert again.params_ == model.params_
        assert again.standard_errors_ == model.standard_errors_
        assert again.log_likelihood_ == model.log_likelihood_
    with pytest.raises(hw.ModelFileError):
        hw.clv.BetaGeo.from_bytes(model.to_bytes())
    assert "log_likelihood" in model._repr_html_()
    assert len(model.fit_summary()) == 1
    assert set(columns(model.summary())["parameter"]) == set(model.params_)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_is_not_fitted_says_so(name):
    make, _, _ = MODELS[name]
    model = make()
    assert "(not fitted)" in model._repr_html_()
    for ask in (model.summary, lambda: model.params_, lambda: model.predict(CONTRACTS)):
        with pytest.raises(hw.NotFittedError, match=name):
            ask()


CALLS = {
    "kaplan_meier": (CONTRACTS, "duration", hw.clv.kaplan_meier),
    "nelson_aalen": (CONTRACTS, "event", hw.clv.nelson_aalen),
    "survival_scores": (CONTRACTS, "price", lambda f, **k: hw.clv.survival_scores(f, risk="price", **k)),
    "Cox": (CONTRACTS, "price", lambda f, **k: hw.clv.Cox().fit(f, covariates=["price"], **k)),
    "DiscreteHazard": (CONTRACTS, "duration", lambda f, **k: hw.clv.DiscreteHazard().fit(f, **k)),
    "Aft": (CONTRACTS, "duration", lambda f, **k: hw.clv.Aft().fit(f, **k)),
    "ZeroInflatedLognormal": (
        CONTRACTS,
        "price",
        lambda f, **k: hw.clv.ZeroInflatedLognormal().fit(f, target="duration", covariates=["price"], **k),
    ),
    "ShiftedBetaGeo": (COHORTS, "customers", lambda f, **k: hw.clv.ShiftedBetaGeo().fit(f, **k)),
    "BetaDiscreteWeibull": (COHORTS, "customers", lambda f, **k: hw.clv.BetaDiscreteWeibull().fit(f, **k)),
    "customer_equity": (VALUES, "value", hw.clv.customer_equity),
    "historic_value": (ORDERS, "value", hw.clv.historic_value),
    "cohorts": (ORDERS, "value", hw.clv.cohorts),
    "chain_ladder": (TRIANGLE, "value", hw.clv.chain_ladder),
    "chain_ladder_orders": (
        ORDERS,
        "value",
        lambda f, **k: hw.clv.chain_ladder_orders(f, keep_incomplete=True, **k),
    ),
    "markov_value": (
        STEPS,
        "probability",
        lambda f, **k: hw.clv.markov_value(
            f, rewards={"in": 5.0, "out": -1.0}, period="30d", discount=RATE, **k
        ),
    ),
    "markov_from_orders": (
        ORDERS,
        "value",
        lambda f, **k: hw.clv.markov_from_orders(f, states=2, discount=RATE, **k),
    ),
}


@pytest.fixture(params=CALLS)
def call(request):
    return CALLS[request.param]


def test_good_input_is_taken_and_a_missing_column_named(call):
    good, column, work = call
    work(good)
    for kind in (dict, pd.DataFrame, pl.DataFrame, pa.table):
        renamed = {("other" if name == column else name): values for name, values in good.items()}
        with pytest.raises(hw.ColumnError, match=f"`{column}`.*other"):
            work(kind(renamed))


def test_what_is_no_number_is_an_error_with_its_row(call):
    good, column, work = call
    row = len(good[column]) - 1
    holed = {**good, column: [*map(float, good[column][:-1]), float("nan")]}
    with pytest.raises(hw.RowError, match=f"`{column}`, row {row}") as caught:
        work(holed)
    assert caught.value.row == row


def test_an_empty_frame_is_not_enough(call):
    good, _, work = call
    empty = pd.DataFrame(good).iloc[:0]
    if work is hw.clv.customer_equity:
        assert work(empty)["total"].tolist() == [0.0]
        return
    with pytest.raises((hw.NotEnoughDataError, hw.ColumnError)):
        work(empty)


def test_a_wrong_option_is_named(call):
    good, _, work = call
    with pytest.raises(hw.OptionError, match="on_invalid|ignore"):
        work(good, on_invalid="ignore")
    with pytest.raises(TypeError, match="durations"):
        work(good, durations="duration")


PLANS = {
    "plan": ["basic"] * 4 + ["plus"] * 4,
    "duration": [1.0, 2.0, 3.0, 3.0] * 2,
    "event": [True, True, True, False] * 2,
    "n": [369.0, 163.0, 86.0, 382.0, 131.0, 126.0, 90.0, 653.0],
}
ON_BOTH = {"alpha": ["plan"], "beta": ["plan"]}


def of_plans(**options):
    return hw.clv.ShiftedBetaGeo().fit(PLANS, **{"data": "customers", "weight": "n", **options})


def test_covariates_of_contracts_are_two_fits():
    model = of_plans(covariates=ON_BOTH, period="365d")
    assert list(model.params_) == ["alpha", "beta", "alpha:plan[plus]", "beta:plan[plus]"]
    told = columns(model.coefficients())
    assert told["on"] == ["alpha", "beta"]
    assert told["covariate"] == ["plan[plus]"] * 2
    total = 0.0
    for plan in ("basic", "plus"):
        rows = [i for i, label in enumerate(PLANS["plan"]) if label == plan]
        own = {name: [values[i] for i in rows] for name, values in PLANS.items()}
        one = hw.clv.ShiftedBetaGeo().fit(own, data="customers", weight="n", period="365d")
        total += one.log_likelihood_
        at = {"plan": plan}
        for mine, other in (
            (model.survival(6, at=at), one.survival(6)),
            (model.value(RATE, at=at), one.value(RATE)),
        ):
            name = "survival" if "survival" in columns(other) else "value"
            assert columns(mine)[name] == pytest.approx(columns(other)[name], rel=1e-6)
        who = {"customer": ["ann"], "renewals": [2]}
        mine, other = model.predict({**who, "plan": [plan]}), one.predict(who)
        assert columns(mine)["churn"] == pytest.approx(columns(other)["churn"], rel=1e-6)
    assert model.log_likelihood_ == pytest.approx(total, rel=1e-10)
    assert columns(model.compare())["model"][-1] == "covariates"
    again = hw.clv.ShiftedBetaGeo.from_bytes(model.to_bytes())
    assert again.params_ == model.params_
    assert (model.verdict_, again.effects_verdict_, one.effects_verdict_) == ("interior", "interior", None)
    only = dict(PLANS, rare=[float(i == 4) for i in range(8)])
    off = hw.clv.ShiftedBetaGeo().fit(
        only, data="customers", weight="n", covariates={"alpha": ["rare"]}, period="365d"
    )
    assert off.effects_verdict_ == "monotone_likelihood"
    assert off.standard_errors_["alpha:rare"] is None


def test_covariates_of_contracts_are_checked():
    with pytest.raises(hw.OptionError, match="customers"):
        hw.clv.ShiftedBetaGeo().fit(COHORTS, covariates={"alpha": ["plan"]})
    with pytest.raises(hw.OptionError, match="purchase"):
        of_plans(covariates={"purchase": ["plan"]})
    with pytest.raises(hw.ColumnError, match="price"):
        of_plans(covariates={"alpha": ["price"]})
    with pytest.raises(hw.OptionError, match="fitted without"):
        of_plans().survival(at={"plan": "plus"})
    with pytest.raises(hw.OptionError, match="price"):
        of_plans(covariates=ON_BOTH).survival(at={"plan": "plus", "price": 3})
    with pytest.raises(hw.RowError, match="level"):
        of_plans(covariates=ON_BOTH).survival(at={"plan": "gold"})


def test_units_are_not_guessed():
    year = {"retention": {"rate": 0.65, "per": "365d"}, "discount": RATE}
    with pytest.raises(hw.OptionError, match="upkeep"):
        hw.clv.simple_value(margin={"amount": 9, "per": "30d"}, upkeep={"amount": 1, "per": "365d"}, **year)
    with pytest.raises(hw.OptionError, match="margin"):
        hw.clv.simple_value(margin=9, **year)
    with pytest.raises(hw.OptionError, match="period"):
        hw.clv.ShiftedBetaGeo().fit(COHORTS).value(RATE)
    with pytest.raises(hw.OptionError, match="an object of options is expected: `rate`, `per`"):
        hw.clv.ShiftedBetaGeo().fit(COHORTS, period="month").value(0.1)


def test_contracts_and_payments_are_by_the_month():
    yearly = {"rate": 0.1, "per": "year"}
    model = hw.clv.ShiftedBetaGeo().fit(COHORTS, period="month")
    given = hw.clv.ShiftedBetaGeo.from_params(**model.params_, period="month")
    drawn = hw.clv.laplace(COHORTS, "ShiftedBetaGeo", period="month", draws=50)
    value = columns(model.value(yearly))
    assert columns(given.value(yearly)) == value
    assert type(model).from_bytes(model.to_bytes()).value(yearly).to_pydict() == value
    mean = columns(drawn.value(yearly))["discounted_lifetime"]
    assert mean[0] == pytest.approx(value["discounted_lifetime"][0], rel=0.2)
    terms = {"margin": {"amount": 9, "per": "month"}, "retention": {"rate": 0.65, "per": "year"}}
    factor = (0.65 / 1.1) ** (1 / 12)
    for horizon, payments in [("quarter", 3), ("24 months", 24), ("3 years", 36)]:
        found = hw.clv.simple_value(**terms, discount=yearly, horizon=horizon).to_pylist()[0]
        assert found["clv"] == pytest.approx(9 * (1 - factor**payments) / (1 - factor))
    with pytest.raises(hw.OptionError, match="periods of month"):
        hw.clv.simple_value(**terms, discount=yearly, horizon="365d")
    with pytest.raises(hw.OptionError, match="columns"):
        hw.clv.simple_value({"stay": [0.5]}, **terms, discount=yearly)


def test_what_is_no_list_or_name_is_an_error_that_names_the_option():
    cox = hw.clv.Cox(penalty=0.1).fit(CONTRACTS, covariates=["price"])
    money = hw.clv.ZeroInflatedLognormal
    rates = {
        "margin": {"amount": 9, "per": "month"},
        "retention": {"rate": 0.65, "per": "year"},
        "discount": {"rate": 0.1, "per": "year"},
    }
    for name, call in [
        ("quantiles", lambda: hw.clv.kaplan_meier(CONTRACTS, quantiles=0.5)),
        ("report", lambda: hw.clv.kaplan_meier(CONTRACTS, report=[])),
        ("test", lambda: hw.clv.kaplan_meier(CONTRACTS, test=True)),
        ("survival", lambda: hw.clv.survival_scores(CONTRACTS, survival="price", horizons=[3])),
        ("horizons", lambda: hw.clv.survival_scores(CONTRACTS, horizons=3)),
        ("horizons", lambda: cox.predict(CONTRACTS, horizons=30)),
        ("horizons", lambda: cox.scores(CONTRACTS, horizons="30")),
        ("covariates", lambda: hw.clv.Cox().fit(CONTRACTS, covariates="price")),
        ("covariates", lambda: hw.clv.Aft().fit(CONTRACTS, covariates=3)),
        ("covariates", lambda: hw.clv.DiscreteHazard().fit(CONTRACTS, covariates="")),
        ("covariates", lambda: money().fit(CONTRACTS, target="duration", covariates="price")),
        ("horizon", lambda: money().fit(CONTRACTS, target="duration", covariates=["price"], horizon=0)),
        ("penalties", lambda: money(penalties=1.0)),
        ("future", lambda: hw.clv.customer_equity(VALUES, future=3)),
        ("payments", lambda: hw.clv.simple_value(**rates, payments=1)),
        ("seed", lambda: hw.clv.laplace(COHORTS, "ShiftedBetaGeo", seed=1.5)),
        ("threads", lambda: hw.clv.kaplan_meier(CONTRACTS, threads=True)),
    ]:
        with pytest.raises(hw.OptionError, match=f"`{name}"):
            call()
    numpy = pytest.importorskip("numpy")
    one, two = (
        hw.clv.laplace(COHORTS, "ShiftedBetaGeo", draws=20, seed=seed) for seed in (3, numpy.int64(3))
    )
    assert columns(one.draws()) == columns(two.draws())


@pytest.mark.parametrize(
    ("kind", "frame"), [(pd.DataFrame, pd.DataFrame), (pl.DataFrame, pl.DataFrame), (pa.table, pa.Table)]
)
def test_results_are_of_the_callers_kind(kind, frame):
    more: dict[str, object] = {}
    assert isinstance(hw.clv.kaplan_meier(kind(CONTRACTS), group="plan", report=more), frame)
    assert set(more) == {"groups", "quantiles", "test", "pairs", "dropped"}
    assert all(isinstance(table, frame) for table in more.values())
    model = hw.clv.Cox(penalty=0.1).fit(kind(CONTRACTS), covariates=["price", "plan"])
    listed = model.early_warning(kind(CONTRACTS), customer="customer", event="event", horizon=2, top=2)
    assert isinstance(listed, frame)
    assert columns(listed)["customer"][0] == "fay"


def test_dropped_rows_are_told_to_the_caller():
    holed = {**CONTRACTS, "duration": [-1.0, *CONTRACTS["duration"][1:]]}
    with pytest.warns(hw.DroppedRowsWarning, match="duration") as caught:
        hw.clv.kaplan_meier(holed, on_invalid="drop")
    assert caught[0].filename == __file__
    model = hw.clv.Aft().fit(holed, on_invalid="drop")
    assert columns(model.dropped_)["count"] == [1]
    with pytest.warns(hw.DroppedRowsWarning) as caught:
        hw.clv.Cox(penalty=1).fit(CONTRACTS, covariates=["price"]).predict(
            {**CONTRACTS, "price": [None, *CONTRACTS["price"][1:]]}, on_invalid="drop"
        )
    assert caught[0].filename == __file__
