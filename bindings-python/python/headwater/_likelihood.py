"""What models fitted by maximum likelihood share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from . import _call, _core, _frames
from ._models import Fitted


class _Likelihood(Fitted):
    """A model fitted by maximum likelihood."""

    _names: ClassVar[tuple[str, ...]] = ()
    _make: _frames.Maker
    #: The rows dropped by ``fit(on_invalid="drop")``: column, reason, count, first_row.
    dropped_: Any = None

    def _params(self) -> dict[str, Any]:
        return {name: value for name, value in super()._params().items() if not name.endswith("_")}

    def _fit(self, frame: Any, columns: list[str | None], options: dict[str, Any], run: _call.Run) -> None:
        data, make = _frames.take(frame, columns)
        native, dropped = _core.clv_fit(self._kind, data, _call.options(self._params() | options), run)
        self._native, self.dropped_ = native, make(dropped)

    @classmethod
    def _given(cls, values: Mapping[str, float], period: _call.Span | None = None, k: int = 1) -> Self:
        model = cls()
        length = None if period is None else _call.dump("period", period)
        numbers = [_call.number(name, value) for name, value in values.items()]
        model._native = _core.clv_from_parameters(cls._kind, numbers, length, _call.whole("k", k))
        model._restore(model._body())
        return model

    def _column(self, name: str) -> dict[str, Any]:
        table = _frames.Frame(_core.clv_tables(self._fitted)[0])
        return dict(zip(table["parameter"], table[name], strict=True))

    def _fit_facts(self) -> dict[str, Any]:
        table = _frames.Frame(_core.clv_tables(self._fitted)[1])
        return {name: values[0] for name, values in table.to_dict().items()}

    @property
    def params_(self) -> dict[str, float]:
        """The parameters."""
        return self._column("estimate")

    @property
    def standard_errors_(self) -> dict[str, float | None]:
        """Their standard errors; None where the data do not identify the parameter."""
        return self._column("standard_error")

    @property
    def log_likelihood_(self) -> float | None:
        """The maximised log-likelihood; None where the parameters were given."""
        found: float | None = self._fit_facts()["log_likelihood"]
        return found

    @property
    def verdict_(self) -> str:
        """``"interior"`` for an ordinary maximum, ``"given"`` where there was no fit; else which simpler
        model the data ask for."""
        return str(self._fit_facts()["verdict"])

    def summary(self) -> Any:
        """The parameters as a frame: parameter, estimate, standard_error, low, high (95 %)."""
        return _frames.neutral(_core.clv_tables(self._fitted)[0])

    def fit_summary(self) -> Any:
        """On the fit: log_likelihood, customers, distinct, iterations, gradient_norm, aic, bic, verdict; with
        covariates effects_verdict too, that on their coefficients."""
        return _frames.neutral(_core.clv_tables(self._fitted)[1])

    def _facts(self) -> dict[str, Any]:
        errors = self.standard_errors_
        shown = {
            name: f"{value:.6g} ± {errors[name]:.2g}" if errors[name] is not None else value
            for name, value in self.params_.items()
        }
        return shown | self._fit_facts()
