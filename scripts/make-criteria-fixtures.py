#!/usr/bin/python3
"""Writes src/test/resources/criteria/*.json: small data and what a second implementation of every
pruning criterion makes of it. Written from the papers (named at each function), with NumPy, PyTorch
and scikit-learn; nothing is taken from the Java side.

Needs Debian's python3-torch and python3-sklearn. Run from the repository's root.
"""
import json

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.cross_decomposition import CCA, PLSRegression
from sklearn.feature_selection import f_classif
from sklearn.linear_model import MultiTaskLasso
from sklearn.metrics import roc_auc_score, roc_curve

OUT = "src/test/resources/criteria/"


def write(name, value):
    with open(OUT + name + ".json", "w") as out:
        json.dump(value, out, indent=0, separators=(",", ":"))


# ---- rankings of features -----------------------------------------------------------------------


def standardised(a):
    d = a.std(axis=0, ddof=1)
    return (a - a.mean(axis=0)) / np.where(d == 0, 1, d)


def fisher(x, y, q):
    """Gu, Li, Han 2011, class by class."""
    out = []
    for column in x.T:
        between = sum((y == k).sum() * (column[y == k].mean() - column.mean()) ** 2 for k in range(q))
        within = sum((y == k).sum() * column[y == k].var() for k in range(q))
        out.append(between / within if within > 0 else 0.0)
    out = np.array(out)
    vary = x.std(axis=0) > 0
    f, _ = f_classif(x[:, vary], y)  # the same but for a constant factor
    assert np.allclose(f, out[vary] * (len(y) - q) / (q - 1))
    return out


def relief(x, y, q, k=10):
    """ReliefF as in Robnik-Sikonja and Kononenko 2003, with every sample drawn once."""
    n, p = x.shape
    span = x.max(axis=0) - x.min(axis=0)
    diff = np.abs(x[:, None, :] - x[None, :, :]) / np.where(span == 0, 1, span)
    prior = np.bincount(y, minlength=q) / n
    w = np.zeros(p)
    for i in range(n):
        distance = diff[i].sum(axis=1)
        distance[i] = np.inf
        order = np.argsort(distance, kind="stable")
        hits = [j for j in order if y[j] == y[i] and j != i][:k]
        w -= diff[i, hits].sum(axis=0) / (n * len(hits))
        for c in range(q):
            if c != y[i]:
                misses = [j for j in order if y[j] == c][:k]
                w += prior[c] / (1 - prior[y[i]]) * diff[i, misses].sum(axis=0) / (n * len(misses))
    return w


