"""Markets whose truth is known: to try things on, and to score models against.

People enter the market, are reached by channels, carry several cookies,
devices and e-mail addresses, share devices within households, buy, and drop
out. One seed gives the same market in every language, at any size.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import _call, _core, _frames

__all__ = ["Market", "batches", "market"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Market:
    """A market, or a batch of one; every attribute is a frame.

    Attributes
    ----------
    events : frame
        One row a touch: time, cookie, device, email, user_id, channel, campaign, cost.
    orders : frame
        One row an order in the observed days: time, order_id, the identifiers, source, value.
    records : frame
        What stitching takes: the identifiers of events and orders together, in the order of time.
    holdout : frame
        The orders of the days after the end.
    people : frame
        Truth, one row a person: rates, amounts, whether alive at the end, and what came.
    truth_people : frame
        Truth: namespace, identifier, person; one row for each person who used the identifier.
    truth_orders : frame
        Truth beside ``orders``: order_id, person, and the channel that caused it.
    channels, totals : frame
        Truth of the whole market: what each channel caused and cost, and the sums.
    end : datetime or None
        The end of the observed days; None for a batch.
    """

    events: Any
    orders: Any
    records: Any
    holdout: Any
    people: Any
    truth_people: Any
    truth_orders: Any
    channels: Any
    totals: Any
    end: dt.datetime | None

    def __init__(self, tables: Mapping[str, Any], end: dt.datetime | None = None) -> None:
        for name, table in tables.items():
            setattr(self, name, table)
        self.end = end

    def __repr__(self) -> str:
        return (
            f"Market(events={len(self.events):,}, orders={len(self.orders):,}, people={len(self.people):,})"
        )


def _options(
    people: int | None,
    events: int | None,
    days: int | None,
    holdout_days: int | None,
    start: _call.Moment | None,
    seed: int,
    channels: Sequence[Mapping[str, Any]] | None,
    activity: float | None,
    purchases: Mapping[str, Any] | None,
    identity: Mapping[str, Any] | None,
    batch_people: int | None = None,
) -> str:
    _call.run(seed)
    return _call.options(
        {
            "people": people,
            "events": events,
            "days": days,
            "holdout_days": holdout_days,
            "start": _call.moment(start),
            "seed": seed,
            "channels": channels,
            "activity": activity,
            "purchases": purchases,
            "identity": identity,
            "batch_people": batch_people,
        }
    )


def market(
    people: int | None = None,
    *,
    events: int | None = None,
    days: int | None = None,
    holdout_days: int | None = None,
    start: _call.Moment | None = None,
    seed: int = 0,
    channels: Sequence[Mapping[str, Any]] | None = None,
    activity: float | None = None,
    purchases: Mapping[str, Any] | None = None,
    identity: Mapping[str, Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Market:
    """Makes a whole market in memory, in the order of time.

    Parameters
    ----------
    people : int, default 10,000
        How many people there are.
    events : int, optional
        About how many touches there should be; decides ``people`` when given.
    days, holdout_days : int, default 365 and 90
        How many days are observed, and how many follow to check forecasts.
    start : str or date, default "2025-01-01"
        The first day.
    seed : int, default 0
        The same seed gives the same market.
    channels : list of dict, optional
        Each with ``name`` and any of ``kind`` ("paid", "organic"), ``reach``, ``cost``, ``effect``,
        ``carry_over``, ``intent``, ``intent_lead``, ``follow``, ``follow_delay``, ``visit``,
        ``customers_only``, ``knows_email``, ``campaigns``. Eight channels by default.
    activity : float, default 1.5
        How alike people are in how much they are reached (shape of a Gamma distribution).
    purchases : dict, optional
        The purchase process: any of ``buyers``, ``consideration``, ``r``, ``alpha``, ``a``, ``b``,
        ``spend_p``, ``spend_q``, ``spend_gamma``.
    identity : dict, optional
        The traces people leave: any of ``second_device``, ``third_device``, ``app``, ``cookie_life``,
        ``login``, ``member``, ``second_email``, ``order_email``, ``order_login``, ``order_phone``,
        ``store``, ``loyalty``, ``household``, ``shared_device``, ``shared_use``.
    backend : {"pandas", "polars", "pyarrow"}, optional
        The kind of frame to give; by default an Arrow table where PyArrow is installed, else a `Frame`.
    threads : int, optional
        How many threads to use; all by default. Does not change the result.
    progress : bool or callable, optional
        True for a bar, or a function of (stage, done, total).

    Returns
    -------
    Market

    Examples
    --------
    >>> import headwater as hw
    >>> hw.simulate.market(people=1000, seed=7)
    Market(...)
    """
    options = _options(
        people, events, days, holdout_days, start, seed, channels, activity, purchases, identity
    )
    tables, end = _core.simulate_market(options, _call.run(0, threads, progress))
    make = _frames.maker(backend)
    return Market({name: make(table) for name, table in tables}, _EPOCH + dt.timedelta(microseconds=end))


def batches(
    people: int | None = None,
    *,
    events: int | None = None,
    days: int | None = None,
    holdout_days: int | None = None,
    start: _call.Moment | None = None,
    seed: int = 0,
    channels: Sequence[Mapping[str, Any]] | None = None,
    activity: float | None = None,
    purchases: Mapping[str, Any] | None = None,
    identity: Mapping[str, Any] | None = None,
    batch_people: int | None = None,
    backend: str | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Iterator[Market]:
    """The same market as `market` gives, as a stream: one batch of people in memory at a time.

    Parameters
    ----------
    people, events, days, holdout_days, start, seed, channels, activity, purchases, identity, backend, \
threads, progress
        As in `market`.
    batch_people : int, default 16,384
        How many people one batch holds. Does not change the market.

    Yields
    ------
    Market
        Each person whole; ``channels`` and ``totals`` count the batches so far.
    """
    options = _options(
        people, events, days, holdout_days, start, seed, channels, activity, purchases, identity, batch_people
    )
    make = _frames.maker(backend)
    stream = _core.MarketBatches(options, _call.run(0, threads, progress))

    def each() -> Iterator[Market]:
        while (tables := stream.next()) is not None:
            totals, channel_truth = stream.truth()
            truth = {"totals": make(totals), "channels": make(channel_truth)}
            yield Market({name: make(table) for name, table in tables} | truth)

    return each()
