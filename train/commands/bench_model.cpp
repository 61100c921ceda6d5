#include <torch/utils.h>

#include <algorithm>
#include <iomanip>
#include <iostream>

#include "configs/error.h"
#include "export/runtimes.h"
#include "models/graph/trace.h"
#include "models/model_file.h"
#include "train/commands/commands.h"
#include "train/commands/stopwatch.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

// One network in one runtime, ready to be timed.
struct Contestant {
  std::string runtime, file;
  std::function<void()> infer;
  std::vector<double> seconds = {};

  double fastest() const { return *std::min_element(seconds.begin(), seconds.end()); }
  double median() const {
    auto sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
};

Contestant libtorch(const Model& model, const std::string& file, const torch::Tensor& images) {
  model.network->eval();
  return {"libtorch", file, [network = model.network, images] { network->forward(images); }};
}

Contestant onnx(const std::string& runtime, const std::string& file, const torch::Tensor& images) {
  std::shared_ptr<Runtime> opened = open_runtime(runtime, file);
  return {runtime, file, [opened, images] { opened->run(images); }};
}

// Rounds of a few runs each, contestants in turn, so that a slow moment of the machine hits all.
void race(std::vector<Contestant>& contestants, int64_t rounds, int64_t runs) {
  for (auto& one : contestants)
    for (int warm_up = 0; warm_up < 5; ++warm_up) one.infer();
  for (int64_t round = 0; round < rounds; ++round) {
    for (auto& one : contestants)
      for (int64_t run = 0; run < runs; ++run) one.seconds.push_back(seconds_of(one.infer));
  }
}

// Multiply-accumulates per second of large matrix products: what this machine does at best.
double peak_macs(const std::function<void()>& multiply, int64_t size) {
  double best = 1e9;
  for (int trial = 0; trial < 12; ++trial) best = std::min(best, seconds_of(multiply));
  return static_cast<double>(size * size * size) / best;
}

nlohmann::json roofline(int64_t macs) {
  constexpr int64_t kSize = 768;
  const auto a = torch::randn({kSize, kSize}), b = torch::randn({kSize, kSize});
  const auto c = torch::randint(-127, 128, {kSize, kSize}, torch::kChar),
             d = torch::randint(-127, 128, {kSize, kSize}, torch::kChar);
  const auto fp32 = peak_macs([&] { torch::mm(a, b); }, kSize);
  const auto int8 = peak_macs([&] { at::_int_mm(c, d); }, kSize);
  const auto ms = [&](double peak) { return 1e3 * static_cast<double>(macs) / peak; };
  return {{"fp32_gmacs_per_second", fp32 / 1e9},
          {"int8_gmacs_per_second", int8 / 1e9},
          {"fp32_ms", ms(fp32)},
          {"int8_ms", ms(int8)}};
}

// The ratio is against the first contestant in the same runtime.
nlohmann::json results(const std::vector<Contestant>& contestants, int64_t batch) {
  auto json = nlohmann::json::array();
  for (const auto& one : contestants) {
    const auto first = std::find_if(contestants.begin(), contestants.end(), [&](const auto& other) {
      return other.runtime == one.runtime;
    });
    json.push_back({{"runtime", one.runtime},
                    {"file", one.file},
                    {"latency_ms", {{"min", 1e3 * one.fastest()}, {"median", 1e3 * one.median()}}},
                    {"images_per_second", static_cast<double>(batch) / one.fastest()},
                    {"ratio", first->fastest() / one.fastest()}});
  }
  return json;
}

void print(const nlohmann::json& report) {
  std::cout << std::fixed << std::setprecision(3) << "runtime      min ms   median   ratio  file\n";
  for (const auto& run : report["runs"])
    std::cout << std::left << std::setw(10) << run["runtime"].get<std::string>() << std::right
              << std::setw(9) << run["latency_ms"]["min"].get<double>() << std::setw(9)
              << run["latency_ms"]["median"].get<double>() << std::setprecision(2) << std::setw(8)
              << run["ratio"].get<double>() << std::setprecision(3) << "  "
              << run["file"].get<std::string>() << "\n";
  const auto& roof = report["roofline"];
  std::cout << "roofline: " << std::setprecision(1)
            << static_cast<double>(report["macs"].get<int64_t>()) / 1e6
            << " million multiply-accumulates take " << std::setprecision(3)
            << roof["fp32_ms"].get<double>() << " ms at this machine's fastest float matrix "
            << "product (LibTorch), " << roof["int8_ms"].get<double>() << " ms at its int8 one\n";
}

}  // namespace

int bench_model(const Args& args) {
  int64_t batch = 1, rounds = 40, runs = 10;
  std::string model_file, json, runtimes = "libtorch";
  std::vector<std::string> files;
  RuntimeConfig runtime{.device = "cpu", .threads = 1};
  for (const auto& name : runtime_names())
    if (name != "builtin") runtimes += "," + name;
  po::options_description options("options");
  options.add_options()("model", po::value(&model_file)->required(), "model file (.safetensors)")(
      "onnx", po::value(&files)->multitoken(), "written files; the first is the measure")(
      "runtime", po::value(&runtimes)->default_value(runtimes), "joined by ,")(
      "batch", po::value(&batch)->default_value(batch), "plates per inference")(
      "rounds", po::value(&rounds)->default_value(rounds), "turns of all contestants")(
      "runs", po::value(&runs)->default_value(runs), "inferences per turn")(
      "threads", po::value(&runtime.threads)->default_value(runtime.threads),
      "of LibTorch; OpenVINO and OpenCV run on one")(
      "json", po::value(&json), "write the measurement here; - is standard output");
  po::variables_map values;
  if (!parse_options(args, "plateforge bench model --model M --onnx F...", options, values))
    return 0;
  require(batch > 0 && rounds > 0 && runs > 0, "--batch, --rounds and --runs must be at least 1");

  set_up_runtime(runtime);
  const torch::NoGradGuard no_grad;
  const auto model = load_model(model_file);
  const auto graph = trace(*model.network, {batch, 3, model.config.height, model.config.width});
  const auto images = normalize(
      torch::randint(0, 256, {batch, 3, model.config.height, model.config.width}, torch::kByte));
  std::vector<Contestant> contestants;
  for (const auto& name : split_list(runtimes)) {
    if (name == "libtorch") {
      contestants.push_back(libtorch(model, model_file, images));
      continue;
    }
    check_runtime(name);
    for (const auto& file : files) {
      try {
        auto contestant = onnx(name, file, images);
        contestant.infer();
        contestants.push_back(std::move(contestant));
      } catch (const Error& refusal) {  // OpenCV 4.6 takes no quantised file
        if (json != "-") std::cout << "left out: " << refusal.what() << "\n";
      }
    }
  }
  require(!contestants.empty(), "no runtime took a file: there is nothing to measure");
  race(contestants, rounds, runs);
  const nlohmann::json report = {{"batch", batch},
                                 {"threads", at::get_num_threads()},
                                 {"macs", macs(graph)},
                                 {"roofline", roofline(macs(graph))},
                                 {"runs", results(contestants, batch)}};
  if (json != "-") print(report);
  write_json(json, report);
  return 0;
}

}  // namespace plateforge
