#include "train/tasks/ctc_reader.h"

#include <torch/utils.h>

#include <iomanip>
#include <sstream>

#include "losses/ctc.h"
#include "losses/distillation.h"
#include "train/runtime.h"

namespace plateforge {

CtcReaderTask::CtcReaderTask(Model model, Loader& val, ReadOptions options,
                             std::optional<Teacher> teacher)
    : model_(std::move(model)),
      val_(val),
      options_(std::move(options)),
      teacher_(std::move(teacher)) {
  move_to(*model_.network, options_.device);
}

torch::Tensor CtcReaderTask::loss(const Batch& batch) {
  const auto images = normalize(batch.images);
  torch::Tensor logits, taught;  // [N, C, T]
  {
    const PrecisionGuard precision(options_.precision, options_.device);
    logits = model_.network->forward(images);
    if (teacher_) {
      const torch::NoGradGuard no_grad;
      taught = teacher_->network->forward(images);
    }
  }
  const auto loss = ctc_loss(logits, batch.targets, batch.target_lengths, model_.region.blank());
  if (!teacher_) return loss;
  return loss + teacher_->weight * distillation_loss(logits, taught, teacher_->temperature);
}

Evaluation CtcReaderTask::evaluate() {
  const auto measured = evaluate_reader(*model_.network, model_.region, val_, options_);
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

void CtcReaderTask::save(const std::filesystem::path& file,
                         const std::map<std::string, std::string>& provenance) {
  Model out = model_;
  for (const auto& [key, value] : provenance) out.provenance[key] = value;
  save_model(out, file);
}

}  // namespace plateforge
