"""What happened, in order? Journeys from raw events, or from tables of paths."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, Self

from . import _call, _callback, _core, _events, _frames, _weights
from ._analytics import Analytics
from ._models import Fitted
from .attribution import AttributionModel

__all__ = ["Journeys", "PathCounts"]

_OnInvalid = Literal["error", "drop"]


class Journeys(Analytics):
    """The touches of each customer before each conversion, and those that led to none.

    Made by `from_events` or `from_paths`. Frames come out in the kind that came in.
    """

    def __init__(self, native: _core.Journeys, make: _frames.Maker) -> None:
        self._native = native
        self._make = make

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
    ) -> Self:
        """Journeys from a frame of touches and the conversions that they led to.

        Parameters
        ----------
        touches : frame
            One row a touch.
        customer, time, channel : str
            Columns of touches.
        conversions : frame or str, optional
            A second frame with customer, time and value; or the name of a flag column in ``touches``.
            Without either, all journeys are open.
        value : str, optional
            Column of a conversion's value, in the frame that has the conversions.
        cost : str, optional
            Column of what a touch cost.
        conversion_customer, conversion_time : str, optional
            Columns of ``conversions``, where they are called other than in ``touches``.
        lookback : str, timedelta or number of days, default "30d"
            How far a conversion looks back; the far end is excluded.
        ties : {"channel", "input"}, default "channel"
            The order of a customer's touches at the same time: by channel, or as the rows stand.
        at_conversion : {"include", "exclude"}, default "include"
            Whether a touch at the instant of the conversion belongs to it.
        shared_touch : {"each", "reset", "first_only"}, default "each"
            A touch before several conversions serves each of them; or the journey starts anew after each
            conversion; or a touch serves the first conversion whose window holds it.
        flagged_row : {"touch_and_conversion", "conversion"}
            Whether a flagged row is a touch too.
        open : {"include", "decided", "censored", "exclude"}, default "include"
            Touches that led to no conversion form open journeys; only those that are over; all, but only
            those that are over count as nulls; or none.
        observation_end : str or datetime, optional
            What is later is left out and counted; by default the latest time there is.
        lookback_by_channel : mapping of str to span, optional
            Windows of channels. Where a touch has several of the windows that follow, the shortest holds;
            ``lookback`` holds where it has none.
        kind : str, optional
            Column of touches: view or click; null is a click.
        view, click : str, default "view", "click"
            What these are called in ``kind``.
        view_lookback, click_lookback : span, optional
            Windows of views and of clicks.
        view_weight : float, default 1
            What a view counts for in the rules, beside 1 of a click.
        weight : str, optional
            Column of touches: what each counts for in the rules. Markov chains and Shapley values know no
            weights; a touch of weight 0 earns nothing unless all of its journey's have that weight.
        campaign : str, optional
            Column of touches: the campaign within the channel; may be null.
        conversion_kind : str, optional
            Column of conversions: their kind (see `of_kind`).
        kinds : list of str, optional
            The kinds that count as conversions; others are left out and counted (`accounting`).
        lookback_by_kind : mapping of str to span, optional
            Windows of kinds of conversions.
        order_id : str, optional
            Column of conversions: the order; rows with the same id are one conversion.
        duplicate_orders : {"first", "last", "sum", "error"}, default "first"
            Which is kept: the earliest, the latest, the earliest with the value of all; or an error.
        conversion_place : str, optional
            Column of conversions: where they took place, such as online and store.
        offline_channels : list of str, optional
            Channels that are not online.
        session_gap : span, optional
            Touches no further apart than this are one session, of which one touch is kept.
        session_touch : {"first", "last", "first_non_direct", "last_non_direct"}, default "first"
            The touch that stands for a session.
        collapse : {"none", "consecutive"}, default "none"
            Whether the same touch several times in a row counts once.
        collapse_within : span, optional
            How far apart two equal touches in a row may be to collapse.
        direct : {"keep", "ignore_unless_alone"}, default "keep"
            Whether direct visits are left out of journeys that have another touch.
        direct_labels : list of str, default ("direct", "(direct)")
            Channels that are direct visits, in any case.
        refunds : {"error", "keep"}, default "error"
            Conversions of negative value are an error, or lower the value of their touches' channels.
        on_invalid : {"error", "drop"}, default "error"
            Rows with nulls, NaN or negative amounts are an error, or dropped and counted (`dropped`).
        time_unit : {"s", "ms", "us", "ns"}, optional
            The unit of times that are plain numbers.
        threads : int, optional
            How many threads to use; all by default. Does not change the result.
        progress : bool or callable, optional
            True for a bar, or a function of (stage, done, total).

        Raises
        ------
        ColumnError, RowError, OptionError
        """
        flag = conversions if isinstance(conversions, str) else None
        options = {
            "customer": customer,
            "time": time,
            "channel": channel,
            "cost": cost,
            "conversion": flag,
            "value": value,
            "conversion_customer": conversion_customer,
            "conversion_time": conversion_time,
            "lookback": lookback,
            "ties": ties,
            "at_conversion": at_conversion,
            "shared_touch": shared_touch,
            "flagged_row": flagged_row,
            "open": open,
            "observation_end": _call.moment(observation_end),
            "refunds": refunds,
            "on_invalid": on_invalid,
            "time_unit": time_unit,
            "lookback_by_channel": lookback_by_channel,
            "kind": kind,
            "view": view,
            "click": click,
            "view_lookback": view_lookback,
            "click_lookback": click_lookback,
            "view_weight": view_weight,
            "weight": weight,
            "campaign": campaign,
            "conversion_kind": conversion_kind,
            "kinds": kinds,
            "lookback_by_kind": lookback_by_kind,
            "order_id": order_id,
            "duplicate_orders": duplicate_orders,
            "conversion_place": conversion_place,
            "offline_channels": offline_channels,
            "session_gap": session_gap,
            "session_touch": session_touch,
            "collapse": collapse,
            "collapse_within": collapse_within,
            "direct": direct,
            "direct_labels": direct_labels,
        }
        data, orders, make = _events.take(touches, None if flag else conversions, options)
        run = _call.run(0, threads, progress)
        return cls(_core.Journeys.from_events(data, orders, _call.options(options), run), make)

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
    ) -> Self:
        """Journeys from a table of paths with counts.

        Parameters
        ----------
        paths : frame
            Equal paths may stand in several rows.
        path : str
            Column of the path, its channels joined by ``sep``; blank means conversions without a touch.
        conversions : str or None, default "conversions"
            Column of how many conversions the row counts for, fractions allowed; None: one each.
        value : str, optional
            Column of the value of all the row's conversions.
        nulls : str, optional
            Column of how many journeys took this path and did not convert.
        sep : str, default " > "
        refunds : {"error", "keep"}, default "error"
            Conversions of negative value are an error, or lower the value of their touches' channels.
        on_invalid : {"error", "drop"}, default "error"
        threads, progress
            As in `from_events`.
        """
        options = _call.options(
            {
                "path": path,
                "value": value,
                "nulls": nulls,
                "sep": sep,
                "refunds": refunds,
                "on_invalid": on_invalid,
            }
            | ({"conversions": conversions} if conversions is not None else {"conversions": _call.NULL})
        )
        data, make = _frames.take(paths, [path, conversions, value, nulls])
        return cls(_core.Journeys.from_paths(data, options, _call.run(0, threads, progress)), make)

    def _tables(
        self,
        name: str,
        options: Mapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> dict[str, Any]:
        """A report's frames by name, the one that it is about first."""
        run = _call.run(0, threads, progress)
        found = self._native.report(name, _call.options(options or {}), run)
        return {table: self._make(native) for table, native in found}

    def _report(
        self,
        name: str,
        options: Mapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        report: MutableMapping[str, Any] | None = None,
    ) -> Any:
        """A report's frame; those beside it go into ``report``."""
        (_, frame), *beside = self._tables(name, options, threads, progress).items()
        if report is not None:
            report.update(beside)
        return frame

    def _attribution(
        self,
        name: str,
        options: Mapping[str, Any],
        *,
        other: Journeys | None = None,
        frame: Any = None,
        lift_tests: Any = None,
        seed: int = 0,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> dict[str, Any]:
        """A report of attribution: its frames by name."""
        run = _call.run(seed, threads, progress)
        given = _call.journeys(other, "other")._native if other is not None else None
        functions: dict[str, _callback.Rule] = {}
        options = _callback.named(options, functions)
        rules = _callback.weights(functions, self, other, run) if functions else None
        found = self._native.attribution(name, _call.options(options), run, given, frame, rules, lift_tests)
        return {table: self._make(native) for table, native in found}

    def paths(self, *, threads: int | None = None, progress: _call.Progress = None) -> Any:
        """Distinct paths by conversions: path, touches, conversions, value, nulls, conversion_rate."""
        return self._report("paths", None, threads, progress)

    def transitions(
        self,
        order: int = 1,
        repeats: Literal["collapse", "keep"] = "collapse",
        *,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """What follows what: from, to, count, probability.

        Parameters
        ----------
        order : int, default 1
            How many channels a state holds; the more channels there are, the fewer it can.
        repeats : {"collapse", "keep"}, default "collapse"
            Whether a channel several times in a row counts once.
        threads, progress
            As in `from_events`.
        """
        return self._report("transitions", {"order": order, "repeats": repeats}, threads, progress)

    def lags(self) -> Any:
        """How long conversions took from the first touch: days, conversions, value."""
        return self._report("lags")

    def lengths(self) -> Any:
        """How long journeys are: touches, conversions, value, nulls."""
        return self._report("lengths")

    def channels(self) -> Any:
        """Channels: touches, and the conversions, value and nulls of the journeys that they take part in."""
        return self._report("channels")

    def summary(self) -> Any:
        """One row of totals."""
        return self._report("summary")

    @property
    def dropped(self) -> Any:
        """The rows dropped with ``on_invalid="drop"``: column, reason, count, first_row."""
        return self._report("dropped")

    def touch_credits(
        self,
        model: str | AttributionModel | Mapping[str, Any] | _callback.Rule,
        *,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """The credit of each touch of each converting journey.

        Parameters
        ----------
        model : str, model or function
            As in `headwater.attribute`.
        threads, progress
            As in `from_events`.

        Returns
        -------
        frame
            journey, position, customer, time, channel, campaign (where it was read), conversion_time,
            conversions, value.
        """
        (one,) = _call.models([model])
        found = self._attribution("touch_credits", {"model": one}, threads=threads, progress=progress)
        _weights.heed(found, remedy=False)
        return found["touch_credits"]

    def durations(self) -> Any:
        """How long journeys were followed: journey, customer, first_touch, end, converted, decided.

        ``end`` is the conversion, or until when an open journey was followed: the end of observation, or
        the end of its window if that is earlier. ``decided`` is missing for conversions.
        """
        return self._report("durations")

    def accounting(self) -> Any:
        """What was merged or left out when the journeys were built: step, count."""
        return self._report("accounting")

    def _parts(
        self,
        name: str,
        options: Mapping[str, Any] | None = None,
        frame: Any = None,
        threads: int | None = None,
    ) -> dict[str, Journeys]:
        """Journeys made of these, by label."""
        found = self._native.part(name, _call.options(options or {}), _call.run(0, threads), frame)
        return {label: Journeys(native, self._make) for label, native in found}

    def of_kind(self, kind: str) -> Journeys:
        """The journeys that end in a conversion of one kind, and the open ones."""
        return self._parts("of_kind", {"kind": kind})[""]

    def between(self, start: _call.Moment, end: _call.Moment) -> Journeys:
        """The journeys that ended from ``start`` up to but without ``end``."""
        return self._parts("between", {"start": _call.moment(start), "end": _call.moment(end)})[""]

    def of_customers(self, customers: Any) -> Journeys:
        """The journeys of these customers: a list of them, or a frame with a column ``customer``."""
        if isinstance(customers, (list, tuple, set, frozenset)):
            customers = {"customer": list(customers)}
        frame, _ = _frames.take(customers, ["customer"])
        return self._parts("of_customers", None, frame)[""]

    def by_campaign(self, *, separator: str = "/") -> Journeys:
        """The same journeys whose channels are ``channel / campaign``, each with the cost of its touches.

        Cost is missing where it stayed behind: in parts of journeys, and after `transform` and `roll_up`.

        Parameters
        ----------
        separator : str, default "/"
            What stands between channel and campaign. No channel may hold it, for then labels could not be
            taken apart again: give another where channels are such as ``google / cpc``, and the same one to
            `roll_up` and `headwater.channels.drill_down`.
        """
        return self._parts("by_campaign", {"separator": separator})[""]

    def transform(self, steps: Sequence[str | Mapping[str, Any]], *, threads: int | None = None) -> Journeys:
        """The journeys after these steps, one after another.

        Every step keeps all conversions, values and nulls; a conversion that loses its last touch becomes one
        without a touch.

        Parameters
        ----------
        steps : sequence of str or dict
            ``"unique"`` (nothing changes), ``"exposure"`` (one touch of every run of a channel), ``"first"``
            (the first touch of every channel), ``"frequency"`` (the same, labelled ``channel(n)``),
            ``"ignore_direct"`` (unless all are direct), ``"sessions"`` (one touch of every session); or with
            parameters ``{"step": "exposure", "keep": "last"}``, ``{"step": "remove_if_last_and_not_all",
            "channels": [...]}``, ``{"step": "remove_if_not_all", "channels": [...]}``, ``{"step":
            "trim_long_path", "steps": 20}``, ``{"step": "exclude", "channels": [...]}``, ``{"step":
            "include_only", "channels": [...]}``, ``{"step": "ignore_direct", "direct": [...]}``, ``{"step":
            "merge", "channels": {"group": [...]}}``, ``{"step": "merge_rare", "min_share": 0.01, "into":
            "other"}``, ``{"step": "collapse", "gap": "1h"}``, ``{"step": "sessions", "gap": "30m", "keep":
            "first" | "last" | "first_non_direct" | "last_non_direct"}``.
        threads : int, optional
            As in `from_events`.

        Raises
        ------
        OptionError
            For an unknown step, a channel that is not there, or a parameter out of range.
        ColumnError
            For sessions and gaps of journeys from paths, which have no times.

        Examples
        --------
        >>> journeys.transform(["exposure", {"step": "trim_long_path", "steps": 20}])
        """
        return self._parts("transform", {"steps": _call.listed("steps", steps)}, threads=threads)[""]

    def matching(
        self,
        pattern: str,
        *,
        within: _call.Span | None = None,
        repeats: Literal["keep", "collapse"] = "keep",
        invert: bool = False,
        threads: int | None = None,
    ) -> Journeys:
        """The journeys whose path holds a pattern, or with ``invert`` the others; see `patterns`.

        A row counts for its conversions where the path that converts matches, and for its nulls where the one
        that does not.

        Parameters
        ----------
        pattern : str
        within : str, timedelta or number of days, optional
            The longest time from the first step of a match to its last touch or conversion.
        repeats : {"keep", "collapse"}, default "keep"
            Whether a channel several times in a row counts once.
        invert : bool, default False
        threads : int, optional
            As in `from_events`.

        Examples
        --------
        >>> hw.attribute(journeys.matching("(start) -> social -> .*"), "markov")
        """
        options = {"pattern": pattern, "within": within, "repeats": repeats, "invert": invert}
        return self._parts("matching", options, threads=threads)[""]

    def roll_up(
        self, *, separator: str = "/", channels: Mapping[str, Sequence[str]] | None = None
    ) -> Journeys:
        """The same journeys on the level of channels, where they have campaigns as channels.

        Parameters
        ----------
        separator : str, default "/"
            What stands between channel and campaign in a label, as `by_campaign` makes them.
        channels : mapping, optional
            Labels by the channel that they belong to, whatever they look like.
        """
        return self._parts("roll_up", {"separator": separator, "channels": channels})[""]

    def with_segments(
        self,
        segments: Any,
        *,
        customer: str = "customer",
        segment: str = "segment",
        threads: int | None = None,
    ) -> Journeys:
        """The journeys with a segment for each customer, for `split`.

        Parameters
        ----------
        segments : frame
            One row a customer; customers without a row have no segment.
        customer, segment : str
            Its columns.
        threads : int, optional
            As in `from_events`.
        """
        frame, _ = _frames.take(segments, [customer, segment])
        options = {"customer": customer, "segment": segment}
        return self._parts("with_segments", options, frame, threads)[""]

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
    ) -> Journeys:
        """The journeys with what their customers are predicted to be worth as the value of their conversions.

        Parameters
        ----------
        lifetime : frame
            One row a customer, such as `headwater.clv.lifetime_value` gives.
        customer, value : str
            Its columns.
        mode : {"first_conversion", "every"}, default "first_conversion"
            Which of a customer's conversions carry it. The first one is that of these journeys: to keep
            customers who were won before a period, or by a conversion of another kind, out of it, take
            `between` and `of_kind` afterwards.
        missing : {"error", "zero"}, default "error"
            Customers who converted and are not in the frame.
        on_invalid : {"error", "drop"}, default "error"
            Rows with nulls, NaN or negative amounts, and customers who come again. Rows that are dropped are
            counted in `dropped`.
        threads : int, optional
            As in `from_events`.

        Examples
        --------
        >>> hw.money(journeys.with_lifetime(values), ["linear", "markov"], spend=spend)
        """
        frame, _ = _frames.take(lifetime, [customer, value])
        options = {
            "customer": customer,
            "value": value,
            "mode": mode,
            "missing": missing,
            "on_invalid": on_invalid,
        }
        return self._parts("with_lifetime", options, frame, threads)[""]

    def with_margin(
        self, rate: float | None = None, *, by_kind: Mapping[str, float] | None = None
    ) -> Journeys:
        """The journeys with what is left of value as the value of their conversions.

        Every report and model then sees the margin; leave the ``margin`` of `headwater.money` at 1.

        Parameters
        ----------
        rate : float, optional
            What is left of a unit of value: 0.4 for 40 %.
        by_kind : dict, optional
            The same for kinds of conversions, in place of ``rate``.

        Raises
        ------
        OptionError
            Without a value or a rate, and for a kind that does not occur or has none.

        Examples
        --------
        >>> hw.attribute(journeys.with_margin(0.4), ["linear", "markov"])
        >>> journeys.with_margin(0.4, by_kind={"subscription": 0.8})
        """
        options = {"rate": rate, "by_kind": None if by_kind is None else dict(by_kind)}
        return self._parts("with_margin", options)[""]

    def split(self) -> dict[str, Journeys]:
        """The journeys of each segment by its label; those without come last, under ``(none)``."""
        return self._parts("split")

    def counts(self, *, threads: int | None = None, progress: _call.Progress = None) -> PathCounts:
        """The summary of these journeys by distinct path, which merges with those of other parts."""
        native = self._native.counts(_call.run(0, threads, progress))
        return PathCounts._of(native, self._make)

    def __len__(self) -> int:
        return len(self._native)

    def _summary(self) -> _frames.Frame:
        ((_, native),) = self._native.report("summary", "{}", _call.run(0, 1))
        return _frames.Frame(native)

    def _totals(self) -> dict[str, Any]:
        totals = self._summary().to_dict()
        return {name: values[0] for name, values in totals.items()}

    @property
    def n_converted(self) -> float:
        """How many conversions there are, those without a touch included."""
        return float(self._totals()["conversions"])

    @property
    def n_open(self) -> float:
        """How many journeys led to none."""
        return float(self._totals()["nulls"])

    def __repr__(self) -> str:
        totals = self._totals()
        return (
            f"Journeys({totals['journeys']:,} of {totals['channels']} channels: "
            f"{totals['conversions']:,.10g} conversions, {totals['nulls']:,.10g} nulls)"
        )

    def _repr_html_(self) -> str:
        return self._summary()._repr_html_()

    def plot(self, **options: Any) -> Any:
        """How journeys flow from channel to channel; see `headwater.plot.journey_flow`."""
        from . import plot

        return plot.journey_flow(self, **options)


class PathCounts(Fitted):
    """Distinct paths and what each counts for: what chains, Shapley values and rules without times need.

    Made by `Journeys.counts`. Summaries of parts (days, partitions, shards by
    customer) merge in any order and grouping to the same bits; they pickle and
    save, so that an engine that holds the data can pass them on.

    Examples
    --------
    >>> week = monday.counts().merge(tuesday.counts())
    >>> hw.attribute(week.journeys(), ["linear", "markov"])
    """

    _kind = "journey.PathCounts"
    _make: _frames.Maker = staticmethod(_frames.neutral)

    @classmethod
    def _of(cls, native: _core.Model, make: _frames.Maker) -> Self:
        counts = cls()
        counts._native, counts._make = native, make
        return counts

    def merge(self, *others: PathCounts, threads: int | None = None) -> PathCounts:
        """This summary and others in one."""
        native, run = self._fitted, _call.run(0, threads)
        for other in others:
            native = _core.merge_counts(native, _call.same(other, PathCounts)._fitted, run)
        return PathCounts._of(native, self._make)

    def journeys(self) -> Journeys:
        """The journeys that the summary describes, one for each distinct path."""
        return Journeys(_core.Journeys.from_counts(self._fitted), self._make)

    def __len__(self) -> int:
        return len(_core.Journeys.from_counts(self._fitted))

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state.pop("_make", None)
        return state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PathCounts) and self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]
