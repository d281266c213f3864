from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, Self

from . import _call
from ._models import Fitted

__all__ = ["ChannelRules", "drill_down", "group"]

class ChannelRules(Fitted):
    def __init__(
        self,
        rules: Sequence[Mapping[str, Any]] | None = None,
        *,
        default: str | None = None,
        sources: Mapping[str, str] | None = None,
        known_sources: bool | None = None,
        click_ids: Mapping[str, Mapping[str, str]] | None = None,
        known_click_ids: bool | None = None,
        own_hosts: Sequence[str] | None = None,
        internal: Literal["continue", "direct", "referral"] | None = None,
        precedence: Literal["utm", "click_id"] | None = None,
        lower_case: bool | None = None,
    ) -> None: ...
    @classmethod
    def ga4(cls) -> Self: ...
    def _options(self) -> dict[str, Any]: ...
    def to_dict(self) -> dict[str, Any]: ...
    @property
    def rules(self) -> list[dict[str, Any]]: ...
    def prepend(self, rule: Mapping[str, Any]) -> ChannelRules: ...
    def append(self, rule: Mapping[str, Any]) -> ChannelRules: ...
    def with_source(self, source: str, category: str) -> ChannelRules: ...
    def with_click_id(self, parameter: str, source: str, medium: str) -> ChannelRules: ...
    def _with(self, **changes: Any) -> ChannelRules: ...
    def classify(
        self,
        *,
        landing_page: str | None = None,
        referrer: str | None = None,
        source: str | None = None,
        medium: str | None = None,
        campaign: str | None = None,
        click_id: str | None = None,
        ad_network: str | None = None,
        creative_format: str | None = None,
        account_type: str | None = None,
    ) -> dict[str, Any]: ...
    def __eq__(self, other: object) -> bool: ...
    def __repr__(self) -> str: ...
    __hash__ = None  # type: ignore[assignment]

def group(
    visits: Any,
    *,
    landing_page: str | None = None,
    referrer: str | None = None,
    source: str | None = None,
    medium: str | None = None,
    campaign: str | None = None,
    click_ids: Mapping[str, str] | None = None,
    ad_network: str | None = None,
    creative_format: str | None = None,
    account_type: str | None = None,
    rules: ChannelRules | Mapping[str, Any] | None = None,
    own_hosts: Sequence[str] | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def drill_down(
    credits: Any,
    channel_credits: Any = None,
    *,
    separator: str = "/",
    channels: Mapping[str, Sequence[str]] | None = None,
    threads: int | None = None,
) -> Any: ...
