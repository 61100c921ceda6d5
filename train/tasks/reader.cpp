#include "train/tasks/reader.h"

#include <torch/utils.h>

#include <iomanip>
#include <sstream>

#include "losses/distillation.h"
#include "losses/reader.h"
#include "models/decode/slots.h"
#include "models/maskocr.h"
#include "train/character_masks.h"
#include "train/runtime.h"

namespace plateforge {
namespace {

constexpr int64_t kTaughtTexts = 4;  // of a plate; what follows is unlikely

struct LikelyTexts {
  torch::Tensor symbols, lengths, weights;  // as text_distillation_loss() takes them
};

// The texts of the region that slots [N, C, S] find likeliest, weighed by their probabilities
// softened by `temperature`. Where there are fewer, the others are empty with weight 0.
LikelyTexts likeliest_texts(const torch::Tensor& logits, const Region& region, double temperature) {
  const auto log_probs = host_log_probs(logits);  // [N, S, C]
  const auto plates = log_probs.size(0), slots = log_probs.size(1);
  LikelyTexts texts{torch::zeros({plates, kTaughtTexts, slots}, torch::kLong),
                    torch::zeros({plates, kTaughtTexts}, torch::kLong),
                    torch::full({plates, kTaughtTexts}, -INFINITY)};
  for (int64_t n = 0; n < plates; ++n) {
    const auto readings =
        slots_search(plate_of(log_probs, n), region.blank(), kTaughtTexts, &region);
    for (size_t k = 0; k < readings.size(); ++k) {
      const auto& symbols = readings[k].symbols;
      const auto row = static_cast<int64_t>(k), length = static_cast<int64_t>(symbols.size());
      texts.symbols[n][row].slice(0, 0, length).copy_(torch::tensor(symbols));
      texts.lengths[n][row] = length;
      texts.weights[n][row] = readings[k].log_probability / temperature;
    }
  }
  texts.weights = torch::nan_to_num(texts.weights.softmax(1));
  return texts;
}

// Pictures at a network's size: the mean of the pixels that one of its pixels covers.
torch::Tensor fitted(const torch::Tensor& images, at::IntArrayRef size) {
  if (images.sizes().slice(2) == size) return images;
  return at::_upsample_bilinear2d_aa(images, size, /*align_corners=*/false)
      .contiguous(torch::MemoryFormat::ChannelsLast);
}

}  // namespace

ReaderTask::ReaderTask(Model model, Loader& val, Options options)
    : Task(std::move(model), options.reading.device), val_(val), options_(std::move(options)) {}

// The language stage: characters are told from the others alone.
torch::Tensor ReaderTask::loss_of_hidden(const Batch& batch) {
  auto& reader = dynamic_cast<MaskOcr&>(network());
  const auto masks =
      draw_character_masks(batch.texts, model().region, patch_grid(model().config),
                           time_steps(model().config), options_.slots.mask_characters);
  const auto device = options_.reading.device;
  torch::Tensor logits;
  {
    const PrecisionGuard precision(options_.reading.precision, device);
    logits = reader.forward_hiding(normalize(batch.images), masks.hidden.to(device));
  }
  return reader_loss(model().config, logits, batch.targets, batch.target_lengths,
                     model().region.blank(), options_.slots, masks.taught.to(device));
}

torch::Tensor ReaderTask::loss(const Batch& batch) {
  if (options_.slots.mask_characters > 0) return loss_of_hidden(batch);

  const auto images = normalize(batch.images);
  const auto own = fitted(images, {model().config.height, model().config.width});
  torch::Tensor logits;  // [N, C, T]
  {
    const PrecisionGuard precision(options_.reading.precision, options_.reading.device);
    logits = network().forward(own);
  }
  const auto loss = reader_loss(model().config, logits, batch.targets, batch.target_lengths,
                                model().region.blank(), options_.slots);
  if (!options_.teacher) return loss;
  return loss + options_.teacher->weight * teaching_loss(logits, images);
}

torch::Tensor ReaderTask::teaching_loss(const torch::Tensor& logits,
                                        const torch::Tensor& images) const {
  const auto& teacher = *options_.teacher;
  torch::Tensor taught;
  {
    const torch::NoGradGuard no_grad;
    const PrecisionGuard precision(options_.reading.precision, options_.reading.device);
    taught = teacher.network->forward(images);
  }
  if (!teacher.teaches_texts) return distillation_loss(logits, taught, teacher.temperature);
  const auto texts = likeliest_texts(taught, model().region, teacher.temperature);
  const auto device = logits.device();
  return text_distillation_loss(logits, texts.symbols.to(device), texts.lengths.to(device),
                                texts.weights.to(device), model().region.blank());
}

Evaluation ReaderTask::evaluate() {
  const auto measured = evaluate_reader(model(), val_, options_.reading);
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

}  // namespace plateforge
