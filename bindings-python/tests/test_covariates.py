"""Covariates of customers, along time, of spend; and groups that are pooled."""

import random

import pytest
from support import columns

import headwater as hw

DAY = 86_400


def customers():
    rng = random.Random(4)
    rows = {name: [] for name in ("customer", "frequency", "recency", "T", "income", "channel")}
    for i in range(240):
        income, channel, age = round(rng.gauss(0, 1), 2), "web" if i % 3 else "shop", 30.0 + i % 9
        rate = rng.gammavariate(1.5, 1 / 9) * 2.718 ** (0.5 * income)
        life = rng.expovariate(rng.gammavariate(1.5, 1 / 25))
        x, last, t = 0, 0.0, 0.0
        while (t := t + rng.expovariate(rate)) < min(age, life):
            x, last = x + 1, t
        for name, value in zip(rows, (f"c{i}", x, last, age, income, channel), strict=True):
            rows[name].append(value)
    return rows


def test_covariates_are_fitted_read_and_kept():
    rfm = customers()
    plain = hw.clv.ParetoNBD().fit(rfm)
    model = hw.clv.ParetoNBD().fit(rfm, covariates={"purchase": ["income", "channel"], "dropout": ["income"]})
    assert list(model.params_)[4:] == ["purchase:income", "purchase:channel[web]", "dropout:income"]
    assert model.params_["purchase:income"] > 0.2
    assert model.log_likelihood_ > plain.log_likelihood_ + 5
    assert model.covariates_ == ["income", "channel"]
    again = hw.clv.ParetoNBD.from_bytes(model.to_bytes())
    ahead = columns(model.predict(rfm, 10))
    assert columns(again.predict(rfm, 10)) == ahead
    told = dict(zip(ahead["customer"], ahead["expected_purchases"], strict=True))
    own = model.at(income=rfm["income"][7], channel=rfm["channel"][7])
    score = own.score(rfm["frequency"][7], rfm["recency"][7], rfm["T"][7], 10)
    assert score[0] == pytest.approx(told["c7"], rel=1e-12)
    assert hw.clv.likelihood_ratio(plain, model)["p"] < 1e-3
    assert (model.verdict_, model.effects_verdict_, plain.effects_verdict_) == ("interior", "interior", None)
    with pytest.raises(hw.errors.ColumnError, match="income"):
        model.predict({name: rfm[name] for name in ("customer", "frequency", "recency", "T", "channel")})


def test_models_with_covariates_are_compared():
    rfm = customers()
    covariates = {"purchase": ["income"]}
    found = columns(hw.clv.compare(rfm, ["ParetoNBD", "BetaGeo"], covariates=covariates))
    model = hw.clv.ParetoNBD().fit(rfm, covariates=covariates)
    row = found["model"].index("ParetoNBD")
    assert found["log_likelihood"][row] == model.log_likelihood_
    assert found["parameters"][row] == 5


def test_a_coefficient_that_runs_off_is_told():
    rfm = customers()
    web = [channel == "web" for channel in rfm["channel"]]
    for name in ("frequency", "recency"):
        rfm[name] = [0 if gone else value for gone, value in zip(web, rfm[name], strict=True)]
    model = hw.clv.ParetoNBD().fit(rfm, covariates={"purchase": ["channel"]})
    assert model.effects_verdict_ == "monotone_likelihood"
    assert columns(model.fit_summary())["effects_verdict"] == ["monotone_likelihood"]


def test_tracking_asks_for_the_covariates_of_customers():
    rfm = customers()
    model = hw.clv.ParetoNBD().fit(rfm, covariates={"purchase": ["income", "channel"]}, period="7d")
    orders = {
        "customer": ["c1", "c2", "c1", "c3"],
        "time": ["2024-01-01", "2024-01-01", "2024-02-03", "2024-02-20"],
    }
    with pytest.raises(hw.errors.OptionError, match="frame of customers"):
        hw.clv.tracking(orders, model)
    report = {}
    tracked = columns(
        hw.clv.tracking(orders, model, customers=rfm, interval=0.9, cohort="month", report=report)
    )
    expected = tracked["expected_cumulative"][-1]
    alone = 0.0
    for i, age in ((1, 8.0), (2, 8.0), (3, 6 / 7)):  # by the end of the eighth week
        own = model.at(income=rfm["income"][i], channel=rfm["channel"][i])
        alone += own.score(0, 0, 0, age)[0]
    assert expected == pytest.approx(alone, rel=1e-9)
    assert tracked["expected_cumulative_low"][-1] <= expected < tracked["expected_cumulative_high"][-1]
    assert sum(set(columns(report["by_cohort"])["customers"])) == 3
    few = {name: values[:3] for name, values in rfm.items()}
    with pytest.raises(hw.errors.ColumnError, match="c3"):
        hw.clv.tracking(orders, model, customers=few)


