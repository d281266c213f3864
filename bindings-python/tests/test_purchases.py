"""The models of purchases on one surface."""

from __future__ import annotations

import pathlib
import pickle

import pytest

import headwater as hw

pd = pytest.importorskip("pandas")
ORDERS = pathlib.Path(__file__).parents[2] / "examples" / "data" / "cdnow.csv"
COLUMNS = {"customer": "customer", "time": "date", "value": "amount"}
MODELS = [
    hw.clv.BetaGeo(),
    hw.clv.ModifiedBetaGeo(),
    hw.clv.ParetoNBD(),
    hw.clv.BetaGeoCNBD(k=2),
    hw.clv.ModifiedBetaGeoCNBD(k=3),
    hw.clv.GGompertzNBD(penalty=0.01),
]


@pytest.fixture(scope="module")
def orders():
    return pd.read_csv(ORDERS)


@pytest.fixture(scope="module")
def rfm(orders):
    return hw.clv.summarize(orders, period="7d", calibration_end="1997-09-30", **COLUMNS)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: repr(model))
def test_every_model_fits_predicts_and_travels(model, rfm, tmp_path):
    model.fit(rfm, period="7d")
    assert set(model.params_) == set(model.standard_errors_)
    found = model.predict(
        rfm.head(50),
        periods=39,
        interval=0.9,
        purchase_interval=0.8,
        ahead=26,
        discount_rate=0.003,
        next_purchase=0.5,
        rate=True,
    )
    assert isinstance(found, pd.DataFrame)
    assert (found["expected_purchases_low"] <= found["expected_purchases"]).all()
    assert (found["purchases_low"] <= found["purchases_high"]).all()
    assert (found["p_alive_ahead"] <= found["p_alive"] + 1e-15).all()
    assert (found["residual_purchases"] > 0).all()
    row = rfm.iloc[0]
    expected, alive = model.score(row["frequency"], row["recency"], row["T"], 39)
    assert (expected, alive) == (found["expected_purchases"][0], found["p_alive"][0])
    assert sum(model.probabilities(row["frequency"], row["recency"], row["T"], 39, 400)) == pytest.approx(1)
    model.save(tmp_path / "model.json")
    again = hw.load(tmp_path / "model.json")
    assert type(again) is type(model)
    assert again.params_ == model.params_
    assert getattr(again, "k", 1) == getattr(model, "k", 1)
    assert pickle.loads(pickle.dumps(model)).log_likelihood_ == model.log_likelihood_


def test_regularity_is_learnt_from_the_times_between_purchases(orders, rfm, tmp_path):
    few = orders[orders["customer"] % 8 == 0]
    how = {"period": "7d", "calibration_end": "1997-09-30", "observation_end": "1998-06-30"}
    regular = hw.clv.summarize(few, log_intervals=True, **how, **COLUMNS)
    model = hw.clv.ParetoGGG().fit(regular, period="7d")
    assert set(model.params_) == {"t", "gamma", "r", "alpha", "s", "beta"}
    known = model.predict(regular.tail(40), periods=39)
    unknown = model.predict(regular.drop(columns="log_intervals").tail(40), periods=39)
    often = (regular.tail(40)["frequency"] > 1).to_numpy()
    assert (known["expected_purchases"] != unknown["expected_purchases"]).to_numpy()[often].all()
    assert (known["p_alive"] == unknown["p_alive"]).to_numpy()[~often].all()
    model.save(tmp_path / "model.json")
    again = hw.load(tmp_path / "model.json")
    assert type(again) is hw.clv.ParetoGGG
    assert again.params_ == model.params_
    with pytest.raises(hw.errors.ColumnError, match="log_intervals"):
        hw.clv.ParetoGGG().fit(rfm)


def test_rates_of_abes_law_are_log_normal_and_correlated(rfm, tmp_path):
    model = hw.clv.AbeParetoNBD.from_params(0.03, 1.2, 0.03, 1.5, odds=3.0, period="7d")
    assert list(model.params_) == ["lambda", "sigma_lambda", "mu", "sigma_mu", "odds"]
    assert model.correlation_ == 0.5
    assert hw.clv.AbeParetoNBD.from_params(0.03, 1.2, 0.03, 1.5).correlation_ == 0.0
    found = model.predict(rfm.head(5), periods=39, own_rates=True, rate=True, ahead=26, next_purchase=0.5)
    assert (found["p_alive_ahead"] < found["p_alive"]).all()
    assert (found[["own_rate", "own_dropout", "own_rate_sd", "own_dropout_sd"]] > 0).all(axis=None)
    model.save(tmp_path / "model.json")
    again = hw.load(tmp_path / "model.json")
    assert type(again) is hw.clv.AbeParetoNBD
    assert again.params_ == model.params_
    fitted = hw.clv.AbeParetoNBD(tolerance=1e-6).fit(rfm[rfm["customer"] % 8 == 0], period="7d")
    told = fitted.correlation().to_pylist()[0]
    assert told["correlation"] == fitted.correlation_
    assert told["low"] <= fitted.correlation_ <= told["high"]
    assert -1 < fitted.correlation_ < 1
    with pytest.raises(hw.errors.OptionError, match="sigma_mu"):
        hw.clv.AbeParetoNBD.from_params(0.03, 1.2, 0.03, 0.0)


