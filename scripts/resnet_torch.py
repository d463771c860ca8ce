"""The CIFAR ResNets of akamaster/pytorch_resnet_cifar10 (option A) in PyTorch, with the widths of a state dict."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, i, inner, o, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, inner, 3, stride, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = nn.Conv2d(inner, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.stride, self.pad = stride, (o - i) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        side = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad)) if self.stride == 2 else x
        return F.relu(y + side)


class ResNet(nn.Module):
    def __init__(self, blocks, inner=None):
        """inner: block's name, such as layer1.0, to the number of its first convolution's filters."""
        super().__init__()
        self.conv1, self.bn1, i = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), 16
        for stage, o in enumerate((16, 32, 64)):
            layer = []
            for b in range(blocks):
                width = inner[f'layer{stage + 1}.{b}'] if inner else o
                layer.append(Block(i, width, o, 2 if stage and not b else 1))
                i = o
            setattr(self, f'layer{stage + 1}', nn.Sequential(*layer))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))


def of_state(state):
    ending = '.conv1.weight'
    inner = {k[:-len(ending)]: v.shape[0] for k, v in state.items() if k.endswith(ending) and k.startswith('layer')}
    net = ResNet(sum(k.startswith('layer1.') for k in inner), inner)
    missing, extra = net.load_state_dict(state, strict=False)
    missing = [k for k in missing if not k.endswith('num_batches_tracked')]
    if missing or extra:
        raise ValueError(f'no ResNet of this kind: missing {missing[:3]}, unknown {extra[:3]}')
    return net


def load_pytorch(file):
    state = torch.load(file, map_location='cpu')['state_dict']
    return of_state({k.replace('module.', ''): v for k, v in state.items()})

