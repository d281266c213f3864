"""The stages: for each its title, its aim, and its tools (ours first) as (prepare, work, numbers)."""

from __future__ import annotations

import os

from . import (
    bootstrap,
    credit,
    events,
    kmeans,
    lifetimes,
    markov,
    paths,
    pymc_marketing,
    rfm,
    rules,
    shapley,
    stitching,
    survival,
    uncertainty,
)


def cores() -> int:
    return os.cpu_count() or 1


STAGES = {
    "rules": (
        "Five rules from 10 million raw touches and 300,000 conversions, 30-day lookback",
        "≤ 0.3 s, 3 × Polars",
        rules.TOOLS,
    ),
    "rules_unsorted": (
        "Five rules from 10 million unsorted touches, a journey for each of 1 million customers",
        "≤ 0.8 s",
        events.RULES,
    ),
    "markov_events": (
        "Markov removal effects of order 1 from 10 million raw touches",
        "≤ 0.5 s, with the result",
        events.MARKOV,
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
    "markov100": (
        "Markov removal effects of order 3 from 100,000 paths over 100 channels",
        "≤ 3 s",
        markov.HUNDRED,
    ),
    "shapley": ("Shapley values in closed form from 1 million path strings", "≤ 0.3 s", shapley.CLOSED),
    "shapley_rate": (
        "Shapley values of the game of conversion rates, 20 channels, exactly",
        "≤ 5 s; no peer finishes",
        shapley.RATE,
    ),
    "bootstrap": (
        "A thousand bootstrap replicates of five rules and a Markov chain, 1 million paths",
        "≤ 20 s; no peer has them",
        bootstrap.TOOLS,
    ),
    "paths": (
        "Transition graph, step matrix and funnel of 10 million events, loading included",
        "≤ 1/5 of retentioneering",
        paths.TOOLS,
    ),
    "credit": ("One journey credited in Node by a fitted model (see the note)", "≤ 5 µs", credit.TOOLS),
    "cdnow": (
        "BG/NBD fit, CDNOW (2,357 customers)",
        "≥ 100 × lifetimes, log-likelihood at least as high",
        lifetimes.CDNOW | pymc_marketing.CDNOW,
    ),
    "bgnbd": (
        "BG/NBD fit, 1 million simulated customers",
        "≥ 100 × lifetimes, log-likelihood at least as high",
        lifetimes.MILLION | pymc_marketing.MILLION,
    ),
    "pareto": ("Pareto/NBD fit, CDNOW (2,357 customers)", "≤ 0.02 s", lifetimes.PARETO),
    "pareto_100k": ("Pareto/NBD fit, 100,000 simulated customers", "≤ 0.3 s", lifetimes.PARETO_100K),
    "pareto_million": (
        "Pareto/NBD fit, 1 million simulated customers",
        "≤ 2 s; the peer would take minutes",
        lifetimes.PARETO_MILLION,
    ),
    "spend": ("Gamma–Gamma fit, 1 million simulated customers", "≤ 0.1 s", lifetimes.SPEND),
    "predict": (
        "P(alive) and expected purchases with intervals, BG/NBD, 1 million customers",
        "≤ 0.2 s",
        lifetimes.PREDICT,
    ),
    "posterior": (
        "Full posterior of BG/NBD on CDNOW by NUTS, 4 × 1,000 draws",
        "≤ 0.5 s, R̂ < 1.01",
        uncertainty.POSTERIOR | pymc_marketing.POSTERIOR,
    ),
    "refits": ("Bootstrap refits of BG/NBD on CDNOW", "1,000 in ≤ 0.5 s", uncertainty.REFITS),
    "covariates": (
        "Pareto/NBD with a covariate of purchase and of dropout, 100,000 simulated customers",
        "(none stated)",
        uncertainty.COVARIATES,
    ),
    "summarize": (
        "Recency, frequency, T and mean value from 5 million orders",
        "(none stated)",
        lifetimes.SUMMARIZE,
    ),
    "kaplan_meier": (
        "Kaplan–Meier curve with intervals, 1 million contracts in whole days",
        "no slower than lifelines",
        survival.CURVE,
    ),
    "cox": ("Cox regression, 100,000 contracts × 5 covariates", "no slower than lifelines", survival.COX),
    "stitching": (
        "Customers from 5 million sightings of cookie, device and e-mail strings",
        "≥ 3 × the fastest peer",
        stitching.TOOLS,
    ),
    "kmeans": ("k-means, 200,000 × 8, k = 8, blobs", "≥ 1.5 × scikit-learn", kmeans.BLOBS),
    "kmeans_noise": ("k-means, 200,000 × 8, k = 8, Gaussian noise", "≥ 1.5 × scikit-learn", kmeans.NOISE),
    "rfm": ("RFM scores from 5 million orders of 500,000 customers", "≥ 3 × Polars", rfm.TOOLS),
}
