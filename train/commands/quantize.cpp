#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "compress/quantize/accuracy_bound.h"
#include "compress/quantize/quantize.h"
#include "configs/error.h"
#include "configs/log.h"
#include "configs/numbers.h"
#include "configs/suggest.h"
#include "export/onnx_export.h"
#include "models/graph/trace.h"
#include "models/graph_network.h"
#include "train/commands/commands.h"
#include "train/compression_data.h"
#include "train/runtime_check.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

struct QuantizeArguments {
  std::string model, out, json;
  std::string calibrate, data, metric;
  std::string profile = "int8-u8", observer, equalize, bias_correction;
  std::string float_layers, int16_layers, adaround;
  int64_t samples = 300;
  double max_drop = -1;  // negative: no bound
  bool search = false;
  QuantizeOptions quantizing;
  CropOptions crop;
  RuntimeConfig runtime{.device = "cpu"};
};

po::options_description describe(QuantizeArguments& a) {
  const QuantizeOptions defaults;
  po::options_description options("options");
  const auto text = [&](const char* name, std::string& value, const std::string& meaning) {
    auto* semantic = po::value(&value);
    if (!value.empty()) semantic->default_value(value);
    options.add_options()(name, semantic, meaning.c_str());
  };
  a.observer = observer_name(defaults.observer);
  a.equalize = equalization_name(defaults.equalization);
  a.bias_correction = bias_correction_name(defaults.bias_correction);
  options.add_options()("model", po::value(&a.model)->required(), "model file (.safetensors)")(
      "out", po::value(&a.out)->required(), "model file to write (.safetensors)");
  text("calibrate", a.calibrate,
       "SPEC of plates to take ranges on; only int8-dynamic and "
       "int8-weights without --bias-correction and --equalize go without");
  options.add_options()("samples", po::value(&a.samples)->default_value(a.samples),
                        "how many of them are drawn");
  text("profile", a.profile,
       "int8-u8 (ONNX Runtime, OpenVINO), int8-s8 (TensorRT alone: OpenVINO "
       "runs it and reads worse, ONNX Runtime fuses none of it), int8-dynamic, int8-weights");
  text("observer", a.observer, "how ranges follow from what was seen: " + join(observer_names()));
  text("equalize", a.equalize, join(equalization_names()));
  options.add_options()(
      "smooth-norms",
      po::value(&a.quantizing.smooth_norms)->default_value(a.quantizing.smooth_norms),
      "SmoothQuant from LayerNorms to the linear layers behind them: how much goes, 0 to 1");
  text("bias-correction", a.bias_correction, join(bias_correction_names()));
  text("float-layers", a.float_layers, "layers that stay float, joined by ,");
  text("int16-layers", a.int16_layers, "layers that read and write 16-bit integers, joined by ,");
  text("adaround", a.adaround, "layers that learn how to round, joined by ,; all = every one");
  options.add_options()(
      "adaround-iterations",
      po::value(&a.quantizing.adaround.iterations)->default_value(a.quantizing.adaround.iterations),
      "steps for each of them")("reduce-range", po::bool_switch(&a.quantizing.reduce_range),
                                "seven-bit weights, for CPUs without VNNI");
  text("data", a.data, "SPEC of labelled plates to measure the drop on");
  text("metric", a.metric,
       "what may drop: cer, exact_match (default), exact_match_without_region, wrong_length; of a "
       "detector iou70 (default), recall, precision, f1, corner_accuracy");
  options.add_options()("max-drop", po::value(&a.max_drop),
                        "take layers back until the metric drops by no more; exit code 1 when that "
                        "cannot be had")(
      "search", po::bool_switch(&a.search),
      "try observers, equalisations and bias corrections on --data and take the best")(
      "crop", po::value(&a.crop.crop)->default_value(a.crop.crop), "rectify, extents or box")(
      "threads", po::value(&a.runtime.threads)->default_value(a.runtime.threads),
      "LibTorch threads; 0 = all cores")("json", po::value(&a.json),
                                         "write the report here; - is standard output");
  return options;
}

LayerChoices layer_choices(const QuantizeArguments& a, const std::vector<std::string>& layers) {
  LayerChoices choices;
  const auto set = [&](const std::string& names, LayerPrecision precision) {
    for (const auto& name : split_list(names)) {
      find_name("layer", name, layers);
      require(choices.precisions.emplace(name, precision).second, "layer '", name,
              "' is named twice");
    }
  };
  set(a.float_layers, LayerPrecision::real);
  set(a.int16_layers, LayerPrecision::int16);
  for (const auto& name : a.adaround == "all" ? layers : split_list(a.adaround)) {
    find_name("layer", name, layers);
    choices.adaround.insert(name);
  }
  return choices;
}