def inffs(x, alpha=0.5):
    """Roffo et al. 2015, with Pearson's correlation in the place of Spearman's."""
    p = x.shape[1]
    s = x.std(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        c = np.nan_to_num(np.corrcoef(x.T))
    c[s == 0, :] = 0
    c[:, s == 0] = 0
    spread = np.maximum.outer(s, s)
    spread = (spread - spread.min()) / (spread.max() - spread.min())
    a = alpha * spread + (1 - alpha) * (1 - np.abs(c))
    r = 0.9 / np.abs(np.linalg.eigvals(a)).max()
    return (np.linalg.inv(np.eye(p) - r * a) - np.eye(p)).sum(axis=1)


def ilfs(x, y, q, tokens=6):
    """Roffo et al. 2017: quantisation, EM with fixed P(token | topic), paths on the graph.

    The distance's part is scaled by q/2 (see InfiniteLatentSelection).
    """
    n, p = x.shape
    falling = np.linspace(5000, 1, tokens)
    topics = np.stack([falling, falling[::-1]]) / falling.sum()
    v = np.zeros(p)
    for j in range(p):
        d = np.stack([(x[:, j] - x[y == k, j].mean()) ** 2 for k in range(q)], axis=1)
        if x[:, j].std() == 0:
            part = np.full(n, 0.5)
        else:
            part = d[np.arange(n), y] / d.sum(axis=1) * q / 2
        bins = np.minimum((part * tokens).astype(int), tokens - 1)
        counts = np.bincount(bins, minlength=tokens)
        topic = np.array([0.5, 0.5])
        for _ in range(200000):
            joint = topic[:, None] * topics
            posterior = joint / joint.sum(axis=0)
            new = (counts * posterior).sum(axis=1) / n
            done = np.abs(new - topic).max() < 1e-15
            topic = new
            if done:
                break
        v[j] = topic[0]
    a = np.outer(v, v)
    r = 0.9 / np.linalg.eigvalsh(a).max()
    return (np.linalg.inv(np.eye(p) - r * a) - np.eye(p)).sum(axis=1)


def root(matrix, power):
    value, vector = np.linalg.eigh(matrix)
    keep = value > 1e-10
    return (vector[:, keep] * value[keep] ** power) @ vector[:, keep].T


def cca(x, y, q, ridge):
    """Canonical weights from the SVD of the whitened cross-covariance."""
    n, p = x.shape
    z = standardised(x)
    onehot = np.eye(q)[y]
    onehot = onehot - onehot.mean(axis=0)
    xx = root(z.T @ z / (n - 1) + ridge * np.eye(p), -0.5)
    yy = root(onehot.T @ onehot / (n - 1), -0.5)
    u, rho, _ = np.linalg.svd(xx @ (z.T @ onehot / (n - 1)) @ yy, full_matrices=False)
    weights = xx @ u
    if ridge == 0:
        m = CCA(q - 1, scale=True, tol=1e-14, max_iter=100000).fit(x, np.eye(q)[y][:, 1:])
        rotation = m.x_rotations_ / (z @ m.x_rotations_).std(axis=0, ddof=1)
        assert np.allclose(np.abs(rotation), np.abs(weights[:, : q - 1]), atol=1e-4)
    return np.sqrt(((weights * rho) ** 2).sum(axis=1))


def lasso(x, y, q, part):
    """scikit-learn's multi-task lasso on standardised data; the score is the norm before shrinkage."""
    n = len(y)
    z = standardised(x)
    t = standardised(np.eye(q)[y])
    alpha = part * np.linalg.norm(z.T @ t / (n - 1), axis=1).max()
    m = MultiTaskLasso(alpha * (n - 1) / n, fit_intercept=False, tol=1e-14, max_iter=1000000)
    b = m.fit(z, t).coef_.T
    score = np.linalg.norm(b + z.T @ (t - z @ b) / (n - 1), axis=1)
    zero = np.linalg.norm(b, axis=1) == 0
    assert (score[zero] <= alpha * (1 + 1e-6)).all() and (score[~zero] > alpha * (1 - 1e-6)).all()
    return score, int(zero.sum())


def features(name, n, p, q, seed, constant):
    random = np.random.RandomState(seed)
    y = random.randint(0, q, n)
    strength = random.rand(p) * (random.rand(p) > 0.3)
    x = strength * random.randn(q, p)[y] + random.randn(n, p) @ (np.eye(p) + 0.3 * random.randn(p, p))
    x = x * 10.0 ** random.randint(-1, 2, p) + 5 * random.randn(p)
    x = np.round(x, 4).astype(np.float32).astype(np.float64)
    for column in constant:
        x[:, column] = 3.25
    expected = {
        "fisher": fisher(x, y, q),
        "relief": relief(x, y, q),
        "inffs": inffs(x),
        "ilfs": ilfs(x, y, q),
        "cca": cca(x, y, q, 1e-3),
    }
    if not constant:
        expected["cca without ridge"] = cca(x, y, q, 0)
    expected["lasso"], _ = lasso(x, y, q, 0.01)
    expected["lasso of few"], zeros = lasso(x, y, q, 0.3)
    assert 0 < zeros < p
    write(name, {
        "classes": q, "labels": y.tolist(),
        "features": [[float(f"{v:.8g}") for v in row] for row in x],
        "expected": {k: v.tolist() for k, v in expected.items()}})


# ---- ranks --------------------------------------------------------------------------------------


def ranks():
    random = np.random.RandomState(5)
    cases = []
    for rows, columns, rank, kind in [
            (8, 8, 8, "full"), (8, 8, 3, "product"), (4, 9, 2, "product"), (9, 4, 4, "relu"),
            (16, 16, 16, "relu"), (7, 7, 0, "zero"), (12, 12, 5, "fading"), (12, 12, 12, "blocks"),
            (6, 6, 1, "constant"), (1, 5, 1, "full"), (10, 10, 10, "spike")]:
        a = random.randn(rows, columns)
        if kind == "product":
            a = random.randn(rows, rank) @ random.randn(rank, columns)
        elif kind == "relu":
            a = np.maximum(0, a - 0.8)
        elif kind == "zero":
            a = np.zeros((rows, columns))
        elif kind == "fading":  # singular values either side of the threshold, none near it
            u, _, v = np.linalg.svd(a)
            a = u @ np.diag([1e3, 1e2, 10, 1, 2e-2] + [1e-5] * (rows - 5)) @ v
        elif kind == "blocks":
            a = np.kron(np.maximum(0, random.randn(3, 4)), np.ones((4, 3)))
        elif kind == "constant":
            a = np.full((rows, columns), 0.3)
        elif kind == "spike":
            a = np.zeros((rows, columns))
            a[2, 3] = 1
            a[7, 7] = 1e-4
        a = a.astype(np.float32)
        want = int(torch.linalg.matrix_rank(torch.from_numpy(a)))
        assert want == np.linalg.matrix_rank(a), kind
        cases.append({"rows": rows, "columns": columns, "kind": kind, "rank": want,
                      "values": [float(f"{v:.9g}") for v in a.flatten()]})
    write("ranks", cases)


# ---- a network ----------------------------------------------------------------------------------


class Block(nn.Module):
    def __init__(s, i, o, stride):
        super().__init__()
        s.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        s.bn1 = nn.BatchNorm2d(o)
        s.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        s.bn2 = nn.BatchNorm2d(o)
        s.pad = (o - i) // 2

    def forward(s, x):
        s.map = F.relu(s.bn1(s.conv1(x)))
        y = s.bn2(s.conv2(s.map))
        return F.relu(y + (F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, s.pad, s.pad)) if s.pad else x))


