#!/usr/bin/env python3
"""Writes src/test/resources/pytorch: logits of torchvision's and timm's networks, all names and
shapes of torchvision's as hashes, and small state dicts.

Every parameter is a formula of its name and index, which the test repeats in Java: the same logits
then mean the same structure, the same names and the same order of elements. Needs
python3-torchvision, and a checkout of huggingface/pytorch-image-models in PYTHONPATH.
"""
import gzip
import hashlib
import json
import math
import pathlib


import numpy as np
import timm
import torch
import torchvision

OUT = pathlib.Path(__file__).resolve().parent.parent / "src/test/resources/pytorch"
NAMES = ["resnet18", "resnext50_32x4d", "wide_resnet50_2", "densenet121", "mobilenet_v2", "vgg11_bn",
         "mobilenet_v3_small", "efficientnet_b0", "efficientnet_v2_s", "regnet_x_400mf", "regnet_y_400mf"]
TIMM = {"resnet18": "resnet18", "densenet121": "densenet121", "mobilenet_v2": "mobilenetv2_100",
        "mobilenet_v3_small": "mobilenetv3_small_100", "mobilenet_v3_large": "mobilenetv3_large_100",
        "efficientnet_b0": "efficientnet_b0", "efficientnet_v2_s": "efficientnetv2_s",
        "regnet_x_800mf": "regnetx_008", "regnet_y_400mf": "regnety_004",
        "convnext_tiny": "convnext_tiny", "vgg11_bn": "vgg11_bn",
        "tf_efficientnet_b0": "tf_efficientnet_b0",
        "tf_mobilenet_v3_small": "tf_mobilenetv3_small_100"}
FAMILIES = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext", "wide_resnet",
            "vgg", "densenet", "mobilenet_v", "efficientnet_", "regnet_", "convnext_")
SKIPPED = ("efficientnet_v2_l", "regnet_y_128gf")  # of another scale of pixels; too large


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


def logits(net, size):
    mean = torch.tensor([0.485, 0.456, 0.406]).double().reshape(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).double().reshape(1, 3, 1, 1)
    for key, t in net.state_dict().items():
        if t.is_floating_point():
            t.copy_(value(key, t))
    net = net.double().eval()
    pixels = (uniform("pixels", 3 * size * size) * 256).astype(np.uint8)
    x = torch.from_numpy(pixels.astype(np.float64)).reshape(1, 3, size, size) / 255
    with torch.no_grad():
        y = net((x - mean) / std).flatten()
    parameters = sum(p.numel() for p in net.parameters())
    return {"size": size, "parameters": parameters, "logits": y[:20].tolist(),
            "largest": y.abs().max().item()}


def shapes(net):
    return {k: list(t.shape) for k, t in net.state_dict().items() if t.dim() > 0}


def names():
    """Of each network, a hash over its tensors' names and shapes."""
    out = {}
    for name in torchvision.models.list_models(module=torchvision.models):
        if name.startswith(FAMILIES) and name not in SKIPPED:
            lines = sorted(f"{k} {'x'.join(map(str, s))}\n" for k, s in shapes(
                getattr(torchvision.models, name)()).items())
            out[name] = hashlib.sha256("".join(lines).encode()).hexdigest()
    (OUT / "names.json").write_text(json.dumps(out, indent=1) + "\n")


def renamed(name, net):
    """Torchvision's name of each of timm's tensors, by their order; both compute the same."""
    theirs = logits(net, 64)["logits"]
    twin = getattr(torchvision.models, name)()
    pairs = dict(zip(net.state_dict(), twin.state_dict()))
    for module in twin.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1e-5
    twin.load_state_dict({pairs[k]: t for k, t in net.state_dict().items()})
    value_of = globals()["value"]
    try:
        back = {v: k for k, v in pairs.items()}
        globals()["value"] = lambda key, t: value_of(back[key], t)
        ours = logits(twin, 64)["logits"]
    finally:
        globals()["value"] = value_of
    assert np.allclose(ours, theirs, rtol=1e-9), (ours, theirs)
    return {k: v for k, v in pairs.items() if not k.endswith("num_batches_tracked")}


def timms():
    out = {}
    for name, theirs in TIMM.items():
        net = timm.create_model(theirs)
        out[name] = {"tensors": shapes(net)}
        if name == "efficientnet_v2_s":  # floats are too short for its logits of such numbers
            out[name]["names"] = renamed(name, net)
        elif name != "vgg11_bn":
            out[name].update(logits(net, 64))
    net = torchvision.models.convnext_tiny()
    out["convnext_tiny torchvision"] = {"tensors": shapes(net), **logits(net, 64)}
    packed = gzip.compress(json.dumps(out).encode(), 9, mtime=0)
    (OUT / "timm.json.gz").write_bytes(packed)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    names()
    timms()
    out = {}
    for name in NAMES:
        size = 224 if name.startswith("vgg") else 64
        net = getattr(torchvision.models, name)()
        out[name] = logits(net, size)
    (OUT / "logits.json").write_text(json.dumps(out, indent=1) + "\n")
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    small = {"module.a.weight": base, "module.b.weight": base.permute(2, 0, 1)[1:],
             "module.half": torch.tensor([1.5, -2.0]).half(),
             "module.double": torch.tensor([0.1], dtype=torch.float64),
             "module.bn.num_batches_tracked": torch.tensor(7)}
    torch.save({"state_dict": small, "epoch": 3, "best": 0.5}, OUT / "small.pt")
    torch.save(small, OUT / "small-legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"net": {f"module._orig_mod.{k}": t for k, t in torch.nn.Linear(2, 1).state_dict().items()},
                "epoch": 3}, OUT / "wrapped.pt")
    torch.save(torch.nn.Linear(2, 1), OUT / "whole.pt")
    torch.jit.script(torch.nn.Linear(2, 1)).save(str(OUT / "script.pt"))
    expected = {k[len("module."):]: {"shape": list(v.shape), "data": v.float().flatten().tolist()}
                for k, v in small.items()}
    (OUT / "small.json").write_text(json.dumps(expected) + "\n")


main()
