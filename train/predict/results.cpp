#include "train/predict/results.h"

#include <iomanip>
#include <iostream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <sstream>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "configs/utf8.h"
#include "data/listing.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const std::vector<std::string> kColumns = {
    "source", "frame", "text", "confidence", "score", "left", "top",  "right", "bottom",
    "lt_x",   "lt_y",  "rt_x", "rt_y",       "rb_x",  "rb_y", "lb_x", "lb_y",  "track"};

double rounded(double value, double steps) { return std::round(value * steps) / steps; }
double in_pixels(double value) { return rounded(value, 100); }
double as_share(double value) { return rounded(value, 1e6); }

std::string fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

Json to_json(const FoundPlate& plate) {
  Json corners = Json::array(), readings = Json::array();
  for (const auto& corner : plate.corners)
    corners.push_back({in_pixels(corner.x), in_pixels(corner.y)});
  for (const auto& [text, confidence] : plate.texts)
    readings.push_back({{"text", text}, {"confidence", as_share(confidence)}});
  Json json = {{"text", plate.texts.at(0).text},
               {"confidence", as_share(plate.texts[0].confidence)},
               {"score", as_share(plate.score)},
               {"box",
                {in_pixels(plate.box.x), in_pixels(plate.box.y), in_pixels(plate.box.br().x),
                 in_pixels(plate.box.br().y)}},
               {"corners", corners},
               {"readings", readings}};
  if (plate.track >= 0) json["track"] = plate.track;
  return json;
}

std::string csv_of(const Picture& picture, const FoundPlate& plate) {
  std::vector<std::string> fields = {picture.source,
                                     picture.frame < 0 ? "" : std::to_string(picture.frame),
                                     plate.texts.at(0).text,
                                     fixed(plate.texts[0].confidence, 4),
                                     fixed(plate.score, 4),
                                     fixed(plate.box.x, 1),
                                     fixed(plate.box.y, 1),
                                     fixed(plate.box.br().x, 1),
                                     fixed(plate.box.br().y, 1)};
  for (const auto& corner : plate.corners)
    fields.insert(fields.end(), {fixed(corner.x, 1), fixed(corner.y, 1)});
  fields.push_back(plate.track < 0 ? "" : std::to_string(plate.track));
  return csv_line(fields);
}

std::string place_of(const Picture& picture) {
  return picture.frame < 0 ? picture.source
                           : picture.source + " " + fixed(picture.seconds, 2) + " s";
}

