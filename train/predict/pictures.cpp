#include "train/predict/pictures.h"

#include <glob.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/videoio.hpp>

#include "configs/error.h"
#include "data/image.h"
#include "data/listing.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCamera = "camera:";

std::vector<std::string> matches(const std::string& pattern) {
  glob_t found{};
  const int failed = glob(pattern.c_str(), GLOB_TILDE, nullptr, &found);
  std::vector<std::string> files;
  for (size_t i = 0; !failed && i < found.gl_pathc; ++i) files.emplace_back(found.gl_pathv[i]);
  globfree(&found);
  return files;
}

std::vector<std::string> walked(const fs::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto name = entry.path().string();
    if (entry.is_regular_file() && (is_picture_name(name) || is_video_name(name)))
      files.push_back(name);
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> files_of(const std::string& input) {
  if (input.starts_with(kCamera)) return {input};
  if (fs::is_directory(input)) {
    auto files = walked(input);
    require(!files.empty(), "folder ", input, " holds no picture and no video");
    return files;
  }
  if (fs::exists(input)) return {input};
  require(input.find_first_of("*?[") != std::string::npos, "no file, folder or camera '", input,
          "' (a camera is called ", kCamera, "0)");
  auto files = matches(input);
  require(!files.empty(), "nothing fits the pattern '", input, "'");
  return files;
}

bool is_stream(const std::string& file) { return file.starts_with(kCamera) || is_video_name(file); }

cv::VideoCapture open_camera(const std::string& name) {
  const auto digits = name.substr(std::string(kCamera).size());
  require(!digits.empty() &&
              std::all_of(digits.begin(), digits.end(),
                          [](unsigned char c) { return std::isdigit(c); }) &&
              digits.size() < 4,
          "'", name, "' is no camera: expected ", kCamera, "0, ", kCamera, "1, ...");
  cv::VideoCapture camera(std::stoi(digits));
  require(camera.isOpened(), name, " is not there or is in use");
  return camera;
}

}  // namespace

struct PictureStream::Video {
  std::string source;
  cv::VideoCapture capture;
  int64_t frame = 0;  // the next one
  int64_t given = 0;
};

void Picture::load() {
  if (!image.empty() || !problem.empty() || ends_video) return;
  try {
    image = open ? open() : read_image(source);
  } catch (const Error& error) {
    problem = error.what();
  }
}

PictureStream::PictureStream(const std::vector<std::string>& inputs, const PictureOptions& options)
    : options_(options) {
  // OpenCV tells of what it cannot open on standard error; here it is told in one sentence.
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  require(!inputs.empty(), "name pictures, folders, videos or camera:0 to look at");
  require(options.every >= 1, "--every ", options.every, " must be at least 1");
  for (const auto& input : inputs) {
    const auto files = files_of(input);
    files_.insert(files_.end(), files.begin(), files.end());
    if (input.starts_with(kCamera)) open_camera(input);  // absent ones are told at once
  }
}

PictureStream::~PictureStream() = default;

void PictureStream::leave_out(const std::set<std::string>& sources) {
  std::erase_if(files_, [&](const auto& file) { return sources.contains(file); });
}

std::optional<Picture> PictureStream::next() {
  if (video_) return next_frame();
  if (next_ == files_.size()) return std::nullopt;
  const auto& file = files_[next_++];
  Picture picture{.source = file, .image = {}, .problem = {}};
  if (!is_stream(file)) return picture;
  auto capture = file.starts_with(kCamera) ? open_camera(file) : cv::VideoCapture(file);
  if (!capture.isOpened()) {
    picture.problem = file + " cannot be opened as a video";
    return picture;
  }
  video_ = std::make_unique<Video>(Video{file, std::move(capture)});
  return next_frame();
}

std::optional<Picture> PictureStream::next_frame() {
  auto& video = *video_;
  Picture picture{.source = video.source, .image = {}, .problem = {}};
  const bool enough = options_.max_frames > 0 && video.given == options_.max_frames;
  while (!enough && video.capture.grab()) {
    const auto frame = video.frame++;
    if (frame % options_.every != 0) continue;
    picture.frame = frame;
    picture.seconds = video.capture.get(cv::CAP_PROP_POS_MSEC) / 1000;
    if (!video.capture.retrieve(picture.image) || picture.image.empty()) break;
    ++video.given;
    return picture;
  }
  picture.ends_video = true;
  picture.frame = video.frame;
  const auto promised = static_cast<int64_t>(video.capture.get(cv::CAP_PROP_FRAME_COUNT));
  if (!enough && promised > video.frame)
    picture.problem = video.source + " ends after " + std::to_string(video.frame) + " of the " +
                      std::to_string(promised) + " frames that it announces";
  video_.reset();
  return picture;
}

bool is_video_name(const std::string& name) {
  static constexpr std::array<const char*, 9> kEndings = {".mp4",  ".avi", ".mkv",  ".mov", ".m4v",
                                                          ".webm", ".mpg", ".mpeg", ".ts"};
  std::string lower = name;
  for (auto& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](const char* ending) { return lower.ends_with(ending); });
}

}  // namespace plateforge
