/* What the kernels share: types of elements, activations, places in memory, sums over a block.

   T is the type of activations: float, F16 or BF16. The 16-bit types are read as float and round to
   the nearest, ties to even, when they are assigned. */
#pragma once
#include "kinds.h"

#ifdef __CUDACC__
static __device__ float common_from_f16(unsigned short bits) {
  float v;
  asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(bits));
  return v;
}

static __device__ unsigned short common_to_f16(float v) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(v));
  return bits;
}
#endif /* else the tests' cuda_shim.h has them */

struct F16 {
  unsigned short bits;
  __device__ operator float() const { return common_from_f16(bits); }
  __device__ F16 &operator=(float v) {
    bits = common_to_f16(v);
    return *this;
  }
};

/* By integers only: instructions for bfloat16 come with sm_80. */
struct BF16 {
  unsigned short bits;
  __device__ operator float() const { return __uint_as_float((unsigned)bits << 16); }
  __device__ BF16 &operator=(float v) {
    unsigned u = __float_as_uint(v);
    bits = (u & 0x7fffffffu) > 0x7f800000u ? (unsigned short)(u >> 16 | 0x40u) /* NaN */
                                           : (unsigned short)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
    return *this;
  }
};

/* Elements that a thread takes at once: 16 bytes, one instruction where the address allows. */
template <typename E>
struct Packed128 {
  enum { SIZE = 16 / sizeof(E) };
};

struct alignas(16) Bits128 {
  unsigned v[4];
};

/* Elements i to i + SIZE of n as float; i is a multiple of SIZE. */
template <typename E>
static __device__ void load128(const E *p, long long i, long long n, float *out) {
  const int count = Packed128<E>::SIZE;
  if (i + count <= n && ((unsigned long long)p & 15) == 0) {
    union {
      Bits128 bits;
      E v[count];
    } u;
    u.bits = *(const Bits128 *)(p + i);
#pragma unroll
    for (int j = 0; j < count; j++) {
      out[j] = u.v[j];
    }
  } else {
    for (int j = 0; j < count; j++) {
      out[j] = i + j < n ? (float)p[i + j] : 0.0f;
    }
  }
}

template <typename E>
static __device__ void store128(E *p, long long i, long long n, const float *in) {
  const int count = Packed128<E>::SIZE;
  if (i + count <= n && ((unsigned long long)p & 15) == 0) {
    union {
      Bits128 bits;
      E v[count];
    } u;
#pragma unroll
    for (int j = 0; j < count; j++) {
      u.v[j] = in[j];
    }
    *(Bits128 *)(p + i) = u.bits;
  } else {
    for (int j = 0; j < count && i + j < n; j++) {
      p[i + j] = in[j];
    }
  }
}

/* The channels of COUNT consecutive elements, for a thread that goes on by a fixed step; inner
   elements in a row have the same channel, 1 in the order N, H, W, C. There nothing is divided once
   it is made, and values of channels come 16 bytes at once where every thread's channels begin at a
   multiple of COUNT. */
template <int COUNT>
struct Channels {
  long long element, stride, inner, position;
  int index, channels, step;
  __device__ Channels(long long first, long long by, long long all, long long in_a_row) {
    element = first;
    stride = by;
    channels = (int)all;
    inner = in_a_row;
    step = (int)(by % all);
    find();
  }
  __device__ void find() {
    long long plane = element / inner;
    position = element - plane * inner;
    index = (int)(plane % channels);
  }
  __device__ void next() {
    if (inner == 1) {
      index += step;
      index -= index >= channels ? channels : 0;
    } else {
      element += stride;
      find();
    }
  }
  template <typename E>
  __device__ void load(const E *p, float *out) const {
    if (inner == 1 && channels % COUNT == 0) { /* index is a multiple of COUNT */
#pragma unroll
      for (int j = 0; j < COUNT; j += Packed128<E>::SIZE) {
        load128(p + index + j, 0, Packed128<E>::SIZE, out + j);
      }
    } else {
      int c = index;
      long long at = position;
#pragma unroll
      for (int j = 0; j < COUNT; j++) {
        out[j] = p[c];
        if (++at == inner) {
          at = 0;
          c = c + 1 == channels ? 0 : c + 1;
        }
      }
    }
  }
};

static __device__ float common_activate(float v, int activation) {
  if (activation >= ACTIVATION_RELU) {
    v = v < 0.0f ? 0.0f : v; /* NaN stays */
  }
  if (activation == ACTIVATION_RELU6) {
    v = v > 6.0f ? 6.0f : v;
  }
  return v;
}

/* An element's place in (N,C,H,W): in the order N, H, W, C where channels_last is 1, else in
   N, C, H, W. */
struct Place {
  long long image, channel, row, column;
};

static __device__ long long common_at(long long n, long long c, long long h, long long w,
                                      long long channels, long long height, long long width,
                                      int channels_last) {
  return channels_last ? ((n * height + h) * width + w) * channels + c
              : ((n * channels + c) * height + h) * width + w;
}

/* The place of element i in the order of memory. */
static __device__ Place common_place(long long i, long long channels, long long height,
                                     long long width, int channels_last) {
  Place p;
  if (channels_last) {
    p.channel = i % channels;
    i /= channels;
  }
  p.column = i % width;
  i /= width;
  p.row = i % height;
  i /= height;
  if (!channels_last) {
    p.channel = i % channels;
    i /= channels;
  }
  p.image = i;
  return p;
}

/* Goes on to the next element in the order of memory. */
static __device__ void common_next(Place *p, long long channels, long long height, long long width,
                                   int channels_last) {
  if (channels_last) {
    if (++p->channel < channels) {
      return;
    }
    p->channel = 0;
  }
  if (++p->column < width) {
    return;
  }
  p->column = 0;
  if (++p->row < height) {
    return;
  }
  p->row = 0;
  if (!channels_last) {
    if (++p->channel < channels) {
      return;
    }
    p->channel = 0;
  }
  p->image++;
}

/* The first of start, start + d, start + 2 d and so on that is not negative. */
static __device__ int common_inside(int start, int d) {
  return start < 0 ? start + (d - 1 - start) / d * d : start;
}

/* The sum of v over the block, in every thread. */
static __device__ double common_sum(double v, double *shared) {
  int t = threadIdx.x;
  __syncthreads(); /* the final use of shared */
  shared[t] = v;
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t < half) {
      shared[t] += shared[t + half];
    }
  }
  __syncthreads();
  return shared[0];
}

/* What a kernel gives for what it does not know, so that nobody takes it for a result. */
static __device__ float common_nan() { return __uint_as_float(0x7fc00000u); }

/* The larger; NaN is larger than all. */
static __device__ float common_larger(float a, float b) { return b > a || b != b ? b : a; }

/* The maximum of v over the block, in every thread. */
static __device__ float common_max(float v, float *shared) {
  int t = threadIdx.x;
  __syncthreads();
  shared[t] = v;
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t < half) {
      shared[t] = common_larger(shared[t], shared[t + half]);
    }
  }
  __syncthreads();
  return shared[0];
}

/* Sums a and b over the 8 warps of a block, for each lane; true in the first warp, which has them. */
template <typename N>
static __device__ bool common_rows(N *a, N *b) {
  __shared__ N first[256];
  __shared__ N second[256];
  first[threadIdx.x] = *a;
  second[threadIdx.x] = *b;
  __syncthreads();
  if (threadIdx.x >= 32) {
    return false;
  }
  for (int i = 1; i < 8; i++) {
    *a += first[threadIdx.x + 32 * i];
    *b += second[threadIdx.x + 32 * i];
  }
  return true;
}
