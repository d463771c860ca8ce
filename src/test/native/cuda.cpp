// The driver API.
#include <elf.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

#include "driver.h"

namespace {

enum {
  OK = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  NO_BINARY_FOR_GPU = 209,
  INVALID_PTX = 218,
  UNSUPPORTED_PTX_VERSION = 222,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  LAUNCH_FAILED = 719,
  NOT_SUPPORTED = 801,
  CAPTURE_UNSUPPORTED = 900,
  CAPTURE_INVALIDATED = 901,
  CAPTURE_UNMATCHED = 903,
  CAPTURE_IMPLICIT = 906,
  CAPTURED_EVENT = 907,
  CAPTURE_WRONG_THREAD = 908,
};

// the newest PTX of a driver: 8.2 with 12.2, 8.5 with 12.6, 9.0 with 13.0
int newestPtx() {
  int driver = emu::driverVersion();
  return driver >= 13000 ? 90 : 80 + driver % 1000 / 10 - (driver >= 12050 ? 1 : 0);
}

struct Context {
  int device;
};
struct Event {
  unsigned flags = 0;
  emu::Stream* stream = nullptr;
  uint64_t ticket = 0;
  emu::Graph* captured = nullptr;
  std::shared_ptr<double> time;
};
struct Function {
  std::string name;
  const emu::HostKernel* kernel;
  int maxShared = 48 << 10;
};
struct Module {
  std::map<std::string, Function*> functions;
};

bool initialised = false;
Context* primary = nullptr;
int primaryUses = 0;

int ready() {
  if (!initialised) {
    emu::say("cuInit was not called");
    return NOT_INITIALIZED;
  }
  if (!emu::hasContext()) return INVALID_CONTEXT;
  if (emu::refused()) return ILLEGAL_ADDRESS;
  return OK;
}

#define CU_API(name, failure)                    \
  EMU_API(name, failure);                        \
  if (int state = ready(); state != OK) return state

const void* at(unsigned long long p) { return reinterpret_cast<const void*>(p); }
void* writable(unsigned long long p) { return reinterpret_cast<void*>(p); }

// Whether `bytes` at p can be read; p may be anything.
bool readable(const void* p, size_t bytes);

int submit(void* stream, emu::Task task) {
  emu::Stream* s = emu::stream(stream);
  if (s == nullptr) return INVALID_HANDLE;
  if (!emu::enqueue(stream, std::move(task)))
    return s->capture ? CAPTURE_INVALIDATED : CAPTURE_IMPLICIT;
  return emu::poisoned() ? ILLEGAL_ADDRESS : OK;
}

int nullStreamSync() {
  emu::count("synchronisations", 1);
  if (emu::unsafeInCapture()) return CAPTURE_UNSUPPORTED;
  emu::drainBlocking();
  return emu::poisoned() ? ILLEGAL_ADDRESS : OK;
}

}  // namespace

#include <unistd.h>
namespace {
bool readable(const void* p, size_t bytes) {
  static int ends[2] = {-1, -1};
  if (ends[0] < 0 && pipe(ends) != 0) return true;
  if (p == nullptr || bytes > 4096) return p != nullptr;
  if (write(ends[1], p, bytes) != ssize_t(bytes)) return false;
  char sink[4096];
  return read(ends[0], sink, bytes) == ssize_t(bytes);
}
}  // namespace

extern "C" {

// ---- device, contexts ---------------------------------------------------------------------------

int cuInit(unsigned flags) {
  EMU_API(cuInit, 999);
  if (flags != 0) return INVALID_VALUE;
  initialised = true;
  return OK;
}

int cuDriverGetVersion(int* version) {
  EMU_API(cuDriverGetVersion, 999);
  *version = emu::driverVersion();
  return OK;
}

int cuDeviceGetCount(int* n) {
  EMU_API(cuDeviceGetCount, 999);
  if (!initialised) return NOT_INITIALIZED;
  *n = 1;
  return OK;
}

int cuDeviceGet(int* device, int ordinal) {
  EMU_API(cuDeviceGet, 999);
  if (!initialised) return NOT_INITIALIZED;
  if (ordinal != 0) {
    emu::say("there is no device %d", ordinal);
    return INVALID_DEVICE;
  }
  *device = 0;
  return OK;
}

int cuDeviceGetName(char* name, int length, int device) {
  EMU_API(cuDeviceGetName, 999);
  if (device != 0) return INVALID_DEVICE;
  snprintf(name, length, "%s", emu::deviceName());
  return OK;
}

int cuDeviceTotalMem_v2(size_t* bytes, int device) {
  EMU_API(cuDeviceTotalMem, 999);
  if (device != 0) return INVALID_DEVICE;
  *bytes = emu::totalMemory();
  return OK;
}

int cuDeviceGetAttribute(int* value, int attribute, int device) {
  EMU_API(cuDeviceGetAttribute, 999);
  if (device != 0) return INVALID_DEVICE;
  switch (attribute) {
    case 1: *value = 1024; break;            // threads per block
    case 2: case 3: *value = 1024; break;    // block x, y
    case 4: *value = 64; break;              // block z
    case 5: *value = 2147483647; break;      // grid x
    case 6: case 7: *value = 65535; break;   // grid y, z
    case 8: *value = 48 << 10; break;        // shared memory per block
    case 10: *value = 32; break;             // warp
    case 13: *value = 1410000; break;        // kHz
    case 14: *value = 512; break;            // texture alignment
    case 16: *value = 4; break;              // multiprocessors
    case 36: *value = 1215000; break;        // memory kHz
    case 37: *value = 5120; break;           // bus width
    case 38: *value = 40 << 20; break;       // L2
    case 39: *value = 2048; break;           // threads per multiprocessor
    case 40: case 41: *value = 1; break;     // copy engines, unified addressing
    case 75: *value = emu::capability() / 10; break;
    case 76: *value = emu::capability() % 10; break;
    case 81: *value = 164 << 10; break;      // shared memory per multiprocessor
    case 97: *value = 163 << 10; break;      // shared memory per block, on request
    case 115: *value = 1; break;             // memory pools
    default: *value = 0;
  }
  return OK;
}

int cuDeviceGetUuid(char* uuid, int device) {
  EMU_API(cuDeviceGetUuid, 999);
  if (device != 0) return INVALID_DEVICE;
  memset(uuid, 0x5E, 16);
  return OK;
}

int cuDeviceGetPCIBusId(char* id, int length, int device) {
  EMU_API(cuDeviceGetPCIBusId, 999);
  if (device != 0) return INVALID_DEVICE;
  if (length < 13) return INVALID_VALUE;
  snprintf(id, length, "0000:5E:00.0");
  return OK;
}

int cuDevicePrimaryCtxRetain(void** context, int device) {
  EMU_API(cuDevicePrimaryCtxRetain, OUT_OF_MEMORY);
  if (!initialised) return NOT_INITIALIZED;
  if (device != 0) return INVALID_DEVICE;
  if (primaryUses++ == 0) {
    primary = new Context{device};
    emu::born(primary, "context");
  }
  *context = primary;
  return OK;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
  EMU_API(cuDevicePrimaryCtxRelease, 999);
  if (device != 0) return INVALID_DEVICE;
  if (primaryUses == 0) {
    emu::say("released more often than retained");
    return INVALID_CONTEXT;
  }
  emu::drainAll();
  if (--primaryUses == 0) emu::dies(primary, "context");
  return OK;
}

int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned) {
  EMU_API(cuDevicePrimaryCtxSetFlags, 999);
  return device == 0 ? OK : INVALID_DEVICE;
}

