"""Draws and refits of BG/NBD on CDNOW, and covariates: what the peers have is an optimum, or slower by far."""

from __future__ import annotations

import pyarrow as pa

from . import lifetimes as laws


def draws(rfm):
    import headwater as hw

    return hw.clv.sample_posterior(rfm, "BetaGeo", chains=4, draws=1000)


def draws_numbers(posterior) -> dict[str, float]:
    table = posterior.summary()
    means = dict(zip(table["parameter"].to_pylist(), table["mean"].to_pylist(), strict=True))
    return {**means, "largest_r_hat": max(table["r_hat"].to_pylist())}


def refits(rfm):
    import headwater as hw

    return hw.clv.bootstrap(rfm, "BetaGeo", replicates=1000)


def refits_numbers(posterior) -> dict[str, float]:
    table = posterior.summary()
    return dict(zip(table["parameter"].to_pylist(), table["sd"].to_pylist(), strict=True))


def peer_refits(rfm):
    """Twenty refits by the peer, for the cost of one: a thousand would take minutes."""
    import numpy as np
    from lifetimes import BetaGeoFitter

    frame = rfm.to_pandas()
    rng = np.random.default_rng(1)
    found = []
    for _ in range(20):
        some = frame.iloc[rng.integers(0, len(frame), len(frame))]
        fitter = BetaGeoFitter(penalizer_coef=0.0)
        fitter.fit(some["frequency"], some["recency"], some["T"])
        found.append([float(v) for _, v in fitter.params_.items()])
    return np.std(found, axis=0)


def peer_refits_numbers(deviations) -> dict[str, float]:
    return dict(zip(("r", "alpha", "a", "b"), map(float, deviations), strict=True))


def known() -> pa.Table:
    """A hundred thousand simulated customers, half of one channel."""
    rfm = laws.hundred_thousand()
    channel = ["web" if i % 2 else "shop" for i in range(len(rfm))]
    return rfm.append_column("channel", pa.array(channel))


def covariates(rfm):
    import headwater as hw

    return hw.clv.ParetoNBD().fit(rfm, covariates={"purchase": ["channel"], "dropout": ["channel"]})


POSTERIOR = {"headwater": (laws.cdnow, draws, draws_numbers)}
REFITS = {
    "headwater (1,000)": (laws.cdnow, refits, refits_numbers),
    "lifetimes (20)": (laws.cdnow, peer_refits, peer_refits_numbers),
}
COVARIATES = {"headwater": (known, covariates, laws.fit_numbers)}
