#include "emu.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>

#include "driver.h"

namespace emu {
namespace {

constexpr size_t kFence = 512;
constexpr size_t kQuarantine = size_t(64) << 20;
constexpr unsigned char kPattern[4] = {0xA5, 0xA5, 0xF5, 0x7F};  // NaN as float and as double

struct State {
  std::recursive_mutex mutex;
  std::map<uintptr_t, Allocation> live;
  std::map<uintptr_t, size_t> freed;
  std::vector<Allocation> quarantine;
  size_t quarantined = 0;
  std::map<uintptr_t, size_t> pinned;
  std::map<void*, const char*> objects;
  std::set<void*> dead;
  std::vector<Stream*> streams;
  Stream null;
  std::map<std::string, long> counts;
  std::string failApi;
  long failIn = 0;
  bool failForGood = false;
  size_t memory = size_t(8) << 30;
  size_t used = 0;  // not counting what the pool holds in reserve
  Pool pool;
  std::string name = "Emulated CUDA device";
  uint64_t nextAllocation = 1;
  double clock = 1;
  bool poisoned = false;
  bool eager = false;
  std::string lastMessage;
  int capability = number("SECATEUR_EMU_CAPABILITY", 80);
  int driver = number("SECATEUR_EMU_DRIVER", 12060);
  int cudnn = number("SECATEUR_EMU_CUDNN", 90300);
  static int number(const char* name, int otherwise) {
    const char* v = getenv(name);
    return v ? atoi(v) : otherwise;
  }
  State() {
    if (const char* m = getenv("SECATEUR_EMU_MEMORY")) memory = strtoull(m, nullptr, 10);
    eager = getenv("SECATEUR_EMU_EAGER") != nullptr;
  }
};

State& state() {
  static State* s = new State;  // never destroyed: the JVM's threads outlive static destructors
  return *s;
}

thread_local const char* currentApi = "";
thread_local void* currentContext = nullptr;

// The fences around an allocation are signalling NaNs (as floats) of its own: arithmetic in place
// makes them quiet, and what lies beyond other allocations differs.
unsigned char fenceByte(const Allocation& a, size_t i) {
  uint32_t word = 0x7F800001u | (uint32_t(a.id * 2654435761u) >> 10 & 0x3FFFFE);
  return reinterpret_cast<unsigned char*>(&word)[i % 4];
}

void buildFence(const Allocation& a, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) static_cast<unsigned char*>(a.base)[i] = fenceByte(a, i);
}

bool fenceIntact(const Allocation& a, size_t from, size_t to) {
  for (size_t i = from; i < to; i++)
    if (static_cast<unsigned char*>(a.base)[i] != fenceByte(a, i)) return false;
  return true;
}

size_t fenceEnd(const Allocation& a) { return (a.bytes + 511) / 512 * 512 + 2 * kFence; }

bool isCleanup(const char* api) {
  for (const char* word : {"Destroy", "Free", "GetError", "Release", "Unload", "EndCapture"})
    if (strstr(api, word)) return true;
  return false;
}

void execute(Task& task) {
  State& s = state();
  if (s.poisoned) return;
  for (const Range& r : task.ranges) {
    auto it = s.live.upper_bound(reinterpret_cast<uintptr_t>(r.p));
    if (it == s.live.begin() || std::prev(it)->second.id != r.allocation) {
      say("work that was enqueued touches memory %p that was freed before it ran", r.p);
      poison();
      return;
    }
  }
  s.clock += 0.005;
  for (size_t i = 0; i < task.ranges.size(); i++) {
    bool first = true;
    for (size_t j = 0; j < i; j++) first &= task.ranges[j].p != task.ranges[i].p;
    if (first) s.clock += 1e-9 * double(task.ranges[i].bytes);
  }
  auto begun = std::chrono::steady_clock::now();
  task.run();
  std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
  s.clock += 20 * std::floor(took.count() / 20);
  if (!fencesIntact(task.ranges)) poison();
}

void runUntil(Stream* stream, uint64_t ticket) {
  while (stream->done < ticket && stream->head < stream->queue.size()) {
    Task task = std::move(stream->queue[stream->head++]);
    stream->done++;
    if (stream->head == stream->queue.size()) {
      stream->queue.clear();
      stream->head = 0;
    }
    execute(task);
  }
}

}  // namespace

