"""Covariates that change while customers live: purchases, dropout and spend along them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, Self, TypedDict, Unpack

from . import _call, _core, _frames
from ._buyers import Covariates, _named
from ._buyers import given as given_instead
from ._likelihood import _Likelihood
from ._posterior import Posterior
from ._spend import GammaGamma
from .errors import OptionError


class Sources(TypedDict, total=False):
    """How orders and covariates are read.

    ``customer`` and ``time`` name columns of both frames (``"customer"``, ``"time"``; a row of covariates
    holds from its time to the customer's next one), ``value`` the orders' amounts, ``grain`` merges purchases
    (1 day), ``observation_end`` is the last moment observed (the last order); ``refunds``, ``time_unit`` and
    ``on_invalid`` are as in `summarize`.
    """

    customer: str
    time: str
    value: str | None
    refunds: Literal["error", "drop", "net"]
    grain: _call.Span
    observation_end: _call.When | None
    time_unit: Literal["s", "ms", "us", "ns"] | None
    on_invalid: Literal["error", "drop"]


def _sources(given: Mapping[str, Any]) -> dict[str, Any]:
    out = {name: value for name, value in given.items() if value is not None}
    if "observation_end" in out:
        out["observation_end"] = _call.when(out["observation_end"])
    return out


class _Dynamic(_Likelihood):
    """A model along covariates."""

    #: The rows dropped of covariates by ``on_invalid="drop"``.
    dropped_covariates_: Any = None
    #: The columns of covariates.
    covariates_: Sequence[str] = ()

    @property
    def effects_verdict_(self) -> str:
        """``"interior"`` where all coefficients of covariates are finite.

        ``"monotone_likelihood"`` where one ran off, so that the data do not identify it.
        """
        return str(self._fit_facts()["effects_verdict"])

    @property
    def means_(self) -> dict[str, float]:
        """The covariates of a customer whose parameters are those of the law: their means in a fit."""
        return {
            column: mean
            for term in self._terms(self._body())
            for column, mean in (
                [(term["name"], term["mean"])]
                if "mean" in term
                else [
                    (f"{term['name']}[{level}]", mean)
                    for level, mean in zip(term["levels"], term["means"], strict=True)
                ]
            )
        }

    @property
    def references_(self) -> dict[str, str]:
        """The reference level of each column of names."""
        return {term["name"]: term["reference"] for term in self._terms(self._body()) if "reference" in term}

    @staticmethod
    def _terms(body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The covariates of a model's file."""
        terms = (body.get("effects") or body["slopes"])["terms"]
        return [term for covariate in terms for term in covariate.values()]

    @classmethod
    def _from_options(cls, options: Mapping[str, Any]) -> Self:
        out = cls()
        out._native = _core.clv_dynamic_given(cls._kind, _call.options(options))
        out._restore(out._body())
        return out

    def _columns(self, sources: Mapping[str, Any]) -> tuple[list[str | None], list[str | None]]:
        """Those that are read of orders and of covariates."""
        customer, time = sources.get("customer", "customer"), sources.get("time", "time")
        return [customer, time, sources.get("value") or "value"], [customer, time, *self.covariates_]

    def _fit_along(
        self, orders: Any, covariates: Any, options: dict[str, Any], sources: Sources, run: _call.Run
    ) -> Self:
        given = _sources(sources)
        of_orders, of_covariates = self._columns(given)
        data, make = _frames.take(orders, _there(orders, of_orders))
        along, make_along = _frames.take(covariates, _there(covariates, of_covariates))
        options = self._params() | options | {"sources": given}
        found = _core.clv_dynamic_fit(self._kind, data, along, _call.options(options), run)
        self._native, self.dropped_, self.dropped_covariates_ = found[0], make(found[1]), make_along(found[2])
        return self

    def _ask(
        self,
        name: str,
        orders: Any,
        covariates: Any,
        options: dict[str, Any],
        sources: Sources,
        report: MutableMapping[str, Any] | None,
        run: _call.Run,
    ) -> Any:
        given = _sources(sources)
        of_orders, of_covariates = self._columns(given)
        data, make = (None, None) if orders is None else _frames.take(orders, _there(orders, of_orders))
        along, make_along = _frames.take(covariates, _there(covariates, of_covariates))
        text = _call.options(options | {"sources": given})
        found = dict(_core.clv_dynamic_report(self._fitted, name, data, along, text, run))
        main = found.pop(name if name in found else "predict")
        _frames.tell(report, make or make_along, level=4, **found)
        return (make or make_along)(main)


def _there(frame: Any, columns: list[str | None]) -> list[str | None]:
    """Of the columns that may be missing, those that are there."""
    names = getattr(frame, "columns", None)
    if names is None or callable(names):
        return columns
    known = {str(name) for name in getattr(frame, "column_names", names)}
    return [name for name in columns if name in known or name not in ("time", "value")]


class DynamicParetoNBD(_Dynamic):
    """Pareto/NBD with covariates that change: seasons, campaigns, prices (Bachmann, Meierer & Näf 2021).

    Parameters
    ----------
    penalty : float, default 0
        Weight of an L2 penalty, per customer, on the logarithms of the parameters.
    max_iterations : int, default 200
        Most Newton steps.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        r, alpha, s, beta (of a customer whose covariates are at their means), and the coefficients
        ``purchase:…``, ``dropout:…``, ``equal:…``.
    log_likelihood_ : float
    verdict_ : str
    dropped_, dropped_covariates_ : frame

    Examples
    --------
    >>> model = hw.clv.DynamicParetoNBD().fit(orders, weeks, covariates={"purchase": ["season"]}, period="7d")
    >>> model.predict(orders, weeks, periods=13)
    """

    _kind = "clv.DynamicParetoNBD"

    def __init__(self, penalty: float = 0.0, max_iterations: int = 200, tolerance: float = 1e-9) -> None:
        self.penalty = penalty
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def _restore(self, body: dict[str, Any]) -> None:
        self.penalty = body["penalty"]
        self.covariates_ = [term["name"] for term in self._terms(body)]

    @classmethod
    def from_params(
        cls,
        params: Mapping[str, float],
        *,
        means: Mapping[str, float] | None = None,
        references: Mapping[str, str] | None = None,
        period: _call.Span = "1d",
    ) -> Self:
        """A model with given parameters, for example published ones: it has no errors and no likelihood.

        Parameters
        ----------
        params : dict
            r, alpha, s, beta, and the coefficients as ``params_`` of a fit names them: ``purchase:season``,
            ``dropout:plan[plus]``, ``equal:price``.
        means : dict, optional
            The covariates of a customer whose parameters are r, alpha, s and beta, by column or
            ``column[level]``; in a fit they are the means, ``means_``. 0 of those that are not named.
        references : dict, optional
            The reference level of each column of names, such as ``{"plan": "basic"}``.
        period : str, timedelta or number of days, default "1d"
            The unit of time of the parameters.

        Examples
        --------
        >>> published = {"r": 0.9, "alpha": 6.0, "s": 0.6, "beta": 12.0, "purchase:season": 0.7}
        >>> model = hw.clv.DynamicParetoNBD.from_params(published, period="7d")
        """
        return cls._from_options(
            {"params": params, "means": means, "references": references, "period": period}
        )

    def fit(
        self,
        orders: Any,
        along: Any,
        *,
        covariates: Covariates,
        period: _call.Span = "1d",
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Self:
        """Fits the model by maximum likelihood.

        Parameters
        ----------
        orders : frame
            One row an order: customer, time.
        along : frame
            Covariates: customer, time, and their columns. A row holds from its time to the customer's next
            row, the last one for ever; without ``time`` it holds always.
        covariates : dict
            Which columns explain what, as in the ``fit`` of models of purchases.
        period : str, timedelta or number of days, default "1d"
            The unit of time of the model.
        threads, progress
            As in `summarize`.
        **sources
            How both frames are read: customer, time, value, refunds, grain, observation_end, time_unit,
            on_invalid.

        Returns
        -------
        self
        """
        self.covariates_ = _named(covariates)
        options = {"covariates": covariates, "period": period}
        return self._fit_along(orders, along, options, sources, _call.run(0, threads, progress))

    def posterior(
        self,
        orders: Any,
        along: Any,
        method: Literal["nuts", "laplace", "bootstrap"] = "nuts",
        *,
        covariates: Covariates,
        period: _call.Span = "1d",
        chains: int | None = None,
        draws: int | None = None,
        tune: int | None = None,
        target_accept: float | None = None,
        max_depth: int | None = None,
        prior: Literal["weak", "flat"] | None = None,
        priors: Mapping[str, Mapping[str, float]] | None = None,
        coefficient_sd: float | None = None,
        replicates: int | None = None,
        seed: int = 0,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Posterior:
        """Draws of the parameters and coefficients: what `sample_posterior`, `laplace` and `bootstrap` give.

        This model need not be fitted; its ``penalty`` counts in a bootstrap alone.

        Parameters
        ----------
        orders, along : frame
            As in `fit`.
        method : {"nuts", "laplace", "bootstrap"}, default "nuts"
            The no-U-turn sampler; a normal about the greatest density; refits on customers drawn again.
        covariates, period
            As in `fit`; a posterior has priors in place of penalties.
        chains, draws, tune, target_accept, max_depth, prior, priors, coefficient_sd : optional
            As in `sample_posterior`, not of a bootstrap.
        replicates : int, optional
            Refits of a bootstrap, 1000 by default.
        seed, threads, progress, **sources
            As in `sample_posterior` and `fit`.

        Returns
        -------
        Posterior
            Its `Posterior.predict_along` takes orders and ``along``.
        """
        given = _sources(sources)
        customer, time = given.get("customer", "customer"), given.get("time", "time")
        data, make = _frames.take(orders, _there(orders, [customer, time, given.get("value") or "value"]))
        told, _ = _frames.take(along, _there(along, [customer, time, *_named(covariates)]))
        options = self._params() | {
            "covariates": covariates,
            "period": period,
            "chains": chains,
            "draws": draws,
            "tune": tune,
            "target_accept": target_accept,
            "max_depth": max_depth,
            "prior": prior,
            "priors": priors,
            "coefficient_sd": coefficient_sd,
            "replicates": replicates,
            "sources": given,
        }
        run = _call.run(seed, threads, progress)
        native, dropped, _ = _core.clv_dynamic_posterior(method, data, told, _call.options(options), run)
        out = Posterior()
        out._native, out.dropped_ = native, make(dropped)
        out._restore(out._body())
        return out

    def predict(
        self,
        orders: Any,
        along: Any,
        periods: _call.Horizon = 1.0,
        *,
        interval: float | None = None,
        discount_rate: _call.Discount | None = None,
        ahead: _call.Horizon | None = None,
        next_purchase: float | None = None,
        rate: bool = False,
        probabilities: int | None = None,
        own_rates: bool = False,
        log_likelihood: bool = False,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any:
        """Purchases expected in the coming periods, by what ``along`` says of then.

        Parameters
        ----------
        orders, along : frame
            As in `fit`; ``along`` with rows for the time to come.
        periods : float, str or timedelta, default 1
            How many periods after the end of observation, or how long, such as ``"365d"``.
        interval : float, optional
            The level of an interval for the uncertainty of the parameters, such as 0.95.
        discount_rate : float or dict, optional
            Also these purchases discounted by this rate per period, or per a span of its own,
            ``{"rate": 0.1, "per": "365d"}`` (DECT), and above 0 those for ever (DERT).
        ahead : float, str or timedelta, optional
            Also P(alive) so many periods, or so long, after the end of observation.
        next_purchase : float, optional
            Also the time by which a customer has bought again with this probability.
        rate : bool, default False
            Also the purchase rate while alive, by what holds at the end of observation.
        probabilities : int, optional
            Also the probabilities of 0, 1, … so many purchases in the coming periods.
        own_rates : bool, default False
            Also the posterior of the customer's own purchase rate and dropout, by what holds at the end of
            observation: means and standard deviations.
        log_likelihood : bool, default False
            Also each customer's part of the log-likelihood.
        report, threads, progress, **sources
            As in `summarize` and `fit`.

        Returns
        -------
        frame
            customer, expected_purchases, p_alive, with ``discount_rate`` discounted_purchases and
            residual_purchases; p_alive_ahead, next_purchase, purchase_rate, probability_0, …, own_rate,
            own_rate_sd, own_dropout, own_dropout_sd and log_likelihood where asked for; with ``interval`` the
            ``_low`` and ``_high`` of all but the last five.
        """
        options = {
            "periods": periods,
            "interval": interval,
            "discount_rate": discount_rate,
            "ahead": ahead,
            "next_purchase": next_purchase,
            "rate": rate,
            "probabilities": probabilities,
            "own_rates": own_rates,
            "log_likelihood": log_likelihood,
        }
        run = _call.run(0, threads, progress)
        return self._ask("predict", orders, along, options, sources, report, run)

    def new_customers(
        self,
        along: Any,
        periods: _call.Horizon = 1.0,
        *,
        interval: float | None = None,
        discount_rate: _call.Discount | None = None,
        ahead: _call.Horizon | None = None,
        next_purchase: float | None = None,
        rate: bool = False,
        probabilities: int | None = None,
        own_rates: bool = False,
        log_likelihood: bool = False,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any:
        """The same of customers who are new at the time of their first row of ``along``.

        Returns
        -------
        frame
            customer, expected_purchases, p_alive (at the end of the periods), and what was asked for.
        """
        options = {
            "periods": periods,
            "interval": interval,
            "discount_rate": discount_rate,
            "ahead": ahead,
            "next_purchase": next_purchase,
            "rate": rate,
            "probabilities": probabilities,
            "own_rates": own_rates,
            "log_likelihood": log_likelihood,
        }
        run = _call.run(0, threads, progress)
        return self._ask("new_customers", None, along, options, sources, report, run)

    def check(
        self,
        orders: Any,
        along: Any,
        calibration_end: _call.When,
        *,
        most: int = 7,
        bins: int = 8,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any:
        """The forecast beside the purchases of a holdout, as of the ``check`` of models of purchases.

        Parameters
        ----------
        orders, along : frame
            As in `fit`, the orders of the holdout among them. Fit the model to those before.
        calibration_end : str or datetime
            What each customer is expected to do afterwards, by what was known until then and by ``along``.
        most : int, default 7
            The last bin of frequencies is this many purchases or more.
        bins : int, default 8
            How many bins of recency and of T.
        report : dict, optional
            Is given the frames "by_frequency", "by_recency", "by_age", "deciles" and "dropped".
        threads, progress, **sources
            As in `summarize` and `fit`; the holdout ends with ``observation_end``.

        Returns
        -------
        frame
            level, mae, rmse, bias, and for customers spearman, gini, gini_normalised.
        """
        options = {"calibration_end": _call.when(calibration_end), "most": most, "bins": bins}
        run = _call.run(0, threads, progress)
        return self._ask("check", orders, along, options, sources, report, run)

    def tracking(
        self,
        orders: Any,
        along: Any,
        *,
        interval: float | None = None,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any:
        """Actual and expected repeat purchases of all customers, period after period, as of `tracking`.

        Parameters
        ----------
        orders, along : frame
            As in `fit`. Give orders beyond those that the model was fitted on, and the rest is a forecast.
        interval : float, optional
            The level of bounds within which actual purchases lie if the model is right, such as 0.9.
        report, threads, progress, **sources
            As in `summarize` and `fit`.

        Returns
        -------
        frame
            period_end, actual, expected, actual_cumulative, expected_cumulative; with ``interval``
            expected_low, expected_high, expected_cumulative_low, expected_cumulative_high.
        """
        run = _call.run(0, threads, progress)
        return self._ask("tracking", orders, along, {"interval": interval}, sources, report, run)

    def lifetime_value(
        self,
        spend: GammaGamma | DynamicGammaGamma | Posterior,
        orders: Any,
        along: Any,
        *,
        periods: _call.Horizon = 52,
        discount_rate: _call.Discount = 0.0,
        margin: float = 1.0,
        interval: float | None = None,
        most_draws: int = 400,
        seed: int = 0,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any:
        """The discounted value of each customer's coming purchases, by what ``along`` says of then.

        Parameters
        ----------
        spend : GammaGamma, DynamicGammaGamma or Posterior
            What a purchase is worth: the same at all times, or by what holds when it is made; then ``along``
            has the covariates of both models. Of draws of `GammaGamma` spend and value are means over them.
        orders, along : frame
            As in `fit`; the orders with their amounts.
        periods : int, str or timedelta, default 52
            How many periods after the end of observation are valued, or a span of a whole number of them.
        discount_rate : float or dict, default 0
            Per period of the model, or per a span of its own, ``{"rate": 0.1, "per": "365d"}``. Purchases of
            a period are discounted as if made at its end.
        margin : float, default 1
            The share of the spend that is profit.
        interval : float, optional
            The level of an interval of the value for the uncertainty of the parameters of both models.
        most_draws : int, default 400
            Of draws of spend, at most so many are looked at, evenly spaced.
        seed : int, default 0
            Decides what is drawn of purchases beside draws of spend.
        report, threads, progress, **sources
            As in `summarize` and `fit`.

        Returns
        -------
        frame
            customer, expected_purchases, p_alive, expected_spend (the mean over the purchases that are
            expected), lifetime_value; with ``interval`` lifetime_value_low, lifetime_value_high.
        """
        if not isinstance(spend, GammaGamma | DynamicGammaGamma | Posterior):
            raise OptionError(
                f"option `spend`: is {given_instead(spend)}, not a GammaGamma, draws of it or a "
                "DynamicGammaGamma; fit one to the same customers"
            )
        given = _sources(sources)
        of_orders, of_along = self._columns(given)
        of_spend = spend.covariates_ if isinstance(spend, DynamicGammaGamma) else ()
        data, make = _frames.take(orders, _there(orders, of_orders))
        told, _ = _frames.take(along, _there(along, list(dict.fromkeys([*of_along, *of_spend]))))
        options = _call.options(
            {
                "periods": periods,
                "discount_rate": discount_rate,
                "margin": margin,
                "interval": interval,
                "most_draws": most_draws,
                "sources": given,
            }
        )
        run = _call.run(seed, threads, progress)
        found, dropped = _core.clv_dynamic_value(self._fitted, spend._fitted, data, told, options, run)
        _frames.tell(report, make, dropped=dropped)
        return make(found)


class DynamicGammaGamma(_Dynamic):
    """Gamma–Gamma whose purchases are worth more or less by what holds at their time.

    With ``rate`` the customer's purchase rate explains spend too: whether those who buy often spend more at a
    time is tested by its coefficient, ``spend:rate``, and taken into account where it is so.

    Parameters
    ----------
    rate : bool, default False
        Whether the purchase rate explains spend.
    penalty : float, default 0
        λ of −½ λ δ² per customer on standardised covariates.
    max_iterations : int, default 200
        Most Newton steps.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        p, q, v (at the means of the covariates over purchases), and the coefficients ``spend:…``.
    log_likelihood_ : float
    verdict_ : str
    dropped_, dropped_covariates_ : frame

    Examples
    --------
    >>> spend = hw.clv.DynamicGammaGamma(rate=True).fit(orders, weeks, covariates=["season"])
    >>> spend.summary()  # with z and p of each coefficient
    """

    _kind = "clv.DynamicGammaGamma"

    def __init__(
        self,
        rate: bool = False,
        penalty: float = 0.0,
        max_iterations: int = 200,
        tolerance: float = 1e-9,
    ) -> None:
        self.rate = rate
        self.penalty = penalty
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def _restore(self, body: dict[str, Any]) -> None:
        self.rate = body["slopes"]["rate"] is not None
        self.covariates_ = [term["name"] for term in self._terms(body)]

    @property
    def rate_(self) -> dict[str, float] | None:
        """What spend takes the purchase rate to be, where that explains: r, alpha and mean, of its log."""
        found = self._body()["slopes"]["rate"]
        if found is None:
            return None
        (r, alpha), mean = found
        return {"r": r, "alpha": alpha, "mean": mean}

    @classmethod
    def from_params(
        cls,
        params: Mapping[str, float],
        *,
        means: Mapping[str, float] | None = None,
        references: Mapping[str, str] | None = None,
        rate: Mapping[str, float] | None = None,
        period: _call.Span = "1d",
    ) -> Self:
        """A model with given parameters, for example published ones: it has no errors and no likelihood.

        Parameters
        ----------
        params : dict
            p, q, v, and the coefficients as ``params_`` of a fit names them: ``spend:season``.
        rate : dict, optional
            What ``spend:rate`` is a coefficient of: ``r`` and ``alpha`` of Pareto/NBD, and ``mean``, the log
            of the rate of a customer whose parameters are p, q and v; of a fit ``rate_``.
        means, references, period
            As in `DynamicParetoNBD.from_params`.
        """
        given = {"params": params, "means": means, "references": references, "rate": rate, "period": period}
        return cls._from_options(given)

    def fit(
        self,
        orders: Any,
        along: Any,
        *,
        covariates: Sequence[str] = (),
        references: Mapping[str, str] | None = None,
        period: _call.Span = "1d",
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Self:
        """Fits the model by maximum likelihood to single purchases, the first ones left out.

        Parameters
        ----------
        orders : frame
            One row an order: customer, time, value.
        along : frame
            Covariates: customer, time, and their columns, as in `DynamicParetoNBD`.
        covariates : sequence of str
            The columns that explain spend.
        references : dict, optional
            Reference levels of columns of names; the first in order by default.
        period, threads, progress, **sources
            As in `DynamicParetoNBD`.

        Returns
        -------
        self
        """
        self.covariates_ = _call.listed("covariates", covariates)
        options = {"covariates": list(self.covariates_), "references": references, "period": period}
        return self._fit_along(orders, along, options, sources, _call.run(0, threads, progress))

    def predict(
        self,
        orders: Any,
        along: Any,
        periods: _call.Horizon = 0.0,
        *,
        interval: float | None = None,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any:
        """The expected value of a purchase in the coming periods (0: at the end of observation).

        Parameters
        ----------
        orders, along, periods, report, threads, progress, **sources
            As in `DynamicParetoNBD`.
        interval : float, optional
            The level of an interval for the uncertainty of the parameters.

        Returns
        -------
        frame
            customer, expected_spend (missing where the model has no mean); with ``interval``
            expected_spend_low, expected_spend_high.
        """
        options = {"periods": periods, "interval": interval}
        run = _call.run(0, threads, progress)
        return self._ask("predict", orders, along, options, sources, report, run)
