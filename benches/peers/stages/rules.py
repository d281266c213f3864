"""First, last, linear, position-based and time-decay credit of value, from raw events."""

from __future__ import annotations

import data
import pyarrow as pa

DAYS = 30
MODELS = ["first", "last", "linear", "position_based", "time_decay"]


def arrow() -> tuple[pa.Table, pa.Table]:
    return data.load("touches"), data.load("conversions")


def ours(inputs):
    import headwater as hw

    touches, conversions = inputs
    journeys = hw.Journeys.from_events(
        touches, conversions=conversions, value="value", lookback=f"{DAYS}d", open="exclude"
    )
    return hw.attribute(journeys, MODELS)


def ours_numbers(result) -> dict[str, float]:
    rows = result.to_pylist()
    return {f"{r['model']}:{r['channel']}": r["value"] for r in rows if r["channel"] != "(unattributed)"}


def polars_frames():
    import polars as pl

    touches, conversions = arrow()
    frame = pl.from_arrow(touches).with_columns(pl.col("channel").cast(pl.Categorical))
    return frame, pl.from_arrow(conversions)


def polars(inputs):
    import polars as pl

    touches, conversions = inputs
    weight = pl.col("weight")
    n, i = pl.col("n"), pl.col("i")
    position = (
        pl.when(n == 1)
        .then(1.0)
        .when(n == 2)
        .then(0.5)
        .when((i == 1) | (i == n))
        .then(0.4)
        .otherwise(0.2 / (n - 2))
    )
    age = (pl.col("converted") - pl.col("time")).dt.total_microseconds()
    journeys = (
        conversions.lazy()
        .rename({"time": "converted"})
        .join(touches.lazy(), on="customer")
        .filter(
            pl.col("time") <= pl.col("converted"),
            pl.col("time") > pl.col("converted") - pl.duration(days=DAYS),
        )
        .sort("customer", "time", "channel")
        .with_columns(
            n=pl.len().over("customer"),
            i=pl.int_range(1, pl.len() + 1).over("customer"),
            weight=(-age / (7 * data.DAY)).mul(0.6931471805599453).exp(),
        )
        .with_columns(decay=weight / weight.sum().over("customer"))
    )
    value = pl.col("value")
    return (
        journeys.group_by("channel")
        .agg(
            first=value.filter(i == 1).sum(),
            last=value.filter(i == n).sum(),
            linear=(value / n).sum(),
            position_based=(value * position).sum(),
            time_decay=(value * pl.col("decay")).sum(),
        )
        .collect()
    )


def polars_numbers(result) -> dict[str, float]:
    return {f"{m}:{r['channel']}": r[m] for r in result.to_dicts() for m in MODELS}


def duckdb_tables():
    import duckdb

    touches, conversions = arrow()
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("CREATE TABLE touches AS SELECT * FROM touches")
    connection.execute("CREATE TABLE conversions AS SELECT * FROM conversions")
    return connection


def duckdb(connection):
    return connection.execute(f"""
        WITH joined AS (
            SELECT c.customer, c.value, t.channel, t.time,
                   pow(2, -epoch_us(c.time - t.time) / (7 * {data.DAY}.0)) AS weight
            FROM conversions c JOIN touches t USING (customer)
            WHERE t.time <= c.time AND t.time > c.time - INTERVAL {DAYS} DAY
        ), placed AS (
            SELECT *, row_number() OVER (PARTITION BY customer ORDER BY time, channel) AS i,
                   count(*) OVER (PARTITION BY customer) AS n,
                   weight / sum(weight) OVER (PARTITION BY customer) AS decay
            FROM joined
        )
        SELECT channel,
               sum(CASE WHEN i = 1 THEN value ELSE 0 END) AS first,
               sum(CASE WHEN i = n THEN value ELSE 0 END) AS last,
               sum(value / n) AS linear,
               sum(value * CASE WHEN n = 1 THEN 1 WHEN n = 2 THEN 0.5 WHEN i = 1 OR i = n THEN 0.4
                           ELSE 0.2 / (n - 2) END) AS position_based,
               sum(value * decay) AS time_decay
        FROM placed GROUP BY channel
    """).fetch_df()


def duckdb_numbers(result) -> dict[str, float]:
    return {f"{m}:{r['channel']}": r[m] for r in result.to_dict("records") for m in MODELS}


TOOLS = {
    "headwater": (arrow, ours, ours_numbers),
    "Polars": (polars_frames, polars, polars_numbers),
    "DuckDB": (duckdb_tables, duckdb, duckdb_numbers),
}
