#include <sys/stat.h>

#include <bit>
#include <opencv2/core.hpp>

#include "configs/error.h"
#include "data/geometry.h"
#include "data/hash.h"
#include "data/image.h"
#include "data/listing.h"

namespace plateforge {
namespace {

constexpr double kSurroundings = 0.25;  // kept around a plate, share of its size
constexpr float kMinWidth = 8, kMinHeight = 4;

class FileSource final : public PlateSource {
 public:
  FileSource(std::filesystem::path root, std::vector<FileItem> items, double margin)
      : root_(std::move(root)), items_(std::move(items)), margin_(margin) {}

  int64_t size() const override { return static_cast<int64_t>(items_.size()); }
  std::string text(int64_t index) const override { return item(index).text; }
  std::string name(int64_t index) const override { return (root_ / item(index).path).string(); }
  bool is_real() const override { return true; }

  std::optional<uint64_t> fingerprint() const override {
    uint64_t hash = mix_key(hash_bytes(root_.string()), std::bit_cast<uint64_t>(margin_));
    for (const auto& [path, text, quad] : items_) {
      struct stat info {};
      // A missing file is told by read(); here it only has to differ from a present one.
      stat((root_ / path).c_str(), &info);
      hash = mix_key(hash, hash_bytes(path), hash_bytes(text), info.st_size, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec);
      for (const auto& corner : quad.value_or(Quad{})) {
        hash = mix_key(hash, std::bit_cast<uint32_t>(corner.x), std::bit_cast<uint32_t>(corner.y));
      }
    }
    return hash;
  }

  Plate read(const SampleKey& key) const override {
    const auto& [path, text, quad] = item(key.index);
    Plate plate;
    plate.source = name(key.index);
    plate.text = text;
    if (quad) {
      read_surroundings(*quad, plate);
    } else {
      plate.image = read_image(plate.source);
      plate.quad = whole_image(plate.image.size());
    }
    const auto sides = side_lengths(plate.quad);
    require(sides.width >= kMinWidth && sides.height >= kMinHeight, plate.source,
            " is too small: the plate is ", sides.width, " x ", sides.height,
            " pixels, expected at least ", kMinWidth, " x ", kMinHeight);
    return plate;
  }

 private:
  const FileItem& item(int64_t index) const { return items_.at(static_cast<size_t>(index)); }

  void read_surroundings(const Quad& quad, Plate& plate) const {
    const Quad wide = margin_ > 0 ? widen(quad, margin_, margin_) : quad;
    auto region = read_image_region(plate.source, [&](const cv::Size& size) {
      for (const auto& corner : quad) {
        require(corner.x >= 0 && corner.y >= 0 && corner.x <= static_cast<float>(size.width) &&
                    corner.y <= static_cast<float>(size.height),
                plate.source, ": the corner (", corner.x, ", ", corner.y,
                ") lies outside the picture of ", size.width, " x ", size.height, " pixels");
      }
      return surroundings(wide, kSurroundings, size);
    });
    plate.image = std::move(region.image);
    for (size_t i = 0; i < 4; ++i) plate.quad[i] = wide[i] - cv::Point2f(region.offset);
  }

  std::filesystem::path root_;
  std::vector<FileItem> items_;
  double margin_;
};

}  // namespace

PlateSourcePtr make_file_source(std::filesystem::path root, std::vector<FileItem> items,
                                double margin) {
  return std::make_shared<FileSource>(std::move(root), std::move(items), margin);
}

}  // namespace plateforge
