#pragma once

#include <functional>
#include <opencv2/core.hpp>
#include <vector>

#include "data/plate.h"
#include "train/predict/pictures.h"
#include "train/predict/plate_models.h"

namespace plateforge {

// A plate that was found and read, pixels of its picture.
struct FoundPlate {
  float score = 0;               // of the detector, 0..1
  cv::Rect2f box;                // inside the picture
  Quad corners{};                // may reach beyond it
  std::vector<PlateText> texts;  // best first, never empty
  cv::Mat crop;                  // rectified as the reader saw it, 8-bit BGR
  int64_t track = -1;            // of a video; -1: none
};

struct Prediction {
  Picture picture;
  std::vector<FoundPlate> plates;  // best score first
};

// Seconds of work by stage, summed over the threads.
struct StageSeconds {
  double load = 0;     // opening and decoding pictures
  double fit = 0;      // scaling them into the detector's input
  double detect = 0;   // the detector's network
  double pick = 0;     // its output to boxes and corners
  double rectify = 0;  // plates into the reader's input
  double read = 0;     // the reader's network
  double text = 0;     // its output to texts
  StageSeconds& operator+=(const StageSeconds& other);
  std::vector<std::pair<const char*, double>> by_stage() const;  // in the order of the work
  double networks() const { return detect + read; }
  double around() const { return fit + pick + rectify + text; }  // before and behind the networks
};

// Finds and reads the plates of pictures. Those that cannot be read come with their problem and
// without plates.
std::vector<Prediction> predict(std::vector<Picture> pictures, PlateModels& models,
                                int64_t n_best = 1, StageSeconds* seconds = nullptr);

struct PipelineOptions {
  int64_t batch = 1;  // pictures that a thread looks at in one forward pass
  int64_t n_best = 1;
};

struct PipelineSeconds {
  StageSeconds work;   // of all threads
  double elapsed = 0;  // from the first picture's turn to the last prediction taken
};

using NextPicture = std::function<std::optional<Picture>()>;
// The same of a whole stream, on a thread for each of `models`: `next` gives its pictures, not
// loaded, nullopt at the end; `take` gets the predictions in the stream's order, on the calling
// thread. What is thrown on any thread is thrown here.
PipelineSeconds run_pipeline(const NextPicture& next, std::vector<PlateModels>& models,
                             const std::function<void(Prediction)>& take,
                             const PipelineOptions& options);

}  // namespace plateforge
