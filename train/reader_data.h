#pragma once

#include "configs/run_config.h"
#include "data/open.h"

namespace plateforge {

// The plates of a reader's run. No plate text of `val` occurs among the real plates of `train`.
struct ReaderData {
  Mix train;  // weighted
  Mix val;    // real plates, each once
};

// Opens data.train and data.val (or holds out data.val_fraction of the real training plates by
// their text), adds recombined plates made from the training half, and packs real plates into the
// cache. Throws Error when a label needs more CTC steps than the network has, when nothing is left
// to validate on, and for everything open_mix() refuses.
ReaderData open_reader_data(const RunConfig& config, const Region& region,
                            const std::filesystem::path& cache_dir);

// The plates of a pre-training run, labelled or not: data.train and data.val, or what is held out.
// Validation plates are real. Plates are recombined where real ones have labels.
ReaderData open_pretraining_data(const RunConfig& config, const Region& region,
                                 const std::filesystem::path& cache_dir);

}  // namespace plateforge
