#include "configs/atomic_file.h"
#include "configs/error.h"
#include "data/frames/annotations.h"
#include "data/frames/corners.h"

namespace plateforge {
namespace fs = std::filesystem;
namespace {

constexpr size_t kBox = 5;             // class and box
constexpr size_t kCorners = 4;         // key points of YOLO-pose
const cv::Size2f kWholePicture{1, 1};  // in shares

// A plate from the words of a line.
FramePlate parse_plate(const std::vector<std::string_view>& words) {
  const size_t each = words.size() == kBox + 3 * kCorners ? 3 : 2;
  require(words.size() == kBox || words.size() == kBox + each * kCorners,
          "expected 5 numbers (class and box), 13 or 17 (with four corners), came ", words.size());
  const auto number = [&](size_t i) { return parse_number(words[i]); };
  const cv::Size2f size(number(3), number(4));
  FramePlate plate;
  plate.box = {cv::Point2f(number(1) - size.width / 2, number(2) - size.height / 2), size};
  if (words.size() == kBox) return plate;
  Quad corners;
  bool labelled = true;
  for (size_t i = 0; i < kCorners; ++i) {
    const size_t at = kBox + each * i;
    corners[i] = {number(at), number(at + 1)};
    labelled = labelled && (each == 2 || number(at + 2) > 0);
  }
  if (labelled) {
    plate.corners = corners;
    plate.box = extents(corners);
  }
  return plate;
}

std::optional<FrameItem> read_labels(const fs::path& file, const FrameQuery& query,
                                     FrameLister& lister) {
  const std::string bytes = read_file(file);
  FrameItem item;
  bool good = true;
  int64_t line = 0;
  for (std::string_view rest = bytes; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const auto words = split_words(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++line;
    if (words.empty() || (!query.plate_class.empty() && words[0] != query.plate_class)) continue;
    good &= lister.guard("annotation", file.string() + " line " + std::to_string(line), [&] {
      item.plates.push_back(lister.checked(parse_plate(words), kWholePicture));
    });
  }
  return good ? std::optional(item) : std::nullopt;
}

}  // namespace

FrameListing list_yolo(const fs::path& root, const FrameQuery& query) {
  require(fs::is_directory(root), "yolo:", root.string(), ": no such folder");
  FrameLister lister(root, query);
  lister.listing().shares = true;
  const auto pictures = folder_or_root(root, "images");
  const auto labels = fs::is_directory(root / "labels") ? root / "labels" : pictures;
  lister.pair(pictures, labels, ".txt",
              [&](const fs::path& file) { return read_labels(file, query, lister); });
  return std::move(lister.listing());
}

}  // namespace plateforge
