"""Posteriors of segments that are alike, but not the same."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal

from . import _call, _core, _frames
from ._buyers import Covariates, _named
from ._buyers import given as _given
from ._models import Fitted
from ._posterior import _RETENTION, _SPEND, Posterior, _explaining, _is
from ._spend import GammaGamma
from .errors import OptionError


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
    #: The model whose parameters were drawn, such as ``"BetaGeo"``.
    model: str | None = None
    #: The column of groups.
    group: str | None = None
    groups: list[str] | None = None
    dropped_: Any = None
    #: The columns of covariates.
    covariates_: Sequence[str] = ()

    def _params(self) -> dict[str, Any]:
        return {"group": self.group, "groups": self.groups}

    def _restore(self, body: dict[str, Any]) -> None:
        self.group, self.groups = body["group"], body["groups"]
        self.model = body["new_group"]["kind"].removeprefix("clv.")
        self.covariates_ = _explaining(body["new_group"])

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
            parameter, what (``"centre"``; ``"deviation"``: of its logarithm between groups;
            ``"coefficient"`` of a covariate, which all groups have in common), mean, sd, low, median, high,
            r_hat, ess_bulk.
        """
        return self._report("population", {"level": level})

    def draws(self) -> Any:
        """Every draw of every group: group, chain, draw, the parameters, log_posterior, divergent."""
        return self._report("draws", {})

    def posterior(self, group: str | None = None) -> Posterior:
        """The draws of one group, as a posterior of their own.

        Parameters
        ----------
        group : str, optional
            Its label; without one the draws of what a group may be that was not seen.

        Returns
        -------
        Posterior
        """
        out = Posterior()
        out._native = _core.clv_group(self._fitted, group if group is None else str(group))
        out._restore(out._body())
        return out

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
        monetary_value: str = "monetary_value",
        renewals: str = "renewals",
        discount: Mapping[str, Any] | None = None,
        horizon: int | None = None,
        margin: float = 1.0,
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
            customer, group, and the columns of `Posterior.predict`: of models of purchases
            expected_purchases and p_alive, and what else is asked for, each with ``_low`` and ``_high``.
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
            "monetary_value": monetary_value,
            "renewals": renewals,
            "discount": discount,
            "horizon": horizon,
            "margin": margin,
            "period": period,
            "on_invalid": on_invalid,
        }
        if _is(self.model, _SPEND):
            columns = [customer, frequency, monetary_value, self.group]
        elif _is(self.model, *_RETENTION):
            columns = [customer, renewals, self.group]
        else:
            columns = [customer, frequency, recency, T, self.group, *self.covariates_]
        data, make = _frames.take(rfm, columns)
        run = _call.run(0, threads, progress)
        found = dict(_core.clv_report(self._fitted, "predict", _call.options(options), run, data))
        _frames.tell(report, make, dropped=found["dropped"])
        return make(found["predict"])

    def check(
        self,
        rfm: Any,
        *,
        most: int = 7,
        level: float = 0.9,
        most_draws: int = 400,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        monetary_value: str = "monetary_value",
        contract: Mapping[str, Any] | None = None,
        weight: str | None = None,
        period: _call.Span | None = None,
        on_invalid: Literal["error", "drop"] = "error",
        seed: int = 0,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """As `Posterior.check`, each group by its own draws; unknown groups by a new one's.

        Returns
        -------
        frame
            group, statistic, observed, expected, low, high, p.
        """
        options = {
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "monetary_value": monetary_value,
            "contract": contract,
            "weight": weight,
            "most": most,
            "level": level,
            "most_draws": most_draws,
            "period": period,
            "on_invalid": on_invalid,
        }
        columns = [*_rows(self.model, self.group, options), *self.covariates_]
        data, make = _frames.take(rfm, columns)
        run = _call.run(seed, threads, progress)
        found = dict(_core.clv_report(self._fitted, "check", _call.options(options), run, data))
        _frames.tell(report, make, dropped=found["dropped"])
        return make(found["check"])

    def survival(self, periods: int = 12, *, level: float = 0.9, most_draws: int = 400) -> Any:
        """As `Posterior.survival`, of models of retention: a curve for each group.

        Returns
        -------
        frame
            group, period, survival, retention, churn, each with ``_low`` and ``_high``; last, without a
            label, a group that was not seen.
        """
        options = {"periods": periods, "level": level, "most_draws": most_draws}
        return self._report("survival", options)

    def value(
        self,
        discount: Mapping[str, Any],
        *,
        tenures: int = 5,
        horizon: int | None = None,
        margin: float = 1.0,
        level: float = 0.9,
        most_draws: int = 400,
    ) -> Any:
        """As `Posterior.value`, of models of retention that know their period: by tenure, for each group.

        Returns
        -------
        frame
            group, tenure, discounted_lifetime, expected_lifetime, value, each with ``_low`` and ``_high``;
            last, without a label, a group that was not seen.
        """
        options = {
            "discount": discount,
            "tenures": tenures,
            "horizon": horizon,
            "margin": margin,
            "level": level,
            "most_draws": most_draws,
        }
        return self._report("value", options)

    def lifetime_value(
        self,
        spend: Hierarchy | Posterior | GammaGamma,
        rfm: Any,
        *,
        periods: _call.Horizon = 52,
        discount_rate: _call.Discount = 0.0,
        margin: float = 1.0,
        interval: float | None = None,
        most_draws: int = 400,
        customer: str = "customer",
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        monetary_value: str = "monetary_value",
        period: _call.Span | None = None,
        on_invalid: Literal["error", "drop"] = "error",
        seed: int = 0,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """As `Posterior.lifetime_value`, each customer by its group's draws; unknown groups by a new one's.

        Parameters
        ----------
        spend : Hierarchy, Posterior or GammaGamma
            Draws of `GammaGamma` by the same column of groups, or of all customers together, or a fitted one.
        rfm : frame
            What `summarize` gives, with the column of groups.
        periods, discount_rate, margin, interval, most_draws
            As in `Posterior.lifetime_value`.
        customer, frequency, recency, T, monetary_value, period, on_invalid, seed, report, threads, progress
            As in `Posterior.lifetime_value`.

        Returns
        -------
        frame
            customer, group, and the columns of `Posterior.lifetime_value`.
        """
        if not isinstance(spend, (Hierarchy, Posterior, GammaGamma)):
            raise OptionError(
                f"option `spend`: is {_given(spend)}, neither draws of GammaGamma (`sample_hierarchy`, "
                '`laplace`, `sample_posterior` or `bootstrap` with model="GammaGamma") nor a fitted one'
            )
        options = {
            "customer": customer,
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "monetary_value": monetary_value,
            "periods": periods,
            "discount_rate": discount_rate,
            "margin": margin,
            "interval": interval,
            "most_draws": most_draws,
            "period": period,
            "on_invalid": on_invalid,
        }
        columns = [customer, frequency, recency, T, monetary_value, self.group, *self.covariates_]
        data, make = _frames.take(rfm, columns)
        run = _call.run(seed, threads, progress)
        found, dropped = _core.clv_lifetime_value(
            self._fitted, spend._fitted, data, _call.options(options), run
        )
        _frames.tell(report, make, dropped=dropped)
        return make(found)

    def _facts(self) -> dict[str, Any]:
        return {"groups": ", ".join(self.groups or [])}


def _rows(model: str | None, group: str | None, options: Mapping[str, Any]) -> list[str | None]:
    """The columns that draws of this model are made of, or checked by."""
    if _is(model, *_RETENTION):
        return []  # whether there is a column `cohort` is for the core to see
    roles = ("frequency", "monetary_value") if _is(model, _SPEND) else ("frequency", "recency", "T")
    return [*(options[role] for role in roles), options["weight"], group]


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
    coefficient_sd: float | None = None,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    weight: str | None = None,
    monetary_value: str = "monetary_value",
    contract: Mapping[str, Any] | None = None,
    covariates: Covariates | None = None,
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
        What `summarize` gives, with a column of groups; of models of retention, cohorts or customers as in
        their ``fit``.
    model : str, default "BetaGeo"
        The name of a model of purchases, ``"GammaGamma"``, ``"ShiftedBetaGeo"`` or ``"BetaDiscreteWeibull"``.
    group : str, default "group"
        The column of groups; of models of retention it may be that of cohorts.
    spread : float, default 0.5
        How far groups may lie apart: the scale of the half-normal prior of the deviation of log parameters.
    k, chains, draws, tune, target_accept, max_depth, prior, priors, coefficient_sd
        As in `sample_posterior`; the priors are those of the centre, and of coefficients.
    covariates : dict, optional
        Of models of purchases: what explains purchases and dropout, as in `sample_posterior`. Coefficients
        are common to all groups, whose parameters are those at the means over all customers.
    frequency, recency, T, weight, monetary_value, contract, period, on_invalid, seed, threads, progress
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
        "coefficient_sd": coefficient_sd,
        "frequency": frequency,
        "recency": recency,
        "T": T,
        "weight": weight,
        "monetary_value": monetary_value,
        "contract": contract,
        "covariates": covariates,
        "period": period,
        "on_invalid": on_invalid,
    }
    given = {name: value for name, value in sampling.items() if value is not None}
    options = {"group": group, "spread": spread, "sampling": given}
    columns = _rows(_call.same(model, str, "model"), group, sampling)
    columns += [] if _is(model, *_RETENTION) else _named(covariates)
    data, make = _frames.take(rfm, columns)
    run = _call.run(seed, threads, progress)
    native, dropped = _core.clv_posterior("hierarchy", model, data, _call.options(options), run)
    found = Hierarchy()
    found._native, found.dropped_ = native, make(dropped)
    found._restore(found._body())
    return found
