"""Golden numbers of the zero-inflated lognormal regression: `vectors/clv_learned_peers.json`.

scikit-learn's logistic regression without a penalty for the head of buying, least squares on logarithms for
the amounts under one σ, and scipy's BFGS on the loss as the paper writes it for all heads together.

python -m venv v && v/bin/pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
v/bin/python core/tests/oracles/learned_sklearn.py > core/tests/vectors/clv_learned_peers.json
"""

import json
import sys

import numpy as np
import scipy
import sklearn
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(1912)
n = 160
visits = rng.poisson(3.0, n).astype(float)
age = np.round(rng.uniform(18, 80, n), 1)
plan = rng.choice(["basic", "gold", "plus"], n, p=[0.5, 0.2, 0.3])
eta = -1.2 + 0.45 * visits - 0.012 * (age - 40) + 0.9 * (plan == "gold")
mu = 2.8 + 0.15 * visits + 0.5 * (plan == "gold") - 0.2 * (plan == "plus")
sigma = np.exp(-0.3 + 0.008 * (age - 40))
buys = rng.uniform(size=n) < 1 / (1 + np.exp(-eta))
value = np.where(buys, np.round(np.exp(mu + sigma * rng.standard_normal(n)), 2), 0.0)

x = np.column_stack([visits, age, plan == "gold", plan == "plus"]).astype(float)
ones = np.column_stack([x, np.ones(n)])
y = value > 0
logs = np.log(value[y])


def beside(model):
    return {"purchase": model[0:5].tolist(), "mu": model[5:10].tolist(), "log_sigma": model[10:15].tolist()}


# One σ.
logistic = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(x, y)
purchase = np.append(logistic.coef_[0], logistic.intercept_)
line, *_ = np.linalg.lstsq(ones[y], logs, rcond=None)
s2 = np.mean((logs - ones[y] @ line) ** 2)
p = 1 / (1 + np.exp(-(ones @ purchase)))
errors = np.sqrt(np.diag(np.linalg.inv((ones * (p * (1 - p))[:, None]).T @ ones)))
errors = np.append(errors, np.sqrt(s2 * np.diag(np.linalg.inv(ones[y].T @ ones[y]))))
top = np.sum(np.log(np.where(y, p, 1 - p))) - y.sum() / 2 * (np.log(2 * np.pi * s2) + 1) - logs.sum()

# All heads, on standardised covariates.
mean, scale = x.mean(0), x.std(0)
z = np.column_stack([(x - mean) / scale, np.ones(n)])


def loss(b, penalty):
    eta, mu, s = z @ b[0:5], z[y] @ b[5:10], z[y] @ b[10:15]
    e = (logs - mu) / np.exp(s)
    nll = np.sum(np.logaddexp(0, eta)) - eta[y].sum() + np.sum(s + e**2 / 2 + np.log(2 * np.pi) / 2) + logs.sum()
    slopes = np.concatenate([b[0:4], b[5:9], b[10:14]])
    return nll + penalty / 2 * np.sum(slopes**2)


def maximum(penalty):
    start = np.zeros(15)
    start[9], start[14] = logs.mean(), np.log(logs.std())
    for _ in range(5):
        found = minimize(loss, start, (penalty,), method="BFGS", jac="3-point", options={"gtol": 1e-9, "maxiter": 5000})
        start = found.x
    b = found.x.reshape(3, 5)
    slopes = b[:, :4] / scale
    model = np.column_stack([slopes, b[:, 4] - slopes @ mean]).ravel()
    return beside(model) | {"log_likelihood": -loss(found.x, 0.0)}


json.dump(
    {
        "about": "Zero-inflated lognormal regression (arXiv 1912.07753); coefficients are visits, age, plan[gold], "
        "plan[plus], intercept; constant_sigma by scikit-learn and least squares, the others by scipy's BFGS with a "
        "penalty of 2 on standardised covariates",
        "made_with": f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}",
        "frame": {"visits": visits.tolist(), "age": age.tolist(), "plan": plan.tolist(), "value": value.tolist()},
        "constant_sigma": {
            "purchase": purchase.tolist(),
            "mu": line.tolist(),
            "log_sigma": [float(np.log(s2) / 2)],
            "standard_errors": errors.tolist(),
            "log_likelihood": float(top),
        },
        "unpenalised": maximum(0.0),
        "penalised": maximum(2.0),
    },
    sys.stdout,
)