int cuCtxCreate_v2(void** context, unsigned, int device) {
  EMU_API(cuCtxCreate, OUT_OF_MEMORY);
  if (!initialised) return NOT_INITIALIZED;
  if (device != 0) return INVALID_DEVICE;
  auto* c = new Context{device};
  emu::born(c, "context");
  emu::setCurrentContext(c);
  *context = c;
  return OK;
}

int cuCtxDestroy_v2(void* context) {
  EMU_API(cuCtxDestroy, 999);
  emu::drainAll();
  if (!emu::dies(context, "context")) return INVALID_CONTEXT;
  if (emu::currentContextHandle() == context) emu::setCurrentContext(nullptr);
  return OK;
}

int cuCtxSetCurrent(void* context) {
  EMU_API(cuCtxSetCurrent, 999);
  if (context != nullptr && !emu::lives(context, "context")) return INVALID_CONTEXT;
  emu::setCurrentContext(context);
  return OK;
}

int cuCtxGetCurrent(void** context) {
  EMU_API(cuCtxGetCurrent, 999);
  *context = emu::currentContextHandle();
  return OK;
}

int cuCtxPushCurrent_v2(void* context) { return cuCtxSetCurrent(context); }

int cuCtxGetDevice(int* device) {
  CU_API(cuCtxGetDevice, 999);
  *device = 0;
  return OK;
}

int cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  CU_API(cuCtxGetStreamPriorityRange, 999);
  if (least) *least = 0;
  if (greatest) *greatest = 0;
  return OK;
}

int cuCtxSynchronize() {
  CU_API(cuCtxSynchronize, LAUNCH_FAILED);
  emu::count("synchronisations", 1);
  if (emu::unsafeInCapture()) return CAPTURE_UNSUPPORTED;
  emu::drainAll();
  emu::synchronised();
  return emu::poisoned() ? ILLEGAL_ADDRESS : OK;
}

// ---- streams, events ----------------------------------------------------------------------------

int cuStreamCreate(void** out, unsigned flags) {
  CU_API(cuStreamCreate, OUT_OF_MEMORY);
  if (flags > 1) return INVALID_VALUE;
  auto* s = new emu::Stream;
  s->blocking = flags == 0;
  emu::born(s, "stream");
  emu::addStream(s);
  *out = s;
  return OK;
}

int cuStreamCreateWithPriority(void** out, unsigned flags, int) {
  return cuStreamCreate(out, flags);
}

int cuStreamDestroy_v2(void* handle) {
  EMU_API(cuStreamDestroy, 999);
  emu::Stream* s = handle ? emu::stream(handle) : nullptr;
  if (s == nullptr) {
    if (handle == nullptr) emu::say("the null stream can't be destroyed");
    return INVALID_HANDLE;
  }
  if (s->capture) {
    emu::say("the stream is capturing");
    s->capture->invalid = true;
  }
  emu::drain(s);
  s->alive = false;
  emu::removeStream(s);
  emu::dies(handle, "stream");
  return OK;
}

int cuStreamSynchronize(void* handle) {
  CU_API(cuStreamSynchronize, LAUNCH_FAILED);
  emu::count("synchronisations", 1);
  emu::Stream* s = emu::stream(handle);
  if (s == nullptr) return INVALID_HANDLE;
  if (emu::capturing(handle)) return CAPTURE_UNSUPPORTED;
  if (handle == nullptr) emu::drainBlocking();
  emu::drain(s);
  emu::synchronised();
  return emu::poisoned() ? ILLEGAL_ADDRESS : OK;
}

