#include "compress/prune/sparsity_report.h"

#include <zlib.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "configs/error.h"

namespace plateforge {
namespace {

using Json = nlohmann::json;
using torch::Tensor;

constexpr auto kNote =
    "zeros make the file smaller once it is packed; runtimes with dense kernels (ONNX Runtime, "
    "OpenVINO, OpenCV, TVM) will not be faster: for speed remove whole channels";

std::string int8_bytes(const Tensor& weight) {
  const auto rows = weight.detach().to(torch::kCPU, torch::kFloat).contiguous().flatten(1);
  const auto scale = std::get<0>(rows.abs().max(1, /*keepdim=*/true)) / 127;
  const auto integers =
      torch::where(scale > 0, (rows / scale).round(), torch::zeros_like(rows)).to(torch::kChar);
  return {static_cast<const char*>(integers.contiguous().const_data_ptr()),
          static_cast<size_t>(integers.numel())};
}

int64_t gzip_size(const std::string& bytes) {
  constexpr int kGzipWindow = 15 + 16;  // zlib's code for a gzip header
  z_stream stream{};
  TORCH_CHECK(deflateInit2(&stream, 9, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int result = deflate(&stream, Z_FINISH);
  const auto size = static_cast<int64_t>(stream.total_out);
  deflateEnd(&stream);
  TORCH_CHECK(result == Z_STREAM_END, "zlib did not finish");
  return size;
}

std::string row(const LayerSparsity& layer, int64_t all_macs) {
  const auto percent = [](int64_t part, int64_t whole) {
    return 100 * static_cast<double>(part) / static_cast<double>(std::max<int64_t>(whole, 1));
  };
  char text[160];
  std::snprintf(
      text, sizeof text, "%-28s %8" PRId64 " %8" PRId64 " %7.1f%% %7.1f%% %8.1f%% %10" PRId64 "\n",
      layer.name.c_str(), layer.weights, layer.nonzero, 100 * layer.ratio(),
      percent(layer.macs, all_macs), percent(layer.nonzero_macs, all_macs), layer.gzip_bytes);
  return text;
}

Json json_of(const LayerSparsity& layer) {
  return {{"ratio", layer.ratio()},
          {"weights", layer.weights},
          {"nonzero_parameters", layer.nonzero},
          {"macs", layer.macs},
          {"nonzero_macs", layer.nonzero_macs},
          {"gzip_bytes", layer.gzip_bytes}};
}

}  // namespace

int64_t gzip_bytes(const std::vector<Tensor>& weights) {
  std::string bytes;
  for (const auto& weight : weights) bytes += int8_bytes(weight);
  return gzip_size(bytes);
}

SparsityReport report_sparsity(const std::vector<PrunableLayer>& layers, int64_t dense_gzip_bytes) {
  SparsityReport report{.layers = {}, .gzip_bytes = 0, .dense_gzip_bytes = dense_gzip_bytes};
  for (const auto& layer : layers) {
    const auto nonzero = layer.weight.count_nonzero().item<int64_t>();
    report.layers.push_back({.name = layer.name,
                             .shape = layer.weight.sizes().vec(),
                             .weights = layer.weight.numel(),
                             .nonzero = nonzero,
                             .gzip_bytes = plateforge::gzip_bytes({layer.weight}),
                             .macs = layer.macs,
                             // every weight is read equally often
                             .nonzero_macs = layer.macs / layer.weight.numel() * nonzero});
  }
  report.gzip_bytes = plateforge::gzip_bytes(weights_of(layers));
  return report;
}

LayerSparsity SparsityReport::total() const {
  LayerSparsity all{.name = "all", .shape = {}, .gzip_bytes = gzip_bytes};
  for (const auto& layer : layers) {
    all.weights += layer.weights;
    all.nonzero += layer.nonzero;
    all.macs += layer.macs;
    all.nonzero_macs += layer.nonzero_macs;
  }
  return all;
}

Json SparsityReport::to_json() const {
  auto json = json_of(total());
  for (const auto& layer : layers) {
    json["layers"][layer.name] = json_of(layer);
    json["layers"][layer.name]["shape"] = layer.shape;
  }
  if (dense_gzip_bytes > 0) json["dense_gzip_bytes"] = dense_gzip_bytes;
  json["note"] = kNote;
  return json;
}

std::string SparsityReport::to_text() const {
  char text[256];
  std::snprintf(text, sizeof text, "%-28s %8s %8s %8s %8s %9s %10s\n", "layer", "weights",
                "nonzero", "zeros", "MACs", "left", "int8 gz");
  std::string table = text;
  const auto all = total();
  for (const auto& layer : layers) table += row(layer, all.macs);
  table += row(all, all.macs);
  if (dense_gzip_bytes > 0) {
    std::snprintf(text, sizeof text,
                  "int8 weights, gzip -9: %" PRId64 " bytes, dense %" PRId64 ", ratio %.2f\n",
                  gzip_bytes, dense_gzip_bytes,
                  static_cast<double>(gzip_bytes) / static_cast<double>(dense_gzip_bytes));
    table += text;
  }
  return table + "note: " + kNote + "\n";
}

std::string write_ratios(const std::map<std::string, double>& ratios) {
  return Json(ratios).dump();
}

std::map<std::string, double> read_ratios(const std::string& text, const std::string& origin) {
  const auto json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto is_number = [](const Json& value) { return value.is_number(); };
  require(json.is_object() && std::all_of(json.begin(), json.end(), is_number), origin, ": '",
          kSparsityKey, "' in the metadata is not a table of ratios by layer");
  return json.get<std::map<std::string, double>>();
}

}  // namespace plateforge
