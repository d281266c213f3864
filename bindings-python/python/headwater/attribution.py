"""Which touch earned it? Models that split the credit for conversions over channels and touches."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from . import _call, _core, _frames, _weights
from ._callback import Rule
from ._models import Fitted

if TYPE_CHECKING:
    from .journeys import Journeys

__all__ = [
    "AttributionModel",
    "Custom",
    "FirstTouch",
    "FittedModel",
    "LastNonDirect",
    "LastTouch",
    "Linear",
    "Markov",
    "PositionBased",
    "Shapley",
    "TimeDecay",
    "attribute",
    "choose_order",
]


class AttributionModel:
    """A way to split the credit; one of the classes below, or its name as a string."""

    _name: ClassVar[str] = ""
    #: Of these options None says something else than the default.
    _nullable: ClassVar[tuple[str, ...]] = ()

    def _options(self) -> dict[str, Any]:
        given = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        said = {name: value for name, value in given.items() if value is not None or name in self._nullable}
        return {"model": self._name} | said

    def score(self, path: Sequence[str], times: Sequence[_call.Moment] | None = None) -> list[float]:
        """The credit of each touch of one journey, adding up to 1.

        Parameters
        ----------
        path : sequence of str
            The channels in time order.
        times : sequence of str or datetime, optional
            When each touch was, the last one at the journey's end; time decay needs them.

        Examples
        --------
        >>> hw.PositionBased().score(["search", "email", "search"])
        [0.4, 0.19999999999999996, 0.4]
        """
        return _core.score_path(
            _spec(self), _call.listed("path", path), [_call.micros(time) for time in times or ()]
        )

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._options() == other._options()

    def __hash__(self) -> int:
        return hash(_spec(self))

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self._options().items() if name != "model")
        return f"{type(self).__name__}({given})"


def _spec(model: str | AttributionModel | Mapping[str, Any]) -> str:
    return _call.dump("model", model)


class FirstTouch(AttributionModel):
    """All credit to the first touch. As a string: ``"first"``."""

    _name = "first"


class LastTouch(AttributionModel):
    """All credit to the last touch. As a string: ``"last"``."""

    _name = "last"


class LastNonDirect(AttributionModel):
    """All credit to the last touch that is not direct, or to the last touch if all are.

    Parameters
    ----------
    direct : sequence of str, default ("direct", "(direct)")
        Labels of direct channels; case does not count.
    """

    _name = "last_non_direct"

    def __init__(self, direct: Sequence[str] | None = None) -> None:
        self.direct = None if direct is None else list(direct)


class Linear(AttributionModel):
    """The same credit to every touch. As a string: ``"linear"``."""

    _name = "linear"


class PositionBased(AttributionModel):
    """Fixed shares to the first and the last touch, the rest in equal parts to those between.

    Parameters
    ----------
    first, last : float, default 0.4
        Their shares; of two touches each has its part of the two.
    """

    _name = "position_based"

    def __init__(self, first: float = 0.4, last: float = 0.4) -> None:
        self.first = first
        self.last = last


class TimeDecay(AttributionModel):
    """Credit that halves with every ``half_life`` between the touch and the conversion.

    Parameters
    ----------
    half_life : str, timedelta or number of days, default "7d"
    """

    _name = "time_decay"

    def __init__(self, half_life: _call.Span = "7d") -> None:
        self.half_life = half_life


class Custom(AttributionModel):
    """Weights of one's own, as data: a touch weighs the product of what its position, channel and age weigh.

    Where all touches of a journey weigh 0, all have the same. For weights from a function give the function
    among the models of `headwater.attribute`.

    Parameters
    ----------
    from_start, from_end : sequence of float, optional
        Weights of the first touch, the second and so on, and of the last, the one before and so on; the last
        weight holds for all further ones.
    channels : dict of str to float, optional
        Weights of channels.
    other_channels : float, default 1
        The weight of channels that are not named.
    ages : sequence of (span, float), optional
        Weights of touches up to an age, ages ascending: ``[("1d", 1.0), ("7d", 0.5)]``. Needs times.
    older : float, default 0
        The weight of touches older than all ``ages``.
    name : str, optional
        What stands in the model's name where there are several.
    """

    _name = "custom"

    def __init__(
        self,
        *,
        from_start: Sequence[float] | None = None,
        from_end: Sequence[float] | None = None,
        channels: Mapping[str, float] | None = None,
        other_channels: float = 1.0,
        ages: Sequence[tuple[_call.Span, float]] | None = None,
        older: float = 0.0,
        name: str | None = None,
    ) -> None:
        self.from_start = from_start
        self.from_end = from_end
        self.channels = None if channels is None else dict(channels)
        self.other_channels = other_channels
        self.ages = None if ages is None else [{"within": span, "weight": weight} for span, weight in ages]
        self.older = older
        self.name = name


_Model = str | AttributionModel | Mapping[str, Any] | Rule


def _moments(times: Sequence[_call.Moment] | None, end: _call.Moment | None) -> tuple[list[int], int | None]:
    """The touches' times, and the end, in microseconds."""
    return [_call.micros(time) for time in times or ()], None if end is None else _call.micros(end)