// Polling makes progress: one call, one piece of work.
int cuStreamQuery(void* handle) {
  CU_API(cuStreamQuery, LAUNCH_FAILED);
  emu::Stream* s = emu::stream(handle);
  if (s == nullptr) return INVALID_HANDLE;
  if (emu::capturing(handle)) return CAPTURE_UNSUPPORTED;
  if (s->done == s->enqueued) return OK;
  emu::drainUntil(s, s->done + 1);
  return NOT_READY;
}

int cuEventCreate(void** out, unsigned flags) {
  CU_API(cuEventCreate, OUT_OF_MEMORY);
  auto* e = new Event;
  e->flags = flags;
  emu::born(e, "event");
  *out = e;
  return OK;
}

int cuEventDestroy_v2(void* handle) {
  EMU_API(cuEventDestroy, 999);
  return emu::dies(handle, "event") ? OK : INVALID_HANDLE;
}

int cuEventRecord(void* handle, void* stream) {
  CU_API(cuEventRecord, LAUNCH_FAILED);
  if (!emu::lives(handle, "event")) return INVALID_HANDLE;
  emu::Stream* s = emu::stream(stream);
  if (s == nullptr) return INVALID_HANDLE;
  auto* e = static_cast<Event*>(handle);
  if (s->capture) {
    e->captured = s->capture;
    return OK;
  }
  auto time = std::make_shared<double>(0.0);
  int status = submit(stream, {[time] { *time = emu::clock(); }, {}});
  e->captured = nullptr;
  e->time = time;
  e->stream = s;
  e->ticket = s->enqueued;
  return status;
}

int cuEventRecordWithFlags(void* handle, void* stream, unsigned) {
  return cuEventRecord(handle, stream);
}

static int capturedEvent(Event* e) {
  emu::say("the event was recorded during a capture");
  e->captured->invalid = true;
  return CAPTURED_EVENT;
}

int cuEventQuery(void* handle) {
  CU_API(cuEventQuery, LAUNCH_FAILED);
  if (!emu::lives(handle, "event")) return INVALID_HANDLE;
  if (emu::unsafeInCapture()) return CAPTURE_UNSUPPORTED;
  auto* e = static_cast<Event*>(handle);
  if (e->captured) return capturedEvent(e);
  if (e->stream == nullptr || e->stream->done >= e->ticket) return OK;
  emu::drainUntil(e->stream, e->stream->done + 1);
  return NOT_READY;
}

int cuEventSynchronize(void* handle) {
  CU_API(cuEventSynchronize, LAUNCH_FAILED);
  emu::count("synchronisations", 1);
  if (!emu::lives(handle, "event")) return INVALID_HANDLE;
  if (emu::unsafeInCapture()) return CAPTURE_UNSUPPORTED;
  auto* e = static_cast<Event*>(handle);
  if (e->captured) return capturedEvent(e);
  if (e->stream) emu::drainUntil(e->stream, e->ticket);
  emu::synchronised();
  return emu::poisoned() ? ILLEGAL_ADDRESS : OK;
}

int cuEventElapsedTime(float* ms, void* start, void* end) {
  CU_API(cuEventElapsedTime, 999);
  if (!emu::lives(start, "event") || !emu::lives(end, "event")) return INVALID_HANDLE;
  auto *a = static_cast<Event*>(start), *b = static_cast<Event*>(end);
  if (!a->time || !b->time || ((a->flags | b->flags) & 2)) {
    emu::say("an event was not recorded or was created without timing");
    return INVALID_HANDLE;
  }
  if (*a->time == 0.0 || *b->time == 0.0) return NOT_READY;
  *ms = float(*b->time - *a->time);
  return OK;
}

int cuStreamWaitEvent(void* stream, void* handle, unsigned) {
  CU_API(cuStreamWaitEvent, LAUNCH_FAILED);
  if (!emu::lives(handle, "event")) return INVALID_HANDLE;
  emu::Stream* s = emu::stream(stream);
  if (s == nullptr) return INVALID_HANDLE;
  auto* e = static_cast<Event*>(handle);
  if (e->captured) {
    if (s->capture == nullptr) {  // forks into the capture
      s->capture = e->captured;
      s->captureOrigin = false;
    }
    return OK;
  }
  if (s->capture) {
    emu::say("a capturing stream waits for an event that was recorded outside the capture");
    s->capture->invalid = true;
    return 905;
  }
  if (e->stream == nullptr) return OK;
  emu::Stream* other = e->stream;
  uint64_t ticket = e->ticket;
  return submit(stream, {[other, ticket] { emu::drainUntil(other, ticket); }, {}});
}

// ---- memory -------------------------------------------------------------------------------------

int cuMemGetInfo_v2(size_t* free, size_t* total) {
  CU_API(cuMemGetInfo, 999);
  *total = emu::totalMemory();
  *free = emu::totalMemory() - std::min(emu::totalMemory(), emu::usedMemory());
  return OK;
}

int cuMemAlloc_v2(unsigned long long* out, size_t bytes) {
  CU_API(cuMemAlloc, OUT_OF_MEMORY);
  if (bytes == 0) {
    emu::say("0 bytes wanted");
    return INVALID_VALUE;
  }
  if (emu::unsafeInCapture()) return CAPTURE_UNSUPPORTED;
  void* p;
  if (!emu::allocate(bytes, false, &p)) return OUT_OF_MEMORY;
  *out = reinterpret_cast<unsigned long long>(p);
  return OK;
}

static int checkBase(unsigned long long p) {
  if (!emu::device(at(p), 1, 1, "the pointer")) return INVALID_VALUE;
  const void* base;
  size_t bytes;
  emu::allocation(at(p), &base, &bytes);
  if (base != at(p)) {
    emu::say("%p is inside an allocation, not its beginning", at(p));
    return INVALID_VALUE;
  }
  return OK;
}

