#!/usr/bin/env python3
"""Writes src/test/resources/keras: a small Keras 2 model (JSON and HDF5), an image and its logits,
and the same of one with squeeze-and-excitation (gate).

The logits are computed by PyTorch in double precision, with TensorFlow's rules for SAME padding
written out here. Needs python3-torch and python3-h5py. The numbers are seeded.
"""
import json
import math
import pathlib

import h5py
import numpy as np
import torch
import torch.nn.functional as F

OUT = pathlib.Path(__file__).resolve().parent.parent / "src/test/resources/keras"
rng = np.random.default_rng(3)
weights = {}
layers = []


def weight(layer, name, *shape, low=-1.0, high=1.0):
    w = rng.uniform(low, high, shape).astype(np.float32)
    weights.setdefault(layer, []).append((name, w))
    return torch.from_numpy(w.astype(np.float64))


def layer(kind, name, inputs, **config):
    layers.append({"class_name": kind, "name": name, "config": {"name": name, **config},
                   "inbound_nodes": [[[i, 0, 0, {}] for i in inputs]] if inputs else []})


def same(x, kernel, stride, value=0.0):
    pads = []
    for size in (x.shape[3], x.shape[2]):
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


def conv(x, name, source, k, kernel, stride, padding, bias=True, activation="linear"):
    layer("Conv2D", name, [source], filters=k, kernel_size=[kernel, kernel],
          strides=[stride, stride], padding=padding, use_bias=bias, activation=activation,
          data_format="channels_last", dilation_rate=[1, 1])
    w = weight(name, "kernel", kernel, kernel, x.shape[1], k, low=-0.4, high=0.4)
    b = weight(name, "bias", k) if bias else None
    x = same(x, kernel, stride) if padding == "same" else x
    y = F.conv2d(x, w.permute(3, 2, 0, 1), b, stride)
    return F.relu(y) if activation == "relu" else y


def depthwise(x, name, source, multiplier, stride):
    layer("DepthwiseConv2D", name, [source], kernel_size=[3, 3], strides=[stride, stride],
          padding="same", use_bias=True, activation="linear", depth_multiplier=multiplier)
    c = x.shape[1]
    w = weight(name, "depthwise_kernel", 3, 3, c, multiplier)
    b = weight(name, "bias", c * multiplier)
    w = w.permute(2, 3, 0, 1).reshape(c * multiplier, 1, 3, 3)
    return F.conv2d(same(x, 3, stride), w, b, stride, groups=c)


def norm(x, name, source, scale=True):
    layer("BatchNormalization", name, [source], axis=-1, epsilon=1e-3, momentum=0.99, scale=scale,
          center=True)
    c = x.shape[1]
    g = weight(name, "gamma", c, low=0.5, high=1.5) if scale else torch.ones(c).double()
    b = weight(name, "beta", c)
    m = weight(name, "moving_mean", c)
    v = weight(name, "moving_variance", c, low=0.5, high=1.5)
    return F.batch_norm(x, m, v, g, b, eps=1e-3)


def dense(x, name, source, k, activation):
    layer("Dense", name, [source], units=k, use_bias=True, activation=activation)
    w = weight(name, "kernel", x.shape[1], k, low=-0.3, high=0.3)
    y = x @ w + weight(name, "bias", k)
    return {"relu": F.relu, "sigmoid": torch.sigmoid}.get(activation, lambda v: v)(y)


