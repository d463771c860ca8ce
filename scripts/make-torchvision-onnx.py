#!/usr/bin/python3
"""Exports torchvision's networks with random weights as ONNX files.

Usage: scripts/make-torchvision-onnx.py FOLDER [--only NAME,...] [--fuse]
       scripts/make-torchvision-onnx.py FOLDER --detectors [--only NAME,...]
       scripts/make-torchvision-onnx.py src/test/resources/onnx --tiny     (the tests' fixtures)

Needs Debian's python3-torch and python3-torchvision (1.13, 0.14). The weights are drawn with a fixed
seed; each batch norm gets the statistics of what it reads, then moved off them a little, so that
outputs neither vanish nor explode. Batch norms stay in the file unless --fuse is given, which is what
torch.onnx.export does by default. --tiny: a few channels and blocks of each architecture, weights of
15 levels, gzipped: tens of kB.
"""
import argparse, gzip, io, math, os, sys, warnings
import torch, torch.nn as nn, torchvision
from torchvision import models as tv

warnings.filterwarnings("ignore")
CLASSES = 10
CONV, LINEAR, NORM, TRANSPOSED = nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.ConvTranspose2d
FACTOR = 1
PREDICTORS = ("bbox_pred", "bbox_reg", "bbox_ctrness", "cls_logits", "cls_score")  # of detectors


def small(c):
    return c if c <= 3 or c in (CLASSES, 21) else max(1, math.ceil(c / FACTOR))


class SmallConv2d(CONV):
    def __init__(s, in_channels, out_channels, *a, groups=1, **k):
        i, o = small(in_channels), small(out_channels)
        g = i if groups == in_channels else math.gcd(math.gcd(small(groups) if groups > 1 else 1, i), o)
        super().__init__(i, o, *a, groups=g, **k)


class SmallLinear(LINEAR):
    def __init__(s, in_features, out_features, **k):
        super().__init__(small(in_features), small(out_features), **k)


class SmallNorm(NORM):
    def __init__(s, c, *a, **k):
        super().__init__(small(c), *a, **k)


def shrunk(factor, build):
    """build() with every width divided by factor."""
    global FACTOR
    FACTOR = factor
    nn.Conv2d, nn.Linear, nn.BatchNorm2d = SmallConv2d, SmallLinear, SmallNorm
    try:
        return build()
    finally:
        nn.Conv2d, nn.Linear, nn.BatchNorm2d = CONV, LINEAR, NORM


class UNet(nn.Module):
    """A U-Net: two halvings, one bridge by transposed convolution, one by bilinear resizing."""

    def __init__(s, w):
        super().__init__()
        block = lambda i, o: nn.Sequential(
            CONV(i, o, 3, 1, 1, bias=False), NORM(o), nn.ReLU(), CONV(o, o, 3, 1, 1), NORM(o), nn.LeakyReLU(0.1))
        s.down1, s.down2, s.middle = block(3, w), block(w, 2 * w), block(2 * w, 4 * w)
        s.up2, s.dec2 = TRANSPOSED(4 * w, 2 * w, 2, 2), block(4 * w, 2 * w)
        s.dec1, s.head = block(3 * w, w), CONV(w, 5, 1)

    def forward(s, x):
        a = s.down1(x)
        b = s.down2(nn.functional.max_pool2d(a, 2))
        c = s.middle(nn.functional.max_pool2d(b, 2))
        d = s.dec2(torch.cat([s.up2(c), b], 1))
        d = nn.functional.interpolate(d, scale_factor=2, mode="bilinear", align_corners=False)
        return s.head(s.dec1(torch.cat([d, a], 1)))


class Out(nn.Module):
    """The segmentation networks return a dictionary."""

    def __init__(s, net):
        super().__init__()
        s.net = net

    def forward(s, x):
        return s.net(x)["out"]


