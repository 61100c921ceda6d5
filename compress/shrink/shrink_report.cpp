#include <cinttypes>
#include <cstdio>

#include "compress/shrink/shrink.h"

namespace plateforge {
namespace {

using Json = nlohmann::json;

std::string row(const std::string& name, const LayerCosts& before, const LayerCosts& after,
                const std::string& remark) {
  char text[256];
  std::snprintf(text, sizeof text,
                "%-24s %5" PRId64 " -> %5" PRId64 " %8" PRId64 " -> %8" PRId64 " %10" PRId64
                " -> %10" PRId64 " %8.1f -> %7.1f%s\n",
                name.c_str(), before.channels, after.channels, before.parameters, after.parameters,
                before.macs, after.macs, before.microseconds, after.microseconds, remark.c_str());
  return text;
}

Json json_of(const LayerCosts& before, const LayerCosts& after) {
  return {{"channels_before", before.channels},
          {"channels", after.channels},
          {"parameters_before", before.parameters},
          {"parameters", after.parameters},
          {"macs_before", before.macs},
          {"macs", after.macs},
          {"microseconds_before", before.microseconds},
          {"microseconds", after.microseconds}};
}

}  // namespace

std::string ShrinkReport::to_text() const {
  char text[200];
  std::snprintf(text, sizeof text, "%-24s %14s %20s %24s %19s\n", "group", "channels", "parameters",
                "MACs", "microseconds");
  std::string table = text;
  for (const auto& group : groups)
    table += row(group.name, group.before, group.after,
                 group.kept_because.empty() ? "" : "  kept: " + group.kept_because);
  table += row("network", before, after, "");
  std::snprintf(
      text, sizeof text,
      "LibTorch, one thread, one image: %.2f times as fast, %.2f of the MACs, %.2f of the "
      "parameters\n",
      before.microseconds / after.microseconds,
      static_cast<double>(after.macs) / static_cast<double>(before.macs),
      static_cast<double>(after.parameters) / static_cast<double>(before.parameters));
  return table + text;
}

Json ShrinkReport::to_json() const {
  auto json = json_of(before, after);
  for (const auto& group : groups) {
    auto& entry = json["groups"][group.name] = json_of(group.before, group.after);
    if (!group.kept_because.empty()) entry["kept_because"] = group.kept_because;
  }
  return json;
}

std::string ShrinkReport::widths() const {
  Json json = Json::object();
  for (const auto& group : groups) json[group.name] = group.after.channels;
  return json.dump();
}

}  // namespace plateforge