int cuMemFree_v2(unsigned long long p) {
  EMU_API(cuMemFree, 999);
  if (p == 0) return OK;
  if (emu::unsafeInCapture()) return CAPTURE_UNSUPPORTED;
  if (int status = checkBase(p); status != OK) return status;
  emu::drainAll();
  emu::fencesIntact({emu::range(at(p), 1)});
  emu::physicallyFree(at(p));
  return OK;
}

int cuMemAllocAsync(unsigned long long* out, size_t bytes, void* stream) {
  CU_API(cuMemAllocAsync, OUT_OF_MEMORY);
  if (bytes == 0) return INVALID_VALUE;
  if (emu::stream(stream) == nullptr) return INVALID_HANDLE;
  if (emu::capturing(stream)) return CAPTURE_UNSUPPORTED;
  void* p;
  if (!emu::allocate(bytes, true, &p)) {
    emu::drainAll();  // memory that waits to be freed
    if (!emu::allocate(bytes, true, &p)) return OUT_OF_MEMORY;
  }
  *out = reinterpret_cast<unsigned long long>(p);
  return OK;
}

// The pool of the only device. Attribute 4 is the release threshold, 64 bits.
int cuDeviceGetDefaultMemPool(void** pool, int device) {
  EMU_API(cuDeviceGetDefaultMemPool, 999);
  if (device != 0) return INVALID_DEVICE;
  *pool = &emu::pool();
  return OK;
}

int cuMemPoolSetAttribute(void* pool, int attribute, void* value) {
  EMU_API(cuMemPoolSetAttribute, 999);
  if (pool != &emu::pool() || value == nullptr) return INVALID_VALUE;
  if (attribute != 4) return NOT_SUPPORTED;
  memcpy(&emu::pool().threshold, value, 8);
  return OK;
}

int cuMemPoolTrimTo(void* pool, size_t keep) {
  EMU_API(cuMemPoolTrimTo, 999);
  if (pool != &emu::pool()) return INVALID_VALUE;
  emu::trimPool(keep);
  return OK;
}

int cuMemFreeAsync(unsigned long long p, void* stream) {
  EMU_API(cuMemFreeAsync, 999);
  if (emu::stream(stream) == nullptr) return INVALID_HANDLE;
  if (emu::capturing(stream)) return CAPTURE_UNSUPPORTED;
  if (int status = checkBase(p); status != OK) return status;
  emu::find(at(p))->released = true;
  return submit(stream, {[p] { emu::physicallyFree(at(p)); }, {}});
}

int cuMemHostAlloc(void** out, size_t bytes, unsigned) {
  CU_API(cuMemHostAlloc, OUT_OF_MEMORY);
  if (emu::unsafeInCapture()) return CAPTURE_UNSUPPORTED;
  return emu::allocatePinned(bytes, out) ? OK : OUT_OF_MEMORY;
}

int cuMemAllocHost_v2(void** out, size_t bytes) {
  CU_API(cuMemAllocHost, OUT_OF_MEMORY);
  if (emu::unsafeInCapture()) return CAPTURE_UNSUPPORTED;
  return emu::allocatePinned(bytes, out) ? OK : OUT_OF_MEMORY;
}

int cuMemFreeHost(void* p) {
  EMU_API(cuMemFreeHost, 999);
  if (emu::unsafeInCapture()) return CAPTURE_UNSUPPORTED;
  emu::drainAll();
  return emu::freePinned(p) ? OK : INVALID_VALUE;
}

static void counted(const char* kind, size_t bytes) { emu::count(kind, long(bytes)); }

int cuMemcpyHtoD_v2(unsigned long long dst, const void* src, size_t bytes) {
  CU_API(cuMemcpyHtoD, LAUNCH_FAILED);
  if (bytes == 0) return OK;
  if (!emu::device(at(dst), bytes, 1, "the destination")) return INVALID_VALUE;
  if (!emu::host(src, "the source")) return INVALID_VALUE;
  if (int status = nullStreamSync(); status != OK) return status;
  counted("bytes HtoD", bytes);
  memcpy(writable(dst), src, bytes);
  return OK;
}

int cuMemcpyDtoH_v2(void* dst, unsigned long long src, size_t bytes) {
  CU_API(cuMemcpyDtoH, LAUNCH_FAILED);
  if (bytes == 0) return OK;
  if (!emu::device(at(src), bytes, 1, "the source")) return INVALID_VALUE;
  if (!emu::host(dst, "the destination")) return INVALID_VALUE;
  if (int status = nullStreamSync(); status != OK) return status;
  counted("bytes DtoH", bytes);
  memcpy(dst, at(src), bytes);
  return OK;
}

static emu::Task deviceCopy(unsigned long long dst, unsigned long long src, size_t bytes) {
  return {[=] { memmove(writable(dst), at(src), bytes); },
          {emu::range(at(dst), bytes), emu::range(at(src), bytes)}};
}

int cuMemcpyDtoD_v2(unsigned long long dst, unsigned long long src, size_t bytes) {
  CU_API(cuMemcpyDtoD, LAUNCH_FAILED);
  if (bytes == 0) return OK;
  if (!emu::device(at(dst), bytes, 1, "the destination")) return INVALID_VALUE;
  if (!emu::device(at(src), bytes, 1, "the source")) return INVALID_VALUE;
  counted("bytes DtoD", bytes);
  return submit(nullptr, deviceCopy(dst, src, bytes));
}

