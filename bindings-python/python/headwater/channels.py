"""Where visits come from: addresses and click ids to source, medium, campaign and channel, by rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, Self

from . import _call, _core, _frames
from ._models import Fitted

__all__ = ["ChannelRules", "drill_down", "group"]


class ChannelRules(Fitted):
    """Ordered rules that give visits their channels; the first whose condition holds wins.

    A rule is ``{"channel": "Partner", "when": condition}``. A condition tests a field with one operator,
    ``{"field": "source", "ends_with": "partner.example"}``, or ``{"all": [...]}``, ``{"any": [...]}``,
    ``{"not": ...}`` of further conditions. Fields: source, medium, campaign, term, content, source_category,
    referrer_host, landing_host, landing_path, click_id, ad_network, creative_format, account_type. Operators:
    equals, one_of, matches (a regular expression), starts_with, ends_with, contains; case counts only where
    ``"case_sensitive": True`` is there.

    Parameters
    ----------
    rules : sequence of rules, optional
        Default: the default channel group of Google Analytics 4.
    default : str, default "Unassigned"
        The channel of visits that no rule takes.
    sources : mapping, optional
        Categories (``"search"``, ``"social"``, ``"shopping"``, ``"video"``, ``"ai_assistant"``, or words of
        one's own) by source: a host with all below it, or a name as in utm_source.
    known_sources : bool, default True
        Whether the few hundred well-known sources count too.
    click_ids : mapping, optional
        ``{"source": ..., "medium": ...}`` by the parameter of a click id.
    known_click_ids : bool, default True
        Whether the well-known click ids (gclid, msclkid, fbclid, ...) count too.
    own_hosts : sequence of str, optional
        Hosts of one's own; the landing page's host is one anyhow.
    internal : {"continue", "direct", "referral"}, default "continue"
        Visits referred by an own host: they go on and have no channel, are direct, or are referred.
    precedence : {"utm", "click_id"}, default "utm"
        Whether UTM parameters or the id of a paid click count first.
    lower_case : bool, default False
        Writes source, medium and campaign in small letters.

    Examples
    --------
    >>> rules = hw.ChannelRules.ga4().with_source("my-shop.de", "shopping")
    >>> rules.classify(landing_page="https://shop.de/?gclid=1")["channel"]
    'Paid Search'
    """

    _kind = "journey.ChannelRules"

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
    ) -> None:
        self._native = _core.channel_rules(
            _call.options(
                {
                    "rules": rules,
                    "default": default,
                    "sources": sources,
                    "known_sources": known_sources,
                    "click_ids": click_ids,
                    "known_click_ids": known_click_ids,
                    "own_hosts": own_hosts,
                    "internal": internal,
                    "precedence": precedence,
                    "lower_case": lower_case,
                }
            )
        )

    @classmethod
    def ga4(cls) -> Self:
        """The default channel group of Google Analytics 4."""
        return cls()

    def _options(self) -> dict[str, Any]:
        return self._body()

    def to_dict(self) -> dict[str, Any]:
        """All that the rules say, as the keywords of the constructor."""
        return self._body()

    @property
    def rules(self) -> list[dict[str, Any]]:
        """The rules in their order."""
        rules: list[dict[str, Any]] = self._body()["rules"]
        return rules

    def prepend(self, rule: Mapping[str, Any]) -> ChannelRules:
        """These rules after another one."""
        return self._with(rules=[rule, *self.rules])

    def append(self, rule: Mapping[str, Any]) -> ChannelRules:
        """These rules before another one."""
        return self._with(rules=[*self.rules, rule])

    def with_source(self, source: str, category: str) -> ChannelRules:
        """These rules with a source in a category."""
        return self._with(sources=self._body()["sources"] | {source: category})

    def with_click_id(self, parameter: str, source: str, medium: str) -> ChannelRules:
        """These rules with what a click id stands for."""
        return self._with(
            click_ids=self._body()["click_ids"] | {parameter: {"source": source, "medium": medium}}
        )

    def _with(self, **changes: Any) -> ChannelRules:
        return ChannelRules(**(self._body() | changes))

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
    ) -> dict[str, Any]:
        """The source, medium, campaign and channel of one visit, in microseconds; never an error.

        Parameters
        ----------
        landing_page, referrer : str, optional
            Addresses.
        source, medium, campaign : str, optional
            Where they were read before; they win over addresses.
        click_id : str, optional
            The parameter of a click id that was read before, ``"gclid"``.
        ad_network, creative_format, account_type : str, optional
            Of Google Ads, Display & Video 360 and Search Ads 360.

        Returns
        -------
        dict
            source, medium, campaign, channel, term, content, click_id, source_category, origin (what told the
            source: columns, utm, click_id, referrer, internal, direct or unknown), bad_landing_page,
            bad_referrer.
        """
        visit = {
            "landing_page": landing_page,
            "referrer": referrer,
            "source": source,
            "medium": medium,
            "campaign": campaign,
            "click_id": click_id,
            "ad_network": ad_network,
            "creative_format": creative_format,
            "account_type": account_type,
        }
        found: dict[str, Any] = json.loads(_core.classify_visit(self._fitted, _call.options(visit)))
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChannelRules) and self._body() == other._body()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ChannelRules({len(self.rules)} rules)"


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
) -> Any:
    """Source, medium, campaign and channel of every row of a frame of visits.

    No row is lost, and no address is an error: what cannot be read is unknown, and counted.

    Parameters
    ----------
    visits : frame
    landing_page, referrer : str, optional
        Columns of addresses.
    source, medium, campaign : str, optional
        Columns of what was read before; where there is a source or a medium, it wins over addresses.
    click_ids : mapping, optional
        Columns of click ids by parameter, ``{"gclid": "gclid"}``.
    ad_network, creative_format, account_type : str, optional
        Columns of Google Ads, Display & Video 360 and Search Ads 360.
    rules : ChannelRules, optional
        Default: those of Google Analytics 4.
    own_hosts : sequence of str, optional
        Hosts of one's own, besides those of the rules.
    report : dict, optional
        Is given the frames "summary" (channel, visits, share) and "accounting" (column, reason, count,
        first_row: what could not be read, and visits that go on).
    threads : int, optional
        How many threads to use; all by default. Does not change the result.
    progress : bool or callable, optional
        True for a bar, or a function of (stage, done, total).

    Returns
    -------
    frame
        source, medium, campaign, channel, one row a row; all missing in a visit that goes on.

    Examples
    --------
    >>> found = hw.channels.group(visits, landing_page="url", referrer="referrer")
    """
    columns = {
        "landing_page": landing_page,
        "referrer": referrer,
        "source": source,
        "medium": medium,
        "campaign": campaign,
        "ad_network": ad_network,
        "creative_format": creative_format,
        "account_type": account_type,
    }
    data, make = _frames.take(visits, [*columns.values(), *(click_ids or {}).values()])
    options = _call.options(columns | {"click_ids": click_ids, "rules": rules, "own_hosts": own_hosts})
    (_, table), *beside = _core.group_channels(data, options, _call.run(0, threads, progress))
    if report is not None:
        report.update({name: make(native) for name, native in beside})
    return make(table)


def drill_down(
    credits: Any,
    channel_credits: Any = None,
    *,
    separator: str = "/",
    channels: Mapping[str, Sequence[str]] | None = None,
    threads: int | None = None,
) -> Any:
    """Credits of campaigns by channel.

    Parameters
    ----------
    credits : frame
        What `headwater.attribute` gives for journeys whose channels are labels such as ``"search / brand"``.
    channel_credits : frame, optional
        What it gives for the same journeys rolled up. Then the channels' conversions and value are shared out
        over their campaigns in proportion to ``credits``.
    separator : str, default "/"
    channels : mapping, optional
        As in `Journeys.roll_up`.
    threads : int, optional
        How many threads to use; all by default.

    Returns
    -------
    frame
        model, channel, campaign, conversions, value, share_of_channel; with cost known also cost, roas, cpa.
        The campaigns of a channel add up to it.

    Examples
    --------
    >>> fine = journeys.by_campaign()
    >>> hw.channels.drill_down(hw.attribute(fine, "markov"), hw.attribute(fine.roll_up(), "markov"))
    """
    data, make = _frames.take(credits)
    whole = None if channel_credits is None else _frames.take(channel_credits)[0]
    levels = _call.options({"separator": separator, "channels": channels})
    return make(_core.drill_down(data, whole, levels, _call.run(0, threads)))
