#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace plateforge {

// One part of a SPEC: kind:location?key=value&key=value@weight
struct SpecPart {
  std::string kind;      // crops, ccpd, yolo, ...
  std::string location;  // folder, file or region
  std::vector<std::pair<std::string, std::string>> options;
  double weight = 1.0;  // share of the training samples relative to the other parts
};

// What may stand in a SPEC: a kind of source and the options it takes.
struct SpecKind {
  std::string name;
  std::vector<std::string> options;
};

// Splits "crops:a@2+synth:cn?count=1000". Throws Error naming the part, what was expected and the
// known kinds.
std::vector<SpecPart> parse_spec(const std::string& spec, const std::vector<SpecKind>& kinds);

// The same without looking at kinds and options, to find out what a SPEC is about.
std::vector<std::string> spec_kinds(const std::string& spec);

// The value of an option, or `fallback`.
std::string spec_option(const SpecPart& part, const std::string& key, const std::string& fallback);

// The same as one of `allowed`, the first being the default. Throws Error naming part, key, what
// came and what is allowed.
std::string spec_choice(const SpecPart& part, const std::string& key,
                        const std::vector<std::string>& allowed);

// The same as a whole number above or equal to 0. Throws Error naming part, key and what came.
int64_t spec_number(const SpecPart& part, const std::string& key, int64_t fallback);

// kind:location, for messages.
inline std::string spec_name(const SpecPart& part) { return part.kind + ":" + part.location; }

}  // namespace plateforge
