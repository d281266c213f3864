"""Golden numbers of survival analysis, by lifelines, on data from a formula.

python -m venv v && v/bin/pip install lifelines==0.30.0 "pandas<3"
v/bin/python core/tests/oracles/survival_lifelines.py > core/tests/vectors/clv_survival.json
"""

from __future__ import annotations

import json
import warnings

import lifelines
import numpy as np
import pandas as pd
from lifelines.statistics import multivariate_logrank_test, proportional_hazard_test
from lifelines.utils import concordance_index, restricted_mean_survival_time

warnings.filterwarnings("ignore")
COVARIATES = ["price", "calls", "plus", "premium"]
EXACT = {"precision": 1e-12, "max_steps": 200}


def frame(rows: int) -> pd.DataFrame:
    i = np.arange(rows)
    price = (i * 7 % 11) / 2.0
    calls = (i * 5 % 7).astype(float)
    plan = np.array(["basic", "plus", "premium"])[i * 3 % 8 % 3]
    uniform = ((i * 389 + 71) % 997 + 0.5) / 997
    rate = np.exp(0.15 * (price - 2.5) - 0.1 * calls + 0.4 * (plan == "basic")) / 10
    left = np.round((-np.log(uniform) / rate) ** 0.8 * 4, 1) / 2 + 0.05
    censored = np.round(3 + 15 * ((i * 577 + 13) % 991 + 0.5) / 991, 1)
    event = left <= censored
    duration = np.round(np.where(event, left, censored), 2)
    return pd.DataFrame(
        {
            "duration": duration,
            "event": event.astype(int),
            "entry": np.where(i % 3 == 0, np.round(duration * ((i * 31 % 17) / 34.0), 2), 0.0),
            "weight": 1 + i % 3,
            "price": price,
            "calls": calls,
            "plan": plan,
            "group": np.where(i % 2 == 0, "a", "b"),
        }
    )


df = frame(120)
X = df.assign(**{level: (df["plan"] == level) * 1.0 for level in ("basic", "plus", "premium")})
out = {
    "source": f"lifelines {lifelines.__version__}, numpy {np.__version__}, pandas {pd.__version__}",
    "frame": {name: df[name].tolist() for name in df},
}


def curve(**options) -> dict:
    fit = lifelines.KaplanMeierFitter().fit(df["duration"], df["event"], **options)
    limits = fit.confidence_interval_
    return {
        "time": fit.survival_function_.index.tolist(),
        "survival": fit.survival_function_.iloc[:, 0].tolist(),
        "low": limits.iloc[:, 0].tolist(),
        "high": limits.iloc[:, 1].tolist(),
        "median": fit.median_survival_time_,
    }


out["km"] = curve()
out["km_weight"] = curve(weights=df["weight"])
out["km_entry"] = curve(entry=df["entry"])
whole = lifelines.KaplanMeierFitter().fit(df["duration"], df["event"])
out["restricted_mean"] = [float(x) for x in restricted_mean_survival_time(whole, t=8.0, return_variance=True)]
for name, smoothing in {"na": False, "na_split": True}.items():
    fit = lifelines.NelsonAalenFitter(nelson_aalen_smoothing=smoothing).fit(df["duration"], df["event"])
    limits = fit.confidence_interval_
    out[name] = {
        "time": fit.cumulative_hazard_.index.tolist(),
        "hazard": fit.cumulative_hazard_.iloc[:, 0].tolist(),
        "low": limits.iloc[:, 0].tolist(),
        "high": limits.iloc[:, 1].tolist(),
    }
weightings = {
    "log_rank": {},
    "wilcoxon": {"weightings": "wilcoxon"},
    "tarone_ware": {"weightings": "tarone-ware"},
    "fleming_harrington": {"weightings": "fleming-harrington", "p": 1, "q": 0.5},
}
out["tests"] = {}
for name, options in weightings.items():
    test = multivariate_logrank_test(df["duration"], df["plan"], df["event"], **options)
    out["tests"][name] = [float(test.test_statistic), float(test.p_value)]


def cox(data: pd.DataFrame = X, robust: bool = False, **columns):
    used = data[[*COVARIATES, "duration", "event", *columns.values()]]
    fit = lifelines.CoxPHFitter()
    return fit.fit(used, "duration", "event", robust=robust, fit_options=EXACT, **columns)


def numbers(fit) -> dict:
    return {
        "values": fit.params_.tolist(),
        "errors": fit.standard_errors_.tolist(),
        "log_likelihood": float(fit.log_likelihood_),
    }


fit = cox()
ratio = fit.log_likelihood_ratio_test()
out["cox"] = {
    **numbers(fit),
    "concordance": float(fit.concordance_index_),
    "ratio": [float(ratio.test_statistic), float(ratio.p_value)],
    "aic": float(fit.AIC_partial_),
    "partial_hazard": fit.predict_partial_hazard(X.iloc[:10]).tolist(),
}
for transform in ("identity", "rank", "km", "log"):
    test = proportional_hazard_test(fit, X[[*COVARIATES, "duration", "event"]], time_transform=transform)
    out["cox"][f"proportional_{transform}"] = np.atleast_1d(test.test_statistic).tolist()
out["cox_weight"] = numbers(cox(weights_col="weight"))
out["cox_entry"] = numbers(cox(entry_col="entry"))
out["cox_strata"] = numbers(cox(strata="group"))
# Without ties the peer's sandwich and its Breslow baseline are the ones of the books.
untied = X.assign(duration=X["duration"] + np.arange(len(X)) * 1e-6)
fit = cox(untied, robust=True)
out["cox_robust"] = {
    **numbers(fit),
    "time": fit.baseline_cumulative_hazard_.index.tolist(),
    "baseline": fit.baseline_cumulative_hazard_.iloc[:, 0].tolist(),
}
families = {
    "weibull": lifelines.WeibullAFTFitter,
    "log_normal": lifelines.LogNormalAFTFitter,
    "log_logistic": lifelines.LogLogisticAFTFitter,
}
for name, family in families.items():
    for entry in (False, True):
        columns = {"entry_col": "entry"} if entry else {}
        fit = family()
        used = X[[*COVARIATES, "duration", "event", *columns.values()]]
        fit.fit(used, "duration", "event", fit_options={"ftol": 1e-15, "maxiter": 2000}, **columns)
        found = {**numbers(fit), "names": [name for _, name in fit.params_.index]}
        if not entry:
            some = X.iloc[:5]
            found["median"] = fit.predict_median(some).tolist()
            found["at_5"] = fit.predict_survival_function(some, times=[5.0]).iloc[0].tolist()
            after = fit.predict_survival_function(some, times=[5.0], conditional_after=np.full(5, 2.0))
            found["at_5_after_2"] = after.iloc[0].tolist()
            if name != "log_logistic":
                found["mean"] = fit.predict_expectation(some).tolist()
        out[f"aft_{name}" + ("_entry" if entry else "")] = found
out["concordance"] = float(concordance_index(df["duration"], -df["price"], df["event"]))
print(json.dumps(out, separators=(",", ":")))
