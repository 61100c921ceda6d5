#include "compress/shrink/latency.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "models/graph/execute.h"
#include "models/graph/passes.h"

namespace plateforge {
namespace {

using torch::Tensor;

constexpr int kWarmUp = 5;
constexpr int kNodeRounds = 40, kNetworkRounds = 60;

class OneThread {
 public:
  OneThread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// One image of this shape, as networks are run.
Tensor example(Shape shape) {
  std::replace(shape.begin(), shape.end(), int64_t{-1}, int64_t{1});
  const auto values = torch::full(shape, 0.5F);
  return shape.size() == 4 ? values.contiguous(at::MemoryFormat::ChannelsLast) : values;
}

bool is_free(const Node& node) {
  return node.as<op::BatchNorm>() || node.as<op::Identity>() || node.as<op::Relu>() ||
         node.as<op::Clamp>() || node.as<op::Reshape>();
}

}  // namespace

double least_microseconds(const std::function<void()>& work, int rounds) {
  using Clock = std::chrono::steady_clock;
  const OneThread one_thread;
  auto least = std::numeric_limits<double>::infinity();
  for (int round = -kWarmUp; round < rounds; ++round) {
    const auto start = Clock::now();
    work();
    const std::chrono::duration<double, std::micro> spent = Clock::now() - start;
    if (round >= 0) least = std::min(least, spent.count());
  }
  return least;
}

double network_microseconds(const Graph& graph) {
  const torch::NoGradGuard no_grad;
  auto deployed = graph;
  simplify(deployed);
  for (auto& tensor : deployed.tensors)
    if (tensor.is_constant() && tensor.value.dim() == 4)
      tensor.value = tensor.value.contiguous(at::MemoryFormat::ChannelsLast);
  const auto image = example(deployed.shape(deployed.inputs.at(0)));
  return least_microseconds([&] { execute(deployed, {image}); }, kNetworkRounds);
}

double LatencyTable::microseconds(const Graph& graph, const Node& node) {
  if (is_free(node)) return 0;
  auto key = std::string(node.op_name()) + " " + attributes_text(node.op);
  for (const auto id : node.inputs) key.append(" ").append(shape_text(graph.shape(id)));
  const auto [place, is_new] = known_.try_emplace(key);
  if (is_new) {
    const torch::NoGradGuard no_grad;
    std::vector<Tensor> inputs;
    for (const auto id : node.inputs) inputs.push_back(example(graph.shape(id)));
    place->second = least_microseconds([&] { execute(node.op, inputs); }, kNodeRounds);
  }
  return place->second;
}

double LatencyTable::microseconds(const Graph& graph) {
  double total = 0;
  for (const auto& node : graph.nodes) total += microseconds(graph, node);
  return total;
}

}  // namespace plateforge
