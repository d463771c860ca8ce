"""Any network in a .sct file (safetensors with a graph in its metadata) as a PyTorch module, for bench-pytorch."""
import json
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

FUNCTIONS = {'RELU': 'F.relu({0}, inplace={inplace})', 'RELU6': 'F.relu6({0}, inplace={inplace})', 'NONE': '{0}',
             'SILU': 'F.silu({0})', 'HARD_SWISH': 'F.hardswish({0})', 'SIGMOID': 'torch.sigmoid({0})', 'TANH': 'torch.tanh({0})',
             'GELU': 'F.gelu({0})', 'SOFTPLUS': 'F.softplus({0})', 'MISH': 'F.mish({0})'}


def read(file):
    """The graph and the parameters by name."""
    with open(file, 'rb') as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), 'little')))
        start = f.tell()
        state = {}
        for name, t in header.items():
            if name != '__metadata__' and not name.startswith('input.'):  # of pixels: the caller's images are ready
                first, last = t['data_offsets']
                f.seek(start + first)
                state[name] = torch.from_numpy(np.frombuffer(bytearray(f.read(last - first)), np.float32).reshape(t['shape']))
    return json.loads(header['__metadata__']['secateur.graph']), state


def module(op, kind, into):
    """The module of an operation that has parameters."""
    if kind == 'Linear':
        return nn.Linear(into, op['outFeatures'], op['bias'])
    if kind == 'BatchNorm':
        return nn.BatchNorm2d(into, op['eps'], op['momentum'])
    s = op['spec']
    if (s['padTop'], s['padLeft']) != (s['padBottom'], s['padRight']):
        raise ValueError('padding that is not even')
    return nn.Conv2d(into, op['outChannels'], (op['kernelH'], op['kernelW']), (s['strideH'], s['strideW']),
                     (s['padTop'], s['padLeft']), (s['dilationH'], s['dilationW']), s['groups'], op['bias'])


def pool(s):
    sizes = f'({s["kernelH"]}, {s["kernelW"]}), ({s["strideH"]}, {s["strideW"]}), ({s["padTop"]}, {s["padLeft"]})'
    uneven = (s['padTop'], s['padLeft']) != (s['padBottom'], s['padRight'])
    if s['kind'] == 'MAX':
        return f'F.max_pool2d({{0}}, {sizes}, ceil_mode={uneven})'
    return f'F.avg_pool2d({{0}}, {sizes}, {uneven}, {s["kind"] != "AVERAGE"})'


class Network(nn.Module):
    def __init__(self, graph, state):
        super().__init__()
        self.layers = nn.ModuleList()
        width, readers, last, image = {}, {}, {}, graph[0]['op']
        for i, node in enumerate(graph):
            for name in node['inputs']:
                readers[name] = readers.get(name, 0) + 1
                last[name] = i
        variable = {node['name']: f'v{i}' for i, node in enumerate(graph)}
        lines = ['def forward(self, v0):']
        width[graph[0]['name']] = image['channels']
        for i, node in enumerate(graph[1:], 1):
            name, kind, op, inputs = node['name'], node['type'], node['op'], node['inputs']
            x, w = [variable[n] for n in inputs], width[inputs[0]]
            if kind in ('Convolution', 'BatchNorm', 'Linear'):
                layer = module(op, kind, state[name + '.weight'].shape[1] * op['spec']['groups']
                               if kind == 'Convolution' else state[name + '.weight'].shape[-1])
                layer.load_state_dict({k[len(name) + 1:]: v for k, v in state.items() if k.rpartition('.')[0] == name},
                                      strict=False)
                w, call = state[name + '.weight'].shape[0], f'self.layers[{len(self.layers)}]({{0}})'
                self.layers.append(layer)
            elif kind in ('Activate', 'Elementwise'):
                call = FUNCTIONS[op['activation'] if kind == 'Activate' else op['spec']['kind']]
                call = call.replace('{inplace}', str(readers[inputs[0]] == 1 and i > 1))
            elif kind == 'Pool':
                call = pool(op['spec'])
            else:
                call = {'GlobalPool': 'F.adaptive_avg_pool2d({0}, 1)' if op.get('kind') == 'AVERAGE'
                        else 'F.adaptive_max_pool2d({0}, 1)',
                        'Add': '{0} + {1}', 'Multiply': '{0} * {1}', 'Flatten': '{0}.flatten(1)', 'Identity': '{0}',
                        'Concat': 'torch.cat([' + ', '.join(f'{{{j}}}' for j in range(len(x))) + '], 1)',
                        'Shortcut': 'F.pad({0}[:, :, ::%d, ::%d], (0, 0, 0, 0, %d, %d))' % (
                            op.get('stride', 1), op.get('stride', 1), op.get('before', 0), op.get('after', 0))}[kind]
                w = sum(width[n] for n in inputs) if kind == 'Concat' else w + op.get('before', 0) + op.get('after', 0)
            width[name] = w
            lines.append(f'    {variable[name]} = ' + call.format(*x))
            lines += [f'    {variable[n]} = None' for n in set(inputs) if last[n] == i]  # memory is given back
        lines.append(f'    return {variable[graph[-1]["name"]]}')
        scope = {'F': F, 'torch': torch}
        exec('\n'.join(lines), scope)
        self.image = (image['channels'], image['height'], image['width'])
        self.step = scope['forward']

    def forward(self, x):
        return self.step(self, x)


def load(file):
    return Network(*read(file)).eval()
