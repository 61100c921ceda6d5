#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <opencv2/core.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace plateforge {

// A picture to look at: a file that load() decodes, or a frame of a video.
struct Picture {
  std::string source;       // file as the user would name it, or camera:N
  int64_t frame = -1;       // of a video, from 0; -1: a picture of its own
  double seconds = 0;       // since the video's beginning
  cv::Mat image;            // 8-bit BGR, upright; empty before load() and with a problem
  std::string problem;      // why it cannot be read, a sentence
  bool ends_video = false;  // no frame: the video has ended before this

  std::function<cv::Mat()> open = nullptr;  // reads it; empty: `source` is a file

  // Reads a picture that was not read yet; what goes wrong becomes the problem.
  void load();
};

struct PictureOptions {
  int64_t every = 1;       // of a video's frames one in so many
  int64_t max_frames = 0;  // of a video or camera; 0 = all
};

// All pictures that the user named, in order: picture files, folders (walked, sorted by name),
// patterns with * ? [ ], videos, camera:N. For any one thread at a time.
class PictureStream {
 public:
  // Throws Error for an input that does not exist, a folder or pattern without pictures, and a
  // camera that is not there.
  PictureStream(const std::vector<std::string>& inputs, const PictureOptions& options);
  ~PictureStream();

  // Files that next() is to pass over.
  void leave_out(const std::set<std::string>& sources);

  // nullopt at the end. A video is closed by a picture that says so; one that cannot be opened or
  // breaks off is one with a problem.
  std::optional<Picture> next();

 private:
  struct Video;
  std::optional<Picture> next_frame();

  std::vector<std::string> files_;  // pictures, videos and cameras
  size_t next_ = 0;
  std::unique_ptr<Video> video_;
  PictureOptions options_;
};

// True for names that end like a video (.mp4 .avi .mkv .mov .m4v .webm .mpg .mpeg .ts).
bool is_video_name(const std::string& name);

}  // namespace plateforge
