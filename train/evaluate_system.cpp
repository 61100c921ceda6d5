#include "train/evaluate_system.h"

#include "configs/error.h"
#include "data/concat.h"
#include "data/frames/split.h"
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

// What is annotated beside what was found.
SystemResult result_of(const FrameSource& frames, int64_t index, Prediction prediction) {
  SystemResult result{.plates = {},
                      .texts = {},
                      .found = std::move(prediction.plates),
                      .source = std::move(prediction.picture.source)};
  for (const auto& plate : frames.plates(index)) {
    result.plates.push_back(true_plate(plate));
    result.texts.push_back(plate.text);
  }
  return result;
}

}  // namespace

SystemEvaluation evaluate_system(const FrameMix& mix, const Region& region,
                                 std::vector<PlateModels>& models) {
  SystemEvaluation evaluation{.metrics = SystemMetrics(region), .seconds = {}};
  const auto frames = concat(mix);
  int64_t given = 0, judged = 0;
  const auto next = [&]() -> std::optional<Picture> {
    if (given == frames->size()) return std::nullopt;
    const SampleKey key{0, given++};
    return Picture{
        .source = frames->name(key.index), .image = {}, .problem = {}, .open = [frames, key] {
          return frames->read(key).image;
        }};
  };
  const auto take = [&](Prediction prediction) {
    require(prediction.picture.problem.empty(), prediction.picture.problem);
    evaluation.metrics.add(result_of(*frames, judged++, std::move(prediction)));
  };
  evaluation.seconds = run_pipeline(next, models, take, {});
  return evaluation;
}

void add_annotated_crops(const std::string& spec, const std::vector<std::string>& crops,
                         PlateReader& reader, SystemMetrics& metrics) {
  for (const auto& crop : crops) {
    const auto plates = concat(open_mix(spec, reader.region(), {.crop = crop}, /*seed=*/0));
    for (int64_t first = 0; first < plates->size(); first += kCropsAtOnce) {
      const auto count = std::min(kCropsAtOnce, plates->size() - first);
      auto batch = empty_batch(count, reader.size());
      for (int64_t i = 0; i < count; ++i) {
        const auto plate = plates->read({0, first + i});
        cv::Mat input = picture_in(batch, i);
        reader.view(plate.image, plate.quad, input);
      }
      const auto texts = reader.texts(reader.infer(batch.images), /*n_best=*/1);
      for (int64_t i = 0; i < count; ++i) {
        const auto& best = texts[static_cast<size_t>(i)].at(0);
        metrics.add_crop(
            crop, {plates->text(first + i), best.text, plates->name(first + i), best.confidence});
      }
    }
  }
}

}  // namespace plateforge
