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


def hundred_thousand() -> pa.Table:
    return million().slice(0, 100_000)


def pareto(rfm):
    import headwater as hw

    return hw.clv.ParetoNBD().fit(rfm)


def peer_pareto(rfm):
    from lifetimes import ParetoNBDFitter

    frame = rfm.to_pandas()
    fitter = ParetoNBDFitter(penalizer_coef=0.0)
    fitter.fit(frame["frequency"], frame["recency"], frame["T"])
    return fitter


def peer_params(fitter) -> dict[str, float]:
    return {k: float(v) for k, v in fitter.params_.items()}


def spend() -> pa.Table:
    import numpy as np

    rfm = million()
    rng = np.random.default_rng(7)
    frequency = rfm["frequency"].to_numpy()
    rate = rng.gamma(3.74, 1 / 15.44, len(frequency))
    mean = rng.gamma(6.25 * np.maximum(frequency, 1), 1 / (rate * np.maximum(frequency, 1)))
    return rfm.append_column(
        "monetary_value", pa.array(np.where(frequency > 0, np.round(mean, 2) + 0.01, 0.0))
    )


def fit_spend(rfm):
    import headwater as hw

    return hw.clv.GammaGamma().fit(rfm)


def peer_spend(rfm):
    from lifetimes import GammaGammaFitter

    frame = rfm.to_pandas()
    frame = frame[frame["frequency"] > 0]
    fitter = GammaGammaFitter(penalizer_coef=0.0)
    fitter.fit(frame["frequency"], frame["monetary_value"])
    return fitter


def fitted():
    rfm = million()
    return fit(rfm), rfm.append_column("customer", pa.array(range(len(rfm))))


def predict(given):
    model, rfm = given
    return model.predict(rfm, periods=39, interval=0.9)


def predict_numbers(table) -> dict[str, float]:
    import pyarrow.compute as pc

    return {k: pc.sum(table[k]).as_py() for k in ("expected_purchases", "p_alive")}


def peer_fitted():
    from lifetimes import BetaGeoFitter

    rfm = million()
    fitter = BetaGeoFitter(penalizer_coef=0.0)
    # Our own estimates, so that both predict from the same parameters.
    fitter.params_ = fit(rfm).params_
    return fitter, rfm.to_pandas()


def peer_predict(given):
    fitter, frame = given
    row = frame["frequency"], frame["recency"], frame["T"]
    expected = fitter.conditional_expected_number_of_purchases_up_to_time(39, *row)
    return expected, fitter.conditional_probability_alive(*row)


def peer_predict_numbers(result) -> dict[str, float]:
    return {"expected_purchases": float(result[0].sum()), "p_alive": float(result[1].sum())}


PARETO = {
    "headwater": (cdnow, pareto, fit_numbers),
    "lifetimes": (cdnow, peer_pareto, peer_params),
}
PARETO_100K = {
    "headwater": (hundred_thousand, pareto, fit_numbers),
    "lifetimes": (hundred_thousand, peer_pareto, peer_params),
}
PARETO_MILLION = {"headwater": (million, pareto, fit_numbers)}
SPEND = {
    "headwater": (spend, fit_spend, fit_numbers),
    "lifetimes": (spend, peer_spend, peer_params),
}
PREDICT = {
    "headwater": (fitted, predict, predict_numbers),
    "lifetimes (no intervals)": (peer_fitted, peer_predict, peer_predict_numbers),
}
CDNOW = {"headwater": (cdnow, fit, fit_numbers), "lifetimes": (cdnow, peer_fit, peer_numbers)}
MILLION = {"headwater": (million, fit, fit_numbers), "lifetimes": (million, peer_fit, peer_numbers)}
SUMMARIZE = {
    "headwater": (orders, summarize, summary_numbers),
    "lifetimes": (orders_pandas, peer_summarize, peer_summary_numbers),
}
