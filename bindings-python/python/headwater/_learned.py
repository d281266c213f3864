"""Attribution models that learn from journeys with and without a conversion."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from . import _call, _core, _frames, _weights
from .attribution import AttributionModel, FittedModel
from .errors import OptionError

if TYPE_CHECKING:
    from .journeys import Journeys

__all__ = [
    "AdditiveHazard",
    "Logistic",
    "PathCounterfactual",
    "ShaoLi",
    "TimeToEvent",
    "segmented",
    "validate",
]

_Model = str | AttributionModel | Mapping[str, Any]


class _Learned(FittedModel):
    def _restore(self, body: dict[str, Any]) -> None:
        for name in self._params():
            setattr(self, name, body["parameters"][name])

    @property
    def channels_(self) -> list[str]:
        """The channels' labels."""
        return list(self._body()["channels"])

    def diagnostics(self) -> Any:
        """How the fit went, as a frame: name, value.

        ``fallback`` counts the conversions of journeys in which no touch adds
        anything, so that their credit is a convention.
        """
        return self._tables("diagnostics")["diagnostics"]

    def _facts(self) -> dict[str, Any]:
        ((_, native),) = _core.model_report(self._fitted, "diagnostics", "{}", _call.run(0, 1))
        facts = _frames.Frame(native).to_dict()
        return dict(zip(facts["name"], facts["value"], strict=True))


class _Regularised(_Learned):
    def tried(self) -> Any:
        """What the penalty was chosen from, as a frame: penalty, held_out_log_likelihood (a journey).

        Without rows where it was given. `diagnostics` has the choice and its score.
        """
        return self._tables("penalties")["penalties"]


class _Incremental(_Regularised):
    def incremental(self) -> Any:
        """What would not have happened without touches, of the journeys of the fit.

        Returns
        -------
        frame
            channel, conversions and value as credited; incremental_conversions and incremental_value,
            which leave out the baseline's part; and a row ``(baseline)`` that has it.
        """
        return self._tables("incremental")["incremental"]


class PathCounterfactual(_Regularised):
    """What the conversion rate of the observed path falls by without the touch (Google's fractribution).

    Parameters
    ----------
    transform : {"exposure", "unique", "first", "frequency"}, default "exposure"
        What is done to paths before they are counted: repeats in a row become one; nothing; only the first
        touch of each channel stays; each channel once, with how often it occurs.
    smoothing : float, optional, default 0.0
        How many journeys at the overall rate each path starts with; None: chosen from ``penalties`` by
        held-out likelihood.
    penalties : sequence of float, default (0.1, 1, 10, 100)
    folds : int, default 5
        Folds of that choice, by customer.
    """

    _name = "path_counterfactual"
    _kind = "attribution.PathCounterfactual"
    _nullable = ("smoothing",)

    def __init__(
        self,
        transform: Literal["exposure", "unique", "first", "frequency"] = "exposure",
        smoothing: float | None = 0.0,
        penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
        folds: int = 5,
    ) -> None:
        self.transform = transform
        self.smoothing = smoothing
        self.penalties = _call.listed("penalties", penalties)
        self.folds = folds

    def rates(self) -> Any:
        """The transformed paths as a frame: path, conversions, nulls, rate."""
        return self._tables("rates")["rates"]


class ShaoLi(_Regularised):
    """Conversion rates of channels, corrected for their pairs (Shao & Li 2011, the simple model).

    Parameters
    ----------
    scope : {"global", "journey"}, default "global"
        Whether the pairs of all journeys count, or those of the journey that is credited.
    smoothing : float, optional, default 0.0
        How many journeys at the overall rate each channel and each pair starts with; None: chosen from
        ``penalties`` by the held-out likelihood of their rates.
    penalties : sequence of float, default (0.1, 1, 10, 100)
    folds : int, default 5
        Folds of that choice, by customer.
    """

    _name = "shao_li"
    _kind = "attribution.ShaoLi"
    _nullable = ("smoothing",)

    def __init__(
        self,
        scope: Literal["global", "journey"] = "global",
        smoothing: float | None = 0.0,
        penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
        folds: int = 5,
    ) -> None:
        self.scope = scope
        self.smoothing = smoothing
        self.penalties = _call.listed("penalties", penalties)
        self.folds = folds

    def contributions(self) -> Any:
        """The channels as a frame: channel, conversions, journeys, rate, contribution."""
        return self._tables("contributions")["contributions"]


