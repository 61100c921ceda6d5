#include "models/safetensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "configs/error.h"

namespace plateforge {
namespace {

using Json = nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr auto kMetadataKey = "__metadata__";

struct Dtype {
  const char* name;
  at::ScalarType type;
};
constexpr std::array<Dtype, 10> kDtypes = {{{"BOOL", at::kBool},
                                            {"U8", at::kByte},
                                            {"I8", at::kChar},
                                            {"I16", at::kShort},
                                            {"I32", at::kInt},
                                            {"I64", at::kLong},
                                            {"F16", at::kHalf},
                                            {"BF16", at::kBFloat16},
                                            {"F32", at::kFloat},
                                            {"F64", at::kDouble}}};

const char* dtype_name(at::ScalarType type, const std::string& tensor) {
  for (const auto& entry : kDtypes)
    if (entry.type == type) return entry.name;
  fail("tensor '", tensor, "' has type ", c10::toString(type), ", which safetensors cannot hold");
}

uint64_t read_length(std::string_view bytes) {
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);  // little-endian, as every machine we run on
  return length;
}

// One tensor's entry of the header, checked against the data section.
struct Entry {
  std::string name;
  at::ScalarType type = at::kFloat;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;
};

class HeaderReader {
 public:
  HeaderReader(const std::string& origin, uint64_t data_size)
      : origin_(origin), data_size_(data_size) {}

  Entry entry(const std::string& name, const Json& json) const {
    if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") ||
        !json.contains("data_offsets") || json.size() != 3)
      reject(name, "needs exactly dtype, shape and data_offsets");
    Entry entry{.name = name, .type = type(name, json["dtype"]), .shape = {}};
    uint64_t bytes = c10::elementSize(entry.type);
    if (!json["shape"].is_array()) reject(name, "has a shape that is not a list");
    for (const auto& extent : json["shape"]) {
      const auto value = whole_number(name, extent);
      entry.shape.push_back(static_cast<int64_t>(value));
      if (__builtin_mul_overflow(bytes, value, &bytes)) reject(name, "has an impossible shape");
    }
    const auto& offsets = json["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2) reject(name, "needs two data_offsets");
    entry.begin = whole_number(name, offsets[0]);
    entry.end = whole_number(name, offsets[1]);
    if (entry.begin > entry.end || entry.end > data_size_)
      reject(name, "points outside the file (cut off?)");
    if (entry.end - entry.begin != bytes) reject(name, "has offsets that do not fit its shape");
    return entry;
  }

  std::map<std::string, std::string> metadata(const Json& json) const {
    std::map<std::string, std::string> result;
    if (!json.is_object()) fail(origin_, ": ", kMetadataKey, " is not a table of texts");
    for (const auto& [key, value] : json.items()) {
      if (!value.is_string()) fail(origin_, ": ", kMetadataKey, " entry '", key, "' is not a text");
      result[key] = value.get<std::string>();
    }
    return result;
  }

  [[noreturn]] void reject(const std::string& name, const char* problem) const {
    fail(origin_, ": tensor '", name, "' ", problem);
  }

 private:
  at::ScalarType type(const std::string& name, const Json& json) const {
    if (!json.is_string()) reject(name, "has a dtype that is not a text");
    const auto text = json.get<std::string>();
    for (const auto& entry : kDtypes)
      if (text == entry.name) return entry.type;
    fail(origin_, ": tensor '", name, "' has dtype ", text,
         "; known: BOOL U8 I8 I16 I32 I64 F16 BF16 F32 F64");
  }

  uint64_t whole_number(const std::string& name, const Json& json) const {
    if (!json.is_number_unsigned() ||
        json.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      reject(name, "has an extent or offset that is not a whole number");
    return json.get<uint64_t>();
  }

  const std::string& origin_;
  uint64_t data_size_;
};

// The format allows neither shared bytes nor unclaimed ones.
void check_coverage(std::vector<Entry> entries, uint64_t data_size, const std::string& origin) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t covered = 0;
  for (const auto& entry : entries) {
    require(entry.begin == covered, origin, ": tensor '", entry.name, "' ",
            entry.begin < covered ? "overlaps another" : "leaves a gap before it");
    covered = entry.end;
  }
  require(covered == data_size, origin, ": ", data_size - covered,
          " bytes after the last tensor belong to none");
}

at::Tensor copy_tensor(const Entry& entry, std::string_view data) {
  auto tensor = at::empty(entry.shape, entry.type);
  const auto size = static_cast<size_t>(entry.end - entry.begin);
  if (size > 0) std::memcpy(tensor.mutable_data_ptr(), data.data() + entry.begin, size);
  return tensor;
}

}  // namespace

bool looks_like_safetensors(std::string_view bytes) {
  return bytes.size() > kLengthBytes && bytes[kLengthBytes] == '{';
}

TensorFile parse_safetensors(std::string_view bytes, const std::string& origin) {
  require(bytes.size() >= kLengthBytes, origin, ": too short for a safetensors file");
  const auto length = read_length(bytes);
  require(length <= kMaxSafetensorsHeader, origin, ": safetensors header of ", length,
          " bytes; at most ", kMaxSafetensorsHeader, " are accepted");
  require(length <= bytes.size() - kLengthBytes, origin,
          ": cut off inside the safetensors header (", length, " bytes announced, ",
          bytes.size() - kLengthBytes, " there)");
  // Nesting is bounded before parsing: tensors lie two levels deep, and a parser recursing into a
  // megabyte of brackets would end the program.
  const auto header_text = bytes.substr(kLengthBytes, length);
  const auto limit_depth = [](int depth, Json::parse_event_t, Json&) {
    if (depth > 8) throw Error("");
    return true;
  };
  Json header;
  try {
    header = Json::parse(header_text, limit_depth);
  } catch (const std::exception&) {
    header = nullptr;
  }
  require(header.is_object(), origin, ": the safetensors header is not valid JSON");

  const auto data = bytes.substr(kLengthBytes + length);
  const HeaderReader reader(origin, data.size());
  TensorFile file;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == kMetadataKey)
      file.metadata = reader.metadata(value);
    else
      entries.push_back(reader.entry(name, value));
  }
  check_coverage(entries, data.size(), origin);
  for (const auto& entry : entries) file.tensors[entry.name] = copy_tensor(entry, data);
  return file;
}

std::string serialize_safetensors(const TensorDict& tensors,
                                  const std::map<std::string, std::string>& metadata) {
  auto header = Json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const auto flat = tensor.detach().to(at::kCPU).contiguous();
    const auto begin = data.size();
    data.append(static_cast<const char*>(flat.const_data_ptr()), flat.nbytes());
    header[name] = {{"dtype", dtype_name(flat.scalar_type(), name)},
                    {"shape", flat.sizes().vec()},
                    {"data_offsets", {begin, data.size()}}};
  }
  auto text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the format's alignment
  const uint64_t length = text.size();
  std::string bytes(kLengthBytes, '\0');
  std::memcpy(bytes.data(), &length, kLengthBytes);
  return bytes + text + data;
}

}  // namespace plateforge
