"""Intervals on what models of attribution report."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from . import _call, _weights
from .attribution import AttributionModel

if TYPE_CHECKING:
    from .journeys import Journeys

__all__ = ["bootstrap"]


def bootstrap(
    journeys: Journeys,
    model: str | AttributionModel | Mapping[str, Any],
    statistic: Literal[
        "removal_effects",
        "joint_effects",
        "transitions",
        "states",
        "values",
        "positions",
        "dividends",
        "synergies",
        "coefficients",
        "contributions",
        "rates",
        "effects",
        "incremental",
        "touch_credits",
    ],
    *,
    sets: Sequence[Sequence[str]] = (),
    sequences: Sequence[Sequence[str]] = (),
    top: int | None = None,
    bootstrap: int = 1000,
    confidence: float = 0.9,
    interval: Literal["percentile", "basic", "normal"] = "percentile",
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """What a fitted model reports, with an interval on each number.

    Customers are drawn again, each sample has a model of its own, and what these say is set beside what the
    model of all journeys says. Journeys of a customer are drawn together. For credits see `attribute`.

    Parameters
    ----------
    journeys : Journeys
    model : str or model
        It is fitted here.
    statistic : str
        The report, by its name. Of `Markov` "removal_effects", "joint_effects", "transitions", "states"; of
        `Shapley` "values", "positions", "dividends", "synergies"; of `Logistic` "coefficients", of `ShaoLi`
        "contributions", of `PathCounterfactual` "rates", of `TimeToEvent` and `AdditiveHazard` "effects"; of
        those that know a baseline "incremental"; of any model "touch_credits", the journeys being as they are
        and the models by which they are credited those of the samples. A rule is the same in every sample.
    sets, sequences : sequence of sequences of str
        With "joint_effects", as in `Markov.joint_effects`.
    top : int, optional
        With "dividends", as in `Shapley.dividends`; 100 unless given. They are those of the coalitions whose
        dividends are the largest in the data.
    bootstrap : int, default 1000
        How many samples of customers are drawn.
    confidence : float, default 0.9
        The share of samples inside an interval.
    interval : {"percentile", "basic", "normal"}, default "percentile"
        Quantiles of the samples; those mirrored at the estimate; or standard errors either way.
    report : dict, optional
        Is given the frame "channels" that goes with "states".
    seed : int, default 0
        Of the samples.
    threads, progress
        As in `headwater.attribute`.

    Returns
    -------
    frame
        The frame of the report, with ``_standard_error``, ``_low`` and ``_high`` after each estimate; missing
        where fewer than two samples know the number.

    Raises
    ------
    OptionError
        For a report that the model does not have.

    Examples
    --------
    >>> hw.bootstrap(journeys, hw.Markov(order=2), "transitions", bootstrap=200)
    """
    (one,) = _call.models([model])
    options = {
        "model": one,
        "statistic": statistic,
        "sets": [_call.listed("sets", s) for s in _call.listed("sets", sets)],
        "sequences": [_call.listed("sequences", s) for s in _call.listed("sequences", sequences)],
        "top": top,
        "bootstrap": bootstrap,
        "confidence": confidence,
        "interval": interval,
    }
    found = _call.journeys(journeys)._attribution(
        "bootstrap", options, seed=seed, threads=threads, progress=progress
    )
    table = found.pop(statistic)
    if report is not None:
        report.update(found)
    else:
        _weights.heed(found, remedy=True)
    return table
