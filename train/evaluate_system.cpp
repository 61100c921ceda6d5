#include "train/evaluate_system.h"

#include <chrono>

#include "configs/error.h"
#include "data/open.h"
#include "data/sample_order.h"

namespace plateforge {
namespace {

constexpr int64_t kCropsAtOnce = 16;

TruePlate true_plate(const FramePlate& plate) {
  TruePlate truth{.box = {plate.box.x, plate.box.y, plate.box.br().x, plate.box.br().y},
                  .corners = {},
                  .ignore = plate.ignore};
  if (!plate.corners) return truth;
  truth.corners.emplace();
  for (size_t i = 0; i < 4; ++i)
    (*truth.corners)[i] = {(*plate.corners)[i].x, (*plate.corners)[i].y};
  return truth;
}

// Frames of a mix as pictures, one after the other.
class FramePictures {
 public:
  explicit FramePictures(const FrameMix& frames) : frames_(frames) {}
  std::optional<Picture> operator()() {
    while (part_ < frames_.parts.size() && index_ == frames_.parts[part_].source->size())
      ++part_, index_ = 0;
    if (part_ == frames_.parts.size()) return std::nullopt;
    const auto& source = frames_.parts[part_].source;
    const SampleKey key{0, index_++};
    return Picture{
        .source = source->name(key.index), .image = {}, .problem = {}, .open = [source, key] {
          return source->read(key).image;
        }};
  }

 private:
  const FrameMix& frames_;
  size_t part_ = 0;
  int64_t index_ = 0;
};

// What is annotated, in the same order.
class FrameTruths {
 public:
  explicit FrameTruths(const FrameMix& frames) : frames_(frames) {}
  SystemResult next(Prediction prediction) {
    while (index_ == frames_.parts[part_].source->size()) ++part_, index_ = 0;
    SystemResult result{.plates = {},
                        .texts = {},
                        .found = std::move(prediction.plates),
                        .source = prediction.picture.source};
    for (const auto& plate : frames_.parts[part_].source->plates(index_++)) {
      result.plates.push_back(true_plate(plate));
      result.texts.push_back(plate.text);
    }
    return result;
  }

 private:
  const FrameMix& frames_;
  size_t part_ = 0;
  int64_t index_ = 0;
};

}  // namespace

SystemEvaluation evaluate_system(const FrameMix& frames, const Region& region,
                                 const std::function<PlateModels()>& make,
                                 const PipelineOptions& options) {
  SystemEvaluation evaluation{.metrics = SystemMetrics(region), .seconds = {}};
  FrameTruths truths(frames);
  const auto start = std::chrono::steady_clock::now();
  evaluation.seconds = run_pipeline(
      FramePictures(frames), make,
      [&](Prediction prediction) {
        require(prediction.picture.problem.empty(), prediction.picture.problem);
        evaluation.metrics.add(truths.next(std::move(prediction)));
      },
      options);
  evaluation.elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return evaluation;
}

void add_annotated_crops(const std::string& spec, const std::vector<std::string>& crops,
                         PlateReader& reader, SystemMetrics& metrics) {
  for (const auto& crop : crops) {
    const auto mix = open_mix(spec, reader.region(), {.crop = crop}, /*seed=*/0);
    for (const auto& part : mix.parts)
      for (int64_t first = 0; first < part.source->size(); first += kCropsAtOnce) {
        const auto count = std::min(kCropsAtOnce, part.source->size() - first);
        auto batch = empty_batch(count, reader.size());
        for (int64_t i = 0; i < count; ++i) {
          const auto plate = part.source->read({0, first + i});
          cv::Mat input = picture_in(batch, i);
          reader.view(plate.image, plate.quad, input);
        }
        const auto texts = reader.texts(reader.infer(batch.images), /*n_best=*/1);
        for (int64_t i = 0; i < count; ++i) {
          const auto& best = texts[static_cast<size_t>(i)].at(0);
          metrics.add_crop(crop, {part.source->text(first + i), best.text,
                                  part.source->name(first + i), best.confidence});
        }
      }
  }
}

}  // namespace plateforge