def test_laws_are_tested_against_those_that_contain_them(rfm):
    pareto, gompertz = hw.clv.ParetoNBD().fit(rfm), hw.clv.GGompertzNBD(tolerance=1e-6).fit(rfm)
    found = hw.clv.likelihood_ratio(pareto, gompertz)
    assert found["distribution"] == "0.5 chi2(0) + 0.5 chi2(1)"
    assert 0 <= found["p"] <= 1
    with pytest.raises(hw.errors.OptionError, match="does not contain"):
        hw.clv.likelihood_ratio(gompertz, pareto)
    with pytest.raises(hw.errors.OptionError, match="penalty"):
        hw.clv.likelihood_ratio(pareto, hw.clv.GGompertzNBD(penalty=0.01).fit(rfm))
    with pytest.raises(hw.errors.OptionError, match="`restricted`: is a GammaGamma"):
        hw.clv.likelihood_ratio(hw.clv.GammaGamma(), gompertz)


def test_what_is_no_law_is_an_error_that_says_what_to_give(rfm):
    for model in (hw.clv.BetaGeo, hw.clv.BetaGeo(), None):
        with pytest.raises(hw.OptionError, match="give its name"):
            hw.clv.compare(rfm, [model])
    with pytest.raises(hw.OptionError, match="`models`: is 'BetaGeo'; give a list"):
        hw.clv.compare(rfm, "BetaGeo")
    with pytest.raises(hw.OptionError, match="models"):
        hw.clv.compare(rfm, [{"model": "BetaGeoCNBD", "k": 2, "penalty": 1}])
    for model in (hw.clv.BetaGeo, "BetaGeo", hw.clv.GammaGamma()):
        with pytest.raises(hw.OptionError, match="`model`: is .*, not a fitted law of purchases"):
            hw.clv.tracking({"customer": ["a"], "time": ["2024-01-01"]}, model)


def test_a_weight_is_compared_as_so_many_rows(rfm):
    columns = ["frequency", "recency", "T"]
    rows = rfm[columns].head(400)
    some = rows.assign(many=[i % 3 for i in range(400)])
    found = hw.clv.compare(some, weight="many")
    pd.testing.assert_frame_equal(found, hw.clv.compare(rows.loc[some.index.repeat(some["many"])]), rtol=1e-9)
    with pytest.raises(hw.OptionError, match="weight"):
        hw.clv.compare(rfm.assign(many=1), weight="many")


def test_a_row_that_cannot_be_is_dropped_from_histories_and_holdout_alike(rfm):
    few = rfm.head(300).reset_index(drop=True)
    broken, without = few.assign(kind="ab"), few.drop(index=[3, 5])
    broken["frequency_holdout"] = broken["frequency_holdout"].astype(float)
    broken.loc[3, "frequency_holdout"] = None
    broken.loc[5, "kind"] = None
    model, how = hw.clv.ParetoNBD().fit(few), {"on_invalid": "drop", "report": {}}
    plain = broken.drop(index=[5])
    found = hw.clv.compare(plain, ["ParetoNBD", "BetaGeo"], **how)
    pd.testing.assert_frame_equal(found, hw.clv.compare(without, ["ParetoNBD", "BetaGeo"]))
    found = model.check(broken, cohort="kind", **how)
    pd.testing.assert_frame_equal(found, model.check(without.assign(kind="ab"), cohort="kind"))
    assert list(how["report"]["dropped"]["count"]) == [1, 1]


def test_opportunities_are_whole_and_hold_one_purchase():
    frame = {
        "customer": ["a", "b", "c", "d"],
        "frequency": [0.0, 1.0, 2.0, 4.0],
        "recency": [0.0, 3.0, 4.0, 6.0],
        "T": [6.0] * 4,
        "n": [300, 100, 40, 20],
    }
    model = hw.clv.BetaGeoBetaBinomial(penalty=0.01).fit(frame, weight="n")
    assert model.score(2, 4, 6, 5)[0] > 0
    with pytest.raises(hw.errors.RowError, match="at most one purchase"):
        hw.clv.BetaGeoBetaBinomial().fit(frame | {"frequency": [0.0, 1.0, 2.0, 7.0]}, weight="n")


