"""Markets whose truth is known: to try things on, and to score models against.

People enter the market, are reached by channels, carry several cookies,
devices and e-mail addresses, share devices within households, buy, and drop
out. One seed gives the same market in every language, at any size.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from . import _call, _core, _frames

__all__ = ["Market", "batches", "lift_test", "market", "presets", "score"]

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
    truth_events : frame
        Truth beside ``events``: person.
    truth_orders : frame
        Truth beside ``orders``: order_id, person, and the channel that caused it.
    channels, totals : frame
        Truth of the whole market, and the sums. For each channel: what it cost, the orders that its
        touches caused (``incremental_...``), and those that would not exist with the channel switched
        off (``lost_...``), which is what attribution is scored against.
    end : datetime or None
        The end of the observed days; None for a batch.
    """

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

    def __init__(self, tables: Mapping[str, Any], end: dt.datetime | None = None) -> None:
        for name, table in tables.items():
            setattr(self, name, table)
        self.end = end

    def __repr__(self) -> str:
        return (
            f"Market(events={len(self.events):,}, orders={len(self.orders):,}, people={len(self.people):,})"
        )


def _options(
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
) -> str:
    _call.run(seed)
    return _call.options(
        {
            "preset": preset,
            "people": people,
            "events": events,
            "days": days,
            "holdout_days": holdout_days,
            "start": _call.moment(start),
            "seed": seed,
            "channels": channels,
            "activity": activity,
            "responsiveness": responsiveness,
            "off": off,
            "purchases": purchases,
            "identity": identity,
            "batch_people": batch_people,
        }
    )


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
) -> Market:
    """Makes a whole market in memory, in the order of time.

    Parameters
    ----------
    people : int, default 10,000
        How many people there are.
    preset : str, optional
        The name of a market that differs in what makes attribution hard; `presets` lists them. What is
        given beside it overrides, and its defaults are other ones: 20,000 people, 180 and 30 days.
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
        ``carry_over``, ``intent``, ``intent_lead``, ``follow``, ``follow_on`` ("visits", "intent"),
        ``follow_delay``, ``targeting``, ``saturation``, ``saturation_window``, ``synergy`` (a list of
        dicts of ``after``, ``factor``, ``within``), ``visit``, ``customers_only``, ``knows_email``,
        ``campaigns``. Eight channels by default.
    activity : float, default 1.5
        How alike people are in how much they are reached (shape of a Gamma distribution).
    responsiveness : float, optional
        How alike they are in how much touches move them (the same); all alike by default.
    off : list of str, optional
        Channels that touch nobody, while everything else and each person's random draws stay the same.
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
        people,
        preset=preset,
        events=events,
        days=days,
        holdout_days=holdout_days,
        start=start,
        seed=seed,
        channels=channels,
        activity=activity,
        responsiveness=responsiveness,
        off=off,
        purchases=purchases,
        identity=identity,
    )
    tables, end = _core.simulate_market(options, _call.run(0, threads, progress))
    make = _frames.maker(backend)
    return Market({name: make(table) for name, table in tables}, _EPOCH + dt.timedelta(microseconds=end))


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
) -> Iterator[Market]:
    """The same market as `market` gives, as a stream: one batch of people in memory at a time.

    Parameters
    ----------
    people, preset, events, days, holdout_days, start, seed, channels, activity, responsiveness, off, \
