/* Kernels that move elements of activations (N,C,H,W), whose order is N, H, W, C where last is 1 and
   N, C, H, W where it is 0, and of parameters. Grid-stride loops over 64-bit counts. */

static __device__ long long moves_at(long long n, long long c, long long h, long long w,
                                     long long channels, long long height, long long width,
                                     int last) {
  return last ? ((n * height + h) * width + w) * channels + c
              : ((n * channels + c) * height + h) * width + w;
}

/* y[o, k, i] = x[o, indices[k], i] for y of n = outer * count * inner elements. An index outside of
   [0, extent) gives 0. */
#define MOVES_GATHER(NAME, TYPE)                                                                   \
  extern "C" __global__ void NAME(const TYPE *x, const int *indices, TYPE *y, long long n,         \
                                  long long count, long long extent, long long inner) {            \
    long long step = (long long)gridDim.x * blockDim.x;                                            \
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {       \
      long long row = i / inner;                                                                   \
      long long outer = row / count;                                                               \
      int index = indices[row - outer * count];                                                    \
      int inside = index >= 0 && index < extent;                                                   \
      y[i] = inside ? x[(outer * extent + index) * inner + (i - row * inner)] : (TYPE)0;           \
    }                                                                                              \
  }

MOVES_GATHER(secateur_gather_1, unsigned char)
MOVES_GATHER(secateur_gather_4, unsigned int)
MOVES_GATHER(secateur_gather_8, unsigned long long)

/* Copies channels of x, x_from onwards, to channels of y, y_from onwards; count of them. */
extern "C" __global__ void secateur_channels(const float *x, long long x_channels,
                                             long long x_from, float *y, long long y_channels,
                                             long long y_from, long long count, long long images,
                                             long long pixels, int last) {
  long long n = images * count * pixels;
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    long long image = i / (count * pixels);
    long long rest = i - image * count * pixels;
    long long c = last ? rest % count : rest / pixels;
    long long pixel = last ? rest / count : rest - c * pixels;
    y[moves_at(image, y_from + c, 0, pixel, y_channels, 1, pixels, last)] =
        x[moves_at(image, x_from + c, 0, pixel, x_channels, 1, pixels, last)];
  }
}

/* y (images, y_channels, out_h, out_w): y[:, before + c] = x[:, c, ::stride, ::stride], else 0. */
extern "C" __global__ void secateur_shortcut(const float *x, float *y, long long images,
                                             long long x_channels, long long h, long long w,
                                             long long y_channels, long long out_h,
                                             long long out_w, long long before, long long stride,
                                             int last) {
  long long n = images * y_channels * out_h * out_w;
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    long long column = i % out_w;
    long long row = i / out_w % out_h;
    long long channel = i / (out_w * out_h) % y_channels;
    long long image = i / (out_w * out_h * y_channels);
    long long c = channel - before;
    float v = 0.0f;
    if (c >= 0 && c < x_channels) {
      v = x[moves_at(image, c, row * stride, column * stride, x_channels, h, w, last)];
    }
    y[moves_at(image, channel, row, column, y_channels, out_h, out_w, last)] = v;
  }
}

/* The gradient of secateur_shortcut. */
extern "C" __global__ void secateur_shortcut_backward(const float *dy, float *dx, long long images,
                                                      long long x_channels, long long h,
                                                      long long w, long long y_channels,
                                                      long long out_h, long long out_w,
                                                      long long before, long long stride,
                                                      int last) {
  long long n = images * x_channels * h * w;
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    long long column = i % w;
    long long row = i / w % h;
    long long channel = i / (w * h) % x_channels;
    long long image = i / (w * h * x_channels);
    float v = 0.0f;
    if (row % stride == 0 && column % stride == 0) {
      v = dy[moves_at(image, channel + before, row / stride, column / stride, y_channels, out_h,
                      out_w, last)];
    }
    dx[moves_at(image, channel, row, column, x_channels, h, w, last)] = v;
  }
}

/* y (.., out_h, out_w) = x (.., h, w) moved down by top and right by left; 0 where there is no x.
   Negative top and left crop: the way back. */
extern "C" __global__ void secateur_pad(const float *x, float *y, long long images,
                                        long long channels, long long h, long long w,
                                        long long out_h, long long out_w, long long top,
                                        long long left, int last) {
  long long n = images * channels * out_h * out_w;
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    long long column = i % out_w;
    long long row = i / out_w % out_h;
    long long channel = i / (out_w * out_h) % channels;
    long long image = i / (out_w * out_h * channels);
    long long r = row - top;
    long long c = column - left;
    float v = 0.0f;
    if (r >= 0 && r < h && c >= 0 && c < w) {
      v = x[moves_at(image, channel, r, c, channels, h, w, last)];
    }
    y[moves_at(image, channel, row, column, channels, out_h, out_w, last)] = v;
  }
}

/* The network's input: pixels (n,c,h,w) in plain order, cropped out of the image padded with zeros,
   flipped, times scale plus shift, per channel or per position. crops (n,3) or null. */
extern "C" __global__ void secateur_image_input(const unsigned char *pixels, const int *crops,
                                                int padding, const float *scale,
                                                const float *shift, int per_position, float *y,
                                                long long images, long long channels, long long h,
                                                long long w, int last) {
  long long n = images * channels * h * w;
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    long long column = i % w;
    long long row = i / w % h;
    long long channel = i / (w * h) % channels;
    long long image = i / (w * h * channels);
    long long r = row;
    long long c = column;
    if (crops) {
      const int *crop = crops + 3 * image;
      r = row + crop[0] - padding;
      c = (crop[2] ? w - 1 - column : column) + crop[1] - padding;
    }
    float v = 0.0f;
    if (r >= 0 && r < h && c >= 0 && c < w) {
      v = (float)pixels[((image * channels + channel) * h + r) * w + c];
    }
    long long at = per_position ? (channel * h + row) * w + column : channel;
    y[moves_at(image, channel, row, column, channels, h, w, last)] = v * scale[at] + shift[at];
  }
}

/* Makes a row-major n x n matrix symmetric: elements above the diagonal from those below it. */
#define MOVES_MIRROR(NAME, TYPE)                                                                   \
  extern "C" __global__ void NAME(TYPE *c, long long n) {                                          \
    long long step = (long long)gridDim.x * blockDim.x;                                            \
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n * n; i += step) {   \
      long long row = i / n;                                                                       \
      long long column = i - row * n;                                                              \
      if (column > row) {                                                                          \
        c[i] = c[column * n + row];                                                                \
      }                                                                                            \
    }                                                                                              \
  }

MOVES_MIRROR(secateur_mirror_f32, float)
MOVES_MIRROR(secateur_mirror_f64, double)
