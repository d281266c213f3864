"""The benchmarks' inputs: made once, from fixed seeds, kept as Parquet beside this file."""

from __future__ import annotations

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).parent / ".data"
DAY = 86_400_000_000
START = np.datetime64("2025-01-01", "us").astype("int64")
CHANNELS = [f"channel_{i:02d}" for i in range(15)]


def load(name: str) -> pa.Table:
    """The table of this name, made if it is not there yet."""
    file = FOLDER / f"{name}.parquet"
    if not file.exists():
        FOLDER.mkdir(exist_ok=True)
        pq.write_table(MAKERS[name](), file)
    return pq.read_table(file)


def _times(micros: np.ndarray) -> pa.Array:
    return pa.array(micros, pa.int64()).cast(pa.timestamp("us", "UTC"))


def touches(rows: int = 10_000_000, customers: int = 1_000_000) -> pa.Table:
    rng = np.random.default_rng(1)
    share = rng.dirichlet(np.linspace(1, 5, len(CHANNELS)))
    return pa.table(
        {
            "customer": pa.array(rng.integers(0, customers, rows)),
            "time": _times(START + rng.integers(0, 90 * DAY, rows)),
            "channel": pa.DictionaryArray.from_arrays(
                pa.array(rng.choice(len(CHANNELS), rows, p=share).astype(np.int32)), pa.array(CHANNELS)
            ),
        }
    )


def conversions(rows: int = 300_000, customers: int = 1_000_000) -> pa.Table:
    rng = np.random.default_rng(2)
    return pa.table(
        {
            "customer": pa.array(rng.choice(customers, rows, replace=False)),
            "time": _times(START + rng.integers(30 * DAY, 90 * DAY, rows)),
            "value": pa.array(np.round(rng.gamma(2.0, 22.0, rows), 2)),
        }
    )


def unsorted_orders(customers: int = 1_000_000) -> pa.Table:
    """One conversion for a fifth of the customers, after their last touch."""
    rng = np.random.default_rng(8)
    buyers = np.flatnonzero(rng.random(customers) < 0.2)
    rng.shuffle(buyers)
    return pa.table(
        {
            "customer": pa.array(buyers),
            "time": _times(np.full(len(buyers), START + 90 * DAY)),
            "value": pa.array(np.round(rng.gamma(2.0, 22.0, len(buyers)), 2)),
        }
    )


def paths(rows: int = 1_000_000) -> pa.Table:
    return _paths(rows, CHANNELS, 3)


def paths_100(rows: int = 100_000) -> pa.Table:
    return _paths(rows, [f"channel_{i:03d}" for i in range(100)], 9)


def paths_20(rows: int = 1_000_000) -> pa.Table:
    return _paths(rows, [f"channel_{i:02d}" for i in range(20)], 10)


def _paths(rows: int, channels: list[str], seed: int) -> pa.Table:
    """One row a path: a chain whose next channel depends on the last, 5 touches on average."""
    rng = np.random.default_rng(seed)
    k = len(channels)
    step = rng.dirichlet(np.linspace(0.3, 1.5, k), size=k).cumsum(axis=1)
    state = rng.integers(0, k, rows)
    alive = np.ones(rows, bool)
    names = np.array(channels, dtype=object)
    text = names[state]
    while alive.any():
        alive &= rng.random(rows) < 0.8
        index = np.flatnonzero(alive)
        if len(index) == 0:
            break
        state[index] = (rng.random(len(index))[:, None] < step[state[index]]).argmax(axis=1)
        text[index] = text[index] + " > " + names[state[index]]
    converted = rng.random(rows) < 0.1 + 0.2 * (state / k)
    value = np.where(converted, np.round(rng.gamma(2.0, 22.0, rows), 2), 0.0)
    return pa.table(
        {
            "path": pa.array(text, pa.string()),
            "conversions": pa.array(converted.astype(np.int64)),
            "value": pa.array(value),
            "nulls": pa.array((~converted).astype(np.int64)),
        }
    )