def along():
    rng = random.Random(9)
    orders = {"customer": [], "time": [], "value": []}
    seasons = {"customer": [], "time": [], "season": []}
    for i in range(150):
        for month in range(14):
            seasons["customer"].append(i)
            seasons["time"].append(month * 30 * DAY)
            seasons["season"].append(month % 4 == 3)
        rate, t, taste = rng.gammavariate(1.6, 1 / 60), float(rng.randrange(30)), rng.gammavariate(4, 0.25)
        while t < 360:
            high = int(t // 30) % 4 == 3
            orders["customer"].append(i)
            orders["time"].append(int(t) * DAY)
            orders["value"].append(rng.gammavariate(6, 2) * (2 if high else 1) / taste)
            t += 1 + rng.expovariate(rate * (3 if high else 1))
    return orders, seasons


def test_covariates_along_time():
    orders, seasons = along()
    given = {"time_unit": "s"}
    how = {"covariates": {"purchase": ["season"]}, "period": "7d"}
    model = hw.clv.DynamicParetoNBD().fit(orders, seasons, **how, **given)
    assert model.params_["purchase:season"] > 0.3
    assert model.effects_verdict_ == "interior"
    model = type(model).from_bytes(model.to_bytes())
    ahead = columns(model.predict(orders, seasons, 4, interval=0.9, discount_rate=0.01, **given))
    assert len(ahead["customer"]) == 150
    for low, mid, high in zip(
        *(ahead[f"expected_purchases{end}"] for end in ("_low", "", "_high")), strict=True
    ):
        assert low <= mid <= high
    new = columns(model.new_customers(seasons, 4, **given))
    assert len(set(new["expected_purchases"])) == 1
    assert set(new["customer"]) == set(seasons["customer"])  # as they were given
    more = {"ahead": 4, "next_purchase": 0.4, "rate": True, "probabilities": 60, "own_rates": True}
    told = columns(
        model.predict(orders, seasons, 4, discount_rate=0.01, log_likelihood=True, **more, **given)
    )
    for row, expected in enumerate(told["expected_purchases"]):
        mass = [told[f"probability_{n}"][row] for n in range(61)]
        assert sum(mass) == pytest.approx(1, abs=1e-6)
        assert sum(n * p for n, p in enumerate(mass)) == pytest.approx(expected, rel=1e-4)
        assert told["p_alive_ahead"][row] <= told["p_alive"][row] <= 1
        assert told["residual_purchases"][row] > told["discounted_purchases"][row]
    assert sum(told["log_likelihood"]) == pytest.approx(model.log_likelihood_, rel=1e-9)
    assert min(told["own_rate_sd"]) > 0
    assert min(told["own_dropout_sd"]) > 0
    spend = hw.clv.DynamicGammaGamma(rate=True).fit(orders, seasons, covariates=["season"], **given)
    assert spend.params_["spend:season"] == pytest.approx(0.69, abs=0.15)
    assert columns(spend.summary())["p"][4] > 0.001
    assert all(value > 0 for value in columns(spend.predict(orders, seasons, **given))["expected_spend"])


def test_given_parameters_predict_as_the_fit_that_they_are_of(tmp_path):
    orders, seasons = along()
    given = {"time_unit": "s"}
    model = hw.clv.DynamicParetoNBD()
    model.fit(orders, seasons, covariates={"purchase": ["season"]}, period="7d", **given)
    again = hw.clv.DynamicParetoNBD.from_params(model.params_, means=model.means_, period="7d")
    assert list(model.means_) == ["season"]
    assert model.references_ == {}
    assert again.verdict_ == again.effects_verdict_ == "given"
    again.save(tmp_path / "given.json")
    again = hw.load(tmp_path / "given.json")
    assert again.params_ == model.params_
    asked = {"orders": orders, "along": seasons, "periods": 4, **given}
    assert columns(again.predict(**asked)) == columns(model.predict(**asked))
    spend = hw.clv.DynamicGammaGamma(rate=True)
    spend.fit(orders, seasons, covariates=["season"], period="7d", **given)
    dear = hw.clv.DynamicGammaGamma.from_params(
        spend.params_, means=spend.means_, rate=spend.rate_, period="7d"
    )
    assert dear.rate is True
    assert columns(dear.predict(**asked)) == columns(spend.predict(**asked))
    worth = [
        m.lifetime_value(s, orders, seasons, periods=8, **given) for m, s in ((model, spend), (again, dear))
    ]
    assert columns(worth[0]) == columns(worth[1])
    with pytest.raises(hw.HeadwaterError, match="no standard errors"):
        again.predict(interval=0.9, **asked)
    with pytest.raises(hw.HeadwaterError, match="none of r, alpha, s, beta"):
        hw.clv.DynamicParetoNBD.from_params({"r": 1, "alpha": 1, "s": 1, "beta": 1, "season": 1})
    with pytest.raises(hw.HeadwaterError, match="finite"):
        hw.clv.DynamicParetoNBD.from_params({"r": float("nan")})


def test_customers_are_valued_along_time():
    orders, seasons = along()
    given = {"time_unit": "s"}
    model = hw.clv.DynamicParetoNBD()
    model.fit(orders, seasons, covariates={"purchase": ["season"]}, period="7d", **given)
    ahead = columns(model.predict(orders, seasons, 8, interval=0.9, discount_rate=0.01, **given))
    spend = hw.clv.DynamicGammaGamma()
    spend.fit(orders, seasons, covariates=["season"], period="7d", **given)
    spent = columns(spend.predict(orders, seasons, 8, interval=0.9, **given))
    how = {"periods": 8, "discount_rate": 0.01, "margin": 0.5, "interval": 0.9}
    worth = columns(model.lifetime_value(spend, orders, seasons, **how, **given))
    for name, frame in [
        ("discounted_purchases", ahead),
        ("p_alive", ahead),
        ("expected_spend", spent),
        ("lifetime_value", worth),
    ]:
        for low, mid, high in zip(*(frame[f"{name}{end}"] for end in ("_low", "", "_high")), strict=True):
            assert low <= mid <= high
    for purchases, spend_each, value in zip(
        worth["expected_purchases"], worth["expected_spend"], worth["lifetime_value"], strict=True
    ):
        assert 0 < value <= 0.5 * purchases * spend_each
    tracked = columns(model.tracking(orders, seasons, interval=0.9, **given))
    assert tracked["actual_cumulative"][-1] == len(orders["customer"]) - 150
    assert tracked["expected_cumulative_low"][-1] < tracked["expected_cumulative"][-1]
    told = {}
    checked = columns(model.check(orders, seasons, "1970-09-28", bins=4, report=told, **given))
    assert checked["level"] == ["customer", "cohort", "total"]
    assert {"by_frequency", "by_recency", "by_age", "deciles", "dropped"} == set(told)
    plain = hw.clv.GammaGamma.from_params(6.25, 3.74, 15.44)
    worth = columns(model.lifetime_value(plain, orders, seasons, periods=8, **given))
    for purchases, spend_each, value in zip(
        worth["expected_purchases"], worth["expected_spend"], worth["lifetime_value"], strict=True
    ):
        assert value == pytest.approx(purchases * spend_each, rel=1e-12)
    with pytest.raises(hw.OptionError, match="`spend`: is a DynamicParetoNBD"):
        model.lifetime_value(model, orders, seasons, **given)


def test_parameters_along_time_are_drawn():
    orders, seasons = along()
    given = {"time_unit": "s"}
    how = {"covariates": {"purchase": ["season"]}, "period": "7d"}
    model = hw.clv.DynamicParetoNBD()
    drawn = model.posterior(orders, seasons, "laplace", draws=100, chains=2, **how, **given)
    assert drawn.model == "DynamicParetoNBD"
    drawn = hw.clv.Posterior.from_bytes(drawn.to_bytes())
    assert columns(drawn.summary())["parameter"][4] == "purchase:season"
    ask = {"most_draws": 20, "next_purchase": 0.3, "probabilities": 2, "rate": True}
    told = columns(drawn.predict_along(orders, seasons, 4, **ask, **given))
    assert len(told["customer"]) == 150
    for name in ("expected_purchases", "p_alive", "purchase_rate", "probability_1"):
        for low, mid, high in zip(*(told[f"{name}{end}"] for end in ("_low", "", "_high")), strict=True):
            assert low <= mid <= high
    refits = model.posterior(orders, seasons, "bootstrap", replicates=5, seed=3, **how, **given)
    assert refits.method == "bootstrap"
    with pytest.raises(hw.OptionError, match="predict_along"):
        drawn.predict({"frequency": [1.0], "recency": [1.0], "T": [2.0], "season": [1.0]})
    with pytest.raises(hw.OptionError, match="`replicates`"):
        model.posterior(orders, seasons, "laplace", replicates=5, **how, **given)
    with pytest.raises(hw.OptionError, match="orders and covariates"):
        hw.clv.laplace({"frequency": [1.0], "recency": [1.0], "T": [2.0]}, "DynamicParetoNBD")


def test_independence_of_spend_is_tested():
    frame = {"frequency": [1, 2, 3, 4, 5, 6] * 20, "monetary_value": [1.0, 2, 3, 5, 4, 7] * 20}
    found = columns(hw.clv.GammaGamma().fit(frame).independence())
    assert found["test"] == ["pearson_log", "spearman"]
    assert max(found["p"]) < 1e-6


def test_groups_are_pooled():
    rfm = customers()
    found = hw.clv.sample_hierarchy(rfm, group="channel", chains=2, draws=40, tune=60, seed=3)
    assert found.groups == ["shop", "web"]
    assert len(columns(found.summary())["group"]) == 8
    assert set(columns(found.population())["what"]) == {"centre", "deviation"}
    again = hw.clv.Hierarchy.from_bytes(found.to_bytes())
    rfm["channel"][0] = "radio"
    told = columns(again.predict(rfm, 10))
    assert told["group"][0] == "radio"
    assert told["expected_purchases"] == columns(found.predict(rfm, 10))["expected_purchases"]
