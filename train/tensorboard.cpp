#include "train/tensorboard.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <protozero/pbf_writer.hpp>

#include "configs/error.h"

namespace plateforge {
namespace {

// Field numbers of tensorflow.Event, Summary, Summary.Value, Summary.Image and SessionLog.
namespace field {
constexpr protozero::pbf_tag_type kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5,
                                  kSessionLog = 7;
constexpr protozero::pbf_tag_type kSummaryValue = 1;
constexpr protozero::pbf_tag_type kTag = 1, kSimpleValue = 2, kImage = 4;
constexpr protozero::pbf_tag_type kImageHeight = 1, kImageWidth = 2, kImageColours = 3,
                                  kImageBytes = 4;
constexpr protozero::pbf_tag_type kSessionStatus = 1;
constexpr int32_t kSessionStart = 1;
}  // namespace field

double now() {
  using namespace std::chrono;
  return duration<double>(system_clock::now().time_since_epoch()).count();
}

std::string little_endian(uint64_t value, size_t bytes) {
  std::string text;
  for (size_t i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

// TFRecord stores checksums rotated and shifted, so that a file of checksums still checks.
std::string masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return little_endian(((crc >> 15) | (crc << 17)) + 0xa282ead8U, 4);
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> entries{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78U : 0);
      entries[i] = crc;
    }
    return entries;
  }();
  uint32_t crc = ~0U;
  for (const char byte : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<uint8_t>(byte)) & 0xff];
  return ~crc;
}

TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& folder) {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  // TensorBoard reads files in name order, hence seconds first; the process keeps names apart.
  file_ = folder / ("events.out.tfevents." + std::to_string(static_cast<int64_t>(now())) + "." +
                    host.data() + "." + std::to_string(getpid()) + ".plateforge");
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  out_.open(file_, std::ios::app | std::ios::binary);
  require(out_.good(), "cannot create the TensorBoard file ", file_.string());

  std::string event;
  protozero::pbf_writer version(event);
  version.add_double(field::kWallTime, now());
  version.add_string(field::kFileVersion, "brain.Event:2");
  write_record(event);
}

void TensorBoardWriter::restart_after(int64_t step) {
  std::string event;
  protozero::pbf_writer session(event);
  session.add_double(field::kWallTime, now());
  session.add_int64(field::kStep, step + 1);  // the first step that is written anew
  protozero::pbf_writer log(session, field::kSessionLog);
  log.add_enum(field::kSessionStatus, field::kSessionStart);
  log.commit();
  write_record(event);
}

void TensorBoardWriter::scalar(const std::string& tag, int64_t step, double value) {
  std::string summary;
  protozero::pbf_writer writer(summary);
  protozero::pbf_writer entry(writer, field::kSummaryValue);
  entry.add_string(field::kTag, tag);
  entry.add_float(field::kSimpleValue, static_cast<float>(value));
  entry.commit();
  write_summary(step, summary);
}

void TensorBoardWriter::image(const std::string& tag, int64_t step, std::string_view png,
                              int64_t width, int64_t height) {
  std::string summary;
  protozero::pbf_writer writer(summary);
  protozero::pbf_writer entry(writer, field::kSummaryValue);
  entry.add_string(field::kTag, tag);
  protozero::pbf_writer picture(entry, field::kImage);
  picture.add_int32(field::kImageHeight, static_cast<int32_t>(height));
  picture.add_int32(field::kImageWidth, static_cast<int32_t>(width));
  picture.add_int32(field::kImageColours, 3);
  picture.add_bytes(field::kImageBytes, png.data(), png.size());
  picture.commit();
  entry.commit();
  write_summary(step, summary);
}

void TensorBoardWriter::write_summary(int64_t step, const std::string& summary) {
  std::string event;
  protozero::pbf_writer writer(event);
  writer.add_double(field::kWallTime, now());
  writer.add_int64(field::kStep, step);
  writer.add_message(field::kSummary, summary);
  write_record(event);
}

void TensorBoardWriter::write_record(const std::string& event) {
  const std::string length = little_endian(event.size(), 8);
  out_ << length << masked_crc(length) << event << masked_crc(event) << std::flush;
  require(out_.good(), "cannot write the TensorBoard file ", file_.string(),
          " (is the disk full?)");
}

}  // namespace plateforge
