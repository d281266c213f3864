"""Summaries of orders that come in parts."""

from __future__ import annotations

import json
import os
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict

from . import _call, _core, _frames
from ._clock import SeasonalClock
from ._models import write

if TYPE_CHECKING:
    from typing import Unpack

__all__ = ["RfmBuilder"]


class SummaryOptions(TypedDict, total=False):
    """Columns and policies, as `headwater.clv.summarize` describes them."""

    customer: str
    time: str
    value: str | None
    period: _call.Span
    grain: _call.Span
    observation_end: _call.When | None
    calibration_end: _call.When | None
    include_first: bool
    log_intervals: bool
    cohort: str | None
    clock: SeasonalClock | None
    refunds: Literal["error", "drop", "net"]
    on_invalid: Literal["error", "drop"]
    time_unit: Literal["s", "ms", "us", "ns"] | None


class RfmBuilder:
    """Summarizes orders that come in parts, in any order, such as files or chunks of a stream.

    The result is that of `summarize` on all parts end to end, to the last bit and with customers in the same
    order. Parts in another order give each customer the same numbers, in another order of rows.

    What is kept for a customer is one line for each grain (day) with an order: memory grows with customers
    and their days, and not with orders. The builder pickles and saves, and goes on after that as if nothing
    had happened.

    Parameters
    ----------
    **options
        Columns and policies, as in `summarize`.

    Examples
    --------
    >>> builder = hw.clv.RfmBuilder(period="7d", calibration_end="2024-06-30")
    >>> for orders in parts:
    ...     builder.extend(orders)
    >>> rfm = builder.summary()
    >>> builder.save("orders.json")  # hw.load gives it back
    """

    def __init__(self, **options: Unpack[SummaryOptions]) -> None:
        given: dict[str, Any] = dict(options)
        if "value" in given and given["value"] is None:
            given["value"] = _call.NULL
        for end in ("observation_end", "calibration_end"):
            given[end] = _call.when(given.get(end))
        self._hold(_core.RfmBuilder(_call.options(given)))

    def _hold(self, native: _core.RfmBuilder) -> None:
        self._native = native
        self._options: dict[str, Any] = json.loads(native.options())
        self._make: _frames.Maker | None = None

    def extend(self, orders: Any, *, threads: int | None = None, progress: _call.Progress = None) -> None:
        """Adds a part; after an error the builder is as before.

        Parameters
        ----------
        orders : frame
            One row an order.
        threads : int, optional
            How many threads to use; all by default. Does not change the result.
        progress : bool or callable, optional
            True for a bar, or a function of (stage, done, total).

        Raises
        ------
        ColumnError, RowError, OptionError
        """
        columns = [self._options[name] for name in ("customer", "time", "value")]
        data, make = _frames.take(orders, columns)
        self._native.extend(data, _call.run(0, threads, progress))
        self._make = self._make or make

    def merge(
        self, other: RfmBuilder, *, threads: int | None = None, progress: _call.Progress = None
    ) -> None:
        """Adds the orders of another builder, which has the same options, after those of this one.

        Parameters
        ----------
        other : RfmBuilder
            Stays as it is.
        threads, progress
            As in `extend`.
        """
        other = _call.same(other, RfmBuilder)
        self._native.merge(other._native, _call.run(0, threads, progress))
        self._make = self._make or other._make

    def summary(
        self,
        *,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """The summary of all orders so far, as `summarize` gives it.

        Parameters
        ----------
        report, threads, progress
            As in `summarize`.

        Returns
        -------
        frame
            Of the kind of the first part.
        """
        found, accounting, dropped = self._native.summary(_call.run(0, threads, progress))
        make = self._make or _frames.neutral
        _frames.tell(report, make, dropped=dropped, accounting=accounting)
        return make(found)

    @property
    def orders(self) -> int:
        """How many orders were read so far."""
        return self._native.counts()[0]

    @property
    def customers(self) -> int:
        """How many customers were seen so far."""
        return self._native.counts()[1]

    @property
    def lines(self) -> int:
        """How many lines are kept at the moment; 24 bytes each."""
        return self._native.counts()[2]

    def __repr__(self) -> str:
        return f"RfmBuilder({self.orders:,} orders of {self.customers:,} customers)"

    def to_bytes(self) -> bytes:
        """The builder's file: UTF-8 JSON with its options and days, the same in every language."""
        return self._native.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Reads a builder's file; it goes on as if nothing had happened."""
        builder = cls.__new__(cls)
        builder._hold(_core.RfmBuilder.from_bytes(data))
        return builder

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the builder to a file, which `headwater.load` reads."""
        write(path, self.to_bytes())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_bytes, (self.to_bytes(),)
