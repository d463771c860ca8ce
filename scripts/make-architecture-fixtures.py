#!/usr/bin/env python3
"""Writes src/test/resources/pytorch: logits of torchvision's networks, and small state dicts.

Every parameter is a formula of its name and index, which the test repeats in Java: the same logits
then mean the same structure, the same names and the same order of elements. Needs
python3-torchvision.
"""
import json
import math
import pathlib

import numpy as np
import torch
import torchvision

OUT = pathlib.Path(__file__).resolve().parent.parent / "src/test/resources/pytorch"
NAMES = ["resnet18", "resnext50_32x4d", "wide_resnet50_2", "densenet121", "mobilenet_v2", "vgg11_bn"]


def java_hash(text):
    h = 0
    for c in text:
        h = (31 * h + ord(c)) & 0xFFFFFFFF
    return h


def uniform(name, n):
    x = (np.arange(n, dtype=np.uint64) * 2654435761 + java_hash(name)) & 0xFFFFFFFF
    x ^= x >> 16
    x = (x * 0x85EBCA6B) & 0xFFFFFFFF
    x ^= x >> 13
    return x.astype(np.float64) / 2.0**32


def value(name, t):
    u = uniform(name, t.numel())
    if t.dim() > 1:
        fan_in = t.numel() // t.shape[0]
        v = (u - 0.5) * math.sqrt(24.0 / fan_in)
    elif name.endswith(".weight") or name.endswith(".running_var"):
        v = 0.5 + u
    else:
        v = (u - 0.5) * 0.2
    return torch.from_numpy(v.reshape(tuple(t.shape)).astype(np.float32))


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    mean = torch.tensor([0.485, 0.456, 0.406]).double().reshape(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).double().reshape(1, 3, 1, 1)
    out = {}
    for name in NAMES:
        size = 224 if name.startswith("vgg") else 64
        net = getattr(torchvision.models, name)()
        state = net.state_dict()
        for key, t in state.items():
            if t.is_floating_point():
                t.copy_(value(key, t))
        net = net.double().eval()
        pixels = (uniform("pixels", 3 * size * size) * 256).astype(np.uint8)
        x = torch.from_numpy(pixels.astype(np.float64)).reshape(1, 3, size, size) / 255
        with torch.no_grad():
            logits = net((x - mean) / std).flatten()
        parameters = sum(p.numel() for p in net.parameters())
        out[name] = {"size": size, "parameters": parameters, "logits": logits[:20].tolist(),
                     "largest": logits.abs().max().item()}
    (OUT / "logits.json").write_text(json.dumps(out, indent=1) + "\n")
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    small = {"module.a.weight": base, "module.b.weight": base.permute(2, 0, 1)[1:],
             "module.half": torch.tensor([1.5, -2.0]).half(),
             "module.double": torch.tensor([0.1], dtype=torch.float64),
             "module.bn.num_batches_tracked": torch.tensor(7)}
    torch.save({"state_dict": small, "epoch": 3, "best": 0.5}, OUT / "small.pt")
    torch.save(small, OUT / "small-legacy.pt", _use_new_zipfile_serialization=False)
    expected = {k[len("module."):]: {"shape": list(v.shape), "data": v.float().flatten().tolist()}
                for k, v in small.items()}
    (OUT / "small.json").write_text(json.dumps(expected) + "\n")


main()
