"""The whole story, once through: who they are, what brought them, what they are worth, who they resemble.

    python customer_360.py                                   real data, then a simulated market of a million events
    python customer_360.py --events clicks.csv --orders orders.parquet --customer visitor_id ...
                                                             your own files

Prints a line for each stage, then tables, and writes customer_360.html.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import io
import json
import pathlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
from report import Report

import headwater as hw

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
MODELS: list[Any] = [
    "first",
    "last",
    hw.LastNonDirect(direct=["direct"]),
    "linear",
    hw.PositionBased(0.4, 0.4),
    hw.TimeDecay(half_life="7d"),
    hw.Markov(order=1),
    hw.Markov(order=2),
    hw.Shapley(),
]
# Time decay needs times, which aggregated paths do not have.
PATH_MODELS: list[Any] = [m for m in MODELS if not isinstance(m, hw.TimeDecay)]

# The strongest first.
NAMESPACES = ["user_id", "email", "phone", "loyalty", "device", "cookie"]

numbers: dict[str, Any] = {}


class Stage:
    """One line of the story: what was done, on how many rows, in how long."""

    def __init__(self) -> None:
        self.rows = 0
        self.said = ""


@contextmanager
def stage(name: str) -> Iterator[Stage]:
    line = Stage()
    begun = time.perf_counter()
    yield line
    print(f"{name:<34}{line.rows:>12,} rows {time.perf_counter() - begun:>8.2f} s   {line.said}", flush=True)


def keep(name: str, frame: pl.DataFrame, columns: list[str], rows: int = 50) -> None:
    """Remembers the first rows of a result, for the test that compares the three languages."""
    numbers[name] = {column: frame[column].head(rows).to_list() for column in columns}


def parameters(name: str, model: Any, spend: Any) -> None:
    for kind, fitted in (("beta_geo", model), ("gamma_gamma", spend)):
        found = {"params": list(fitted.params_.values()), "log_likelihood": fitted.log_likelihood_}
        numbers[f"{name}_{kind}"] = found


def scored(name: str, frame: pl.DataFrame) -> dict[str, float]:
    """Precision and recall of pairs of rows that are one customer's."""
    score = hw.identity.evaluate(frame, truth="person", customer="customer")
    print(f"{'  against the truth':<34}precision {score['precision']:.4f}, recall {score['recall']:.4f}")
    numbers[name] = {k: score[k] for k in ("precision", "recall", "f1")}
    return score


def show(title: str, frame: pl.DataFrame, rows: int = 12) -> None:
    print(f"\n{title}")
    with pl.Config(
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_rows=rows,
        tbl_cols=12,
        tbl_width_chars=200,
    ):
        print(frame.head(rows))


# --- part one: real data --------------------------------------------------------------------------------------------


def cdnow(report: Report) -> None:
    """What CDNOW's customers of early 1997 would buy next, against what they bought."""
    orders = pl.read_csv(DATA / "cdnow.csv")
    with stage("CDNOW: summarize") as line:
        rfm = hw.clv.summarize(
            orders,
            customer="customer",
            time="date",
            value="amount",
            period="7d",
            calibration_end="1997-09-30",
        )
        line.rows, line.said = len(orders), f"{len(rfm):,} customers"
    with stage("CDNOW: fit BG/NBD and Gamma-Gamma") as line:
        model = hw.clv.BetaGeo().fit(rfm, period="7d")
        spend = hw.clv.GammaGamma().fit(rfm)
        line.rows, line.said = len(rfm), f"log-likelihood {model.log_likelihood_:.4f}"
    with stage("CDNOW: forecast 39 weeks") as line:
        forecast = model.predict(rfm, periods=39)
        values = hw.clv.lifetime_value(model, spend, rfm, periods=52, discount_rate=0.0025, margin=0.3)
        line.rows = len(forecast)
        line.said = f"{forecast['expected_purchases'].sum():,.0f} expected, {rfm['frequency_holdout'].sum():,.0f} came"
    segments = hw.segment.rfm(orders, customer="customer", time="date", value="amount", bins=5)
    keep(
        "cdnow_summary", rfm, ["customer", "frequency", "recency", "T", "monetary_value", "frequency_holdout"]
    )
    parameters("cdnow", model, spend)
    keep("cdnow_forecast", forecast, ["customer", "expected_purchases", "p_alive"])
    keep("cdnow_value", values, ["customer", "lifetime_value"])
    keep("cdnow_rfm", segments, ["customer", "r", "f", "m", "segment"])
    show("CDNOW: BG/NBD", pl.DataFrame(model.summary()))
    tracking = hw.clv.tracking(orders, model, customer="customer", time="date")
    report.chapter("CDNOW: what 2,357 customers will buy")
    split = dt.datetime(1997, 10, 1, tzinfo=dt.UTC)
    caption = "Cumulative repeat purchases: the forecast against the weeks that were held out."
    report.chart(hw.plot.tracking(tracking, split=split), caption)
    report.chart(hw.plot.lifetime_value(values), "What each customer is worth over the next year.")
    report.chart(hw.plot.rfm_map(segments), "Recency against frequency.")


