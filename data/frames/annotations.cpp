#include "data/frames/annotations.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "configs/error.h"
#include "data/frames/corners.h"

namespace plateforge {
namespace fs = std::filesystem;
namespace {

// Texts that lie among labels and annotate nothing.
bool is_note(const fs::path& file) {
  const std::string name = file.filename().string();
  return name == "classes.txt" || name.starts_with("README");
}

// Relative path without extension -> annotation file.
std::map<std::string, fs::path> annotations_below(const fs::path& folder,
                                                  const std::string& extension) {
  std::map<std::string, fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != extension || is_note(entry.path())) continue;
    found[entry.path().lexically_relative(folder).replace_extension().string()] = entry.path();
  }
  return found;
}

}  // namespace

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t at = 0; (at = text.find_first_not_of(" \t\r", at)) != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(" \t\r", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

float parse_number(std::string_view text) {
  float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size(), "expected a number, came '",
          text, "'");
  return value;
}

FrameLister::FrameLister(fs::path root, const FrameQuery& query) : query_(query) {
  listing_.root = std::move(root);
}

FramePlate FrameLister::checked(FramePlate plate, const cv::Size2f& size) {
  const bool repaired = check_plate(plate, query_.repair);
  if (!size.empty()) check_inside(plate, size);
  listing_.repaired += repaired;
  return plate;
}

bool FrameLister::guard(const char* kind, const std::string& where,
                        const std::function<void()>& action) {
  try {
    action();
    return true;
  } catch (const Error& problem) {
    listing_.violations.push_back({kind, where, where + ": " + problem.what()});
    return false;
  }
}

void FrameLister::pair(const fs::path& pictures, const fs::path& annotations,
                       const std::string& extension, const ReadItem& read) {
  const auto known = annotations_below(annotations, extension);
  std::set<std::string> used;  // pictures that differ in their ending alone share an annotation
  for (const auto& path : list_pictures(pictures)) {
    const fs::path picture = pictures / path;
    const std::string relative = picture.lexically_relative(listing_.root).string();
    const auto found = known.find(fs::path(path).replace_extension().string());
    if (found == known.end()) {
      const bool fine = guard("annotation", picture.string(), [&] {
        require(query_.missing_is_empty, "the picture has no annotation ",
                (annotations / path).replace_extension(extension).string(),
                " (missing=background takes it for one without plates)");
      });
      if (fine) listing_.items.push_back({relative, {}, {}});
      continue;
    }
    used.insert(found->first);
    std::optional<FrameItem> item;
    guard("annotation", found->second.string(), [&] { item = read(found->second); });
    if (!item) continue;
    item->path = relative;
    listing_.items.push_back(std::move(*item));
  }
  for (const auto& [name, file] : known) {
    if (used.contains(name)) continue;
    guard("picture", file.string(),
          [&] { fail("the annotation has no picture ", (pictures / name).string(), ".*"); });
  }
}

fs::path folder_or_root(const fs::path& root, const char* folder) {
  return fs::is_directory(root / folder) ? root / folder : root;
}

}  // namespace plateforge