std::recursive_mutex& mutex() { return state().mutex; }

void say(const char* format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  state().lastMessage = std::string(currentApi) + ": " + text;
  fprintf(stderr, "emulated CUDA: %s\n", state().lastMessage.c_str());
}

Call::Call(const char* api) : guard_(mutex()), outer_(currentApi) {
  State& s = state();
  currentApi = api;
  s.counts[api]++;
  unsupported_ = s.failIn < 0 && s.failApi == api;
  if (unsupported_) say("refused, as a test wants it");
  if (s.failIn > 0 && (s.failApi == api || (s.failApi == "*" && !isCleanup(api)))) {
    if (--s.failIn == 0) {
      injected_ = true;
      s.lastMessage = std::string(api) + ": injected failure";
      if (s.failForGood) poison();
    }
  }
}

Call::~Call() { currentApi = outer_; }

void count(const char* name, long n) { state().counts[name] += n; }

double clock() { return state().clock; }

int capability() { return state().capability; }
int driverVersion() { return state().driver; }
int cudnnVersion() { return state().cudnn; }

bool poisoned() { return state().poisoned; }

bool refused() {
  if (state().poisoned && !state().failForGood) say("refused: earlier work made an illegal access");
  return state().poisoned;
}

void poison() { state().poisoned = true; }

void garbage(void* p, size_t bytes) {
  auto* c = static_cast<unsigned char*>(p);
  size_t n = std::min<size_t>(bytes, 4096);
  for (size_t i = 0; i < n; i++) c[i] = kPattern[i % 4];
  for (size_t at = n; at < bytes; at += n) memcpy(c + at, c, std::min(n, bytes - at));
}

// ---- memory -------------------------------------------------------------------------------------

Pool& pool() { return state().pool; }

void trimPool(size_t keep) {
  Pool& p = pool();
  if (p.reserved > std::max(keep, p.used)) {
    p.reserved = std::max(keep, p.used);
    count("poolReleases", 1);
  }
}

void synchronised() { trimPool(pool().threshold); }

bool allocate(size_t bytes, bool pooled, void** out) {
  State& s = state();
  size_t taken = pooled ? s.used : usedMemory();
  if (bytes > s.memory - std::min(s.memory, taken)) {
    say("out of memory: %zu bytes wanted, %zu of %zu used", bytes, taken, s.memory);
    return false;
  }
  void* base = nullptr;
  size_t rounded = (bytes + 511) / 512 * 512;
  if (posix_memalign(&base, 512, rounded + 2 * kFence) != 0) return false;
  auto* p = static_cast<unsigned char*>(base) + kFence;
  auto at = reinterpret_cast<uintptr_t>(p);
  auto it = s.freed.lower_bound(at - kFence);
  while (it != s.freed.end() && it->first < at + rounded + kFence) it = s.freed.erase(it);
  Allocation a{base, bytes, s.nextAllocation++, false, pooled};
  garbage(p, bytes);
  buildFence(a, 0, kFence);
  buildFence(a, kFence + bytes, fenceEnd(a));
  s.live[at] = a;
  s.used += bytes;
  if (pooled) {
    s.pool.used += bytes;
    if (s.pool.used > s.pool.reserved) {
      s.pool.reserved = s.pool.used;
      count("poolGrowths", 1);
    }
  }
  *out = p;
  return true;
}

Allocation* find(const void* p) {
  State& s = state();
  auto at = reinterpret_cast<uintptr_t>(p);
  auto it = s.live.upper_bound(at);
  if (it == s.live.begin()) return nullptr;
  --it;
  return at < it->first + std::max<size_t>(it->second.bytes, 1) ? &it->second : nullptr;
}

