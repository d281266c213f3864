"""Credits of channels and of the campaigns within them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from . import _call, _weights
from ._callback import Rule
from .attribution import AttributionModel

if TYPE_CHECKING:
    from .journeys import Journeys

__all__ = ["attribute_levels"]

_Model = str | AttributionModel | Mapping[str, Any] | Rule


def attribute_levels(
    journeys: Journeys,
    models: _Model | Sequence[_Model],
    *,
    separator: str = "/",
    channels: Mapping[str, Sequence[str]] | None = None,
    own_channels: bool = True,
    bootstrap: int = 0,
    confidence: float = 0.9,
    interval: Literal["percentile", "basic", "normal"] = "percentile",
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Credits by channel and campaign, with intervals on both.

    `headwater.channels.drill_down` of the credits of these journeys and of the same rolled up, and the same
    in every sample.

    Parameters
    ----------
    journeys : Journeys
        Whose channels are labels such as ``"search / brand"``, as `Journeys.by_campaign` makes them.
    models : sequence of str, model or function
        As in `headwater.attribute`.
    separator, channels
        As in `Journeys.roll_up`.
    own_channels : bool, default True
        Whether channels have the credits of journeys that are rolled up, their campaigns sharing them out;
        else they have what their campaigns have. To rules it is the same.
    bootstrap : int, default 0
        How many samples of customers are drawn for intervals; 0 for none.
    confidence : float, default 0.9
        The share of samples inside an interval.
    interval : {"percentile", "basic", "normal"}, default "percentile"
        Quantiles of the samples; those mirrored at the estimate; or standard errors either way.
    report : dict, optional
        Is given "ignored_weights" where touches weigh differently, as in `headwater.attribute`.
    seed : int, default 0
        Of the samples.
    threads, progress
        As in `headwater.attribute`.

    Returns
    -------
    frame
        model, channel, campaign (missing for a channel without campaigns), conversions, value,
        share_of_channel; with cost known also cost, roas, cpa. With a bootstrap conversions, value and
        share_of_channel are followed by their ``_standard_error``, ``_low`` and ``_high``, roas and cpa by
        the last two.

    Examples
    --------
    >>> hw.attribute_levels(journeys.by_campaign(), "markov", bootstrap=200)
    """
    options: dict[str, Any] = {
        "models": _call.models(models),
        "levels": {"separator": separator, "channels": {} if channels is None else channels},
        "own_channels": own_channels,
        "bootstrap": bootstrap,
        "confidence": confidence,
        "interval": interval,
    }
    given = _call.journeys(journeys)
    # Functions are asked of the journeys of both levels.
    asked = own_channels and any(map(callable, options["models"]))
    above = given.roll_up(separator=separator, channels=channels) if asked else None
    found = given._attribution(
        "attribute_levels", options, other=above, seed=seed, threads=threads, progress=progress
    )
    table = found.pop("levels")
    if report is not None:
        report.update(found)
    else:
        _weights.heed(found, remedy=True)
    return table
