#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace plateforge {

// CRC-32C (Castagnoli), as TFRecord framing uses it.
uint32_t crc32c(std::string_view bytes);

// Writes one TensorBoard event file into a folder: TFRecord frames around tensorflow.Event messages
// (tensorflow/core/util/event.proto). TensorBoard follows the file while it grows.
class TensorBoardWriter {
 public:
  // Throws Error when the file cannot be created.
  explicit TensorBoardWriter(const std::filesystem::path& folder);

  void scalar(const std::string& tag, int64_t step, double value);
  // `png` is an encoded picture.
  void image(const std::string& tag, int64_t step, std::string_view png, int64_t width,
             int64_t height);

  // Tells TensorBoard to forget what was written for later steps, by this file or an earlier one.
  void restart_after(int64_t step);

  const std::filesystem::path& file() const { return file_; }

 private:
  void write_summary(int64_t step, const std::string& summary);
  void write_record(const std::string& event);

  std::filesystem::path file_;
  std::ofstream out_;
};

}  // namespace plateforge
