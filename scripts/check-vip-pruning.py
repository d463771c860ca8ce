#!/usr/bin/python3
"""PLS+VIP on ResNet-20 once more, in PyTorch and scikit-learn: accuracy right after the filters of
lowest VIP are zeroed, by where features are taken. To hold `secateur experiment` against.

Usage: scripts/check-vip-pruning.py resnet20-12fca82f.th CIFAR10-DIR   (binary version, unpacked)
"""
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.cross_decomposition import PLSRegression

if len(sys.argv) != 3:
    sys.exit(__doc__)
checkpoint, folder = sys.argv[1:]


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.widens, self.o = stride != 1 or i != o, o

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.widens:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.o // 4, self.o // 4))
        return F.relu(y + x)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        i = 16
        for k, (o, stride) in enumerate([(16, 1), (32, 2), (64, 2)]):
            blocks = []
            for j in range(3):
                blocks.append(Block(i, o, stride if j == 0 else 1))
                i = o
            setattr(self, f'layer{k + 1}', nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def load(name, n):
    a = np.fromfile(f'{folder}/{name}', np.uint8).reshape(-1, 3073)[:n]
    return a[:, 1:].reshape(-1, 3, 32, 32), a[:, 0]


def logits(x):
    mean = np.array([.485, .456, .406]).reshape(1, 3, 1, 1)
    std = np.array([.229, .224, .225]).reshape(1, 3, 1, 1)
    with torch.no_grad():
        return torch.cat([
            model(torch.tensor(((x[i:i + 250] / 255. - mean) / std).astype(np.float32)))
            for i in range(0, len(x), 250)])


state = torch.load(checkpoint, map_location='cpu')['state_dict']
model = ResNet20()
model.load_state_dict({k.replace('module.', ''): v for k, v in state.items()})
model.eval()
images, labels = load('data_batch_1.bin', 4000)
test_images, test_labels = load('test_batch.bin', 2000)
blocks = [getattr(model, f'layer{k}')[j] for k in (1, 2, 3) for j in range(3)]
features = {'convolution': [[] for _ in blocks], 'activation': [[] for _ in blocks]}
hooks = []
for b, block in enumerate(blocks):
    hooks.append(block.conv1.register_forward_hook(
        lambda m, i, o, b=b: features['convolution'][b].append(o.amax((2, 3)).numpy())))
    hooks.append(block.bn1.register_forward_hook(
        lambda m, i, o, b=b: features['activation'][b].append(F.relu(o).amax((2, 3)).numpy())))
logits(images)
for h in hooks:
    h.remove()
filters = [(b, c) for b, block in enumerate(blocks) for c in range(block.conv1.out_channels)]
original = {k: v.clone() for k, v in model.state_dict().items()}


def accuracy():
    return (logits(test_images).argmax(1).numpy() == test_labels).mean() * 100


print(f'original: {accuracy():.2f} %')
for place, of in features.items():
    x = np.concatenate([np.concatenate(f) for f in of], 1)
    x = x + 1e-9 * np.random.RandomState(0).randn(*x.shape)  # a dead filter is constant
    pls = PLSRegression(2, scale=True).fit(x, np.eye(10)[labels])
    t, w, q = pls.x_scores_, pls.x_weights_, pls.y_loadings_
    s = np.diag(t.T @ t @ q.T @ q)
    vip = np.sqrt(x.shape[1] * ((w / np.linalg.norm(w, axis=0)) ** 2 @ s) / s.sum())
    for rate in (.1, .2):
        for i in np.argsort(vip, kind='stable')[:int(rate * len(vip))]:
            b, c = filters[i]
            blocks[b].bn1.weight.data[c] = 0
            blocks[b].bn1.bias.data[c] = 0
        print(f'features {place}, {100 * rate:.0f} % of the filters: {accuracy():.2f} %')
        model.load_state_dict(original)
