#include "train/commands/op_timer.h"

#include <chrono>
#include <functional>
#include <string_view>
#include <utility>

namespace plateforge {
namespace {

thread_local OpTimer* active_timer = nullptr;
thread_local std::vector<ConvCall>* recorded = nullptr;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Group of an operator by a part of its name; the first row that matches counts.
constexpr std::pair<std::string_view, std::string_view> kGroups[] = {
    {"TrainedConvolution", "convolution backward"},
    {"TrainedDepthwise", "convolution backward"},
    {"onvolution_backward", "convolution backward"},
    {"ConvolutionBackward", "convolution backward"},
    {"onvolution", "convolution forward"},
    {"conv2d", "convolution forward"},
    {"plateforge::optimizer", "optimiser"},
    {"plateforge::loss", "loss"},
    {"ctc_loss", "loss"},
    {"Ctc", "loss"},
    {"log_softmax", "loss"},
    {"LogSoftmax", "loss"},
    {"plateforge::attention", "attention"},
    {"Attention", "attention"},
    {"softmax", "attention"},
    {"Softmax", "attention"},
    {"bmm", "attention"},
    {"Bmm", "attention"},
    {"addmm", "linear layers"},
    {"Addmm", "linear layers"},
    {"aten::mm", "linear layers"},
    {"MmBackward", "linear layers"},
    {"linear", "linear layers"},
    {"Linear", "linear layers"},
    {"matmul", "linear layers"},
    {"layer_norm", "layer norm"},
    {"LayerNorm", "layer norm"},
    {"gelu", "activation"},
    {"Gelu", "activation"},
    {"fake_quantize", "quantisers"},
    {"FakeQuantize", "quantisers"},
    {"norm_relu_pool", "norm, ReLU and pooling"},
    {"NormReluPool", "norm, ReLU and pooling"},
    {"batch_norm", "norm and ReLU"},
    {"BatchNorm", "norm and ReLU"},
    {"group_norm", "norm and ReLU"},
    {"GroupNorm", "norm and ReLU"},
    {"relu", "norm and ReLU"},
    {"Relu", "norm and ReLU"},
    {"threshold", "norm and ReLU"},
    {"pool", "pooling"},
    {"Pool", "pooling"},
    {"slice", "pooling"},
    {"Slice", "pooling"},
    {"ropout", "dropout"},
    {"bernoulli", "dropout"},
};

std::string group_of(std::string_view name, const std::string& around) {
  for (const auto& [part, group] : kGroups)
    if (name.find(part) != std::string_view::npos) return std::string(group);
  return around;
}

}  // namespace

OpTimer::OpTimer() {
  active_timer = this;
  handle_ = at::addThreadLocalCallback(
      at::RecordFunctionCallback(&OpTimer::enter, &OpTimer::leave)
          .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
}

OpTimer::~OpTimer() {
  at::removeCallback(handle_);
  active_timer = nullptr;
}

std::unique_ptr<at::ObserverContext> OpTimer::enter(const at::RecordFunction& op) {
  if (active_timer == nullptr) return nullptr;
  auto& stack = active_timer->stack_;
  const auto around = stack.empty() ? std::string("other") : stack.back().group;
  stack.push_back({group_of(op.name(), around), now(), 0});
  return nullptr;
}

void OpTimer::leave(const at::RecordFunction&, at::ObserverContext*) {
  if (active_timer == nullptr || active_timer->stack_.empty()) return;
  auto& stack = active_timer->stack_;
  const auto frame = stack.back();
  stack.pop_back();
  const double spent = now() - frame.start;
  active_timer->seconds_[frame.group] += spent - frame.inside;
  if (!stack.empty()) stack.back().inside += spent;
}

std::vector<ConvCall> record_convolutions(const std::function<void()>& run) {
  std::vector<ConvCall> calls;
  recorded = &calls;
  const auto handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(
          [](const at::RecordFunction& op) -> std::unique_ptr<at::ObserverContext> {
            if (recorded == nullptr || std::string_view(op.name()) != "aten::convolution")
              return nullptr;
            const auto inputs = op.inputs();
            const auto bias = inputs[2].isTensor() ? inputs[2].toTensor() : torch::Tensor();
            recorded->push_back({inputs[0].toTensor().detach(), inputs[1].toTensor().detach(),
                                 bias.defined() ? bias.detach() : bias, inputs[3].toIntVector(),
                                 inputs[4].toIntVector(), inputs[8].toInt()});
            return nullptr;
          })
          .needsInputs(true)
          .scopes({at::RecordScope::FUNCTION}));
  run();
  at::removeCallback(handle);
  recorded = nullptr;
  return calls;
}

}  // namespace plateforge
