#include "data/convert.h"

#include <cmath>
#include <fstream>
#include <iomanip>
#include <opencv2/imgcodecs.hpp>
#include <sstream>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "data/augment.h"
#include "data/concat.h"
#include "data/geometry.h"
#include "data/parallel.h"

namespace plateforge {
namespace fs = std::filesystem;
namespace {

void prepare_folder(const fs::path& folder, int64_t plates) {
  require(plates > 0, "there are no plates to write to ", folder.string());
  std::error_code problem;
  require(!fs::exists(folder) || fs::is_empty(folder, problem), "the folder ", folder.string(),
          " is not empty; expected a new or empty one");
  fs::create_directories(folder, problem);
  require(!problem, "cannot create ", folder.string(), ": ", problem.message());
}

void save_png(const fs::path& file, const cv::Mat& image) {
  std::vector<uchar> bytes;
  cv::imencode(".png", image, bytes, {cv::IMWRITE_PNG_COMPRESSION, 1});
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  out.close();
  require(out.good(), "cannot write ", file.string(), ": disk full or no permission");
}

std::string number(int64_t index) {
  std::ostringstream text;
  text << std::setw(6) << std::setfill('0') << index;
  return text.str();
}

cv::Mat plate_alone(const Plate& plate) {
  if (plate.quad == whole_image(plate.image.size())) return plate.image;
  const auto sides = side_lengths(plate.quad);
  cv::Mat crop;
  rectify(plate.image, plate.quad,
          {static_cast<int>(std::ceil(sides.width)), static_cast<int>(std::ceil(sides.height))},
          crop);
  return crop;
}

}  // namespace

void write_crops(const Mix& mix, const fs::path& folder, int64_t threads) {
  prepare_folder(folder, mix.size());
  const auto plates = concat(mix);
  parallel_for(plates->size(), threads, [&](int64_t i) {
    const Plate plate = plates->read({0, i});
    save_png(folder / (plate.text + "_" + number(i) + ".png"), plate_alone(plate));
  });
}

void write_csv(const Mix& mix, const fs::path& folder, int64_t threads) {
  prepare_folder(folder, mix.size());
  fs::create_directory(folder / "images");
  const auto plates = concat(mix);
  std::vector<std::string> lines(static_cast<size_t>(plates->size()));
  parallel_for(plates->size(), threads, [&](int64_t i) {
    const Plate plate = plates->read({0, i});
    const std::string path = "images/" + number(i) + ".png";
    save_png(folder / path, plate.image);
    std::vector<std::string> fields = {path, plate.text};
    for (const auto& corner : plate.quad) {
      for (const float value : {corner.x, corner.y}) {
        std::ostringstream text;
        text << std::setprecision(9) << value;  // enough digits to read the same float again
        fields.push_back(text.str());
      }
    }
    lines[static_cast<size_t>(i)] = csv_line(fields);
  });
  write_file_atomically(folder / "plates.csv", [&](std::ostream& out) {
    out << "image_path,plate_text,lt_x,lt_y,rt_x,rt_y,rb_x,rb_y,lb_x,lb_y\n";
    for (const auto& line : lines) out << line << '\n';
  });
}

}  // namespace plateforge
