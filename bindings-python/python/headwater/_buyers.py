"""Models of purchases and dropout, fitted by maximum likelihood."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, ClassVar, Literal, Self, TypedDict

from . import _call, _core, _frames
from ._likelihood import _Likelihood
from ._spend import GammaGamma as GammaGamma  # pickles of earlier versions look for it here
from .errors import OptionError

_OnInvalid = Literal["error", "drop"]
#: Lower and upper; None where not finite, or where the data identify no parameter.
_Edges = tuple[float | None, float | None]


class Covariates(TypedDict, total=False):
    """Which columns explain purchases and dropout, and how; see ``fit``."""

    purchase: list[str]
    dropout: list[str]
    equal: list[str]
    references: dict[str, str]
    purchase_penalty: float
    dropout_penalty: float
    dropout_on: Literal["odds", "both", "separate"]


def _named(covariates: Covariates | None) -> list[str]:
    """The columns, each once."""
    given = covariates or {}
    if not isinstance(given, Mapping):
        raise OptionError(
            f"option `covariates`: is {covariates!r}; give a dict such as "
            '{"purchase": ["channel"], "dropout": []}'
        )
    return list(dict.fromkeys([*given.get("purchase", []), *given.get("dropout", [])]))


def given(model: Any) -> str:
    """What was given in a model's place, for an error."""
    return f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"


def _asked(frequency: Any, recency: Any, T: Any, periods: Any) -> tuple[float, float, float, float]:
    """One customer and a horizon, as numbers."""
    number = _call.number
    return (
        number("frequency", frequency),
        number("recency", recency),
        number("T", T),
        number("periods", periods),
    )