int cuMemcpyDtoDAsync_v2(unsigned long long dst, unsigned long long src, size_t bytes,
                         void* stream) {
  CU_API(cuMemcpyDtoDAsync, LAUNCH_FAILED);
  if (emu::stream(stream) == nullptr) return INVALID_HANDLE;
  if (bytes == 0) return OK;
  if (!emu::device(at(dst), bytes, 1, "the destination")) return INVALID_VALUE;
  if (!emu::device(at(src), bytes, 1, "the source")) return INVALID_VALUE;
  counted("bytes DtoD", bytes);
  return submit(stream, deviceCopy(dst, src, bytes));
}

int cuMemcpyHtoDAsync_v2(unsigned long long dst, const void* src, size_t bytes, void* stream) {
  CU_API(cuMemcpyHtoDAsync, LAUNCH_FAILED);
  if (emu::stream(stream) == nullptr) return INVALID_HANDLE;
  if (bytes == 0) return OK;
  if (!emu::device(at(dst), bytes, 1, "the destination")) return INVALID_VALUE;
  if (!emu::host(src, "the source")) return INVALID_VALUE;
  counted("bytes HtoD", bytes);
  if (emu::isPinned(src, bytes))
    return submit(stream,
                  {[=] { memcpy(writable(dst), src, bytes); }, {emu::range(at(dst), bytes)}});
  if (emu::stream(stream)->capture) {
    emu::say("pageable host memory in a capture");
    emu::capturing(stream);
    return CAPTURE_UNSUPPORTED;
  }
  // pageable memory is staged before the call returns
  auto staged = std::make_shared<std::vector<char>>(static_cast<const char*>(src),
                                                    static_cast<const char*>(src) + bytes);
  return submit(stream, {[=] { memcpy(writable(dst), staged->data(), bytes); },
                         {emu::range(at(dst), bytes)}});
}

int cuMemcpyDtoHAsync_v2(void* dst, unsigned long long src, size_t bytes, void* stream) {
  CU_API(cuMemcpyDtoHAsync, LAUNCH_FAILED);
  emu::Stream* s = emu::stream(stream);
  if (s == nullptr) return INVALID_HANDLE;
  if (bytes == 0) return OK;
  if (!emu::device(at(src), bytes, 1, "the source")) return INVALID_VALUE;
  if (!emu::host(dst, "the destination")) return INVALID_VALUE;
  counted("bytes DtoH", bytes);
  if (emu::isPinned(dst, bytes))
    return submit(stream, {[=] { memcpy(dst, at(src), bytes); }, {emu::range(at(src), bytes)}});
  if (s->capture) {
    emu::say("pageable host memory in a capture");
    emu::capturing(stream);
    return CAPTURE_UNSUPPORTED;
  }
  emu::count("synchronisations", 1);
  int status =
      submit(stream, {[=] { memcpy(dst, at(src), bytes); }, {emu::range(at(src), bytes)}});
  emu::drain(s);
  return status != OK ? status : emu::poisoned() ? ILLEGAL_ADDRESS : OK;
}

}  // extern "C"

