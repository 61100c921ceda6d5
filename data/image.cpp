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

bool is_turned(int orientation) { return orientation >= 5; }

cv::Size transposed(const cv::Size& size) { return {size.height, size.width}; }
cv::Rect transposed(const cv::Rect& r) { return {r.y, r.x, r.height, r.width}; }

// A rectangle of the picture of `size` mirrored as upright() does; its own inverse.
cv::Rect mirrored(cv::Rect r, const cv::Size& size, int orientation) {
  const bool columns = orientation == 2 || orientation == 6,
             both = orientation == 3 || orientation == 7;
  const bool rows = orientation == 4 || orientation == 8;
  if (columns || both) r.x = size.width - r.br().x;
  if (rows || both) r.y = size.height - r.br().y;
  return r;
}

// The part of `region` inside the picture; one pixel when there is none.
cv::Rect inside(const cv::Rect& region, const cv::Size& size) {
  const cv::Rect part = region & cv::Rect({0, 0}, size);
  return part.empty() ? cv::Rect(0, 0, 1, 1) : part;
}

ImageView read_jpeg_view(JpegReader& reader, int orientation,
                         const std::function<FrameView(const cv::Size&)>& choose) {
  const bool turned = is_turned(orientation);
  const cv::Size size = turned ? transposed(reader.size()) : reader.size();  // upright
  const FrameView wanted = choose ? choose(size) : FrameView{{{0, 0}, size}, 1};
  const int r = wanted.whole_reduction();
  cv::Rect stored = mirrored(inside(wanted.region, size), size, orientation);
  if (turned) stored = transposed(stored);
  const cv::Point first(stored.x / r * r, stored.y / r * r);
  const cv::Mat image = reader.read({first, stored.br()}, r);
  cv::Rect shown(first, image.size() * r);
  if (turned) shown = transposed(shown);
  return {upright(image, orientation), mirrored(shown, size, orientation), r};
}

int flags_of(bool upright) {
  return upright ? cv::IMREAD_COLOR : cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION;
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

ImageView read_image_view(const std::filesystem::path& file, bool upright,
                          const std::function<FrameView(const cv::Size&)>& choose) {
  const std::string bytes = read_picture_bytes(file);
  const auto* format = sniff(bytes, file);
  if (format && format->name == "JPEG") {
    JpegReader reader(bytes, file.string());
    if (reader.has_bgr()) {
      return read_jpeg_view(reader, upright ? reader.orientation() : 1, choose);
    }
  }
  const cv::Mat image = decode_other(bytes, file.string(), flags_of(upright));
  const cv::Rect whole({0, 0}, image.size());
  const cv::Rect region = choose ? inside(choose(image.size()).region, image.size()) : whole;
  return {image(region), region, 1};
}

void write_png(const std::filesystem::path& file, const cv::Mat& image) {
  std::vector<uint8_t> png;
  cv::imencode(".png", image, png);
  write_file_atomically(file,
                        std::string_view(reinterpret_cast<const char*>(png.data()), png.size()));
}

cv::Size read_image_size(const std::filesystem::path& file, bool upright) {
  const std::string bytes = read_picture_bytes(file);
  const auto* format = sniff(bytes, file);
  if (format && format->name == "JPEG") {
    const JpegReader reader(bytes, file.string());
    return upright && is_turned(reader.orientation()) ? transposed(reader.size()) : reader.size();
  }
  return decode_other(bytes, file.string(), flags_of(upright)).size();
}

}  // namespace plateforge
