"""How far to trust credits, how to choose between models, and what to do with the numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from . import _call, _frames, _weights
from ._callback import Rule, checked
from .attribution import AttributionModel
from .errors import OptionError

if TYPE_CHECKING:
    from .journeys import Journeys

__all__ = [
    "calibrate",
    "choose_half_life",
    "choose_lookback",
    "compare",
    "credits_by_weights",
    "difference",
    "drift",
    "money",
    "self_controlled",
]

_Model = str | AttributionModel | Mapping[str, Any] | Rule
_Models = _Model | Sequence[_Model]
_Metric = Literal["share", "conversions", "value", "value_share"]
_Interval = Literal["percentile", "basic", "normal"]


def _ask(
    journeys: Journeys,
    name: str,
    options: Mapping[str, Any],
    run: Mapping[str, Any],
    report: MutableMapping[str, Any] | None = None,
    other: Journeys | None = None,
    frame: Any = None,
    columns: Sequence[str] = (),
    lift_tests: Any = None,
) -> Any:
    """The first frame of a report; those beside it go into ``report``."""
    data = None if frame is None else _frames.take(frame, columns)[0]
    given = _call.journeys(journeys)
    found = given._attribution(name, options, other=other, frame=data, lift_tests=lift_tests, **run)
    (_, first), *beside = found.items()
    if report is not None:
        report.update(beside)
    else:
        _weights.heed(found, remedy=name != "difference", depth=4)
    return first


def _columns(frame: Any, wanted: Sequence[str], maybe: Sequence[str] = ()) -> list[str]:
    """The columns to read, those that may be missing only where they are there."""
    have = frame if isinstance(frame, dict) else getattr(frame, "columns", ())
    return [*wanted, *(name for name in maybe if name in have)]


def _tests(lift_tests: Any, calibration: Mapping[str, Any] | None) -> tuple[Any, dict[str, Any] | None]:
    """Lift tests and how they calibrate, for a table that has rows of its own."""
    if calibration is not None and not isinstance(calibration, Mapping):
        raise OptionError(f"option `calibration`: is {calibration!r}; give a dict of options of `calibrate`")
    how = None if calibration is None else dict(calibration)
    if how is not None and "self_controlled" in how:
        how["self_controlled"] = {} if how["self_controlled"] is True else how["self_controlled"] or None
    if lift_tests is None:
        return None, how
    named = [(how or {}).get(name, name) for name in ("channel", "effect", "standard_error", "start", "end")]
    metric = (how or {}).get("metric_column", "metric")
    return _frames.take(lift_tests, _columns(lift_tests, named[:3], [*named[3:], metric]))[0], how


def difference(
    journeys: Journeys,
    models: _Models,
    *,
    other: Journeys | None = None,
    metric: _Metric | Literal["roas", "cpa"] = "share",
    spend: Any = None,
    channel: str = "channel",
    date: str = "date",
    amount: str = "spend",
    bootstrap: int = 1000,
    confidence: float = 0.9,
    interval: _Interval = "percentile",
    on_invalid: Literal["error", "drop"] = "error",
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    lift_tests: Any = None,
    calibration: Mapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """What differs between models, or between two periods, with intervals.

    Both sides come from the same samples, so what they have in common cancels.

    Parameters
    ----------
    journeys : Journeys
    models : sequence of str or model
        Two or more; with ``other`` or ``lift_tests`` one or more.
    other : Journeys, optional
        Those of another period: each model is compared with itself there.
    metric : {"share", "conversions", "value", "value_share", "roas", "cpa"}, default "share"
    spend : frame, optional
        With "roas" and "cpa", as in `money`: each side has what lies in its time. By default the cost of
        the touches.
    channel, date, amount : str
        Columns of ``spend``; the date may be missing.
    bootstrap : int, default 1000
        How many samples of customers are drawn.
    confidence : float, default 0.9
    interval : {"percentile", "basic", "normal"}, default "percentile"
    on_invalid, time_unit
        As in `Journeys.from_events`, of ``spend``.
    lift_tests, calibration
        As in `money`: each model is there as ``calibrated(model)`` too. With ``other`` each period is
        calibrated by the tests of which more ran in it, by their start and end.
    seed : int, default 0
    threads, progress
        As in `headwater.attribute`.

    Returns
    -------
    frame
        model, other_model, channel, credit, other_credit, difference (credit − other_credit), low, high,
        p_adjusted (Benjamini & Hochberg), p. With "roas" and "cpa" these stand in place of credits, and
        are missing where they have no meaning.
    """
    tests, how = _tests(lift_tests, calibration)
    options = {
        "models": _call.models(models),
        "metric": metric,
        "bootstrap": bootstrap,
        "confidence": confidence,
        "interval": interval,
        "channel": channel,
        "date": date,
        "spend": amount,
        "on_invalid": on_invalid,
        "time_unit": time_unit,
        "calibration": how,
    }
    run = {"seed": seed, "threads": threads, "progress": progress}
    wanted = _columns(spend, [channel, amount], [date])
    return _ask(
        journeys, "difference", options, run, other=other, frame=spend, columns=wanted, lift_tests=tests
    )


def calibrate(
    journeys: Journeys,
    models: _Models = (),
    *,
    lift_tests: Any,
    self_controlled: bool | Mapping[str, Any] = False,
    metric: Literal["conversions", "value"] = "conversions",
    untested: Literal["shrink", "proportional", "none"] = "shrink",
    bootstrap: int = 0,
    confidence: float = 0.9,
    channel: str = "channel",
    start: str = "start",
    end: str = "end",
    effect: str = "effect",
    standard_error: str = "standard_error",
    on_invalid: Literal["error", "drop"] = "error",
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Credits that honour experiments, and what moved.

    A channel's factor is what a test measured over what the model credits to it
    in the same period. What is left of all conversions is ``(baseline)``.

    `money`, `compare`, `difference` and `drift` take ``lift_tests`` too: calibrated models beside the others.

    Parameters
    ----------
    journeys : Journeys
    models : sequence of str or model
    lift_tests : frame
        One row a test: channel, start, end (excluded), effect (incremental conversions or value),
        standard_error, and perhaps metric. Without start and end tests are of all time. Journeys must cover
        half of a test's period or more.
    self_controlled : bool or dict, default False
        Calibrates the estimate of `self_controlled` as well; a dict has its options.
    metric : {"conversions", "value"}
    untested : {"shrink", "proportional", "none"}, default "shrink"
        Channels without a test: a factor from the spread of the tested ones with a wide interval; the
        common factor of the tested; or as they were. ``self_controlled`` estimates are joined with the
        tests by their errors under "shrink".
    bootstrap : int, default 0
        Samples for the error of the credits themselves.
    confidence : float, default 0.9
    channel, start, end, effect, standard_error : str
        Columns of ``lift_tests``.
    on_invalid, time_unit
        As in `Journeys.from_events`.
    report : dict, optional
        Is given the frames "tests", "pooling" and "centre".
    seed, threads, progress
        As in `headwater.attribute`.

    Returns
    -------
    frame
        model, channel, uncalibrated, factor, calibrated, standard_error, low, high, share, source, tests.
    """
    if lift_tests is None:
        raise OptionError("option `lift_tests`: is None; give a frame with a row a test")
    options = {
        "models": _call.models(models),
        "self_controlled": {} if self_controlled is True else self_controlled or None,
        "metric": metric,
        "untested": untested,
        "bootstrap": bootstrap,
        "confidence": confidence,
        "channel": channel,
        "start": start,
        "end": end,
        "effect": effect,
        "standard_error": standard_error,
        "on_invalid": on_invalid,
        "time_unit": time_unit,
    }
    run = {"seed": seed, "threads": threads, "progress": progress}
    wanted = _columns(lift_tests, [channel, effect, standard_error], [start, end, "metric"])
    return _ask(journeys, "calibrate", options, run, report, frame=lift_tests, columns=wanted)