class Functions(nn.Module):
    """Activations as people write them out, pads, slices, global pooling written as a mean."""

    def __init__(s):
        super().__init__()
        s.a, s.b, s.c = CONV(3, 8, 3), CONV(8, 8, 3, padding=1), CONV(4, 8, 3, stride=2, padding=1)
        s.fc, s.scale = LINEAR(16, CLASSES), nn.Parameter(torch.rand(1, 8, 1, 1) + 0.5)

    def forward(s, x):
        f = nn.functional
        x = s.a(f.pad(x, (1, 0, 2, 1)))
        x = x * torch.sigmoid(x) + f.hardsigmoid(x) + f.elu(x, 0.7)
        x = x * f.relu6(x + 3) / 6
        x = (s.b(x) * s.scale - 0.25) / 1.5
        x = torch.tanh(x) * (x * 0.5 * (1 + torch.erf(x / math.sqrt(2))))
        y = s.c(x[:, 2:6]) + s.c(torch.chunk(x, 2, 1)[1])
        y = torch.clamp(y, -0.8, 1.2)
        y = torch.cat([y.mean((2, 3)), y.amax((2, 3))], 1)
        return f.log_softmax(s.fc(y), 1)


def full():
    R, seg = tv.resnet, tv.segmentation
    none = dict(weights=None)
    return {
        # name: (builder, input size, opset)
        "alexnet": (lambda: tv.alexnet(**none), 224, 13),
        "vgg11": (lambda: tv.vgg11(**none), 224, 13),
        "vgg16_bn": (lambda: tv.vgg16_bn(**none), 224, 13),
        "vgg19": (lambda: tv.vgg19(**none), 224, 13),
        "resnet18": (lambda: tv.resnet18(**none), 96, 13),
        "resnet50": (lambda: tv.resnet50(**none), 96, 13),
        "resnet101": (lambda: tv.resnet101(**none), 96, 13),
        "resnext50_32x4d": (lambda: tv.resnext50_32x4d(**none), 96, 13),
        "wide_resnet50_2": (lambda: tv.wide_resnet50_2(**none), 96, 13),
        "densenet121": (lambda: tv.densenet121(**none), 96, 13),
        "googlenet": (lambda: tv.googlenet(**none, aux_logits=False, init_weights=False, transform_input=True), 96, 13),
        "inception_v3": (lambda: tv.inception_v3(**none, aux_logits=False, init_weights=False, transform_input=True), 128, 13),
        "squeezenet1_1": (lambda: tv.squeezenet1_1(**none), 96, 13),
        "mobilenet_v2": (lambda: tv.mobilenet_v2(**none), 96, 13),
        "mobilenet_v3_small": (lambda: tv.mobilenet_v3_small(**none), 96, 13),
        "mobilenet_v3_large": (lambda: tv.mobilenet_v3_large(**none), 96, 14),
        "shufflenet_v2_x1_0": (lambda: tv.shufflenet_v2_x1_0(**none), 96, 13),
        "efficientnet_b0": (lambda: tv.efficientnet_b0(**none), 96, 13),
        "regnet_y_400mf": (lambda: tv.regnet_y_400mf(**none), 96, 13),
        "regnet_x_400mf": (lambda: tv.regnet_x_400mf(**none), 96, 13),
        "mnasnet1_0": (lambda: tv.mnasnet1_0(**none), 96, 13),
        "convnext_tiny": (lambda: tv.convnext_tiny(**none), 96, 13),
        "fcn_resnet50": (lambda: Out(seg.fcn_resnet50(weights=None, weights_backbone=None)), 96, 13),
        "deeplabv3_resnet50": (lambda: Out(seg.deeplabv3_resnet50(weights=None, weights_backbone=None)), 96, 13),
        "unet": (lambda: UNet(32), 96, 13),
    }


class Maps(nn.Module):
    """A detector's maps of features, from images of a fixed size."""

    def __init__(s, net):
        super().__init__()
        s.net = net.backbone

    def forward(s, x):
        return list(s.net(x).values())


