#include "train/predict/pipeline.h"

#include <torch/utils.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "data/frames/letterbox.h"
#include "data/frames/view.h"
#include "data/rectify.h"
#include "data/sample_order.h"

namespace plateforge {
namespace {

// Adds the time of its life.
class Clock {
 public:
  explicit Clock(double& sum) : sum_(sum) {}
  ~Clock() {
    sum_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

 private:
  double& sum_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

Letterbox fit_into(const cv::Mat& image, cv::Mat& input) {
  const Letterbox box(image.cols, image.rows, input.cols, input.rows);
  Frame frame{.image = image, .region = {{0, 0}, image.size()}, .plates = {}, .source = {}};
  sample_frame(frame, {1 / box.scale, 0, 0, 0, 1 / box.scale, 0, 0, 0, 1}, input.size(), input);
  return box;
}

FoundPlate in_picture(const Detection& found, const Letterbox& box) {
  const auto back = [&](float input) { return static_cast<float>(box.to_picture(input)); };
  FoundPlate plate{.score = found.score, .box = {}, .texts = {}, .crop = {}};
  const cv::Point2f first(back(found.box[0]), back(found.box[1]));
  const cv::Point2f last(back(found.box[2]), back(found.box[3]));
  plate.box = cv::Rect2f(first, last) &
              cv::Rect2f(0, 0, static_cast<float>(box.width), static_cast<float>(box.height));
  for (size_t i = 0; i < 4; ++i)
    plate.corners[i] = {back(found.corners[i].x), back(found.corners[i].y)};
  if (!is_convex(plate.corners)) {  // crossing corners name no plane
    plate.corners = whole_image({1, 1});
    for (auto& corner : plate.corners)
      corner = {plate.box.x + corner.x * plate.box.width,
                plate.box.y + corner.y * plate.box.height};
  }
  return plate;
}

void find_plates(std::vector<Prediction>& predictions, PlateFinder& finder, StageSeconds& seconds) {
  auto batch = empty_batch(static_cast<int64_t>(predictions.size()), finder.size());
  std::vector<Letterbox> boxes;
  {
    const Clock clock(seconds.fit);
    for (size_t i = 0; i < predictions.size(); ++i) {
      cv::Mat input = picture_in(batch, static_cast<int64_t>(i));
      boxes.push_back(fit_into(predictions[i].picture.image, input));
    }
  }
  torch::Tensor inferred;
  {
    const Clock clock(seconds.detect);
    inferred = finder.infer(batch.images);
  }
  const Clock clock(seconds.pick);
  const auto found = finder.pick(inferred);
  for (size_t i = 0; i < predictions.size(); ++i)
    for (const auto& plate : found[i]) {
      predictions[i].plates.push_back(in_picture(plate, boxes[i]));
      if (predictions[i].plates.back().box.empty()) predictions[i].plates.pop_back();
    }
}

void read_plates(std::vector<Prediction>& predictions, PlateReader& reader, int64_t n_best,
                 StageSeconds& seconds) {
  std::vector<std::pair<const cv::Mat*, FoundPlate*>> plates;
  for (auto& prediction : predictions)
    for (auto& plate : prediction.plates) plates.emplace_back(&prediction.picture.image, &plate);
  if (plates.empty()) return;
  auto batch = empty_batch(static_cast<int64_t>(plates.size()), reader.size());
  {
    const Clock clock(seconds.rectify);
    for (size_t i = 0; i < plates.size(); ++i) {
      cv::Mat crop = picture_in(batch, static_cast<int64_t>(i));
      reader.view(*plates[i].first, plates[i].second->corners, crop);
      plates[i].second->crop = crop.clone();
    }
  }
  torch::Tensor logits;
  {
    const Clock clock(seconds.read);
    logits = reader.infer(batch.images);
  }
  const Clock clock(seconds.text);
  auto texts = reader.texts(logits, n_best);
  for (size_t i = 0; i < plates.size(); ++i) plates[i].second->texts = std::move(texts[i]);
}

// Pieces of the stream, numbered; results wait for their turn.
class Conveyor {
 public:
  Conveyor(const NextPicture& next, const PipelineOptions& options)
      : next_picture_(next),
        batch_(std::max<int64_t>(options.batch, 1)),
        most_ahead_(2 * std::max<int64_t>(options.threads, 1)) {}

  // The next pictures with their number; none at the end or when a thread has failed.
  std::vector<Picture> take(int64_t& number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return problem_ || next_ - given_ < most_ahead_; });
    std::vector<Picture> pictures;
    while (!problem_ && static_cast<int64_t>(pictures.size()) < batch_) {
      auto picture = next_picture_();
      if (!picture) break;
      pictures.push_back(std::move(*picture));
    }
    number = next_;
    if (!pictures.empty()) ++next_;
    return pictures;
  }
  void put(int64_t number, std::vector<Prediction> predictions) {
    const std::lock_guard lock(mutex_);
    done_[number] = std::move(predictions);
    changed_.notify_all();
  }
  void thread_ends(const StageSeconds& seconds, std::exception_ptr problem, bool last) {
    const std::lock_guard lock(mutex_);
    seconds_ += seconds;
    if (problem && !problem_) problem_ = problem;
    ended_ = ended_ || last;
    changed_.notify_all();
  }
  // The results in order; false at the end. Throws what a thread threw.
  bool next_results(std::vector<Prediction>& predictions) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return problem_ || ended_ || done_.contains(given_); });
    if (problem_) std::rethrow_exception(problem_);
    const auto found = done_.find(given_);
    if (found == done_.end()) return false;
    predictions = std::move(found->second);
    done_.erase(found);
    ++given_;
    changed_.notify_all();
    return true;
  }
  void fail(std::exception_ptr problem) { thread_ends({}, problem, false); }
  const StageSeconds& seconds() const { return seconds_; }

 private:
  const NextPicture& next_picture_;
  const int64_t batch_, most_ahead_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int64_t, std::vector<Prediction>> done_;
  int64_t next_ = 0, given_ = 0;
  bool ended_ = false;
  std::exception_ptr problem_;
  StageSeconds seconds_;
};

