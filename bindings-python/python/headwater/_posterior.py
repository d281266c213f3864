"""How uncertain are the parameters of a model of purchases, spend or retention: draws, by three methods."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack

from . import _call, _core, _frames
from ._buyers import Covariates, _named, given
from ._models import Fitted
from ._spend import GammaGamma
from .errors import OptionError

if TYPE_CHECKING:
    from ._dynamic import Sources

_OnInvalid = Literal["error", "drop"]
_Prior = Literal["weak", "flat"]
_SPEND = "GammaGamma"
_RETENTION = ("ShiftedBetaGeo", "BetaDiscreteWeibull")


class Posterior(Fitted):
    """Draws of the parameters of a model of purchases, of spend or of retention.

    `sample_posterior`, `laplace` and `bootstrap` make it, and `headwater.load` reads it.

    Attributes
    ----------
    model : str
        The model whose parameters were drawn, such as ``"BetaGeo"``.
    method : {"nuts", "laplace", "bootstrap"}
        Where the draws come from.
    dropped_ : frame
        The rows dropped by ``on_invalid="drop"``: column, reason, count, first_row.
    """

    _kind = "clv.Posterior"
    model: str | None = None
    method: str | None = None
    dropped_: Any = None
    #: The columns of covariates.
    covariates_: Sequence[str] = ()

    @property
    def _intervals(self) -> str | None:
        """The column of the times between purchases that the draws read."""
        return _intervals(self.model)

    def _params(self) -> dict[str, Any]:
        return {"model": self.model, "method": self.method}

    def _restore(self, body: dict[str, Any]) -> None:
        self.model, self.method = body["kind"].removeprefix("clv."), body["method"]
        self.covariates_ = _explaining(body)

    def _report(self, name: str, options: Mapping[str, Any]) -> _core.Frame:
        run = _call.run()
        return dict(_core.clv_report(self._fitted, name, _call.options(options), run))[name]

    def summary(self, level: float = 0.9) -> Any:
        """A row for each parameter.

        Parameters
        ----------
        level : float, default 0.9
            The level of the interval from ``low`` to ``high``.

        Returns
        -------
        frame
            parameter, estimate (the mode; of a bootstrap, the fit), mean, sd, low, median, high, and of
            `sample_posterior` r_hat (good below 1.01), ess_bulk, ess_tail (above 400) and mcse.
        """
        return _frames.neutral(self._report("posterior", {"level": level}))

    def draws(self) -> Any:
        """Every draw as a frame: chain, draw, the parameters, log_posterior, divergent."""
        return _frames.neutral(self._report("draws", {}))

    def fit_summary(self) -> Any:
        """How it went, a row for each chain.

        chain, method, draws, divergences, step_size, acceptance, gradients; of a bootstrap failed (refits
        left out) and at_edge.
        """
        return _frames.neutral(self._report("fit", {}))

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
        log_intervals: str | None = None,
        monetary_value: str = "monetary_value",
        renewals: str = "renewals",
        discount: Mapping[str, Any] | None = None,
        horizon: int | None = None,
        margin: float = 1.0,
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """What is expected of customers, averaged over the draws.

        Of draws of a model of purchases: purchases, and the probability of being alive. Of `GammaGamma`:
        spend. Of `ShiftedBetaGeo` and `BetaDiscreteWeibull`: how long those stay who are still there, and
        their value.

        Parameters
        ----------
        rfm : frame
            What `summarize` gives, of draws of a model of retention customers with the renewals that each has
            made; with the columns of covariates where the draws have coefficients.
        periods : float, str or timedelta, default 1
            How many periods ahead, in the unit of recency and T; or a span such as ``"365d"`` or ``"month"``,
            where the draws know their period. Of a model of retention a whole number of renewals.
        level : float, default 0.9
            The level of the intervals, which are the uncertainty of the parameters.
        purchase_interval : float, optional
            The level of an interval for the purchases themselves.
        ahead, discount_rate, next_purchase, rate, probabilities
            As in the ``predict`` of models of purchases.
        most_draws : int, default 400
            Predict with at most so many draws, evenly spaced.
        customer, frequency, recency, T : str
            Columns.
        log_intervals : str, optional
            The column of the times between purchases, for draws of `ParetoGGG`, which by default take
            ``"log_intervals"`` where it is there.
        monetary_value : str
            The column of the mean value of the repeat purchases, for draws of `GammaGamma`.
        renewals : str
            The column of the renewals that each has made, for draws of a model of retention.
        discount, horizon, margin
            Of draws of a model of retention, as in its own ``predict``.
        period : str, timedelta or number of days, optional
            The unit of recency and T; where given, it must be the draws'.
        on_invalid, report, threads, progress
            As in `summarize`.

        Returns
        -------
        frame
            customer, expected_purchases and p_alive, each with ``_low`` and ``_high``, and so what else is
            asked for: p_alive_ahead, residual_purchases, next_purchase (when the mean of the probability to
            have bought again, and its limits, reach the level), purchase_rate, probability_0, …; with
            ``purchase_interval`` purchases_low, purchases_high. Of `GammaGamma` customer and expected_spend;
            of a model of retention customer, survival, churn, expected_lifetime and, with ``discount``,
            residual_value; each with ``_low`` and ``_high``. What is infinite in some draw is missing.
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
            "log_intervals": log_intervals,
            "monetary_value": monetary_value,
            "renewals": renewals,
            "discount": discount,
            "horizon": horizon,
            "margin": margin,
            "period": period,
            "on_invalid": on_invalid,
        }
        columns: list[str | None]
        if _is(self.model, _SPEND):
            columns = [customer, frequency, monetary_value]
        elif _is(self.model, *_RETENTION):
            columns = [customer, renewals, *self.covariates_]
        else:
            intervals = log_intervals or self._intervals
            columns = [customer, frequency, recency, T, intervals, *self.covariates_]
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
        on_invalid: _OnInvalid = "error",
        seed: int = 0,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """Whether the model produces customers like these (posterior predictive checks).

        Each draw of the parameters makes customers of the same ages, and their statistics are set beside
        those of the customers given (Gelman, Meng & Stern 1996).

        Parameters
        ----------
        rfm : frame
            What `summarize` gives; of models of retention, cohorts or customers as in their ``fit``.
        most : int, default 7
            Customers of so many repeat purchases or more, and renewals from this one on, are one class.
        level : float, default 0.9
            The level of the interval of what the model makes.
        most_draws : int, default 400
            Replicate by at most so many draws, evenly spaced.
        frequency, recency, T, monetary_value, weight : str
            Columns; ``monetary_value`` is of draws of `GammaGamma`, which read no recency and T; ``weight``
            says how many customers a row stands for, a whole number.
        contract : dict, optional
            Of models of retention: what a row is and its columns, as in `sample_posterior`, without
            covariates, which the draws know.
        period : str, timedelta or number of days, optional
            The unit of recency and T; where given, it must be the draws'.
        seed : int, default 0
            The same seed gives the same replicates.
        on_invalid, report, threads, progress
            As in `summarize`.

        Returns
        -------
        frame
            statistic, observed, expected, low, high, p. The statistics are share_0, share_1, …
            share_7_or_more, mean and variance of repeat purchases, and, of laws of purchases at random,
            bought_lately, the share who bought in the last quarter of their T. ``p`` is the share of
            replicates above what was observed: near 0 or 1 it tells of a trait that the model does not have.
            Of `GammaGamma` the statistics are of the customers' mean values: mean, sd, q10, median, q90, and
            correlation_of_logs of frequency and mean value, of which the model has none. Of models of
            retention they are shares of those who met a renewal: churn_1, churn_2, … churn_7_or_later, who
            left at it; churn, at any; and of several cohorts between_cohorts, the standard deviation of their
            churn.
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
        columns: list[str | None]
        if _is(self.model, *_RETENTION):
            columns = []  # whether there is a column `cohort` is for the core to see
        elif _is(self.model, _SPEND):
            columns = [frequency, monetary_value, weight]
        else:
            columns = [frequency, recency, T, weight, *self.covariates_]
        data, make = _frames.take(rfm, columns)
        run = _call.run(seed, threads, progress)
        found = dict(_core.clv_report(self._fitted, "check", _call.options(options), run, data))
        _frames.tell(report, make, dropped=found["dropped"])
        return make(found["check"])

    def survival(
        self,
        periods: int = 12,
        *,
        level: float = 0.9,
        most_draws: int = 400,
        at: Mapping[str, Any] | None = None,
    ) -> Any:
        """The shares that stay, of draws of a model of retention.

        Parameters
        ----------
        periods : int, default 12
            How many periods from the beginning.
        level : float, default 0.9
            The level of the intervals.
        most_draws : int, default 400
            At most so many draws, evenly spaced.
        at : dict, optional
            Of draws with covariates: those of the kind of customer told of, such as ``{"plan": "basic"}``; at
            their means unless given.

        Returns
        -------
        frame
            period, survival, retention, churn, each the mean over the draws with ``_low`` and ``_high``.
        """
        options = {"periods": periods, "level": level, "most_draws": most_draws, "at": at}
        return _frames.neutral(self._report("survival", options))

    def value(
        self,
        discount: Mapping[str, Any],
        *,
        tenures: int = 5,
        horizon: int | None = None,
        margin: float = 1.0,
        level: float = 0.9,
        most_draws: int = 400,
        at: Mapping[str, Any] | None = None,
    ) -> Any:
        """What a customer is worth by tenure, of draws of a model of retention that know their period.

        Parameters
        ----------
        discount, tenures, horizon, margin
            As in the ``value`` of the model.
        level : float, default 0.9
            The level of the intervals.
        most_draws : int, default 400
            At most so many draws, evenly spaced.
        at : dict, optional
            As in `survival`.

        Returns
        -------
        frame
            tenure, discounted_lifetime, expected_lifetime, value, each the mean over the draws with ``_low``
            and ``_high``; what is infinite in some draw is missing.
        """
        options = {
            "discount": discount,
            "tenures": tenures,
            "horizon": horizon,
            "margin": margin,
            "level": level,
            "most_draws": most_draws,
            "at": at,
        }
        return _frames.neutral(self._report("value", options))

    def lifetime_value(
        self,
        spend: Posterior | GammaGamma,
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
        on_invalid: _OnInvalid = "error",
        seed: int = 0,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """The discounted value of each customer's coming purchases by these draws.

        Parameters
        ----------
        spend : Posterior or GammaGamma
            Draws of `GammaGamma`, of which one goes with each draw of purchases; or a fitted one, of which
            parameters are drawn from the normal of their estimates, by the seed.
        interval : float, optional
            The level of the quantiles of the value; 0.9 by default with draws of spend, none with a fitted
            one.
        most_draws : int, default 400
            At most so many draws are looked at, evenly spaced.
        seed : int, default 0
            Decides the parameters that are drawn of a fitted `GammaGamma`.
        rfm, periods, discount_rate, margin, customer, frequency, recency, T, monetary_value, period
            As in `lifetime_value`, with the columns of covariates where the draws have coefficients.
        on_invalid, report, threads, progress
            As in `summarize`.

        Returns
        -------
        frame
            customer, expected_purchases, p_alive, expected_spend, lifetime_value, means over the draws (of a
            fitted `GammaGamma` at its estimates), and with the interval lifetime_value_low and
            lifetime_value_high; what is infinite in some draw is missing.
        """
        if not isinstance(spend, (Posterior, GammaGamma)):
            raise OptionError(
                f"option `spend`: is {given(spend)}, neither draws of GammaGamma (`laplace`, "
                '`sample_posterior` or `bootstrap` with model="GammaGamma") nor a fitted one'
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
        columns = [customer, frequency, recency, T, monetary_value, self._intervals, *self.covariates_]
        data, make = _frames.take(rfm, columns)
        run = _call.run(seed, threads, progress)
        found, dropped = _core.clv_lifetime_value(
            self._fitted, spend._fitted, data, _call.options(options), run
        )
        _frames.tell(report, make, dropped=dropped)
        return make(found)

    def predict_along(
        self,
        orders: Any,
        along: Any,
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
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any:
        """What `predict` says, of draws of `DynamicParetoNBD`: by orders, and by what ``along`` says of then.

        Parameters
        ----------
        orders, along : frame
            As in `DynamicParetoNBD`, with rows of ``along`` for the time to come.
        periods, level, purchase_interval, ahead, discount_rate, next_purchase, rate, probabilities
            As in `predict`.
        most_draws : int, default 400
            As in `predict`.
        report, threads, progress, **sources
            As in `DynamicParetoNBD`.

        Returns
        -------
        frame
            That of `predict`.
        """
        from ._dynamic import _sources, _there

        read = _sources(sources)
        customer, time = read.get("customer", "customer"), read.get("time", "time")
        data, make = _frames.take(orders, _there(orders, [customer, time, read.get("value") or "value"]))
        told, _ = _frames.take(along, _there(along, [customer, time, *self.covariates_]))
        options = {
            "periods": periods,
            "level": level,
            "purchase_interval": purchase_interval,
            "ahead": ahead,
            "discount_rate": discount_rate,
            "next_purchase": next_purchase,
            "rate": rate,
            "probabilities": probabilities,
            "most_draws": most_draws,
            "sources": read,
        }
        run = _call.run(0, threads, progress)
        found, dropped = _core.clv_dynamic_draws(self._fitted, data, told, _call.options(options), run)
        _frames.tell(report, make, dropped=dropped)
        return make(found)

    def _facts(self) -> dict[str, Any]:
        table, fit = (_frames.Frame(self._report(name, {})) for name in ("posterior", "fit"))
        columns = (table[name] for name in ("parameter", "mean", "low", "high", "r_hat"))
        facts: dict[str, Any] = {
            name: f"{mean:.6g} ({low:.6g} to {high:.6g})" + (f", r_hat {r_hat:.4f}" if r_hat else "")
            for name, mean, low, high, r_hat in zip(*columns, strict=True)
        }
        return facts | {"draws": sum(fit["draws"]), "divergences": sum(fit["divergences"])}


def _explaining(body: Mapping[str, Any]) -> list[str]:
    """The columns of covariates of a file's draws."""
    terms = (body.get("effects") or {}).get("terms", [])
    return [term["name"] for covariate in terms for term in covariate.values()]


