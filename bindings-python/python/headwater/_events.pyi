from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from . import _call, _frames

class EventOptions(TypedDict, total=False):
    conversions: str | None
    customer: str
    time: str
    channel: str
    value: str | None
    cost: str | None
    conversion_customer: str | None
    conversion_time: str | None
    lookback: _call.Span
    ties: Literal["channel", "input"]
    at_conversion: Literal["include", "exclude"]
    shared_touch: Literal["each", "reset", "first_only"]
    flagged_row: Literal["touch_and_conversion", "conversion"]
    open: Literal["include", "decided", "censored", "exclude"]
    observation_end: _call.Moment | None
    lookback_by_channel: Mapping[str, _call.Span] | None
    kind: str | None
    view: str
    click: str
    view_lookback: _call.Span | None
    click_lookback: _call.Span | None
    view_weight: float
    weight: str | None
    campaign: str | None
    conversion_kind: str | None
    kinds: Sequence[str] | None
    lookback_by_kind: Mapping[str, _call.Span] | None
    order_id: str | None
    duplicate_orders: Literal["first", "last", "sum", "error"]
    conversion_place: str | None
    offline_channels: Sequence[str]
    session_gap: _call.Span | None
    session_touch: Literal["first", "last", "first_non_direct", "last_non_direct"]
    collapse: Literal["none", "consecutive"]
    collapse_within: _call.Span | None
    direct: Literal["keep", "ignore_unless_alone"]
    direct_labels: Sequence[str]
    refunds: Literal["error", "keep"]
    on_invalid: Literal["error", "drop"]
    time_unit: Literal["s", "ms", "us", "ns"] | None

def take(touches: Any, conversions: Any, options: Mapping[str, Any]) -> tuple[Any, Any, _frames.Maker]: ...
