#include <iostream>
#include <sstream>

#include "configs/error.h"
#include "export/bundle.h"
#include "export/gelu.h"
#include "export/linter.h"
#include "export/onnx_export.h"
#include "export/verify.h"
#include "train/commands/commands.h"
#include "train/exam.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

constexpr int64_t kRandomImages = 8;

std::string profile_names() {
  std::string names;
  for (const auto& profile : profiles()) names.append(" ").append(profile.name);
  return names.substr(1);
}

std::string sentence(const LintFinding& finding) {
  const auto others =
      finding.more ? " (and " + std::to_string(finding.more) + " more nodes)" : std::string();
  return finding.runtime + ": '" + finding.node + "'" + others + ": " + finding.text;
}

// The first picture of a SPEC as the network sees it.
BundleSample sample_of(const std::string& spec, const Model& model) {
  auto loader = open_exam(spec, model)->open(1);
  const auto batch = loader.next();
  require(batch.has_value(), "--sample ", spec, " is empty");
  return {batch->images[0], batch->texts.empty() ? "" : batch->texts[0], "a picture of " + spec};
}

// Says what will run on integers and warns; the number of warnings about the runtimes that the
// profile is for.
size_t print_forecast(std::ostream& out, const Profile& profile, const LintReport& report) {
  if (profile.holds != "fp32")
    out << "expected integer kernels of " << report.kernels.size()
        << " convolutions and products: ONNX Runtime " << report.integer_kernels("onnxruntime")
        << ", OpenVINO " << report.integer_kernels("openvino") << "\n";
  if (profile.runtimes == std::vector<std::string>{"tensorrt"})
    out << "note: " << profile.name
        << " is for TensorRT alone: OpenVINO loads it and reads 4 to 8 points worse, ONNX "
           "Runtime runs it slower than fp32; int8-u8 is for them\n";
  const auto warnings = report.about(profile.runtimes);
  for (const auto& warning : warnings) out << "warning: " << sentence(warning) << "\n";
  return warnings.size();
}

}  // namespace

int export_command(const Args& args) {
  std::string model_file, out, profile_list, bundle_list, sample_spec, json,
      outputs = "decoded", size = "static", norms, gelu = "exact";
  bool strict = false;
  ExportOptions exporting;
  po::options_description options("options");
  options.add_options()("model", po::value(&model_file)->required(), "model file (.safetensors)")(
      "out", po::value(&out)->required(), "folder for the files")(
      "profile", po::value(&profile_list),
      ("kinds of file, joined by , (" + profile_names() +
       "); default: what the model was quantised for, else fp32")
          .c_str())("batch", po::value(&exporting.batch)->default_value(exporting.batch),
                    "pictures per inference; 0 = open (OpenCV 4.6 wants a fixed batch)")(
      "outputs", po::value(&outputs)->default_value(outputs),
      "of a detector: decoded (scores, boxes, corners in pixels), heads (score_S, bbox_S, kps_S "
      "for "
      "each stride S, as SCRFD's parsers read them) or rows (the network's own)")(
      "size", po::value(&size)->default_value(size),
      "static, or dynamic: a detector for any multiple of its coarsest stride")(
      "opset", po::value(&exporting.opset)->default_value(exporting.opset), "13 to 21")(
      "layer-norm", po::value(&norms),
      "steps (arithmetic that every runtime knows) or operator (LayerNormalization, opset 17; not "
      "for OpenCV 4.6); default: operator in int8-u8 and int8-dynamic, else steps")(
      "gelu", po::value(&gelu)->default_value(gelu),
      "exact (Erf), or for devices without it tanh or sigmoid, which read almost the same")(
      "bundle", po::value(&bundle_list),
      "runtimes, joined by , (deepstream opencv openvino ort tensorrt tvm): a folder beside the "
      "file with what it takes and gives, a sample with its outputs, a script that proves a port")(
      "sample", po::value(&sample_spec),
      "SPEC whose first picture is the bundle's sample; default: one drawn from the region pack")(
      "strict", po::bool_switch(&strict),
      "write nothing and exit with 1 where a runtime of the profile would be slow or wrong")(
      "json", po::value(&json), "write the forecast and the check here; - is standard output");
  po::variables_map values;
  if (!parse_options(args, "plateforge export --model M --out DIR", options, values)) return 0;
  require(exporting.batch >= 0, "--batch ", exporting.batch, " must not be negative");

  set_up_runtime({.device = "cpu"});
  const auto model = load_model(model_file);
  exporting.form = find_detector_form(outputs);
  require(size == "static" || size == "dynamic", "--size ", size,
          " is unknown; known: static dynamic");
  exporting.any_size = size == "dynamic";
  require(norms.empty() || norms == "steps" || norms == "operator", "--layer-norm ", norms,
          " is unknown; known: steps operator");
  const auto names = values.count("profile") ? split_list(profile_list)
                                             : std::vector<std::string>{natural_profile(model)};
  require(!names.empty(), "--profile names nothing");
  for (const auto& name : names) find_profile(name);  // all of them before the first is written

  const auto bundles = split_list(bundle_list);
  for (const auto& runtime : bundles) check_bundle(runtime, names);
  if (sample_spec.empty())
    sample_spec =
        (is_detector(model.config) ? "scenes:" : "synth:") + model.region.name() + "?count=1";
  std::optional<BundleSample> sample;
  if (!bundles.empty()) sample = sample_of(sample_spec, model);

  std::ostringstream unsaid;
  std::ostream& say = json == "-" ? unsaid : std::cout;
  std::filesystem::create_directories(out);
  bool holds = true;
  nlohmann::json summary;
  for (const auto& name : names) {
    auto profile = find_profile(name);
    if (!norms.empty()) profile.norm_operators = norms == "operator";
    profile.gelu = find_gelu(gelu);
    allow_for(profile.gelu, profile.bounds);
    const auto onnx = make_onnx(model, profile, exporting);
    const auto forecast = lint(onnx);
    summary[name] = forecast.to_json();
    const auto warnings = print_forecast(say, profile, forecast);
    if (strict && warnings > 0) {
      say << name << " was not written: --strict allows no warnings\n";
      holds = false;
      continue;
    }
    const auto file = std::filesystem::path(out) /
                      (std::filesystem::path(model_file).stem().string() + "-" + name + ".onnx");
    const auto written = write_onnx(onnx, file);
    auto bounds = profile.bounds;
    bounds.different_texts = 1;  // noise is no plate: `verify` compares texts
    // and drives the activations further, where the sigmoid is worst: 0.27 against 0.11 on plates.
    if (profile.gelu == Gelu::sigmoid) bounds.relative_logit_difference *= 2;
    const auto parity =
        verify_onnx(model, file, random_images(model.config, kRandomImages, 1), {"builtin"}, bounds,
                    nullptr, {.samples = "random images", .score = "", .same = "same_answer"});
    say << file.string() << ": " << written.bytes << " bytes, " << written.nodes << " nodes, opset "
        << onnx.opset << "\nread back and run:\n"
        << parity.to_text();
    for (const auto& runtime : bundles) {
      if (!bundle_fits(runtime, profile)) continue;
      say << "bundle: " << write_bundle(runtime, model, profile, file, *sample).string() << "\n";
    }
    summary[name]["file"] = file.string();
    summary[name]["bytes"] = written.bytes;
    summary[name]["parity"] = parity.to_json();
    holds = holds && parity.holds();
  }
  write_json(json, summary);
  return holds ? 0 : 1;
}

}  // namespace plateforge
