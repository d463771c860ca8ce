// cuDNN 9: engines of the graph API, for a convolution with pointwise operations behind it, and the
// execution of their plans.
#include <set>

#include "cudnn_backend.h"

using namespace dnn;

namespace {

enum Note { TENSOR_CORE, DOWN_CONVERT_INPUTS, REDUCED_PRECISION_REDUCTION, FFT, NONDETERMINISTIC };

/// A graph that begins with a convolution whose result each later operation goes on from.
struct Pattern {
  Backend *x, *w, *y;         // y: of the convolution
  Backend* convolution;       // its descriptor
  std::vector<Backend*> pointwise;
  Backend* out;               // what is not virtual
  int groups;
};

bool pattern(Backend& graph, Pattern* p) {
  auto ops = graph.all<Backend*>(801);
  if (ops[0]->kind != OPERATION_CONVOLUTION) return false;
  p->convolution = ops[0]->one<Backend*>(702);
  p->w = ops[0]->one<Backend*>(703);
  p->x = ops[0]->one<Backend*>(704);
  p->y = p->out = ops[0]->one<Backend*>(705);
  p->groups = int(p->x->tensor.dims[1] / p->w->tensor.dims[1]);
  for (size_t i = 1; i < ops.size(); i++) {
    if (ops[i]->kind != OPERATION_POINTWISE || !p->out->isVirtual) return false;
    if (ops[i]->one<Backend*>(751)->uid != p->out->uid) return false;
    p->pointwise.push_back(ops[i]);
    p->out = ops[i]->one<Backend*>(753);
  }
  return !p->out->isVirtual;
}

bool aligned(const Pattern& p, int bytes) {
  for (Backend* t : {p.x, p.w, p.out})
    if (t->alignment % bytes) return false;
  return true;
}

/// Runtime fusion: any operations behind it, channels innermost and 16 bytes of them at once, on
/// tensor cores, which for bfloat16 and TF32 came with Ampere; one group, the same padding on both
/// sides, single precision between operations.
bool runtimeFusion(const Pattern& p) {
  const Tensor& x = p.x->tensor;
  int many = int(16 / x.element());
  bool fits = x.nhwc() && p.w->tensor.nhwc() && p.out->tensor.nhwc() && p.groups == 1 &&
              x.dims[1] % many == 0 && p.w->tensor.dims[0] % many == 0 && aligned(p, 16);
  bool core = emu::capability() >= (x.type == HALF ? 75 : 80);
  return fits && core && p.convolution->all<int64_t>(104) == p.convolution->all<int64_t>(105);
}

/// The pattern of cudnnConvolutionBiasActivationForward: [residual,] bias, [ReLU].
bool precompiled(const Pattern& p) {
  const Tensor& x = p.x->tensor;
  size_t i = 0, n = p.pointwise.size();
  auto add = [&](bool bias) {
    if (i == n || p.pointwise[i]->one<Backend*>(750)->one<int>(0) != ADD) return false;
    const Backend* b = p.pointwise[i]->one<Backend*>(752);
    bool vector = b->tensor.count() == p.out->tensor.dims[1] && !b->byValue;
    return bias ? vector : b->tensor.sameLayout(p.out->tensor);
  };
  if (add(false)) i++;
  if (!add(true)) return false;
  i++;
  bool propagates = false;
  if (i < n) {
    Backend* relu = p.pointwise[i++]->one<Backend*>(750);
    if (relu->one<int>(0) != RELU_FWD || relu->has(3) || relu->has(4) || relu->has(5)) return false;
    propagates = relu->has(2) && relu->one<int>(2) == 1;
  }
  bool both = p.convolution->all<int64_t>(104) == p.convolution->all<int64_t>(105);
  if (i < n || !both || (x.type == BFLOAT16 && emu::capability() < 80)) return false;
  return !x.sixteen() || (!propagates && p.groups == 1 && x.nhwc());
}

std::vector<Engine> engines(Backend& graph) {
  Pattern p;
  std::vector<Engine> out;
  if (!pattern(graph, &p)) return out;
  const Tensor& x = p.x->tensor;
  if (x.type != p.w->tensor.type || x.type != p.out->tensor.type) return out;
  for (Backend* op : p.pointwise)
    if (op->one<Backend*>(753)->isVirtual && op->one<Backend*>(753)->tensor.type != FLOAT)
      return out;
  bool one = precompiled(p), any = runtimeFusion(p);
  if (any || one) out.push_back({11, {NONDETERMINISTIC}, 0, true});
  if (any || one) out.push_back({7, {}, 0, false});
  if (any) out.push_back({38, {TENSOR_CORE}, 768, true});
  if (one) {
    bool tensorCore = x.sixteen() || (x.nhwc() && !x.nchw() && emu::capability() >= 80);
    out.push_back({5, tensorCore ? std::vector<int>{TENSOR_CORE} : std::vector<int>{}, 0, true});
  }
  return out;
}

double apply(const Backend& d, double v) {
  switch (d.one<int>(0)) {
    case RELU_FWD: {
      double lower = d.has(3) ? d.real(3) : 0, upper = d.has(4) ? d.real(4) : INFINITY;
      double slope = d.has(5) ? d.real(5) : 0;
      bool propagates = d.has(2) && d.one<int>(2) == 1;
      if (v != v) return propagates ? v : lower;
      return v > lower ? std::min(v, upper) : slope == 0 ? lower : lower + slope * (v - lower);
    }
    case TANH_FWD: return std::tanh(v);
    case SIGMOID_FWD: return 1 / (1 + std::exp(-v));
    case ELU_FWD: return v > 0 ? v : (d.has(6) ? d.real(6) : 1) * std::expm1(v);
    case GELU_FWD: return v / 2 * (1 + std::erf(v / std::sqrt(2.0)));
    case SOFTPLUS_FWD: {
      double beta = d.has(7) ? d.real(7) : 1;
      return (std::max(beta * v, 0.0) + std::log1p(std::exp(-std::fabs(beta * v)))) / beta;
    }
    default: return v / (1 + std::exp(-(d.has(8) ? d.real(8) : 1) * v));
  }
}

/// What an operand holds, in single precision.
float element(const Tensor& t, const void* p, long at) {
  float v = 0;
  typedAll(t, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    v = float(static_cast<const T*>(p)[at]);
    return 0;
  });
  return v;
}