def paths(report: Report) -> None:
    """Ten thousand paths over twelve channels, under every model that needs no times."""
    table = pl.read_csv(io.BytesIO(gzip.decompress((DATA / "paths.csv.gz").read_bytes())))
    with stage("paths: journeys") as line:
        journeys = hw.Journeys.from_paths(
            table,
            path="path",
            conversions="total_conversions",
            value="total_conversion_value",
            nulls="total_null",
        )
        line.rows, line.said = len(table), f"{len(journeys.paths()):,} distinct paths"
    with stage("paths: attribution") as line:
        credit = hw.attribute(journeys, PATH_MODELS)
        line.rows, line.said = len(table), f"{credit['model'].n_unique()} models"
    keep("paths_credit", credit, ["model", "channel", "conversions", "value"])
    show("Paths: conversions by model", side_by_side(credit), rows=14)
    report.chapter("Paths: twelve channels under every model")
    report.chart(hw.plot.attribution(credit), "Conversions credited to each channel, by model.")
    report.chart(hw.plot.journey_flow(journeys), "Where a journey goes from each channel.")


def febrl(report: Report) -> None:
    """Five thousand records with typing errors: who is the same person, by keys that must agree exactly."""
    records = pl.read_csv(
        io.BytesIO(gzip.decompress((DATA / "febrl3.csv.gz").read_bytes())), infer_schema=False
    )
    key = pl.concat_str
    records = records.with_columns(
        name_and_birth=key("given_name", "date_of_birth", separator="|"),
        surname_and_birth=key("surname", "date_of_birth", separator="|"),
        name_and_place=key("given_name", "surname", "postcode", separator="|"),
    )
    with stage("FEBRL: stitch") as line:
        people = hw.stitch(
            records,
            identifiers=["soc_sec_id", "name_and_birth", "surname_and_birth", "name_and_place"],
            time=None,
        )
        assigned = people.assign(records)
        line.rows, line.said = len(records), f"{people.n_customers:,} people"
    score = scored("febrl", assigned)
    report.chapter("FEBRL: 5,000 records with typing errors")
    caption = f"Identifiers a person. Precision {score['precision']:.4f}, recall {score['recall']:.4f}."
    report.chart(hw.plot.cluster_sizes(people), caption)


# --- part two: the whole chain --------------------------------------------------------------------------------------


def market(report: Report, events: int) -> None:
    """From raw events to decisions on a market whose truth is known."""
    with stage("market: simulate") as line:
        world = hw.simulate.market(events=events, days=180, holdout_days=90, seed=1, backend="polars")
        line.rows, line.said = len(world.events), f"{len(world.orders):,} orders"
    report.chapter(f"A simulated market of {len(world.events):,} events")
    touches, orders, later = identity(world.records, [world.events, world.orders, world.holdout], report)
    scored("market_identity", orders.join(world.truth_orders, on="order_id", maintain_order="left"))
    credit = journeys_and_credit(touches, orders, report, truth=world.channels)
    keep("market_credit", credit, ["model", "channel", "conversions", "value", "roas"])
    keep("market_truth", world.channels, ["channel", "incremental_conversions", "incremental_value"])
    show("Market: what the channels truly caused", world.channels)
    model = values_and_segments(orders, report, "market")
    forecast_against_holdout(orders, later, model, world.end, report)