def detectors():
    """With all that they do to an image and to boxes; every box counts, so that there are some."""
    d, seg = tv.detection, tv.segmentation
    none = dict(weights=None, weights_backbone=None)
    sized = dict(min_size=128, max_size=128, **none)
    every = dict(score_thresh=0.0, detections_per_img=20, topk_candidates=20, **sized)
    lists = dict(score_thresh=0.0, detections_per_img=20, topk_candidates=20, **none)
    rpn = dict(rpn_post_nms_top_n_test=40, rpn_pre_nms_top_n_test=40, box_score_thresh=0.0, box_detections_per_img=20)
    return {
        "ssdlite320_mobilenet_v3_large": (lambda: d.ssdlite320_mobilenet_v3_large(num_classes=6, **lists), 96, 13),
        "ssd300_vgg16": (lambda: d.ssd300_vgg16(num_classes=6, **lists), 96, 13),
        "retinanet_resnet50_fpn": (lambda: d.retinanet_resnet50_fpn(num_classes=6, **every), 96, 13),
        "fcos_resnet50_fpn": (lambda: d.fcos_resnet50_fpn(num_classes=6, **every), 96, 13),
        "fasterrcnn_mobilenet_v3_large_fpn": (lambda: d.fasterrcnn_mobilenet_v3_large_fpn(num_classes=6, **rpn, **sized), 96, 13),
        "fasterrcnn_resnet50_fpn": (lambda: d.fasterrcnn_resnet50_fpn(num_classes=6, **rpn, **sized), 96, 13),
        "fasterrcnn_resnet50_fpn_backbone": (lambda: Maps(d.fasterrcnn_resnet50_fpn(num_classes=6, **none)), 96, 13),
        "lraspp_mobilenet_v3_large": (lambda: Out(seg.lraspp_mobilenet_v3_large(**none)), 96, 13),
        "deeplabv3_mobilenet_v3_large": (lambda: Out(seg.deeplabv3_mobilenet_v3_large(**none)), 96, 13),
    }


def tiny():
    R, n = tv.resnet, dict(num_classes=CLASSES)
    seg = tv.segmentation
    block = tv.mobilenetv2
    dilated = dict(replace_stride_with_dilation=[False, True, True], num_classes=CLASSES)
    cn = tv.convnext
    convnext = lambda: cn.ConvNeXt([cn.CNBlockConfig(8, 16, 1), cn.CNBlockConfig(16, 24, 1), cn.CNBlockConfig(24, None, 1)], **n)
    resnet = lambda b, f, **k: shrunk(f, lambda: R.ResNet(b, [1, 1, 1, 1], **n, **k))
    return {
        "alexnet": (lambda: shrunk(32, lambda: tv.alexnet(weights=None, **n)), 224, 9),
        "vgg11": (lambda: shrunk(32, lambda: tv.vgg11(weights=None, **n)), 224, 10),
        "vgg16_bn": (lambda: shrunk(32, lambda: tv.vgg16_bn(weights=None, **n)), 224, 11),
        "resnet18": (lambda: resnet(R.BasicBlock, 16), 32, 12),
        "resnet18-fused": (lambda: resnet(R.BasicBlock, 16), 32, 13),
        "resnet50": (lambda: resnet(R.Bottleneck, 16), 32, 13),
        "resnext50": (lambda: resnet(R.Bottleneck, 16, groups=32, width_per_group=4), 32, 14),
        "densenet": (lambda: tv.DenseNet(4, (2, 3, 2), 8, 2, **n), 32, 15),
        "googlenet": (lambda: shrunk(8, lambda: tv.googlenet(weights=None, aux_logits=False, init_weights=False, transform_input=True, **n)), 64, 13),
        "inception_v3": (lambda: shrunk(16, lambda: tv.inception_v3(weights=None, aux_logits=False, init_weights=False, **n)), 75, 13),
        "squeezenet": (lambda: shrunk(8, lambda: tv.squeezenet1_1(weights=None, **n)), 50, 13),
        "mobilenet_v2": (lambda: shrunk(8, lambda: tv.MobileNetV2(inverted_residual_setting=[[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 2, 2]], **n)), 32, 11),
        "mobilenet_v3_small": (lambda: shrunk(8, lambda: tv.mobilenet_v3_small(weights=None, **n)), 64, 13),
        "mobilenet_v3-fused": (lambda: shrunk(8, lambda: tv.mobilenet_v3_small(weights=None, **n)), 64, 14),
        "shufflenet": (lambda: tv.ShuffleNetV2([2, 2, 2], [8, 16, 32, 48, 64], **n), 64, 13),
        "efficientnet": (lambda: shrunk(16, lambda: tv.efficientnet_b0(weights=None, **n)), 64, 13),
        "regnet_y": (lambda: shrunk(16, lambda: tv.regnet_y_400mf(weights=None, **n)), 64, 13),
        "regnet_x": (lambda: shrunk(16, lambda: tv.regnet_x_400mf(weights=None, **n)), 64, 16),
        "mnasnet": (lambda: shrunk(8, lambda: tv.mnasnet0_5(weights=None, **n)), 64, 13),
        "convnext": (convnext, 64, 13),
        "convnext-17": (convnext, 64, 17),
        "fcn": (lambda: Out(shrunk(32, lambda: seg.fcn._fcn_resnet(R.ResNet(R.Bottleneck, [1, 1, 1, 1], **dilated), 21, None))), 48, 13),
        "deeplabv3": (lambda: Out(shrunk(32, lambda: seg.deeplabv3._deeplabv3_resnet(R.ResNet(R.Bottleneck, [1, 1, 1, 1], **dilated), 21, None))), 48, 13),
        "unet": (lambda: UNet(4), 32, 13),
        "unet-9": (lambda: UNet(4), 32, 9),
        "functions": (Functions, 24, 13),
        "functions-17": (Functions, 24, 17),
    }