void physicallyFree(const void* p) {
  State& s = state();
  auto at = reinterpret_cast<uintptr_t>(p);
  auto it = s.live.find(at);
  if (it == s.live.end()) return;
  Allocation a = it->second;
  auto* base = static_cast<unsigned char*>(a.base);
  garbage(base, a.bytes + kFence);
  s.used -= a.bytes;
  if (a.pooled) s.pool.used -= a.bytes;
  s.live.erase(it);
  s.freed[at] = a.bytes;
  s.quarantine.push_back(a);
  s.quarantined += a.bytes;
  while (s.quarantined > kQuarantine && !s.quarantine.empty()) {
    const Allocation& oldest = s.quarantine.front();
    s.quarantined -= oldest.bytes;
    s.freed.erase(reinterpret_cast<uintptr_t>(oldest.base) + kFence);  // the host may use it again
    free(oldest.base);
    s.quarantine.erase(s.quarantine.begin());
  }
}

bool isDevice(const void* p) { return find(p) != nullptr; }

bool isPinned(const void* p, size_t bytes) {
  State& s = state();
  auto at = reinterpret_cast<uintptr_t>(p);
  auto it = s.pinned.upper_bound(at);
  if (it == s.pinned.begin()) return false;
  --it;
  return at + bytes <= it->first + it->second;
}

bool allocatePinned(size_t bytes, void** out) {
  void* p = nullptr;
  if (posix_memalign(&p, 4096, std::max<size_t>(bytes, 1)) != 0) return false;
  garbage(p, bytes);
  state().pinned[reinterpret_cast<uintptr_t>(p)] = bytes;
  *out = p;
  return true;
}

bool freePinned(void* p) {
  State& s = state();
  auto it = s.pinned.find(reinterpret_cast<uintptr_t>(p));
  if (it == s.pinned.end()) {
    say("%p is not page-locked memory (freed twice?)", p);
    return false;
  }
  garbage(p, it->second);
  s.pinned.erase(it);
  free(p);
  return true;
}

bool device(const void* p, size_t bytes, size_t align, const char* what) {
  State& s = state();
  if (p == nullptr) {
    say("%s is null", what);
    return false;
  }
  Allocation* a = find(p);
  auto at = reinterpret_cast<uintptr_t>(p);
  if (a == nullptr) {
    auto it = s.freed.upper_bound(at);
    if (it != s.freed.begin() && at < std::prev(it)->first + std::prev(it)->second)
      say("%s %p was freed", what, p);
    else if (isPinned(p, 1))
      say("%s %p is page-locked host memory, not a device pointer", what, p);
    else
      say("%s %p is not a device pointer", what, p);
    return false;
  }
  if (a->released) {
    say("%s %p was freed", what, p);
    return false;
  }
  auto base = reinterpret_cast<uintptr_t>(a->base) + kFence;
  if (at + bytes > base + a->bytes) {
    say("%s: %zu bytes at offset %zu do not fit into its allocation of %zu bytes", what, bytes,
        size_t(at - base), a->bytes);
    return false;
  }
  if (align > 1 && at % align != 0) {
    say("%s %p is not aligned to %zu bytes", what, p, align);
    return false;
  }
  return true;
}

bool host(const void* p, const char* what) {
  if (p == nullptr) {
    say("%s is null", what);
    return false;
  }
  if (isDevice(p)) {
    say("%s %p is a device pointer, host memory expected", what, p);
    return false;
  }
  return true;
}

Range range(const void* p, size_t bytes) {
  Allocation* a = find(p);
  return Range{p, bytes, a ? a->id : 0};
}

bool allocation(const void* p, const void** base, size_t* bytes) {
  Allocation* a = find(p);
  if (a == nullptr) return false;
  *base = static_cast<char*>(a->base) + kFence;
  *bytes = a->bytes;
  return true;
}

