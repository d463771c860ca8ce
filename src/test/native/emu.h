// What the emulated CUDA libraries share; it lives in the emulated libcuda.so.1.
//
// Device memory is host memory in a registry. Streams are in-order queues that run as LATE as CUDA
// permits: only when somebody waits for them. A missing synchronisation therefore shows every time,
// not once in a thousand runs.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace emu {

std::recursive_mutex& mutex();

/// One line on stderr, "emulated CUDA: <api>: ...".
void say(const char* format, ...) __attribute__((format(printf, 1, 2)));

/// Entry of an exported function: takes the lock, counts the call, decides on an injected failure.
class Call {
 public:
  explicit Call(const char* api);
  ~Call();
  bool injected() const { return injected_; }
  /// Whether a test wants cuDNN not to support it.
  bool unsupported() const { return unsupported_; }

 private:
  std::lock_guard<std::recursive_mutex> guard_;
  const char* outer_;
  bool injected_ = false;
  bool unsupported_ = false;
};

/// A piece of device memory that work will touch.
struct Range {
  const void* p;
  size_t bytes;
  uint64_t allocation;
};

struct Task {
  std::function<void()> run;
  std::vector<Range> ranges;
  void* function = nullptr;  // the kernel, whose module must be loaded as long as a graph holds it
};

struct Graph {
  std::vector<Task> tasks;
  bool invalid = false;
};

struct Stream {
  bool alive = true;
  bool blocking = true;  // with respect to the null stream
  std::vector<Task> queue;
  size_t head = 0;
  uint64_t enqueued = 0;
  uint64_t done = 0;
  Graph* capture = nullptr;
  bool captureOrigin = false;
  int captureMode = 0;
  std::thread::id captureThread;
};

/// The stream behind a handle; null handles mean the null stream. nullptr if dead or unknown.
Stream* stream(void* handle);

/// Enqueues (or captures) work. False, and said, when the stream does not take it.
bool enqueue(void* stream, Task task);

/// Runs all that a stream holds; all that every stream holds.
void drain(Stream* stream);
void drainAll();

/// Whether a call that may not happen during capture is made during one; invalidates the capture.
/// The latter is for calls that are only potentially unsafe: whether they are permitted depends on
/// the mode in which a capture began and on the calling thread's own mode.
bool capturing(void* stream);
bool unsafeInCapture();
/// The calling thread's mode for unsafeInCapture: 0 global, 1 thread local, 2 relaxed.
int& threadCaptureMode();

/// Whether [p, p + bytes) lies in ONE live device allocation and p is aligned; says what is wrong.
bool device(const void* p, size_t bytes, size_t align, const char* what);

/// Whether p is memory of the host; says what is wrong.
bool host(const void* p, const char* what);

bool isDevice(const void* p);
bool isPinned(const void* p, size_t bytes);
Range range(const void* p, size_t bytes);
/// The start and the size of the live allocation around p.
bool allocation(const void* p, const void** base, size_t* bytes);
/// Whether nothing wrote around the allocations of a task's ranges.
bool fencesIntact(const std::vector<Range>& ranges);

void garbage(void* p, size_t bytes);

/// Live objects: streams, events, modules, graphs, contexts, handles, descriptors.
void born(void* object, const char* kind);
bool lives(void* object, const char* kind);
/// Ends an object's life; false and said if it had none.
bool dies(void* object, const char* kind);

bool hasContext();
/// After an illegal access every call fails.
bool poisoned();
/// The same, and says so.
bool refused();
void poison();

void count(const char* name, long n);

/// Milliseconds of work that the GPU has done: a fixed time for each task, and some for the memory
/// that it touches, so that what is measured does not change from run to run; and what the host
/// took, in steps of 20, so that large work takes longer.
double clock();

/// The machine: SECATEUR_EMU_CAPABILITY (75, 80, 90), SECATEUR_EMU_DRIVER (12020, 12060, 13000),
/// SECATEUR_EMU_CUDNN (90300, 91002); a test may change the capability until the next reset.
/// SECATEUR_EMU_REFUSE names a stage of cuDNN's graph API that it does not support: tensor,
/// convolution, pointwise, operation, graph, heuristics, plan, pack or execute.
int capability();
int driverVersion();
int cudnnVersion();

/// C (m x n) = alpha A (m x k) B (k x n) + beta C, any strides; beta 0 does not read C.
template <typename T>
void gemm(long m, long n, long k, T alpha, const T* a, long rsa, long csa, const T* b, long rsb,
          long csb, T beta, T* c, long rsc, long csc);
extern template void gemm<float>(long, long, long, float, const float*, long, long, const float*,
                                 long, long, float, float*, long, long);
extern template void gemm<double>(long, long, long, double, const double*, long, long,
                                  const double*, long, long, double, double*, long, long);

/// A kernel of kernels/*.cu compiled for the host.
struct HostKernel {
  std::vector<size_t> sizes;     // of the parameters
  std::vector<size_t> pointees;  // alignment of what a pointer parameter points to, 0 if no pointer
  void (*call)(void** args);
};
std::map<std::string, HostKernel>& kernels();

/// Runs a grid, block after block; threads that meet at a barrier become fibers.
void launch(const HostKernel& kernel, const unsigned grid[3], const unsigned block[3],
            size_t shared, void** args);

}  // namespace emu

#define EMU_API(name, failure)   \
  emu::Call emuCall(#name);      \
  if (emuCall.injected()) return failure
