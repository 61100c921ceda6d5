#include "train/reader_data.h"

#include "configs/error.h"
#include "configs/log.h"
#include "data/pack.h"
#include "data/recombine.h"
#include "data/split.h"
#include "losses/ctc.h"
#include "models/network.h"

namespace plateforge {

namespace {

// A label that the network cannot emit would silently teach nothing.
void require_feasible(const Mix& mix, const Region& region, const ModelConfig& model) {
  const auto steps = time_steps(model);
  const bool slots = reads_slots(model);
  for (const auto& part : mix.parts)
    for (int64_t i = 0; i < part.source->size(); ++i) {
      const auto text = part.source->text(i);
      require(!text.empty(), part.name, ": ", part.source->name(i),
              " has no label; plates without one can only pre-train (task mae)");
      const auto symbols = region.encode(text);
      require(!slots || static_cast<int64_t>(symbols.size()) <= steps, part.name, ": the plate '",
              text, "' has ", symbols.size(), " characters but the network has ", steps,
              " slots; set model.maskocr.slots");
      if (slots) continue;
      const auto needed = ctc_steps_needed(symbols);
      require(needed <= steps, part.name, ": the plate '", text, "' needs ", needed,
              " time steps (characters plus a blank between equal neighbours) but the network has ",
              steps, "; use model.head = t88 or a wider model.width");
    }
}

Mix only_real(const Mix& mix) {
  Mix real;
  for (const auto& part : mix.parts)
    if (part.source->is_real()) real.parts.push_back(part);
  return real;
}

bool has_label(const PlateSource& source) {
  for (int64_t i = 0; i < source.size(); ++i)
    if (!source.text(i).empty()) return true;
  return false;
}

// What characters can be cut from.
Mix only_labelled_photographs(const Mix& mix) {
  auto photographs = only_real(mix);
  std::erase_if(photographs.parts, [](const auto& part) { return !has_label(*part.source); });
  return photographs;
}

// Plates put together from the cells of the `photographs`, as their share of all samples.
void add_recombined(Mix& train, const Mix& photographs, const RunConfig& config,
                    const Region& region) {
  double total = 0;
  for (const auto& part : train.parts) total += part.weight;
  const double share = total * config.data.recombine / (1 - config.data.recombine);
  std::vector<PlateSourcePtr> sources;
  for (const auto& part : photographs.parts) sources.push_back(part.source);
  const auto seed = static_cast<uint64_t>(config.seed);
  train.parts.push_back({.source = make_recombined(sources, region, {}, seed),
                         .weight = share,
                         .name = "recombined"});
}

// data.train and data.val, or the held-out part of the former.
ReaderData open_sides(const RunConfig& config, const Region& region) {
  const CropOptions crop{.crop = config.data.crop, .margin = config.data.crop_margin};
  const auto seed = static_cast<uint64_t>(config.seed);
  require(!config.data.train.empty(),
          "data.train is empty: set it to a SPEC such as crops:DIR or ccpd:DIR");
  ReaderData data;
  data.train = open_mix(config.data.train, region, crop, seed);
  if (!config.data.val.empty()) {
    data.val = open_mix(config.data.val, region, crop, seed);
  } else {
    auto split = split_mix(data.train, config.data.val_fraction, seed);
    data.train = std::move(split.train);
    data.val = only_real(split.val);
  }
  require(data.val.size() > 0,
          "nothing to validate on: set data.val, or data.val_fraction above 0 "
          "with real plates in data.train");
  return data;
}

void cache_real_plates(Mix& mix, const std::filesystem::path& cache_dir) {
  for (auto& part : mix.parts)
    if (part.source->is_real()) part.source = cached(part.source, {}, cache_dir);
}

}  // namespace

ReaderData open_reader_data(const RunConfig& config, const Region& region,
                            const std::filesystem::path& cache_dir) {
  auto data = open_sides(config, region);
  require_feasible(data.train, region, config.model);
  require_feasible(data.val, region, config.model);
  if (config.data.recombine > 0) {
    const auto photographs = only_real(data.train);
    require(photographs.size() > 0, "data.recombine = ", config.data.recombine,
            " needs real plates to cut characters from, but data.train = ", config.data.train,
            " has none");
    add_recombined(data.train, photographs, config, region);
  }
  cache_real_plates(data.train, cache_dir);
  return data;
}

ReaderData open_pretraining_data(const RunConfig& config, const Region& region,
                                 const std::filesystem::path& cache_dir) {
  auto data = open_sides(config, region);
  if (config.data.recombine > 0) {
    const auto photographs = only_labelled_photographs(data.train);
    if (photographs.size() > 0)
      add_recombined(data.train, photographs, config, region);
    else
      log_info("data.recombine: no photograph has a label to cut its characters by; left out");
  }
  cache_real_plates(data.train, cache_dir);
  return data;
}

}  // namespace plateforge
