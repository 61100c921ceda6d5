#include "train/tensorboard.h"

#include <gtest/gtest.h>

#include <cstring>
#include <protozero/pbf_reader.hpp>

#include "configs/atomic_file.h"
#include "configs/error.h"

namespace plateforge {
namespace {

struct Event {
  int64_t step = 0;
  std::string version, tag, image;
  float value = 0;
  int32_t session = 0;
};

uint64_t number(const std::string& bytes, size_t offset, size_t size) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + offset, size);
  return value;
}

// Undoes TFRecord's rotation and shift.
uint32_t unmask(uint64_t masked) {
  const auto shifted = static_cast<uint32_t>(masked) - 0xa282ead8U;
  return (shifted >> 17) | (shifted << 15);
}

void parse_value(protozero::pbf_reader value, Event& event) {
  while (value.next()) {
    switch (value.tag()) {
      case 1:
        event.tag = value.get_string();
        break;
      case 2:
        event.value = value.get_float();
        break;
      case 4: {
        auto image = value.get_message();
        while (image.next()) {
          if (image.tag() == 4) {
            event.image = image.get_string();
          } else {
            image.skip();
          }
        }
        break;
      }
      default:
        value.skip();
    }
  }
}

Event parse_event(const std::string& bytes) {
  Event event;
  protozero::pbf_reader reader(bytes);
  while (reader.next()) {
    switch (reader.tag()) {
      case 2:
        event.step = reader.get_int64();
        break;
      case 3:
        event.version = reader.get_string();
        break;
      case 5: {
        auto summary = reader.get_message();
        while (summary.next(1)) parse_value(summary.get_message(), event);
        break;
      }
      case 7: {
        auto log = reader.get_message();
        while (log.next(1)) event.session = log.get_enum();
        break;
      }
      default:
        reader.skip();
    }
  }
  return event;
}

std::vector<Event> read_events(const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  std::vector<Event> events;
  for (size_t at = 0; at < bytes.size();) {
    const auto size = static_cast<size_t>(number(bytes, at, 8));
    EXPECT_EQ(unmask(number(bytes, at + 8, 4)), crc32c(bytes.substr(at, 8)));
    const std::string body = bytes.substr(at + 12, size);
    EXPECT_EQ(unmask(number(bytes, at + 12 + size, 4)), crc32c(body));
    events.push_back(parse_event(body));
    at += 16 + size;
  }
  return events;
}

TEST(TensorBoard, ChecksumIsCastagnolis) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);            // the catalogue's check value
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);  // RFC 3720, B.4
}

TEST(TensorBoard, EventsReadBack) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "tensorboard_test";
  std::filesystem::remove_all(folder);
  TensorBoardWriter writer(folder);
  writer.scalar("train/loss", 20, 0.25);
  writer.image("samples", 20, "png bytes", 94, 24);
  writer.restart_after(10);
  const auto events = read_events(writer.file());
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0].version, "brain.Event:2");
  EXPECT_EQ(events[1].tag, "train/loss");
  EXPECT_EQ(events[1].step, 20);
  EXPECT_EQ(events[1].value, 0.25F);
  EXPECT_EQ(events[2].image, "png bytes");
  EXPECT_EQ(events[3].session, 1);
  EXPECT_EQ(events[3].step, 11);
  std::filesystem::remove_all(folder);
}

TEST(TensorBoard, AFolderThatCannotBeWrittenIsAnError) {
  EXPECT_THROW(TensorBoardWriter("/proc/nowhere"), Error);
}

}  // namespace
}  // namespace plateforge
