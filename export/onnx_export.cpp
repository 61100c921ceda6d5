#include "export/onnx_export.h"

#include <nlohmann/json.hpp>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "export/channel_order.h"
#include "export/fingerprint.h"
#include "export/gelu.h"
#include "export/half.h"
#include "export/norm_folding.h"
#include "export/norm_operator.h"
#include "export/onnx_writer.h"
#include "export/open_size.h"
#include "export/portable.h"
#include "export/quantizers.h"
#include "models/decode/boxes.h"
#include "models/graph/passes.h"
#include "models/graph/trace.h"

namespace plateforge {
namespace {

void check_fits(const std::string& natural, const Profile& profile) {
  if (profile.holds == natural) return;
  if (natural == "fp32") {
    fail("profile ", profile.name, " needs a model that was quantised for it; type: plateforge ",
         "quantize --model M --profile ", profile.name, " --calibrate SPEC --out Q.safetensors, ",
         "then export Q.safetensors");
  }
  fail("profile ", profile.name, " cannot hold this model: it was quantised for ", natural,
       "; export it with --profile ", natural, ", or export the model it was made from");
}

std::map<std::string, std::string> reader_metadata(const Model& model) {
  time_steps(model.config);  // refuses what is no reader
  return {{"task", "reader"},
          {"alphabet", nlohmann::json(model.region.alphabet()).dump()},
          {"blank", std::to_string(model.region.blank())},
          {"decoder", reads_slots(model.config) ? "slots_greedy" : "ctc_greedy"},
          {"output", "logits"}};
}

std::map<std::string, std::string> detector_metadata(const Model& model, DetectorForm form) {
  const auto& config = model.config.detector;
  std::string outputs;
  for (const auto& name : output_names(config, form))
    outputs.append(outputs.empty() ? "" : ",").append(name);
  const DetectOptions used;
  const auto number = [](double value) { return nlohmann::json(value).dump(); };
  return {{"task", "detector"},
          {"form", detector_form_name(form)},
          {"output", outputs},
          {"strides", nlohmann::json(config.strides).dump()},
          {"anchors", std::to_string(config.anchor_scales.size())},
          {"fit", "letterbox: scaled to fit, at the left-top, the rest grey 128"},
          {"score_threshold", number(used.score)},
          {"nms_iou", number(used.iou)}};
}

}  // namespace

OnnxModel to_onnx(Graph graph, const Profile& profile, int64_t opset,
                  const std::map<std::string, std::string>& metadata,
                  const std::vector<std::string>& outputs) {
  simplify(graph);
  check_fits(natural_profile(graph), profile);
  line_up_slices(graph);
  spell_gelu(graph, profile.gelu);
  if (!profile.norm_operators) fold_norm_affines(graph);
  if (profile.portable && !profile.norm_operators) spell_portably(graph);
  if (profile.arranged) arrange_quantizers(graph), spell_average_pools(graph);
  auto model = emit(std::move(graph), outputs, opset, profile.spelling);
  if (profile.norm_operators) write_norm_operators(model);
  if (profile.half) to_half(model);
  model.producer_name = "plateforge";
  model.producer_version = PLATEFORGE_VERSION;
  model.graph_name = "network";
  model.metadata = metadata;
  return model;
}

std::string natural_profile(const Model& model) {
  return natural_profile(trace(*model.network, {1, 3, model.config.height, model.config.width}));
}

std::map<std::string, std::string> onnx_metadata(const Model& model, const std::string& profile,
                                                 DetectorForm form) {
  const nlohmann::json preprocessing = {{"channels", "BGR"},
                                        {"layout", "NCHW"},
                                        {"width", model.config.width},
                                        {"height", model.config.height},
                                        {"mean", 127.5},
                                        {"scale", 1.0 / 128}};
  std::map<std::string, std::string> metadata = {{"region", model.region.name()},
                                                 {"input", "images"},
                                                 {"preprocessing", preprocessing.dump()},
                                                 {"profile", profile},
                                                 {"tool", "plateforge"},
                                                 {"tool_version", PLATEFORGE_VERSION}};
  metadata.merge(is_detector(model.config) ? detector_metadata(model, form)
                                           : reader_metadata(model));
  for (const auto* key : {"quantization", "sparsity"}) {
    const auto made = model.provenance.find(key);
    if (made != model.provenance.end()) metadata.insert(*made);
  }
  return metadata;
}

OnnxModel make_onnx(const Model& model, const Profile& profile, const ExportOptions& options) {
  require(!options.any_size || is_detector(model.config),
          "a reader's size is fixed: export it with --size static");
  auto graph = trace(*model.network, {options.batch > 0 ? options.batch : -1, 3,
                                      model.config.height, model.config.width});
  std::vector<std::string> outputs = {"logits"};
  if (is_detector(model.config)) {
    graph = with_outputs(std::move(graph), model.config, options.form);
    outputs = output_names(model.config.detector, options.form);
  }
  auto onnx = to_onnx(std::move(graph), profile, options.opset,
                      onnx_metadata(model, profile.name, options.form), outputs);
  if (profile.gelu != Gelu::exact) onnx.metadata["gelu"] = gelu_name(profile.gelu);
  if (options.any_size) open_size(onnx, model.config, options.form);
  onnx.metadata[kFingerprintKey] = fingerprint(onnx);
  return onnx;
}

ExportedFile write_onnx(const OnnxModel& onnx, const std::filesystem::path& file) {
  const auto bytes = encode_onnx(onnx);
  write_file_atomically(file, bytes);
  return {file, static_cast<int64_t>(bytes.size()), static_cast<int64_t>(onnx.nodes.size())};
}

ExportedFile export_onnx(const Model& model, const Profile& profile,
                         const std::filesystem::path& file, const ExportOptions& options) {
  return write_onnx(make_onnx(model, profile, options), file);
}

}  // namespace plateforge
