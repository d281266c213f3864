"""Who belongs together? Segments by rules and by likeness."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, Self

from . import _call, _core, _frames
from ._models import Fitted

__all__ = ["KMeans", "rfm"]

_OnInvalid = Literal["error", "drop"]


def rfm(
    orders: Any,
    *,
    customer: str = "customer",
    time: str = "time",
    value: str = "value",
    bins: int = 5,
    snapshot: _call.Moment | None = None,
    convention: Literal[
        "tie_preserving", "rank_first", "quantile", "ntile", "nested", "fixed"
    ] = "tie_preserving",
    breaks: Mapping[str, Sequence[float]] | None = None,
    frequency: Literal["orders", "days"] = "orders",
    monetary: Literal["sum", "mean"] = "sum",
    refunds: Literal["invalid", "net", "keep", "ignore"] = "invalid",
    map: Literal["rf10", "fm11"] | Sequence[Mapping[str, Any]] = "rf10",
    on_invalid: _OnInvalid = "error",
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Scores customers by recency, frequency and monetary value, and names their segments.

    Parameters
    ----------
    orders : frame
        One row an order.
    customer, time, value : str
        Its columns.
    bins : int, default 5
        How many scores there are, 2 to 100; the highest is best.
    snapshot : str or datetime, optional
        The instant to look back from; a day after the last order by default, never the clock.
    convention : str, default "tie_preserving"
        How customers are put into bins: equal customers get equal scores; "rank_first" and "quantile" as
        in pandas; "ntile" as in SQL; "nested" within each other; "fixed" by ``breaks``.
    breaks : dict, optional
        Of convention "fixed": right-closed breaks under "recency", "frequency", "monetary".
    frequency : {"orders", "days"}, default "orders"
        What counts.
    monetary : {"sum", "mean"}, default "sum"
    refunds : {"invalid", "net", "keep", "ignore"}, default "invalid"
        What becomes of negative amounts.
    map : {"rf10", "fm11"} or list of dict, default "rf10"
        The names of the segments; own rules are dicts of ``segment``, ``r``, ``f``, ``m``, ``fm``.
    on_invalid : {"error", "drop"}, default "error"
        Rows with nulls, NaN or negative amounts are an error, or dropped and counted.
    time_unit : {"s", "ms", "us", "ns"}, optional
        The unit of times that are plain numbers.
    report : dict, optional
        Is given the frames "segments" (one row a segment), "breaks" and "dropped".
    threads : int, optional
        How many threads to use; all by default. Does not change the result.
    progress : bool or callable, optional
        True for a bar, or a function of (stage, done, total).

    Returns
    -------
    frame
        customer, recency (days), frequency, monetary, r, f, m, score, segment.
    """
    options = {
        "customer": customer,
        "time": time,
        "value": value,
        "bins": bins,
        "snapshot": _call.moment(snapshot),
        "convention": convention,
        "breaks": breaks,
        "frequency": frequency,
        "monetary": monetary,
        "refunds": refunds,
        "map": map,
        "on_invalid": on_invalid,
        "time_unit": time_unit,
    }
    data, make = _frames.take(orders, [customer, time, value])
    run = _call.run(0, threads, progress)
    found, segments, breaks_used, dropped = _core.segment_rfm(data, _call.options(options), run)
    _frames.tell(report, make, dropped=dropped, segments=segments, breaks=breaks_used)
    return make(found)


