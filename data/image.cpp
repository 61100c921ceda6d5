#include "data/image.h"

#include <array>
#include <mutex>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <set>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "configs/log.h"
#include "data/jpeg.h"

namespace plateforge {
namespace {

struct Format {
  std::string_view name;
  std::string_view magic;
  std::vector<std::string_view> extensions;
};

const std::vector<Format>& formats() {
  static const std::vector<Format> kFormats = {{"JPEG", "\xff\xd8\xff", {".jpg", ".jpeg"}},
                                               {"PNG", "\x89PNG", {".png"}},
                                               {"WebP", "RIFF", {".webp"}},
                                               {"BMP", "BM", {".bmp"}},
                                               {"TIFF", "II*", {".tif", ".tiff"}},
                                               {"TIFF", "MM", {".tif", ".tiff"}}};
  return kFormats;
}

// The format by content; told once per file when the name says another one.
const Format* sniff(std::string_view bytes, const std::filesystem::path& file) {
  for (const auto& format : formats()) {
    if (!bytes.starts_with(format.magic)) continue;
    std::string extension = file.extension().string();
    for (auto& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const bool fits = std::find(format.extensions.begin(), format.extensions.end(), extension) !=
                      format.extensions.end();
    if (!fits) {
      static std::mutex mutex;
      static std::set<std::string> told;
      const std::lock_guard lock(mutex);
      if (told.insert(file.string()).second) {
        log_warning(file.string() + " is a " + std::string(format.name) +
                    " file despite its name; it is read as such");
      }
    }
    return &format;
  }
  return nullptr;
}

std::string read_picture_bytes(const std::filesystem::path& file) {
  std::string bytes = read_file(file);
  require(!bytes.empty(), file.string(), " is empty (0 bytes); expected a picture");
  return bytes;
}

cv::Mat decode_other(std::string_view bytes, const std::string& name, int flags) {
  const cv::Mat view(1, static_cast<int>(bytes.size()), CV_8U, const_cast<char*>(bytes.data()));
  cv::Mat image;
  try {
    image = cv::imdecode(view, flags);
  } catch (const cv::Exception&) {  // some decoders throw instead of returning an empty picture
  }
  require(!image.empty(), name,
          " cannot be decoded: expected a whole JPEG, PNG, BMP, WebP or TIFF");
  return image;
}

// Undoes the camera's orientation tag.
cv::Mat upright(const cv::Mat& image, int orientation) {
  cv::Mat out = image;
  if (orientation >= 5) cv::transpose(out, out);  // 5..8: rows and columns are exchanged
  switch (orientation) {
    case 2:
    case 6:
      cv::flip(out, out, 1);
      break;
    case 3:
    case 7:
      cv::flip(out, out, -1);
      break;
    case 4:
    case 8:
      cv::flip(out, out, 0);
      break;
    default:
      break;
  }
  return out;
}

}  // namespace

cv::Mat read_image(const std::filesystem::path& file) {
  const std::string bytes = read_picture_bytes(file);
  const auto* format = sniff(bytes, file);
  if (format && format->name == "JPEG") {
    JpegReader reader(bytes, file.string());
    if (reader.has_bgr())
      return upright(reader.read({{0, 0}, reader.size()}), reader.orientation());
  }
  return decode_other(bytes, file.string(), cv::IMREAD_COLOR);
}

ImageRegion read_image_region(const std::filesystem::path& file,
                              const std::function<cv::Rect(const cv::Size&)>& choose) {
  const std::string bytes = read_picture_bytes(file);
  const auto* format = sniff(bytes, file);
  if (format && format->name == "JPEG") {
    JpegReader reader(bytes, file.string());
    if (reader.has_bgr()) {
      const cv::Rect region = choose(reader.size());
      return {reader.read(region), region.tl()};
    }
  }
  const cv::Mat image =
      decode_other(bytes, file.string(), cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  const cv::Rect region = choose(image.size());
  return {image(region).clone(), region.tl()};
}

}  // namespace plateforge