class Logistic(_Incremental):
    """Bagged logistic regression on channels (Shao & Li 2011), credited by counterfactual difference.

    Parameters
    ----------
    features : {"presence", "counts"}, default "presence"
        1 for a channel that the journey has, or ln(1 + how often).
    cap : int, default 10
        Most touches of one channel that count.
    penalty : float, optional
        The ridge; chosen from ``penalties`` by held-out likelihood unless given.
    penalties : sequence of float, default (0.1, 1, 10, 100)
    folds : int, default 5
        Folds of that choice, by customer.
    non_negative : bool, default True
        Whether coefficients must not be negative.
    bags : int, default 20
        How many bags; 0 fits everything once.
    sample_share, feature_share : float, default 0.5
        The share of journeys and of channels in a bag.
    credit : {"counterfactual", "coefficient"}, default "counterfactual"
        Split by what the probability falls by without the channel, or by coefficient times feature.
    max_iterations : int, default 100
    """

    _name = "logistic"
    _kind = "attribution.Logistic"

    def __init__(
        self,
        features: Literal["presence", "counts"] = "presence",
        cap: int = 10,
        penalty: float | None = None,
        penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
        folds: int = 5,
        non_negative: bool = True,
        bags: int = 20,
        sample_share: float = 0.5,
        feature_share: float = 0.5,
        credit: Literal["counterfactual", "coefficient"] = "counterfactual",
        max_iterations: int = 100,
    ) -> None:
        self.features = features
        self.cap = cap
        self.penalty = penalty
        self.penalties = _call.listed("penalties", penalties)
        self.folds = folds
        self.non_negative = non_negative
        self.bags = bags
        self.sample_share = sample_share
        self.feature_share = feature_share
        self.credit = credit
        self.max_iterations = max_iterations

    def coefficients(self) -> Any:
        """The coefficients as a frame: channel, coefficient, spread, bags."""
        return self._tables("coefficients")["coefficients"]


class TimeToEvent(_Incremental):
    """A rate of conversion over time that ads raise by their age, credited by backward elimination.

    Shender et al. 2023. Needs times, so not for paths.

    Parameters
    ----------
    link : {"log", "additive"}, default "log"
        Whether each ad multiplies the rate or adds to it.
    ages : sequence of spans, default ("1d", "7d", "14d")
        The upper ends of the buckets of age; an older ad has no effect.
    cap : int, default 5
        Most touches of one channel in a bucket that count.
    horizon : span, default "30d"
        How long an open journey is watched after its last touch.
    penalty : float, optional, default 1.0
        The ridge on effects; None: chosen from ``penalties`` by held-out likelihood.
    non_negative : bool, default True
        Whether ads can only raise the rate.
    baseline : {"exclude", "share"}, default "exclude"
        Whether the baseline's part of a conversion is left out of the split, or split equally.
    max_iterations : int, default 100
    penalties : sequence of float, default (0.1, 1, 10, 100)
    folds : int, default 5
        Folds of the choice of the penalty, by customer.
    """

    _name = "time_to_event"
    _kind = "attribution.TimeToEvent"
    _nullable = ("penalty",)

    def __init__(
        self,
        link: Literal["log", "additive"] = "log",
        ages: Sequence[_call.Span] = ("1d", "7d", "14d"),
        cap: int = 5,
        horizon: _call.Span = "30d",
        penalty: float | None = 1.0,
        non_negative: bool = True,
        baseline: Literal["exclude", "share"] = "exclude",
        max_iterations: int = 100,
        penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
        folds: int = 5,
    ) -> None:
        self.link = link
        self.ages = _call.listed("ages", ages)
        self.cap = cap
        self.horizon = horizon
        self.penalty = penalty
        self.non_negative = non_negative
        self.baseline = baseline
        self.max_iterations = max_iterations
        self.penalties = _call.listed("penalties", penalties)
        self.folds = folds

    def effects(self) -> Any:
        """The effects: channel, age_from, age_to, effect, standard_error, touch_days, conversions."""
        return self._tables("effects")["effects"]


