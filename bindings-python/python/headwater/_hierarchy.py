"""Posteriors of segments that are alike, but not the same."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

from . import _call, _core, _frames
from ._models import Fitted


class Hierarchy(Fitted):
    """Posteriors of groups, drawn together: small groups borrow from the others.

    `sample_hierarchy` makes it, and `headwater.load` reads it.

    Attributes
    ----------
    groups : list of str
    dropped_ : frame
        The rows dropped by ``on_invalid="drop"``: column, reason, count, first_row.
    """

    _kind = "clv.Hierarchy"
    #: The column of groups.
    group: str | None = None
    groups: list[str] | None = None
    dropped_: Any = None

    def _params(self) -> dict[str, Any]:
        return {"group": self.group, "groups": self.groups}

    def _restore(self, body: dict[str, Any]) -> None:
        self.group, self.groups = body["group"], body["groups"]

    def _report(self, name: str, options: Mapping[str, Any]) -> Any:
        found = dict(_core.clv_report(self._fitted, name, _call.options(options), _call.run()))
        return _frames.neutral(found[name])

    def summary(self, level: float = 0.9) -> Any:
        """A row for each group and parameter.

        Parameters
        ----------
        level : float, default 0.9
            The level of the interval from ``low`` to ``high``.

        Returns
        -------
        frame
            group, customers, parameter, mean, sd, low, median, high, r_hat, ess_bulk, ess_tail, mcse.
        """
        return self._report("groups", {"level": level})

    def population(self, level: float = 0.9) -> Any:
        """What groups have in common, and how far they lie apart.

        Returns
        -------
        frame
            parameter, what (``"centre"``, or ``"deviation"``: of its logarithm between groups), mean, sd,
            low, median, high, r_hat, ess_bulk.
        """
        return self._report("population", {"level": level})

    def fit_summary(self) -> Any:
        """How it went, a row for each chain: chain, method, draws, divergences, step_size, acceptance, …"""
        return self._report("fit", {})

    def predict(
        self,
        rfm: Any,
        periods: _call.Horizon = 1.0,
        *,
        level: float = 0.9,
        purchase_interval: float | None = None,
        ahead: _call.Horizon | None = None,
        discount_rate: _call.Discount | None = None,
        next_purchase: float | None = None,
        rate: bool = False,
        probabilities: int | None = None,
        most_draws: int = 400,
        customer: str = "customer",
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        period: _call.Span | None = None,
        on_invalid: Literal["error", "drop"] = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """As `Posterior.predict`, each customer by its group's draws; unknown groups by a new one's.

        Returns
        -------
        frame
            customer, group, expected_purchases and p_alive, and what else is asked for, each with ``_low``
            and ``_high``; with ``purchase_interval`` purchases_low, purchases_high.
        """
        options = {
            "customer": customer,
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "periods": periods,
            "level": level,
            "purchase_interval": purchase_interval,
            "ahead": ahead,
            "discount_rate": discount_rate,
            "next_purchase": next_purchase,
            "rate": rate or None,
            "probabilities": probabilities,
            "most_draws": most_draws,
            "period": period,
            "on_invalid": on_invalid,
        }
        data, make = _frames.take(rfm, [customer, frequency, recency, T, self.group])
        run = _call.run(0, threads, progress)
        found = dict(_core.clv_report(self._fitted, "predict", _call.options(options), run, data))
        _frames.tell(report, make, dropped=found["dropped"])
        return make(found["predict"])

    def _facts(self) -> dict[str, Any]:
        return {"groups": ", ".join(self.groups or [])}


def sample_hierarchy(
    rfm: Any,
    model: str = "BetaGeo",
    *,
    group: str = "group",
    spread: float = 0.5,
    k: int = 1,
    chains: int = 4,
    draws: int = 1000,
    tune: int = 500,
    target_accept: float = 0.95,
    max_depth: int = 10,
    prior: Literal["weak", "flat"] = "weak",
    priors: Mapping[str, Mapping[str, float]] | None = None,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    weight: str | None = None,
    period: _call.Span | None = None,
    on_invalid: Literal["error", "drop"] = "error",
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Hierarchy:
    """Draws the parameters of segments or acquisition channels together (partial pooling).

    Parameters
    ----------
    rfm : frame
        What `summarize` gives, with a column of groups.
    model : str, default "BetaGeo"
        The name of a model of purchases.
    group : str, default "group"
        The column of groups.
    spread : float, default 0.5
        How far groups may lie apart: the scale of the half-normal prior of the deviation of log parameters.
    k, chains, draws, tune, target_accept, max_depth, prior, priors
        As in `sample_posterior`; the priors are those of the centre.
    frequency, recency, T, weight, period, on_invalid, seed, threads, progress
        As in `sample_posterior`.

    Returns
    -------
    Hierarchy
    """
    sampling = {
        "k": k,
        "chains": chains,
        "draws": draws,
        "tune": tune,
        "target_accept": target_accept,
        "max_depth": max_depth,
        "prior": prior,
        "priors": priors,
        "frequency": frequency,
        "recency": recency,
        "T": T,
        "weight": weight,
        "period": period,
        "on_invalid": on_invalid,
    }
    given = {name: value for name, value in sampling.items() if value is not None}
    options = {"group": group, "spread": spread, "sampling": given}
    data, make = _frames.take(rfm, [frequency, recency, T, weight, group])
    run = _call.run(seed, threads, progress)
    native, dropped = _core.clv_posterior("hierarchy", model, data, _call.options(options), run)
    found = Hierarchy()
    found._native, found.dropped_ = native, make(dropped)
    found._restore(found._body())
    return found
