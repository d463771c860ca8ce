// What the files of cuDNN's emulated graph API share.
#pragma once
#include <map>

#include "cudnn.h"

namespace dnn {

/// cudnnBackendDescriptorType_t, as far as emulated.
enum Kind {
  POINTWISE = 0,
  CONVOLUTION = 1,
  ENGINE = 2,
  ENGINECFG = 3,
  ENGINEHEUR = 4,
  PLAN = 5,
  OPERATION_CONVOLUTION = 10,
  OPERATION_POINTWISE = 13,
  GRAPH = 15,
  PACK = 16,
  TENSOR = 17,
};

/// cudnnBackendAttributeType_t.
enum AttributeType {
  HANDLE = 0,
  DATA_TYPE = 1,
  BOOLEAN = 2,
  INT64 = 3,
  FLOAT_TYPE = 4,
  DOUBLE_TYPE = 5,
  VOID_PTR = 6,
  CONVOLUTION_MODE = 7,
  HEUR_MODE = 8,
  NAN_PROPAGATION = 10,
  NUMERICAL_NOTE = 11,
  POINTWISE_MODE = 14,
  DESCRIPTOR = 15,
};

/// cudnnPointwiseMode_t.
enum Mode {
  ADD = 0,
  MUL = 1,
  RELU_FWD = 100,
  TANH_FWD,
  SIGMOID_FWD,
  ELU_FWD,
  GELU_FWD,
  SOFTPLUS_FWD,
  SWISH_FWD,
};

struct Attribute {
  int type;
  std::vector<unsigned char> bytes;
};

/// An engine that can execute a graph.
struct Engine {
  int64_t index;
  std::vector<int> notes;  // cudnnBackendNumericalNote_t
  size_t workspace;
  bool builds;  // heuristics name engines as well that turn out not to do it
};

struct Backend {
  int kind;
  bool finalised = false;
  std::map<int, Attribute> values;

  // of a tensor
  Tensor tensor;
  int64_t uid = 0, alignment = 0;
  bool isVirtual = false, byValue = false;

  std::vector<Engine> engines;  // of heuristics; one of a configuration, engine or plan
  Backend* graph = nullptr;     // of the same

  bool has(int attribute) const { return values.count(attribute) > 0; }
  template <typename T>
  std::vector<T> all(int attribute) const {
    auto& bytes = values.at(attribute).bytes;
    std::vector<T> out(bytes.size() / sizeof(T));
    memcpy(out.data(), bytes.data(), bytes.size());
    return out;
  }
  template <typename T>
  T one(int attribute) const {
    return all<T>(attribute).at(0);
  }
  double real(int attribute) const {
    return values.at(attribute).type == DOUBLE_TYPE ? one<double>(attribute)
                                                    : double(one<float>(attribute));
  }
};

const char* kindName(int kind);
int finishHeuristics(Backend& b);
int finishPlan(Backend& b);
/// Answers with descriptors, which the caller made.
int fillDescriptors(Backend& b, int attribute, int64_t wanted, int64_t* count, void* values);
/// OK, or the refusal that a test wants.
int backendPlanStage(const char* stage);

}  // namespace dnn
