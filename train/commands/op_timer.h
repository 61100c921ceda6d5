#pragma once

#include <ATen/record_function.h>
#include <torch/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace plateforge {

// While it lives, adds up the wall time that operators of this thread spend by group: forward and
// backward convolution, linear layers, attention, norm and ReLU, pooling, dropout, loss, other.
// Time is the operator's own, without operators inside it; one that belongs to no group counts for
// the group it runs in. CPU operators only: on a CUDA device it would measure launches.
class OpTimer {
 public:
  OpTimer();
  ~OpTimer();
  OpTimer(const OpTimer&) = delete;
  OpTimer& operator=(const OpTimer&) = delete;

  const std::map<std::string, double>& seconds() const { return seconds_; }

 private:
  struct Frame {
    std::string group;
    double start, inside;
  };
  static std::unique_ptr<at::ObserverContext> enter(const at::RecordFunction& op);
  static void leave(const at::RecordFunction& op, at::ObserverContext* context);

  std::vector<Frame> stack_;
  std::map<std::string, double> seconds_;
  at::CallbackHandle handle_;
};

// One convolution of a network with the input it saw.
struct ConvCall {
  torch::Tensor input, weight, bias;  // the last undefined where there is none
  std::vector<int64_t> stride, padding;
  int64_t groups = 1;
};

// The convolutions that `run` executes, in order.
std::vector<ConvCall> record_convolutions(const std::function<void()>& run);

}  // namespace plateforge
