#include "train/predict/plate_models.h"

#include <torch/utils.h>

#include <nlohmann/json.hpp>

#include "configs/error.h"
#include "configs/log.h"
#include "export/onnx_reader.h"
#include "export/runtimes.h"
#include "models/decode/read.h"
#include "models/model_file.h"
#include "train/evaluate.h"
#include "train/runtime.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;
using torch::Tensor;

class TorchEngine final : public Engine {
 public:
  TorchEngine(NetworkPtr network, std::string precision)
      : network_(std::move(network)), precision_(std::move(precision)) {
    network_->eval();
    move_to(*network_, torch::kCPU);
  }
  std::vector<Tensor> run(const Tensor& images) override {
    const torch::NoGradGuard no_grad;
    const PrecisionGuard precision(precision_, torch::kCPU);
    return {network_->forward(normalize(images)).to(torch::kFloat)};
  }

 private:
  NetworkPtr network_;
  std::string precision_;
};

class FileEngine final : public Engine {
 public:
  // `batch` is the file's own, 0 when it is open.
  FileEngine(const fs::path& file, const std::string& runtime, int64_t batch)
      : runtime_(open_runtime(runtime, file)), batch_(batch) {}

  std::vector<Tensor> run(const Tensor& images) override {
    const torch::NoGradGuard no_grad;
    const auto count = images.size(0), step = batch_ > 0 ? batch_ : count;
    std::vector<std::vector<Tensor>> parts;
    for (int64_t first = 0; first < count; first += step) {
      auto part = normalize(images.slice(0, first, std::min(first + step, count)));
      if (const auto missing = step - part.size(0); missing > 0)
        part = torch::constant_pad_nd(part, {0, 0, 0, 0, 0, 0, 0, missing});
      auto outputs = runtime_->run(part.contiguous());
      parts.resize(outputs.size());
      for (size_t i = 0; i < outputs.size(); ++i) parts[i].push_back(std::move(outputs[i]));
    }
    std::vector<Tensor> whole;
    for (const auto& part : parts) whole.push_back(torch::cat(part).slice(0, 0, count));
    return whole;
  }

 private:
  RuntimePtr runtime_;
  int64_t batch_;
};

// What an exported file says of itself.
struct FileFacts {
  fs::path file;
  std::map<std::string, std::string> metadata;
  Shape input;  // [N, 3, H, W], -1 = open

  explicit FileFacts(const fs::path& path) : file(path) {
    const auto onnx = read_onnx(path);
    metadata = onnx.metadata;
    require(onnx.inputs.size() == 1 && onnx.inputs[0].shape.size() == 4, path.string(),
            " takes no pictures: expected one input [N, 3, H, W]");
    input = onnx.inputs[0].shape;
  }
  const std::string& at(const std::string& key) const {
    const auto found = metadata.find(key);
    require(found != metadata.end(), file.string(), " does not say its ", key,
            " in metadata_props: only files that plateforge export wrote can be used here");
    return found->second;
  }
  void require_task(const std::string& wanted) const {
    require(at("task") == wanted, file.string(), " is a ", at("task"), ", expected a ", wanted);
  }
  cv::Size size() const {
    const auto shape = nlohmann::json::parse(at("preprocessing"));
    return {shape.at("width").get<int>(), shape.at("height").get<int>()};
  }
  int64_t batch() const { return std::max<int64_t>(input[0], 0); }
};

bool is_exported(const fs::path& file) { return file.extension() == ".onnx"; }

// The pack that an exported reader was made for.
Region region_of(const FileFacts& facts, const std::string& given) {
  const auto region = Region::load(given.empty() ? facts.at("region") : given);
  const auto own = nlohmann::json::parse(facts.at("alphabet")).get<std::vector<std::string>>();
  require(own == region.alphabet(), "the alphabet of ", facts.file.string(),
          " is not that of region ", region.name(), ": name its pack with --region FILE");
  return region;
}

}  // namespace

