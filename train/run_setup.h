#pragma once

#include "configs/run_config.h"
#include "data/loader.h"
#include "models/model_file.h"

namespace plateforge {

// What every command that trains sets up alike from a run's config.

// A fresh model, with the fitting weights of model.init_from when that is given (told in the log).
// A quantised init_from is that model itself, for quantisation-aware training; Error when region or
// input size differ from the run's.
Model make_start(const RunConfig& config, const Region& region);

// Batches to train on, and the validation plates one by one in order.
LoaderOptions train_loader_options(const RunConfig& config);
LoaderOptions val_loader_options(const RunConfig& config);

}  // namespace plateforge
