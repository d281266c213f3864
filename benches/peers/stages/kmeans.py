"""k-means, one start, both from their own greedy k-means++."""

from __future__ import annotations

import data
import numpy as np


def blobs():
    return data.load("blobs")


def noise():
    return data.load("noise")


def ours(table):
    import headwater as hw

    return hw.segment.KMeans(k=8, seed=0).fit(table, features=table.column_names)


def ours_numbers(model) -> dict[str, float]:
    return {"inertia": model.inertia_}


def matrix(load):
    def prepare():
        table = load()
        return np.column_stack([table[name].to_numpy() for name in table.column_names])

    return prepare


def sklearn(points):
    from sklearn.cluster import KMeans

    return KMeans(n_clusters=8, n_init=1, random_state=0).fit(points)


def sklearn_one_thread(points):
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return sklearn(points)


def sklearn_numbers(model) -> dict[str, float]:
    return {"inertia": model.inertia_}


def tools(load) -> dict:
    return {
        "headwater": (load, ours, ours_numbers),
        "scikit-learn": (matrix(load), sklearn, sklearn_numbers),
        "scikit-learn, 1 thread": (matrix(load), sklearn_one_thread, sklearn_numbers),
    }


BLOBS, NOISE = tools(blobs), tools(noise)