void run(const Pattern& p, bool tf32, const std::map<int64_t, void*>& memory) {
  Geometry geometry = {};
  for (int i = 0; i < 2; i++) {
    geometry.dilation[i] = int(p.convolution->all<int64_t>(102)[i]);
    geometry.stride[i] = int(p.convolution->all<int64_t>(103)[i]);
    geometry.pad[i] = int(p.convolution->all<int64_t>(105)[i]);
  }
  geometry.mode = p.convolution->one<int>(101);
  geometry.groups = p.groups;
  const Tensor& y = p.out->tensor;
  std::map<int64_t, std::vector<float>> between;
  std::vector<float> now = convolved(p.x->tensor, p.w->tensor, y, geometry, tf32,
                                     memory.at(p.x->uid), memory.at(p.w->uid));
  between[p.y->uid] = now;
  for (Backend* op : p.pointwise) {
    Backend* d = op->one<Backend*>(750);
    int mode = d->one<int>(0);
    if (mode == ADD || mode == MUL) {
      Backend* b = op->one<Backend*>(752);
      each(y, y, b->tensor, y, [&](long i, long j, long) {
        float v = b->isVirtual ? between.at(b->uid)[j] : element(b->tensor, memory.at(b->uid), j);
        now[i] = mode == ADD ? now[i] + v : now[i] * v;
      });
    } else {
      for (float& v : now) v = float(apply(*d, v));
    }
    between[op->one<Backend*>(753)->uid] = now;
  }
  typedAll(y, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    std::transform(now.begin(), now.end(), static_cast<T*>(memory.at(p.out->uid)),
                   [](float v) { return T(v); });
    return 0;
  });
}

Backend* alive(void* raw, int kind) {
  if (!emu::lives(raw, "backend descriptor")) return nullptr;
  auto* b = static_cast<Backend*>(raw);
  return check(b->kind == kind && b->finalised, "not a finalised descriptor of this kind") ? b
                                                                                        : nullptr;
}

bool overlap(const void* a, size_t n, const void* b, size_t m) {
  auto x = reinterpret_cast<uintptr_t>(a), y = reinterpret_cast<uintptr_t>(b);
  return x < y + m && y < x + n;
}

}  // namespace

