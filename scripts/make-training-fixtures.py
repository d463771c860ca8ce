#!/usr/bin/env python3
"""Writes src/test/resources/training/*.json: gradients and steps of a CIFAR ResNet-8 in PyTorch, for
TrainingProgramTest. resnet8.json has all parameters in one group, and gradients; variants.json has what
else there is, by name. Needs python3-torch (Debian)."""
import json, os
import torch, torch.optim.swa_utils, torch.nn as nn, torch.nn.functional as F

class Block(nn.Module):
    def __init__(s, i, o, stride):
        super().__init__()
        s.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False); s.bn1 = nn.BatchNorm2d(o)
        s.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False); s.bn2 = nn.BatchNorm2d(o)
        s.pad = (o - i) // 2
    def forward(s, x):
        y = s.bn2(s.conv2(F.relu(s.bn1(s.conv1(x)))))
        return F.relu(y + (F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, s.pad, s.pad)) if s.pad else x))

class Net(nn.Module):
    def __init__(s):
        super().__init__()
        s.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False); s.bn1 = nn.BatchNorm2d(16)
        s.layer1 = nn.Sequential(Block(16, 16, 1)); s.layer2 = nn.Sequential(Block(16, 32, 2))
        s.layer3 = nn.Sequential(Block(32, 64, 2)); s.linear = nn.Linear(64, 10)
    def forward(s, x):
        x = s.layer3(s.layer2(s.layer1(F.relu(s.bn1(s.conv1(x))))))
        return s.linear(x.mean((2, 3)))

def weave(shape, seed):
    """The same numbers as TrainingProgramTest.weave: no random generator to agree on."""
    n = 1
    for d in shape: n *= d
    i = torch.arange(n, dtype=torch.float64)
    return (torch.sin(i * 0.7311 + seed * 1.37) * torch.cos(i * 0.1173 + seed)).reshape(shape)

torch.set_default_dtype(torch.float64)

def fresh(seed=0):
    net = Net().train()
    with torch.no_grad():
        for k, (name, p) in enumerate(net.named_parameters()):
            w = weave(p.shape, k + seed)
            p.copy_((w * 0.15 if p.dim() > 1 else (1 + 0.3 * w if name.endswith('weight') else 0.2 * w)).float().double())
    return net

def groups(net, decay):
    """Two parameter groups: only weights of convolutions and linear layers decay."""
    return [{'params': [p for p in net.parameters() if p.dim() > 1], 'weight_decay': decay},
            {'params': [p for p in net.parameters() if p.dim() <= 1], 'weight_decay': 0.0}]

def seen(tensors):
    return {n: [t.norm().item()] + t.detach().flatten()[:8].tolist() for n, t in tensors}

net = fresh()
pixels = torch.floor((weave((4, 3, 32, 32), 99) + 1) * 127.5)
mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1) * 255
std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1) * 255
labels = torch.tensor([3, 0, 9, 3])
out = {"steps": []}
opt = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=1e-2)
for step in range(3):
    opt.zero_grad()
    loss = F.cross_entropy(net((pixels - mean) / std), labels, label_smoothing=0.1)
    loss.backward()
    grads = {n: [p.grad.norm().item()] + (p.grad.flatten() * weave(p.grad.shape, 7).flatten()).sum().reshape(1).tolist()
             + p.grad.flatten()[:8].tolist() for n, p in net.named_parameters()}
    opt.step()
    after = {n: [p.norm().item()] + p.detach().flatten()[:8].tolist() for n, p in net.named_parameters()}
    running = {n: b.flatten()[:8].tolist() for n, b in net.named_buffers() if 'running' in n}
    out["steps"].append({"loss": loss.item(), "gradients": grads, "parameters": after, "running": running})

def variant(optimizer, steps=3, objective=lambda out, k: F.cross_entropy(out, labels),
            penalty=lambda net, k: 0, begin=lambda net: None,
            after=lambda net: {}):
    net = fresh()
    begin(net)
    opt = optimizer(net)
    rows = []
    for k in range(steps):
        opt.zero_grad()
        loss = objective(net((pixels - mean) / std), k)
        (loss + penalty(net, k)).backward()
        opt.step()
        rows.append({"loss": loss.item(), "parameters": seen(net.named_parameters()), **after(net)})
    return {"steps": rows}

def sgd(net):
    return torch.optim.SGD(groups(net, 0), 0.05, momentum=0.9)

def distillation(out, k, temperature=4.0, weight=0.9):
    """As Hinton et al. 2015 have it; the teacher in eval mode."""
    teacher = fresh(3).eval()
    with torch.no_grad():
        taught = teacher((pixels - mean) / std)
    imitation = F.kl_div(F.log_softmax(out / temperature, 1), F.softmax(taught / temperature, 1), reduction='batchmean')
    return (1 - weight) * F.cross_entropy(out, labels) + weight * temperature ** 2 * imitation

def scales(net, k):
    """Liu et al. 2017: L1 of the scales behind the first convolution of each block."""
    return 0.05 * sum(net.get_submodule(f'layer{i}.0.bn1').weight.abs().sum() for i in (1, 2, 3))

def filters(net, k):
    """Wen et al. 2016, filter-wise; one filter is zero from the beginning, whose gradient PyTorch makes zero."""
    return 0.05 * sum(net.get_submodule(f'layer{i}.0.conv1').weight.flatten(1).norm(dim=1).sum() for i in (1, 2, 3))

def growing(net, k, steps=3):
    """Wang et al. 2021: some filters and their scales, with a factor that grows from 0."""
    block = net.layer2[0]
    chosen = [0, 5, 31]
    return 0.5 * 3.0 * k / steps * ((block.conv1.weight[chosen] ** 2).sum() + (block.bn1.weight[chosen] ** 2).sum())

def one_of_zeros(net):
    with torch.no_grad():
        net.layer1[0].conv1.weight[0] = 0

class Average:
    """What timm's ModelEmaV2 does: parameters and buffers alike."""
    def begin(self, net):
        self.state = {n: t.clone() for n, t in net.state_dict().items() if t.is_floating_point()}
    def after(self, net):
        for n, t in net.state_dict().items():
            if t.is_floating_point():
                self.state[n] = 0.8 * self.state[n] + 0.2 * t
        return {"average": seen(self.state.items())}

def recalibrated():
    net = fresh()
    other = torch.floor((weave((4, 3, 32, 32), 55) + 1) * 127.5)
    torch.optim.swa_utils.update_bn([(p - mean) / std for p in (pixels, other)], net)
    return seen((n, b) for n, b in net.named_buffers() if 'running' in n)

average = Average()
variants = {
    "adamw": variant(lambda n: torch.optim.AdamW(groups(n, 1e-1), 1e-3, betas=(0.8, 0.99))),
    "distillation": variant(sgd, objective=distillation),
    "average": variant(sgd, begin=average.begin, after=average.after),
    "recalibration": recalibrated(),
    "bn-scale": variant(sgd, penalty=scales),
    "group-lasso": variant(sgd, penalty=filters, begin=one_of_zeros),
    "growing": variant(sgd, penalty=growing),
    "two groups": variant(lambda n: torch.optim.SGD(groups(n, 1e-1), 0.05, momentum=0.9, nesterov=True)),
}

def write(name, value):
    json.dump(value, open(os.path.join(os.path.dirname(__file__), '../src/test/resources/training', name), 'w'), indent=0)

write('resnet8.json', out)
write('variants.json', variants)
