#pragma once

#include <string>
#include <vector>

#include "configs/region.h"
#include "data/plate.h"

namespace plateforge {

// How frames become plates (see DataConfig).
struct CropOptions {
  std::string crop = "rectify";  // rectify | extents | box
  double margin = 0.0;           // share of the size added on each side
};

// One part of a SPEC: kind:location?key=value&key=value@weight
struct SpecPart {
  std::string kind;      // ccpd, crops, csv, pack, synth, recombine
  std::string location;  // folder, file or region
  std::vector<std::pair<std::string, std::string>> options;
  double weight = 1.0;   // sampling weight in a training mix
};

// Splits "crops:a@2+synth:cn?count=1000". Throws Error naming the part, what was expected and the
// known kinds.
std::vector<SpecPart> parse_spec(const std::string& spec);

// Opens one part. Reads names and labels, no pictures. Throws Error on an empty or missing folder, a
// malformed name, a label outside the region's alphabet (names file, character and position).
PlateSourcePtr open_source(const SpecPart& part, const Region& region, const CropOptions& crop,
                           uint64_t seed);

// A SPEC opened: sources with their weights. For evaluation the weights do not matter and plates
// are visited one by one, in order.
struct Mix {
  struct Part {
    PlateSourcePtr source;
    double weight = 1.0;
    std::string name;
  };
  std::vector<Part> parts;
  int64_t size() const;
  int64_t real_size() const;
};
Mix open_mix(const std::string& spec, const Region& region, const CropOptions& crop, uint64_t seed);

}  // namespace plateforge
