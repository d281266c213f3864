"""The shared vectors: the same numbers, to the last bit, as in Rust and Node."""

from __future__ import annotations

import datetime as dt
import inspect
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from support import columns

import headwater as hw
from headwater import _call, _core

FOLDER = Path(__file__).parents[2] / "core" / "tests" / "vectors"
REPORTS = ("paths", "transitions", "lags", "lengths", "channels", "summary")


def cases() -> list[Any]:
    found = []
    for file in sorted(FOLDER.glob("*.json")):
        listed = json.loads(file.read_text())
        # Vectors of the mathematics, which has no face in Python, are kept in other shapes.
        if isinstance(listed, list) and listed and isinstance(listed[0], dict):
            found += [pytest.param(case, id=f"{file.stem}: {case['name']}") for case in listed]
    return found


def journeys(frames: dict[str, Any], options: dict[str, Any], prefix: str = "") -> hw.Journeys:
    if f"{prefix}paths" in frames:
        return hw.Journeys.from_paths(frames[f"{prefix}paths"], **options)
    options = dict(options)
    flag = options.pop("conversion", None)
    return hw.Journeys.from_events(
        frames[f"{prefix}touches"], conversions=flag or frames.get(f"{prefix}conversions"), **options
    )


def by_name(call: str, frames: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """The reports that are reached by name."""
    made = journeys(frames, options.get("journeys", {}))
    if call == "report":
        if "segments" in frames:
            made = made.with_segments(frames["segments"])
        return made._tables(options["report"], options.get("options"))
    if "rules" in frames:
        said = columns(frames["rules"])
        models = [replayed(model, said) for model in options["options"].pop("models")]
        return {"credits": hw.attribute(made, models, **options["options"])}
    there = any(name.startswith("other_") for name in frames)
    other = journeys(frames, options.get("other", {}), "other_") if there else None
    return made._attribution(
        options["report"],
        options.get("options", {}),
        other=other,
        frame=frames.get("frame"),
        lift_tests=frames.get("lift_tests"),
    )


def replayed(model: Any, rules: dict[str, list[float]]) -> Any:
    """A model `callback` as a function that says what it said of each touch, in their order."""
    if not isinstance(model, dict) or model["model"] != "callback":
        return model
    said = iter(rules[model["name"]])

    def rule(touches: list[hw.Touch]) -> list[float]:
        return [next(said) for _ in touches]

    rule.__name__ = model["name"]
    return rule


EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def at(micros: int | None) -> dt.datetime | None:
    return None if micros is None else EPOCH + dt.timedelta(microseconds=micros)


def fit_model(frames: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Fits, saves, loads; then tells what the model says of itself and of single journeys."""
    made = journeys(frames, options.get("journeys", {}))
    native = made._native.fit(_call.dump("model", options["model"]), _call.run())
    model = hw.FittedModel.from_bytes(native.to_bytes())
    tables: dict[str, Any] = {}
    for name in options.get("reports", []):
        tables |= model._tables(name)
    score: dict[str, list[Any]] = {"journey": [], "credit": []}
    for i, one in enumerate(options.get("score", [])):
        credit = model.score(one["path"], [at(t) for t in one.get("times", [])], at(one.get("end")))
        score["journey"] += [i] * len(credit)
        score["credit"] += credit
    tables["score"] = score
    if "predict" in options:
        times = [[at(t) for t in one.get("times", [])] for one in options["predict"]]
        found = [
            model.predict(one["path"], when, at(one.get("end")))
            for one, when in zip(options["predict"], times, strict=True)
        ]
        tables["predict"] = {"probability": found}
    return tables


def grow(frames: dict[str, Any], options: dict[str, Any]) -> hw.Journeys:
    """Part after part, each time from the file of what was there before."""
    builder = hw.JourneyBuilder(**options)
    n = 1
    while f"touches_{n}" in frames:
        builder.extend(frames[f"touches_{n}"], frames.get(f"conversions_{n}"))
        builder = hw.JourneyBuilder.from_bytes(builder.to_bytes())
        n += 1
    return builder.journeys()


def part(frames: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Journeys made of others: the paths of the first and of the last."""
    made = journeys(frames, options["journeys"])
    frame, rest = frames.get("frame"), options["options"]
    match options["part"]:
        case "split":
            parts = list(made.with_segments(frame, **options["segments"]).split().values())
        case "with_lifetime":
            parts = [made.with_lifetime(frame, **rest)]
        case "of_customers":
            parts = [made.of_customers(frame)]
        case name:
            parts = [getattr(made, name)(**rest)]
    return {"first": parts[0].paths(), "last": parts[-1].paths(), "summary": parts[0].summary()}


def reports(found: hw.Journeys) -> dict[str, Any]:
    tables = {name: getattr(found, name) for name in REPORTS}
    return tables | {"dropped": lambda: found.dropped}


def stitch(frames: dict[str, Any], options: dict[str, Any]) -> hw.Stitched:
    options = {"time": None} | options
    spaces = options.pop("namespaces", None)
    if spaces:
        options["identifiers"] = {name: spaces.get(name, name) for name in options["identifiers"]}
    if "rules" in options:
        options["rules"] = hw.IdentityRules(**options["rules"])
    return hw.stitch(frames["events"], **options)


def graph(frames: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    options = {"time": None} | options
    built = hw.IdentityGraph(hw.IdentityRules(**options.pop("rules", {})))
    built.extend(frames["events"], **options)
    return {"customers": built.customers(), "refused": built.refused()}


def run(case: dict[str, Any], frames: dict[str, Any]) -> dict[str, Any]:
    """The result's tables, or functions that give them, by name."""
    options = json.loads(json.dumps(case["options"]))
    match case["call"]:
        case "from_events" | "from_paths":
            return reports(journeys(frames, options))
        case "grow":
            return reports(grow(frames, options))
        case "attribute":
            report: dict[str, Any] = {}
            models = options["attribute"]["models"]
            credits = hw.attribute(journeys(frames, options.get("journeys", {})), models, report=report)
            return {"credits": credits, **report}
        case "touch_credits":
            return {
                "touch_credits": journeys(frames, options.get("journeys", {})).touch_credits(options["model"])
            }
        case "part":
            return part(frames, options)
        case "report" | "attribution":
            return by_name(case["call"], frames, options)
        case "fit":
            return fit_model(frames, options)
        case "transform":
            made = journeys(frames, options.get("journeys", {})).transform(options["transform"]["steps"])
            return {name: getattr(made, name) for name in ("paths", "channels", "summary")}
        case "roll_up":
            fine, models = journeys(frames, options.get("journeys", {})), options["attribute"]["models"]
            levels, up = options["levels"], fine.roll_up(**options["levels"])
            credits, whole = hw.attribute(fine, models), hw.attribute(up, models)
            return {
                "paths": up.paths,
                "drill_down": hw.channels.drill_down(credits, **levels),
                "shared": hw.channels.drill_down(credits, whole, **levels),
            }
        case "group_channels":
            if "rules" in options:
                options["rules"] = hw.ChannelRules(**options["rules"])
            beside: dict[str, Any] = {}
            return {"table": hw.channels.group(frames["visits"], report=beside, **options), **beside}
        case "stitch":
            people = stitch(frames, options)
            assigned = columns(people.assign(frames["events"]))["customer"]
            names = ("customers", "refused", "blocked", "sizes")
            tables = {name: getattr(people, name)() for name in names}
            return tables | {"assign": {"customer": assigned}, "dropped": people.dropped}
        case "identity_graph":
            return graph(frames, options)
        case "explain":
            a, b = options.pop("explain")
            links = stitch(frames, options).explain(a, b)
            return {"explain": dict.fromkeys(case["expect"]["explain"], []) if links is None else links}
        case "pairwise":
            scores = hw.identity.evaluate(frames["rows"], **options)
            return {"scores": {name: [value] for name, value in scores.items()}}
        case "normalize":
            values = case["frames"]["values"]
            email, phone = hw.identity.normalize_email, hw.identity.normalize_phone
            return {
                "values": {
                    "email": [email(value) or "" for value in values["email"]],
                    "gmail": [email(value, gmail=True) or "" for value in values["email"]],
                    "phone": [phone(value, region="GB") or "" for value in values["phone"]],
                }
            }
        case "segment.rfm":
            report = {}
            return {"table": hw.segment.rfm(frames["orders"], report=report, **options), **report}
        case "segment.kmeans":
            invalid = {"on_invalid": options.pop("on_invalid", "error")}
            features = options.pop("features")
            options.pop("init", None)
            model = hw.segment.KMeans(**options).fit(frames["frame"], features, **invalid)
            labels = {"row": list(map(int, model.rows_)), "segment": list(map(int, model.labels_))}
            tables = {"table": labels, "centers": model.clusters(), "dropped": model.dropped_}
            if "new" in frames:
                tables["predict"] = lambda: model.predict(frames["new"], report={}, **invalid)
            return tables
        case "simulate":
            options.pop("batch_people", None)
            return vars(hw.simulate.market(**options))
        case "presets":
            return {"presets": hw.simulate.presets()}
        case "lift_test":
            return {"lift_test": hw.simulate.lift_test(options["tests"], **options["market"])}
        case "score":
            report = {}
            given = {"truth_column" if name == "truth" else name: v for name, v in options.items()}
            scores = hw.simulate.score(frames["credits"], frames["truth"], report=report, **given)
            return {"channels": scores, **report}
        case other:
            return clv(other, options, frames, case.get("expect", {}))


def clv(
    call: str, options: dict[str, Any], frames: dict[str, Any], expected: dict[str, Any]
) -> dict[str, Any]:
    """The calls of the room clv."""
    report: dict[str, Any] = {}
    match call:
        case "clv.summarize":
            found = hw.clv.summarize(frames["orders"], report=report, **options)
            return {"rfm": found, **report}
        case "clv.beta_geo" | "clv.gamma_gamma":
            new = hw.clv.BetaGeo if call == "clv.beta_geo" else hw.clv.GammaGamma
            model = fit(new, frames["rfm"], options.get("fit", {}))
            tables = {"parameters": model.summary, "fit": model.fit_summary}
            predict = options.get("predict", {})
            return tables | {"predictions": lambda: model.predict(frames["rfm"], **predict)}
        case "clv.lifetime_value":
            model = fit(hw.clv.BetaGeo, frames["rfm"], options.get("beta_geo", {}))
            if "spend" in options:
                spend = hw.clv.laplace(frames["rfm"], "GammaGamma", **options["spend"])
            else:
                spend = fit(hw.clv.GammaGamma, frames["rfm"], options.get("gamma_gamma", {}))
            found = hw.clv.lifetime_value(model, spend, frames["rfm"], **options.get("lifetime_value", {}))
            return {"lifetime_value": found}
        case "clv.tracking":
            model = fit(hw.clv.BetaGeo, frames["rfm"], options.get("fit", {}))
            return {"tracking": hw.clv.tracking(frames["orders"], model, **options.get("tracking", {}))}
        case "clv.tracking_of":
            model = fit(kind(options), frames["rfm"], options["fit"])
            given = {"customers": frames["rfm"], "report": report, **options["tracking"]}
            tracked = hw.clv.tracking(frames["orders"], model, **given)
            return {"tracking": tracked, "by_cohort": report["by_cohort"]}
        case "clv.single":
            model = fit(kind(options), frames["rfm"], options["fit"])
            periods, most, level = options["periods"], options["most"], options["interval"]
            one = model.score_interval(*options["customer"], periods, level)
            mass = model.probabilities_interval(*options["customer"], periods, most, level)
            if not any(options["customer"]):
                assert model.new_customer_interval(periods, most, level) == (one[0], mass)
            edges = {"score": one, "probabilities": mass}
            return {name: {"low": [e[0] for e in v], "high": [e[1] for e in v]} for name, v in edges.items()}
        case "clv.forecast_errors":
            errors = hw.clv.forecast_errors(frames["frame"], **options)
            return {"errors": {name: [value] for name, value in errors.items()}}
        case "clv.purchases":
            model = fit(kind(options), frames["rfm"], options["fit"])
            tables = {"parameters": model.summary, "fit": model.fit_summary}
            return tables | {"predictions": model.predict(frames["rfm"], report={}, **options["predict"])}
        case "clv.dynamic":
            model = along(kind(options), frames, options)
            tables = {"parameters": model.summary, "fit": model.fit_summary}
            given = dict(options["predict"])
            sources = given.pop("sources", {})
            return tables | {"predict": model.predict(frames["orders"], frames["along"], **given, **sources)}
        case "clv.independence":
            return {"independence": hw.clv.GammaGamma().fit(frames["rfm"]).independence()}
        case "clv.report":
            ask, given = getattr(hw.clv, options["name"]), options["options"]
            return named(ask(*frames.values(), report=report, **given), report, set(expected))
        case "clv.model":
            return fitted(kind(options), frames, options, set(expected))
        case "clv.posterior":
            methods = {"laplace": hw.clv.laplace, "bootstrap": hw.clv.bootstrap}
            drawn = methods[options["method"]](frames["rfm"], options["kind"], **options["draw"])
            drawn = hw.clv.Posterior.from_bytes(drawn.to_bytes())
            rfm, customers = frames["rfm"], frames.get("customers", frames["rfm"])
            tables = {"posterior": drawn.summary, "draws": drawn.draws, "fit": drawn.fit_summary}
            tables |= {"check": lambda: drawn.check(rfm, **options.get("check", {}))}
            for name in {"survival", "value"} & set(options):
                tables[name] = getattr(drawn, name)(**options[name])
            if "spend" in options:
                spend = methods[options["method"]](rfm, "GammaGamma", **options["spend"])
                tables["lifetime_value"] = drawn.lifetime_value(spend, customers, **options["lifetime_value"])
            return tables | {"predict": drawn.predict(customers, **options["predict"])}
    raise NotImplementedError(call)


def along(cls: Any, frames: dict[str, Any], options: dict[str, Any]) -> Any:
    """A model along covariates: `rate` and `penalty` are of the class, the rest of its fit."""
    fit = dict(options["fit"])
    model = cls(**{name: fit.pop(name) for name in ("rate", "penalty") if name in fit})
    model.fit(frames["orders"], frames["along"], **fit.pop("sources", {}), **fit)
    return cls.from_bytes(model.to_bytes())


def kind(options: dict[str, Any]) -> Any:
    return getattr(hw.clv, options["kind"].removeprefix("clv."))


def named(main: Any, beside: dict[str, Any], expected: set[str]) -> dict[str, Any]:
    """A report's tables, the main one by the name that is left."""
    left = expected - set(beside)
    return dict.fromkeys(left, main) | beside


def fitted(new: Any, frames: dict[str, Any], options: dict[str, Any], expected: set[str]) -> dict[str, Any]:
    """Fits, saves, loads; then all that the model has to say."""
    model = new.from_bytes(fit(new, frames["frame"], options["fit"]).to_bytes())
    parameters, facts = map(hw.Frame, _core.clv_tables(model._fitted))
    assert list(model.params_.items()) == list(
        zip(parameters["parameter"], parameters["estimate"], strict=True)
    )
    assert [model.log_likelihood_, model.verdict_] == facts["log_likelihood"] + facts["verdict"]
    tables: dict[str, Any] = {}
    for name, given in options["reports"]:
        method = getattr(model, "hazards" if (new, name) == (hw.clv.DiscreteHazard, "baseline") else name)
        takes = inspect.signature(method).parameters
        beside: dict[str, Any] = {}
        main = method(
            *([frames.get("new", frames["frame"])] if "frame" in takes else []),
            **({"report": beside} if "report" in takes else {}),
            **given,
        )
        names = {table.removeprefix(f"{name}.") for table in expected if table.startswith(f"{name}.")}
        tables |= {f"{name}.{table}": found for table, found in named(main, beside, names).items()}
    return {"parameters": parameters, "fit": facts} | tables


def fit(new: Any, frame: Any, options: dict[str, Any]) -> Any:
    mine = set(inspect.signature(new).parameters)
    config = {name: options.pop(name) for name in mine & set(options)}
    return new(**config).fit(frame, **options)


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, str) and isinstance(found, float):
        expected = float(expected)
    if isinstance(found, float) and isinstance(expected, float):
        return found == expected and math.copysign(1, found) == math.copysign(1, expected)
    return bool(found == expected)


KINDS = {
    "dict": lambda data: data,
    "polars": lambda data: pl.DataFrame(data, strict=False),
    "pandas": pd.DataFrame,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", cases())
def test_vector(case, kind):
    frames = {name: KINDS[kind](data) for name, data in case["frames"].items()}
    if "error" in case:
        with pytest.raises((hw.HeadwaterError, TypeError)) as caught:
            run(case, frames)
        if isinstance(caught.value, TypeError):  # Python's own words for a keyword that is wrong or missing
            assert case["error"] == "HW_OPTION"
            assert "argument" in str(caught.value)
        else:
            assert caught.value.code == case["error"], caught.value
        return
    tables = run(case, frames)
    for name, table in case["expect"].items():
        found = columns(tables[name]() if callable(tables[name]) else tables[name])
        assert set(found) >= set(table), name
        for column, expected in table.items():
            assert len(found[column]) == len(expected), f"{name}.{column}"
            for row, (got, want) in enumerate(zip(found[column], expected, strict=True)):
                if kind == "pandas" and want is None:
                    assert got is None or got != got, f"{name}.{column}[{row}]: {got!r}"
                else:
                    assert same(got, want), f"{name}.{column}[{row}]: {got!r}, not {want!r}"
