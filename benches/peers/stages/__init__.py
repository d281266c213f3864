"""The stages: for each its title, its aim, and its tools (ours first) as (prepare, work, numbers)."""

from __future__ import annotations

import os

from . import kmeans, lifetimes, markov, rfm, rules, stitching


def cores() -> int:
    return os.cpu_count() or 1


STAGES = {
    "rules": (
        "Five rules from 10 million raw touches and 300,000 conversions, 30-day lookback",
        "≥ 3 × Polars",
        rules.TOOLS,
    ),
    "markov": (
        "Markov removal effects of order 1 from 1 million path strings",
        "≥ 20 × ChannelAttribution",
        markov.ORDER_1,
    ),
    "markov3": (
        "Markov removal effects of order 3 from 1 million path strings",
        "≥ 20 × ChannelAttribution",
        markov.ORDER_3,
    ),
    "cdnow": (
        "BG/NBD fit, CDNOW (2,357 customers)",
        "≥ 100 × lifetimes, log-likelihood at least as high",
        lifetimes.CDNOW,
    ),
    "bgnbd": (
        "BG/NBD fit, 1 million simulated customers",
        "≥ 100 × lifetimes, log-likelihood at least as high",
        lifetimes.MILLION,
    ),
    "summarize": (
        "Recency, frequency, T and mean value from 5 million orders",
        "(none stated)",
        lifetimes.SUMMARIZE,
    ),
    "stitching": (
        "Customers from 5 million sightings of cookie, device and e-mail strings",
        "≥ 3 × the fastest peer",
        stitching.TOOLS,
    ),
    "kmeans": ("k-means, 200,000 × 8, k = 8, blobs", "≥ 1.5 × scikit-learn", kmeans.BLOBS),
    "kmeans_noise": ("k-means, 200,000 × 8, k = 8, Gaussian noise", "≥ 1.5 × scikit-learn", kmeans.NOISE),
    "rfm": ("RFM scores from 5 million orders of 500,000 customers", "≥ 3 × Polars", rfm.TOOLS),
}
