"""What a typed caller writes; checked by mypy, never run."""

import datetime as dt
from typing import Any

import headwater as hw


def story(events: Any, orders: Any) -> float:
    people: hw.Stitched = hw.stitch(
        events, identifiers=["cookie", "email"], rules=hw.IdentityRules([hw.Namespace("email", limit=2)])
    )
    journeys = hw.Journeys.from_events(
        people.assign(events), conversions=orders, value="revenue", lookback=dt.timedelta(days=30)
    )
    credit = hw.attribute(journeys, ["first", hw.TimeDecay(half_life="7d"), hw.Markov(order=2), hw.Shapley()])
    hw.plot.attribution(credit)
    dropoff: dict[str, Any] = {}
    steps = journeys.funnel(["search", ["email", "sms"], "(conversion)"], window="14d", report=dropoff)
    hw.plot.funnel(steps)
    journeys.time_to_convert(split_by="first_channel", lookback=dt.timedelta(days=30))
    builder = hw.JourneyBuilder(value="revenue", lookback=dt.timedelta(days=30))
    builder.extend(events, orders, progress=True)
    chance: float = hw.Markov().fit(builder.journeys()).predict(["search"], end=dt.date(2024, 1, 1))
    print(chance)
    rfm = hw.clv.summarize(orders, period="7d", calibration_end=dt.date(2024, 1, 1))
    model: hw.clv.BetaGeo = hw.clv.BetaGeo().fit(rfm, progress=True)
    draws: hw.clv.Posterior = hw.clv.sample_posterior(rfm, priors={"a": {"median": 0.5, "sd": 1}}, seed=1)
    draws.predict(rfm, 26, purchase_interval=0.9)
    draws.lifetime_value(hw.clv.laplace(rfm, "GammaGamma"), rfm, periods=26)
    hw.clv.BetaDiscreteWeibull.from_params(0.26, 1.7, 1.58, period="365d").survival(12)
    found: hw.clv.Report = hw.clv.report(
        model, rfm, orders=orders, origins=[dt.date(2024, 1, 1)], posterior=draws
    )
    found.plot("tracking", kind="period")
    hw.plot.alive_path(model, ["2024-01-01", "2024-02-01"], until=dt.date(2024, 3, 1))
    values = hw.clv.lifetime_value(model, hw.clv.GammaGamma().fit(rfm), rfm, periods=52)
    clusters = hw.segment.KMeans(k=5, seed=1).fit(values, features=["lifetime_value"])
    clusters.save("clusters.json")
    seen = hw.IdentityGraph().observe({"cookie": "7f3", "email": ["a@x.org", "b@x.org"]}, source="web")
    name: str | None = seen.customer
    return model.params_["r"] + clusters.inertia_ + len(name or "")


def wrong(orders: Any) -> None:
    hw.segment.rfm(orders, bins="five")  # type: ignore[arg-type]
    hw.clv.summarize(orders, refunds="maybe")  # type: ignore[arg-type]
    hw.plot.tracking(orders, kind="weekly")  # type: ignore[arg-type]
    hw.clv.laplace(orders, prior="strong")  # type: ignore[arg-type]
    hw.Journeys.from_events(orders, chanel="channel")  # type: ignore[call-arg]
    hw.JourneyBuilder(lokback="7d")  # type: ignore[call-arg]
    hw.Journeys.from_paths(orders).step_matrix(anchor="middle")  # type: ignore[arg-type]
    hw.PositionBased(first="most")  # type: ignore[arg-type]