class AdditiveHazard(_Incremental):
    """A rate of conversion that every ad adds to and that decays (Zhang, Wei & Ren 2014), with priors.

    Needs times, so not for paths.

    Parameters
    ----------
    effect : float, optional
        Where effects begin, and the mode of their prior; conversions per touch unless given.
    delay : span, default "7d"
        Where mean delays begin, and the mode of their prior.
    effect_prior, decay_prior : float, optional, default 1.0
        How many conversions each prior is worth; 0 switches it off; None: chosen from ``penalties`` by
        held-out likelihood, the same for both where both are None.
    baseline_hazard : bool, default False
        Whether there is a rate without any ad.
    baseline : {"exclude", "share"}, default "exclude"
        Whether the baseline's part of a conversion is left out of the split, or split equally.
    horizon : span, default "30d"
        How long an open journey is watched after its last touch.
    method : {"newton", "em"}, default "newton"
    max_iterations : int, default 100
    tolerance : float, default 1e-9
    penalties : sequence of float, default (0.1, 1, 10, 100)
    folds : int, default 5
        Folds of the choice of the priors, by customer.
    """

    _name = "additive_hazard"
    _kind = "attribution.AdditiveHazard"
    _nullable = ("effect_prior", "decay_prior")

    def __init__(
        self,
        effect: float | None = None,
        delay: _call.Span = "7d",
        effect_prior: float | None = 1.0,
        decay_prior: float | None = 1.0,
        baseline_hazard: bool = False,
        baseline: Literal["exclude", "share"] = "exclude",
        horizon: _call.Span = "30d",
        method: Literal["newton", "em"] = "newton",
        max_iterations: int = 100,
        tolerance: float = 1e-9,
        penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
        folds: int = 5,
    ) -> None:
        self.effect = effect
        self.delay = delay
        self.effect_prior = effect_prior
        self.decay_prior = decay_prior
        self.baseline_hazard = baseline_hazard
        self.baseline = baseline
        self.horizon = horizon
        self.method = method
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.penalties = _call.listed("penalties", penalties)
        self.folds = folds

    def effects(self) -> Any:
        """The channels: channel, effect, effect_se, decay (a day), decay_se, delay (days)."""
        return self._tables("effects")["effects"]

    def trace(self) -> Any:
        """The steps of the fit: step, log_likelihood, penalised."""
        return self._tables("trace")["trace"]