def identity(records: pl.DataFrame, frames: list[pl.DataFrame], report: Report) -> list[pl.DataFrame]:
    """A customer for every row of the frames, from the identifiers in the records."""
    rules = hw.IdentityRules([hw.Namespace("user_id", limit=1)])
    with stage("stitch identifiers") as line:
        names = [n for n in NAMESPACES if n in records.columns]
        people = hw.stitch(records, identifiers=names, time="time", rules=rules)
        line.rows, line.said = len(records), f"{people.n_customers:,} customers"
    report.chart(hw.plot.cluster_sizes(people), "Identifiers a customer.")
    return [people.assign(frame) for frame in frames]


def journeys_and_credit(
    touches: pl.DataFrame, orders: pl.DataFrame, report: Report, truth: pl.DataFrame | None
) -> pl.DataFrame:
    """Which channels earned the orders."""
    with stage("journeys") as line:
        journeys = hw.Journeys.from_events(
            touches,
            cost="cost" if "cost" in touches.columns else None,
            conversions=orders,
            value="value",
        )
        line.rows = len(touches)
        line.said = f"{journeys.n_converted:,.0f} converted, {journeys.n_open:,.0f} open"
    with stage("attribution") as line:
        credit = hw.attribute(journeys, MODELS)
        line.rows, line.said = len(touches), f"{credit['model'].n_unique()} models"
    show("Attribution: conversions by model", side_by_side(credit), rows=14)
    report.chart(
        hw.plot.attribution(credit, truth=truth),
        "Conversions credited to each channel, by model, beside the truth.",
    )
    report.chart(hw.plot.journey_flow(journeys), "Where a journey goes from each channel.")
    return credit


def values_and_segments(orders: pl.DataFrame, report: Report, name: str) -> Any:
    """What each customer is worth, and which group they are in."""
    with stage("clv: summarize and fit") as line:
        rfm = hw.clv.summarize(orders, customer="customer", time="time", value="value", period="7d")
        model = hw.clv.BetaGeo().fit(rfm, period="7d")
        spend = hw.clv.GammaGamma().fit(rfm)
        values = hw.clv.lifetime_value(model, spend, rfm, periods=52, discount_rate=0.0025, margin=0.3)
        line.rows, line.said = len(orders), f"{len(rfm):,} customers"
    with stage("segments: RFM and k-means") as line:
        segments = hw.segment.rfm(orders, customer="customer", time="time", value="value", bins=5)
        clusters = hw.segment.KMeans(k=5, seed=0, scale="standard").fit(
            segments, features=["recency", "frequency", "monetary"]
        )
        line.rows, line.said = (
            len(segments),
            f"{segments['segment'].n_unique()} segments, inertia {clusters.inertia_:.1f}",
        )
    parameters(name, model, spend)
    keep(f"{name}_value", values, ["customer", "expected_purchases", "p_alive", "lifetime_value"])
    keep(f"{name}_rfm", segments, ["customer", "recency", "frequency", "monetary", "segment"])
    numbers[f"{name}_kmeans"] = {
        "inertia": clusters.inertia_,
        "centers": [list(map(float, c)) for c in clusters.centers_],
    }
    show("Customers of the highest lifetime value", values.sort("lifetime_value", descending=True), rows=5)
    report.chart(hw.plot.lifetime_value(values), "What each customer is worth over the next year.")
    report.chart(hw.plot.rfm_map(segments), "Recency against frequency.")
    return model


def forecast_against_holdout(
    orders: pl.DataFrame, later: pl.DataFrame, model: Any, split: Any, report: Report
) -> None:
    """What the customers of the observed days bought afterwards, beside what the model had expected."""
    known = later.filter(pl.col("customer").is_in(orders["customer"].unique().implode()))
    both = pl.concat([frame.select("customer", "time") for frame in (orders, known)])
    tracking = hw.clv.tracking(both, model, customer="customer", time="time")
    keep("market_tracking", tracking, ["actual_cumulative", "expected_cumulative"])
    caption = "Cumulative repeat purchases: the forecast against the days that were held out."
    report.chart(hw.plot.tracking(tracking, split=split), caption)