void write_jpeg(const fs::path& file, const cv::Mat& image) {
  std::vector<uint8_t> bytes;
  cv::imencode(".jpg", image, bytes, {cv::IMWRITE_JPEG_QUALITY, 92});
  write_file_atomically(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// Text in the region's fonts, dark on a light strip whose bottom-left corner is `at`.
void write_text(const std::string& text, const cv::Point& at, int height, const GlyphBook& glyphs,
                cv::Mat& image) {
  const auto symbols = split_utf8(text);
  const auto cell = 0.62 * height;
  const auto width = static_cast<int>(cell * static_cast<double>(symbols.size()) + 0.4 * height);
  const cv::Rect strip(std::clamp(at.x, 0, std::max(image.cols - width, 0)),
                       std::max(at.y - height, 0), width, height);
  const cv::Rect seen = strip & cv::Rect({0, 0}, image.size());
  if (seen.empty()) return;
  cv::Mat ink(strip.size(), CV_8U, cv::Scalar(0));
  for (size_t i = 0; i < symbols.size() && glyphs.faces() > 0; ++i) {
    const auto face = glyphs.face_for(symbols[i], 0);
    if (face == glyphs.faces()) continue;
    const cv::Rect2d place(0.2 * height + cell * static_cast<double>(i), 0.12 * height, 0.9 * cell,
                           0.76 * height);
    paint_ink(glyphs.glyph(symbols[i], face), glyphs.ink_box(symbols[i], face, place), ink);
  }
  cv::Mat part = image(seen);
  part.setTo(cv::Scalar(225, 255, 225));
  part.setTo(cv::Scalar(20, 20, 20), ink(seen - strip.tl()) > 96);
}

std::string numbered(const std::string& name, int64_t number) {
  return (name + '-').append(std::to_string(number));
}

}  // namespace

Json to_json(const Prediction& prediction) {
  const auto& picture = prediction.picture;
  Json json = {{"source", picture.source}};
  if (picture.frame >= 0) json["frame"] = picture.frame, json["seconds"] = picture.seconds;
  if (!picture.problem.empty()) {
    json["problem"] = picture.problem;
    return json;
  }
  json["width"] = picture.image.cols, json["height"] = picture.image.rows;
  json["plates"] = Json::array();
  for (const auto& plate : prediction.plates) json["plates"].push_back(to_json(plate));
  return json;
}

Json to_json(const std::string& source, const std::vector<Track>& tracks) {
  Json all = Json::array();
  for (const auto& track : tracks)
    all.push_back({{"track", track.id},
                   {"text", track.text},
                   {"share", track.share},
                   {"frames", track.frames},
                   {"first_frame", track.first_frame},
                   {"last_frame", track.last_frame},
                   {"first_seconds", track.first_seconds},
                   {"last_seconds", track.last_seconds}});
  return {{"source", source}, {"tracks", all}};
}

cv::Mat drawn(const Prediction& prediction, const GlyphBook& glyphs) {
  cv::Mat image = prediction.picture.image.clone();
  const int line = std::max(1, image.cols / 400);
  for (const auto& plate : prediction.plates) {
    std::vector<cv::Point> outline;
    for (const auto& corner : plate.corners) outline.emplace_back(corner);
    cv::polylines(image, outline, true, {60, 220, 60}, line, cv::LINE_AA);
    const int height = std::clamp(static_cast<int>(0.6F * plate.box.height), 18, image.rows / 8);
    const cv::Point above(static_cast<int>(plate.box.x), static_cast<int>(plate.box.y) - 2 * line);
    write_text(plate.texts.at(0).text, above, height, glyphs, image);
  }
  return image;
}

ResultWriter::ResultWriter(const ResultOptions& options, const Region& region) : options_(options) {
  if (!options_.draw.empty()) glyphs_.emplace(region.fonts(), region.alphabet());
  for (const auto& folder : {options_.draw, options_.crops}) {
    if (folder.empty()) continue;
    std::error_code problem;
    fs::create_directories(folder, problem);
    require(!problem, "folder ", folder, " cannot be made: ", problem.message());
    write_file_atomically(fs::path(folder) / ".writable", "");  // refuses where nothing can be
    fs::remove(fs::path(folder) / ".writable", problem);
  }
  if (options_.resume) go_on();
  const auto open = [&](const std::string& target, std::ofstream& file) {
    if (target.empty() || target == "-") return;
    require(options_.resume || !fs::exists(target) || fs::file_size(target) == 0, target,
            " holds results already: --resume goes on with them, or name another file");
    file.open(target, std::ios::app);
    require(file.good(), target, " cannot be written");
  };
  open(options_.json, json_);
  open(options_.csv, csv_);
  if (!options_.csv.empty() && (options_.csv == "-" || fs::file_size(options_.csv) == 0))
    add_line(csv_, options_.csv, csv_line(kColumns));
}

// Keeps the lines of whole pictures and ended videos; a video that was interrupted is done again.
void ResultWriter::go_on() {
  require(!options_.json.empty() && options_.json != "-" && options_.csv.empty(),
          "--resume goes on with the results of --json FILE, and of nothing else");
  if (!fs::exists(options_.json)) return;
  std::istringstream lines(read_file(options_.json));
  std::vector<std::pair<std::string, std::string>> kept;  // source, line
  std::set<std::string> open;
  for (std::string line; std::getline(lines, line);) {
    const auto json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (lines.eof() && json.is_discarded()) break;  // torn by the interruption
    require(json.is_object() && json.contains("source"), options_.json,
            " holds a line that is no result of predict: ", line.substr(0, 60));
    const auto source = json["source"].get<std::string>();
    json.contains("frame") ? void(open.insert(source)) : void(done_.insert(source));
    kept.emplace_back(source, line);
  }
  write_file_atomically(options_.json, [&](std::ostream& out) {
    for (const auto& [source, line] : kept)
      if (done_.contains(source) || !open.contains(source)) out << line << "\n";
  });
}

void ResultWriter::add_line(std::ofstream& file, const std::string& target,
                            const std::string& line) {
  auto& out = target == "-" ? std::cout : static_cast<std::ostream&>(file);
  out << line << "\n" << std::flush;
  require(out.good(), target, " cannot be written: is the disk full?");
}

fs::path ResultWriter::picture_file(const std::string& folder, const Picture& picture,
                                    std::optional<int64_t> plate) {
  auto stem = fs::path(picture.source).stem().string();
  std::replace(stem.begin(), stem.end(), ':', '-');  // camera:0
  const auto plain = stem;
  for (int copy = 2; stems_.try_emplace(stem, picture.source).first->second != picture.source;)
    stem = numbered(plain, copy++);  // the same name in another folder
  auto name = picture.frame >= 0 ? numbered(stem, picture.frame) : stem;
  if (plate) name = numbered(name, *plate);
  return fs::path(folder) / (name + ".jpg");
}

void ResultWriter::write(const Prediction& prediction) {
  const auto& picture = prediction.picture;
  for (size_t i = 0; i < prediction.plates.size(); ++i) {
    const auto& plate = prediction.plates[i];
    if (!options_.crops.empty())
      write_jpeg(picture_file(options_.crops, picture, static_cast<int64_t>(i)), plate.crop);
    if (!options_.csv.empty()) add_line(csv_, options_.csv, csv_of(picture, plate));
    if (options_.text)
      std::cout << place_of(picture) << "  " << plate.texts.at(0).text << "  "
                << fixed(plate.texts[0].confidence, 3) << "  at " << cv::Rect(plate.box)
                << ", score " << fixed(plate.score, 2) << "\n";
  }
  if (options_.text && picture.frame < 0 && picture.problem.empty() && prediction.plates.empty())
    std::cout << place_of(picture) << "  no plate\n";
  const bool shows = !picture.image.empty() && (picture.frame < 0 || !prediction.plates.empty());
  if (!options_.draw.empty() && shows)
    write_jpeg(picture_file(options_.draw, picture), drawn(prediction, *glyphs_));
  // Last: a picture that is in the list is done with.
  if (!options_.json.empty()) add_line(json_, options_.json, to_json(prediction).dump());
}

void ResultWriter::write_tracks(const std::string& source, const std::vector<Track>& tracks) {
  if (options_.text)
    for (const auto& track : tracks)
      std::cout << source << "  track " << track.id << "  " << track.text << "  "
                << fixed(track.share, 3) << " of the votes of " << track.frames << " frames, "
                << fixed(track.first_seconds, 2) << " to " << fixed(track.last_seconds, 2)
                << " s\n";
  if (!options_.json.empty()) add_line(json_, options_.json, to_json(source, tracks).dump());
}

}  // namespace plateforge
