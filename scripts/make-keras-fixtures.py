#!/usr/bin/env python3
"""Writes src/test/resources/keras: a small Keras 2 model (JSON and HDF5), an image and its logits,
the same of one with squeeze-and-excitation (gate), with channels first (first), as Keras 3 archives
(.keras), and of one with models inside (nested), as an archive and in both kinds of HDF5.

The logits are computed by PyTorch in double precision, with TensorFlow's rules for SAME padding
written out here. Archives follow keras/src/saving/saving_lib.py and
keras/src/models/functional.py of Keras 3. Needs python3-torch and python3-h5py. The numbers are
seeded.
"""
import copy
import io
import json
import math
import pathlib
import re
import zipfile

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
    archive("small", three(model))
    w = {n: torch.from_numpy(v.astype(np.float64)) for layer in ("hidden", "classes")
         for n, v in [(layer + m, a) for m, a in weights[layer]]}
    g = F.relu(j.reshape(1, -1) @ w["hiddenkernel"] + w["hiddenbias"])
    g = g @ w["classeskernel"] + w["classesbias"]
    (OUT / "first-expected.json").write_text(json.dumps(
        {"pixels": pixels.flatten().tolist(), "logits": g.flatten().tolist()}) + "\n")
    write_first(copy.deepcopy(model))


def write_first(model):
    """The same network on (N,C,H,W): its flatten turns it to channels last (first.h5), or does not
    as it is older and does not say (first.json, with other logits)."""
    for one in model["config"]["layers"]:
        c = one["config"]
        if one["class_name"] in ("BatchNormalization", "Concatenate"):
            c["axis"] = 1
        elif "kernel_size" in c or "pool_size" in c or one["class_name"] == "Flatten":
            c["data_format"] = "channels_first"
        elif "batch_input_shape" in c:
            c["batch_input_shape"] = [None, 3, 11, 14]
    whole = h5py.File(OUT / "first.h5", "w")
    whole.attrs["model_config"] = json.dumps(model).encode()
    write(whole.create_group("model_weights"))
    for one in model["config"]["layers"]:
        if one["class_name"] == "Flatten":
            del one["config"]["data_format"]
    (OUT / "first.json").write_text(json.dumps(model) + "\n")


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
    archive("gate", three(model))
    (OUT / "gate-expected.json").write_text(json.dumps(
        {"pixels": pixels.flatten().tolist(), "logits": f.flatten().tolist()}) + "\n")


def inner_layers(kind, name, inputs, own, output):
    """A model as a layer: what was added since own began."""
    inner = layers[own:]
    del layers[own:]
    config = {"layers": inner}
    if kind == "Functional":
        config.update(input_layers=[[inner[0]["name"], 0, 0]], output_layers=[[output, 0, 0]])
    layer(kind, name, inputs, **config)


def nested():
    """Pixels are divided in the network; a functional and a sequential model are layers of it, the
    latter with a separable convolution; of two kinds of layers there are several."""
    weights.clear()
    layers.clear()
    pixels = rng.integers(0, 256, (1, 3, 10, 9), dtype=np.uint8)
    x = torch.from_numpy(pixels.astype(np.float64)) / 127.5 - 1
    shape = {"batch_input_shape": [None, 10, 9, 3]}
    layers.append({"class_name": "InputLayer", "name": "image", "inbound_nodes": [],
                   "config": {"name": "image", **shape}})
    layer("Rescaling", "scaled", ["image"], scale=1 / 127.5, offset=-1.0)
    own = len(layers)
    layers.append({"class_name": "InputLayer", "name": "inside", "inbound_nodes": [],
                   "config": {"name": "inside", **shape}})
    a = conv(x, "conv", "inside", 6, 3, 1, "same")
    a = norm(a, "norm", "conv")
    layer("Activation", "act", ["norm"], activation="hard_silu")
    a = F.hardswish(a)
    b = depthwise(a, "depthwise", "act", 1, 1)
    layer("Add", "sum", ["act", "depthwise"])
    inner_layers("Functional", "backbone", ["scaled"], own, "sum")
    a = conv(a + b, "conv", "backbone", 8, 1, 1, "valid", activation="relu")
    own = len(layers)
    layers.append({"class_name": "InputLayer", "name": "seq_input", "inbound_nodes": [],
                   "config": {"name": "seq_input", "batch_input_shape": [None, 10, 9, 8]}})
    layer("SeparableConv2D", "separable", [], filters=5, kernel_size=[3, 3], strides=[2, 2],
          padding="same", use_bias=True, activation="relu", depth_multiplier=1)
    w = weight("separable", "depthwise_kernel", 3, 3, 8, 1).permute(2, 3, 0, 1)
    p = weight("separable", "pointwise_kernel", 1, 1, 8, 5).permute(3, 2, 0, 1)
    a = F.conv2d(same(a, 3, 2), w, None, 2, groups=8)
    a = F.relu(F.conv2d(a, p, weight("separable", "bias", 5)))
    a = conv(a, "second", "separable", 6, 3, 1, "valid")
    inner_layers("Sequential", "tail", ["conv"], own, "second")
    layer("Activation", "gate", ["tail"], activation="hard_sigmoid")
    a = F.hardsigmoid(a)
    layer("Flatten", "flat", ["gate"], data_format="channels_last")
    f = dense(a.permute(0, 2, 3, 1).reshape(1, -1), "classes", "flat", 4, "softmax")
    model = {"class_name": "Functional",
             "config": {"name": "nested", "layers": layers, "input_layers": [["image", 0, 0]],
                        "output_layers": [["classes", 0, 0]]}}
    archive("nested", three(model))
    # Keras 3 writes its own HDF5 files without modules, and names weights by their whole path
    whole = h5py.File(OUT / "nested.h5", "w")
    whole.attrs["model_config"] = json.dumps(three(model, modules=False)).encode()
    whole.attrs["keras_version"] = b"3.4.1"
    write(whole.create_group("model_weights"), three_names=True)
    (OUT / "nested-expected.json").write_text(json.dumps(
        {"pixels": pixels.flatten().tolist(), "logits": f.flatten().tolist()}) + "\n")