purchases, identity, backend, threads, progress
        As in `market`.
    batch_people : int, default 16,384
        How many people one batch holds. Does not change the market.

    Yields
    ------
    Market
        Each person whole; ``channels`` and ``totals`` count the batches so far.
    """
    options = _options(
        people,
        preset=preset,
        events=events,
        days=days,
        holdout_days=holdout_days,
        start=start,
        seed=seed,
        channels=channels,
        activity=activity,
        responsiveness=responsiveness,
        off=off,
        purchases=purchases,
        identity=identity,
        batch_people=batch_people,
    )
    make = _frames.maker(backend)
    stream = _core.MarketBatches(options, _call.run(0, threads, progress))

    def each() -> Iterator[Market]:
        while (tables := stream.next()) is not None:
            totals, channel_truth = stream.truth()
            truth = {"totals": make(totals), "channels": make(channel_truth)}
            yield Market({name: make(table) for name, table in tables} | truth)

    return each()


def presets(*, backend: str | None = None) -> Any:
    """The named markets, which differ in what makes attribution hard.

    Parameters
    ----------
    backend : {"pandas", "polars", "pyarrow"}, optional
        The kind of frame to give.

    Returns
    -------
    frame
        name, story.
    """
    return _frames.maker(backend)(_core.simulate_presets())


def lift_test(
    tests: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    backend: str | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
    **market: Any,
) -> Any:
    """Makes randomised lift tests in a market: what a calibration is fed with, and the truth beside it.

    A share of people is held out: the channel does not touch them from the start to the end. The effect
    is the difference between the two groups' means, scaled to all people.

    Parameters
    ----------
    tests : dict or list of dict
        Each with ``channel`` and any of ``start`` and ``end`` (excluded; all observed days by default),
        ``held_out`` (0.5), ``cooldown`` ("0d": how long after the end orders still count), ``design``
        ("everyone", or "reached": only those whom the channel would touch), ``metric`` ("conversions",
        "value") and ``seed`` (0). Each test is made as if it were the only one.
    backend : {"pandas", "polars", "pyarrow"}, optional
        The kind of frame to give.
    threads : int, optional
        How many threads to use; all by default. Does not change the result.
    progress : bool or callable, optional
        True for a bar, or a function of (stage, done, total).
    **market
        The market, as in `market`: ``preset``, ``people``, ``seed`` and so on.

    Returns
    -------
    frame
        channel, start, end, metric, effect, standard_error, true_effect, people, held_out, conversions,
        conversions_held_out; one row a test.

    Examples
    --------
    >>> import headwater as hw
    >>> tests = [{"channel": "social", "start": "2025-02-01", "end": "2025-04-01"}]
    >>> lift = hw.simulate.lift_test(tests, preset="plain", seed=7)
    """
    run = _call.run(0, threads, progress)
    listed = [tests] if isinstance(tests, Mapping) else list(tests)
    options = f'{{"market":{_options(**market)},"tests":{_call.dump("tests", listed)}}}'
    return _frames.maker(backend)(_core.simulate_lift_test(options, run))


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
) -> Any:
    """Scores the credits of one or more models against what channels truly did.

    Whether the shares are right (``error``) and whether the amount is (``over_credit``) are kept apart:
    a model that splits all conversions over channels credits what would have come anyway too.

    Parameters
    ----------
    credits : frame
        channel, the credit and, for more than one model, model: what `attribute` gives. With columns
        ``<credit>_low`` and ``<credit>_high``, or ``share_low`` and ``share_high``, it is told whether
        intervals cover the truth.
    truth : frame
        One row a channel: `Market.channels`.
    credit, truth_column : str
        The columns to compare.
    min_share : float, default 0.05
        Relative errors are summed up over channels with at least this true share.
    outside : list of str
        Labels of credits that belong to no channel.
    report : dict, optional
        Is given the frame "models", one row a model: channels, mean_absolute_error, weighted_mape,
        largest_error, kendall_tau, credit, truth, over_credit, coverage, share_coverage.
    threads : int, optional
        How many threads to use; all by default. Does not change the result.

    Returns
    -------
    frame
        model, channel, credit, truth, over_credit, credit_share, true_share, error, relative_error,
        covered, share_covered; one row a model and channel.

    Examples
    --------
    >>> scores = hw.simulate.score(hw.attribute(journeys, ["last", "linear"]), market.channels)
    """
    options = _call.options(
        {"credit": credit, "truth": truth_column, "min_share": min_share, "outside": list(outside)}
    )
    bounds = [f"{of}_{end}" for of in (credit, "share") for end in ("low", "high")]
    data, make = _frames.take(credits, ["model", "channel", credit, *bounds])
    known, _ = _frames.take(truth, ["channel", truth_column])
    found, models = _core.simulate_score(data, known, options, _call.run(0, threads))
    if report is not None:
        report["models"] = make(models)
    return make(found)
