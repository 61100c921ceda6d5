#include "data/open.h"

#include <algorithm>
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
  tell_or_refuse(found, spec_name(context.part), context.violations);
  return make_file_source(listing.root, std::move(listing.items), context.crop.margin);
}

Listing list_ccpd_part(const Kind::Context& context) {
  const auto& part = context.part;
  return list_ccpd(part.location, {spec_option(part, "split", ""), spec_option(part, "subset", ""),
                                   context.crop.crop});
}

// Plates nobody has read: their label is empty.
PlateSourcePtr open_pictures_part(const Kind::Context& context) {
  const std::filesystem::path folder(context.part.location);
  std::vector<FileItem> items;
  for (auto& file : list_pictures(folder)) items.push_back({std::move(file), "", std::nullopt});
  require(!items.empty(), spec_name(context.part), " holds no pictures");
  return make_file_source(folder, std::move(items), context.crop.margin);
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
      {"pictures", {}, [](const Context& c) { return open_pictures_part(c); }},
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

}  // namespace

std::vector<SpecPart> parse_spec(const std::string& spec) {
  std::vector<SpecKind> known;
  for (const auto& kind : kinds()) known.push_back({kind.name, kind.options});
  return parse_spec(spec, known);
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
    mix.parts.push_back(
        {open_source(part, region, crop, seed, violations), part.weight, spec_name(part)});
  }
  return mix;
}

}  // namespace plateforge