def side_by_side(credit: pl.DataFrame) -> pl.DataFrame:
    """One column a model."""
    table = credit.pivot("model", index="channel", values="conversions", aggregate_function="sum")
    return table.with_columns(pl.col(pl.Float64).round(1))


# --- a user's own files ---------------------------------------------------------------------------------------------


def read(file: str) -> pl.DataFrame:
    """A CSV or Parquet file."""
    return (
        pl.read_parquet(file)
        if file.endswith((".parquet", ".pq"))
        else pl.read_csv(file, infer_schema_length=10_000)
    )


def own_files(options: argparse.Namespace, report: Report) -> None:
    """The same story on the caller's events and orders, or on orders alone."""
    orders = read(options.orders).rename({options.time: "time", options.value: "value"})
    if options.quantity:
        orders = orders.with_columns(value=pl.col("value") * pl.col(options.quantity))
    print(f"{'orders':<34}{len(orders):>12,} rows")
    orders, dropped = clean_orders(orders, options)
    for reason, rows in dropped.items():
        print(f"{'  dropped':<34}{rows:>12,} rows   {reason}")
    print(f"{'  kept':<34}{len(orders):>12,} orders")
    report.chapter(f"{pathlib.Path(options.orders).name}: {len(orders):,} orders")
    if options.events:
        events = read(options.events).rename({options.time: "time", options.channel: "channel"})
        seen = [f.select("time", *(n for n in NAMESPACES if n in f.columns)) for f in (events, orders)]
        records = pl.concat(seen, how="diagonal_relaxed")
        touches, orders = identity(records, [events, orders], report)
        touches, orders = (f.filter(pl.col("customer").is_not_null()) for f in (touches, orders))
        journeys_and_credit(touches, orders, report, truth=None)
    else:
        orders = orders.rename({options.customer: "customer"})
    values_and_segments(orders, report, "own")


def clean_orders(orders: pl.DataFrame, options: argparse.Namespace) -> tuple[pl.DataFrame, dict[str, int]]:
    """Leaves out what no model can use, and says how much of it there was."""
    dropped: dict[str, int] = {}

    def leave_out(reason: str, kept: pl.DataFrame) -> pl.DataFrame:
        if len(kept) < len(orders):
            dropped[reason] = len(orders) - len(kept)
        return kept

    orders = leave_out("exact duplicates", orders.unique(maintain_order=True))
    if options.customer in orders.columns:
        orders = leave_out("no customer", orders.filter(pl.col(options.customer).is_not_null()))
    orders = leave_out("returns: a value below zero", orders.filter(pl.col("value") >= 0))
    orders = leave_out("given away: a value of zero", orders.filter(pl.col("value") > 0))
    if options.order:
        whose = [c for c in (options.customer, *NAMESPACES) if c in orders.columns]
        orders = orders.group_by(options.order, *whose, maintain_order=True).agg(
            pl.col("time").min(), pl.col("value").sum()
        )
    return orders, dropped


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--events", help="your touchpoints, CSV or Parquet; identifiers in any of cookie, device, email, …"
    )
    parser.add_argument("--orders", help="your orders, CSV or Parquet")
    parser.add_argument(
        "--customer", default="customer", help="the orders' customer column, where there are no events"
    )
    parser.add_argument("--time", default="time", help="the time column of both")
    parser.add_argument("--channel", default="channel", help="the events' channel column")
    parser.add_argument(
        "--value", default="value", help="the orders' value column (a price, with --quantity)"
    )
    parser.add_argument("--quantity", help="the orders' quantity column, to multiply the value with")
    parser.add_argument("--order", help="the orders' number, where a row is only a line of an order")
    parser.add_argument("--size", type=int, default=1_000_000, help="events of the simulated market")
    parser.add_argument("--html", default="customer_360.html", help="the report")
    parser.add_argument("--numbers", help="also write every stage's numbers to this JSON file")
    options = parser.parse_args()

    report = Report("Customer 360")
    if options.orders:
        own_files(options, report)
    else:
        cdnow(report)
        paths(report)
        febrl(report)
        market(report, options.size)
    report.write(options.html)
    print(f"\nwrote {options.html}")
    if options.numbers:
        pathlib.Path(options.numbers).write_text(json.dumps(numbers, default=str))


if __name__ == "__main__":
    main()