def test_models_are_compared_checked_and_drawn(rfm, orders):
    pytest.importorskip("matplotlib")
    report: dict = {}
    table = hw.clv.compare(rfm, ["BetaGeo", "ParetoNBD", "ModifiedBetaGeo"], report=report)
    assert list(table["model"]) == ["ModifiedBetaGeo", "BetaGeo", "ParetoNBD"]
    assert len(report["vuong"]) == 3
    model = hw.clv.ModifiedBetaGeo().fit(rfm)
    check = model.check(rfm, report=report)
    assert list(check["level"]) == ["customer", "cohort", "total"]
    counts = model.frequencies(rfm)
    assert counts["actual"].sum() == pytest.approx(counts["expected"].sum())
    assert hw.plot.frequencies(counts).get_title()
    for name in ("by_frequency", "by_recency", "by_age"):
        assert hw.plot.conditional(report[name]).get_title()
    assert hw.plot.deciles(report["deciles"]).get_title()
    tested = hw.clv.backtest(
        orders, "ParetoNBD", origins=["1997-06-30", "1997-09-30"], horizon="90d", period="7d", **COLUMNS
    )
    assert len(tested) == 2
    assert (tested["relative_bias"].abs() < 0.5).all()


def test_a_wrong_k_names_the_option(rfm):
    with pytest.raises(hw.errors.OptionError, match="k"):
        hw.clv.BetaGeoCNBD(k=0).fit(rfm)
    with pytest.raises(hw.errors.OptionError, match="no model"):
        hw.clv.compare(rfm, ["Parito"])


def test_frequencies_tell_how_well_they_fit_and_what_was_dropped(rfm):
    model, told = hw.clv.BetaGeo().fit(rfm), {}
    rows = pd.concat([rfm, rfm.head(2).assign(frequency=-1)], ignore_index=True)
    counts = model.frequencies(rows, on_invalid="drop", report=told)
    pearson = ((counts["actual"] - counts["expected"]) ** 2 / counts["expected"]).sum()
    assert told["goodness_of_fit"]["chi_squared"][0] == pytest.approx(pearson, rel=1e-12)
    assert told["dropped"]["count"][0] == 2
    with pytest.warns(hw.DroppedRowsWarning):
        model.frequencies(rows, on_invalid="drop")


def test_draws_value_customers_and_answer_what_models_answer(rfm):
    rows = rfm.head(30)
    spend = hw.clv.GammaGamma().fit(rfm)
    draws = hw.clv.laplace(rfm, "ParetoNBD", period="7d", draws=40)
    asked = {"ahead": 26, "discount_rate": 0.003, "next_purchase": 0.3, "rate": True, "probabilities": 1}
    found = draws.predict(rows, 39, **asked)
    model = hw.clv.ParetoNBD().fit(rfm, period="7d").predict(rows, 39, interval=0.9, **asked)
    for name in ("p_alive_ahead", "residual_purchases", "purchase_rate", "probability_0", "probability_1"):
        assert (found[f"{name}_low"] <= found[name]).all()
        assert (found[name] <= found[f"{name}_high"]).all()
        assert found[name].to_numpy() == pytest.approx(model[name].to_numpy(), rel=0.5)
    assert {"next_purchase", "next_purchase_low", "next_purchase_high"} <= set(found) & set(model)
    value = hw.clv.lifetime_value(draws, spend, rows, periods=12, interval=0.9, seed=3)
    assert (value["lifetime_value_low"] < value["lifetime_value_high"]).all()
    again = hw.clv.lifetime_value(draws, spend, rows, periods=12, interval=0.9, seed=3, threads=1)
    pd.testing.assert_frame_equal(value, again)


def test_a_backtest_has_intervals_and_covariates(orders):
    how = {
        "origins": ["1997-09-30"],
        "horizon": "180d",
        "period": "7d",
        "customer": "customer",
        "time": "date",
    }
    found = hw.clv.backtest(orders, "ParetoNBD", interval=0.9, **how)
    assert found["expected_low"][0] < found["expected"][0] < found["expected_high"][0]
    told = orders[["customer"]].drop_duplicates().assign(odd=lambda rows: rows["customer"].astype(int) % 2)
    covariates = {"purchase": ["odd"]}
    with_odd = hw.clv.backtest(orders, "ParetoNBD", covariates=covariates, customers=told, **how)
    assert with_odd["log_likelihood"][0] > found["log_likelihood"][0]
    with pytest.raises(hw.OptionError, match="frame of customers"):
        hw.clv.backtest(orders, "ParetoNBD", covariates=covariates, **how)