namespace dnn {

int finishHeuristics(Backend& b) {
  int mode = b.one<int>(200);
  if (!check(mode >= 0 && mode <= 3, "not a mode of heuristics")) return BAD_PARAM;
  Backend* graph = b.one<Backend*>(201);
  if (!check(graph->kind == GRAPH, "heuristics are for a graph")) return BAD_PARAM;
  b.graph = graph;
  b.engines = engines(*graph);
  return b.engines.empty() ? NOT_SUPPORTED : OK;
}

int finishPlan(Backend& b) {
  if (handle(b.one<void*>(400)) == nullptr) return NOT_INITIALIZED;
  if (emu::unsafeInCapture()) return INTERNAL_ERROR;
  Backend* configuration = b.one<Backend*>(401);
  if (!check(configuration->kind == ENGINECFG, "a plan is of a configuration")) return BAD_PARAM;
  b.graph = configuration->graph;
  b.engines = configuration->engines;
  if (!b.engines[0].builds) return NOT_SUPPORTED;
  auto* bytes = reinterpret_cast<unsigned char*>(&b.engines[0].workspace);
  b.values[402] = {INT64, {bytes, bytes + 8}};
  return OK;
}

int fillDescriptors(Backend& b, int attribute, int64_t wanted, int64_t* count, void* values) {
  bool heuristics = attribute == 202;
  int64_t there = heuristics ? int64_t(b.engines.size()) : 1;
  if (wanted == 0) return *count = there, OK;
  int64_t n = std::min(wanted, there);
  for (int64_t i = 0; i < n; i++) {
    void* raw = static_cast<void**>(values)[i];
    if (!emu::lives(raw, "backend descriptor")) return BAD_PARAM;
    auto* into = static_cast<Backend*>(raw);
    bool fits = into->kind == (heuristics ? ENGINECFG : ENGINE) && !into->finalised;
    if (!check(fits, "another descriptor than the answer needs")) return BAD_PARAM;
    into->graph = b.graph;
    into->engines = {b.engines[i]};
    const Engine& e = into->engines[0];
    auto* index = reinterpret_cast<const unsigned char*>(&e.index);
    into->values[1301] = {INT64, {index, index + 8}};
    auto* notes = reinterpret_cast<const unsigned char*>(e.notes.data());
    into->values[1303] = {NUMERICAL_NOTE, {notes, notes + 4 * e.notes.size()}};
    into->finalised = true;
  }
  if (count) *count = n;
  return OK;
}

}  // namespace dnn

extern "C" {

int cudnnBackendExecute(void* raw, void* planRaw, void* packRaw) {
  DNN_API(cudnnBackendExecute);
  Backend *plan = alive(planRaw, dnn::PLAN), *pack = alive(packRaw, PACK);
  if (!plan || !pack) return BAD_PARAM;
  if (!check(plan->one<void*>(400) == raw, "the plan is of another handle")) return BAD_PARAM;
  if (int status = backendPlanStage("execute"); status != OK) return status;
  Pattern p;
  if (!pattern(*plan->graph, &p)) return INTERNAL_ERROR;
  std::map<int64_t, Backend*> tensors = {{p.x->uid, p.x}, {p.w->uid, p.w}, {p.out->uid, p.out}};
  for (Backend* op : p.pointwise)
    if (op->has(752) && !op->one<Backend*>(752)->isVirtual)
      tensors[op->one<Backend*>(752)->uid] = op->one<Backend*>(752);
  auto ids = pack->all<int64_t>(1000);
  auto pointers = pack->all<void*>(1001);
  std::map<int64_t, void*> memory;
  std::vector<emu::Range> ranges;
  for (size_t i = 0; i < ids.size(); i++) {
    if (!check(tensors.count(ids[i]), "the graph has no such tensor, or it is virtual"))
      return BAD_PARAM;
    memory[ids[i]] = pointers[i];
  }
  if (!check(memory.size() == tensors.size(), "a tensor has no address")) return BAD_PARAM;
  std::map<int64_t, float> numbers;
  for (auto& [uid, t] : tensors) {
    void* at = memory.at(uid);
    if (t->byValue) {
      if (!emu::host(at, "a number by value")) return BAD_PARAM;
      numbers[uid] = element(t->tensor, at, 0);
      continue;
    }
    if (!emu::device(at, t->tensor.bytes(), size_t(t->alignment), "a tensor")) return BAD_PARAM;
    ranges.push_back(span(t->tensor, at));
    if (uid != p.out->uid &&
        !check(!overlap(at, t->tensor.bytes(), memory.at(p.out->uid), p.out->tensor.bytes()),
               "the output overlaps an input"))
      return BAD_PARAM;
  }
  const Engine& engine = plan->engines[0];
  void* space = pack->one<void*>(1003);
  if (engine.workspace > 0) {
    if (!emu::device(space, engine.workspace, 16, "the workspace")) return BAD_PARAM;
    ranges.push_back(emu::range(space, engine.workspace));
  }
  bool tf32 = p.x->tensor.type == FLOAT && !engine.notes.empty() && engine.notes[0] == TENSOR_CORE;
  size_t bytes = engine.workspace;
  return submit(
      h,
      [p, tf32, memory, numbers, space, bytes]() mutable {
        if (bytes > 0) emu::garbage(space, bytes);
        for (auto& [uid, v] : numbers) memory[uid] = &v;
        run(p, tf32, memory);
      },
      ranges);
}
}