class Net(nn.Module):
    """ResNet-8 for CIFAR."""

    def __init__(s):
        super().__init__()
        s.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        s.bn1 = nn.BatchNorm2d(16)
        s.layer1 = nn.Sequential(Block(16, 16, 1))
        s.layer2 = nn.Sequential(Block(16, 32, 2))
        s.layer3 = nn.Sequential(Block(32, 64, 2))
        s.linear = nn.Linear(64, 10)

    def forward(s, x):
        x = s.layer3(s.layer2(s.layer1(F.relu(s.bn1(s.conv1(x))))))
        return s.linear(x.mean((2, 3)))


def weave(shape, seed):
    """The same numbers as CriteriaTest.weave: no random generator to agree on."""
    n = int(np.prod(shape))
    i = torch.arange(n, dtype=torch.float64)
    return (torch.sin(i * 0.7311 + seed * 1.37) * torch.cos(i * 0.1173 + seed)).reshape(shape)


def pixel(image, channel, row, column):
    """Blocks of 5 x 7 pixels, so that feature maps have ranks of all sizes."""
    h = ((image * 3 + channel) * 7 + row // 5) * 5 + column // 7
    h = (h * 2654435761) % 2**32
    h ^= h >> 15
    h = (h * 2246822519) % 2**32
    return (h ^ (h >> 13)) & 255


def over_mean(values):
    return (values / values.mean()).tolist()


def vip(x, y, scale):
    m = PLSRegression(2, scale=scale, tol=1e-14, max_iter=100000).fit(x, y)
    s = (m.x_scores_**2).sum(0) * (m.y_loadings_**2).sum(0)
    squares = (m.x_weights_ / np.linalg.norm(m.x_weights_, axis=0)) ** 2 @ s
    return np.sqrt(x.shape[1] * squares / s.sum())


def by_layer(columns, together):
    ends = np.cumsum([v.shape[1] for v in columns.values()])
    return {n: together[e - v.shape[1]:e].tolist() for (n, v), e in zip(columns.items(), ends)}


def verification(nearness, same):
    """Area under the ROC curve, and the threshold of highest accuracy, the first of several."""
    fpr, tpr, thresholds = roc_curve(same, nearness, drop_intermediate=False)
    accuracy = (tpr * same.sum() + (1 - fpr) * (1 - same).sum()) / len(same)
    best = int(np.argmax(np.round(accuracy, 12)))
    assert best > 0  # else the threshold is scikit-learn's own, above all
    return {"auc": roc_auc_score(same, nearness), "accuracy": 100 * accuracy[best],
            "threshold": thresholds[best]}


def pictures(count):
    images = torch.tensor([[[[float(pixel(i, c, y, x)) for x in range(32)] for y in range(32)]
                            for c in range(3)] for i in range(count)])
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1) * 255
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1) * 255
    return (images - mean) / std


