import os
from collections.abc import MutableMapping
from typing import Any, Literal, Self, TypedDict, Unpack

from . import _call
from ._clock import SeasonalClock

__all__ = ["RfmBuilder"]

class SummaryOptions(TypedDict, total=False):
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
    def __init__(self, **options: Unpack[SummaryOptions]) -> None: ...
    def extend(self, orders: Any, *, threads: int | None = None, progress: _call.Progress = None) -> None: ...
    def merge(
        self, other: RfmBuilder, *, threads: int | None = None, progress: _call.Progress = None
    ) -> None: ...
    def summary(
        self,
        *,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    @property
    def orders(self) -> int: ...
    @property
    def customers(self) -> int: ...
    @property
    def lines(self) -> int: ...
    def to_bytes(self) -> bytes: ...
    @classmethod
    def from_bytes(cls, data: bytes) -> Self: ...
    def save(self, path: str | os.PathLike[str]) -> None: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