nlohmann::json comparison_json(const Comparison& comparison) {
  return {{"samples", comparison.pictures},
          {"float", comparison.exact_score},
          {"quantized", comparison.score},
          {"drop", comparison.drop()},
          {"drop_interval95", {comparison.drop_low, comparison.drop_high}},
          {"same_text", comparison.same},
          {"relative_logit_error", std::sqrt(comparison.distance)}};
}

nlohmann::json layers_json(const std::vector<LayerReport>& layers, const BoundResult& result) {
  auto rows = nlohmann::json::array();
  for (const auto& layer : layers) {
    nlohmann::json row = {{"layer", layer.layer}, {"precision", precision_name(layer.precision)}};
    if (std::isfinite(layer.sqnr)) row["sqnr_db"] = layer.sqnr;
    if (layer.adaround) row["adaround"] = true;
    const auto drop = result.layer_drops.find(layer.layer);
    if (drop != result.layer_drops.end()) row["drop"] = drop->second;
    rows.push_back(std::move(row));
  }
  return rows;
}

nlohmann::json bound_json(double max_drop, const BoundResult& result) {
  nlohmann::json json = {{"max_drop", max_drop},
                         {"holds", result.holds},
                         {"all_int8", comparison_json(result.first)},
                         {"steps", nlohmann::json::array()}};
  for (const auto& step : result.steps) {
    json["steps"].push_back({{"layer", step.layer},
                             {"decision", step.decision},
                             {"drop", step.drop},
                             {"kept", step.kept}});
  }
  return json;
}

nlohmann::json runtime_json(const RuntimeCheck& check) {
  auto json = comparison_json(check.comparison);
  json["runtime"] = check.runtime;
  return json;
}

// What was done to the network, for its provenance and for --json.
nlohmann::json report_json(const QuantizeArguments& a, const PostTrainingQuantizer& quantizer,
                           const BoundResult& result, const std::vector<LayerReport>& layers) {
  nlohmann::json json = {{"profile", a.profile},
                         {"observer", a.observer},
                         {"equalize", a.equalize},
                         {"equalized_layers", quantizer.equalized_layers()},
                         {"smooth_norms", a.quantizing.smooth_norms},
                         {"bias_correction", a.bias_correction},
                         {"reduce_range", a.quantizing.reduce_range},
                         {"calibrate", a.calibrate},
                         {"samples", quantizer.pictures()},
                         {"layers", layers_json(layers, result)}};
  if (!a.data.empty()) {
    json["data"] = a.data;
    json["metric"] = a.metric;
    json["result"] = comparison_json(result.best);
  }
  if (a.max_drop >= 0) json["bound"] = bound_json(a.max_drop, result);
  return json;
}

void print_layers(const std::vector<LayerReport>& layers, const BoundResult& result) {
  std::printf("%-28s %10s %9s  %s\n", "layer", "SQNR dB", "drop", "decision");
  for (const auto& layer : layers) {
    const auto drop = result.layer_drops.find(layer.layer);
    std::printf("%-28s ", layer.layer.c_str());
    std::isnan(layer.sqnr) ? std::printf("%10s ", "-") : std::printf("%10.1f ", layer.sqnr);
    drop == result.layer_drops.end() ? std::printf("%9s", "-") : std::printf("%9.4f", drop->second);
    std::printf("  %s%s\n", precision_name(layer.precision), layer.adaround ? ", adaround" : "");
  }
}

void print_comparison(const std::string& what, const Comparison& c) {
  std::printf(
      "%s: %lld samples, float %.4f, quantised %.4f, drop %.4f [%.4f, %.4f]; same answer %.4f, "
      "relative logit error %.4f\n",
      what.c_str(), static_cast<long long>(c.pictures), c.exact_score, c.score, c.drop(),
      c.drop_low, c.drop_high, c.same, std::sqrt(c.distance));
}

void print_report(const QuantizeArguments& a, const BoundResult& result,
                  const std::vector<LayerReport>& layers) {
  print_layers(layers, result);
  for (const auto& step : result.steps) {
    std::printf("%s as %s: drop %.4f, %s\n", step.layer.c_str(), step.decision.c_str(), step.drop,
                step.kept ? "kept" : "undone");
  }
  if (!a.data.empty()) {
    print_comparison(a.metric + " simulated", result.best);
  }
  if (!result.holds) {
    std::printf("a drop of at most %.4f was not reached; %s is the best that was found\n",
                a.max_drop, a.out.c_str());
  }
  std::fflush(stdout);
}