namespace {
template <typename T>
int set(unsigned long long dst, T value, size_t n, void* stream) {
  if (emu::stream(stream) == nullptr) return INVALID_HANDLE;
  if (n == 0) return OK;
  if (!emu::device(at(dst), n * sizeof(T), sizeof(T), "the destination")) return INVALID_VALUE;
  return submit(stream, {[=] { std::fill_n(static_cast<T*>(writable(dst)), n, value); },
                         {emu::range(at(dst), n * sizeof(T))}});
}

std::string word(const std::string& text, size_t from) {
  size_t a = text.find_first_not_of(" \t\r\n", from);
  if (a == std::string::npos) return "";
  size_t b = text.find_first_of(" \t\r\n(,;)", a);
  return text.substr(a, b == std::string::npos ? b : b - a);
}

std::string withoutComments(const std::string& in) {
  std::string out;
  for (size_t i = 0; i < in.size(); i++) {
    if (in.compare(i, 2, "//") == 0) {
      while (i < in.size() && in[i] != '\n') i++;
      out += '\n';
    } else if (in.compare(i, 2, "/*") == 0) {
      i = in.find("*/", i + 2);
      if (i == std::string::npos) break;
      i++;
    } else {
      out += in[i];
    }
  }
  return out;
}

// The size of one parameter's declaration: ".param .u64 .ptr .global .align 4 name", ".param .align
// 8 .b8 name[24]".
size_t paramSize(const std::string& text) {
  size_t bracket = text.find('[');
  if (bracket != std::string::npos) return strtoul(text.c_str() + bracket + 1, nullptr, 10);
  for (size_t i = text.find('.', text.find(".param") + 6); i != std::string::npos;
       i = text.find('.', i + 1)) {
    char kind = text[i + 1];
    int bits = atoi(text.c_str() + i + 2);
    if (strchr("usfb", kind) && bits >= 8) return bits / 8;
  }
  return 0;
}

// Code for one kind of GPU: an ELF file of the machine CUDA, a section ".text.NAME" for each kernel.
int loadCode(void** out, const char* image) {
  Elf64_Ehdr header;
  memcpy(&header, image, sizeof header);
  int sm = int(header.e_flags & 0xff), has = emu::capability();
  // code runs on later GPUs of the same major number, but for Tegra's
  bool tegra = has == 72 || has == 87;
  if (header.e_machine != 190 || sm / 10 != has / 10 || sm > has || (tegra && sm != has)) {
    emu::say("code for sm_%d, the device is sm_%d", sm, has);
    return NO_BINARY_FOR_GPU;
  }
  auto section = [&](int i) {
    Elf64_Shdr s;
    memcpy(&s, image + header.e_shoff + size_t(i) * header.e_shentsize, sizeof s);
    return s;
  };
  const char* names = image + section(header.e_shstrndx).sh_offset;
  auto module = std::make_unique<Module>();
  for (int i = 0; i < header.e_shnum; i++) {
    std::string name = names + section(i).sh_name;
    if (name.compare(0, 6, ".text.") != 0) continue;
    auto known = emu::kernels().find(name.substr(6));
    if (known == emu::kernels().end()) continue;  // a function that kernels call
    module->functions[known->first] = new Function{known->first, &known->second};
  }
  if (module->functions.size() != emu::kernels().size()) {
    emu::say("%zu kernels of %zu are in the code; is it up to date?", module->functions.size(),
             emu::kernels().size());
    return INVALID_IMAGE;
  }
  for (auto& each : module->functions) emu::born(each.second, "function");
  *out = module.release();
  emu::born(*out, "module");
  emu::count("modules of code", 1);
  return OK;
}

int loadModule(void** out, const void* image) {
  if (!emu::host(image, "the image")) return INVALID_VALUE;
  if (memcmp(image, "\x7f" "ELF", 4) == 0) return loadCode(out, static_cast<const char*>(image));
  // a program opens devices with one image again and again
  static std::string earlier, text;
  if (earlier != static_cast<const char*>(image)) {
    earlier = static_cast<const char*>(image);
    text = withoutComments(earlier);
  }
  size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || text.compare(first, 8, ".version") != 0) {
    emu::say("the image is not PTX: it does not begin with .version");
    return INVALID_IMAGE;
  }
  int major = 0, minor = 0;
  sscanf(text.c_str() + first, ".version %d.%d", &major, &minor);
  if (major * 10 + minor > newestPtx()) {
    emu::say("PTX ISA %d.%d is newer than this driver's %d.%d", major, minor, newestPtx() / 10,
             newestPtx() % 10);
    return UNSUPPORTED_PTX_VERSION;
  }
  size_t target = text.find(".target");
  int sm = 0;
  if (target == std::string::npos || sscanf(text.c_str() + target, ".target sm_%d", &sm) != 1) {
    emu::say("the PTX has no .target");
    return INVALID_PTX;
  }
  if (sm > emu::capability()) {
    emu::say("PTX for sm_%d, the device is sm_%d", sm, emu::capability());
    return NO_BINARY_FOR_GPU;
  }
  auto module = std::make_unique<Module>();
  for (size_t i = text.find(".entry"); i != std::string::npos; i = text.find(".entry", i + 6)) {
    std::string name = word(text, i + 6);
    size_t open = text.find_first_of("({", i);
    size_t close = open == std::string::npos ? open : text.find(')', open);
    if (close == std::string::npos) {
      emu::say("the PTX ends inside entry %s", name.c_str());
      return INVALID_PTX;
    }
    auto known = emu::kernels().find(name);
    if (known == emu::kernels().end()) {
      emu::say("entry %s of the PTX is not among the kernels compiled for the host", name.c_str());
      return INVALID_IMAGE;
    }
    std::vector<size_t> sizes;
    if (text[open] == '(') {
      std::string list = text.substr(open + 1, close - open - 1);
      for (size_t p = list.find(".param"); p != std::string::npos;) {
        size_t next = list.find(".param", p + 6);
        sizes.push_back(paramSize(list.substr(p, next == std::string::npos ? next : next - p)));
        p = next;
      }
    }
    if (sizes != known->second.sizes) {
      emu::say("entry %s of the PTX and the kernel's source differ in their parameters; is the "
               ".ptx up to date?", name.c_str());
      return INVALID_IMAGE;
    }
    auto* f = new Function{name, &known->second};
    module->functions[name] = f;
  }
  for (auto& each : module->functions) emu::born(each.second, "function");
  *out = module.release();
  emu::born(*out, "module");
  return OK;
}
}  // namespace

