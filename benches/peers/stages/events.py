"""From raw events: a Markov chain, and five rules where every customer is a journey."""

from __future__ import annotations

import data

from . import rules


def everyone():
    return data.load("touches"), data.load("unsorted_orders")


def ours_rules(inputs):
    import headwater as hw

    touches, orders = inputs
    journeys = hw.Journeys.from_events(touches, conversions=orders, value="value", lookback="90d")
    return hw.attribute(journeys, rules.MODELS)


def polars_frames():
    import polars as pl

    touches, orders = everyone()
    frame = pl.from_arrow(touches).with_columns(pl.col("channel").cast(pl.Categorical))
    return frame, pl.from_arrow(orders)


def duckdb_tables():
    import duckdb

    touches, orders = everyone()
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("CREATE TABLE touches AS SELECT * FROM touches")
    connection.execute("CREATE TABLE conversions AS SELECT * FROM orders")
    return connection


def polars(inputs):
    """Every journey is put in order, as ours are, and those with value are credited."""
    import polars as pl

    touches, orders = inputs
    n, i = pl.col("n"), pl.col("i")
    position = (
        pl.when(n == 1).then(1.0).when(n == 2).then(0.5).when((i == 1) | (i == n)).then(0.4)
        .otherwise(0.2 / (n - 2))
    )  # fmt: skip
    age = (pl.col("time").max().over("customer") - pl.col("time")).dt.total_microseconds()
    journeys = (
        touches.lazy()
        .sort("customer", "time", "channel")
        .with_columns(
            n=pl.len().over("customer"),
            i=pl.int_range(1, pl.len() + 1).over("customer"),
            weight=(-age / (7 * data.DAY)).mul(0.6931471805599453).exp(),
        )
        .with_columns(decay=pl.col("weight") / pl.col("weight").sum().over("customer"))
        .join(orders.lazy().select("customer", "value"), on="customer", how="left")
        .with_columns(pl.col("value").fill_null(0.0))
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


def duckdb(connection):
    return connection.execute(f"""
        WITH placed AS (
            SELECT customer, channel, row_number() OVER w AS i, count(*) OVER (PARTITION BY customer) AS n,
                   pow(2, -epoch_us(max(time) OVER (PARTITION BY customer) - time) / (7 * {data.DAY}.0)) AS weight
            FROM touches WINDOW w AS (PARTITION BY customer ORDER BY time, channel)
        ), decayed AS (
            SELECT *, weight / sum(weight) OVER (PARTITION BY customer) AS decay FROM placed
        )
        SELECT channel,
               sum(CASE WHEN i = 1 THEN value ELSE 0 END) AS first,
               sum(CASE WHEN i = n THEN value ELSE 0 END) AS last,
               sum(value / n) AS linear,
               sum(value * CASE WHEN n = 1 THEN 1 WHEN n = 2 THEN 0.5 WHEN i = 1 OR i = n THEN 0.4
                           ELSE 0.2 / (n - 2) END) AS position_based,
               sum(value * decay) AS time_decay
        FROM decayed JOIN conversions USING (customer) GROUP BY channel
    """).fetch_df()


def ours_markov(inputs):
    import headwater as hw

    touches, orders = inputs
    journeys = hw.Journeys.from_events(touches, conversions=orders, lookback="90d")
    return hw.attribute(journeys, ["markov"])


def ours_markov_numbers(result) -> dict[str, float]:
    return {r["channel"]: r["conversions"] for r in result.to_pylist()}


def duckdb_counts(connection):
    """The transition counts alone: what comes after them is not SQL."""
    return connection.execute("""
        WITH placed AS (
            SELECT customer, channel, lead(channel) OVER (PARTITION BY customer ORDER BY time, channel) AS next
            FROM touches
        )
        SELECT channel, next, count(*) AS n FROM placed WHERE next IS NULL OR next <> channel GROUP BY ALL
    """).fetch_df()


RULES = {
    "headwater": (everyone, ours_rules, rules.ours_numbers),
    "Polars": (polars_frames, polars, rules.polars_numbers),
    "DuckDB": (duckdb_tables, duckdb, rules.duckdb_numbers),
}
MARKOV = {
    "headwater": (everyone, ours_markov, ours_markov_numbers),
    "DuckDB (counts only)": (duckdb_tables, duckdb_counts, lambda _: {}),
}
