// cuDNN 9: descriptors of the graph API, as strict as its documentation has them. Where the real
// 9.5.1 takes more (missing pointwise attributes, values out of range), this does not.
#include "cudnn_backend.h"

#include <cstdlib>
#include <set>

using namespace dnn;

namespace dnn {

const char* kindName(int kind) {
  switch (kind) {
    case POINTWISE: return "pointwise";
    case CONVOLUTION: return "convolution";
    case ENGINE: return "engine";
    case ENGINECFG: return "configuration";
    case ENGINEHEUR: return "heuristics";
    case PLAN: return "plan";
    case OPERATION_CONVOLUTION: return "operation";
    case OPERATION_POINTWISE: return "operation";
    case GRAPH: return "graph";
    case PACK: return "pack";
    case TENSOR: return "tensor";
    default: return "";
  }
}

namespace {

struct Rule {
  int kind, attribute;
  std::vector<int> types;
  int most;       // values
  bool required;  // before it is finalised
  bool settable = true;
};

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = {
      {TENSOR, 900, {INT64}, 1, true},
      {TENSOR, 901, {DATA_TYPE}, 1, true},
      {TENSOR, 902, {INT64}, 8, true},
      {TENSOR, 903, {INT64}, 8, true},
      {TENSOR, 906, {INT64}, 1, true},
      {TENSOR, 907, {BOOLEAN}, 1, false},
      {TENSOR, 908, {BOOLEAN}, 1, false},
      {CONVOLUTION, 100, {DATA_TYPE}, 1, true},
      {CONVOLUTION, 101, {CONVOLUTION_MODE}, 1, true},
      {CONVOLUTION, 102, {INT64}, 8, true},
      {CONVOLUTION, 103, {INT64}, 8, true},
      {CONVOLUTION, 104, {INT64}, 8, true},
      {CONVOLUTION, 105, {INT64}, 8, true},
      {CONVOLUTION, 106, {INT64}, 1, true},
      {POINTWISE, 0, {POINTWISE_MODE}, 1, true},
      {POINTWISE, 1, {DATA_TYPE}, 1, true},
      {POINTWISE, 2, {NAN_PROPAGATION}, 1, false},
      {POINTWISE, 3, {DOUBLE_TYPE, FLOAT_TYPE}, 1, false},
      {POINTWISE, 4, {DOUBLE_TYPE, FLOAT_TYPE}, 1, false},
      {POINTWISE, 5, {DOUBLE_TYPE, FLOAT_TYPE}, 1, false},
      {POINTWISE, 6, {DOUBLE_TYPE, FLOAT_TYPE}, 1, false},
      {POINTWISE, 7, {DOUBLE_TYPE, FLOAT_TYPE}, 1, false},
      {POINTWISE, 8, {DOUBLE_TYPE, FLOAT_TYPE}, 1, false},
      {OPERATION_CONVOLUTION, 700, {DOUBLE_TYPE, FLOAT_TYPE}, 1, true},
      {OPERATION_CONVOLUTION, 701, {DOUBLE_TYPE, FLOAT_TYPE}, 1, true},
      {OPERATION_CONVOLUTION, 702, {DESCRIPTOR}, 1, true},
      {OPERATION_CONVOLUTION, 703, {DESCRIPTOR}, 1, true},
      {OPERATION_CONVOLUTION, 704, {DESCRIPTOR}, 1, true},
      {OPERATION_CONVOLUTION, 705, {DESCRIPTOR}, 1, true},
      {OPERATION_POINTWISE, 750, {DESCRIPTOR}, 1, true},
      {OPERATION_POINTWISE, 751, {DESCRIPTOR}, 1, true},
      {OPERATION_POINTWISE, 752, {DESCRIPTOR}, 1, false},
      {OPERATION_POINTWISE, 753, {DESCRIPTOR}, 1, true},
      {GRAPH, 800, {HANDLE}, 1, true},
      {GRAPH, 801, {DESCRIPTOR}, 64, true},
      {ENGINEHEUR, 200, {HEUR_MODE}, 1, true},
      {ENGINEHEUR, 201, {DESCRIPTOR}, 1, true},
      {ENGINEHEUR, 202, {DESCRIPTOR}, 1 << 10, false, false},
      {ENGINECFG, 300, {DESCRIPTOR}, 1, true, false},
      {ENGINE, 1301, {INT64}, 1, true, false},
      {ENGINE, 1303, {NUMERICAL_NOTE}, 64, false, false},
      {PLAN, 400, {HANDLE}, 1, true},
      {PLAN, 401, {DESCRIPTOR}, 1, true},
      {PLAN, 402, {INT64}, 1, false, false},
      {PACK, 1000, {INT64}, 64, true},
      {PACK, 1001, {VOID_PTR}, 64, true},
      {PACK, 1003, {VOID_PTR}, 1, true},
  };
  return all;
}

size_t size(int type) {
  switch (type) {
    case HANDLE: case INT64: case DOUBLE_TYPE: case VOID_PTR: case DESCRIPTOR: return 8;
    case BOOLEAN: return 1;
    default: return 4;
  }
}

const Rule* rule(int kind, int attribute) {
  for (const Rule& r : rules())
    if (r.kind == kind && r.attribute == attribute) return &r;
  emu::say("a %s descriptor has no attribute %d", kindName(kind), attribute);
  return nullptr;
}

bool typed(const Rule& r, int type) {
  for (int t : r.types)
    if (t == type) return true;
  emu::say("attribute %d is not of type %d", r.attribute, type);
  return false;
}

/// Whether a test or SECATEUR_EMU_REFUSE wants a stage refused: the kind of descriptor that is
/// finalised, or "execute".
bool refusedStage(const char* stage) {
  std::string name = std::string("cudnnBackend ") + stage;
  emu::Call call(name.c_str());
  const char* wanted = getenv("SECATEUR_EMU_REFUSE");
  return call.unsupported() || (wanted && strcmp(wanted, stage) == 0);
}

int finishTensor(Backend& b) {
  auto dims = b.all<int64_t>(902), strides = b.all<int64_t>(903);
  if (dims.size() != strides.size()) return emu::say("as many strides as dimensions"), BAD_PARAM;
  Tensor& t = b.tensor;
  t.type = b.one<int>(901);
  t.n = int(dims.size());
  bool known = t.type == FLOAT || t.type == HALF || t.type == BFLOAT16;
  if (!check(known, "this data type is not emulated")) return NOT_SUPPORTED;
  for (size_t i = 0; i < dims.size(); i++) {
    if (!check(dims[i] > 0 && strides[i] > 0, "dimensions and strides are above 0"))
      return BAD_PARAM;
    t.dims[i] = dims[i];
    t.strides[i] = strides[i];
  }
  b.alignment = b.one<int64_t>(900);
  b.uid = b.one<int64_t>(906);
  b.isVirtual = b.has(907) && b.one<char>(907);
  b.byValue = b.has(908) && b.one<char>(908);
  if (!check(b.alignment > 0 && b.alignment % long(t.element()) == 0,
             "the alignment is no multiple of an element's size"))
    return BAD_PARAM;
  return check(!b.byValue || (t.count() == 1 && !b.isVirtual), "by value goes one number")
             ? OK : BAD_PARAM;
}

int finishConvolution(Backend& b) {
  size_t n = size_t(b.one<int64_t>(106));
  for (int attribute : {102, 103, 104, 105}) {
    auto v = b.all<int64_t>(attribute);
    if (!check(v.size() == n, "as many values as spatial dimensions")) return BAD_PARAM;
    for (int64_t x : v)
      if (!check(x >= (attribute < 104 ? 1 : 0), "a padding, stride or dilation is too small"))
        return BAD_PARAM;
  }
  int mode = b.one<int>(101);
  if (!check(mode == 0 || mode == 1, "not a convolution mode")) return BAD_PARAM;
  if (!check(n == 2, "only 2-d convolutions are emulated")) return NOT_SUPPORTED;
  return check(b.one<int>(100) == FLOAT, "only sums in float are emulated") ? OK : NOT_SUPPORTED;
}

int finishPointwise(Backend& b) {
  int mode = b.one<int>(0);
  bool known = mode == ADD || mode == MUL || (mode >= RELU_FWD && mode <= SWISH_FWD);
  if (!check(known, "this pointwise mode is not emulated")) return NOT_SUPPORTED;
  for (int attribute : {2, 3, 4, 5})
    if (!check(mode == RELU_FWD || !b.has(attribute), "an attribute of ReLU without ReLU"))
      return BAD_PARAM;
  if (!check(mode == ELU_FWD || !b.has(6), "an attribute of ELU without ELU")) return BAD_PARAM;
  return check(b.one<int>(1) == FLOAT, "only float is emulated") ? OK : NOT_SUPPORTED;
}

/// The descriptor that an attribute names, of a kind.
Backend* named(Backend& b, int attribute, int kind) {
  Backend* other = b.one<Backend*>(attribute);
  if (other->kind == kind) return other;
  emu::say("attribute %d is a %s descriptor", attribute, kindName(other->kind));
  return nullptr;
}

int finishOperationConvolution(Backend& b) {
  Backend *c = named(b, 702, CONVOLUTION), *w = named(b, 703, TENSOR), *x = named(b, 704, TENSOR),
          *y = named(b, 705, TENSOR);
  if (!c || !w || !x || !y) return BAD_PARAM;
  const Tensor &tx = x->tensor, &tw = w->tensor, &ty = y->tensor;
  if (!check(tx.n == 4 && tw.n == 4 && ty.n == 4, "2-d convolutions have 4 dimensions"))
    return BAD_PARAM;
  if (!check(tx.dims[1] % tw.dims[1] == 0 && tw.dims[0] % (tx.dims[1] / tw.dims[1]) == 0,
             "the channels of x and w do not fit"))
    return BAD_PARAM;
  auto dilation = c->all<int64_t>(102), stride = c->all<int64_t>(103), post = c->all<int64_t>(104),
       pre = c->all<int64_t>(105);
  for (int i = 0; i < 2; i++) {
    long room = tx.dims[i + 2] + pre[i] + post[i] - (tw.dims[i + 2] - 1) * dilation[i] - 1;
    if (!check(room >= 0 && ty.dims[i + 2] == room / stride[i] + 1, "y has another size"))
      return BAD_PARAM;
  }
  if (!check(ty.dims[0] == tx.dims[0] && ty.dims[1] == tw.dims[0], "y has another size"))
    return BAD_PARAM;
  bool numbers = b.real(700) == 1 && b.real(701) == 0;
  return check(numbers, "only alpha 1 and beta 0 are emulated") ? OK : NOT_SUPPORTED;
}

int finishOperationPointwise(Backend& b) {
  Backend *p = named(b, 750, POINTWISE), *x = named(b, 751, TENSOR), *y = named(b, 753, TENSOR);
  if (!p || !x || !y) return BAD_PARAM;
  int mode = p->one<int>(0);
  bool binary = mode == ADD || mode == MUL;
  if (!check(binary == b.has(752), "a second operand is for two, and only for two"))
    return BAD_PARAM;
  if (!check(x->tensor.sameDims(y->tensor), "x and y have other dimensions")) return BAD_PARAM;
  if (!binary) return OK;
  Backend* second = named(b, 752, TENSOR);
  if (!second || second->tensor.n != y->tensor.n) return BAD_PARAM;
  for (int i = 0; i < y->tensor.n; i++) {
    long d = second->tensor.dims[i];
    if (!check(d == 1 || d == y->tensor.dims[i], "b cannot be broadcast to y")) return BAD_PARAM;
  }
  return OK;
}

std::vector<Backend*> reads(Backend& op) {
  if (op.kind == OPERATION_CONVOLUTION) return {op.one<Backend*>(704), op.one<Backend*>(703)};
  std::vector<Backend*> out = {op.one<Backend*>(751)};
  if (op.has(752)) out.push_back(op.one<Backend*>(752));
  return out;
}

Backend* writes(Backend& op) {
  return op.one<Backend*>(op.kind == OPERATION_CONVOLUTION ? 705 : 753);
}

bool same(const Backend& a, const Backend& b) {
  return a.tensor.sameLayout(b.tensor) && a.tensor.type == b.tensor.type &&
         a.isVirtual == b.isVirtual && a.byValue == b.byValue && a.alignment == b.alignment;
}

/// The graphs that cuDNN 9.5.1 takes for the pattern residual, bias, activation and then refuses:
/// the bias first, or a swish behind both.
bool misfit(const std::vector<Backend*>& ops) {
  if (ops.size() < 3 || ops.size() > 4 || ops[0]->kind != OPERATION_CONVOLUTION) return false;
  auto mode = [&](size_t i) { return ops[i]->one<Backend*>(750)->one<int>(0); };
  for (size_t i = 1; i < ops.size(); i++)
    if (ops[i]->kind != OPERATION_POINTWISE || (i < 3) != (mode(i) == ADD)) return false;
  auto vector = [&](size_t i) {
    const Tensor& t = ops[i]->one<Backend*>(752)->tensor;
    return t.count() == t.dims[1] && t.count() > 1;
  };
  bool biasFirst = vector(1) && !vector(2), biasLast = !vector(1) && vector(2);
  int last = ops.size() == 4 ? mode(3) : 0;
  return (biasFirst && last != GELU_FWD && last != SOFTPLUS_FWD) || (biasLast && last == SWISH_FWD);
}

int finishGraph(Backend& b) {
  if (handle(b.one<void*>(800)) == nullptr) return NOT_INITIALIZED;
  std::map<int64_t, Backend*> tensors;
  std::set<int64_t> written, read;
  for (Backend* op : b.all<Backend*>(801)) {
    bool operation = op->kind == OPERATION_CONVOLUTION || op->kind == OPERATION_POINTWISE;
    if (!check(operation, "a graph is of operations")) return BAD_PARAM;
    auto touched = reads(*op);
    touched.push_back(writes(*op));
    for (Backend* t : touched)
      if (!check(same(*tensors.emplace(t->uid, t).first->second, *t),
                 "two different tensors have one unique id"))
        return BAD_PARAM;
    for (Backend* t : reads(*op)) {
      read.insert(t->uid);
      if (!check(!t->isVirtual || written.count(t->uid), "a virtual tensor is read unwritten"))
        return BAD_PARAM;
    }
    if (!check(!writes(*op)->byValue && written.insert(writes(*op)->uid).second,
               "a tensor is written twice, or by value"))
      return BAD_PARAM;
  }
  for (auto& [uid, t] : tensors)
    if (!check(!t->isVirtual || read.count(uid), "a virtual tensor is never read"))
      return BAD_PARAM;
  return misfit(b.all<Backend*>(801)) ? NOT_SUPPORTED : OK;
}

int finishPack(Backend& b) {
  auto ids = b.all<int64_t>(1000);
  if (!check(ids.size() == b.all<void*>(1001).size(), "as many addresses as unique ids"))
    return BAD_PARAM;
  return check(std::set<int64_t>(ids.begin(), ids.end()).size() == ids.size(),
               "a unique id comes twice")
             ? OK : BAD_PARAM;
}

int finish(Backend& b) {
  for (const Rule& r : rules())
    if (r.kind == b.kind && r.required && !b.has(r.attribute)) {
      emu::say("attribute %d of a %s descriptor was never set", r.attribute, kindName(b.kind));
      return BAD_PARAM;
    }
  switch (b.kind) {
    case TENSOR: return finishTensor(b);
    case CONVOLUTION: return finishConvolution(b);
    case POINTWISE: return finishPointwise(b);
    case OPERATION_CONVOLUTION: return finishOperationConvolution(b);
    case OPERATION_POINTWISE: return finishOperationPointwise(b);
    case GRAPH: return finishGraph(b);
    case ENGINEHEUR: return finishHeuristics(b);
    case PLAN: return finishPlan(b);
    case PACK: return finishPack(b);
    default: return emu::say("such a descriptor is filled by cuDNN"), NOT_SUPPORTED;
  }
}

Backend* backend(void* raw) {
  return emu::lives(raw, "backend descriptor") ? static_cast<Backend*>(raw) : nullptr;
}

}  // namespace

