#!/usr/bin/python3
"""Writes src/test/resources/pls/*.json: features, labels, and the VIP (also with other scales of the columns) and the first 20 rows' scores that scikit-learn's PLSRegression gives.

Needs Debian's python3-sklearn. Run from the repository's root.
"""
import json

import numpy as np
from sklearn.cross_decomposition import PLSRegression


def vip(model):
    """Variable importance in projection, with w in the deflated space (x_weights_)."""
    t, w, q = model.x_scores_, model.x_weights_, model.y_loadings_
    s = np.sum(t**2, axis=0) * np.sum(q**2, axis=0)
    return np.sqrt(w.shape[0] * ((w / np.linalg.norm(w, axis=0)) ** 2 @ s) / s.sum())


def fixture(name, n, p, classes, seed, constant):
    random = np.random.RandomState(seed)
    y = random.randint(0, classes, n)
    means = random.randn(classes, p)
    x = means[y] + random.randn(n, p) @ (np.eye(p) + 0.3 * random.randn(p, p))
    x = x * 10.0 ** random.randint(-2, 3, p) + 5 * random.randn(p)
    x = np.round(x, 4).astype(np.float32).astype(np.float64)
    for column in constant:
        x[:, column] = 3.25
    expected, scores = {}, {}
    for c in (1, 2, 3):
        m = PLSRegression(c, scale=True, tol=1e-14, max_iter=100000).fit(x, np.eye(classes)[y])
        expected[str(c)] = vip(m).tolist()
        scores[str(c)] = np.round(m.transform(x[:20]), 7).tolist()
    y_unit = np.eye(classes)[y]
    y_unit = (y_unit - y_unit.mean(0)) / y_unit.std(0, ddof=1)
    deviation = np.where(x.std(0) == 0, 1, x.std(0, ddof=1))
    # column j times j % 3: those with 0 take no part
    factors = np.arange(p) % 3
    scaled = {}
    for scale, columns in (("0", x), ("0.5", x / deviation**0.5), ("factors", x / deviation * factors)):
        m = PLSRegression(2, scale=False, tol=1e-14, max_iter=100000).fit(columns, y_unit)
        scaled[scale] = vip(m).tolist()
    with open(f"src/test/resources/pls/{name}.json", "w") as out:
        json.dump(
            {"classes": classes, "labels": y.tolist(),
             "features": [[float(f"{v:.8g}") for v in row] for row in x], "vip": expected,
             "scores": scores, "scaled": scaled}, out)


fixture("four-classes", 150, 24, 4, 1, constant=[7])
fixture("ten-classes", 130, 31, 10, 2, constant=[])
