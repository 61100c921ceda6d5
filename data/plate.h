#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

namespace plateforge {

// Corners in the order left-top, right-top, right-bottom, left-bottom, pixels of the image that
// carries them, pixel centres at integers + 0.5 (so a whole image of w x h has corners (0,0)
// (w,h)).
using Quad = std::array<cv::Point2f, 4>;

// The quad that covers a whole image.
inline Quad whole_image(const cv::Size& size) {
  const auto w = static_cast<float>(size.width), h = static_cast<float>(size.height);
  return {cv::Point2f{0, 0}, {w, 0}, {w, h}, {0, h}};
}

// A plate before augmentation: some picture and where the plate's rectangle lies in it. A crop is a
// picture whose quad is the whole image; geometric augmentation moves the quad, so pixels outside
// it are worth keeping.
struct Plate {
  cv::Mat image;       // 8-bit BGR
  Quad quad{};         // region that is mapped onto the network's input rectangle
  double aspect = 0;   // width / height that the plate was seen with; 0 = the quad's own
  std::string text;    // UTF-8 label, characters of the region's alphabet
  std::string source;  // file or generator key, for messages
};

// The {epoch, index} of a sample; with the seed it fixes everything random about it.
struct SampleKey {
  int64_t epoch = 0;
  int64_t index = 0;
};

// An index -> plate interface; implementations are thread-safe for concurrent read().
class PlateSource {
 public:
  virtual ~PlateSource() = default;
  // Number of distinct plates (for a generator: the `count` it was asked for).
  virtual int64_t size() const = 0;
  // Plate `key.index` (0 <= index < size()). Real plates ignore the epoch; generators that vary per
  // epoch use it. Throws Error naming the file when the picture is missing or cannot be decoded.
  virtual Plate read(const SampleKey& key) const = 0;
  // The label alone, without decoding the picture.
  virtual std::string text(int64_t index) const = 0;
  // What messages call the plate, known without reading it: file or generator key.
  virtual std::string name(int64_t index) const { return "plate " + std::to_string(index); }
  // Changes when read() would return something else: names, sizes, times and labels of the files
  // and how they are cropped. nullopt for sources that are not worth caching.
  virtual std::optional<uint64_t> fingerprint() const { return std::nullopt; }
  // True for real photographs (they may be held out for validation), false for generators.
  virtual bool is_real() const = 0;
};

using PlateSourcePtr = std::shared_ptr<const PlateSource>;

}  // namespace plateforge
