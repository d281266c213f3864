from collections.abc import MutableMapping, Sequence
from typing import Any, Literal

from . import _call

__all__ = ["Analytics"]

_Set = str | int | Sequence[str | int]
_Repeats = Literal["collapse", "keep"]
_Split = Literal["none", "first_channel", "last_channel", "segment"]
_Weights = Literal["all", "conversions", "nulls"]
_Extras = MutableMapping[str, Any] | None
_Report = Literal[
    "paths",
    "transitions",
    "lags",
    "lengths",
    "channels",
    "summary",
    "funnel",
    "step_matrix",
    "graph",
    "graph_difference",
    "time_to_convert",
    "path_length",
    "assisted",
    "positions",
    "overlap",
    "online_offline",
    "friction",
    "lag_curves",
    "patterns",
    "sequences",
]

class Analytics:
    def bootstrap(
        self,
        name: _Report,
        *,
        bootstrap: int = 1000,
        confidence: float = 0.9,
        interval: Literal["percentile", "basic", "normal"] = "percentile",
        report: _Extras = None,
        seed: int = 0,
        threads: int | None = None,
        progress: _call.Progress = None,
        **options: Any,
    ) -> Any: ...
    def funnel(
        self,
        steps: Sequence[_Set],
        *,
        window: _call.Span | None = None,
        order: Literal["loose", "strict", "any"] = "loose",
        exclude: Sequence[str | int] = (),
        by: Literal["journey", "customer"] = "journey",
        attempts: Literal["best", "all"] = "best",
        repeats: _Repeats = "keep",
        split_by: _Split = "none",
        quantiles: Sequence[float] = (0.5, 0.9),
        level: float = 0.95,
        report: _Extras = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def step_matrix(
        self,
        steps: int = 10,
        *,
        anchor: Literal["start", "end", "channel", "pattern"] = "start",
        channel: _Set | None = None,
        pattern: str | None = None,
        before: int = 3,
        occurrence: Literal["first", "last"] = "first",
        weights: _Weights = "all",
        repeats: _Repeats = "keep",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def graph(
        self,
        *,
        min_share: float = 0.0,
        repeats: _Repeats = "collapse",
        weights: _Weights = "all",
        report: _Extras = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def graph_difference(
        self,
        other: Any = None,
        *,
        min_share: float = 0.0,
        repeats: _Repeats = "collapse",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def time_to_convert(
        self,
        *,
        split_by: _Split = "none",
        censor_at: Literal["observation_end", "last_touch"] = "observation_end",
        lookback: _call.Span | None = None,
        observation_end: _call.Moment | None = None,
        quantiles: Sequence[float] = (0.25, 0.5, 0.75, 0.9),
        level: float = 0.95,
        grid: _call.Span | None = None,
        report: _Extras = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def path_length(
        self,
        *,
        split_by: _Split = "none",
        quantiles: Sequence[float] = (0.25, 0.5, 0.75, 0.9),
        level: float = 0.95,
        report: _Extras = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def assisted(
        self,
        *,
        assist: Literal["not_last", "any_earlier"] = "not_last",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def positions(self, *, threads: int | None = None, progress: _call.Progress = None) -> Any: ...
    def overlap(
        self,
        size: int = 2,
        *,
        channels: _Set | None = None,
        min_journeys: float = 10,
        level: float = 0.95,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def online_offline(
        self, offline: _Set | None = None, *, threads: int | None = None, progress: _call.Progress = None
    ) -> Any: ...
    def friction(
        self,
        *,
        max_step: int = 20,
        min_visits: float = 20,
        transitions: bool = True,
        lookback: _call.Span | None = None,
        observation_end: _call.Moment | None = None,
        level: float = 0.95,
        report: _Extras = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def patterns(
        self,
        patterns: str | Sequence[str],
        *,
        by: Literal["journey", "customer"] = "journey",
        within: _call.Span | None = None,
        repeats: _Repeats = "keep",
        split_by: _Split = "none",
        matches: int = 10,
        quantiles: Sequence[float] = (0.5, 0.9),
        level: float = 0.95,
        report: _Extras = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def sequences(
        self,
        *,
        min_length: int = 2,
        max_length: int = 3,
        min_count: float = 20,
        repeats: _Repeats = "collapse",
        level: float = 0.95,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def features(
        self,
        *,
        by: Literal["customer", "journey"] = "customer",
        measure: Literal["share", "count", "binary"] = "share",
        transitions: bool = False,
        repeats: _Repeats = "keep",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def lag_curves(
        self,
        *,
        from_touch: Literal["first", "last"] = "first",
        grid: _call.Span = "1d",
        longest: _call.Span | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