def validate(
    journeys: Journeys,
    models: _Model | Sequence[_Model],
    *,
    folds: int = 5,
    bins: int = 10,
    bootstrap: int = 0,
    confidence: float = 0.9,
    interval: Literal["percentile", "basic", "normal"] = "percentile",
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """How well models predict conversions that they have not seen.

    Parameters
    ----------
    journeys : Journeys
    models : sequence of str or model
        Models that are fitted and predict; rules and ``shao_li`` do not.
    folds : int, default 5
        All journeys of a customer are in one fold; journeys from paths are dealt one by one.
    bins : int, default 10
        Bins of equal weight of the calibration.
    bootstrap : int, default 0
        How many samples of the customers held out are drawn for intervals; predictions are not made again.
    confidence : float, default 0.9
        The share of samples inside an interval.
    interval : {"percentile", "basic", "normal"}, default "percentile"
        Quantiles of the samples; those mirrored at the estimate; or standard errors either way.
    report : dict, optional
        Is given the frame "calibration": model, bin, journeys, predicted, observed; with a bootstrap and two
        or more models also "differences": model, other_model, log_loss_difference, auc_difference,
        brier_difference (the first less the other), by the same samples.
    seed : int, default 0
    threads : int, optional
        How many threads to use; all by default. Does not change the result.
    progress : bool or callable, optional

    Returns
    -------
    frame
        model, journeys, conversions, log_loss, null_log_loss (of the overall rate), auc, brier, clipped; with
        a bootstrap each followed by its ``_standard_error``, ``_low`` and ``_high``.

    Examples
    --------
    >>> hw.validate(journeys, ["markov", hw.Logistic(), hw.TimeToEvent()])
    """
    for model in _call.models(models):
        _no_function("models", model, "predicts nothing: leave it out")
    options = {
        "models": _call.models(models),
        "folds": folds,
        "bins": bins,
        "bootstrap": bootstrap,
        "confidence": confidence,
        "interval": interval,
    }
    found = _call.journeys(journeys)._attribution(
        "validate", options, seed=seed, threads=threads, progress=progress
    )
    scores = found.pop("validation")
    if report is not None:
        report.update(found)
    else:
        _weights.heed(found, remedy=True)
    return scores


def _no_function(option: str, model: Any, why: str) -> None:
    """An error for a rule of one's own where models must learn."""
    if callable(model) and not isinstance(model, type):
        name = getattr(model, "__name__", type(model).__name__)
        raise OptionError(f"option `{option}`: the function `{name}` is a rule and {why}")


def segmented(
    journeys: Journeys,
    model: _Model,
    segments: Any,
    *,
    customer: str = "customer",
    segment: str = "segment",
    shrinkage: float | None = None,
    customers: bool = False,
    bootstrap: int = 0,
    confidence: float = 0.9,
    interval: Literal["percentile", "basic", "normal"] = "percentile",
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Attribution by a model for each segment of customers, shrunk to the model of all.

    Parameters
    ----------
    journeys : Journeys
        From events: paths have no customers.
    model : str or model
        One that is fitted.
    segments : frame
        The segment of each customer; those without one form ``(none)``.
    customer, segment : str
        Its columns.
    shrinkage : float, optional
        The conversions at which a segment's own model weighs half; estimated unless given.
    customers : bool, default False
        Whether credit by customer is wanted too.
    bootstrap : int, default 0
        How many samples of customers are drawn for intervals, the shrinkage being estimated in each; 0 for
        none.
    confidence : float, default 0.9
        The share of samples inside an interval.
    interval : {"percentile", "basic", "normal"}, default "percentile"
        Quantiles of the samples; those mirrored at the estimate; or standard errors either way.
    report : dict, optional
        Is given the frames "segments" (segment, journeys, conversions, own_model, weight), "effects"
        (shares and effects by the own model, by that of all, and shrunk), "shrinkage" (variance_ratio, 0
        where segments differ by no more than chance; shrinkage, its inverse, missing where it is infinite;
        with a bootstrap shrinkage_low and shrinkage_high), and "customers" if wanted.
    seed : int, default 0
    threads : int, optional
        How many threads to use; all by default. Does not change the result.
    progress : bool or callable, optional

    Returns
    -------
    frame
        segment, channel, conversions, value. With a bootstrap each number, in the frames of ``report`` too,
        is followed by its ``_standard_error``, ``_low`` and ``_high``; those of "customers" are of their
        journeys as they are, by the models of the samples.

    Examples
    --------
    >>> hw.segmented(journeys, "markov", tiers, segment="tier")
    """
    _no_function("model", model, "learns nothing, so segments do not change it")
    (one,) = _call.models([model])
    options = {
        "model": one,
        "customer": customer,
        "segment": segment,
        "shrinkage": shrinkage,
        "customers": customers,
        "bootstrap": bootstrap,
        "confidence": confidence,
        "interval": interval,
    }
    frame, _ = _frames.take(segments, [customer, segment])
    found = _call.journeys(journeys)._attribution(
        "segmented", options, frame=frame, seed=seed, threads=threads, progress=progress
    )
    credits = found.pop("credits")
    if report is not None:
        report.update(found)
    else:
        _weights.heed(found, remedy=True)
    return credits