std::vector<Prediction> load_and_predict(std::vector<Picture> pictures, PlateModels& models,
                                         int64_t n_best, StageSeconds& seconds) {
  {
    const Clock clock(seconds.load);
    for (auto& picture : pictures) picture.load();
  }
  std::vector<Picture> good;
  for (auto& picture : pictures)
    if (!picture.image.empty()) good.push_back(picture);  // shares the pixels
  auto found = predict(std::move(good), models, n_best, seconds);
  std::vector<Prediction> all;
  size_t next = 0;
  for (auto& picture : pictures) {
    if (picture.image.empty())
      all.push_back({std::move(picture), {}});
    else
      all.push_back(std::move(found[next++]));
  }
  return all;
}

}  // namespace

StageSeconds& StageSeconds::operator+=(const StageSeconds& other) {
  load += other.load, fit += other.fit, detect += other.detect, pick += other.pick;
  rectify += other.rectify, read += other.read, text += other.text;
  return *this;
}

std::vector<std::pair<const char*, double>> StageSeconds::by_stage() const {
  return {{"load", load},       {"fit", fit},   {"detect", detect}, {"pick", pick},
          {"rectify", rectify}, {"read", read}, {"text", text}};
}

std::vector<Prediction> predict(std::vector<Picture> pictures, PlateModels& models, int64_t n_best,
                                StageSeconds& seconds) {
  std::vector<Prediction> predictions;
  for (auto& picture : pictures) predictions.push_back({std::move(picture), {}});
  if (predictions.empty()) return predictions;
  find_plates(predictions, models.finder, seconds);
  read_plates(predictions, models.reader, n_best, seconds);
  return predictions;
}

StageSeconds run_pipeline(const NextPicture& next, const std::function<PlateModels()>& make,
                          const std::function<void(Prediction)>& take,
                          const PipelineOptions& options) {
  Conveyor conveyor(next, options);
  std::atomic<int64_t> working = std::max<int64_t>(options.threads, 1);
  const auto work = [&] {
    StageSeconds seconds;
    std::exception_ptr problem;
    try {
      auto models = make();
      int64_t number = 0;
      for (auto some = conveyor.take(number); !some.empty(); some = conveyor.take(number))
        conveyor.put(number, load_and_predict(std::move(some), models, options.n_best, seconds));
    } catch (...) {
      problem = std::current_exception();
    }
    conveyor.thread_ends(seconds, problem, --working == 0);
  };
  std::vector<std::thread> threads;
  for (int64_t i = working; i > 0; --i) threads.emplace_back(work);
  std::exception_ptr problem;
  try {
    std::vector<Prediction> some;
    while (conveyor.next_results(some))
      for (auto& prediction : some) take(std::move(prediction));
  } catch (...) {
    problem = std::current_exception();
    conveyor.fail(problem);
  }
  for (auto& thread : threads) thread.join();
  if (problem) std::rethrow_exception(problem);
  return conveyor.seconds();
}

}  // namespace plateforge
