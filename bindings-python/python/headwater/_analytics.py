"""The reports that read journeys."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

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
    """Reports of journeys.

    Each gives the frame that it is about; frames beside it go into the dict
    given as ``report``. A row of journeys counts for ``conversions + nulls``
    journeys, and conversions without a touch are left out.
    """

    if TYPE_CHECKING:

        def _report(
            self,
            name: str,
            options: Mapping[str, Any] | None = None,
            threads: int | None = None,
            progress: _call.Progress = None,
            report: MutableMapping[str, Any] | None = None,
        ) -> Any: ...

        def _attribution(
            self,
            name: str,
            options: Mapping[str, Any],
            *,
            other: Any = None,
            frame: Any = None,
            seed: int = 0,
            threads: int | None = None,
            progress: _call.Progress = None,
        ) -> dict[str, Any]: ...

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
    ) -> Any:
        """A report of these journeys, with an interval on each number that it counts.

        Customers are drawn again: one that is drawn twice is two customers, with all of their journeys.
        Journeys from paths are drawn one by one. What a report leaves out for being rare is chosen by the
        data, once.

        Parameters
        ----------
        name : str
            The report, by the name of its function: ``"paths"``, ``"transitions"``, ``"lags"``,
            ``"lengths"``, ``"channels"``, ``"summary"``, ``"funnel"``, ``"step_matrix"``, ``"graph"``,
            ``"graph_difference"`` (of those that convert and those that do not), ``"time_to_convert"``,
            ``"path_length"``, ``"assisted"``, ``"positions"``, ``"overlap"``, ``"online_offline"``,
            ``"friction"``, ``"lag_curves"``, ``"patterns"`` or ``"sequences"``.
        bootstrap : int, default 1000
            How many samples of customers are drawn.
        confidence : float, default 0.9
            The share of samples inside an interval.
        interval : {"percentile", "basic", "normal"}, default "percentile"
            Quantiles of the samples; those mirrored at the estimate; or standard errors either way.
        report : dict, optional
            Is given the frames beside the one that the report is about.
        seed : int, default 0
            Of the samples.
        threads, progress
            As in `from_events`.
        **options
            Those of the report, by name.

        Returns
        -------
        frame
            The frame of the report, with ``_standard_error``, ``_low`` and ``_high`` after each estimate;
            missing where fewer than two samples know the number. Numbers with an interval of their own
            (Wilson's, Greenwood's, of synergies and ratios of rates) keep it, and have no other.

        Examples
        --------
        >>> journeys.bootstrap("assisted", bootstrap=200)
        >>> journeys.bootstrap("funnel", steps=["ad", "(conversion)"], by="customer", bootstrap=200)
        """
        if isinstance(options.get("patterns"), str):
            options["patterns"] = [options["patterns"]]
        asked = {
            "report": name,
            "options": {key: value for key, value in options.items() if value is not None},
            "bootstrap": bootstrap,
            "confidence": confidence,
            "interval": interval,
        }
        found = self._attribution("bootstrap_report", asked, seed=seed, threads=threads, progress=progress)
        (_, frame), *beside = found.items()
        if report is not None:
            report.update(beside)
        return frame

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
    ) -> Any:
        """How many get from step to step, how fast, and where the others go.

        Parameters
        ----------
        steps : list of str or of lists of str
            Each a channel, or a list of channels any of which will do; the last may be ``"(conversion)"``.
        window : str, timedelta or number of days, optional
            The longest time from the first step to the last.
        order : {"loose", "strict", "any"}, default "loose"
            Whether other touches may stand between the steps; with ``"any"`` they may, and the steps come in
            any order: step n is reached by those who did n of them.
        exclude : list of str, optional
            Channels of which a touch after the first step ends the attempt.
        by : {"journey", "customer"}, default "journey"
            Each journey on its own, or all touches and conversions of a customer in one line.
        attempts : {"best", "all"}, default "best"
            Each journey or customer once, with the attempt that gets furthest; or every attempt, the next
            beginning after the last touch of the one before.
        repeats : {"keep", "collapse"}, default "keep"
            Whether a channel several times in a row counts once.
        split_by : {"none", "first_channel", "last_channel", "segment"}, default "none"
            A group each; segments are those of `with_segments`.
        quantiles : list of float, default (0.5, 0.9)
            Of the times between steps.
        level : float, default 0.95
            What the intervals of the rates cover.
        report : dict, optional
            Is given ``dropoff``: where those who stopped at each step went next.
        threads, progress
            As in `from_events`.

        Returns
        -------
        frame
            group, step, name, count, from_previous and from_first (with ``_low`` and ``_high``, Wilson's),
            dropped, undecided (those of them whose journey was not over yet, and may go on; missing without
            times), and days_p50, total_days_p50, … since the previous and the first step.
        """
        options = {
            "steps": steps,
            "window": window,
            "order": order,
            "exclude": exclude,
            "by": by,
            "attempts": attempts,
            "repeats": repeats,
            "split_by": split_by,
            "quantiles": quantiles,
            "level": level,
        }
        return self._report("funnel", options, threads, progress, report)

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
    ) -> Any:
        """The share of journeys on each channel at each step: step, channel, count, share.

        Where a journey is over it stays on ``(conversion)`` or ``(null)``, and before its first touch it is
        on ``(start)``, so the shares of a step add up to 1.

        Parameters
        ----------
        steps : int, default 10
            How many steps from the anchor on; backward from the end.
        anchor : {"start", "end", "channel", "pattern"}, default "start"
            Steps are counted from the first touch (1), from the end (0), from a touch of ``channel`` or from
            the first step of a match of ``pattern`` (0).
        channel : str or list of str, optional
            The channel that anchors.
        pattern : str, optional
            The pattern that anchors, as in `patterns`.
        before : int, default 3
            How many steps before the channel or the pattern.
        occurrence : {"first", "last"}, default "first"
            Which touch of the channel, or which match.
        weights : {"all", "conversions", "nulls"}, default "all"
            Which journeys count.
        repeats : {"keep", "collapse"}, default "keep"
            Whether a channel several times in a row is one step.
        threads, progress
            As in `from_events`.
        """
        options = {
            "steps": steps,
            "anchor": anchor,
            "channel": channel,
            "pattern": pattern,
            "before": before,
            "occurrence": occurrence,
            "weights": weights,
            "repeats": repeats,
        }
        return self._report("step_matrix", options, threads, progress)

    def graph(
        self,
        *,
        min_share: float = 0.0,
        repeats: _Repeats = "collapse",
        weights: _Weights = "all",
        report: _Extras = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """The transition graph: from, to, count, p_out, p_in, journeys, journey_share, customers.

        Parameters
        ----------
        min_share : float, default 0
            Edges that a smaller share of the journeys takes are left out, and counted.
        repeats : {"collapse", "keep"}, default "collapse"
            Whether a channel several times in a row counts once.
        weights : {"all", "conversions", "nulls"}, default "all"
            Which journeys count.
        report : dict, optional
            Is given ``nodes`` and ``hidden``, the number of edges left out.
        threads, progress
            As in `from_events`.
        """
        options = {"min_share": min_share, "repeats": repeats, "weights": weights}
        return self._report("graph", options, threads, progress, report)

    def graph_difference(
        self,
        other: Any = None,
        *,
        min_share: float = 0.0,
        repeats: _Repeats = "collapse",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """How the transition graphs of two groups differ, the most surprising edge first.

        Parameters
        ----------
        other : Journeys, optional
            The other group; without it, those of these journeys that convert are held against the others.
        min_share : float, default 0
            Edges that a smaller share of either group takes are left out.
        repeats : {"collapse", "keep"}, default "collapse"
        threads, progress
            As in `from_events`.

        Returns
        -------
        frame
            from, to, count_a, count_b, p_out_a, p_out_b, difference, journeys_a, journeys_b, took_a, took_b
            (the share of the journeys on ``from`` that take the edge), and z, p_value, q_value of these two.
        """
        options = {"min_share": min_share, "repeats": repeats}
        if other is None:
            return self._report("graph_difference", options, threads, progress)
        found = self._attribution(
            "graph_difference", options, other=other, threads=threads, progress=progress
        )
        return found["graph_difference"]

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
    ) -> Any:
        """The time from the first touch to the conversion, by Kaplan-Meier: open journeys are censored.

        Parameters
        ----------
        split_by : {"none", "first_channel", "last_channel", "segment"}, default "none"
            A group each; segments are those of `with_segments`.
        censor_at : {"observation_end", "last_touch"}, default "observation_end"
            Until when an open journey is known not to have converted.
        lookback : str, timedelta or number of days, optional
            An open journey is watched for at most this long after its last touch, as a later conversion would
            not have been its own; by default as long as the windows of the journeys.
        observation_end : str or datetime, optional
            By default that of the journeys.
        quantiles : list of float, default (0.25, 0.5, 0.75, 0.9)
        level : float, default 0.95
        grid : str, timedelta or number of days, optional
            The curve at multiples of this alone, instead of at every time of a conversion.
        report : dict, optional
            Is given ``quantiles`` (group, quantile, days, low, high) and ``groups``.
        threads, progress
            As in `from_events`.

        Returns
        -------
        frame
            group, days, at_risk, events, censored, survival, std_error, low, high.
        """
        options = {
            "split_by": split_by,
            "censor_at": censor_at,
            "lookback": lookback,
            "observation_end": _call.moment(observation_end),
            "quantiles": quantiles,
            "level": level,
            "grid": grid,
        }
        return self._report("time_to_convert", options, threads, progress, report)

    def path_length(
        self,
        *,
        split_by: _Split = "none",
        quantiles: Sequence[float] = (0.25, 0.5, 0.75, 0.9),
        level: float = 0.95,
        report: _Extras = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """How many touches a conversion takes: the life table of `time_to_convert`, in touches.

        Parameters
        ----------
        split_by, quantiles, level, report, threads, progress
            As in `time_to_convert`.
        """
        options = {"split_by": split_by, "quantiles": quantiles, "level": level}
        return self._report("path_length", options, threads, progress, report)

    def assisted(
        self,
        *,
        assist: Literal["not_last", "any_earlier"] = "not_last",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """How often channels open, assist and close conversions, and with what value.

        Parameters
        ----------
        assist : {"not_last", "any_earlier"}, default "not_last"
            A channel assists where another closes; or wherever it stands before the last touch.
        threads, progress
            As in `from_events`.

        Returns
        -------
        frame
            channel; first, last, only, assisted, conversions; the same with ``_value``; assisted_per_last.
        """
        return self._report("assisted", {"assist": assist}, threads, progress)

    def positions(self, *, threads: int | None = None, progress: _call.Progress = None) -> Any:
        """Channels in the first quarter, the middle and the last quarter of converting paths, as in GA4."""
        return self._report("positions", None, threads, progress)

    def overlap(
        self,
        size: int = 2,
        *,
        channels: _Set | None = None,
        min_journeys: float = 10,
        level: float = 0.95,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """Sets of channels that meet on a path, and whether they gain by it.

        Parameters
        ----------
        size : int, default 2
            How many channels a set holds, 2 or 3.
        channels : list of str, optional
            The channels to combine; all by default.
        min_journeys : float, default 10
            Sets on fewer journeys are left out.
        level : float, default 0.95
        threads, progress
            As in `from_events`.

        Returns
        -------
        frame
            channels, channel_1, channel_2, …, journeys, conversions, conversion_rate, expected_rate (of
            channels that act on their own), synergy, std_error, low, high, z, p_value, q_value,
            expected_journeys (of channels that meet by chance), lift, jaccard.
        """
        options = {"size": size, "channels": channels, "min_journeys": min_journeys, "level": level}
        return self._report("overlap", options, threads, progress)

    def online_offline(
        self, offline: _Set | None = None, *, threads: int | None = None, progress: _call.Progress = None
    ) -> Any:
        """What crosses from online to offline channels, and back, on the way to a conversion.

        Parameters
        ----------
        offline : str or list of str, optional
            The channels that are offline; by default the ``offline_channels`` of `from_events`.
        threads, progress
            As in `from_events`.

        Returns
        -------
        frame
            from, from_place, to, to_place, journeys, share, conversions, conversion_rate, value, median_days.
        """
        return self._report("online_offline", {"offline": offline}, threads, progress)

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
    ) -> Any:
        """The touch after which people leave more often than others do at their step.

        Parameters
        ----------
        max_step : int, default 20
            Touches from this one on are one stratum.
        min_visits : float, default 20
            Channels and transitions with fewer touches are left out.
        transitions : bool, default True
            Whether to test transitions too.
        lookback : str, timedelta or number of days, optional
            How long after its last touch an open journey is over: one that is not over by the end of
            observation has not left yet, and its last touch does not count. By default as long as the windows
            that the journeys were built with; with ``"0d"`` every open journey is over.
        observation_end : str or datetime, optional
            By default that of the journeys.
        level : float, default 0.95
        report : dict, optional
            Is given ``transitions``, each against the other ways to its channel.
        threads, progress
            As in `from_events`.

        Returns
        -------
        frame
            channel, visits, exits, exit_rate, expected_rate, excess, risk_ratio, low, high, z, p_value,
            q_value.
        """
        options = {
            "max_step": max_step,
            "min_visits": min_visits,
            "transitions": transitions,
            "lookback": lookback,
            "observation_end": _call.moment(observation_end),
            "level": level,
        }
        return self._report("friction", options, threads, progress, report)

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
    ) -> Any:
        """Who took such a path, what they did on it, and whether they convert more often.

        A pattern is elements joined by ``->``, in the order in which they follow one another:

        - ``email``, or quoted ``"a -> b"`` where a label has signs: a touch of that channel;
        - ``.``: any touch; ``[search|social]``: of any of these; ``[^direct]``: of any other;
        - ``.*``, ``[email]+``, ``"email"?``: none or more, one or more, one or none of them;
        - ``(start)``, first: the beginning of the path;
        - ``(conversion)``: last, but for customers; ``(null)``, last: the end without a conversion.

        It may begin anywhere unless it says ``(start)``. ``ad -> search`` is one right after the other,
        ``ad -> .* -> search`` with anything but a conversion between. Of several matches the first to end is
        taken, the shortest of those; the next begins after it.

        Parameters
        ----------
        patterns : str or list of str
        by : {"journey", "customer"}, default "journey"
            Each journey on its own, or all touches and conversions of a customer in one line.
        within : str, timedelta or number of days, optional
            The longest time from the first step of a match to its last touch or conversion.
        repeats : {"keep", "collapse"}, default "keep"
            Whether a channel several times in a row counts once.
        split_by : {"none", "first_channel", "last_channel", "segment"}, default "none"
            A group each; segments are those of `with_segments`.
        matches : int, default 10
            How many of the commonest matches to tell.
        quantiles : list of float, default (0.5, 0.9)
            Of the time that a match takes.
        level : float, default 0.95
            What the intervals cover.
        report : dict, optional
            Is given ``matches``: group, pattern, path (the steps of the first match), count, conversions.
        threads, progress
            As in `from_events`.

        Returns
        -------
        frame
            group, pattern, count (of paths that hold it), share, conversions, conversion_rate (each with
            ``_low`` and ``_high``, Wilson's), others_rate (of the paths without it), risk_ratio, low, high,
            z, p_value, q_value, occurrences, and days_p50, … that the first match took. Keen customers have
            longer paths: a ratio tells no cause.

        Examples
        --------
        >>> journeys.patterns(["(start) -> ad -> .* -> [search|social] -> (conversion)", "email -> (null)"])
        """
        options = {
            "patterns": [patterns] if isinstance(patterns, str) else _call.listed("patterns", patterns),
            "by": by,
            "within": within,
            "repeats": repeats,
            "split_by": split_by,
            "matches": matches,
            "quantiles": quantiles,
            "level": level,
        }
        return self._report("patterns", options, threads, progress, report)

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
    ) -> Any:
        """Stretches of touches that recur, and whether journeys that hold them convert more often.

        Parameters
        ----------
        min_length, max_length : int, default 2 and 3
            The shortest and the longest, in touches; 20 at most.
        min_count : float, default 20
            Stretches on fewer journeys are left out.
        repeats : {"collapse", "keep"}, default "collapse"
            Whether a channel several times in a row counts once.
        level : float, default 0.95
            What the intervals cover.
        threads, progress
            As in `from_events`.

        Returns
        -------
        frame
            sequence, length, and the columns of `patterns`; the commonest first.
        """
        options = {
            "min_length": min_length,
            "max_length": max_length,
            "min_count": min_count,
            "repeats": repeats,
            "level": level,
        }
        return self._report("sequences", options, threads, progress)

    def features(
        self,
        *,
        by: Literal["customer", "journey"] = "customer",
        measure: Literal["share", "count", "binary"] = "share",
        transitions: bool = False,
        repeats: _Repeats = "keep",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """What tells one path from another, as columns to cluster by.

        Parameters
        ----------
        by : {"customer", "journey"}, default "customer"
            One row a customer, whose touches are one line, or one a journey.
        measure : {"share", "count", "binary"}, default "share"
            Of each channel its share of the touches, how often it occurs, or whether it does.
        transitions : bool, default False
            Whether to tell of each transition from channel to channel, too.
        repeats : {"keep", "collapse"}, default "keep"
            Whether a channel several times in a row counts once.
        threads, progress
            As in `from_events`.

        Returns
        -------
        frame
            customer (or journey), touches, days (from the first touch to the last), conversions, nulls, and
            ``channel_<label>`` for each channel, ``pair_<from> > <to>`` for each transition.

        Examples
        --------
        >>> features = journeys.features()
        >>> channels = [name for name in features.columns if name.startswith("channel_")]
        >>> ways = hw.segment.KMeans(4).fit(features, channels)
        """
        options = {"by": by, "measure": measure, "transitions": transitions, "repeats": repeats}
        return self._report("features", options, threads, progress)

    def lag_curves(
        self,
        *,
        from_touch: Literal["first", "last"] = "first",
        grid: _call.Span = "1d",
        longest: _call.Span | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """The share of each channel's conversions by days since its touch: channel, days, conversions, share.

        Parameters
        ----------
        from_touch : {"first", "last"}, default "first"
            The first or the last touch of the channel in the journey.
        grid : str, timedelta or number of days, default "1d"
            The distance of the curve's points.
        longest : str, timedelta or number of days, optional
            Where the curves end; by default at the longest lag.
        threads, progress
            As in `from_events`.
        """
        options = {"from_touch": from_touch, "grid": grid, "longest": longest}
        return self._report("lag_curves", options, threads, progress)