void read_names(QuantizeArguments& a) {
  auto& quantizing = a.quantizing;
  quantizing.profile = find_quant_profile(a.profile);
  quantizing.observer = find_observer(a.observer);
  quantizing.equalization = find_equalization(a.equalize);
  quantizing.bias_correction = find_bias_correction(a.bias_correction);
  require(quantizing.smooth_norms >= 0 && quantizing.smooth_norms <= 1, "--smooth-norms ",
          quantizing.smooth_norms, " must lie within 0 and 1");
  require(a.samples > 0, "--samples ", a.samples, " must be at least 1");
  require(quantizing.adaround.iterations > 0, "--adaround-iterations must be at least 1");
  require(a.max_drop < 0 || !a.data.empty(), "--max-drop needs --data, plates to measure it on");
  require(!a.search || (!a.data.empty() && !a.calibrate.empty()),
          "--search needs --calibrate and --data, plates to compare on");
  require(!a.calibrate.empty() || !needs_pictures(quantizing), "--calibrate is missing: profile ",
          a.profile, " with --equalize ", a.equalize, " and --bias-correction ", a.bias_correction,
          " looks at plates");
}

// Samples to calibrate on and samples to measure on; none that was not asked for.
struct Samples {
  std::vector<torch::Tensor> calibration;
  Jury jury;
};

Samples open_samples(const QuantizeArguments& a, const Model& model) {
  Samples samples;
  const ExamOptions options{.crop = a.crop, .metric = a.metric};
  ExamPtr measured;
  if (!a.data.empty()) {
    measured = open_exam(a.data, model, options);
    samples.jury = make_jury(measured);
  }
  if (!a.calibrate.empty()) {
    const auto drawn = open_exam(a.calibrate, model, options)->draw(a.samples, /*seed=*/0);
    if (measured) require_apart(*drawn, *measured);
    samples.calibration = network_inputs(*drawn);
  }
  return samples;
}

void search(QuantizeArguments& a, const Graph& graph, const Samples& samples) {
  auto& quantizing = a.quantizing;
  quantizing = search_options(graph, samples.calibration, quantizing, samples.jury);
  a.observer = observer_name(quantizing.observer);
  a.equalize = equalization_name(quantizing.equalization);
  a.bias_correction = bias_correction_name(quantizing.bias_correction);
  log_info("best of the search: --observer " + a.observer + " --equalize " + a.equalize +
           " --bias-correction " + a.bias_correction);
}

BoundResult quantize(PostTrainingQuantizer& quantizer, const QuantizeArguments& a,
                     const Jury& jury) {
  auto choices = layer_choices(a, quantizer.layers());
  if (a.max_drop >= 0) {
    return quantize_within(quantizer, std::move(choices), jury, {.max_drop = a.max_drop});
  }
  BoundResult result;
  result.graph = quantizer.build(choices);
  result.choices = std::move(choices);
  result.holds = true;
  if (!a.data.empty()) result.best = compare(quantizer.graph(), result.graph, jury);
  return result;
}

// The bound once more, with the file in the runtime that it is for.
bool holds_in_runtime(const QuantizeArguments& a, const Model& model, const Graph& exact,
                      const Jury& jury, const LayerPrecisions& precisions, nlohmann::json& report) {
  if (a.data.empty()) return true;
  const bool wide = std::ranges::any_of(
      precisions, [](const auto& layer) { return layer.second == LayerPrecision::int16; });
  const auto opset = wide ? kOpsetOf16Bits : ExportOptions().opset;
  const auto check = check_in_runtime(model, exact, jury, opset, a.out + ".check.onnx");
  if (!check) return true;
  const bool holds = a.max_drop < 0 || within(check->comparison.drop(), a.max_drop);
  report["in_runtime"] = runtime_json(*check);
  if (!holds) report["bound"]["holds"] = false;
  if (a.json == "-") return holds;
  print_comparison(a.metric + " in " + check->runtime, check->comparison);
  if (!holds) std::printf("in %s the drop is above %.4f\n", check->runtime.c_str(), a.max_drop);
  return holds;
}

}  // namespace

int quantize_command(const Args& args) {
  QuantizeArguments a;
  po::variables_map values;
  if (!parse_options(args, "plateforge quantize --model M --calibrate SPEC --out Q", describe(a),
                     values))
    return 0;
  read_names(a);
  set_up_runtime(a.runtime);
  auto model = load_model(a.model);
  if (a.metric.empty()) a.metric = is_detector(model.config) ? "iou70" : "exact_match";
  auto samples = open_samples(a, model);
  const auto graph = trace(*model.network, {-1, 3, model.config.height, model.config.width});
  if (a.search) search(a, graph, samples);
  PostTrainingQuantizer quantizer(graph, std::move(samples.calibration), a.quantizing);
  auto result = quantize(quantizer, a, samples.jury);

  const auto layers = quantizer.report(result.graph, result.choices);
  auto report = report_json(a, quantizer, result, layers);
  model.provenance["quantization"] = report.dump();
  model.network = std::make_shared<GraphNetwork>(result.graph);
  save_model(model, a.out);
  if (a.json != "-") print_report(a, result, layers);
  const bool holds = result.holds && holds_in_runtime(a, model, quantizer.graph(), samples.jury,
                                                      result.choices.precisions, report);
  write_json(a.json, report);
  return holds ? 0 : 1;
}

}  // namespace plateforge