def network():
    torch.set_default_dtype(torch.float64)
    net = Net()
    with torch.no_grad():
        for k, (name, p) in enumerate(net.named_parameters()):
            w = weave(p.shape, k)
            scaled = w * 0.15 if p.dim() > 1 else (1 + 0.3 * w if name.endswith("weight") else 0.2 * w - 0.1)
            p.copy_(scaled.float().double())
    blocks = {f"layer{i}.0": m for i, m in ((1, net.layer1[0]), (2, net.layer2[0]), (3, net.layer3[0]))}
    images = pictures(8)
    labels = torch.tensor([i * 7 % 10 for i in range(8)])
    out = {}
    w = {n: b.conv1.weight.detach().flatten(1) for n, b in blocks.items()}
    out["l1"] = {n: over_mean(v.abs().sum(1)) for n, v in w.items()}
    out["l1-sum"] = {n: v.abs().sum(1).tolist() for n, v in w.items()}
    # the weights that read a filter, each row as the batch norm behind scales it
    reads = {n: (b.conv2.weight * (b.bn2.weight / (b.bn2.running_var + b.bn2.eps).sqrt()).view(-1, 1, 1, 1))
             .detach().transpose(0, 1).flatten(1).norm(dim=1) for n, b in blocks.items()}
    out["outgoing"] = {n: over_mean(v) for n, v in reads.items()}
    out["l2"] = {n: over_mean(v.norm(dim=1)) for n, v in w.items()}
    # He et al. 2019: sum of distances to the other filters of the layer
    out["fpgm"] = {n: over_mean(torch.stack([(v - f).norm(dim=1).sum() for f in v])) for n, v in w.items()}
    out["bn-scale"] = {n: b.bn1.weight.detach().abs().tolist() for n, b in blocks.items()}
    # Lin et al. 2020, in single precision as there
    net.float().eval()
    with torch.no_grad():
        net(images.float())
    out["hrank"] = {n: over_mean(torch.linalg.matrix_rank(b.map).double().mean(0)) for n, b in blocks.items()}
    spread = {n: (min(v), max(v)) for n, v in out["hrank"].items()}
    assert all(low < 0.9 and high > 1.1 for low, high in spread.values()), spread
    # VIP of averages behind ReLU, centred, times what reads them: one PLS, and one a layer
    net.double().eval()
    with torch.no_grad():
        net(images)
    columns = {n: (b.map.mean((2, 3)) * reads[n]).numpy() for n, b in blocks.items()}
    y = standardised(np.eye(10)[labels.numpy()])

    together = vip(np.concatenate(list(columns.values()), axis=1), y, False)
    out["vip-one"] = by_layer(columns, together)
    out["vip-per-layer"] = {n: vip(v, y, False).tolist() for n, v in columns.items()}
    # Molchanov et al. 2019, first order, sum over a filter's weights, mean over batches of 4
    net.double().train()
    sums = {n: 0 for n in blocks}
    for part in (slice(0, 4), slice(4, 8)):
        net.zero_grad()
        F.cross_entropy(net(images[part]), labels[part]).backward()
        for n, b in blocks.items():
            g = b.conv1.weight.grad
            sums[n] = sums[n] + ((g * b.conv1.weight.detach()) ** 2).flatten(1).sum(1) / 2
    out["taylor"] = {n: v.tolist() for n, v in sums.items()}
    # pairs, by a network as it is before training: columns are |f(a) - f(b)| of averages behind ReLU
    random = np.random.RandomState(3)
    ties = random.randint(0, 12, 60) / 4 - 1
    labels = (ties + random.randn(60) > 0.4).astype(int)
    net.eval()
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
        embedding = net(pictures(24)).numpy()
    columns = {n: b.map.mean((2, 3)).numpy() for n, b in blocks.items()}
    columns = {n + ".conv1": np.abs(v[0::2] - v[1::2]) for n, v in columns.items()}
    same = np.array([int(i * 5 % 12 < 7) for i in range(12)])
    together = np.concatenate(list(columns.values()), axis=1)
    first, second = embedding[0::2], embedding[1::2]
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    write("pairs", {
        "vip": by_layer(columns, vip(together, same.astype(float), True)),
        "fisher": by_layer(columns, fisher(together, same, 2)),
        "cosine": verification((first * second).sum(1) / lengths, same),
        "euclidean": verification(-np.linalg.norm(first - second, axis=1), same),
        "ties": {"nearness": ties.tolist(), "same": labels.tolist(), **verification(ties, labels)}})
    write("resnet8", {k: {n + ".conv1": v for n, v in of.items()} for k, of in out.items()})


features("four-classes", 120, 16, 4, 1, constant=[7])
features("two-classes", 80, 12, 2, 2, constant=[])
features("seven-classes", 210, 20, 7, 3, constant=[])
ranks()
network()