extern "C" {

int cuMemsetD8_v2(unsigned long long d, unsigned char v, size_t n) {
  CU_API(cuMemsetD8, LAUNCH_FAILED);
  return set<uint8_t>(d, v, n, nullptr);
}
int cuMemsetD16_v2(unsigned long long d, unsigned short v, size_t n) {
  CU_API(cuMemsetD16, LAUNCH_FAILED);
  return set<uint16_t>(d, v, n, nullptr);
}
int cuMemsetD32_v2(unsigned long long d, unsigned v, size_t n) {
  CU_API(cuMemsetD32, LAUNCH_FAILED);
  return set<uint32_t>(d, v, n, nullptr);
}
int cuMemsetD8Async(unsigned long long d, unsigned char v, size_t n, void* stream) {
  CU_API(cuMemsetD8Async, LAUNCH_FAILED);
  return set<uint8_t>(d, v, n, stream);
}
int cuMemsetD16Async(unsigned long long d, unsigned short v, size_t n, void* stream) {
  CU_API(cuMemsetD16Async, LAUNCH_FAILED);
  return set<uint16_t>(d, v, n, stream);
}
int cuMemsetD32Async(unsigned long long d, unsigned v, size_t n, void* stream) {
  CU_API(cuMemsetD32Async, LAUNCH_FAILED);
  return set<uint32_t>(d, v, n, stream);
}

// ---- modules, kernels ---------------------------------------------------------------------------

int cuModuleLoadData(void** module, const void* image) {
  CU_API(cuModuleLoadData, OUT_OF_MEMORY);
  if (emu::unsafeInCapture()) return CAPTURE_UNSUPPORTED;
  return loadModule(module, image);
}

int cuModuleLoadDataEx(void** module, const void* image, unsigned, int*, void**) {
  CU_API(cuModuleLoadDataEx, OUT_OF_MEMORY);
  if (emu::unsafeInCapture()) return CAPTURE_UNSUPPORTED;
  return loadModule(module, image);
}

int cuModuleUnload(void* handle) {
  EMU_API(cuModuleUnload, 999);
  if (!emu::dies(handle, "module")) return INVALID_HANDLE;
  emu::drainAll();
  for (auto& each : static_cast<Module*>(handle)->functions) emu::dies(each.second, "function");
  return OK;
}

int cuModuleGetFunction(void** function, void* handle, const char* name) {
  CU_API(cuModuleGetFunction, 999);
  if (!emu::lives(handle, "module")) return INVALID_HANDLE;
  auto& all = static_cast<Module*>(handle)->functions;
  auto it = all.find(name);
  if (it == all.end()) {
    emu::say("the module has no function %s", name);
    return NOT_FOUND;
  }
  *function = it->second;
  return OK;
}

int cuFuncSetAttribute(void* function, int attribute, int value) {
  CU_API(cuFuncSetAttribute, 999);
  if (!emu::lives(function, "function")) return INVALID_HANDLE;
  if (attribute == 8) {  // dynamic shared memory
    if (value > 163 << 10) return INVALID_VALUE;
    static_cast<Function*>(function)->maxShared = value;
  }
  return OK;
}

int cuFuncGetAttribute(int* value, int attribute, void* function) {
  CU_API(cuFuncGetAttribute, 999);
  if (!emu::lives(function, "function")) return INVALID_HANDLE;
  *value = attribute == 0 ? 1024 : 0;
  return OK;
}

int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void* stream, void** params, void** extra) {
  CU_API(cuLaunchKernel, LAUNCH_FAILED);
  if (!emu::lives(function, "function")) return INVALID_HANDLE;
  if (emu::stream(stream) == nullptr) return INVALID_HANDLE;
  auto* f = static_cast<Function*>(function);
  const char* name = f->name.c_str();
  if (gx == 0 || gy == 0 || gz == 0 || gx > 2147483647u || gy > 65535 || gz > 65535) {
    emu::say("%s: a grid of %u x %u x %u is not possible", name, gx, gy, gz);
    return INVALID_VALUE;
  }
  if (bx == 0 || by == 0 || bz == 0 || bx > 1024 || by > 1024 || bz > 64 ||
      uint64_t(bx) * by * bz > 1024) {
    emu::say("%s: a block of %u x %u x %u is not possible", name, bx, by, bz);
    return INVALID_VALUE;
  }
  if (shared > unsigned(f->maxShared)) {
    emu::say("%s: %u bytes of shared memory, at most %d", name, shared, f->maxShared);
    return INVALID_VALUE;
  }
  if (extra != nullptr) {
    emu::say("%s: parameters through 'extra' are not emulated", name);
    return NOT_SUPPORTED;
  }
  const emu::HostKernel* kernel = f->kernel;
  size_t n = kernel->sizes.size();
  if (n > 0 && params == nullptr) {
    emu::say("%s takes %zu parameters, none given", name, n);
    return INVALID_VALUE;
  }
  auto values = std::make_shared<std::vector<uint64_t>>();
  std::vector<size_t> offsets;
  emu::Task task;
  task.function = function;
  for (size_t i = 0; i < n; i++) {
    if (!readable(params + i, sizeof(void*)) || !readable(params[i], kernel->sizes[i])) {
      emu::say("%s takes %zu parameters; number %zu is missing", name, n, i);
      return INVALID_VALUE;
    }
    offsets.push_back(values->size());
    values->resize(values->size() + (kernel->sizes[i] + 7) / 8);
    memcpy(&(*values)[offsets[i]], params[i], kernel->sizes[i]);
    if (kernel->pointees[i] != 0) {
      const void* p = at((*values)[offsets[i]]);
      if (p == nullptr) continue;
      char what[128];
      snprintf(what, sizeof what, "%s: parameter %zu", name, i);
      if (!emu::device(p, 1, kernel->pointees[i], what)) {
        emu::poison();  // what the real kernel would do
        return ILLEGAL_ADDRESS;
      }
      task.ranges.push_back(emu::range(p, 1));
    }
  }
  task.run = [=] {
    std::vector<void*> args;
    for (size_t offset : offsets) args.push_back(&(*values)[offset]);
    unsigned grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};
    emu::launch(*kernel, grid, block, shared, args.data());
  };
  return submit(stream, std::move(task));
}

// ---- graphs -------------------------------------------------------------------------------------

int cuStreamBeginCapture_v2(void* handle, int mode) {
  CU_API(cuStreamBeginCapture, CAPTURE_UNSUPPORTED);
  if (mode < 0 || mode > 2) return INVALID_VALUE;
  emu::Stream* s = emu::stream(handle);
  if (s == nullptr) return INVALID_HANDLE;
  if (handle == nullptr || reinterpret_cast<uintptr_t>(handle) == 1) {
    emu::say("the null stream can't be captured");
    return CAPTURE_UNSUPPORTED;
  }
  if (s->capture) {
    emu::say("the stream is capturing already");
    return 401;
  }
  s->capture = new emu::Graph;
  s->captureOrigin = true;
  s->captureMode = mode;
  s->captureThread = std::this_thread::get_id();
  return OK;
}

