#include "export/onnx_export.h"

#include <nlohmann/json.hpp>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "export/channel_order.h"
#include "export/fingerprint.h"
#include "export/half.h"
#include "export/onnx_writer.h"
#include "export/portable.h"
#include "export/quantizers.h"
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

}  // namespace

OnnxModel to_onnx(Graph graph, const Profile& profile, int64_t opset,
                  const std::map<std::string, std::string>& metadata) {
  simplify(graph);
  check_fits(natural_profile(graph), profile);
  line_up_slices(graph);
  if (profile.portable) spell_portably(graph);
  if (profile.arranged) arrange_quantizers(graph), spell_average_pools(graph);
  auto model = emit(std::move(graph), opset, profile.spelling);
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

std::map<std::string, std::string> onnx_metadata(const Model& model, const std::string& profile) {
  const nlohmann::json preprocessing = {{"channels", "BGR"},
                                        {"layout", "NCHW"},
                                        {"width", model.config.width},
                                        {"height", model.config.height},
                                        {"mean", 127.5},
                                        {"scale", 1.0 / 128}};
  std::map<std::string, std::string> metadata = {
      {"region", model.region.name()},
      {"alphabet", nlohmann::json(model.region.alphabet()).dump()},
      {"blank", std::to_string(model.region.blank())},
      {"decoder", "ctc_greedy"},
      {"input", "images"},
      {"output", "logits"},
      {"preprocessing", preprocessing.dump()},
      {"profile", profile},
      {"tool", "plateforge"},
      {"tool_version", PLATEFORGE_VERSION}};
  for (const auto* key : {"quantization", "sparsity"}) {
    const auto made = model.provenance.find(key);
    if (made != model.provenance.end()) metadata.insert(*made);
  }
  return metadata;
}

OnnxModel make_onnx(const Model& model, const Profile& profile, const ExportOptions& options) {
  const auto graph = trace(*model.network, {options.batch > 0 ? options.batch : -1, 3,
                                            model.config.height, model.config.width});
  auto onnx = to_onnx(graph, profile, options.opset, onnx_metadata(model, profile.name));
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
