"""RFM quintiles; Polars by hand with the same tie-preserving convention."""

from __future__ import annotations

import data


def arrow():
    return data.load("orders")


def ours(table):
    import headwater as hw

    return hw.segment.rfm(table, customer="customer", time="time", value="value", bins=5)


def ours_numbers(result) -> dict[str, float]:
    import pyarrow.compute as pc

    return {k: pc.sum(result[k]).as_py() for k in ("r", "f", "m")}


def frame():
    import polars as pl

    return pl.from_arrow(arrow())


def polars(orders):
    import polars as pl

    def score(column: pl.Expr) -> pl.Expr:
        return 1 + (5 * (column.rank("min") - 1)) // pl.len()

    return (
        orders.lazy()
        .group_by("customer")
        .agg(last=pl.col("time").max(), frequency=pl.len(), monetary=pl.col("value").sum())
        .with_columns(recency=(pl.col("last").max() + pl.duration(days=1) - pl.col("last")).dt.total_days())
        .with_columns(r=score(-pl.col("recency")), f=score(pl.col("frequency")), m=score(pl.col("monetary")))
        .collect()
    )


def polars_numbers(result) -> dict[str, float]:
    return {k: result[k].sum() for k in ("r", "f", "m")}


TOOLS = {"headwater": (arrow, ours, ours_numbers), "Polars": (frame, polars, polars_numbers)}