def small():
    pixels = rng.integers(0, 256, (1, 3, 11, 14), dtype=np.uint8)
    x = torch.from_numpy(pixels.astype(np.float64)) / 255
    layers.append({"class_name": "InputLayer", "name": "image", "inbound_nodes": [],
                   "config": {"name": "image", "batch_input_shape": [None, 11, 14, 3]}})
    a = conv(x, "stem", "image", 6, 3, 2, "same")
    a = norm(a, "stem_bn", "stem", scale=False)
    layer("ReLU", "stem_relu", ["stem_bn"], max_value=6.0, negative_slope=0.0, threshold=0.0)
    a = F.relu6(a)
    b = depthwise(a, "spatial", "stem_relu", 2, 1)
    b = norm(b, "spatial_bn", "spatial")
    layer("Activation", "spatial_relu", ["spatial_bn"], activation="relu")
    b = F.relu(b)
    b = conv(b, "project", "spatial_relu", 6, 1, 1, "valid", bias=False)
    layer("Add", "sum", ["stem_relu", "project"])
    s = a + b
    layer("MaxPooling2D", "largest", ["sum"], pool_size=[2, 2], strides=[2, 2], padding="same")
    m = F.max_pool2d(same(s, 2, 2, -math.inf), 2, 2)
    layer("AveragePooling2D", "mean", ["sum"], pool_size=[2, 2], strides=[2, 2], padding="same")
    ones = F.avg_pool2d(same(torch.ones_like(s), 2, 2), 2, 2)
    v = F.avg_pool2d(same(s, 2, 2), 2, 2) / ones  # TensorFlow leaves the padding out
    layer("Concatenate", "joined", ["largest", "mean"], axis=-1)
    j = torch.cat([m, v], 1)
    j = conv(j, "last", "joined", 5, 3, 1, "valid", activation="relu")
    layer("Flatten", "flat", ["last"])
    f = j.permute(0, 2, 3, 1).reshape(1, -1)
    layer("Dropout", "drop", ["flat"], rate=0.5)
    f = dense(f, "hidden", "drop", 7, "relu")
    f = dense(f, "classes", "hidden", 4, "softmax")  # the logits: before the softmax
    OUT.mkdir(parents=True, exist_ok=True)
    model = {"class_name": "Model", "keras_version": "2.1.2", "backend": "tensorflow",
             "config": {"name": "small", "layers": layers, "input_layers": [["image", 0, 0]],
                        "output_layers": [["classes", 0, 0]]}}
    (OUT / "small.json").write_text(json.dumps(model) + "\n")
    write(h5py.File(OUT / "small.h5", "w"))
    whole = h5py.File(OUT / "whole.h5", "w")
    whole.attrs["model_config"] = json.dumps(model).encode()
    write(whole.create_group("model_weights"))
    (OUT / "expected.json").write_text(json.dumps(
        {"pixels": pixels.flatten().tolist(), "logits": f.flatten().tolist()}) + "\n")


def gate():
    """Squeeze-and-excitation whose dense layers work on (N,C), then a Reshape to (N,1,1,C)."""
    weights.clear()
    layers.clear()
    pixels = rng.integers(0, 256, (1, 3, 9, 8), dtype=np.uint8)
    x = torch.from_numpy(pixels.astype(np.float64)) / 255
    layers.append({"class_name": "InputLayer", "name": "image", "inbound_nodes": [],
                   "config": {"name": "image", "batch_input_shape": [None, 9, 8, 3]}})
    a = conv(x, "stem", "image", 8, 3, 1, "same", activation="relu")
    layer("GlobalAveragePooling2D", "squeeze", ["stem"])
    g = dense(a.mean((2, 3)), "reduce", "squeeze", 4, "relu")
    g = dense(g, "expand", "reduce", 8, "sigmoid")
    layer("Reshape", "gate", ["expand"], target_shape=[1, 1, 8])
    layer("Multiply", "gated", ["stem", "gate"])
    a = conv(a * g[:, :, None, None], "last", "gated", 6, 3, 2, "same")
    layer("GlobalAveragePooling2D", "mean", ["last"])
    f = dense(a.mean((2, 3)), "classes", "mean", 4, "softmax")
    model = {"class_name": "Functional", "keras_version": "2.9.0", "backend": "tensorflow",
             "config": {"name": "gate", "layers": layers, "input_layers": [["image", 0, 0]],
                        "output_layers": [["classes", 0, 0]]}}
    whole = h5py.File(OUT / "gate.h5", "w")
    whole.attrs["model_config"] = json.dumps(model).encode()
    write(whole.create_group("model_weights"))
    (OUT / "gate-expected.json").write_text(json.dumps(
        {"pixels": pixels.flatten().tolist(), "logits": f.flatten().tolist()}) + "\n")


def write(group):
    group.attrs["layer_names"] = [name["name"].encode() for name in layers]
    for one in layers:
        g = group.create_group(one["name"])
        own = weights.get(one["name"], [])
        g.attrs["weight_names"] = [f"{one['name']}/{n}:0".encode() for n, _ in own]
        for n, w in own:
            g.create_dataset(f"{one['name']}/{n}:0", data=w)


small()
gate()
