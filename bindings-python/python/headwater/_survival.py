"""Customers who say when they leave: how long they stay, what makes them go, and who is next."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, Self

from . import _call, _core, _frames
from ._likelihood import _Likelihood

_OnInvalid = Literal["error", "drop"]
_RankTest = Literal["log_rank", "wilcoxon", "tarone_ware", "fleming_harrington"]


def _ask(
    name: str,
    options: dict[str, Any],
    frame: Any = None,
    columns: Sequence[str | None] = (),
    *,
    model: _core.Model | None = None,
    level: int = 4,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """A report's first table; the others go into ``report``, or a warning to who is ``level`` calls up."""
    data, make = (None, _frames.neutral) if frame is None else _frames.take(frame, columns)
    run = _call.run(0, threads, progress)
    (_, main), *beside = _core.clv_report(model, name, _call.options(options), run, data)
    more = dict(beside)
    _frames.tell(report, make, dropped=more.pop("dropped", None), level=level, **more)
    return make(main)


def kaplan_meier(
    frame: Any,
    *,
    duration: str = "duration",
    event: str = "event",
    entry: str | None = None,
    weight: str | None = None,
    group: str | None = None,
    level: float = 0.95,
    interval: Literal["log_log", "plain"] = "log_log",
    quantiles: Sequence[float] = (0.25, 0.5, 0.75),
    horizon: float | None = None,
    test: _RankTest = "log_rank",
    rho: float = 1.0,
    gamma: float = 0.0,
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """How many stay how long (Kaplan & Meier 1958), by group, and whether the groups differ by chance.

    Parameters
    ----------
    frame : frame
        One row a customer.
    duration, event : str
        Its columns: how long each was observed, and whether that ended with the event (1) or is censored (0).
    entry : str, optional
        The column of the time from which each was observed (left truncation).
    weight : str, optional
        The column of how many customers a row stands for.
    group : str, optional
        The column of groups, a curve for each.
    level : float, default 0.95
        The level of the intervals.
    interval : {"log_log", "plain"}, default "log_log"
        The scale on which they are symmetric.
    quantiles : sequence of float, default (0.25, 0.5, 0.75)
        Shares that have left, whose times are asked for.
    horizon : float, optional
        Where the mean is restricted; the longest time that all groups were observed for, unless given.
    test : {"log_rank", "wilcoxon", "tarone_ware", "fleming_harrington"}, default "log_rank"
        How the groups are compared.
    rho, gamma : float, default 1 and 0
        The powers of Fleming and Harrington's weights S^rho (1 - S)^gamma.
    on_invalid : {"error", "drop"}, default "error"
        Rows that cannot be are an error, or dropped and counted.
    report : dict, optional
        Is given the frames "groups" (median, restricted mean, expected events), "quantiles", "test", "pairs"
        and "dropped".
    threads : int, optional
        How many threads to use; all by default. Does not change the result.
    progress : bool or callable, optional
        True for a bar, or a function of (stage, done, total).

    Returns
    -------
    frame
        group, time, at_risk, events, censored, survival, std_error (Greenwood), low, high.

    Examples
    --------
    >>> more = {}
    >>> curve = hw.clv.kaplan_meier(contracts, group="plan", report=more)
    >>> more["test"]
    """
    options = {
        "duration": duration,
        "event": event,
        "entry": entry,
        "weight": weight,
        "group": group,
        "level": level,
        "interval": interval,
        "quantiles": _call.listed("quantiles", quantiles),
        "horizon": horizon,
        "test": test,
        "rho": rho,
        "gamma": gamma,
        "on_invalid": on_invalid,
    }
    columns = [duration, event, entry, weight, group]
    return _ask("kaplan_meier", options, frame, columns, report=report, threads=threads, progress=progress)


def nelson_aalen(
    frame: Any,
    *,
    duration: str = "duration",
    event: str = "event",
    entry: str | None = None,
    weight: str | None = None,
    group: str | None = None,
    level: float = 0.95,
    ties: Literal["together", "split"] = "together",
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """The cumulative hazard of each group (Nelson 1972, Aalen 1978).

    Parameters
    ----------
    frame, duration, event, entry, weight, group, level, on_invalid, threads, progress
        As in `kaplan_meier`.
    ties : {"together", "split"}, default "together"
        Whether events at one time count d/n, or one after the other.
    report : dict, optional
        Is given the frame "dropped".

    Returns
    -------
    frame
        group, time, at_risk, events, censored, cumulative_hazard, std_error, low, high.
    """
    options = {
        "duration": duration,
        "event": event,
        "entry": entry,
        "weight": weight,
        "group": group,
        "level": level,
        "ties": ties,
        "on_invalid": on_invalid,
    }
    columns = [duration, event, entry, weight, group]
    return _ask("nelson_aalen", options, frame, columns, report=report, threads=threads, progress=progress)


def survival_scores(
    frame: Any,
    *,
    duration: str = "duration",
    event: str = "event",
    risk: str | None = None,
    survival: Sequence[str] = (),
    horizons: Sequence[float] = (),
    tau: float | None = None,
    bins: int = 10,
    level: float = 0.95,
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Predictions from anywhere beside what happened: concordance, Brier scores, calibration.

    Parameters
    ----------
    frame : frame
        One row a customer.
    duration, event : str
        Its columns, as in `kaplan_meier`.
    risk : str, optional
        The column of predicted risks, higher for those who leave sooner; 1 - the last of ``survival``
        unless given.
    survival : sequence of str
        Columns of predicted survival, one for each of ``horizons``.
    horizons : sequence of float
        The times that they are predicted for, in order.
    tau : float, optional
        Events after this time do not count in Uno's index.
    bins : int, default 10
        Groups of the calibration.
    level : float, default 0.95
        The level of its intervals.
    on_invalid, threads, progress
        As in `kaplan_meier`.
    report : dict, optional
        Is given the frames "brier" (time, brier, reference, skill), "calibration" and "dropped".

    Returns
    -------
    frame
        score, value: harrell_c, uno_c, and with two horizons integrated_brier, integrated_brier_reference.
    """
    options = {
        "duration": duration,
        "event": event,
        "risk": risk,
        "survival": _call.listed("survival", survival),
        "horizons": _call.listed("horizons", horizons),
        "tau": tau,
        "bins": bins,
        "level": level,
        "on_invalid": on_invalid,
    }
    columns = [duration, event, risk, *survival]
    return _ask("survival_scores", options, frame, columns, report=report, threads=threads, progress=progress)


class _Leavers(_Likelihood):
    """What models of customers who say when they leave share."""

    def _ask(self, name: str, options: dict[str, Any] | None = None, frame: Any = None, **more: Any) -> Any:
        return _ask(name, options or {}, frame, model=self._fitted, level=5, **more)

    def _restore(self, body: dict[str, Any]) -> None:
        for name in self._params():
            setattr(self, name, body["parameters"][name])


class _Survival(_Leavers):
    def summary(self, level: float = 0.95, *, report: MutableMapping[str, Any] | None = None) -> Any:
        """The coefficients: parameter, reference, estimate, its exponential, standard_error, z, p_value, …

        Parameters
        ----------
        level : float, default 0.95
            The level of the limits.
        report : dict, optional
            Is given the frames "tests" (of all covariates together), "fit" and "concordance".
        """
        return self._ask("summary", {"level": level}, report=report)

    def predict(
        self,
        frame: Any,
        *,
        customer: str | None = None,
        age: str | None = None,
        horizons: Sequence[float] = (),
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """What is to be expected of each customer.

        Parameters
        ----------
        frame : frame
            Customers with the covariates of the fit.
        customer : str, optional
            Their column; rows are numbered without it.
        age : str, optional
            The column of how long each has been observed until now: all counts from then on, given that the
            customer has come so far.
        horizons : sequence of float
            Times ahead at which survival is told, in the unit of the durations.
        on_invalid, threads, progress
            As in `kaplan_meier`.
        report : dict, optional
            Is given the frames "survival" (customer, horizon, survival, churn) and "dropped".

        Returns
        -------
        frame
            customer (or row), the factor beside the mean customer, median, and of `Aft` mean.
        """
        options = {
            "customer": customer,
            "age": age,
            "horizons": _call.listed("horizons", horizons),
            "on_invalid": on_invalid,
        }
        return self._ask("predict", options, frame, report=report, threads=threads, progress=progress)

    def early_warning(
        self,
        frame: Any,
        *,
        customer: str | None = None,
        age: str = "duration",
        event: str | None = None,
        horizon: float = 1.0,
        top: int = 100,
        reasons: int = 3,
        threshold: float = 0.0,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """Who is likely to leave soon, given that they are still here, and why.

        Parameters
        ----------
        frame : frame
            Customers with the covariates of the fit.
        customer : str, optional
            Their column; rows are numbered without it.
        age : str, default "duration"
            The column of how long each has been a customer until now.
        event : str, optional
            The column of those who have left, who are not listed.
        horizon : float, default 1
            How far to look ahead, in the unit of the durations.
        top : int, default 100
            How many customers to list.
        reasons : int, default 3
            How many reasons to give for each.
        threshold : float, default 0
            Customers less likely to leave than this are not listed.
        on_invalid, threads, progress
            As in `kaplan_meier`.
        report : dict, optional
            Is given the frames "reasons" (customer, reason, covariate, value, contribution, factor),
            "unknown" (how many the data cannot tell) and "dropped".

        Returns
        -------
        frame
            customer (or row), age, probability, hazard_ratio, reasons; the likeliest to leave first.
        """
        options = {
            "customer": customer,
            "age": age,
            "event": event,
            "horizon": horizon,
            "top": top,
            "reasons": reasons,
            "threshold": threshold,
            "on_invalid": on_invalid,
        }
        return self._ask("early_warning", options, frame, report=report, threads=threads, progress=progress)

    def scores(
        self,
        frame: Any,
        *,
        duration: str | None = None,
        event: str | None = None,
        horizons: Sequence[float] = (),
        tau: float | None = None,
        bins: int = 10,
        level: float = 0.95,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """The predictions beside what happened, best of customers that the model was not fitted on.

        Parameters
        ----------
        frame : frame
        duration, event : str, optional
            Its columns; those of the fit unless given.
        horizons, tau, bins, level, on_invalid, report, threads, progress
            As in `survival_scores`.

        Returns
        -------
        frame
            As of `survival_scores`.
        """
        options = {
            "duration": duration,
            "event": event,
            "horizons": _call.listed("horizons", horizons),
            "tau": tau,
            "bins": bins,
            "level": level,
            "on_invalid": on_invalid,
        }
        return self._ask("scores", options, frame, report=report, threads=threads, progress=progress)


class Cox(_Survival):
    """Cox's proportional hazards: what raises the hazard, whatever its shape (Cox 1972).

    Parameters
    ----------
    ties : {"efron", "breslow"}, default "efron"
        How events at one time enter.
    penalty : float, default 0
        The ridge on standardised covariates.
    max_iterations : int, default 100
        Most Newton steps.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per event, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        The coefficients by their names.
    log_likelihood_ : float
    verdict_ : str
        ``"monotone_likelihood"`` where a coefficient runs off for ever.
    dropped_ : frame

    Examples
    --------
    >>> model = hw.clv.Cox().fit(contracts, covariates=["price", "plan"])
    >>> model.early_warning(contracts, customer="customer", event="event", horizon=3)
    """

    _kind = "clv.Cox"

    def __init__(
        self,
        ties: Literal["efron", "breslow"] = "efron",
        penalty: float = 0.0,
        max_iterations: int = 100,
        tolerance: float = 1e-9,
    ) -> None:
        self.ties = ties
        self.penalty = penalty
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def fit(
        self,
        frame: Any,
        *,
        duration: str = "duration",
        event: str = "event",
        covariates: Sequence[str],
        references: Mapping[str, str] | None = None,
        entry: str | None = None,
        weight: str | None = None,
        weighting: Literal["frequency", "sampling"] = "frequency",
        strata: str | None = None,
        robust: bool = False,
        cluster: str | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self:
        """Fits the model by maximum partial likelihood.

        Parameters
        ----------
        frame : frame
            One row a customer, or with ``entry`` and ``cluster`` one for each stretch of time.
        duration, event, entry, weight, on_invalid, threads, progress
            As in `kaplan_meier`.
        covariates : sequence of str
            Columns that explain: numbers, truth values or names.
        references : dict, optional
            The reference level of covariates of names; the first in order unless given.
        weighting : {"frequency", "sampling"}, default "frequency"
            Whether a row of weight 2 is two customers, or one that counts twice.
        strata : str, optional
            The column of strata, each with a baseline of its own.
        robust : bool, default False
            Whether standard errors are by the sandwich.
        cluster : str, optional
            The column of clusters, whose rows may depend on each other; implies ``robust``.

        Returns
        -------
        self

        Raises
        ------
        NotConvergedError, NotEnoughDataError
        """
        options = {
            "duration": duration,
            "event": event,
            "covariates": _call.listed("covariates", covariates),
            "references": references,
            "entry": entry,
            "weight": weight,
            "weighting": weighting,
            "strata": strata,
            "robust": robust,
            "cluster": cluster,
            "on_invalid": on_invalid,
        }
        columns = [duration, event, entry, weight, strata, cluster, *covariates]
        self._fit(frame, columns, options, _call.run(0, threads, progress))
        return self

    def baseline(self) -> Any:
        """The baseline, of a customer with mean covariates: stratum, time, cumulative_hazard, survival."""
        return self._ask("baseline")

    def proportional_hazards(self) -> Any:
        """The test of proportional hazards by Schoenfeld residuals.

        Returns
        -------
        frame
            transform (of time), parameter (``(all)`` for all together), statistic, degrees_of_freedom,
            p_value; a small p-value says that the coefficient changes with time.
        """
        return self._ask("proportional_hazards")


class DiscreteHazard(_Survival):
    """The hazard of each period, for contracts that end at renewals.

    Parameters
    ----------
    link : {"logit", "cloglog"}, default "logit"
        Coefficients are log odds ratios, or log hazard ratios of Cox's model seen in periods.
    baseline : {"periods", "constant", "linear", "log", "given"}, default "periods"
        An intercept for each period, one for all, a slope in the period or its logarithm, or ``intercepts``.
    intercepts : sequence of float, optional
        The intercept of each period, of the mean customer on the scale of the link, for ``baseline="given"``.
    penalty, max_iterations, tolerance
        As in `Cox`.

    Attributes
    ----------
    params_, standard_errors_, log_likelihood_, verdict_, dropped_
        As of `Cox`.
    """

    _kind = "clv.DiscreteHazard"

    def __init__(
        self,
        link: Literal["logit", "cloglog"] = "logit",
        baseline: Literal["periods", "constant", "linear", "log", "given"] = "periods",
        intercepts: Sequence[float] | None = None,
        penalty: float = 0.0,
        max_iterations: int = 100,
        tolerance: float = 1e-9,
    ) -> None:
        self.link = link
        self.baseline = baseline
        self.intercepts = intercepts
        self.penalty = penalty
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def fit(
        self,
        frame: Any,
        *,
        duration: str = "duration",
        event: str = "event",
        covariates: Sequence[str] = (),
        references: Mapping[str, str] | None = None,
        entry: str | None = None,
        weight: str | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self:
        """Fits the model by maximum likelihood.

        Parameters
        ----------
        frame : frame
            One row a customer.
        duration, event : str
            Its columns: 3 with the event left in the third period, 3 without it stayed through three.
        covariates, references
            As in `Cox.fit`; none are the baseline alone.
        entry, weight, on_invalid, threads, progress
            As in `kaplan_meier`.

        Returns
        -------
        self

        Raises
        ------
        NotConvergedError, NotEnoughDataError
        """
        options = {
            "duration": duration,
            "event": event,
            "covariates": _call.listed("covariates", covariates),
            "references": references,
            "entry": entry,
            "weight": weight,
            "on_invalid": on_invalid,
        }
        columns = [duration, event, entry, weight, *covariates]
        self._fit(frame, columns, options, _call.run(0, threads, progress))
        return self

    def hazards(self) -> Any:
        """Each period, of a customer with mean covariates: period, at_risk, events, hazard, survival."""
        return self._ask("baseline")


class Aft(_Survival):
    """Accelerated failure times: how many times longer customers stay.

    Parameters
    ----------
    distribution : {"weibull", "log_normal", "log_logistic", "exponential"}, default "weibull"
        The distribution of durations.
    penalty, max_iterations, tolerance
        As in `Cox`.

    Attributes
    ----------
    params_, standard_errors_, log_likelihood_, verdict_, dropped_
        As of `Cox`.
    """

    _kind = "clv.Aft"

    def __init__(
        self,
        distribution: Literal["weibull", "log_normal", "log_logistic", "exponential"] = "weibull",
        penalty: float = 0.0,
        max_iterations: int = 100,
        tolerance: float = 1e-9,
    ) -> None:
        self.distribution = distribution
        self.penalty = penalty
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def fit(
        self,
        frame: Any,
        *,
        duration: str = "duration",
        event: str = "event",
        covariates: Sequence[str] = (),
        references: Mapping[str, str] | None = None,
        entry: str | None = None,
        weight: str | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self:
        """Fits the model by maximum likelihood.

        Parameters
        ----------
        frame : frame
            One row a customer.
        duration, event, entry, weight, on_invalid, threads, progress
            As in `kaplan_meier`; durations are more than 0.
        covariates, references
            As in `Cox.fit`; none are the distribution alone.

        Returns
        -------
        self

        Raises
        ------
        NotConvergedError, NotEnoughDataError
        """
        options = {
            "duration": duration,
            "event": event,
            "covariates": _call.listed("covariates", covariates),
            "references": references,
            "entry": entry,
            "weight": weight,
            "on_invalid": on_invalid,
        }
        columns = [duration, event, entry, weight, *covariates]
        self._fit(frame, columns, options, _call.run(0, threads, progress))
        return self
