#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "configs/run_config.h"
#include "data/loader.h"
#include "models/model_file.h"
#include "train/exam.h"
#include "train/prune_hook.h"
#include "train/tasks/reader.h"

namespace plateforge {

// What every command that trains sets up alike from a run's config.

// A fresh model, with the fitting weights of model.init_from when that is given (told in the log)
// and with that file's word on which layers are sparse. A quantised init_from is that model itself,
// for quantisation-aware training; Error when region or input size differ from the run's. An
// init_from that lost channels gives the network its shapes; Error when the alphabets differ.
Model make_start(const RunConfig& config, const Region& region);

// distill.teacher, at rest on the device; nullopt without one. Throws Error for a teacher with
// another alphabet, or whose steps the network cannot learn from.
std::optional<Teacher> make_teacher(const RunConfig& config, const Region& region,
                                    torch::Device device);

// What prunes while training, or keeps the zeros that `model` starts with; nullptr when there is
// neither. `train` gives the calibration samples; measurements are kept in the folder `run`.
std::unique_ptr<PruneHook> make_prune_hook(const RunConfig& config, const Model& model,
                                           const ExamPtr& train, torch::Device device,
                                           const std::filesystem::path& run);

// Batches to train on, and the validation plates one by one in order.
LoaderOptions train_loader_options(const RunConfig& config);
LoaderOptions val_loader_options(const RunConfig& config);

}  // namespace plateforge
