#include <torch/utils.h>

#include <algorithm>
#include <functional>
#include <iomanip>
#include <iostream>

#include "compress/quantize/quantize.h"
#include "configs/error.h"
#include "configs/yaml.h"
#include "models/graph/trace.h"
#include "models/graph_network.h"
#include "train/commands/bench_step.h"
#include "train/commands/commands.h"
#include "train/commands/op_timer.h"
#include "train/commands/stopwatch.h"
#include "train/runtime.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

// Seconds that the convolutions of a step need alone through the same library: the sum over them of
// the fastest forward and backward. The first one's input needs no gradient.
double roofline_seconds(BenchStep& step, int64_t rounds) {
  const torch::NoGradGuard no_grad;
  const auto calls = record_convolutions([&] { step.forward(); });
  double total = 0;
  for (size_t i = 0; i < calls.size(); ++i) {
    const auto& call = calls[i];
    double best = 1e9;
    const std::vector<int64_t> one = {1, 1}, none = {0, 0};
    const bool bias = call.bias.defined();
    for (int64_t round = 0; round < rounds + 1; ++round) {
      torch::Tensor output;
      const double forward = seconds_of([&] {
        output = at::convolution(call.input, call.weight, call.bias, call.stride, call.padding, one,
                                 false, none, call.groups);
      });
      const double backward = seconds_of([&] {
        at::convolution_backward(
            output, call.input, call.weight,
            bias ? at::OptionalIntArrayRef(call.bias.sizes()) : at::OptionalIntArrayRef(),
            call.stride, call.padding, one, false, none, call.groups, {i > 0, true, bias});
      });
      if (round > 0) best = std::min(best, forward + backward);
    }
    total += best;
  }
  return total;
}

nlohmann::json rates(std::vector<double> seconds, int64_t batch) {
  std::sort(seconds.begin(), seconds.end());
  const auto rate = [&](double value) { return static_cast<double>(batch) / value; };
  return {
      {"images_per_second", rate(seconds.front())},
      {"images_per_second_median", rate(seconds[seconds.size() / 2])},
      {"images_per_second_slowest", rate(seconds.back())},
      {"step_ms", {{"min", 1e3 * seconds.front()}, {"median", 1e3 * seconds[seconds.size() / 2]}}}};
}

// The network as `plateforge quantize` hands it to quantisation-aware training, calibrated on
// noise.
NetworkPtr quantized_network(const ModelConfig& model) {
  const auto network = make_network(model, kBenchClasses, 1);
  const Shape plate = {-1, 3, model.height, model.width};
  PostTrainingQuantizer quantizer(trace(*network, plate),
                                  {torch::rand({16, 3, model.height, model.width}) * 2 - 1}, {});
  auto graph = quantizer.build({});
  learn_scales(graph);
  return std::make_shared<GraphNetwork>(std::move(graph));
}

nlohmann::json shares(BenchStep& step) {
  OpTimer timer;
  const double whole = seconds_of([&] { step.run(false); });
  nlohmann::json shares;
  double listed = 0;
  for (const auto& [group, seconds] : timer.seconds()) {
    shares[group] = seconds / whole;
    listed += seconds;
  }
  shares["between operators"] = std::max(0.0, whole - listed) / whole;
  return shares;
}

// Seconds of two kinds of step in turns, so that a slow moment of the machine hits both.
struct Turns {
  std::vector<double> first, second;

  Turns(int64_t rounds, const std::function<void()>& one, const std::function<void()>& other) {
    for (int64_t round = -2; round < rounds; ++round) {  // two warm-ups
      const double a = seconds_of(one), b = seconds_of(other);
      if (round >= 0) first.push_back(a), second.push_back(b);
    }
  }
  // How many times as long the second takes, fastest against fastest.
  double ratio() const {
    return *std::min_element(second.begin(), second.end()) /
           *std::min_element(first.begin(), first.end());
  }
};

// Simulating integers costs what it adds to the float step.
nlohmann::json measure_qat(const ModelConfig& model, int64_t batch, int64_t rounds,
                           torch::Device device) {
  const auto real_network = make_network(model, kBenchClasses, 1);
  BenchStep real(real_network, model, "fp32", batch, device);
  BenchStep simulated(quantized_network(model), model, "fp32", batch, device);
  const Turns turns(
      rounds, [&] { real.run(false); }, [&] { simulated.run(false); });
  auto json = rates(turns.second, batch);
  json["fp32"] = rates(turns.first, batch);
  json["ratio"] = turns.ratio();
  if (device.is_cpu()) json["share"] = shares(simulated);
  return json;
}

