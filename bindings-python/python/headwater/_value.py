"""What customers will spend, learned from whatever is known of them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, Self

from . import _call
from ._survival import _Leavers

_OnInvalid = Literal["error", "drop"]


class ZeroInflatedLognormal(_Leavers):
    """Who will buy, and for how much: a zero-inflated lognormal regression (Wang, Liu & Miao 2019).

    P(y > 0) = p, ln y | y > 0 ~ Normal(mu, sigma²), E[y] = p exp(mu + sigma² / 2): three heads, ``purchase``
    (the log odds of p), ``mu`` and ``log_sigma``, each explained by the covariates.

    Parameters
    ----------
    learner : {"linear", "boosted"}, default "linear"
        Linear heads by maximum likelihood, with standard errors; or trees that take Newton's steps on the
        same loss.
    sigma : {"covariates", "constant"}, default "covariates"
        Whether the spread of amounts is explained too.
    penalty : float or (float, float, float), optional, default 1
        Linear: the ridge on standardised covariates, for all heads or one for each; None chooses from
        ``penalties`` by cross-validation, head by head.
    penalties : sequence of float, default (0.1, 1, 10, 100, 1000)
        Linear: what ``penalty`` is chosen from.
    folds : int, default 5
        Parts held out in turn, to choose penalties or the number of trees. Boosted: 0 grows all ``trees``.
    max_iterations : int, default 100
        Linear: most Newton steps.
    tolerance : float, default 1e-9
        Linear: converged when no entry of the gradient, per customer, exceeds this.
    trees : int, default 300
        Boosted: most trees of a head.
    learning_rate : float, default 0.1
        Boosted: the share of each tree that is added.
    depth : int, default 3
        Boosted: splits from the root to a leaf, at most.
    min_leaf : int, default 20
        Boosted: fewest rows of a leaf.
    patience : int, default 25
        Boosted: a fold stops when this many trees have not helped.

    Attributes
    ----------
    params_, standard_errors_ : dict
        The coefficients by ``head.covariate``; empty for trees.
    log_likelihood_ : float
    verdict_ : str
        ``"boundary"`` where everybody bought, ``"monotone_likelihood"`` where a coefficient runs off.
    dropped_ : frame

    Examples
    --------
    >>> model = hw.clv.ZeroInflatedLognormal().fit(
    ...     customers, target="next_90_days", customer="customer", horizon="90d"
    ... )
    >>> model.predict(new_customers, customer="customer", quantiles=[0.5, 0.9])
    """

    _kind = "clv.ZeroInflatedLognormal"

    def __init__(
        self,
        learner: Literal["linear", "boosted"] = "linear",
        sigma: Literal["covariates", "constant"] = "covariates",
        penalty: float | Sequence[float] | None = 1.0,
        penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0, 1000.0),
        folds: int = 5,
        max_iterations: int = 100,
        tolerance: float = 1e-9,
        trees: int = 300,
        learning_rate: float = 0.1,
        depth: int = 3,
        min_leaf: int = 20,
        patience: int = 25,
    ) -> None:
        self.learner = learner
        self.sigma = sigma
        self.penalty = list(penalty) if isinstance(penalty, Sequence) else penalty
        self.penalties = _call.listed("penalties", penalties)
        self.folds = folds
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.trees = trees
        self.learning_rate = learning_rate
        self.depth = depth
        self.min_leaf = min_leaf
        self.patience = patience

    def fit(
        self,
        frame: Any,
        *,
        target: str = "value",
        covariates: Sequence[str] | None = None,
        references: Mapping[str, str] | None = None,
        customer: str | None = None,
        weight: str | None = None,
        horizon: _call.Span | None = None,
        negative: Literal["error", "zero"] = "error",
        on_invalid: _OnInvalid = "error",
        seed: int = 0,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self:
        """Fits the model.

        Parameters
        ----------
        frame : frame
            One row a customer: what was known of it at one moment, and what it spent from then on.
        target : str, default "value"
            The column of what each spent within the horizon, 0 or more.
        covariates : sequence of str, optional
            Columns that explain: numbers, truth values or names; every column without another role unless
            given, and none for an empty list.
        references : dict, optional
            The reference level of covariates of names; the first in order unless given.
        customer : str, optional
            The column of customers, which explains nothing.
        weight : str, optional
            The column of how many customers a row stands for.
        horizon : str, timedelta or number of days, optional
            How long the window of the target is, to be kept with the model.
        negative : {"error", "zero"}, default "error"
            What becomes of customers who gave back more than they bought: an error, or counted as 0.
        on_invalid : {"error", "drop"}, default "error"
            Rows that cannot be are an error, or dropped and counted.
        seed : int, default 0
            Decides who is in which fold.
        threads : int, optional
            How many threads to use; all by default. Does not change the result.
        progress : bool or callable, optional
            True for a bar, or a function of (stage, done, total).

        Returns
        -------
        self

        Raises
        ------
        NotConvergedError, NotEnoughDataError
        """
        options: dict[str, Any] = {
            "target": target,
            "covariates": None if covariates is None else _call.listed("covariates", covariates),
            "references": references,
            "customer": customer,
            "weight": weight,
            "horizon": horizon,
            "negative": negative,
            "on_invalid": on_invalid,
        }
        if self.penalty is None:
            options["penalty"] = _call.NULL
        columns = [] if covariates is None else [target, customer, weight, *covariates]
        self._fit(frame, columns, options, _call.run(seed, threads, progress))
        return self

    def summary(self, level: float = 0.95, *, report: MutableMapping[str, Any] | None = None) -> Any:
        """Linear: the coefficients with their errors and limits. Boosted: what the trees split on.

        Parameters
        ----------
        level : float, default 0.95
            The level of the limits.
        report : dict, optional
            Is given the frames "tuning" (what was tried, and its held-out likelihood) and "fit".

        Returns
        -------
        frame
            parameter, head, covariate, reference, estimate, standard_error, z, p_value, low, high, penalty;
            of trees head, covariate, gain (a share), splits.
        """
        return self._ask("summary", {"level": level}, report=report)

    def predict(
        self,
        frame: Any,
        *,
        customer: str | None = None,
        quantiles: Sequence[float] = (),
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """What each customer will spend within the horizon.

        Parameters
        ----------
        frame : frame
            Customers with the covariates of the fit.
        customer : str, optional
            Their column; rows are numbered without it.
        quantiles : sequence of float
            Levels between 0 and 1, of the whole distribution with its zeros.
        on_invalid, threads, progress
            As in `fit`.
        report : dict, optional
            Is given the frames "quantiles" (customer, level, value) and "dropped".

        Returns
        -------
        frame
            customer (or row), expected_value, p_positive, value_if_positive, median, sigma.
        """
        options = {
            "customer": customer,
            "quantiles": _call.listed("quantiles", quantiles),
            "on_invalid": on_invalid,
        }
        return self._ask("predict", options, frame, report=report, threads=threads, progress=progress)

    def score(
        self,
        frame: Any,
        *,
        target: str | None = None,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """The predictions beside what was spent, best of customers that the model was not fitted on.

        Parameters
        ----------
        frame : frame
            Customers with the covariates of the fit, and what they spent.
        target : str, optional
            The column of that; the one of the fit unless given.
        on_invalid, threads, progress
            As in `fit`.
        report : dict, optional
            Is given the frames "deciles" (by prediction: customers, actual, expected, share) and "dropped".

        Returns
        -------
        frame
            score, value: log_loss (of buying), loss (of all), gini_normalised, spearman, decile_mape, bias,
            mae, rmse.
        """
        options = {"target": target, "on_invalid": on_invalid}
        return self._ask("score", options, frame, report=report, threads=threads, progress=progress)
