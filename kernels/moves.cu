/* Kernels that move elements of parameters and matrices. Grid-stride loops over 64-bit counts. */

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
MOVES_GATHER(secateur_gather_2, unsigned short)
MOVES_GATHER(secateur_gather_4, unsigned int)
MOVES_GATHER(secateur_gather_8, unsigned long long)

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