class FittedModel(Fitted, AttributionModel):
    """A model that is fitted to journeys before it splits credit; `attribute` fits it by itself."""

    __eq__ = AttributionModel.__eq__
    __hash__ = AttributionModel.__hash__
    __repr__ = AttributionModel.__repr__

    def fit(
        self,
        journeys: Journeys,
        *,
        seed: int = 0,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self:
        """Fits the model; conversions without a touch are no part of it.

        Parameters
        ----------
        journeys : Journeys
        seed : int, default 0
            Of everything random in the fit.
        threads : int, optional
            How many threads to use; all by default. Does not change the result.
        progress : bool or callable, optional
            True for a bar, or a function of (stage, done, total).

        Returns
        -------
        FittedModel
            Itself.
        """
        self._native = _call.journeys(journeys)._native.fit(_spec(self), _call.run(seed, threads, progress))
        return self

    def score(
        self,
        path: Sequence[str],
        times: Sequence[_call.Moment] | None = None,
        end: _call.Moment | None = None,
    ) -> list[float]:
        """The credit of each touch of one journey by the fitted model, adding up to 1.

        Parameters
        ----------
        path : sequence of str
            The channels in time order.
        times : sequence of str or datetime, optional
            When each touch was; models that look at times need them.
        end : str or datetime, optional
            When the conversion was; the last touch's time unless given.
        """
        return _core.score_path(self._fitted, _call.listed("path", path), *_moments(times, end))

    def predict(
        self,
        path: Sequence[str],
        times: Sequence[_call.Moment] | None = None,
        end: _call.Moment | None = None,
    ) -> float:
        """P(conversion) of one journey by the fitted model; `headwater.validate` says how good it is.

        A chain gives the share that converted of the journeys that ended in its last state,
        `PathCounterfactual` the rate of the path, `Logistic` the regression. `TimeToEvent` and
        `AdditiveHazard` give the chance of a conversion within their ``horizon``.

        Parameters
        ----------
        path : sequence of str
            The channels in time order, one or more.
        times : sequence of str or datetime, optional
            When each touch was; models that look at times need them.
        end : str or datetime, optional
            From when on the horizon counts, without a conversion until then; the last touch's time unless
            given. Models that do not look at times take no notice.

        Raises
        ------
        OptionError
            For models that split credit and predict nothing: `Shapley` and `ShaoLi`.
        """
        return _core.predict_path(self._fitted, _call.listed("path", path), *_moments(times, end))

    def _tables(
        self,
        name: str,
        threads: int | None = None,
        progress: _call.Progress = None,
        **options: Any,
    ) -> dict[str, Any]:
        """What the fitted model says of itself: frames by name, the one that is asked for first."""
        run = _call.run(0, threads, progress)
        found = _core.model_report(self._fitted, name, _call.options(options), run)
        return {table: _frames.neutral(native) for table, native in found}


class Markov(FittedModel):
    """Removal effects in a Markov chain, exactly (Anderl et al. 2016).

    Parameters
    ----------
    order : int, default 1
        How many channels the chain remembers; the more channels there are, the fewer it can
        (16 of 12 channels, 8 of 100).
    repeats : {"collapse", "keep"}, default "collapse"
        Whether a channel several times in a row counts once; changes the transitions, not the effects.
    removal : {"null", "reconnect", "skip", "fail", "fail_refit"}, default "null"
        What removing a channel means. "null": whoever would come to it is lost. "reconnect": they take
        one of the other ways, in proportion. "skip": its touches are left out of every journey.
        "fail": journeys with it do not convert. "fail_refit": the same, and journeys of it alone are
        not counted.
    split : {"removal", "journey"}, default "removal"
        How effects become credit: all conversions at once, or each journey's over its own touches.
    negative : {"clamp", "keep"}, default "clamp"
        Negative effects in the split of all conversions: counted as 0, or negative credit.

    Attributes
    ----------
    channels_ : list of str
    removal_effects_ : dict
        The share of conversions lost without each channel.
    removal_effects_value_ : dict
        The share of value lost without each channel.
    conversion_probability_ : float
    value_per_journey_ : float
    """

    _name = "markov"
    _kind = "attribution.Markov"

    def __init__(
        self,
        order: int = 1,
        repeats: Literal["collapse", "keep"] = "collapse",
        removal: Literal["null", "reconnect", "skip", "fail", "fail_refit"] = "null",
        split: Literal["removal", "journey"] = "removal",
        negative: Literal["clamp", "keep"] = "clamp",
    ) -> None:
        self.order = order
        self.repeats = repeats
        self.removal = removal
        self.split = split
        self.negative = negative

    def _restore(self, body: dict[str, Any]) -> None:
        vars(self).update(body["markov"])

    @property
    def channels_(self) -> list[str]:
        """The channels' labels."""
        return list(self._body()["channels"])

    @property
    def removal_effects_(self) -> dict[str, float]:
        """The share of conversions lost without each channel."""
        body = self._body()
        return dict(zip(body["channels"], body["removal_effects"], strict=True))

    @property
    def removal_effects_value_(self) -> dict[str, float]:
        """The share of value lost without each channel."""
        body = self._body()
        return dict(zip(body["channels"], body["removal_effects_value"], strict=True))

    @property
    def conversion_probability_(self) -> float:
        """The probability that a journey converts."""
        return float(self._body()["conversion_probability"])

    @property
    def value_per_journey_(self) -> float:
        """The value that a journey brings on average."""
        return float(self._body()["value_per_journey"])

    def transitions(self) -> Any:
        """The fitted chain as a frame: from, to, count, probability."""
        return self._tables("transitions")["transitions"]

    def states(
        self,
        *,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """What it means to be at each state of the chain, from the fundamental matrix.

        Parameters
        ----------
        report : dict, optional
            Is given the frame "channels": channel, probability (of ever touching it), conversion_probability
            (of journeys that do), conversion_share.
        threads, progress
            As in `fit`.

        Returns
        -------
        frame
            state, expected_visits (of one journey), probability (of ever coming there; missing beyond 3,000
            states), conversion_probability, expected_value and expected_steps (from there on),
            conversion_share (of all conversions, those that came by).
        """
        found = self._tables("states", threads, progress)
        if report is not None:
            report["channels"] = found["channels"]
        return found["states"]

    def joint_effects(
        self,
        sets: Sequence[Sequence[str]] = (),
        sequences: Sequence[Sequence[str]] = (),
        *,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """The effects of removing several channels at once.

        Parameters
        ----------
        sets : sequence of sequences of str
            Channels to remove together.
        sequences : sequence of sequences of str
            Channels to remove where each is touched right after the one before; up to order + 1 of them,
            and with ``removal`` "null" or "reconnect" only.
        threads, progress
            As in `fit`.

        Returns
        -------
        frame
            kind ("set" or "sequence"), channels, removal_effect, removal_effect_value, sum_of_effects (of
            the channels of a set one by one).

        Examples
        --------
        >>> hw.Markov().fit(journeys).joint_effects([["email", "social"]], sequences=[["search", "email"]])
        """
        options = {
            "sets": [_call.listed("sets", s) for s in _call.listed("sets", sets)],
            "sequences": [_call.listed("sequences", s) for s in _call.listed("sequences", sequences)],
        }
        return self._tables("joint_effects", threads, progress, **options)["joint_effects"]

    def _facts(self) -> dict[str, Any]:
        return {"conversion probability": self.conversion_probability_, **self.removal_effects_}

    def plot(self, **options: Any) -> Any:
        """The transitions as a heat map; see `headwater.plot.transitions`."""
        from . import plot

        return plot.transitions(self, **options)


class Shapley(FittedModel):
    """Shapley values of the channels, for a named choice of what a coalition of channels earns.

    As it stands, it is in closed form: exact for any number of channels (Zhao, Mahboobi & Bagheri 2018), and
    scores journeys without being fitted.

    Parameters
    ----------
    worth : str, default "conversions"
        What a coalition earns. "conversions": the conversions of journeys whose channels all lie in it.
        "rate": the share of those journeys that convert. "exact_set_rate", "exact_set_conversions": the
        same of journeys with exactly its channels. "journey_rate": as exact_set_rate, in a game of its own
        for each journey. "table": what ``worths`` says.
    worths : sequence of dict, optional
        The coalitions of ``worth="table"``: ``{"channels": ["a", "b"], "worth": 2.0}``, and "value" where
        the worth in value is another.
    missing : {"zero", "nearest_subset", "error"}, default "zero"
        What a coalition is worth of which nothing is known.
    samples : int, default 4096
        Random orders of the channels, for the worth "rate" with more than 25 channels.
    negative : {"keep", "clamp"}, default "keep"
        Negative values in the split of conversions: negative credit, or counted as 0.

    Attributes
    ----------
    channels_ : list of str
    values_ : dict
        The Shapley value of each channel, in the unit of the worth.

    Examples
    --------
    >>> hw.Shapley(worth="rate").fit(journeys).dividends(top=10)
    """

    _name = "shapley"
    _kind = "attribution.Shapley"

    def __init__(
        self,
        worth: Literal[
            "conversions", "rate", "exact_set_rate", "exact_set_conversions", "journey_rate", "table"
        ] = "conversions",
        worths: Sequence[Mapping[str, Any]] | None = None,
        missing: Literal["zero", "nearest_subset", "error"] = "zero",
        samples: int = 4096,
        negative: Literal["keep", "clamp"] = "keep",
    ) -> None:
        self.worth = worth
        self.worths = None if worths is None else [dict(row) for row in worths]
        self.missing = missing
        self.samples = samples
        self.negative = negative

    def _restore(self, body: dict[str, Any]) -> None:
        vars(self).update(body["shapley"])
        self.worths = self.worths or None

    def score(
        self,
        path: Sequence[str],
        times: Sequence[_call.Moment] | None = None,
        end: _call.Moment | None = None,
    ) -> list[float]:
        """The credit of each touch of one journey, adding up to 1; see `FittedModel.score`."""
        if self._native is None and self.worth == "conversions":
            return AttributionModel.score(self, path, times)
        return super().score(path, times, end)

    @property
    def channels_(self) -> list[str]:
        """The channels' labels."""
        return list(self._body()["channels"])

    @property
    def values_(self) -> dict[str, float]:
        """The Shapley value of each channel, in the unit of the worth."""
        body = self._body()
        return dict(zip(body["channels"], body["values"], strict=True))

    def values(self) -> Any:
        """The values as a frame: channel, shapley, shapley_value, standard_error, standard_error_value."""
        return self._tables("values")["values"]

    def positions(self) -> Any:
        """Ordered Shapley values of the worth "conversions": channel, position, shapley, shapley_value."""
        return self._tables("positions")["positions"]

    def dividends(
        self, top: int = 100, *, threads: int | None = None, progress: _call.Progress = None
    ) -> Any:
        """Harsanyi dividends, the largest first: channels, size, dividend, dividend_value.

        Parameters
        ----------
        top : int, default 100
            How many; 0 for all that are not 0.
        threads, progress
            As in `fit`.
        """
        return self._tables("dividends", threads, progress, top=top)["dividends"]

    def synergies(self, *, threads: int | None = None, progress: _call.Progress = None) -> Any:
        """The Shapley interaction index of each pair: channel, other, synergy, synergy_value."""
        return self._tables("synergies", threads, progress)["synergies"]

    def _facts(self) -> dict[str, Any]:
        return self.values_


def attribute(
    journeys: Journeys,
    models: _Model | Sequence[_Model],
    *,
    bootstrap: int = 0,
    confidence: float = 0.9,
    interval: Literal["percentile", "basic", "normal"] = "percentile",
    lifetime: Any = None,
    lifetime_customer: str = "customer",
    lifetime_value: str = "lifetime_value",
    lifetime_mode: Literal["first_conversion", "every"] = "first_conversion",
    lifetime_missing: Literal["error", "zero"] = "error",
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Attributes the conversions of these journeys by each of the models.

    Credits add up to all conversions and all value: conversions without a
    touch stand in a row ``(unattributed)``.

    Parameters
    ----------
    journeys : Journeys
    models : sequence of str, model or function
        ``"first"``, ``"last"``, ``"last_non_direct"``, ``"linear"``, ``"position_based"``, ``"time_decay"``,
        ``"markov"``, ``"shapley"``, or objects such as ``hw.TimeDecay(half_life="7d")``. A function from a
        journey's touches, a list of `headwater.Touch`, to a weight of 0 or more for each is a rule of one's
        own; it is called once for each distinct journey that converts, samples are drawn from what it said.
    bootstrap : int, default 0
        How many samples of customers are drawn for intervals; 0 for none.
    confidence : float, default 0.9
        The share of samples inside an interval.
    interval : {"percentile", "basic", "normal"}, default "percentile"
        Quantiles of the samples; those mirrored at the estimate; or standard errors either way.
    lifetime : frame, optional
        What customers are worth, one row each: conversions then carry it as their value.
    lifetime_customer, lifetime_value : str
        Its columns.
    lifetime_mode : {"first_conversion", "every"}
        Which of a customer's conversions carry it.
    lifetime_missing : {"error", "zero"}
        Customers who converted and are not in the frame.
    report : dict, optional
        Is given the frame "removal_effects" of the Markov chains: model, channel, removal_effect,
        removal_effect_value, with a bootstrap each followed by its ``_standard_error``, ``_low`` and
        ``_high``; and where touches weigh differently, "ignored_weights": the models that know no weights
        (Shapley values and what is fitted), and the conversions of journeys where that matters. Without a
        report they are a warning.
    seed : int, default 0
        Of the samples.
    threads : int, optional
        How many threads to use; all by default. Does not change the result.
    progress : bool or callable, optional
        True for a bar, or a function of (stage, done, total).

    Returns
    -------
    frame
        model, channel, conversions, value; and where cost is known cost, roas, cpa. With a bootstrap also
        share, and ``_low`` and ``_high`` of each.

    Raises
    ------
    OptionError
        For an unknown model, a bad parameter, a model twice, or time decay on journeys without times.

    Examples
    --------
    >>> hw.attribute(journeys, ["last", hw.TimeDecay("7d"), hw.Markov(order=2)])
    >>> def early(touches):
    ...     return [1 / touch.position for touch in touches]
    >>> hw.attribute(journeys, ["linear", early], bootstrap=200)
    """
    options: dict[str, Any] = {
        "models": _call.models(models),
        "bootstrap": bootstrap,
        "confidence": confidence,
        "interval": interval,
    }
    name, frame = "attribute", None
    if lifetime is not None:
        frame, _ = _frames.take(lifetime, [lifetime_customer, lifetime_value])
        name = "attribute_lifetime"
        worth = {
            "lifetime_customer": lifetime_customer,
            "lifetime_value": lifetime_value,
            "lifetime_mode": lifetime_mode,
            "lifetime_missing": lifetime_missing,
        }
        options = {"attribute": options, **worth}
    found = _call.journeys(journeys)._attribution(
        name, options, frame=frame, seed=seed, threads=threads, progress=progress
    )
    credits = found.pop("credits")
    if report is not None:
        report.update(found)
    else:
        _weights.heed(found, remedy=True)
    return credits


def choose_order(
    journeys: Journeys,
    max_order: int = 5,
    *,
    criterion: Literal["held_out", "aic", "bic", "auc"] = "held_out",
    folds: int = 5,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Compares Markov chains of the orders 1 to ``max_order``, and marks the best.

    Parameters
    ----------
    journeys : Journeys
    max_order : int, default 5
    criterion : {"held_out", "aic", "bic", "auc"}, default "held_out"
        The highest log-likelihood of journeys that the chain was not fitted to; the lowest AIC or BIC; or
        the highest penalised AUC of ChannelAttribution's rule.
    folds : int, default 5
        In how many parts journeys are held out, by customer; 0 for not at all.
    seed : int, default 0
        Of the dealing of journeys to folds.
    threads : int, optional
        How many threads to use; all by default. Does not change the result.
    progress : bool or callable, optional
        True for a bar, or a function of (stage, done, total).

    Returns
    -------
    frame
        order, states, parameters, log_likelihood, aic, bic, held_out_log_likelihood, held_out_se (of its
        distance to the highest, as the folds scatter), auc, pauc, chosen.

    Examples
    --------
    >>> hw.choose_order(journeys, 4)
    """
    options = {"max_order": max_order, "criterion": criterion, "folds": folds}
    found = _call.journeys(journeys)._attribution(
        "choose_order", options, seed=seed, threads=threads, progress=progress
    )
    return found["orders"]