class KMeans(Fitted):
    """k-means: exact, seeded by greedy k-means++, the same for any number of threads.

    Clusters are numbered by size, the largest first.

    Parameters
    ----------
    k : int, default 8
        How many clusters.
    seed : int, default 0
    n_init : int, default 1
        How many starts; the one with the lowest inertia is kept.
    max_iter : int, default 300
        Most iterations of one start.
    tol : float, default 1e-4
        Stop when the centres' squared moves add up to at most this part of the features' mean variance.
    scale : {"none", "standard", "range"}, default "none"
        How features are made comparable: not at all, to mean 0 and deviation 1, or from 0 to 1.
    centers : list of list of float, optional
        The starting centres, in the units of the data.

    Attributes
    ----------
    labels_ : array
        The cluster of each training row that was kept; not in the model file.
    rows_ : array
        The numbers of those rows.
    centers_ : list of list of float
        In the units of the data.
    inertia_ : float
        The sum of squared distances to the own centres, in scaled units.
    features_ : list of str
    sizes_ : list of int
    n_iter_ : int
    converged_ : bool
    dropped_ : frame

    Examples
    --------
    >>> clusters = hw.segment.KMeans(k=8, seed=0).fit(frame, features=["recency", "frequency"])
    >>> clusters.labels_, clusters.centers_, clusters.inertia_
    """

    _kind = "segment.KMeans"
    #: The rows dropped by ``fit(on_invalid="drop")``: column, reason, count, first_row.
    dropped_: Any = None
    _labels: Any = None
    _rows: Any = None

    def __init__(
        self,
        k: int = 8,
        *,
        seed: int = 0,
        n_init: int = 1,
        max_iter: int = 300,
        tol: float = 1e-4,
        scale: Literal["none", "standard", "range"] = "none",
        centers: Sequence[Sequence[float]] | None = None,
    ) -> None:
        self.k = k
        self.seed = seed
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.scale = scale
        self.centers = centers

    def _params(self) -> dict[str, Any]:
        return {name: value for name, value in super()._params().items() if not name.endswith("_")}

    def _restore(self, body: dict[str, Any]) -> None:
        self.k = len(body["centers"])

    def fit(
        self,
        frame: Any,
        features: Sequence[str],
        *,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self:
        """Finds the clusters.

        Parameters
        ----------
        frame : frame
        features : sequence of str
            Its columns to cluster by.
        on_invalid : {"error", "drop"}, default "error"
            Rows with a null, NaN or infinity are an error, or dropped and counted in ``dropped_``.
        threads, progress
            As in `rfm`.

        Returns
        -------
        KMeans
            Itself.
        """
        features = [features] if isinstance(features, str) else list(features)
        options = self._params() | {
            "features": features,
            "init": "k_means_plus_plus" if self.centers is None else "centers",
            "on_invalid": on_invalid,
        }
        data, make = _frames.take(frame, features)
        run = _call.run(0, threads, progress)
        native, rows, dropped = _core.kmeans_fit(data, _call.options(options), run)
        self._rows, self._labels = _frames.array(rows, 0), _frames.array(rows, 1)
        self._native, self.dropped_ = native, make(dropped)
        return self

    def predict(
        self,
        frame: Any,
        *,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """The nearest cluster of each row of a frame that has the features' columns.

        Returns
        -------
        frame
            row (its number in the frame, from 0), segment, distance (in scaled units).
        """
        data, make = _frames.take(frame, self.features_)
        run = _call.run(0, threads, progress)
        native = _core.kmeans_predict(self._fitted, data, _call.dump("on_invalid", on_invalid), run)
        _frames.tell(report, make, dropped=native[1])
        return make(native[0])

    def score(self, row: Sequence[float]) -> tuple[int, float]:
        """(cluster, distance) of one row, its features in the order of ``features_``."""
        return _core.kmeans_score(self._fitted, [float(x) for x in row])

    def clusters(self) -> Any:
        """One row a cluster: segment, size, share, and the centre in a column for each feature."""
        return _frames.neutral(_core.kmeans_clusters(self._fitted)[0])

    @property
    def labels_(self) -> Any:
        """The cluster of each training row that was kept; a NumPy array where NumPy is."""
        if self._labels is None:
            self._fitted  # noqa: B018  (raises when not fitted)
            raise AttributeError("labels_ are not in a model file: call predict() on the rows")
        return self._labels

    @property
    def rows_(self) -> Any:
        """The numbers of the rows that ``labels_`` belong to."""
        return self._rows

    @property
    def centers_(self) -> list[list[float]]:
        """The centres in the units of the data."""
        return _core.kmeans_clusters(self._fitted)[1]

    @property
    def features_(self) -> list[str]:
        """The columns clustered by."""
        return list(self._body()["features"])

    @property
    def inertia_(self) -> float:
        """The sum of squared distances to the own centres, in scaled units."""
        return float(self._body()["inertia"])

    @property
    def sizes_(self) -> list[int]:
        """How many training rows each cluster has."""
        return list(self._body()["sizes"])

    @property
    def n_iter_(self) -> int:
        """Iterations of the start that was kept."""
        return int(self._body()["n_iter"])

    @property
    def converged_(self) -> bool:
        """Whether it stopped by itself, and not at ``max_iter``."""
        return bool(self._body()["converged"])

    def _facts(self) -> dict[str, Any]:
        return {"features": ", ".join(self.features_), "sizes": self.sizes_, "inertia": self.inertia_}