def orders(rows: int = 5_000_000, customers: int = 500_000) -> pa.Table:
    rng = np.random.default_rng(4)
    weight = rng.gamma(0.7, 1.0, customers)
    customer = np.searchsorted((weight / weight.sum()).cumsum(), rng.random(rows)).clip(0, customers - 1)
    return pa.table(
        {
            "customer": pa.array(customer),
            "time": _times(START + rng.integers(0, 365 * DAY, rows)),
            "value": pa.array(np.round(rng.gamma(2.0, 22.0, rows), 2)),
        }
    )


def rfm_million(customers: int = 1_000_000) -> pa.Table:
    """A million customers drawn from the BG/NBD model at CDNOW's parameters, in weeks, day grain."""
    rng = np.random.default_rng(11)
    r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
    rate = rng.gamma(r, 1 / alpha, customers)
    drop = rng.beta(a, b, customers)
    age = np.round(rng.uniform(27, 39, customers) * 7) / 7
    frequency = np.zeros(customers, np.int64)
    recency = np.zeros(customers)
    clock = np.zeros(customers)
    alive = np.ones(customers, bool)
    while alive.any():
        index = np.flatnonzero(alive)
        clock[index] += rng.exponential(1 / np.maximum(rate[index], 1e-300))
        bought = clock[index] < age[index]
        alive[index[~bought]] = False
        index = index[bought]
        frequency[index] += 1
        recency[index] = np.minimum(np.ceil(clock[index] * 7) / 7, age[index])
        alive[index[rng.random(len(index)) < drop[index]]] = False
    return pa.table({"frequency": frequency.astype(float), "recency": recency, "T": age})


def sightings(rows: int = 5_000_000, people: int = 1_500_000) -> pa.Table:
    """Rows of a cookie seen with a device, and for a third of them an e-mail: 10 million strings and more."""
    rng = np.random.default_rng(5)
    person = rng.integers(0, people, rows)
    cookie = np.char.add("ck_", np.char.mod("%012x", person * 8 + rng.geometric(0.5, rows) % 8))
    device = np.char.add("dev-", np.char.mod("%010d", person * 3 + rng.integers(0, 2, rows)))
    email = np.char.add(np.char.mod("user%07d", person), "@example.com")
    known = rng.random(rows) < 0.33
    return pa.table(
        {
            "cookie": pa.array(cookie, pa.string()),
            "device": pa.array(device, pa.string()),
            "email": pa.array(np.where(known, email, None), pa.string()),
            "time": _times(START + np.sort(rng.integers(0, 90 * DAY, rows))),
        }
    )


def blobs(rows: int = 200_000, features: int = 8, k: int = 8) -> pa.Table:
    rng = np.random.default_rng(6)
    centers = rng.normal(0, 6, (k, features))
    points = centers[rng.integers(0, k, rows)] + rng.normal(0, 2.5, (rows, features))
    return pa.table({f"x{i}": pa.array(points[:, i]) for i in range(features)})


def noise(rows: int = 200_000, features: int = 8) -> pa.Table:
    points = np.random.default_rng(7).normal(0, 1, (rows, features))
    return pa.table({f"x{i}": pa.array(points[:, i]) for i in range(features)})


def contract_days(rows: int = 1_000_000) -> pa.Table:
    """Contracts in whole days, every day of a thousand with an end."""
    rng = np.random.default_rng(12)
    return pa.table(
        {
            "duration": pa.array(rng.integers(1, 1001, rows).astype(float)),
            "event": pa.array(rng.integers(0, 2, rows)),
        }
    )


def contracts(rows: int = 100_000) -> pa.Table:
    """Contracts whose hazard is exponential in five covariates, a third of them still running."""
    rng = np.random.default_rng(13)
    x = rng.normal(size=(rows, 5))
    left = rng.exponential(20 / np.exp(x @ [0.3, -0.2, 0.1, 0.0, 0.05]))
    censored = rng.uniform(0, 60, rows)
    columns = {f"x{i}": pa.array(x[:, i]) for i in range(5)}
    return pa.table(
        {
            "duration": pa.array(np.minimum(left, censored)),
            "event": pa.array((left <= censored).astype(int)),
            **columns,
        }
    )


TABLES = (
    touches,
    conversions,
    unsorted_orders,
    contract_days,
    contracts,
    paths,
    paths_100,
    paths_20,
    orders,
    rfm_million,
    sightings,
    blobs,
    noise,
)
MAKERS = {f.__name__: f for f in TABLES}
