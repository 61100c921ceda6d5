#include "data/spec.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "configs/error.h"

namespace plateforge {
namespace {

std::string known_kinds(const std::vector<SpecKind>& kinds) {
  std::string known;
  for (const auto& kind : kinds) known += (known.empty() ? "" : ", ") + kind.name;
  return known;
}

// Cuts at each '+' that is followed by "kind:", so that paths may hold a '+'.
std::vector<std::string_view> split_parts(std::string_view spec) {
  std::vector<std::string_view> parts;
  size_t start = 0;
  for (size_t plus = spec.find('+'); plus != std::string_view::npos;
       plus = spec.find('+', plus + 1)) {
    const size_t colon = spec.find(':', plus);
    const bool is_kind = colon != std::string_view::npos &&
                         std::all_of(spec.begin() + static_cast<ptrdiff_t>(plus) + 1,
                                     spec.begin() + static_cast<ptrdiff_t>(colon),
                                     [](char c) { return c >= 'a' && c <= 'z'; });
    if (!is_kind) continue;
    parts.push_back(spec.substr(start, plus - start));
    start = plus + 1;
  }
  parts.push_back(spec.substr(start));
  return parts;
}

// Takes "@2.5" off the end. An '@' followed by a '/' belongs to the path.
double take_weight(std::string_view& text, std::string_view part) {
  const size_t at = text.rfind('@');
  if (at == std::string_view::npos || text.find('/', at) != std::string_view::npos) return 1;
  const std::string_view digits = text.substr(at + 1);
  double weight = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), weight);
  require(
      error == std::errc() && end == digits.data() + digits.size() && weight > 0 && weight < 1e9,
      "data spec '", part, "': expected a positive weight after '@', came '", digits, "'");
  text = text.substr(0, at);
  return weight;
}

SpecPart parse_part(std::string_view text, const std::vector<SpecKind>& kinds) {
  const std::string_view whole = text;
  const size_t colon = text.find(':');
  require(colon != std::string_view::npos && colon > 0, "data spec '", whole,
          "': expected kind:location, known kinds: ", known_kinds(kinds));
  SpecPart part;
  part.kind = text.substr(0, colon);
  const auto kind = std::find_if(kinds.begin(), kinds.end(),
                                 [&](const SpecKind& k) { return k.name == part.kind; });
  require(kind != kinds.end(), "data spec '", whole, "': unknown kind '", part.kind,
          "', known: ", known_kinds(kinds));
  text.remove_prefix(colon + 1);
  part.weight = take_weight(text, whole);
  const size_t query = std::min(text.find('?'), text.size());
  part.location = text.substr(0, query);
  require(!part.location.empty(), "data spec '", whole, "': nothing after '", part.kind, ":'");
  for (text.remove_prefix(std::min(query + 1, text.size())); !text.empty();) {
    const std::string_view option = text.substr(0, text.find('&'));
    const size_t equals = option.find('=');
    require(equals != std::string_view::npos, "data spec '", whole,
            "': expected key=value after '?', came '", option, "'");
    const std::string key(option.substr(0, equals));
    std::string known;
    for (const auto& name : kind->options) known += (known.empty() ? "" : ", ") + name;
    require(std::count(kind->options.begin(), kind->options.end(), key), "data spec '", whole,
            "': unknown option '", key, "' of ", part.kind,
            ", known: ", known.empty() ? "none" : known);
    part.options.emplace_back(key, option.substr(equals + 1));
    text.remove_prefix(std::min(option.size() + 1, text.size()));
  }
  return part;
}

}  // namespace

std::vector<SpecPart> parse_spec(const std::string& spec, const std::vector<SpecKind>& kinds) {
  require(!spec.empty(),
          "the data spec is empty: expected kind:location, known kinds: ", known_kinds(kinds));
  std::vector<SpecPart> parts;
  for (const auto text : split_parts(spec)) parts.push_back(parse_part(text, kinds));
  return parts;
}

std::vector<std::string> spec_kinds(const std::string& spec) {
  std::vector<std::string> kinds;
  for (const auto text : split_parts(spec)) kinds.emplace_back(text.substr(0, text.find(':')));
  return kinds;
}

std::string spec_option(const SpecPart& part, const std::string& key, const std::string& fallback) {
  for (const auto& [name, value] : part.options) {
    if (name == key) return value;
  }
  return fallback;
}

int64_t spec_number(const SpecPart& part, const std::string& key, int64_t fallback) {
  const std::string text = spec_option(part, key, std::to_string(fallback));
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && value >= 0, spec_name(part),
          ": expected a whole number after '", key, "=', came '", text, "'");
  return value;
}

std::string spec_choice(const SpecPart& part, const std::string& key,
                        const std::vector<std::string>& allowed) {
  const std::string value = spec_option(part, key, allowed.front());
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return value;
  std::string known;
  for (const auto& name : allowed) known += (known.empty() ? "" : ", ") + name;
  fail(spec_name(part), ": ", key, "=", value, " is unknown, known: ", known);
}

}  // namespace plateforge