nlohmann::json measure(const ModelConfig& model, const std::string& precision, int64_t batch,
                       int64_t rounds, torch::Device device) {
  BenchStep step(make_network(model, kBenchClasses, 1), model, precision, batch, device);
  const Turns turns(
      rounds, [&] { step.run(false); }, [&] { step.run(true); });
  auto json = rates(turns.first, batch);
  json["plain"] = rates(turns.second, batch);
  json["ratio"] = turns.ratio();
  if (device.is_cpu()) json["share"] = shares(step);
  if (const auto seconds = roofline_seconds(step, std::max<int64_t>(2, rounds / 2)); seconds > 0)
    json["roofline_images_per_second"] = static_cast<double>(batch) / seconds;
  return json;
}

void print_shares(const nlohmann::json& json) {
  if (!json.contains("share")) return;
  for (const auto& [group, share] : json["share"].items()) {
    if (share.get<double>() < 0.0005) continue;  // the fused step leaves some kinds no work
    std::cout << "  " << std::setw(5) << 100 * share.get<double>() << " %  " << group << "\n";
  }
}

void print(const std::string& precision, const nlohmann::json& json) {
  const auto number = [&](const nlohmann::json& value) { return value.get<double>(); };
  std::cout << std::fixed << std::setprecision(1) << precision << ": "
            << number(json["images_per_second"]) << " img/s (median "
            << number(json["images_per_second_median"]) << ", slowest "
            << number(json["images_per_second_slowest"]) << "); plain operators "
            << number(json["plain"]["images_per_second"]) << ", ratio " << std::setprecision(2)
            << number(json["ratio"]) << std::setprecision(1);
  if (json.contains("roofline_images_per_second"))
    std::cout << "; convolutions alone " << number(json["roofline_images_per_second"]) << " img/s";
  std::cout << "\n";
  print_shares(json);
}

void print_qat(const nlohmann::json& json) {
  std::cout << std::fixed << std::setprecision(1)
            << "integers simulated: " << json["images_per_second"].get<double>() << " img/s, fp32 "
            << json["fp32"]["images_per_second"].get<double>() << ", the step takes "
            << std::setprecision(2) << json["ratio"].get<double>() << " times as long\n"
            << std::setprecision(1);
  print_shares(json);
}

}  // namespace

int bench_train(const Args& args) {
  int64_t batch = 128, rounds = 7;
  bool qat = false;
  std::string json, precision = "both", config = "lprnet_cn.yaml";
  std::vector<std::string> overrides;
  RuntimeConfig runtime;
  po::options_description options("options");
  options.add_options()("batch", po::value(&batch)->default_value(batch), "pictures per step")(
      "rounds", po::value(&rounds)->default_value(rounds), "measured pairs of steps")(
      "precision", po::value(&precision)->default_value(precision), "fp32, bf16 or both")(
      "qat", po::bool_switch(&qat), "the fp32 step of a quantised network against the float one's")(
      "config", po::value(&config)->default_value(config), "run config whose model is trained")(
      "set", po::value(&overrides)->composing(), "override, e.g. model.width=320; repeatable")(
      "device", po::value(&runtime.device)->default_value(runtime.device), "auto, cpu or cuda")(
      "threads", po::value(&runtime.threads)->default_value(runtime.threads),
      "LibTorch intra-op threads; 0 = all cores")(
      "json", po::value(&json), "write the measurement here; - is standard output");
  po::variables_map values;
  if (!parse_options(args, "plateforge bench train", options, values)) return 0;
  require(batch > 0 && rounds > 0, "--batch and --rounds must be at least 1");
  require(precision == "both" || precision == "fp32" || precision == "bf16", "--precision ",
          precision, " is unknown; known: fp32 bf16 both");

  const auto run = read_run_config(config, overrides);
  const auto model = for_region(run.model, Region::load(run.region));
  require(!qat || (!is_detector(model) && !is_autoencoder(model)), "--qat measures a reader");
  const auto device = set_up_runtime(runtime);
  nlohmann::json report = {{"batch", batch}, {"threads", at::get_num_threads()}};
  if (qat) {
    report["qat"] = measure_qat(model, batch, rounds, device);
    if (json != "-") print_qat(report["qat"]);
  }
  for (const std::string name : {"fp32", "bf16"}) {
    if (qat || (precision != "both" && precision != name)) continue;
    report[name] = measure(model, name, batch, rounds, device);
    if (json != "-") print(name, report[name]);
  }
  const auto gigabytes = static_cast<double>(peak_resident_bytes()) / 1e9;
  report["peak_memory_gb"] = gigabytes;
  if (json != "-") std::cout << "peak memory " << std::setprecision(2) << gigabytes << " GB\n";
  if (!json.empty()) write_json(json, report);
  return 0;
}

}  // namespace plateforge