bool fencesIntact(const std::vector<Range>& ranges) {
  bool intact = true;
  for (const Range& r : ranges) {
    Allocation* a = find(r.p);
    if (a == nullptr) continue;
    if (!fenceIntact(*a, 0, kFence) || !fenceIntact(*a, kFence + a->bytes, fenceEnd(*a))) {
      say("something wrote outside the allocation %p of %zu bytes",
          static_cast<void*>(static_cast<char*>(a->base) + kFence), a->bytes);
      buildFence(*a, 0, kFence);
      buildFence(*a, kFence + a->bytes, fenceEnd(*a));
      intact = false;
    }
  }
  return intact;
}

// ---- objects ------------------------------------------------------------------------------------

void born(void* object, const char* kind) {
  state().dead.erase(object);
  state().objects[object] = kind;
}

bool lives(void* object, const char* kind) {
  State& s = state();
  if (object == nullptr) {
    say("the %s is null", kind);
    return false;
  }
  auto it = s.objects.find(object);
  if (it == s.objects.end()) {
    if (s.dead.count(object))
      say("the %s %p was destroyed", kind, object);
    else
      say("%p is not a %s", object, kind);
    return false;
  }
  if (strcmp(it->second, kind) != 0) {
    say("%p is a %s, not a %s", object, it->second, kind);
    return false;
  }
  return true;
}

bool dies(void* object, const char* kind) {
  if (!lives(object, kind)) return false;
  state().objects.erase(object);
  state().dead.insert(object);
  return true;
}

// ---- contexts, streams --------------------------------------------------------------------------

bool hasContext() {
  if (currentContext == nullptr) say("this thread has no current context");
  return currentContext != nullptr && lives(currentContext, "context");
}
void* currentContextHandle() { return currentContext; }
void setCurrentContext(void* context) { currentContext = context; }

Stream* stream(void* handle) {
  State& s = state();
  if (handle == nullptr || handle == reinterpret_cast<void*>(1)) return &s.null;
  return lives(handle, "stream") ? static_cast<Stream*>(handle) : nullptr;
}

void addStream(Stream* stream) { state().streams.push_back(stream); }

void removeStream(Stream* stream) {
  auto& all = state().streams;
  all.erase(std::remove(all.begin(), all.end(), stream), all.end());
}

void drain(Stream* stream) { runUntil(stream, stream->enqueued); }

void drainUntil(Stream* stream, uint64_t ticket) { runUntil(stream, ticket); }

void drainAll() {
  for (Stream* each : std::vector<Stream*>(state().streams)) drain(each);
}

void drainBlocking() {
  for (Stream* each : std::vector<Stream*>(state().streams))
    if (each->blocking) drain(each);
}

bool enqueue(void* handle, Task task) {
  State& s = state();
  Stream* on = stream(handle);
  if (on == nullptr) return false;
  if (on == &s.null) {
    for (Stream* each : s.streams)
      if (each->blocking && each->capture) {
        say("work on the null stream while a blocking stream captures");
        each->capture->invalid = true;
        return false;
      }
    drainBlocking();
    execute(task);
    return true;
  }
  if (on->capture) {
    if (on->capture->invalid) {
      say("the capture of this stream is invalid");
      return false;
    }
    on->capture->tasks.push_back(std::move(task));
    return true;
  }
  on->queue.push_back(std::move(task));
  on->enqueued++;
  if (s.eager || on->queue.size() > 20000) drain(on);
  return true;
}

bool capturing(void* handle) {
  Stream* on = stream(handle);
  if (on == nullptr || !on->capture) return false;
  say("not permitted while the stream is capturing");
  on->capture->invalid = true;
  return true;
}

int& threadCaptureMode() {
  thread_local int mode = 0;
  return mode;
}

bool unsafeInCapture() {
  if (threadCaptureMode() == 2) return false;
  for (Stream* each : state().streams)
    if (each->capture && each->captureMode != 2) {
      bool own = each->captureThread == std::this_thread::get_id();
      bool global = each->captureMode == 0 && threadCaptureMode() == 0;
      if (!own && !global) continue;
      say("not permitted while a stream is capturing");
      each->capture->invalid = true;
      return true;
    }
  return false;
}

