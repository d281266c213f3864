"""Value learned from covariates: the faces of both learners."""

from __future__ import annotations

import pickle

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from support import columns

import headwater as hw

N = 120
CUSTOMERS = {
    "customer": [f"k{i:03}" for i in range(N)],
    "visits": [float(i * 7 % 11) for i in range(N)],
    "plan": [("basic", "plus", "gold")[i * 5 % 7 % 3] for i in range(N)],
    "spend": [0.0 if i * 13 % 5 < 2 else 5.0 + (i * 7 % 11) * (1 + i % 4) for i in range(N)],
}
BOOSTED = hw.clv.ZeroInflatedLognormal("boosted", trees=8, folds=2, min_leaf=5)


@pytest.mark.parametrize("kind", [dict, pd.DataFrame, pl.DataFrame, pa.table])
@pytest.mark.parametrize("model", [hw.clv.ZeroInflatedLognormal(), BOOSTED], ids=["linear", "boosted"])
def test_a_frame_of_any_kind_is_learned_from(model, kind):
    frame = kind(CUSTOMERS)
    model = model.fit(frame, target="spend", customer="customer", horizon="90d")
    more: dict[str, object] = {}
    found = columns(model.predict(frame, customer="customer", quantiles=[0.1, 0.9], report=more))
    assert found["customer"] == CUSTOMERS["customer"]
    assert all(0 < p < 1 for p in found["p_positive"])
    low, high = (columns(more["quantiles"])["value"][at::2] for at in (0, 1))
    assert all(a <= b for a, b in zip(low, high, strict=True))
    again = pickle.loads(pickle.dumps(model))
    assert columns(again.predict(frame))["expected_value"] == found["expected_value"]
    assert columns(model.fit_summary())["horizon"] == ["90d"]
    scores = columns(model.score(frame, report=more))
    assert scores["score"][0] == "log_loss"
    assert len(columns(more["deciles"])["decile"]) == 10


def test_a_penalty_of_none_is_chosen_and_kept():
    model = hw.clv.ZeroInflatedLognormal(penalty=None, penalties=[1.0, 50.0], folds=3)
    model.fit(CUSTOMERS, target="spend", covariates=["visits", "plan"])
    more: dict[str, object] = {}
    model.summary(report=more)
    tuning = columns(more["tuning"])
    assert tuning["head"] == ["purchase"] * 2 + ["mu"] * 2 + ["log_sigma"] * 2
    assert sum(tuning["chosen"]) == 3
    again = hw.clv.ZeroInflatedLognormal.from_bytes(model.to_bytes())
    assert again.penalty is None
    assert again.params_ == model.params_


def test_trees_tell_what_they_split_on():
    model = BOOSTED.fit(CUSTOMERS, target="spend", covariates=["visits", "plan"])
    assert model.params_ == {}
    shares = columns(model.summary())
    assert set(shares) == {"head", "covariate", "gain", "splits"}
    assert all(0 <= gain <= 1 for gain in shares["gain"])
    assert "log_likelihood" in model._repr_html_()


def test_refunds_beyond_purchases_need_a_word():
    frame = CUSTOMERS | {"spend": [-3.0, *CUSTOMERS["spend"][1:]]}
    fit = hw.clv.ZeroInflatedLognormal().fit
    with pytest.raises(hw.RowError, match="negative=.zero"):
        fit(frame, target="spend", customer="customer")
    model = fit(frame, target="spend", customer="customer", negative="zero")
    assert columns(model.fit_summary())["customers"] == [N]
    model = fit(frame, target="spend", customer="customer", on_invalid="drop")
    assert columns(model.dropped_)["count"] == [1]


def test_a_level_that_was_not_seen_is_named():
    model = hw.clv.ZeroInflatedLognormal().fit(CUSTOMERS, target="spend", covariates=["plan"])
    with pytest.raises(hw.RowError, match="level") as caught:
        model.predict({"plan": ["basic", "platinum"]})
    assert caught.value.row == 1
