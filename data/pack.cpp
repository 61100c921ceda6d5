#include "data/pack.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "configs/log.h"
#include "data/augment.h"
#include "data/geometry.h"
#include "data/hash.h"
#include "data/parallel.h"

namespace plateforge {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kMagic = "pfpack02";
constexpr size_t kAlignment = 4096;
constexpr int64_t kBlock = 512;  // records in memory while writing

size_t aligned(size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

// A file mapped for reading.
class MappedFile {
 public:
  explicit MappedFile(const fs::path& file) {
    const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    require(descriptor >= 0, "cannot read ", file.string(), ": ", std::strerror(errno));
    struct stat info {};
    fstat(descriptor, &info);
    size_ = static_cast<size_t>(info.st_size);
    data_ = size_ ? mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0) : nullptr;
    const int problem = errno;
    close(descriptor);
    require(data_ != MAP_FAILED, "cannot map ", file.string(), ": ", std::strerror(problem));
  }
  ~MappedFile() {
    if (data_) munmap(data_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

struct Header {
  cv::Size record;
  double margin = 0;
  bool real = true;
  std::vector<std::string> texts, sources;

  size_t picture_bytes() const { return static_cast<size_t>(record.area()) * 3; }
  size_t record_bytes() const { return sizeof(float) + picture_bytes(); }

  // Where the plate lies in every record.
  Quad quad() const {
    const auto width = static_cast<double>(record.width) / (1 + 2 * margin);
    const auto height = static_cast<double>(record.height) / (1 + 2 * margin);
    const auto x0 = static_cast<float>(margin * width), y0 = static_cast<float>(margin * height);
    const auto x1 = static_cast<float>((1 + margin) * width);
    const auto y1 = static_cast<float>((1 + margin) * height);
    return {cv::Point2f{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}};
  }
};

std::string to_json(const Header& header) {
  const nlohmann::json json = {{"width", header.record.width}, {"height", header.record.height},
                               {"margin", header.margin},      {"real", header.real},
                               {"texts", header.texts},        {"sources", header.sources}};
  // File names need not be UTF-8.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Header and offset of the first record.
std::pair<Header, size_t> read_header(std::string_view bytes, const std::string& name) {
  constexpr size_t kFixed = kMagic.size() + sizeof(uint64_t);
  require(bytes.size() >= kFixed && bytes.starts_with(kMagic), name,
          " is not a pack of this version: expected a file that starts with '", kMagic, "'");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data() + kMagic.size(), sizeof length);
  require(length <= bytes.size() - kFixed, name, " is cut off inside its header");
  Header header;
  try {
    const auto json = nlohmann::json::parse(bytes.substr(kFixed, length));
    header.record = {json.at("width").get<int>(), json.at("height").get<int>()};
    header.margin = json.at("margin").get<double>();
    header.real = json.at("real").get<bool>();
    header.texts = json.at("texts").get<std::vector<std::string>>();
    header.sources = json.at("sources").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception& problem) {
    fail(name, " has a damaged header: ", problem.what());
  }
  const bool sane = header.record.width > 0 && header.record.width <= 1 << 14 &&
                    header.record.height > 0 && header.record.height <= 1 << 14 &&
                    header.margin >= 0 && header.margin <= 4 &&
                    header.texts.size() == header.sources.size();
  require(sane, name, " has a damaged header: impossible record size or count");
  const size_t start = aligned(kFixed + length);
  const size_t expected = start + header.texts.size() * header.record_bytes();
  require(bytes.size() == expected, name, " is damaged: expected ", expected, " bytes, found ",
          bytes.size());
  return {std::move(header), start};
}

class PackSource final : public PlateSource {
 public:
  explicit PackSource(const fs::path& file) : mapping_(file) {
    std::tie(header_, start_) = read_header(mapping_.bytes(), file.string());
    require(!header_.texts.empty(), file.string(), " holds no plates");
    quad_ = header_.quad();
  }

  int64_t size() const override { return static_cast<int64_t>(header_.texts.size()); }
  std::string text(int64_t index) const override {
    return header_.texts.at(static_cast<size_t>(index));
  }
  std::string name(int64_t index) const override {
    return header_.sources.at(static_cast<size_t>(index));
  }
  bool is_real() const override { return header_.real; }

  Plate read(const SampleKey& key) const override {
    const auto index = static_cast<size_t>(key.index);
    Plate plate;
    plate.text = header_.texts.at(index);
    plate.source = header_.sources[index];
    plate.quad = quad_;
    // Copied, so that a plate outlives the mapping and may be written to.
    plate.image.create(header_.record, CV_8UC3);
    const char* record = mapping_.bytes().data() + start_ + index * header_.record_bytes();
    float aspect = 0;
    std::memcpy(&aspect, record, sizeof aspect);
    plate.aspect = aspect;
    std::memcpy(plate.image.data, record + sizeof aspect, header_.picture_bytes());
    return plate;
  }

 private:
  MappedFile mapping_;
  Header header_;
  size_t start_ = 0;
  Quad quad_{};
};

void write_records(const PlateSource& source, const Header& header, int64_t threads,
                   std::ostream& out) {
  const size_t bytes = header.record_bytes();
  std::vector<char> block(static_cast<size_t>(kBlock) * bytes);
  for (int64_t first = 0; first < source.size(); first += kBlock) {
    const int64_t count = std::min(kBlock, source.size() - first);
    parallel_for(count, threads, [&](int64_t i) {
      const Plate plate = source.read({0, first + i});
      char* const record = block.data() + static_cast<size_t>(i) * bytes;
      const auto aspect = static_cast<float>(aspect_of(plate));
      std::memcpy(record, &aspect, sizeof aspect);
      cv::Mat picture;
      rectify(plate.image, widen(plate.quad, header.margin, header.margin), header.record, picture);
      std::memcpy(record + sizeof aspect, picture.data, header.picture_bytes());
    });
    out.write(block.data(), static_cast<std::streamsize>(static_cast<size_t>(count) * bytes));
  }
}

}  // namespace

void write_pack(const PlateSource& source, const fs::path& file, const PackOptions& options) {
  require(source.size() > 0, "there are no plates to write to ", file.string());
  Header header{options.record, options.margin, source.is_real(), {}, {}};
  for (int64_t i = 0; i < source.size(); ++i) {
    header.texts.push_back(source.text(i));
    header.sources.push_back(source.name(i));
  }
  const std::string json = to_json(header);
  write_file_atomically(file, [&](std::ostream& out) {
    const uint64_t length = json.size();
    out << kMagic;
    out.write(reinterpret_cast<const char*>(&length), sizeof length);
    out << json;
    const size_t used = kMagic.size() + sizeof length + json.size();
    out << std::string(aligned(used) - used, '\0');
    write_records(source, header, options.threads, out);
  });
}

PlateSourcePtr open_pack(const fs::path& file) { return std::make_shared<PackSource>(file); }

PlateSourcePtr cached(const PlateSourcePtr& source, const PackOptions& options,
                      const fs::path& folder) {
  const auto fingerprint = source->fingerprint();
  if (!fingerprint) return source;
  const uint64_t key = mix_key(*fingerprint, hash_bytes(kMagic), options.record.width,
                               options.record.height, std::bit_cast<uint64_t>(options.margin));
  std::ostringstream name;
  name << std::hex << std::setw(16) << std::setfill('0') << key << ".pack";
  const fs::path file = folder / name.str();
  if (fs::exists(file)) {
    try {
      return open_pack(file);
    } catch (const Error& problem) {
      log_warning(std::string(problem.what()) + "; it is written again");
    }
  }
  std::error_code problem;
  fs::create_directories(folder, problem);
  require(!problem, "cannot create the cache folder ", folder.string(), ": ", problem.message());
  log_info("packing " + std::to_string(source->size()) + " plates into " + file.string());
  write_pack(*source, file, options);
  return open_pack(file);
}

}  // namespace plateforge