void endCapture(Graph* graph) {
  for (Stream* each : state().streams)
    if (each->capture == graph) {
      each->capture = nullptr;
      each->captureOrigin = false;
    }
}

const char* deviceName() { return state().name.c_str(); }
size_t totalMemory() { return state().memory; }
size_t usedMemory() {
  State& s = state();
  return s.used + s.pool.reserved - s.pool.used;
}

std::map<std::string, HostKernel>& kernels() {
  static auto* all = new std::map<std::string, HostKernel>;
  return *all;
}

}  // namespace emu

// ---- for the tests ------------------------------------------------------------------------------

extern "C" {

int secateurEmuLiveObjects(char* text, int size) {
  std::lock_guard<std::recursive_mutex> guard(emu::mutex());
  auto& s = emu::state();
  std::string out;
  int n = 0;
  char line[128];
  for (auto& [at, a] : s.live) {
    if (a.released) continue;
    snprintf(line, sizeof line, "device memory %p, %zu bytes\n", (void*)at, a.bytes);
    out += line;
    n++;
  }
  for (auto& [at, bytes] : s.pinned) {
    snprintf(line, sizeof line, "page-locked memory %p, %zu bytes\n", (void*)at, bytes);
    out += line;
    n++;
  }
  for (auto& [object, kind] : s.objects) {
    if (strcmp(kind, "function") == 0) continue;
    snprintf(line, sizeof line, "%s %p\n", kind, object);
    out += line;
    n++;
  }
  if (text && size > 0) snprintf(text, size, "%s", out.c_str());
  return n;
}

long secateurEmuCount(const char* name) {
  std::lock_guard<std::recursive_mutex> guard(emu::mutex());
  auto it = emu::state().counts.find(name);
  return it == emu::state().counts.end() ? 0 : it->second;
}

/// Forgets counts, injected failures, an illegal access and the device's name; live objects stay.
void secateurEmuReset() {
  std::lock_guard<std::recursive_mutex> guard(emu::mutex());
  auto& s = emu::state();
  s.counts.clear();
  if (s.streams.empty()) {  // what a stream that died of an illegal access did not come to free
    std::vector<uintptr_t> released;
    for (auto& [at, a] : s.live)
      if (a.released) released.push_back(at);
    for (uintptr_t at : released) emu::physicallyFree(reinterpret_cast<void*>(at));
  }
  s.pool.threshold = 0;
  s.pool.reserved = s.pool.used;
  s.failIn = 0;
  s.failForGood = false;
  s.poisoned = false;
  s.lastMessage.clear();
  s.memory = size_t(8) << 30;
  s.name = emu::State().name;
  s.capability = emu::State().capability;
}

void secateurEmuCapability(int capability) {
  std::lock_guard<std::recursive_mutex> guard(emu::mutex());
  emu::state().capability = capability;
}

void secateurEmuFail(const char* api, long nth, int forGood) {
  std::lock_guard<std::recursive_mutex> guard(emu::mutex());
  emu::state().failApi = api;
  emu::state().failIn = nth;
  emu::state().failForGood = forGood != 0;
}

/// Lines of a count, a space and its name.
int secateurEmuCounts(char* text, int size) {
  std::lock_guard<std::recursive_mutex> guard(emu::mutex());
  std::string out;
  for (auto& [name, n] : emu::state().counts) out += std::to_string(n) + " " + name + "\n";
  return snprintf(text, size, "%s", out.c_str());
}

void secateurEmuName(const char* name) {
  std::lock_guard<std::recursive_mutex> guard(emu::mutex());
  emu::state().name = name;
}

void secateurEmuMemory(unsigned long long bytes) {
  std::lock_guard<std::recursive_mutex> guard(emu::mutex());
  emu::state().memory = bytes;
}

int secateurEmuLastMessage(char* text, int size) {
  std::lock_guard<std::recursive_mutex> guard(emu::mutex());
  return snprintf(text, size, "%s", emu::state().lastMessage.c_str());
}
}
