#include "data/open.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>

#include "configs/error.h"
#include "data/ccpd.h"
#include "data/pack.h"
#include "data/recombine.h"
#include "data/synth.h"

namespace plateforge {
namespace {

// What a kind of source is called, which options it takes and how it is opened.
struct Kind {
  struct Context {
    const SpecPart& part;
    const Region& region;
    const CropOptions& crop;
    uint64_t seed;
    std::vector<Violation>* violations;
  };
  std::string name;
  std::vector<std::string> options;
  std::function<PlateSourcePtr(const Context&)> open;
};

// "the first problem (and 3 more)"; nothing when there is none.
void refuse_first(const std::vector<Violation>& violations, const SpecPart& part) {
  if (violations.empty()) return;
  const size_t more = violations.size() - 1;
  fail(violations[0].message, more ? " (and " + std::to_string(more) +
                                         " more; `plateforge data verify --data " + part.kind +
                                         ":" + part.location + "` lists all)"
                                   : "");
}

// Checks labels and hands the rest to the file source.
PlateSourcePtr open_listing(Listing listing, const Kind::Context& context) {
  auto found = std::move(listing.violations);
  const auto bad_label = [&](const FileItem& item) {
    try {
      require(!item.text.empty(), "the label is empty");
      context.region.encode(item.text);
      return false;
    } catch (const Error& problem) {
      const std::string file = (listing.root / item.path).string();
      found.push_back({"label", file, file + ": " + problem.what()});
      return true;
    }
  };
  std::erase_if(listing.items, bad_label);
  if (context.violations) {
    context.violations->insert(context.violations->end(), found.begin(), found.end());
  } else {
    refuse_first(found, context.part);
  }
  return make_file_source(listing.root, std::move(listing.items), context.crop.margin);
}

Listing list_ccpd_part(const Kind::Context& context) {
  const auto& part = context.part;
  return list_ccpd(part.location, {spec_option(part, "split", ""), spec_option(part, "subset", ""),
                                   context.crop.crop});
}

// Labels were checked when the pack was written, maybe for another region.
PlateSourcePtr open_pack_part(const Kind::Context& context) {
  auto source = open_pack(context.part.location);
  for (int64_t i = 0; i < source->size(); ++i) {
    try {
      context.region.encode(source->text(i));
    } catch (const Error& problem) {
      const std::string where = context.part.location + " (" + source->name(i) + ")";
      const Violation violation{"label", where, where + ": " + problem.what()};
      if (!context.violations) fail(violation.message);
      context.violations->push_back(violation);
    }
  }
  return source;
}

const std::vector<Kind>& kinds() {
  using Context = Kind::Context;
  static const std::vector<Kind> kKinds = {
      {"ccpd",
       {"split", "subset"},
       [](const Context& c) { return open_listing(list_ccpd_part(c), c); }},
      {"crops", {}, [](const Context& c) { return open_listing(list_crops(c.part.location), c); }},
      {"csv", {}, [](const Context& c) { return open_listing(list_csv(c.part.location), c); }},
      {"pack", {}, [](const Context& c) { return open_pack_part(c); }},
      {"recombine",
       {"from", "count", "seed"},
       [](const Context& c) { return make_recombine_source(c.part, c.region, c.crop, c.seed); }},
      {"synth",
       {"count", "seed"},
       [](const Context& c) { return make_synth_source(c.part, c.region, c.seed); }},
  };
  return kKinds;
}

std::string known_kinds() {
  std::string known;
  for (const auto& kind : kinds()) known += (known.empty() ? "" : ", ") + kind.name;
  return known;
}

const Kind* find_kind(std::string_view name) {
  const auto it = std::find_if(kinds().begin(), kinds().end(),
                               [&](const Kind& kind) { return kind.name == name; });
  return it == kinds().end() ? nullptr : &*it;
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

SpecPart parse_part(std::string_view text) {
  const std::string_view whole = text;
  const size_t colon = text.find(':');
  require(colon != std::string_view::npos && colon > 0, "data spec '", whole,
          "': expected kind:location, known kinds: ", known_kinds());
  SpecPart part;
  part.kind = text.substr(0, colon);
  const Kind* kind = find_kind(part.kind);
  require(kind, "data spec '", whole, "': unknown kind '", part.kind, "', known: ", known_kinds());
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
  require(error == std::errc() && end == text.data() + text.size() && value >= 0, part.kind, ":",
          part.location, ": expected a whole number after '", key, "=', came '", text, "'");
  return value;
}

std::vector<SpecPart> parse_spec(const std::string& spec) {
  require(!spec.empty(),
          "the data spec is empty: expected kind:location, known kinds: ", known_kinds());
  std::vector<SpecPart> parts;
  for (const auto text : split_parts(spec)) parts.push_back(parse_part(text));
  return parts;
}

PlateSourcePtr open_source(const SpecPart& part, const Region& region, const CropOptions& crop,
                           uint64_t seed, std::vector<Violation>* violations) {
  const Kind* kind = find_kind(part.kind);
  require(kind, "unknown kind of data '", part.kind, "', known: ", known_kinds());
  return kind->open({part, region, crop, seed, violations});
}

int64_t Mix::size() const {
  int64_t total = 0;
  for (const auto& part : parts) total += part.source->size();
  return total;
}

int64_t Mix::real_size() const {
  int64_t total = 0;
  for (const auto& part : parts) total += part.source->is_real() ? part.source->size() : 0;
  return total;
}

Mix open_mix(const std::string& spec, const Region& region, const CropOptions& crop, uint64_t seed,
             std::vector<Violation>* violations) {
  Mix mix;
  for (const auto& part : parse_spec(spec)) {
    mix.parts.push_back({open_source(part, region, crop, seed, violations), part.weight,
                         part.kind + ":" + part.location});
  }
  return mix;
}

}  // namespace plateforge
