"""Writes core/tests/vectors/math.json: special functions at 50 digits by mpmath.

    python core/tests/oracles/math_vectors.py > core/tests/vectors/math.json

Arguments are doubles (their exact values go into mpmath); results are printed
with 20 digits. Half of the points cover the region that the models reach, half
are corners.
"""
import json
import random
from mpmath import mp, mpf, loggamma, digamma, polygamma, hyp2f1, erf, erfc, erfinv, sqrt, log, exp, log1p, ncdf

mp.dps = 60
rng = random.Random(20260101)


def lu(lo, hi):
    """Log-uniform, as a double."""
    return float(exp(mpf(rng.uniform(float(log(lo)), float(log(hi))))))


def s(x):
    return float(mp.nstr(x, 20))


def M(x):
    return mpf(x)


out = {"source": "mpmath 1.4.1 at 60 digits, core/tests/oracles/math_vectors.py; rows are arguments, then value"}

zs = [1e-8, 1e-3, 0.1, 0.5, 1.0, 1.25, 1.4616, 2.0, 3.0, 11.9999, 12.0, 12.5, 170.0, 1e4, 1e8, 1e15]
zs += [lu(1e-4, 1e5) for _ in range(64)]
out["ln_gamma"] = [[z, s(loggamma(M(z)))] for z in zs]
out["digamma"] = [[z, s(digamma(M(z)))] for z in zs]
out["trigamma"] = [[z, s(polygamma(1, M(z)))] for z in zs]

pairs = [(0.243, 1.0), (0.243, 5000.0), (1e6, 5.0), (1e8, 1.0), (1e6, 1e-3), (2.4, 1e-6), (0.01, 1e4), (5e5, 5e5),
         (1e12, 3.0), (11.9, 0.2), (12.1, 1e-5), (1e-6, 1.0)]
pairs += [(lu(1e-3, 1e6), lu(1e-3, 1e4)) for _ in range(88)]
out["ln_gamma_rise"] = [[z, d, s(loggamma(M(z) + M(d)) - loggamma(M(z)))] for z, d in pairs]
out["digamma_rise"] = [[z, d, s(digamma(M(z) + M(d)) - digamma(M(z)))] for z, d in pairs]
out["trigamma_rise"] = [[z, d, s(polygamma(1, M(z) + M(d)) - polygamma(1, M(z)))] for z, d in pairs]

pairs = [(0.793, 2.426), (0.5, 0.5), (1.0, 1e9), (1e-6, 1e6), (0.3, 1e12), (500.0, 2000.0), (1e5, 1e5), (2.0, 1e-8),
         (11.99, 12.01), (1e6, 20.0), (1e-3, 1e-3), (15.0, 1e10)]
pairs += [(lu(1e-3, 1e4), lu(1e-3, 1e7)) for _ in range(88)]
out["ln_beta"] = [[a, b, s(loggamma(M(a)) + loggamma(M(b)) - loggamma(M(a) + M(b)))] for a, b in pairs]

rows = [(0.243, 2.426, 3.219, 0.5), (2.243, 4.426, 4.219, 0.5), (2.243, 4.426, 4.219, 0.99), (500.5, 505.0, 504.5, 0.07),
        (1.0, 2.0, 2.5, 0.999), (1.0, 4.8, 6.5, 0.909), (2.2, 0.8, 5.2, -0.9), (30.0, 0.8, 32.0, -5.0), (2.2, 0.8, 5.2, -1e3)]
for _ in range(70):
    x = rng.choice([0, 1, 2, 5, 20, 100])
    r, a, b = lu(0.05, 5), lu(0.05, 5), lu(0.1, 20)
    z = rng.uniform(0.0, 0.98)
    rows.append((r + x, b + x, a + b + x, z))
    rows.append((r + x, a, a + b + x, -z / (1 - z)))
out["hyp2f1"] = [[a, b, c, z, s(hyp2f1(M(a), M(b), M(c), M(z)))] for a, b, c, z in rows]

ps = [1e-300, 1e-100, 1e-20, 1e-10, 1e-4, 0.005, 0.025, 0.05, 0.0749, 0.0751, 0.25, 0.499, 0.501, 0.75, 0.975, 0.9999]
ps += [rng.random() for _ in range(24)] + [lu(1e-12, 0.1) for _ in range(20)]


def quantile(p):
    x = -sqrt(-2 * log(M(p))) if p < 0.05 else sqrt(M(2)) * erfinv(2 * M(p) - 1)
    for _ in range(60):  # Newton on the logarithm, which is concave
        density = exp(-x * x / 2) / sqrt(2 * mp.pi)
        x -= (log(ncdf(x)) - log(M(p))) * ncdf(x) / density
    return x


out["normal_quantile"] = [[p, s(quantile(p))] for p in ps]
xs = [-38.0, -20.0, -8.0, -5.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 5.0, 8.0] + [rng.uniform(-10, 5) for _ in range(30)]
out["normal_cdf"] = [[x, s(ncdf(M(x)))] for x in xs]
xs = [1e-300, 1e-8, 0.1, 0.5, 0.84, 0.85, 1.25, 2.0, 5.9] + [rng.uniform(0, 4) for _ in range(20)]
out["erf"] = [[x, s(erf(M(x)))] for x in xs]
xs = [0.0, 0.1, 0.5, 0.84, 1.25, 2.0, 6.0, 15.0, 26.0] + [rng.uniform(0, 10) for _ in range(20)]
out["erfc"] = [[x, s(erfc(M(x)))] for x in xs]
xs = [-700.0, -50.0, -37.0, -1.0, -1e-9, 0.0, 1e-9, 1.0, 37.0, 50.0, 1000.0] + [rng.uniform(-40, 40) for _ in range(20)]
out["log1p_exp"] = [[x, s(log1p(exp(M(x))))] for x in xs]

print("{")
print(",\n".join(f'"{k}": ' + (json.dumps(v) if isinstance(v, str) else
      "[\n" + ",\n".join(json.dumps(row) for row in v) + "\n]") for k, v in out.items()))
print("}")