def test_calendar_months_are_opportunities(orders):
    rfm = hw.clv.summarize(orders, period="month", grain="month", **COLUMNS)
    assert (rfm["T"] % 1 == 0).all()
    assert rfm["T"].max() == 17
    model = hw.clv.BetaGeoBetaBinomial().fit(rfm, period="month")
    assert model.verdict_ == "interior"


def test_models_without_a_value_are_refused_by_name(rfm):
    model = hw.clv.BetaGeo().fit(rfm, period="7d")
    spend = hw.clv.GammaGamma().fit(rfm)
    for other, said in [
        (hw.clv.DynamicParetoNBD(), "is a DynamicParetoNBD, .* lifetime_value"),
        (hw.clv.BetaGeo, "is the class BetaGeo"),
        ("BetaGeo", "is a str"),
    ]:
        with pytest.raises(hw.OptionError, match=f"`model`: {said}"):
            hw.clv.lifetime_value(other, spend, rfm)
    with pytest.raises(hw.OptionError, match="`spend`: is a DynamicGammaGamma"):
        hw.clv.lifetime_value(model, hw.clv.DynamicGammaGamma(), rfm)


def test_wrong_scalars_are_errors_that_name_the_option():
    model = hw.clv.BetaGeo.from_params(0.243, 4.414, 0.793, 2.426)
    spend = hw.clv.GammaGamma.from_params(6.25, 3.74, 15.44)
    for name, call in [
        ("p", lambda: hw.clv.GammaGamma.from_params("x", 1, 2)),
        ("q", lambda: hw.clv.GammaGamma.from_params(1, None, 2)),
        ("alpha", lambda: hw.clv.ParetoNBD.from_params(1, True, 2, 3)),
        ("beta", lambda: hw.clv.ShiftedBetaGeo.from_params(1, [2])),
        ("k", lambda: hw.clv.BetaGeoCNBD.from_params(1, 1, 1, 1, k=-1)),
        ("k", lambda: hw.clv.BetaGeoCNBD.from_params(1, 1, 1, 1, k="2")),
        ("frequency", lambda: model.score("x", 1, 2)),
        ("T", lambda: model.score(1, 1, None)),
        ("recency", lambda: model.score(1, 3, 2)),
        ("frequency", lambda: model.probabilities(0.5, 0, 2)),
        ("monetary_value", lambda: spend.score(1, float("nan"))),
        ("periods", lambda: model.probabilities(1, 1, 2, "4w")),
        ("most", lambda: model.probabilities(1, 1, 2, 4, -1)),
        ("most", lambda: model.probabilities_interval(1, 1, 2, 4, 1.5)),
        ("interval", lambda: model.score_interval(1, 1, 2, 4, "0.9")),
        ("monetary_value", lambda: spend.score(1, {})),
        ("interval", lambda: spend.mean_spend_interval("x")),
    ]:
        with pytest.raises(hw.OptionError, match=f"`{name}`"):
            call()
    import decimal

    assert model.score(decimal.Decimal(2), 3, 5) == model.score(2, 3, 5)


def test_nbd_is_compared_with_the_laws_that_have_dropout(rfm):
    model = hw.clv.NBD().fit(rfm, period="7d")
    assert list(model.params_) == ["r", "alpha"]
    assert model.score(2, 9.0, 38.0, 39) == model.score(2, 37.0, 38.0, 39)
    assert model.score(2, 9.0, 38.0, 39)[1] == 1.0
    again = hw.clv.NBD.from_bytes(model.to_bytes())
    assert again.params_ == model.params_
    table = hw.clv.compare(rfm, ["NBD", "BetaGeo"])
    assert list(table["model"]) == ["BetaGeo", "NBD"]
    assert hw.clv.NBD.from_params(0.5, 8.0).score(0, 0, 0, 4)[0] == pytest.approx(0.25)


def test_the_module_lists_what_is_public():
    assert dir(hw.clv) == sorted(hw.clv.__all__)


def test_what_is_no_name_of_a_model_is_refused(rfm):
    for draw in (hw.clv.sample_posterior, hw.clv.laplace, hw.clv.bootstrap, hw.clv.sample_hierarchy):
        with pytest.raises(hw.OptionError, match="`model`"):
            draw(rfm, {"model": "BetaGeo"})
