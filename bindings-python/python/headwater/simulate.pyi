import datetime as dt
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from . import _call

__all__ = ["Market", "batches", "lift_test", "market", "presets", "score"]

class Market:
    events: Any
    orders: Any
    records: Any
    holdout: Any
    people: Any
    truth_people: Any
    truth_events: Any
    truth_orders: Any
    channels: Any
    totals: Any
    end: dt.datetime | None

    def __init__(self, tables: Mapping[str, Any], end: dt.datetime | None = None) -> None: ...
    def __repr__(self) -> str: ...

def market(
    people: int | None = None,
    *,
    preset: str | None = None,
    events: int | None = None,
    days: int | None = None,
    holdout_days: int | None = None,
    start: _call.Moment | None = None,
    seed: int = 0,
    channels: Sequence[Mapping[str, Any]] | None = None,
    activity: float | None = None,
    responsiveness: float | None = None,
    off: Sequence[str] | None = None,
    purchases: Mapping[str, Any] | None = None,
    identity: Mapping[str, Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Market: ...
def batches(
    people: int | None = None,
    *,
    preset: str | None = None,
    events: int | None = None,
    days: int | None = None,
    holdout_days: int | None = None,
    start: _call.Moment | None = None,
    seed: int = 0,
    channels: Sequence[Mapping[str, Any]] | None = None,
    activity: float | None = None,
    responsiveness: float | None = None,
    off: Sequence[str] | None = None,
    purchases: Mapping[str, Any] | None = None,
    identity: Mapping[str, Any] | None = None,
    batch_people: int | None = None,
    backend: str | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Iterator[Market]: ...
def presets(*, backend: str | None = None) -> Any: ...
def lift_test(
    tests: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    backend: str | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
    **market: Any,
) -> Any: ...
def score(
    credits: Any,
    truth: Any,
    *,
    credit: str = "conversions",
    truth_column: str = "lost_conversions",
    min_share: float = 0.05,
    outside: Sequence[str] = ("(unattributed)", "(baseline)"),
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
) -> Any: ...
