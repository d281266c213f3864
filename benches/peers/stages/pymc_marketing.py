"""BG/NBD by the package pymc-marketing: its MAP under flat priors, and its NUTS.

Its imports and its first compilation are outside the clock where they can be: the best of three runs counts.
"""

from __future__ import annotations

from . import lifetimes as laws

NAMES = ("r", "alpha", "a", "b")


def frame(rfm):
    """The columns that the package asks for, with the import paid for before the clock starts."""
    import pymc_marketing.clv  # noqa: F401

    table = rfm.select(["frequency", "recency", "T"]).to_pandas()
    return table.assign(customer_id=range(len(table)))


def cdnow():
    return frame(laws.cdnow())


def million():
    return frame(laws.million())


def model(table, priors):
    from pymc_marketing.clv import BetaGeoModel

    return BetaGeoModel(data=table, model_config=priors)


def fit_map(table):
    from pymc_extras.prior import Prior

    found = model(table, {name: Prior("HalfFlat") for name in NAMES})
    found.fit(method="map", progressbar=False)
    return found, table


def params(fitted) -> dict[str, float]:
    return {name: float(fitted.fit_result.mean()[name]) for name in NAMES}


def map_numbers(result) -> dict[str, float]:
    fitted, table = result
    found = params(fitted)
    return {**found, "log_likelihood": laws.log_likelihood(table, **found)}


def draws(table):
    """The priors of our `sample_posterior`, and one process, so that its CPU seconds are all counted."""
    import math

    from pymc_extras.prior import Prior

    centres = {"alpha": math.log(table["T"].mean())}
    found = model(table, {name: Prior("LogNormal", mu=centres.get(name, 0.0), sigma=2) for name in NAMES})
    found.fit(chains=4, cores=1, draws=1000, tune=1000, random_seed=1, progressbar=False)
    return found


def draws_numbers(fitted) -> dict[str, float]:
    return params(fitted)


CDNOW = {"pymc-marketing (MAP)": (cdnow, fit_map, map_numbers)}
MILLION = {"pymc-marketing (MAP)": (million, fit_map, map_numbers)}
POSTERIOR = {"pymc-marketing (NUTS)": (cdnow, draws, draws_numbers)}
