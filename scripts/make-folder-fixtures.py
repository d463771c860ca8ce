#!/usr/bin/env python3
"""Writes src/test/resources/folder/: small images of many kinds, and the pixels that PIL and
torchvision make of them (Resize, CenterCrop; NAME.rgb and NAME.l: CHW bytes), for ImageFolderTest.
NAME.box: a part of RGB, resized. Needs python3-torchvision (Debian)."""
import math, os, struct, zlib
from PIL import Image
from torchvision import transforms as T

out = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../src/test/resources/folder')
os.makedirs(out, exist_ok=True)
RESIZE, HEIGHT, WIDTH = 20, 16, 16


def picture(w, h, bands):
    """Smooth waves with some edges: no random generator to agree on."""
    def at(x, y, b):
        v = 127.5 + 80 * math.sin(x * .31 + b * 1.7) * math.cos(y * .23 + b) + (47 if (x // 7 + y // 5) % 2 else -47)
        return max(0, min(255, int(v)))
    data = bytes(at(x, y, b) for y in range(h) for x in range(w) for b in range(bands))
    return Image.frombytes({1: 'L', 2: 'LA', 3: 'RGB', 4: 'RGBA'}[bands], (w, h), data)


def png(name, w, h, depth, kind, rows):
    """A PNG of a bit depth that PIL does not write."""
    def chunk(t, d):
        return struct.pack('>I', len(d)) + t + d + struct.pack('>I', zlib.crc32(t + d))
    raw = b''.join(b'\0' + r for r in rows)
    with open(os.path.join(out, name), 'wb') as f:
        f.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, depth, kind, 0, 0, 0))
                + chunk(b'IDAT', zlib.compress(raw, 9)) + chunk(b'IEND', b''))


def save(image, name, **options):
    image.save(os.path.join(out, name), **options)


save(picture(45, 30, 3), 'rgb-444.jpg', quality=90, subsampling=0)
save(picture(30, 47, 3), 'rgb-420.jpg', quality=80, subsampling=2)
save(picture(33, 33, 3), 'rgb-422-progressive.jpg', quality=85, subsampling=1, progressive=True)
save(picture(40, 29, 1), 'gray.jpg', quality=85)
save(picture(28, 36, 3).convert('CMYK'), 'cmyk.jpg', quality=90)
save(picture(11, 13, 3), 'enlarged.png')
save(picture(20, 20, 3), 'same-size.png')
save(picture(300, 21, 3).quantize(64), 'palette-wide.png')
save(picture(26, 31, 4), 'rgba.png')
save(picture(31, 26, 2), 'gray-alpha.png')
save(picture(37, 27, 1).convert('1'), 'one-bit.png')
p = picture(24, 33, 3).quantize(16)
save(p, 'palette-transparent.png', transparency=3)
w, h = 27, 22
wide = picture(w, h, 3).tobytes()
png('rgb-16-bit.png', w, h, 16, 2,
    [b''.join(bytes((v, (v * 37) & 255)) for v in wide[y * w * 3:(y + 1) * w * 3]) for y in range(h)])
# 'Adobe' YCCK, which PIL reads but does not write: the CMYK file with its transform flag set
cmyk = open(os.path.join(out, 'cmyk.jpg'), 'rb').read()
flag = cmyk.index(b'Adobe') + 11
open(os.path.join(out, 'ycck.jpg'), 'wb').write(cmyk[:flag] + b'\x02' + cmyk[flag + 1:])

crop = T.Compose([T.Resize(RESIZE), T.CenterCrop((HEIGHT, WIDTH)), T.PILToTensor()])
for name in sorted(os.listdir(out)):
    if not name.endswith(('.jpg', '.png')):
        continue
    for mode in ('RGB', 'L'):
        with Image.open(os.path.join(out, name)) as i:
            pixels = crop(i.convert(mode)).contiguous().numpy().tobytes()
        open(os.path.join(out, name + '.' + mode.lower()), 'wb').write(pixels)
for name in ('rgb-420.jpg', 'gray.jpg', 'rgba.png'):
    with Image.open(os.path.join(out, name)) as i:
        box = T.functional.resized_crop(i.convert('RGB'), top=5, left=3, height=22, width=21, size=[HEIGHT, WIDTH])
    open(os.path.join(out, name + '.box'), 'wb').write(T.functional.pil_to_tensor(box).contiguous().numpy().tobytes())
