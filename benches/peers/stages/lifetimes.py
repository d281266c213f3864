"""BG/NBD and the summary it needs, beside the package lifetimes."""

from __future__ import annotations

import pathlib

import data
import pyarrow as pa
import pyarrow.csv

CDNOW_FILE = pathlib.Path(__file__).parents[3] / "examples" / "data" / "cdnow.csv"
PERIOD, CALIBRATION = "7d", "1997-09-30"


def cdnow_orders() -> pa.Table:
    return pyarrow.csv.read_csv(CDNOW_FILE)


def cdnow() -> pa.Table:
    import headwater as hw

    return hw.clv.summarize(
        cdnow_orders(),
        customer="customer",
        time="date",
        value="amount",
        period=PERIOD,
        calibration_end=CALIBRATION,
    )


def million() -> pa.Table:
    return data.load("rfm_million")


def fit(rfm):
    import headwater as hw

    return hw.clv.BetaGeo().fit(rfm)


def fit_numbers(model) -> dict[str, float]:
    return {**model.params_, "log_likelihood": model.log_likelihood_}


def peer_fit(rfm):
    from lifetimes import BetaGeoFitter

    frame = rfm.to_pandas()
    fitter = BetaGeoFitter(penalizer_coef=0.0)
    fitter.fit(frame["frequency"], frame["recency"], frame["T"])
    return fitter, frame


def log_likelihood(frame, r: float, alpha: float, a: float, b: float) -> float:
    """Of the BG/NBD model (Fader, Hardie & Lee 2005), by SciPy: the peer keeps only a scaled mean."""
    import numpy as np
    from scipy.special import betaln, gammaln

    x, last, age = (frame[name].to_numpy() for name in ("frequency", "recency", "T"))
    alive = (
        gammaln(r + x)
        - gammaln(r)
        + r * np.log(alpha)
        + betaln(a, b + x)
        - betaln(a, b)
        - (r + x) * np.log(alpha + age)
    )
    odds = (
        np.log(a) - np.log(np.maximum(b + x - 1, 1e-300)) + (r + x) * np.log((alpha + age) / (alpha + last))
    )
    return float((alive + np.where(x > 0, np.logaddexp(0, odds), 0)).sum())


def peer_numbers(result) -> dict[str, float]:
    fitter, frame = result
    params = {k: float(v) for k, v in fitter.params_.items()}
    return {**params, "log_likelihood": log_likelihood(frame, **params)}


def orders() -> pa.Table:
    return data.load("orders")


def summarize(table):
    import headwater as hw

    return hw.clv.summarize(table, customer="customer", time="time", value="value", period="1d")


def summary_numbers(result) -> dict[str, float]:
    import pyarrow.compute as pc

    return {k: pc.sum(result[k]).as_py() for k in ("frequency", "recency", "T")}


def orders_pandas():
    return orders().to_pandas()


def peer_summarize(frame):
    from lifetimes.utils import summary_data_from_transaction_data

    return summary_data_from_transaction_data(frame, "customer", "time", "value")


def peer_summary_numbers(result) -> dict[str, float]:
    return {k: result[k].sum() for k in ("frequency", "recency", "T")}


CDNOW = {"headwater": (cdnow, fit, fit_numbers), "lifetimes": (cdnow, peer_fit, peer_numbers)}
MILLION = {"headwater": (million, fit, fit_numbers), "lifetimes": (million, peer_fit, peer_numbers)}
SUMMARIZE = {
    "headwater": (orders, summarize, summary_numbers),
    "lifetimes": (orders_pandas, peer_summarize, peer_summary_numbers),
}