int cuStreamEndCapture(void* handle, void** graph) {
  emu::Call call("cuStreamEndCapture");
  emu::Stream* s = emu::stream(handle);
  if (int state = ready(); state != OK) {
    if (s != nullptr && s->capture && s->captureOrigin) emu::endCapture(s->capture);
    return state;
  }
  if (s == nullptr) return INVALID_HANDLE;
  if (call.injected() && s->capture) s->capture->invalid = true;  // a failure ends it all the same
  if (s->capture == nullptr || !s->captureOrigin) {
    emu::say("the stream is not capturing");
    return s->capture ? CAPTURE_UNMATCHED : 401;
  }
  emu::Graph* g = s->capture;
  if (s->captureMode != 2 && s->captureThread != std::this_thread::get_id()) {
    emu::say("the capture was begun by another thread");
    return CAPTURE_WRONG_THREAD;
  }
  emu::endCapture(g);
  *graph = nullptr;
  if (g->invalid) {
    if (!call.injected())
      emu::say("the capture was invalidated by a call that is not permitted during one");
    return CAPTURE_INVALIDATED;
  }
  *graph = g;
  emu::born(g, "graph");
  return OK;
}

int cuStreamIsCapturing(void* handle, int* status) {
  CU_API(cuStreamIsCapturing, 999);
  emu::Stream* s = emu::stream(handle);
  if (s == nullptr) return INVALID_HANDLE;
  *status = s->capture == nullptr ? 0 : s->capture->invalid ? 2 : 1;
  return OK;
}

int cuThreadExchangeStreamCaptureMode(int* mode) {
  EMU_API(cuThreadExchangeStreamCaptureMode, 999);
  if (*mode < 0 || *mode > 2) return INVALID_VALUE;
  std::swap(*mode, emu::threadCaptureMode());
  return OK;
}

static int instantiate(void** exec, void* graph) {
  if (!emu::lives(graph, "graph")) return INVALID_VALUE;
  auto* copy = new emu::Graph(*static_cast<emu::Graph*>(graph));
  emu::born(copy, "graph exec");
  *exec = copy;
  return OK;
}

int cuGraphInstantiateWithFlags(void** exec, void* graph, unsigned long long) {
  CU_API(cuGraphInstantiate, OUT_OF_MEMORY);
  return instantiate(exec, graph);
}
int cuGraphInstantiate_v2(void** exec, void* graph, void**, char*, size_t) {
  CU_API(cuGraphInstantiate, OUT_OF_MEMORY);
  return instantiate(exec, graph);
}
int cuGraphInstantiate(void** exec, void* graph, unsigned long long) {
  CU_API(cuGraphInstantiate, OUT_OF_MEMORY);
  return instantiate(exec, graph);
}
int cuGraphInstantiateWithParams(void** exec, void* graph, void* params) {
  CU_API(cuGraphInstantiate, OUT_OF_MEMORY);
  if (params) memset(static_cast<char*>(params) + 16, 0, 12);
  return instantiate(exec, graph);
}

int cuGraphLaunch(void* exec, void* stream) {
  CU_API(cuGraphLaunch, LAUNCH_FAILED);
  if (!emu::lives(exec, "graph exec")) return INVALID_VALUE;
  if (emu::stream(stream) == nullptr) return INVALID_HANDLE;
  auto* g = static_cast<emu::Graph*>(exec);
  emu::count("graph nodes", long(g->tasks.size()));
  for (emu::Task& task : g->tasks) {
    if (task.function && !emu::lives(task.function, "function")) return INVALID_HANDLE;
    for (emu::Range& r : task.ranges) {
      emu::Allocation* a = emu::find(r.p);
      if (a == nullptr || a->released || a->id != r.allocation) {
        emu::say("the graph touches memory %p that was freed", r.p);
        emu::poison();
        return ILLEGAL_ADDRESS;
      }
    }
  }
  for (emu::Task& task : g->tasks)
    if (int status = submit(stream, task); status != OK) return status;
  return OK;
}

int cuGraphExecDestroy(void* exec) {
  EMU_API(cuGraphExecDestroy, 999);
  return emu::dies(exec, "graph exec") ? OK : INVALID_VALUE;
}

int cuGraphDestroy(void* graph) {
  EMU_API(cuGraphDestroy, 999);
  return emu::dies(graph, "graph") ? OK : INVALID_VALUE;
}

// ---- errors -------------------------------------------------------------------------------------

static const std::map<int, const char*>& errorNames() {
  static const std::map<int, const char*> names = {
      {0, "CUDA_SUCCESS"},
      {1, "CUDA_ERROR_INVALID_VALUE"},
      {2, "CUDA_ERROR_OUT_OF_MEMORY"},
      {3, "CUDA_ERROR_NOT_INITIALIZED"},
      {101, "CUDA_ERROR_INVALID_DEVICE"},
      {200, "CUDA_ERROR_INVALID_IMAGE"},
      {201, "CUDA_ERROR_INVALID_CONTEXT"},
      {209, "CUDA_ERROR_NO_BINARY_FOR_GPU"},
      {218, "CUDA_ERROR_INVALID_PTX"},
      {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"},
      {400, "CUDA_ERROR_INVALID_HANDLE"},
      {401, "CUDA_ERROR_ILLEGAL_STATE"},
      {500, "CUDA_ERROR_NOT_FOUND"},
      {600, "CUDA_ERROR_NOT_READY"},
      {700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
      {719, "CUDA_ERROR_LAUNCH_FAILED"},
      {801, "CUDA_ERROR_NOT_SUPPORTED"},
      {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
      {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"},
      {903, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED"},
      {905, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION"},
      {906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT"},
      {907, "CUDA_ERROR_CAPTURED_EVENT"},
      {908, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD"},
      {999, "CUDA_ERROR_UNKNOWN"}};
  return names;
}

int cuGetErrorName(int error, const char** name) {
  auto it = errorNames().find(error);
  *name = it == errorNames().end() ? nullptr : it->second;
  return *name ? OK : INVALID_VALUE;
}

int cuGetErrorString(int error, const char** text) { return cuGetErrorName(error, text); }
}
