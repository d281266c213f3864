from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from . import _call, _callback, _core, _frames
from ._analytics import Analytics
from ._models import Fitted
from .attribution import AttributionModel

__all__ = ["Journeys", "PathCounts"]
_OnInvalid = Literal["error", "drop"]

class Journeys(Analytics):
    def __init__(self, native: _core.Journeys, make: _frames.Maker) -> None: ...
    @classmethod
    def from_events(
        cls,
        touches: Any,
        *,
        customer: str = "customer",
        time: str = "time",
        channel: str = "channel",
        conversions: Any = None,
        value: str | None = None,
        cost: str | None = None,
        conversion_customer: str | None = None,
        conversion_time: str | None = None,
        lookback: _call.Span = "30d",
        ties: Literal["channel", "input"] = "channel",
        at_conversion: Literal["include", "exclude"] = "include",
        shared_touch: Literal["each", "reset", "first_only"] = "each",
        flagged_row: Literal["touch_and_conversion", "conversion"] = "touch_and_conversion",
        open: Literal["include", "decided", "censored", "exclude"] = "include",
        observation_end: _call.Moment | None = None,
        lookback_by_channel: Mapping[str, _call.Span] | None = None,
        kind: str | None = None,
        view: str = "view",
        click: str = "click",
        view_lookback: _call.Span | None = None,
        click_lookback: _call.Span | None = None,
        view_weight: float = 1.0,
        weight: str | None = None,
        campaign: str | None = None,
        conversion_kind: str | None = None,
        kinds: Sequence[str] | None = None,
        lookback_by_kind: Mapping[str, _call.Span] | None = None,
        order_id: str | None = None,
        duplicate_orders: Literal["first", "last", "sum", "error"] = "first",
        conversion_place: str | None = None,
        offline_channels: Sequence[str] = (),
        session_gap: _call.Span | None = None,
        session_touch: Literal["first", "last", "first_non_direct", "last_non_direct"] = "first",
        collapse: Literal["none", "consecutive"] = "none",
        collapse_within: _call.Span | None = None,
        direct: Literal["keep", "ignore_unless_alone"] = "keep",
        direct_labels: Sequence[str] = ("direct", "(direct)"),
        refunds: Literal["error", "keep"] = "error",
        on_invalid: _OnInvalid = "error",
        time_unit: Literal["s", "ms", "us", "ns"] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self: ...
    @classmethod
    def from_paths(
        cls,
        paths: Any,
        *,
        path: str = "path",
        conversions: str | None = "conversions",
        value: str | None = None,
        nulls: str | None = None,
        sep: str = " > ",
        refunds: Literal["error", "keep"] = "error",
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self: ...
    def paths(self, *, threads: int | None = None, progress: _call.Progress = None) -> Any: ...
    def transitions(
        self,
        order: int = 1,
        repeats: Literal["collapse", "keep"] = "collapse",
        *,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def lags(self) -> Any: ...
    def lengths(self) -> Any: ...
    def channels(self) -> Any: ...
    def summary(self) -> Any: ...
    @property
    def dropped(self) -> Any: ...
    def touch_credits(
        self,
        model: str | AttributionModel | Mapping[str, Any] | _callback.Rule,
        *,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def durations(self) -> Any: ...
    def accounting(self) -> Any: ...
    def of_kind(self, kind: str) -> Journeys: ...
    def between(self, start: _call.Moment, end: _call.Moment) -> Journeys: ...
    def of_customers(self, customers: Any) -> Journeys: ...
    def by_campaign(self, *, separator: str = "/") -> Journeys: ...
    def transform(
        self, steps: Sequence[str | Mapping[str, Any]], *, threads: int | None = None
    ) -> Journeys: ...
    def matching(
        self,
        pattern: str,
        *,
        within: _call.Span | None = None,
        repeats: Literal["keep", "collapse"] = "keep",
        invert: bool = False,
        threads: int | None = None,
    ) -> Journeys: ...
    def roll_up(
        self, *, separator: str = "/", channels: Mapping[str, Sequence[str]] | None = None
    ) -> Journeys: ...
    def with_segments(
        self,
        segments: Any,
        *,
        customer: str = "customer",
        segment: str = "segment",
        threads: int | None = None,
    ) -> Journeys: ...
    def with_lifetime(
        self,
        lifetime: Any,
        *,
        customer: str = "customer",
        value: str = "lifetime_value",
        mode: Literal["first_conversion", "every"] = "first_conversion",
        missing: Literal["error", "zero"] = "error",
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
    ) -> Journeys: ...
    def with_margin(
        self, rate: float | None = None, *, by_kind: Mapping[str, float] | None = None
    ) -> Journeys: ...
    def split(self) -> dict[str, Journeys]: ...
    def counts(self, *, threads: int | None = None, progress: _call.Progress = None) -> PathCounts: ...
    def __len__(self) -> int: ...
    @property
    def n_converted(self) -> float: ...
    @property
    def n_open(self) -> float: ...
    def __repr__(self) -> str: ...
    def _repr_html_(self) -> str: ...
    def plot(self, **options: Any) -> Any: ...

class PathCounts(Fitted):
    def merge(self, *others: PathCounts, threads: int | None = None) -> PathCounts: ...
    def journeys(self) -> Journeys: ...
    def __len__(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...
