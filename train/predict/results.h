#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "data/glyphs.h"
#include "train/predict/tracks.h"

namespace plateforge {

// Where results go; empty: nowhere.
struct ResultOptions {
  std::string json;  // JSON Lines, an object per picture, frame or ended video; - = standard output
  std::string csv;   // a line per plate; - = standard output
  std::string draw;  // folder for pictures with the plates drawn in
  std::string crops;  // folder for the rectified plates
  bool text = true;   // a line per plate for people on standard output
  bool resume = false;
};

// Object of a picture or frame: source, width, height, plates (text, confidence, score, box,
// corners, readings, in videos track); in videos frame and seconds; problem where it could not be
// read.
nlohmann::json to_json(const Prediction& prediction);
// Object of an ended video: source and tracks.
nlohmann::json to_json(const std::string& source, const std::vector<Track>& tracks);

// The picture with its plates: outline, text above it.
cv::Mat drawn(const Prediction& prediction, const GlyphBook& glyphs);

// Writes results as they come, each whole before the next.
class ResultWriter {
 public:
  // Makes the folders. Throws Error when a target cannot be written, or exists and is not to be
  // gone on with.
  ResultWriter(const ResultOptions& options, const Region& region);

  // Pictures and videos that `json` holds already, when it is gone on with.
  const std::set<std::string>& done() const { return done_; }
  void write(const Prediction& prediction);
  void write_tracks(const std::string& source, const std::vector<Track>& tracks);

 private:
  void go_on();
  void add_line(std::ofstream& file, const std::string& target, const std::string& line);
  // A plate of it has its number in the name.
  std::filesystem::path picture_file(const std::string& folder, const Picture& picture,
                                     std::optional<int64_t> plate = {});

  ResultOptions options_;
  std::optional<GlyphBook> glyphs_;
  std::ofstream json_, csv_;
  std::set<std::string> done_;
  std::map<std::string, std::string> stems_;  // file stem -> the source that has it
};

}  // namespace plateforge
