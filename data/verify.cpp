#include "data/verify.h"

#include <map>
#include <optional>
#include <unordered_map>

#include "configs/error.h"
#include "data/concat.h"
#include "data/parallel.h"
#include "data/picture_hash.h"

namespace plateforge {
namespace {

int64_t ctc_steps(const std::vector<int64_t>& symbols) {
  auto steps = static_cast<int64_t>(symbols.size());
  for (size_t i = 1; i < symbols.size(); ++i) steps += symbols[i] == symbols[i - 1];
  return steps;
}

// What one look at a plate tells.
struct Look {
  std::vector<Violation> violations;
  std::optional<uint64_t> pixels;  // nullopt when the picture could not be read
};

Look look_at(const PlateSource& source, int64_t index, const Region& region,
             const VerifyOptions& options) {
  Look look;
  const std::string name = source.name(index), text = source.text(index);
  const auto add = [&](const char* kind, const std::string& message) {
    look.violations.push_back({kind, name, message});
  };
  if (const auto problem = region.check(text)) {
    add("grammar", name + ": label '" + text + "', position " +
                       std::to_string(problem->position + 1) + ": " + problem->reason);
  }
  try {
    const int64_t steps = ctc_steps(region.encode(text));
    if (options.time_steps > 0 && steps > options.time_steps) {
      add("steps", name + ": label '" + text + "' needs " + std::to_string(steps) +
                       " time steps, the network has " + std::to_string(options.time_steps));
    }
  } catch (const Error& problem) {
    add("label", name + ": " + problem.what());
  }
  try {
    look.pixels = pixel_hash(source.read({0, index}).image);
  } catch (const Error& problem) {
    add("picture", problem.what());
  }
  return look;
}

// Hashes of all pictures; nullopt where one cannot be read.
std::vector<std::optional<PictureHash>> hashes_of(const PlateSource& source, int64_t threads) {
  std::vector<std::optional<PictureHash>> hashes(static_cast<size_t>(source.size()));
  parallel_for(source.size(), threads, [&](int64_t i) {
    try {
      hashes[static_cast<size_t>(i)] = picture_hash(source.read({0, i}));
    } catch (const Error&) {  // verify_plates tells it
    }
  });
  return hashes;
}

}  // namespace

std::vector<Violation> verify_plates(const Mix& mix, const Region& region,
                                     const VerifyOptions& options) {
  const auto all = concat(mix);
  std::vector<Look> looks(static_cast<size_t>(all->size()));
  parallel_for(all->size(), options.threads, [&](int64_t i) {
    looks[static_cast<size_t>(i)] = look_at(*all, i, region, options);
  });

  std::vector<Violation> violations;
  std::unordered_map<uint64_t, int64_t> first_with;
  for (int64_t i = 0; i < all->size(); ++i) {
    auto& [found, pixels] = looks[static_cast<size_t>(i)];
    if (pixels) {
      const auto [before, is_new] = first_with.emplace(*pixels, i);
      if (!is_new) {
        found.push_back({"duplicate", all->name(i),
                         all->name(i) + " shows the same picture as " + all->name(before->second)});
      }
    }
    violations.insert(violations.end(), found.begin(), found.end());
  }
  return violations;
}

std::vector<Violation> verify_apart(const Mix& val, const Mix& train,
                                    const VerifyOptions& options) {
  const auto ours = concat(val), theirs = concat(train);
  std::map<std::string, int64_t> texts;
  for (int64_t i = 0; i < theirs->size(); ++i) texts.emplace(theirs->text(i), i);
  const auto our_hashes = hashes_of(*ours, options.threads);
  const auto their_hashes = hashes_of(*theirs, options.threads);

  std::vector<Violation> violations;
  for (int64_t i = 0; i < ours->size(); ++i) {
    const std::string name = ours->name(i), text = ours->text(i);
    if (const auto same = texts.find(text); same != texts.end()) {
      violations.push_back({"leak", name,
                            name + " carries the text '" + text + "', which is also on " +
                                theirs->name(same->second)});
    }
    const auto& hash = our_hashes[static_cast<size_t>(i)];
    if (!hash) continue;
    int64_t nearest = -1;
    int distance = kNearPicture + 1;
    for (int64_t k = 0; k < theirs->size(); ++k) {
      const auto& other = their_hashes[static_cast<size_t>(k)];
      if (!other || hash_distance(*hash, *other) >= distance) continue;
      nearest = k;
      distance = hash_distance(*hash, *other);
    }
    if (nearest < 0) continue;
    violations.push_back({"near", name,
                          name + " is nearly the same picture as " + theirs->name(nearest) + " (" +
                              std::to_string(distance) + " of 256 bits differ)"});
  }
  return violations;
}

}  // namespace plateforge