def detector(net):
    """Whether a network takes a list of images."""
    return hasattr(net, "roi_heads") or hasattr(net, "anchor_generator")


def draw(net, size, generator, coarse):
    """Fills in the weights, then the statistics from random images."""
    normal = lambda t, std: t.copy_(torch.randn(t.shape, generator=generator) * std)
    norms = [m for m in net.modules() if isinstance(m, NORM)]
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, (CONV, LINEAR, TRANSPOSED)):
                normal(m.weight, math.sqrt(2 / (m.weight.numel() / m.weight.shape[1 if isinstance(m, TRANSPOSED) else 0])))
                if coarse:
                    step = m.weight.abs().max() / 7
                    m.weight.copy_((m.weight / step).round() * step)
                if m.bias is not None:
                    normal(m.bias, 0.1)
            elif isinstance(m, (NORM, nn.LayerNorm)):
                m.weight.copy_(0.6 + 0.8 * torch.rand(m.weight.shape, generator=generator))
                normal(m.bias, 0.2)
        for name, m in net.named_modules():
            if name.split(".")[-1] in PREDICTORS:  # boxes inside the image, scores that differ
                m.weight *= 0.05
        for name, p in net.named_parameters():
            if "layer_scale" in name:
                p.copy_(0.2 + 0.4 * torch.rand(p.shape, generator=generator))
        for m in norms:
            m.train()
            m.momentum = 1.0
        x = torch.randn(4, 3, size, size, generator=generator)
        net(list(x) if detector(net) else x)
        for m in norms:
            m.eval()
            m.momentum = 0.1
            m.running_mean += 0.1 * m.running_var.sqrt() * torch.randn(m.running_mean.shape, generator=generator)
            m.running_var *= 0.8 + 0.4 * torch.rand(m.running_var.shape, generator=generator)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("folder")
    p.add_argument("--only", default="", help="names, separated by commas")
    p.add_argument("--tiny", action="store_true")
    p.add_argument("--detectors", action="store_true", help="detectors instead")
    p.add_argument("--fuse", action="store_true", help="fold batch norms into convolutions")
    a = p.parse_args()
    os.makedirs(a.folder, exist_ok=True)
    nets = tiny() if a.tiny else detectors() if a.detectors else full()
    for name in a.only.split(",") if a.only else nets:
        build, size, opset = nets[name]
        torch.manual_seed(1)
        net = build().eval()
        draw(net, size, torch.Generator().manual_seed(2), a.tiny)
        buffer = io.BytesIO()
        keep = not (a.fuse or name.endswith("-fused"))
        example = ([torch.rand(3, size, size)],) if detector(net) else torch.zeros(1, 3, size, size)
        fixed = a.detectors or name == "resnet50"
        torch.onnx.export(
            net, example, buffer, opset_version=opset,
            input_names=["image"], output_names=None if a.detectors else ["scores"],
            dynamic_axes=None if fixed else {"image": {0: "batch"}, "scores": {0: "batch"}},
            training=torch.onnx.TrainingMode.PRESERVE if keep else torch.onnx.TrainingMode.EVAL)
        file = os.path.join(a.folder, name + (".onnx.gz" if a.tiny else ".onnx"))
        with open(file, "wb") as out:
            out.write(gzip.compress(buffer.getvalue(), 9, mtime=0) if a.tiny else buffer.getvalue())
        print(f"{file}: opset {opset}, {size} pixels, {os.path.getsize(file)} bytes", flush=True)


main()
