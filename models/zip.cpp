#include "models/zip.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "configs/error.h"

namespace plateforge {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEnd = 0x06054b50,
                   kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50;
constexpr size_t kEndSize = 22, kLocatorSize = 20, kLongestComment = 65535;
constexpr uint32_t kIn64 = 0xffffffff;  // "the value is in the zip64 field"

uint32_t crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> entries{};
    for (uint32_t i = 0; i < entries.size(); ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit)
        value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320U : 0U);
      entries[i] = value;
    }
    return entries;
  }();
  uint32_t crc = 0xffffffff;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<uint8_t>(byte)) & 255] ^ (crc >> 8);
  return ~crc;
}

// Bounds-checked little-endian reading.
class Bytes {
 public:
  Bytes(std::string_view bytes, const std::string& origin) : bytes_(bytes), origin_(origin) {}

  template <class T>
  T number(uint64_t at) const {
    T value;
    std::memcpy(&value, slice(at, sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view slice(uint64_t at, uint64_t count) const {
    require(at <= bytes_.size() && count <= bytes_.size() - at, origin_,
            ": the zip archive is cut off or damaged");
    return bytes_.substr(at, count);
  }
  size_t size() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
  const std::string& origin_;
};

struct Directory {
  uint64_t offset, entries;
};

Directory find_directory(const Bytes& bytes, const std::string& origin) {
  const auto least = bytes.size() > kEndSize + kLongestComment
                         ? bytes.size() - kEndSize - kLongestComment
                         : size_t{0};
  require(bytes.size() >= kEndSize, origin, ": the zip archive is cut off or damaged");
  for (auto at = bytes.size() - kEndSize;; --at) {
    if (bytes.number<uint32_t>(at) == kEnd) {
      if (at >= kLocatorSize && bytes.number<uint32_t>(at - kLocatorSize) == kEnd64Locator) {
        const auto end64 = bytes.number<uint64_t>(at - kLocatorSize + 8);
        require(bytes.number<uint32_t>(end64) == kEnd64, origin,
                ": the zip archive is cut off or damaged");
        return {bytes.number<uint64_t>(end64 + 48), bytes.number<uint64_t>(end64 + 32)};
      }
      return {bytes.number<uint32_t>(at + 16), bytes.number<uint16_t>(at + 10)};
    }
    require(at > least, origin, ": no zip directory (the file is cut off)");
  }
}

struct Member {
  std::string name;
  uint64_t size, packed, offset;
};

// Values too large for 32 bits stand in extra field 1, in the order size, packed size, offset.
void read_zip64(const Bytes& bytes, uint64_t extra, uint64_t extra_size, Member& member) {
  for (uint64_t at = 0; at + 4 <= extra_size;) {
    const auto id = bytes.number<uint16_t>(extra + at);
    auto field = extra + at + 4;
    if (id == 1)
      for (auto* value : {&member.size, &member.packed, &member.offset})
        if (*value == kIn64) {
          *value = bytes.number<uint64_t>(field);
          field += 8;
        }
    at += 4 + bytes.number<uint16_t>(extra + at + 2);
  }
}

}  // namespace

std::map<std::string, std::string_view> read_stored_zip(std::string_view content,
                                                        const std::string& origin) {
  const Bytes bytes(content, origin);
  const auto directory = find_directory(bytes, origin);
  std::map<std::string, std::string_view> members;
  uint64_t at = directory.offset;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    require(bytes.number<uint32_t>(at) == kCentralHeader, origin, ": the zip directory is damaged");
    const auto flags = bytes.number<uint16_t>(at + 8), method = bytes.number<uint16_t>(at + 10);
    const auto crc = bytes.number<uint32_t>(at + 16);
    const uint64_t name_size = bytes.number<uint16_t>(at + 28);
    const uint64_t extra_size = bytes.number<uint16_t>(at + 30);
    const uint64_t comment_size = bytes.number<uint16_t>(at + 32);
    Member member{std::string(bytes.slice(at + 46, name_size)), bytes.number<uint32_t>(at + 24),
                  bytes.number<uint32_t>(at + 20), bytes.number<uint32_t>(at + 42)};
    read_zip64(bytes, at + 46 + name_size, extra_size, member);
    require(method == 0 && (flags & 1) == 0 && member.size == member.packed, origin, ": member ", i,
            " of the zip archive is compressed or encrypted; expected it stored");
    require(bytes.number<uint32_t>(member.offset) == kLocalHeader, origin, ": member ", i,
            " of the zip archive is damaged");
    const auto data = bytes.slice(member.offset + 30 + bytes.number<uint16_t>(member.offset + 26) +
                                      bytes.number<uint16_t>(member.offset + 28),
                                  member.size);
    require(crc32(data) == crc, origin, ": member ", i, " of the zip archive has a wrong checksum");
    require(members.emplace(member.name, data).second, origin, ": member ", i,
            " of the zip archive appears twice");
    at += 46 + name_size + extra_size + comment_size;
  }
  return members;
}

}  // namespace plateforge
