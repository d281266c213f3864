"""The model of spend per purchase, fitted by maximum likelihood."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Literal, Self

from . import _call, _core, _frames
from ._likelihood import _Likelihood

_OnInvalid = Literal["error", "drop"]


class GammaGamma(_Likelihood):
    """The gamma-gamma model of spend per purchase (Fader & Hardie 2013).

    Parameters
    ----------
    max_iterations : int, default 200
    tolerance : float, default 1e-9

    Attributes
    ----------
    params_, standard_errors_ : dict
        p, q, v; v is in the unit of the amounts.
    log_likelihood_ : float
    verdict_ : str
    correlation_ : float
        Of frequency and mean value; the model assumes none.
    dropped_ : frame
    """

    _kind = "clv.GammaGamma"

    def __init__(self, max_iterations: int | None = None, tolerance: float | None = None) -> None:
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    @classmethod
    def from_params(cls, p: float, q: float, v: float) -> Self:
        """A model with given parameters, for example published ones."""
        return cls._given({"p": p, "q": q, "v": v})

    def fit(
        self,
        rfm: Any,
        *,
        frequency: str = "frequency",
        monetary_value: str = "monetary_value",
        weight: str | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self:
        """Fits the model by maximum likelihood on the customers with repeat purchases.

        Parameters
        ----------
        rfm : frame
            What `summarize` gives.
        frequency, monetary_value : str
            Its columns.
        weight : str, optional
            The column of how many customers a row stands for.
        on_invalid, threads, progress
            As in `summarize`.

        Returns
        -------
        GammaGamma
            Itself.
        """
        options = {
            "frequency": frequency,
            "monetary_value": monetary_value,
            "weight": weight,
            "on_invalid": on_invalid,
        }
        self._fit(rfm, [frequency, monetary_value, weight], options, _call.run(0, threads, progress))
        return self

    @property
    def correlation_(self) -> float | None:
        """Pearson's correlation of frequency and mean value in the rows fitted; beyond ±0.3 beware.

        None where the parameters were given.
        """
        found = self._body()["correlation"]
        return None if found is None else float(found)

    def independence(self) -> Any:
        """Whether spend is independent of frequency, as the model takes it to be.

        Where it is not, `DynamicGammaGamma` with ``rate=True`` models it.

        Returns
        -------
        frame
            test (``"pearson_log"``, ``"spearman"``), correlation, p.
        """
        return _frames.neutral(_core.clv_independence(self._fitted))

    @property
    def mean_spend_(self) -> float | None:
        """Mean spend per purchase over all customers; None where the model has no mean."""
        return _core.clv_spend(self._fitted, None)

    def mean_spend_interval(self, interval: float = 0.95) -> tuple[float | None, float | None]:
        """The interval (low, high) of `mean_spend_`, by the uncertainty of the parameters.

        Delta method on the log scale; an edge that is not finite is None. Models of given parameters have no
        intervals.
        """
        return _core.clv_spend_interval(self._fitted, None, _call.number("interval", interval))

    def predict(
        self,
        rfm: Any,
        *,
        interval: float | None = None,
        customer: str = "customer",
        frequency: str = "frequency",
        monetary_value: str = "monetary_value",
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """Expected spend per purchase.

        Parameters
        ----------
        rfm : frame
            What `summarize` gives.
        interval : float, optional
            The level of an interval for the uncertainty of the parameters, such as 0.95 (delta method on the
            log scale); an edge that is not finite is missing. Models of given parameters have none.
        customer, frequency, monetary_value : str
            Columns.
        on_invalid, report, threads, progress
            As in `summarize`.

        Returns
        -------
        frame
            customer, expected_spend, with ``interval`` its ``_low`` and ``_high``.
        """
        options = {
            "interval": interval,
            "customer": customer,
            "frequency": frequency,
            "monetary_value": monetary_value,
            "on_invalid": on_invalid,
        }
        data, make = _frames.take(rfm, [customer, frequency, monetary_value])
        run = _call.run(0, threads, progress)
        found, dropped = _core.clv_predict(self._fitted, data, _call.options(options), run)
        _frames.tell(report, make, dropped=dropped)
        return make(found)

    def score(self, frequency: float, monetary_value: float) -> float | None:
        """Expected spend per purchase of one customer; None where the model has no mean."""
        return _core.clv_spend(self._fitted, _one(frequency, monetary_value))

    def score_interval(
        self, frequency: float, monetary_value: float, interval: float = 0.95
    ) -> tuple[float | None, float | None]:
        """The interval (low, high) of `score`, by the uncertainty of the parameters, as in `predict`."""
        level = _call.number("interval", interval)
        return _core.clv_spend_interval(self._fitted, _one(frequency, monetary_value), level)


def _one(frequency: Any, monetary_value: Any) -> tuple[float, float]:
    """One customer, as numbers."""
    return _call.number("frequency", frequency), _call.number("monetary_value", monetary_value)
