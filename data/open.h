#pragma once

#include <string>
#include <vector>

#include "configs/region.h"
#include "data/listing.h"
#include "data/plate.h"
#include "data/spec.h"

namespace plateforge {

// SPECs of plates, kind:location?key=value&key=value@weight joined by +
//   crops:DIR          label = file stem up to the first '_'
//   csv:FILE           columns image_path,plate_text; optional corners lt_x,lt_y,...,lb_y in pixels
//   ccpd:DIR           ?subset=db,blur or ?split=FILE (one relative path a line)
//   pack:FILE          written by `plateforge data cache` or `convert`
//   pictures:DIR       crops without a label, for pre-training
//   synth:REGION       ?count=N&seed=S
//   recombine:DIR      ?from=crops|ccpd|csv&count=N&seed=S
std::vector<SpecPart> parse_spec(const std::string& spec);

// Opens one part. Reads names and labels, no pictures. Throws Error on an empty or missing folder,
// a malformed name, a label outside the region's alphabet (names file, character and position).
// With `violations` given, plates with a bad name or label are listed there and left out instead.
PlateSourcePtr open_source(const SpecPart& part, const Region& region, const CropOptions& crop,
                           uint64_t seed, std::vector<Violation>* violations = nullptr);

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
  // Real photographs only.
  int64_t real_size() const;
};
Mix open_mix(const std::string& spec, const Region& region, const CropOptions& crop, uint64_t seed,
             std::vector<Violation>* violations = nullptr);

}  // namespace plateforge