PlateFinder::PlateFinder(const fs::path& file, const EngineOptions& engine,
                         const DetectOptions& options)
    : options_(options) {
  if (is_exported(file)) {
    const FileFacts facts(file);
    facts.require_task("detector");
    require(facts.at("form") == "decoded", file.string(), " answers with ", facts.at("form"),
            ": export the detector with --outputs decoded");
    engine_ = std::make_unique<FileEngine>(file, engine.runtime, facts.batch());
    size_ = facts.size();
    region_ = facts.at("region");
    return;
  }
  const auto model = load_model(file);
  require(is_detector(model.config), file.string(), " is a ", model.config.name,
          ", expected a detector such as models/pretrained/detector-s.safetensors");
  engine_ = std::make_unique<TorchEngine>(model.network, engine.precision);
  config_ = model.config;
  size_ = input_size(model.config);
  region_ = model.region.name();
}

Tensor PlateFinder::infer(const Tensor& images) {
  const auto outputs = engine_->run(images);
  if (config_) return outputs.at(0);
  require(outputs.size() == 3, "a detector's file answers with scores, boxes and corners");
  return torch::cat({outputs[0].unsqueeze(2), outputs[1], outputs[2]}, 2);
}

std::vector<std::vector<Detection>> PlateFinder::pick(const Tensor& inferred) const {
  if (!config_)
    return pick_detections(inferred, static_cast<float>(size_.width),
                           static_cast<float>(size_.height), options_);
  const auto anchors = make_anchors(config_->detector, size_.height, size_.width);
  return decode_detections(inferred, anchors, config_->detector, options_);
}

PlateReader::PlateReader(const fs::path& file, const EngineOptions& engine) {
  if (is_exported(file)) {
    const FileFacts facts(file);
    facts.require_task("reader");
    engine_ = std::make_unique<FileEngine>(file, engine.runtime, facts.batch());
    size_ = facts.size();
    slots_ = facts.at("decoder") == "slots_greedy";
    region_ = region_of(facts, engine.region);
  } else {
    const auto model = load_model(file);
    require(!is_detector(model.config) && !is_autoencoder(model.config), file.string(), " is a ",
            model.config.name,
            ", expected a reader such as models/pretrained/lprnet-cn.safetensors");
    engine_ = std::make_unique<TorchEngine>(model.network, engine.precision);
    size_ = input_size(model.config);
    slots_ = reads_slots(model.config);
    region_ = model.region;
  }
  view_ = std::make_unique<Augmenter>(AugmentConfig{.strength = 0, .ops = {}}, size_, *region_);
}

void PlateReader::view(const cv::Mat& picture, const Quad& corners, cv::Mat& input) const {
  (*view_)({.image = picture, .quad = corners, .text = {}, .source = {}}, 0, {}, input);
}

Tensor PlateReader::infer(const Tensor& images) { return engine_->run(images).at(0); }

std::vector<std::vector<PlateText>> PlateReader::texts(const Tensor& logits, int64_t n_best) const {
  const auto log_probs = host_log_probs(logits);
  std::vector<std::vector<PlateText>> all;
  for (int64_t n = 0; n < log_probs.size(0); ++n) {
    std::vector<PlateText> texts;
    for (const auto& reading :
         read_best(plate_of(log_probs, n), *region_, slots_, {.n_best = n_best}))
      texts.push_back({region_->decode(reading.symbols), reading.confidence()});
    all.push_back(std::move(texts));
  }
  return all;
}

std::vector<PlateModels> load_plate_models(const fs::path& detector, const fs::path& reader,
                                           const EngineOptions& engine,
                                           const DetectOptions& options, int64_t threads) {
  std::vector<PlateModels> all;
  for (int64_t i = 0; i < std::max<int64_t>(threads, 1); ++i)
    all.push_back({PlateFinder(detector, engine, options), PlateReader(reader, engine)});
  const auto& finds = all[0].finder.region();
  const auto& reads = all[0].reader.region().name();
  if (finds != reads && finds != "any")
    log_warning("the detector was trained for region " + finds + ", the reader for " + reads);
  return all;
}

}  // namespace plateforge