class Purchases(_Likelihood):
    """What all models of purchases and dropout share."""

    #: The columns of covariates.
    covariates_: Sequence[str] = ()
    #: What ``covariates`` of `fit` was.
    _asked_covariates: Covariates | None = None
    #: The column of the times between purchases that the model reads, where no other is named.
    _intervals: ClassVar[str | None] = None

    def __init__(self, penalty: float = 0.0, max_iterations: int = 200, tolerance: float = 1e-9) -> None:
        self.penalty = penalty
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def _restore(self, body: dict[str, Any]) -> None:
        self.penalty = body["penalty"]
        terms = (body.get("effects") or {}).get("terms", [])
        self.covariates_ = [term["name"] for covariate in terms for term in covariate.values()]

    def fit(
        self,
        rfm: Any,
        *,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        weight: str | None = None,
        log_intervals: str | None = None,
        covariates: Covariates | None = None,
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self:
        """Fits the model by maximum likelihood.

        Parameters
        ----------
        rfm : frame
            What `summarize` gives.
        frequency, recency, T : str
            Its columns.
        weight : str, optional
            The column of how many customers a row stands for.
        log_intervals : str, optional
            The column that ``summarize(log_intervals=True)`` gives: with it the log-likelihoods of regular
            models are complete, and those of different k can be compared. `ParetoGGG` needs it, and by
            default takes ``"log_intervals"``.
        covariates : dict, optional
            What explains purchases and dropout: ``purchase`` and ``dropout`` name columns of ``rfm``
            (numbers, truth values or names), ``equal`` those that have one coefficient for both,
            ``references`` the reference levels of names, ``purchase_penalty`` and ``dropout_penalty`` the λ
            of −½ λ γ² per customer on standardised covariates; ``dropout_on`` is ``"odds"``, ``"both"`` (as
            CLVTools) or ``"separate"`` (as pymc-marketing) for the models with dropout after a purchase. The
            model's parameters are then those of a customer whose covariates are at their means.
        period : str, timedelta or number of days, optional
            The unit of recency and T, to be kept with the model and checked later.
        on_invalid : {"error", "drop"}, default "error"
        threads, progress
            As in `summarize`.

        Returns
        -------
        self

        Raises
        ------
        NotConvergedError, NotEnoughDataError
        """
        options = {
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "weight": weight,
            "log_intervals": log_intervals,
            "covariates": covariates,
            "period": period,
            "on_invalid": on_invalid,
        }
        columns = [frequency, recency, T, weight, log_intervals or self._intervals, *_named(covariates)]
        self._fit(rfm, columns, options, _call.run(0, threads, progress))
        self._asked_covariates = covariates
        self._restore(self._body())
        return self

    @property
    def effects_verdict_(self) -> str | None:
        """``"interior"`` where all coefficients of covariates are finite; None without covariates.

        ``"monotone_likelihood"`` where one ran off, so that the data do not identify it. ``verdict_`` is the
        law's alone.
        """
        return self._fit_facts().get("effects_verdict")

    def at(self, **covariates: Any) -> Self:
        """The model of a kind of customer: ``model.at(channel="web", income=3)``.

        What it says of new customers, and of any history, is said of customers with these covariates.
        """
        frame = {name: [value] for name, value in covariates.items()}
        other = type(self)()
        data, _ = _frames.take(frame, list(frame))
        other._native = _core.clv_at(self._fitted, data)
        other._restore(other._body())
        return other

    def _tables(
        self,
        name: str,
        options: dict[str, Any],
        rfm: Any = None,
        columns: list[str | None] | None = None,
        run: Any = None,
    ) -> tuple[dict[str, Any], _frames.Maker]:
        run = run or _call.run()
        if rfm is None:
            found = _core.clv_report(self._fitted, name, _call.options(options), run)
            return dict(found), _frames.neutral
        data, make = _frames.take(rfm, [*(columns or []), *self.covariates_])
        found = _core.clv_report(self._fitted, name, _call.options(options), run, data)
        return dict(found), make

    def predict(
        self,
        rfm: Any,
        periods: _call.Horizon = 1.0,
        *,
        interval: float | None = None,
        purchase_interval: float | None = None,
        ahead: _call.Horizon | None = None,
        discount_rate: _call.Discount | None = None,
        next_purchase: float | None = None,
        rate: bool = False,
        probabilities: int | None = None,
        own_rates: bool = False,
        log_likelihood: bool = False,
        customer: str = "customer",
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        log_intervals: str | None = None,
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """Expected purchases in the coming periods, and the probability that a customer is still alive.

        Parameters
        ----------
        rfm : frame
            What `summarize` gives.
        periods : float, str or timedelta, default 1
            How many periods ahead, in the unit of recency and T; or a span such as ``"365d"`` or ``"month"``,
            where the model knows its period.
        interval : float, optional
            The level of an interval for the uncertainty of the parameters, such as 0.95; an edge that is not
            finite is missing. Models of given parameters have none.
        purchase_interval : float, optional
            The level of an interval for the purchases themselves (quantiles of their number).
        ahead : float, str or timedelta, optional
            Also P(alive) so many periods, or so long, after T.
        discount_rate : float or dict, optional
            Also purchases for ever, discounted by this rate per period, or per a span of its own,
            ``{"rate": 0.1, "per": "365d"}`` (DERT).
        next_purchase : float, optional
            Also the time until the next purchase: its quantile of this level, 0.5 for the median.
        rate : bool, default False
            Also the purchase rate while alive.
        probabilities : int, optional
            Also the probabilities of 0, 1, … so many purchases in the coming periods (probability_0, …), 1000
            at most.
        own_rates : bool, default False
            Also the posterior of the customer's own purchase rate, alive or not (own_rate, own_rate_sd), and
            of the own dropout (own_dropout, own_dropout_sd): the probability after a purchase (BG laws) or at
            an opportunity (BG/BB), the rate (Pareto laws), the eta of the Gompertz hazard.
        log_likelihood : bool, default False
            Also each customer's part of the log-likelihood at the model's parameters, fitted or given.
        customer, frequency, recency, T : str
            Columns.
        log_intervals : str, optional
            The column of the times between purchases, for `ParetoGGG`, which by default takes
            ``"log_intervals"`` where it is there, and knows less of its customers where it is not.
        period : str, timedelta or number of days, optional
            The unit of recency and T; where given, it must be the model's.
        on_invalid, report, threads, progress
            As in `summarize`.

        Returns
        -------
        frame
            customer, expected_purchases (missing where infinite: `ParetoGGG` with t up to 1, of new
            customers), p_alive; if asked for purchases_low, purchases_high, p_alive_ahead,
            residual_purchases, next_purchase, purchase_rate, probability_0, …; with ``interval`` the ``_low``
            and ``_high`` of all but the purchases themselves. next_purchase or an edge of it is missing where
            a purchase may never come.
        """
        options = {
            "customer": customer,
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "periods": periods,
            "interval": interval,
            "purchase_interval": purchase_interval,
            "ahead": ahead,
            "discount_rate": discount_rate,
            "next_purchase": next_purchase,
            "rate": rate or None,
            "probabilities": probabilities,
            "own_rates": own_rates or None,
            "log_likelihood": log_likelihood or None,
            "log_intervals": log_intervals,
            "period": period,
            "on_invalid": on_invalid,
        }
        columns: list[str | None] = [customer, frequency, recency, T, log_intervals or self._intervals]
        found, make = self._tables("predict", options, rfm, columns, _call.run(0, threads, progress))
        _frames.tell(report, make, dropped=found["dropped"])
        return make(found["predict"])

    def score(self, frequency: float, recency: float, T: float, periods: float = 1.0) -> tuple[float, float]:
        """(expected purchases, probability of being alive) of one customer, in microseconds."""
        return _core.clv_score(self._fitted, *_asked(frequency, recency, T, periods))

    def probabilities(
        self, frequency: float, recency: float, T: float, periods: float = 1.0, most: int = 10
    ) -> list[float]:
        """The probabilities that one customer buys 0, 1, … ``most`` times in the coming periods."""
        asked = _asked(frequency, recency, T, periods)
        return _core.clv_probabilities(self._fitted, *asked, _call.whole("most", most))

    def new_customer(self, periods: float = 1.0, most: int = 10) -> tuple[float, list[float]]:
        """Of a customer not yet seen: expected purchases, and the probabilities of 0, 1, … ``most``."""
        return self.score(0, 0, 0, periods)[0], self.probabilities(0, 0, 0, periods, most)

    def score_interval(
        self, frequency: float, recency: float, T: float, periods: float = 1.0, interval: float = 0.95
    ) -> tuple[_Edges, _Edges]:
        """The intervals (low, high) of both numbers of `score`, by the uncertainty of the parameters.

        Parameters
        ----------
        frequency, recency, T, periods
            As in `score`.
        interval : float, default 0.95
            Their level.

        Returns
        -------
        tuple
            Of expected purchases (delta method on the log scale) and of the probability of being alive (on
            the logit scale): those of ``predict(interval=…)``. An edge that is not finite is None.

        Raises
        ------
        OptionError
            The parameters were given, so nothing is known of their errors.
        """
        asked = _asked(frequency, recency, T, periods)
        return _core.clv_score_interval(self._fitted, *asked, _call.number("interval", interval))

    def probabilities_interval(
        self,
        frequency: float,
        recency: float,
        T: float,
        periods: float = 1.0,
        most: int = 10,
        interval: float = 0.95,
    ) -> list[_Edges]:
        """The intervals (low, high) of `probabilities`, by the uncertainty of the parameters."""
        asked, level = _asked(frequency, recency, T, periods), _call.number("interval", interval)
        return _core.clv_probabilities_interval(self._fitted, *asked, _call.whole("most", most), level)

    def new_customer_interval(
        self, periods: float = 1.0, most: int = 10, interval: float = 0.95
    ) -> tuple[_Edges, list[_Edges]]:
        """The intervals (low, high) of what `new_customer` says, by the uncertainty of the parameters."""
        purchases, _ = self.score_interval(0, 0, 0, periods, interval)
        return purchases, self.probabilities_interval(0, 0, 0, periods, most, interval)

    def frequencies(
        self,
        rfm: Any,
        *,
        most: int = 7,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        weight: str | None = None,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """Customers by their number of repeat purchases, beside what the model expects.

        Parameters
        ----------
        rfm : frame
            What `summarize` gives.
        most : int, default 7
            The last row is this many purchases or more.
        frequency, recency, T, weight, on_invalid, threads, progress
            As in `fit`.
        report : dict, optional
            Is given the frames "goodness_of_fit" (Pearson's chi_squared, degrees_of_freedom, p) and
            "dropped".

        Returns
        -------
        frame
            purchases (the last row is ``most`` or more), actual, expected, residual (standardised).
        """
        options = {
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "weight": weight,
            "most": most,
            "on_invalid": on_invalid,
        }
        columns = [frequency, recency, T, weight]
        found, make = self._tables("frequencies", options, rfm, columns, _call.run(0, threads, progress))
        goodness = found["goodness_of_fit"]
        _frames.tell(report, make, dropped=found["dropped"], goodness_of_fit=goodness)
        return make(found["frequencies"])

    def check(
        self,
        rfm: Any,
        *,
        most: int = 7,
        bins: int = 8,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        frequency_holdout: str = "frequency_holdout",
        duration_holdout: str = "duration_holdout",
        cohort: str | None = None,
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """The forecast beside the holdout: each customer, cohorts and the total.

        Parameters
        ----------
        rfm : frame
            What `summarize` gives with ``calibration_end``.
        most : int, default 7
            The last bin of frequencies is this many purchases or more.
        bins : int, default 8
            How many bins of recency and of T.
        frequency, recency, T, frequency_holdout, duration_holdout : str
            Columns.
        cohort : str, optional
            The column of cohorts, such as ``summarize(cohort="month")`` gives; cohorts are bins of T without.
        period, on_invalid, threads, progress
            As in `predict`.
        report : dict, optional
            Is given the frames "by_frequency", "by_recency", "by_age" and "deciles" (customers, mean actual
            and expected purchases of each bin), and with ``cohort`` "by_cohort" (customers, all actual and
            expected purchases, bias, relative_bias, mae, rmse).

        Returns
        -------
        frame
            level, mae, rmse, bias, and for customers spearman, gini, gini_normalised.
        """
        options = {
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "frequency_holdout": frequency_holdout,
            "duration_holdout": duration_holdout,
            "cohort": cohort,
            "most": most,
            "bins": bins,
            "period": period,
            "on_invalid": on_invalid,
        }
        columns: list[str | None] = [frequency, recency, T, frequency_holdout, duration_holdout, cohort]
        columns.append(self._intervals)
        found, make = self._tables("check", options, rfm, columns, _call.run(0, threads, progress))
        _frames.tell(report, make, **{name: table for name, table in found.items() if name != "check"})
        return make(found["check"])


def law(model: Any, name: str = "model") -> None:
    """Refuses what is no law of purchases, with what to do instead."""
    if isinstance(model, Purchases):
        return
    instead = "fit one, such as hw.clv.ParetoNBD().fit(rfm)"
    if (more := _INSTEAD.get(type(model).__name__)) is not None:
        instead = f"{instead}; {more}"
    raise OptionError(
        f"option `{name}`: is {given(model)}, not a fitted law of purchases (BetaGeo, ModifiedBetaGeo, "
        "BetaGeoCNBD, ModifiedBetaGeoCNBD, ParetoNBD, GGompertzNBD, ParetoGGG, AbeParetoNBD, "
        f"BetaGeoBetaBinomial, NBD): {instead}"
    )


#: What models that are no laws have in a law's place.
_INSTEAD = {
    "Posterior": "draws have their own predict(rfm, periods) and lifetime_value(spend, rfm)",
    "Hierarchy": "draws have their own predict(rfm, periods) and lifetime_value(spend, rfm)",
    "DynamicParetoNBD": "it has its own predict and lifetime_value(spend, orders, along)",
}


class NBD(Purchases):
    """The NBD model: purchases at random, and nobody leaves (Ehrenberg 1959).

    What the laws with dropout are where nobody drops out: P(alive) is 1, and when a customer bought last
    tells nothing. `compare` tells whether dropout is needed.

    Parameters
    ----------
    penalty : float, default 0
        Weight of an L2 penalty, per customer, on the logarithms of the parameters.
    max_iterations : int, default 200
        Most Newton steps, where ten are usual.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        r, alpha.
    log_likelihood_ : float
    verdict_ : str
    dropped_ : frame

    Examples
    --------
    >>> hw.clv.compare(rfm, ["NBD", "BetaGeo", "ParetoNBD"])
    """

    _kind = "clv.NBD"

    @classmethod
    def from_params(cls, r: float, alpha: float, period: _call.Span | None = None) -> Self:
        """A model with given parameters, for example published ones."""
        return cls._given({"r": r, "alpha": alpha}, period)


class _Regular(Purchases):
    """A model of purchases at every k-th tick."""

    def __init__(
        self, k: int = 2, penalty: float = 0.0, max_iterations: int = 200, tolerance: float = 1e-9
    ) -> None:
        super().__init__(penalty, max_iterations, tolerance)
        self.k = k

    def _restore(self, body: dict[str, Any]) -> None:
        super()._restore(body)
        self.k = body.get("k", 1)


class BetaGeo(Purchases):
    """The BG/NBD model of purchases and dropout (Fader, Hardie & Lee 2005).

    Parameters
    ----------
    penalty : float, default 0
        Weight of an L2 penalty, per customer, on the logarithms of the parameters.
    max_iterations : int, default 200
        Most Newton steps, where ten are usual.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        r, alpha, a, b; alpha is in periods.
    log_likelihood_ : float
    verdict_ : str
    dropped_ : frame

    Examples
    --------
    >>> rfm = hw.clv.summarize(orders, period="7d")
    >>> model = hw.clv.BetaGeo().fit(rfm)
    >>> model.predict(rfm, periods=39)
    """

    _kind = "clv.BetaGeo"

    @classmethod
    def from_params(
        cls, r: float, alpha: float, a: float, b: float, period: _call.Span | None = None
    ) -> Self:
        """A model with given parameters, for example published ones."""
        return cls._given({"r": r, "alpha": alpha, "a": a, "b": b}, period)


class ModifiedBetaGeo(Purchases):
    """The MBG/NBD model: customers may drop out after the first purchase too (Batislam et al. 2007).

    Parameters
    ----------
    penalty : float, default 0
        Weight of an L2 penalty, per customer, on the logarithms of the parameters.
    max_iterations : int, default 200
        Most Newton steps, where ten are usual.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        r, alpha, a, b; alpha is in periods.
    log_likelihood_ : float
    verdict_ : str
    dropped_ : frame

    Examples
    --------
    >>> rfm = hw.clv.summarize(orders, period="7d")
    >>> model = hw.clv.ModifiedBetaGeo().fit(rfm)
    >>> model.predict(rfm, periods=39)
    """

    _kind = "clv.ModifiedBetaGeo"

    @classmethod
    def from_params(
        cls, r: float, alpha: float, a: float, b: float, period: _call.Span | None = None
    ) -> Self:
        """A model with given parameters, for example published ones."""
        return cls._given({"r": r, "alpha": alpha, "a": a, "b": b}, period)


class ParetoNBD(Purchases):
    """The Pareto/NBD model: customers may drop out at any time (Schmittlein, Morrison & Colombo 1987).

    Parameters
    ----------
    penalty : float, default 0
        Weight of an L2 penalty, per customer, on the logarithms of the parameters.
    max_iterations : int, default 200
        Most Newton steps, where ten are usual.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        r, alpha, s, beta; alpha and beta are in periods.
    log_likelihood_ : float
    verdict_ : str
    dropped_ : frame

    Examples
    --------
    >>> rfm = hw.clv.summarize(orders, period="7d")
    >>> model = hw.clv.ParetoNBD().fit(rfm)
    >>> model.predict(rfm, periods=39)
    """

    _kind = "clv.ParetoNBD"

    @classmethod
    def from_params(
        cls, r: float, alpha: float, s: float, beta: float, period: _call.Span | None = None
    ) -> Self:
        """A model with given parameters, for example published ones."""
        return cls._given({"r": r, "alpha": alpha, "s": s, "beta": beta}, period)


class BetaGeoCNBD(_Regular):
    """The BG/CNBD-k model: BG/NBD with regular purchases (Platzer & Reutterer 2016).

    Parameters
    ----------
    k : int, default 2
        Ticks between purchases; 1 is purchases at random. How regular they are.
    penalty : float, default 0
        Weight of an L2 penalty, per customer, on the logarithms of the parameters.
    max_iterations : int, default 200
        Most Newton steps, where ten are usual.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        r, alpha, a, b; alpha is in periods.
    log_likelihood_ : float
    verdict_ : str
    dropped_ : frame

    Examples
    --------
    >>> rfm = hw.clv.summarize(orders, period="7d")
    >>> model = hw.clv.BetaGeoCNBD().fit(rfm)
    >>> model.predict(rfm, periods=39)
    """

    _kind = "clv.BetaGeoCNBD"

    @classmethod
    def from_params(
        cls, r: float, alpha: float, a: float, b: float, period: _call.Span | None = None, k: int = 2
    ) -> Self:
        """A model with given parameters, for example published ones."""
        return cls._given({"r": r, "alpha": alpha, "a": a, "b": b}, period, k)


class ModifiedBetaGeoCNBD(_Regular):
    """The MBG/CNBD-k model: MBG/NBD with regular purchases (Platzer & Reutterer 2016).

    Parameters
    ----------
    k : int, default 2
        Ticks between purchases; 1 is purchases at random. How regular they are.
    penalty : float, default 0
        Weight of an L2 penalty, per customer, on the logarithms of the parameters.
    max_iterations : int, default 200
        Most Newton steps, where ten are usual.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        r, alpha, a, b; alpha is in periods.
    log_likelihood_ : float
    verdict_ : str
    dropped_ : frame

    Examples
    --------
    >>> rfm = hw.clv.summarize(orders, period="7d")
    >>> model = hw.clv.ModifiedBetaGeoCNBD().fit(rfm)
    >>> model.predict(rfm, periods=39)
    """

    _kind = "clv.ModifiedBetaGeoCNBD"

    @classmethod
    def from_params(
        cls, r: float, alpha: float, a: float, b: float, period: _call.Span | None = None, k: int = 2
    ) -> Self:
        """A model with given parameters, for example published ones."""
        return cls._given({"r": r, "alpha": alpha, "a": a, "b": b}, period, k)


class GGompertzNBD(Purchases):
    """The GGompertz/NBD model: dropout at a rate that grows with age (Bemmaor & Glady 2012).

    Parameters
    ----------
    penalty : float, default 0
        Weight of an L2 penalty, per customer, on the logarithms of the parameters.
    max_iterations : int, default 200
        Most Newton steps, where ten are usual.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        r, alpha, b, s, beta; alpha is in periods, b per period.
    log_likelihood_ : float
    verdict_ : str
    dropped_ : frame

    Examples
    --------
    >>> rfm = hw.clv.summarize(orders, period="7d")
    >>> model = hw.clv.GGompertzNBD().fit(rfm)
    >>> model.predict(rfm, periods=39)
    """

    _kind = "clv.GGompertzNBD"

    @classmethod
    def from_params(
        cls, r: float, alpha: float, b: float, s: float, beta: float, period: _call.Span | None = None
    ) -> Self:
        """A model with given parameters, for example published ones."""
        return cls._given({"r": r, "alpha": alpha, "b": b, "s": s, "beta": beta}, period)


class ParetoGGG(Purchases):
    """The Pareto/GGG model: purchases as regular as each customer has them (Platzer & Reutterer 2016).

    `ParetoNBD` where times between purchases are Gamma(k, k λ), and k, 1 for purchases at random, differs
    from customer to customer. It learns k from the column that ``summarize(log_intervals=True)`` gives.
    Fitted by maximum likelihood, without draws.

    Parameters
    ----------
    penalty : float, default 0
        Weight of an L2 penalty, per customer, on the logarithms of the parameters.
    max_iterations : int, default 200
        Most Newton steps, where ten are usual.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        t, gamma (regularity: k has the mean t / gamma), r, alpha (purchases), s, beta (dropout); alpha and
        beta are in periods.
    log_likelihood_ : float
        That of the times between purchases too: `ParetoNBD` is within it, and their likelihoods compare.
    verdict_ : str
    dropped_ : frame

    Notes
    -----
    `score` and `probabilities` take no times between purchases and average over what they may have been.
    Where t is 1 or less, the expected purchases of a new customer are infinite.

    Examples
    --------
    >>> rfm = hw.clv.summarize(orders, period="7d", log_intervals=True)
    >>> model = hw.clv.ParetoGGG().fit(rfm)
    >>> model.predict(rfm, periods=39)
    """

    _kind = "clv.ParetoGGG"
    _intervals = "log_intervals"

    @classmethod
    def from_params(
        cls,
        t: float,
        gamma: float,
        r: float,
        alpha: float,
        s: float,
        beta: float,
        period: _call.Span | None = None,
    ) -> Self:
        """A model with given parameters, for example published ones."""
        return cls._given({"t": t, "gamma": gamma, "r": r, "alpha": alpha, "s": s, "beta": beta}, period)


class AbeParetoNBD(Purchases):
    """Abe's hierarchical Pareto/NBD: log-normal rates of purchases and of dropout, correlated (Abe 2009).

    `ParetoNBD` where the logarithms of a customer's purchase rate and dropout rate are jointly normal over
    customers. Fitted by maximum likelihood, both rates integrated out, without draws.

    Parameters
    ----------
    penalty : float, default 0
        Weight of an L2 penalty, per customer, on the logarithms of the parameters.
    max_iterations : int, default 200
        Most Newton steps, where ten are usual.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        lambda, mu (median rates per period), sigma_lambda, sigma_mu (standard deviations of their
        logarithms), odds (of the correlation: (1 + rho) / (1 - rho)).
    correlation_ : float
        rho, that of the logarithms of both rates; its limits are in `correlation`.
    log_likelihood_ : float
    verdict_ : str
    dropped_ : frame

    Examples
    --------
    >>> rfm = hw.clv.summarize(orders, period="7d")
    >>> model = hw.clv.AbeParetoNBD().fit(rfm)
    >>> model.predict(rfm, periods=39)
    """

    _kind = "clv.AbeParetoNBD"

    @classmethod
    def from_params(
        cls,
        lambda_: float,
        sigma_lambda: float,
        mu: float,
        sigma_mu: float,
        odds: float = 1.0,
        period: _call.Span | None = None,
    ) -> Self:
        """A model with given parameters, for example published ones; odds of 1 are no correlation."""
        values = {
            "lambda_": lambda_,
            "sigma_lambda": sigma_lambda,
            "mu": mu,
            "sigma_mu": sigma_mu,
            "odds": odds,
        }
        return cls._given(values, period)

    def correlation(self) -> Any:
        """The correlation of ln lambda and ln mu over customers, as a frame: correlation, low, high (95 %).

        low and high are missing where nothing is known of its error.
        """
        found, make = self._tables("correlation", {})
        return make(found["correlation"])

    @property
    def correlation_(self) -> float:
        """The correlation of ln lambda and ln mu over customers."""
        found, _ = self._tables("correlation", {})
        return float(_frames.Frame(found["correlation"])["correlation"][0])


class BetaGeoBetaBinomial(Purchases):
    """The BG/BB model: purchases at discrete opportunities (Fader, Hardie & Shang 2010).

    recency is the opportunity of the last purchase, T how many there were.

    Parameters
    ----------
    penalty : float, default 0
        Weight of an L2 penalty, per customer, on the logarithms of the parameters.
    max_iterations : int, default 200
        Most Newton steps, where ten are usual.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        alpha, beta (purchases), gamma, delta (dropout).
    log_likelihood_ : float
    verdict_ : str
    dropped_ : frame

    Examples
    --------
    >>> rfm = hw.clv.summarize(orders, period="7d")
    >>> model = hw.clv.BetaGeoBetaBinomial().fit(rfm)
    >>> model.predict(rfm, periods=39)
    """

    _kind = "clv.BetaGeoBetaBinomial"

    @classmethod
    def from_params(
        cls, alpha: float, beta: float, gamma: float, delta: float, period: _call.Span | None = None
    ) -> Self:
        """A model with given parameters, for example published ones."""
        return cls._given({"alpha": alpha, "beta": beta, "gamma": gamma, "delta": delta}, period)