def _is(model: str | None, *names: str) -> bool:
    return (model or "").removeprefix("clv.") in names


def _intervals(model: str | None) -> str | None:
    """The column of the times between purchases that the model reads, where no other is named."""
    return "log_intervals" if _is(model, "ParetoGGG") else None


def _draw(method: str, model: str, rfm: Any, options: Mapping[str, Any], run: _call.Run) -> Posterior:
    columns: list[str | None]
    if _is(_call.same(model, str, "model"), *_RETENTION):
        columns = []  # whether there is a column `cohort` is for the core to see
    elif _is(model, _SPEND):
        columns = [options[role] for role in ("frequency", "monetary_value", "weight")]
    else:
        intervals = options["log_intervals"] or _intervals(model)
        columns = [options[role] for role in ("frequency", "recency", "T", "weight")]
        columns += [intervals, *_named(options["covariates"])]
    data, make = _frames.take(rfm, columns)
    out = Posterior()
    out._native, dropped = _core.clv_posterior(method, model, data, _call.options(options), run)
    out._restore(out._body())
    out.dropped_ = make(dropped)
    return out


def sample_posterior(
    rfm: Any,
    model: str = "BetaGeo",
    *,
    k: int = 1,
    chains: int = 4,
    draws: int = 1000,
    tune: int = 300,
    target_accept: float = 0.8,
    max_depth: int = 10,
    prior: _Prior = "weak",
    priors: Mapping[str, Mapping[str, float]] | None = None,
    coefficient_sd: float | None = None,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    weight: str | None = None,
    log_intervals: str | None = None,
    monetary_value: str = "monetary_value",
    contract: Mapping[str, Any] | None = None,
    covariates: Covariates | None = None,
    period: _call.Span | None = None,
    on_invalid: _OnInvalid = "error",
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Posterior:
    """Draws from the full posterior by the no-U-turn sampler (Hoffman & Gelman 2014).

    Parameters
    ----------
    rfm : frame
        What `summarize` gives; of models of retention, cohorts or customers as in their ``fit``.
    model : str, default "BetaGeo"
        The name of a model of purchases, ``"GammaGamma"``, ``"ShiftedBetaGeo"`` or ``"BetaDiscreteWeibull"``.
    k : int, default 1
        Ticks between purchases of the regular models.
    chains, draws, tune : int
        Chains; draws of each; draws of warm-up before them, which are not kept.
    target_accept : float, default 0.8
        The acceptance that the step size aims at; raise it where transitions diverge.
    max_depth : int, default 10
        A trajectory has at most 2 to this many steps.
    prior : {"weak", "flat"}, default "weak"
        The prior of parameters that ``priors`` does not name.
    priors : dict, optional
        Log-normal priors of single parameters, such as ``{"a": {"median": 0.5, "sd": 1}}``; the median of a
        time is a multiple of mean T, that of v of mean spend. Of a coefficient (``"purchase:income"``) the
        prior is of the factor e^coefficient that one more of the covariate makes.
    coefficient_sd : float, optional
        Standard deviation of the normal prior, about 0, of other coefficients, on standardised covariates:
        1 by default with the prior ``"weak"``; they are flat with ``"flat"``.
    frequency, recency, T : str
        Columns.
    weight : str, optional
        The column of how many customers a row stands for.
    log_intervals : str, optional
        The column that ``summarize(log_intervals=True)`` gives, which `ParetoGGG` needs: ``"log_intervals"``
        by default.
    monetary_value : str
        The column of the mean value of the repeat purchases, from which `GammaGamma` learns.
    contract : dict, optional
        What a row is and its columns, of models of retention: ``data``, ``cohort``, ``index``, ``customers``,
        ``start``, ``left_truncated``, ``duration``, ``event``, ``entry``, as in their ``fit``; and what
        explains how customers leave, ``covariates``, without penalties, whose place priors take.
    covariates : dict, optional
        What explains purchases and dropout, as in the ``fit`` of models of purchases; without penalties.
    period : str, timedelta or number of days, optional
        The unit of recency and T, to be kept with the draws and checked later.
    on_invalid : {"error", "drop"}, default "error"
        Rows that cannot be are an error, or dropped and counted in ``dropped_``.
    seed : int, default 0
        The same seed gives the same draws, for any number of threads.
    threads, progress
        As in `summarize`.

    Returns
    -------
    Posterior
    """
    options = {
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
        "log_intervals": log_intervals,
        "monetary_value": monetary_value,
        "contract": contract,
        "covariates": covariates,
        "period": period,
        "on_invalid": on_invalid,
    }
    return _draw("nuts", model, rfm, options, _call.run(seed, threads, progress))


def laplace(
    rfm: Any,
    model: str = "BetaGeo",
    *,
    k: int = 1,
    chains: int = 4,
    draws: int = 1000,
    prior: _Prior = "weak",
    priors: Mapping[str, Mapping[str, float]] | None = None,
    coefficient_sd: float | None = None,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    weight: str | None = None,
    log_intervals: str | None = None,
    monetary_value: str = "monetary_value",
    contract: Mapping[str, Any] | None = None,
    covariates: Covariates | None = None,
    period: _call.Span | None = None,
    on_invalid: _OnInvalid = "error",
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Posterior:
    """Draws from a normal about the greatest posterior density, on log parameters (Laplace).

    Parameters
    ----------
    chains, draws : int
        ``chains`` times ``draws`` are made; they are independent.
    rfm, model, k, prior, priors, coefficient_sd, frequency, recency, T, weight, log_intervals, covariates
        As in `sample_posterior`.
    monetary_value, contract, period, on_invalid, seed, threads, progress
        As in `sample_posterior`.

    Returns
    -------
    Posterior
    """
    options = {
        "k": k,
        "chains": chains,
        "draws": draws,
        "prior": prior,
        "priors": priors,
        "coefficient_sd": coefficient_sd,
        "frequency": frequency,
        "recency": recency,
        "T": T,
        "weight": weight,
        "log_intervals": log_intervals,
        "monetary_value": monetary_value,
        "contract": contract,
        "covariates": covariates,
        "period": period,
        "on_invalid": on_invalid,
    }
    return _draw("laplace", model, rfm, options, _call.run(seed, threads, progress))


def bootstrap(
    rfm: Any,
    model: str = "BetaGeo",
    *,
    k: int = 1,
    replicates: int = 1000,
    penalty: float = 0.0,
    max_iterations: int = 200,
    tolerance: float = 1e-5,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    weight: str | None = None,
    log_intervals: str | None = None,
    monetary_value: str = "monetary_value",
    contract: Mapping[str, Any] | None = None,
    covariates: Covariates | None = None,
    period: _call.Span | None = None,
    on_invalid: _OnInvalid = "error",
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Posterior:
    """Refits the model to customers drawn again: uncertainty without priors.

    Parameters
    ----------
    replicates : int, default 1000
        Refits.
    penalty, max_iterations, tolerance
        As in the models, of the refits.
    covariates : dict, optional
        As in the models' ``fit``, penalties included, which those in ``contract`` may have too. Their means
        and scales stay those of ``rfm``.
    rfm, model, k, frequency, recency, T, weight, log_intervals, monetary_value, contract, period
        As in `sample_posterior`.
    on_invalid, seed, threads, progress
        As in `sample_posterior`.

    Returns
    -------
    Posterior
    """
    options = {
        "k": k,
        "replicates": replicates,
        "penalty": penalty,
        "max_iterations": max_iterations,
        "tolerance": tolerance,
        "frequency": frequency,
        "recency": recency,
        "T": T,
        "weight": weight,
        "log_intervals": log_intervals,
        "monetary_value": monetary_value,
        "contract": contract,
        "covariates": covariates,
        "period": period,
        "on_invalid": on_invalid,
    }
    return _draw("bootstrap", model, rfm, options, _call.run(seed, threads, progress))
