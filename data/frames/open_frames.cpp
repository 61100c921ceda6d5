#include "data/frames/open_frames.h"

#include <algorithm>
#include <functional>

#include "configs/error.h"
#include "data/frames/listing.h"
#include "data/scenes.h"

namespace plateforge {
namespace {

struct Context {
  const SpecPart& part;
  const Region& region;
  uint64_t seed;
  std::vector<Violation>* violations;
};

struct Kind {
  SpecKind spec;
  std::function<FrameSourcePtr(const Context&)> open;
};

FrameSourcePtr open_listing(FrameListing listing, const Context& context) {
  const std::string where = spec_name(context.part);
  tell_or_refuse(listing.violations, where, context.violations);
  require(!listing.items.empty() || !listing.violations.empty(), where, ": no pictures found");
  return make_frame_file_source(std::move(listing), where);
}

FrameQuery query_of(const SpecPart& part) {
  return {.repair = spec_choice(part, "corners", {"repair", "refuse"}) == "repair",
          .missing_is_empty = spec_choice(part, "missing", {"refuse", "background"}) != "refuse",
          .plate_class = spec_option(part, "class", ""),
          .pictures = spec_option(part, "images", "")};
}

FrameSourcePtr open_ccpd(const Context& c) {
  const CcpdQuery query{spec_option(c.part, "split", ""), spec_option(c.part, "subset", "")};
  return open_listing(list_ccpd_frames(c.part.location, query), c);
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> kKinds = {
      {{"ccpd", {"split", "subset"}}, open_ccpd},
      {{"coco", {"images", "class", "corners"}},
       [](const Context& c) {
         return open_listing(list_coco(c.part.location, query_of(c.part)), c);
       }},
      {{"scenes", {"count", "seed", "backgrounds", "plates", "empty"}},
       [](const Context& c) { return make_scene_source(c.part, c.region, c.seed); }},
      {{"voc", {"class", "missing", "corners"}},
       [](const Context& c) {
         return open_listing(list_voc(c.part.location, query_of(c.part)), c);
       }},
      {{"yolo", {"class", "missing", "corners"}},
       [](const Context& c) {
         return open_listing(list_yolo(c.part.location, query_of(c.part)), c);
       }},
  };
  return kKinds;
}

const Kind* find_kind(const std::string& name) {
  const auto it = std::find_if(kinds().begin(), kinds().end(),
                               [&](const Kind& kind) { return kind.spec.name == name; });
  return it == kinds().end() ? nullptr : &*it;
}

int64_t count(const FrameMix& mix, bool only_real) {
  int64_t total = 0;
  for (const auto& part : mix.parts) {
    total += only_real && !part.source->is_real() ? 0 : part.source->size();
  }
  return total;
}

}  // namespace

int64_t FrameMix::size() const { return count(*this, false); }
int64_t FrameMix::real_size() const { return count(*this, true); }

bool is_frame_spec(const std::string& spec) {
  const auto names = spec_kinds(spec);
  return std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return name != "ccpd" && find_kind(name) != nullptr;
  });
}

FrameMix open_frames(const std::string& spec, const Region& region, uint64_t seed,
                     std::vector<Violation>* violations) {
  std::vector<SpecKind> known;
  for (const auto& kind : kinds()) known.push_back(kind.spec);
  FrameMix mix;
  for (const auto& part : parse_spec(spec, known)) {
    mix.parts.push_back({find_kind(part.kind)->open({part, region, seed, violations}), part.weight,
                         spec_name(part)});
  }
  return mix;
}

}  // namespace plateforge