def self_controlled(
    journeys: Journeys,
    *,
    half_lives: Sequence[_call.Span] | None = None,
    wear: Sequence[float] | None = None,
    wear_window: _call.Span = "30d",
    priming_windows: Sequence[_call.Span] | None = None,
    calendar: _call.Span = "7d",
    exclude: Sequence[str] = (),
    confidence: float = 0.9,
    observation_end: _call.Moment | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """What each channel added, every customer compared with themselves.

    When a customer was touched, given how often, is taken as chance; what the customer would have done
    otherwise may be anything. A touch works at once, dies away with its channel's half-life, and takes a
    part of what the next one of the channel does (wear). Not so where people touch a channel because they
    are about to buy: ``exclude`` those, and join experiments by `calibrate`.

    Parameters
    ----------
    journeys : Journeys
        From events, whole: journeys that lack touches (``open="exclude"`` or ``"decided"``, ``between``)
        are refused.
    half_lives : sequence of spans, optional
        Half-lives that an effect may have; by default 27 from 6 hours to 45 days.
    wear : sequence of float, optional
        What each earlier touch may take from a touch; by default 10 from 0 to 0.7. ``[0]`` for none.
    wear_window : span, default "30d"
        For how long an earlier touch counts as one.
    priming_windows : sequence of spans, optional
        For how long touches of one channel may make those of another do more; pairs of channels of which
        that is so are found. By default 7, 14 and 30 days; ``[]`` to look for no pairs.
    calendar : span, default "7d"
        How often channels touch is taken as even over so long a time.
    exclude : sequence of str
        Channels that people touch because they are about to buy, or that follow such touches (branded
        search, direct, retargeting): left out.
    confidence : float, default 0.9
    observation_end : str or datetime, optional
        By default the last event there is.
    report : dict, optional
        Is given the frame "profile", the effect of an average touch by age, and "priming", the pairs that
        were found: primer, channel, window (days), factor, conversions, standard_error, low, high.
    threads, progress
        As in `headwater.attribute`.

    Returns
    -------
    frame
        channel, touches, per_touch, per_touch_se, half_life (days), wear, conversions, standard_error, low,
        high, share, note; the last row is ``(baseline)``. What a channel added is what would be lost without
        it: what primed touches did more stands with both channels, so that conversions add up to all there
        are when those of "priming" are taken off once. Errors and bounds are of what was added, not of what
        was to be expected.
    """
    options = {
        "exclude": _call.listed("exclude", exclude),
        "confidence": confidence,
        "wear_window": wear_window,
        "calendar": calendar,
        "observation_end": _call.moment(observation_end),
    }
    if half_lives is not None:
        options["half_lives"] = _call.listed("half_lives", half_lives)
    if wear is not None:
        options["wear"] = _call.listed("wear", wear)
    if priming_windows is not None:
        options["priming_windows"] = _call.listed("priming_windows", priming_windows)
    return _ask(journeys, "self_controlled", options, {"threads": threads, "progress": progress}, report)


def money(
    journeys: Journeys,
    models: _Models,
    *,
    spend: Any = None,
    channel: str = "channel",
    date: str = "date",
    amount: str = "spend",
    margin: float = 1.0,
    period: Literal["all", "day", "week", "month"] = "all",
    bootstrap: int = 0,
    confidence: float = 0.9,
    interval: _Interval = "percentile",
    on_invalid: Literal["error", "drop"] = "error",
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    lift_tests: Any = None,
    calibration: Mapping[str, Any] | None = None,
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Spend beside what it earned: the table that a channel manager reads.

    Parameters
    ----------
    journeys : Journeys
    models : sequence of str or model
    spend : frame, optional
        One row a channel and day; by default the cost of the touches. Dated spend outside the time of the
        journeys (what `Journeys.between` cut, else from the month of the first event to the end of
        observation) is left out, and counted in ``report``.
    channel, date, amount : str
        Columns of ``spend``; without periods the date may be missing.
    margin : float, default 1
        What is left of value when the goods are paid for.
    period : {"all", "day", "week", "month"}, default "all"
        Whether stretches of time have rows of their own.
    bootstrap, confidence, interval
        As in `headwater.attribute`; with a period, every model is fitted to each sample.
    on_invalid, time_unit
        As in `Journeys.from_events`.
    lift_tests : frame, optional
        As in `calibrate`: the rows of each model are followed by those of ``calibrated(model)``, with the
        intervals of the calibration; not together with a period. Tests of value calibrate value; without
        one a channel's value for a conversion stays as the model has it.
    calibration : dict, optional
        Options of `calibrate` for them: ``untested``, ``self_controlled``, names of columns.
    report : dict, optional
        Is given the frame "counts": channels with touches alone, with spend alone, with both; and the rows
        of spend outside the time of the journeys.
    seed, threads, progress
        As in `headwater.attribute`.

    Returns
    -------
    frame
        model, (period,) channel, spend, conversions, value, spend_share, credit_share, cpa, roas,
        (their intervals,) note. What no channel brought, of a calibrated model, is the row ``(baseline)``.

    Examples
    --------
    >>> hw.money(journeys, ["last", "markov"], spend=spend, lift_tests=tests)
    """
    tests, how = _tests(lift_tests, calibration)
    options = {
        "models": _call.models(models),
        "channel": channel,
        "date": date,
        "spend": amount,
        "margin": margin,
        "period": period,
        "bootstrap": bootstrap,
        "confidence": confidence,
        "interval": interval,
        "on_invalid": on_invalid,
        "time_unit": time_unit,
        "calibration": how,
    }
    run = {"seed": seed, "threads": threads, "progress": progress}
    wanted = _columns(spend, [channel, amount], [date]) if period == "all" else [channel, amount, date]
    return _ask(journeys, "money", options, run, report, frame=spend, columns=wanted, lift_tests=tests)


def choose_lookback(
    journeys: Journeys,
    candidates: Sequence[_call.Span] = ("1d", "3d", "7d", "14d", "30d", "60d", "90d"),
    *,
    folds: int = 5,
    rule: Literal["best", "one_standard_error"] = "best",
    observation_end: _call.Moment | None = None,
    exclude: Sequence[str] = (),
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Scores lookback windows by how well they tell when held-out customers convert.

    Parameters
    ----------
    journeys : Journeys
        From events, whole: all touches of each customer count once, whatever the lookback. Journeys that
        lack touches (``open="exclude"`` or ``"decided"``, ``between``) are refused.
    candidates : sequence of spans
    folds : int, default 5
    rule : {"best", "one_standard_error"}, default "best"
        The best score, or the shortest within one standard error of it.
    observation_end : str or datetime, optional
        By default the last event there is.
    exclude : sequence of str
        Channels that follow what a customer is about to do anyway (branded search, direct, retargeting):
        their touches do not count.
    seed, threads, progress
        As in `headwater.attribute`.

    Returns
    -------
    frame
        candidate, days, score (held-out log-likelihood per conversion; 0 says nothing), se (of the distance
        to the best), explained (the share of conversions that touches explain), chosen, note (where the
        best or the chosen candidate is the shortest or the longest: try others).
    """
    run = {"seed": seed, "threads": threads, "progress": progress}
    return _choose("choose_lookback", journeys, candidates, folds, rule, observation_end, exclude, run)


def choose_half_life(
    journeys: Journeys,
    candidates: Sequence[_call.Span] = ("12h", "1d", "2d", "4d", "7d", "14d", "30d"),
    *,
    folds: int = 5,
    rule: Literal["best", "one_standard_error"] = "best",
    observation_end: _call.Moment | None = None,
    exclude: Sequence[str] = (),
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Scores half-lives of time decay as `choose_lookback` does windows; the same arguments and frame."""
    run = {"seed": seed, "threads": threads, "progress": progress}
    return _choose("choose_half_life", journeys, candidates, folds, rule, observation_end, exclude, run)


def _choose(
    name: str,
    journeys: Journeys,
    candidates: Sequence[_call.Span],
    folds: int,
    rule: str,
    observation_end: _call.Moment | None,
    exclude: Sequence[str],
    run: Mapping[str, Any],
) -> Any:
    options = {
        "candidates": _call.listed("candidates", candidates),
        "folds": folds,
        "rule": rule,
        "observation_end": _call.moment(observation_end),
        "exclude": _call.listed("exclude", exclude),
    }
    return _ask(journeys, name, options, run)


def compare(
    journeys: Journeys,
    models: _Models,
    *,
    truth: Any = None,
    channel: str = "channel",
    true_credit: str = "incremental_conversions",
    bootstrap: int = 0,
    confidence: float = 0.9,
    interval: _Interval = "percentile",
    folds: int = 5,
    on_invalid: Literal["error", "drop"] = "error",
    lift_tests: Any = None,
    calibration: Mapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> dict[str, Any]:
    """Sets models side by side.

    Parameters
    ----------
    journeys : Journeys
    models : sequence of str or model
        Two or more; with ``lift_tests`` one or more.
    truth : frame, optional
        What channels truly brought: columns ``channel`` and ``true_credit``. Channels without a row are not
        known and left out: shares are compared among the others, two or more.
    bootstrap : int, default 0
        Samples for the stability of ranks and for intervals. Credits are those of each sample's models;
        predictions are not made again.
    confidence : float, default 0.9
    interval : {"percentile", "basic", "normal"}, default "percentile"
        As in `headwater.attribute`; of ranks always quantiles.
    folds : int, default 5
        Parts in which models that predict are held to account; 0 for none.
    lift_tests, calibration
        As in `money`: each model is there as ``calibrated(model)`` too, but for "predictions".
    on_invalid, seed, threads, progress
        As in `headwater.attribute`.

    Returns
    -------
    dict of frames
        "agreement" (model, other_model, total_variation, kendall, spearman); with a bootstrap "ranks"; of
        models that predict "predictions" and, with a bootstrap, "differences" (as `validate`); with a truth
        "errors" and "truth". With a bootstrap each estimate but ranks is followed by its
        ``_standard_error``, ``_low`` and ``_high``. Where touches weigh differently also "ignored_weights":
        the models that know no weights of touches.
    """
    tests, how = _tests(lift_tests, calibration)
    options = {
        "models": _call.models(models),
        "channel": channel,
        "truth": true_credit,
        "bootstrap": bootstrap,
        "confidence": confidence,
        "interval": interval,
        "folds": folds,
        "on_invalid": on_invalid,
        "calibration": how,
    }
    data = None if truth is None else _frames.take(truth, [channel, true_credit])[0]
    found = _call.journeys(journeys)._attribution(
        "compare", options, frame=data, lift_tests=tests, seed=seed, threads=threads, progress=progress
    )
    _weights.heed(found, remedy=False)
    return found


def drift(
    old: Journeys,
    new: Journeys,
    models: _Models,
    *,
    metric: _Metric = "share",
    bootstrap: int = 1000,
    confidence: float = 0.9,
    interval: _Interval = "percentile",
    false_alarms: float = 0.05,
    least: float = 0.0,
    lift_tests: Any = None,
    calibration: Mapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> dict[str, Any]:
    """What moved beyond noise from an old period to a new one.

    Parameters
    ----------
    old, new : Journeys
    models : sequence of str or model
    metric : {"share", "conversions", "value", "value_share"}, default "share"
    bootstrap : int, default 1000
    confidence : float, default 0.9
    interval : {"percentile", "basic", "normal"}
    false_alarms : float, default 0.05
        The accepted share of false alarms among the alerts.
    least : float, default 0
        The least change that is an alert.
    lift_tests, calibration
        As in `difference`: each model is there as ``calibrated(model)`` too, by the tests of each period.
    seed, threads, progress
        As in `headwater.attribute`.

    Returns
    -------
    dict of frames
        "drift" (model, channel, old, new, change, low, high, p, p_adjusted, moved), "distributions" (of
        channels, transitions and paths), "alerts" (severity, kind, model, channel, message). Where touches
        weigh differently also "ignored_weights": the models that know no weights of touches.
    """
    tests, how = _tests(lift_tests, calibration)
    options = {
        "models": _call.models(models),
        "metric": metric,
        "bootstrap": bootstrap,
        "confidence": confidence,
        "interval": interval,
        "false_alarms": false_alarms,
        "least": least,
        "calibration": how,
    }
    found = _call.journeys(new, "new")._attribution(
        "drift", options, other=old, lift_tests=tests, seed=seed, threads=threads, progress=progress
    )
    _weights.heed(found, remedy=False)
    return found


def credits_by_weights(
    journeys: Journeys,
    weights: Sequence[float] | Callable[[list[str]], Sequence[float]],
    *,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Credits by weights of one's own.

    Parameters
    ----------
    journeys : Journeys
    weights : sequence of float, or callable
        One weight for each row of ``journeys.touch_credits(...)``; or a function from a path, as a list of
        channels, to the weights of its touches, called once for each distinct path. A touch has its part of
        its journey's weights.
    threads, progress
        As in `headwater.attribute`.

    Returns
    -------
    frame
        channel, conversions, value.

    Examples
    --------
    >>> hw.credits_by_weights(journeys, lambda path: [2.0 if c == "email" else 1.0 for c in path])
    """
    run = {"threads": threads, "progress": progress}
    found = _weigh(journeys, weights, run) if callable(weights) else [float(w) for w in weights]
    return _ask(journeys, "credits_by_weights", {}, run, frame={"weight": found})


def _weigh(
    journeys: Journeys, weigh: Callable[[list[str]], Sequence[float]], run: Mapping[str, Any]
) -> list[float]:
    native = _call.journeys(journeys)._native.attribution(
        "touch_credits", _call.options({"model": "linear"}), _call.run(0, run["threads"], run["progress"])
    )[0][1]
    touches = _frames.Frame(native).to_dict()
    known: dict[tuple[str, ...], list[float]] = {}
    out: list[float] = []
    path: list[str] = []
    positions = [*touches["position"], 1]
    for row, channel in enumerate(touches["channel"]):
        path.append(channel)
        if positions[row + 1] != 1:
            continue
        key = tuple(path)
        if key not in known:
            known[key] = checked("weights", weigh(list(path)), path)
        out += known[key]
        path = []
    return out
