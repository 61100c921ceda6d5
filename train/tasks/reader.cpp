#include "train/tasks/reader.h"

#include <torch/utils.h>

#include <iomanip>
#include <sstream>

#include "losses/distillation.h"
#include "losses/reader.h"
#include "models/maskocr.h"
#include "train/character_masks.h"
#include "train/runtime.h"

namespace plateforge {

ReaderTask::ReaderTask(Model model, Loader& val, Options options)
    : model_(std::move(model)), val_(val), options_(std::move(options)) {
  move_to(*model_.network, options_.reading.device);
}

// The language stage: characters are told from the others alone.
torch::Tensor ReaderTask::loss_of_hidden(const Batch& batch) {
  auto& reader = dynamic_cast<MaskOcr&>(*model_.network);
  const auto masks =
      draw_character_masks(batch.texts, model_.region, patch_grid(model_.config),
                           time_steps(model_.config), options_.slots.mask_characters);
  const auto device = options_.reading.device;
  torch::Tensor logits;
  {
    const PrecisionGuard precision(options_.reading.precision, device);
    logits = reader.forward_hiding(normalize(batch.images), masks.hidden.to(device));
  }
  return reader_loss(model_.config, logits, batch.targets, batch.target_lengths,
                     model_.region.blank(), options_.slots, masks.taught.to(device));
}

torch::Tensor ReaderTask::loss(const Batch& batch) {
  if (options_.slots.mask_characters > 0) return loss_of_hidden(batch);

  const auto images = normalize(batch.images);
  torch::Tensor logits, taught;  // [N, C, T]
  {
    const PrecisionGuard precision(options_.reading.precision, options_.reading.device);
    logits = model_.network->forward(images);
    if (options_.teacher) {
      const torch::NoGradGuard no_grad;
      taught = options_.teacher->network->forward(images);
    }
  }
  const auto loss = reader_loss(model_.config, logits, batch.targets, batch.target_lengths,
                                model_.region.blank(), options_.slots);
  if (!options_.teacher) return loss;
  const auto& teacher = *options_.teacher;
  return loss + teacher.weight * distillation_loss(logits, taught, teacher.temperature);
}

Evaluation ReaderTask::evaluate() {
  const auto measured = evaluate_reader(model_, val_, options_.reading);
  Evaluation evaluation{.json = measured.metrics.to_json(), .line = {}};
  evaluation.json["loss"] = measured.loss;
  std::ostringstream line;
  line << std::fixed << std::setprecision(4) << "exact match "
       << measured.metrics.exact_match().value() << ", without region "
       << measured.metrics.exact_match_without_region().value() << ", CER "
       << measured.metrics.cer() << ", loss " << measured.loss << " on "
       << measured.metrics.samples() << " plates";
  evaluation.line = line.str();
  return evaluation;
}

void ReaderTask::save(const std::filesystem::path& file,
                      const std::map<std::string, std::string>& provenance) {
  Model out = model_;
  for (const auto& [key, value] : provenance) out.provenance[key] = value;
  save_model(out, file);
}

}  // namespace plateforge