int backendPlanStage(const char* stage) { return refusedStage(stage) ? NOT_SUPPORTED : OK; }

}  // namespace dnn

extern "C" {

int cudnnBackendCreateDescriptor(int kind, void** out) {
  EMU_API(cudnnBackendCreateDescriptor, HOST_ALLOCATION_FAILED);
  if (emuCall.unsupported()) return NOT_SUPPORTED;
  if (*kindName(kind) == 0) return emu::say("descriptor %d is not emulated", kind), NOT_SUPPORTED;
  *out = new Backend{kind};
  emu::born(*out, "backend descriptor");
  return OK;
}

int cudnnBackendDestroyDescriptor(void* raw) {
  EMU_API(cudnnBackendDestroyDescriptor, INTERNAL_ERROR);
  return emu::dies(raw, "backend descriptor") ? OK : BAD_PARAM;
}

int cudnnBackendSetAttribute(void* raw, int attribute, int type, int64_t count,
                             const void* values) {
  EMU_API(cudnnBackendSetAttribute, INTERNAL_ERROR);
  if (emuCall.unsupported()) return NOT_SUPPORTED;
  Backend* b = backend(raw);
  if (!b) return BAD_PARAM;
  if (!check(!b->finalised, "the descriptor is finalised already")) return BAD_PARAM;
  const Rule* r = rule(b->kind, attribute);
  if (!r || !check(r->settable, "cuDNN sets this attribute")) return BAD_PARAM;
  if (!typed(*r, type)) return ATTRIBUTE_TYPE;
  if (count < 1 || count > r->most) {
    emu::say("%ld values for attribute %d", long(count), attribute);
    return BAD_PARAM;
  }
  if (!emu::host(values, "the values")) return BAD_PARAM;
  if (type == DESCRIPTOR)
    for (int64_t i = 0; i < count; i++) {
      Backend* other = backend(static_cast<void* const*>(values)[i]);
      if (!other) return BAD_PARAM;
      if (!check(other->finalised, "a descriptor that is set must be finalised"))
        return NOT_FINALIZED;
    }
  auto* bytes = static_cast<const unsigned char*>(values);
  b->values[attribute] = {type, {bytes, bytes + count * size(type)}};
  return OK;
}

int cudnnBackendFinalize(void* raw) {
  EMU_API(cudnnBackendFinalize, INTERNAL_ERROR);
  if (emuCall.unsupported()) return NOT_SUPPORTED;
  Backend* b = backend(raw);
  if (!b) return BAD_PARAM;
  if (!check(!b->finalised, "the descriptor is finalised already")) return BAD_PARAM;
  if (refusedStage(kindName(b->kind))) return NOT_SUPPORTED;
  int status = finish(*b);
  b->finalised = status == OK;
  return status;
}

int cudnnBackendGetAttribute(void* raw, int attribute, int type, int64_t wanted, int64_t* count,
                             void* values) {
  EMU_API(cudnnBackendGetAttribute, INTERNAL_ERROR);
  if (emuCall.unsupported()) return NOT_SUPPORTED;
  Backend* b = backend(raw);
  if (!b) return BAD_PARAM;
  if (!check(b->finalised, "the descriptor is not finalised")) return NOT_INITIALIZED;
  const Rule* r = rule(b->kind, attribute);
  if (!r) return BAD_PARAM;
  if (!typed(*r, type)) return ATTRIBUTE_TYPE;
  if (!check(wanted >= 0, "fewer than 0 values wanted")) return BAD_PARAM;
  if (count && !emu::host(count, "the count")) return BAD_PARAM;
  if (wanted > 0 && !emu::host(values, "the values")) return BAD_PARAM;
  if (type == DESCRIPTOR && !r->settable) return fillDescriptors(*b, attribute, wanted, count, values);
  auto at = b->values.find(attribute);
  if (!check(at != b->values.end(), "the attribute was never set")) return BAD_PARAM;
  int64_t n = int64_t(at->second.bytes.size() / size(type));
  if (count) *count = n;
  memcpy(values, at->second.bytes.data(), std::min(n, wanted) * size(type));
  return OK;
}

int cudnnBackendInitialize(void*) { return NOT_SUPPORTED; }  // deprecated, and not used
}