POLICY = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"},
          "registered_name": None}


def three(model, modules=True):
    """A Keras 2 configuration as serialize_keras_object of Keras 3 writes it."""
    kind = model["class_name"]
    out = {"module": "keras.src.models.functional" if kind == "Functional" else "keras.layers",
           "class_name": "Functional" if kind == "Model" else kind, "registered_name": None,
           "name": model.get("name", ""), "config": copy.deepcopy(model["config"])}
    c = out["config"]
    if not modules:
        del out["module"], out["registered_name"]
    if "layers" in c:
        c["layers"] = [three(one, modules) for one in c["layers"]]
        for ends in ("input_layers", "output_layers"):
            if ends in c:
                c[ends] = c[ends][0]
    else:
        c["dtype"] = POLICY
        c["trainable"] = True
    if "batch_input_shape" in c:
        c["batch_shape"] = c.pop("batch_input_shape")
    if kind == "Add" and modules and model["name"] == "sum":  # a + b is an operation, no layer
        out["module"] = "keras.src.ops.numpy"
    tensors = [{"class_name": "__keras_tensor__",
                "config": {"shape": [], "dtype": "float32", "keras_history": [i[0], 0, 0]}}
               for call in model.get("inbound_nodes", []) for i in call]
    if tensors:
        joined = out.get("module") != "keras.src.ops.numpy" and kind in (
            "Add", "Concatenate", "Multiply")
        out["inbound_nodes"] = [{"args": [tensors] if joined else tensors,
                                 "kwargs": {"training": False} if "rate" in c else {}}]
    elif "inbound_nodes" in model:
        out["inbound_nodes"] = []
    return out


def snake_case(name):
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def save_state(file, model, path):
    """saving_lib's _save_state: the layers of a model by the names of their classes, counted; a
    sequential model's layers are without its input, and operations are none."""
    used = {}
    for one in model["config"]["layers"]:
        sequential = model["class_name"] == "Sequential"
        if sequential and one["class_name"] == "InputLayer" or ".ops." in one["module"]:
            continue
        name = snake_case(one["class_name"])
        used[name] = used.get(name, -1) + 1
        name += f"_{used[name]}" if used[name] else ""
        variables = file.create_group(f"{path}layers/{name}/vars")
        variables.attrs["name"] = one["name"]
        if "layers" in one["config"]:
            save_state(file, one, f"{path}layers/{name}/")
        else:
            for i, (_, w) in enumerate(stored(one["name"], path)):
                variables[str(i)] = w


def stored(name, path):
    """Two layers of this name are told apart by where they are."""
    own = weights.get(name, [])
    shared = name == "conv" and len(own) == 4
    return own[:2] if shared and path else own[2:] if shared else own


def archive(name, config):
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        file.create_group("vars").attrs["name"] = name
        save_state(file, config, "")
    with zipfile.ZipFile(OUT / f"{name}.keras", "w") as out:
        for entry, data in (
                ("metadata.json", json.dumps({"keras_version": "3.4.1"})),
                ("config.json", json.dumps(config)), ("model.weights.h5", held.getvalue())):
            out.writestr(zipfile.ZipInfo(entry, (2024, 1, 1, 0, 0, 0)), data)


def write(group, three_names=False):
    group.attrs["layer_names"] = [name["name"].encode() for name in layers]
    for one in layers:
        g = group.create_group(one["name"])
        own = [(i["name"], n, w) for i in one["config"].get("layers", [])
               for n, w in stored(i["name"], "inner")]
        own = [(one["name"] + "/" + i, n, w) for i, n, w in own] if three_names else own
        own = own or [(one["name"], n, w) for n, w in stored(one["name"], "")]
        last = {"depthwise_kernel": "kernel"} if three_names else {}
        names = [f"{i}/{last.get(n, n) if i.split('/')[-1] != 'separable' else n}"
                 + ("" if three_names else ":0") for i, n, _ in own]
        g.attrs["weight_names"] = [n.encode() for n in names]
        for n, (_, _, w) in zip(names, own):
            g.create_dataset(n, data=w)


small()
gate()
nested()
