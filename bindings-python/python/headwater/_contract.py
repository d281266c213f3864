"""Retention under contract: how it moves with tenure, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, Self, TypedDict

from . import _call
from ._survival import _Leavers

_OnInvalid = Literal["error", "drop"]


class ContractCovariates(TypedDict, total=False):
    """Which columns explain how customers leave; see ``fit``."""

    alpha: list[str]
    beta: list[str]
    references: dict[str, str]
    alpha_penalty: float
    beta_penalty: float


class _Contract(_Leavers):
    def __init__(self, max_iterations: int = 200, tolerance: float = 1e-9) -> None:
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def _restore(self, body: dict[str, Any]) -> None:
        """The file of these models keeps nothing of how they were fitted."""

    def fit(
        self,
        frame: Any,
        *,
        data: Literal["cohorts", "customers"] = "cohorts",
        cohort: str | None = None,
        index: str = "period",
        customers: str = "customers",
        start: int = 0,
        left_truncated: bool = False,
        duration: str = "duration",
        event: str = "event",
        entry: str | None = None,
        weight: str | None = None,
        cohorts: Literal["pooled", "separate"] = "pooled",
        covariates: ContractCovariates | None = None,
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self:
        """Fits the model by maximum likelihood.

        Parameters
        ----------
        frame : frame
            Of cohorts, one row a period without gaps; of customers, one row each.
        data : {"cohorts", "customers"}, default "cohorts"
            What a row is.
        cohort : str, optional
            The column of cohorts; ``"cohort"`` where the frame has it, and one cohort where not.
        index, customers : str
            Of cohorts: the columns of renewals made, and of the customers still there.
        start : int, default 0
            Of cohorts: the ``index`` at which a cohort is complete; 1 where the first period is counted as 1.
        left_truncated : bool, default False
            Of cohorts: whether some came under observation after ``start``.
        duration, event : str
            Of customers: the columns of the renewal at which one left, or of the renewals made by who is
            still there, and of whether it left.
        entry : str, optional
            Of customers: the column of renewals made before observation began.
        weight : str, optional
            Of customers: the column of how many customers a row stands for.
        cohorts : {"pooled", "separate"}, default "pooled"
            Whether cohorts share one curve, or have one each beside that of all.
        covariates : dict, optional
            Of customers: the columns that move ``alpha`` and ``beta``, such as
            ``{"alpha": ["plan"], "beta": ["plan", "price"]}``; with ``references`` (levels of columns of
            names) and ``alpha_penalty``, ``beta_penalty`` (of −½ λ γ² a customer, standardised). The
            parameters are then those of a customer whose covariates are at their means.
        period : str, timedelta or number of days, optional
            The length of a period, such as ``"30d"`` or ``"month"``; needed to discount.
        on_invalid, threads, progress
            As in `kaplan_meier`.

        Returns
        -------
        self

        Raises
        ------
        NotConvergedError, NotEnoughDataError
        """
        options = {
            "data": data,
            "cohort": cohort,
            "index": index,
            "customers": customers,
            "start": start,
            "left_truncated": left_truncated,
            "duration": duration,
            "event": event,
            "entry": entry,
            "weight": weight,
            "cohorts": cohorts,
            "covariates": covariates,
            "period": period,
            "on_invalid": on_invalid,
        }
        # Whether there is a column `cohort` is for the core to see.
        self._fit(frame, [], options, _call.run(0, threads, progress))
        return self

    def summary(self) -> Any:
        """The parameters as a frame: [cohort,] parameter, estimate, standard_error, low, high (95 %)."""
        return self._ask("estimates")

    @property
    def effects_verdict_(self) -> str | None:
        """``"interior"`` where all coefficients of covariates are finite; None without covariates.

        ``"monotone_likelihood"`` where one ran off, so that the data do not identify it. ``verdict_`` is the
        law's alone.
        """
        return self._fit_facts().get("effects_verdict")

    def fit_summary(self) -> Any:
        """On the fit: [cohort,] log_likelihood, customers, distinct, iterations, aic, bic, verdict; with
        covariates effects_verdict too, that on their coefficients."""
        return self._ask("fit")

    def coefficients(self) -> Any:
        """Of covariates: covariate, on ("alpha", "beta"), estimate, standard_error, z, p_value, low, high."""
        return self._ask("coefficients")

    def life_table(self) -> Any:
        """What the model was fitted to: [cohort,] period, at_risk, lost, retention, survival."""
        return self._ask("life_table")

    def survival(
        self,
        periods: int | None = None,
        *,
        interval: float | None = None,
        at: Mapping[str, Any] | None = None,
    ) -> Any:
        """The shares that stay, in the data and beyond.

        Parameters
        ----------
        periods : int, optional
            How many periods from the beginning; as many as were observed unless given.
        interval : float, optional
            The level of an interval for the uncertainty of the parameters, such as 0.95.
        at : dict, optional
            Of a model with covariates: those of the kind of customer told of, such as
            ``{"plan": "basic"}``; at their means unless given.

        Returns
        -------
        frame
            [cohort,] period, observed (Kaplan-Meier; of all customers, so missing of a model with
            covariates), survival, retention, churn.
        """
        return self._ask("survival", {"periods": periods, "interval": interval, "at": at})

    def value(
        self,
        discount: Mapping[str, Any],
        *,
        tenures: int = 5,
        horizon: int | None = None,
        margin: float = 1.0,
        interval: float | None = None,
        at: Mapping[str, Any] | None = None,
    ) -> Any:
        """What a customer is worth by tenure: 0 is a new one, n one about to make the n-th renewal.

        Parameters
        ----------
        discount : dict
            A rate with its span, such as ``{"rate": 0.1, "per": "365d"}``.
        tenures : int, default 5
            How many periods of tenure are valued.
        horizon : int, optional
            Periods valued from each tenure on; all of them unless given.
        margin : float, default 1
            The margin of one period.
        interval : float, optional
            The level of an interval for the uncertainty of the parameters.
        at : dict, optional
            As in `survival`.

        Returns
        -------
        frame
            [cohort,] tenure, discounted_lifetime, expected_lifetime, value; with ``interval`` each with
            ``_low`` and ``_high``.
        """
        options = {
            "discount": discount,
            "tenures": tenures,
            "horizon": horizon,
            "margin": margin,
            "interval": interval,
            "at": at,
        }
        return self._ask("value", options)

    def predict(
        self,
        frame: Any,
        *,
        customer: str = "customer",
        renewals: str = "renewals",
        cohort: str | None = None,
        periods: int = 1,
        discount: Mapping[str, Any] | None = None,
        horizon: int | None = None,
        margin: float = 1.0,
        interval: float | None = None,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """What is to be expected of customers who are still there.

        Parameters
        ----------
        frame : frame
            Of a model with covariates, with their columns too.
        customer, renewals : str
            Its columns: who, and the renewals that each has made, from 0.
        cohort : str, optional
            The column of cohorts; ``"cohort"`` where frame and model have them.
        periods : int, default 1
            How many renewals ahead.
        discount : dict, optional
            A rate with its span; without one there is no residual value.
        horizon, margin, interval
            As in `value`.
        on_invalid, threads, progress
            As in `kaplan_meier`.
        report : dict, optional
            Is given the frame "dropped".

        Returns
        -------
        frame
            customer, survival over the next ``periods``, churn at the next renewal, expected_lifetime,
            residual_value; with ``interval`` each with ``_low`` and ``_high``, missing where infinite.
        """
        options = {
            "customer": customer,
            "renewals": renewals,
            "cohort": cohort,
            "periods": periods,
            "discount": discount,
            "horizon": horizon,
            "margin": margin,
            "interval": interval,
            "on_invalid": on_invalid,
        }
        return self._ask("predict", options, frame, report=report, threads=threads, progress=progress)

    def compare(self) -> Any:
        """The model beside simpler and richer ones: model, parameters, log_likelihood, aic, bic, tests."""
        return self._ask("compare")


class ShiftedBetaGeo(_Contract):
    """Retention of customers who differ in their chance to leave (Fader & Hardie 2007).

    Parameters
    ----------
    max_iterations : int, default 200
        Most Newton steps.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        alpha, beta: of all customers together; of a model with covariates at their means, and the
        coefficients, such as ``alpha:price``.
    log_likelihood_ : float
    verdict_ : str
    dropped_ : frame

    Examples
    --------
    >>> model = hw.clv.ShiftedBetaGeo().fit(cohorts, period="365d")
    >>> model.value({"rate": 0.1, "per": "365d"}, margin=100)
    """

    _kind = "clv.ShiftedBetaGeo"

    @classmethod
    def from_params(cls, alpha: float, beta: float, period: _call.Span | None = None) -> Self:
        """A model with given parameters, for example published ones: it has no errors and no likelihood.

        Parameters
        ----------
        alpha, beta : float
        period : str, timedelta or number of days, optional
            The length of a period, such as ``"30d"`` or ``"month"``; needed to discount.
        """
        return cls._given({"alpha": alpha, "beta": beta}, period)


class BetaDiscreteWeibull(_Contract):
    """Retention of customers whose own chance to leave moves with tenure (Fader et al. 2018).

    Parameters
    ----------
    max_iterations : int, default 200
        Most Newton steps.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        alpha, beta, c: of all customers together; c > 1 where the chance rises;
        coefficients as in `ShiftedBetaGeo`.
    log_likelihood_ : float
    verdict_ : str
    dropped_ : frame
    """

    _kind = "clv.BetaDiscreteWeibull"

    @classmethod
    def from_params(cls, alpha: float, beta: float, c: float, period: _call.Span | None = None) -> Self:
        """A model with given parameters, for example published ones: it has no errors and no likelihood.

        Parameters
        ----------
        alpha, beta, c : float
            c lies between 0.01 and 20.
        period : str, timedelta or number of days, optional
            The length of a period, such as ``"30d"`` or ``"month"``; needed to discount.
        """
        return cls._given({"alpha": alpha, "beta": beta, "c": c}, period)
