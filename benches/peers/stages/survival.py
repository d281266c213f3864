"""Kaplan–Meier and Cox on contracts, beside lifelines."""

from __future__ import annotations

import data
import pyarrow as pa

COVARIATES = [f"x{i}" for i in range(5)]


def days() -> pa.Table:
    return data.load("contract_days")


def curve(table):
    import headwater as hw

    return hw.clv.kaplan_meier(table, duration="duration", event="event")


def curve_numbers(table) -> dict[str, float]:
    survival = table["survival"].to_pylist()
    return {"steps": float(len(survival)), "survival": sum(survival)}


def days_pandas():
    return days().to_pandas()


def peer_curve(frame):
    from lifelines import KaplanMeierFitter

    return KaplanMeierFitter().fit(frame["duration"], frame["event"])


def peer_curve_numbers(fitter) -> dict[str, float]:
    survival = fitter.survival_function_.iloc[:, 0]
    return {"steps": float(len(survival)), "survival": float(survival.sum())}


def contracts() -> pa.Table:
    return data.load("contracts")


def cox(table):
    import headwater as hw

    return hw.clv.Cox().fit(table, duration="duration", event="event", covariates=COVARIATES)


def cox_numbers(model) -> dict[str, float]:
    return {**model.params_, "log_likelihood": model.log_likelihood_}


def contracts_pandas():
    return contracts().to_pandas()


def peer_cox(frame):
    from lifelines import CoxPHFitter

    return CoxPHFitter().fit(frame, "duration", "event")


def peer_cox_numbers(fitter) -> dict[str, float]:
    values = {name: float(value) for name, value in fitter.params_.items()}
    return {**values, "log_likelihood": float(fitter.log_likelihood_)}


CURVE = {
    "headwater": (days, curve, curve_numbers),
    "lifelines": (days_pandas, peer_curve, peer_curve_numbers),
}
COX = {
    "headwater": (contracts, cox, cox_numbers),
    "lifelines": (contracts_pandas, peer_cox, peer_cox_numbers),
}
