#include "data/ccpd.h"

#include <algorithm>
#include <charconv>

#include "configs/atomic_file.h"
#include "configs/error.h"

namespace plateforge {
namespace fs = std::filesystem;
namespace {

// The last 'O' of each table means "no character".
constexpr std::array<std::string_view, 34> kProvinces = {
    "皖", "沪", "津", "渝", "冀", "晋", "蒙", "辽", "吉", "黑", "苏", "浙",
    "京", "闽", "赣", "鲁", "豫", "鄂", "湘", "粤", "桂", "琼", "川", "贵",
    "云", "藏", "陕", "甘", "青", "宁", "新", "警", "学", "O"};
constexpr std::string_view kLetters = "ABCDEFGHJKLMNPQRSTUVWXYZO";
constexpr std::string_view kSymbols = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789O";

constexpr std::array kFieldNames = {"area",  "tilt",       "box", "vertices",
                                    "plate", "brightness", "blur"};

// Splits into at most `N` pieces; returns how many there are.
template <size_t N>
size_t split(std::string_view text, char separator, std::array<std::string_view, N>& pieces) {
  size_t count = 0;
  for (;;) {
    const size_t end = text.find(separator);
    if (count < N) pieces[count] = text.substr(0, end);
    ++count;
    if (end == std::string_view::npos) return count;
    text.remove_prefix(end + 1);
  }
}

// Parsing state for messages.
struct Reader {
  std::string_view name;

  template <class... Pieces>
  [[noreturn]] void refuse(size_t field, const Pieces&... pieces) const {
    fail("CCPD name '", name, "', field ", field + 1, " (", kFieldNames[field], "): ", pieces...);
  }

  int number(size_t field, std::string_view text) const {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0) {
      refuse(field, "expected a number, came '", text, "'");
    }
    return value;
  }

  cv::Point point(size_t field, std::string_view text) const {
    std::array<std::string_view, 2> xy;
    if (split(text, '&', xy) != 2) refuse(field, "expected x&y, came '", text, "'");
    return {number(field, xy[0]), number(field, xy[1])};
  }

  // "025" means 0.025; base names carry up to 18 digits.
  double area(std::string_view text) const {
    double value = 0, unit = 1;
    for (const char c : text) {
      if (c < '0' || c > '9') refuse(0, "expected digits, came '", text, "'");
      value += (unit /= 10) * (c - '0');
    }
    if (text.empty()) refuse(0, "expected digits, came nothing");
    return value;
  }

  std::string plate(std::string_view text) const {
    std::array<std::string_view, 8> indices;
    const size_t count = split(text, '_', indices);
    if (count != 7 && count != 8) {
      refuse(4, "expected 7 or 8 indices, came ", count, " in '", text, "'");
    }
    std::string result;
    for (size_t i = 0; i < count; ++i) {
      const size_t size = i == 0 ? kProvinces.size() : i == 1 ? kLetters.size() : kSymbols.size();
      const auto index = static_cast<size_t>(number(4, indices[i]));
      if (index >= size) {
        refuse(4, "index ", index, " at position ", i, " is outside its table of ", size);
      }
      if (index + 1 == size) continue;  // no character
      if (i == 0) {
        result += kProvinces[index];
      } else {
        result += (i == 1 ? kLetters : kSymbols)[index];
      }
    }
    return result;
  }
};

cv::Point2f to_corner(const cv::Point& pixel) {
  return {static_cast<float>(pixel.x), static_cast<float>(pixel.y)};
}

Quad rect_quad(const cv::Rect2f& r) {
  return {cv::Point2f{r.x, r.y}, {r.br().x, r.y}, r.br(), {r.x, r.br().y}};
}

// "db" and "ccpd_db" are the same subset.
bool is_subset(std::string_view folder, std::string_view wanted) {
  const auto plain = [](std::string_view text) {
    return text.starts_with("ccpd_") ? text.substr(5) : text;
  };
  return plain(folder) == plain(wanted);
}

bool in_subset(const fs::path& folder, std::string_view subset) {
  while (!subset.empty()) {
    const size_t comma = std::min(subset.find(','), subset.size());
    for (const auto& part : folder) {
      if (is_subset(part.string(), subset.substr(0, comma))) return true;
    }
    subset.remove_prefix(std::min(comma + 1, subset.size()));
  }
  return false;
}

std::vector<std::string> read_split(const fs::path& root, const std::string& split) {
  const fs::path file = fs::exists(root / split) ? root / split : fs::path(split);
  const std::string bytes = read_file(file);
  std::vector<std::string> paths;
  for (std::string_view rest = bytes; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    // Lines may carry a label behind the path, as in the 2018 lists.
    line = line.substr(0, line.find_first_of(" \t\r"));
    if (!line.empty()) paths.emplace_back(line);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  require(!paths.empty(), "ccpd split ", file.string(), " lists no pictures");
  return paths;
}

}  // namespace

CcpdName parse_ccpd_name(std::string_view name) {
  const Reader reader{name};
  const std::string_view stem = name.substr(0, name.rfind('.'));
  std::array<std::string_view, 7> fields;
  const size_t count = split(stem, '-', fields);
  require(count == 7, "CCPD name '", name,
          "': expected 7 fields separated by '-' "
          "(area-tilt-box-vertices-plate-brightness-blur), came ",
          count);
  CcpdName result;
  result.area = reader.area(fields[0]);

  std::array<std::string_view, 2> pair;
  if (split(fields[1], '_', pair) != 2) {
    reader.refuse(1, "expected horizontal_vertical, came '", fields[1], "'");
  }
  result.horizontal_tilt = reader.number(1, pair[0]);
  result.vertical_tilt = reader.number(1, pair[1]);

  if (split(fields[2], '_', pair) != 2) {
    reader.refuse(2, "expected x1&y1_x2&y2, came '", fields[2], "'");
  }
  const cv::Point left_top = reader.point(2, pair[0]), right_bottom = reader.point(2, pair[1]);
  result.box = cv::Rect(left_top, right_bottom);
  if (left_top.x >= right_bottom.x || left_top.y >= right_bottom.y) {
    reader.refuse(2, "expected left-top before right-bottom, came '", fields[2], "'");
  }

  std::array<std::string_view, 4> corners;
  if (const size_t n = split(fields[3], '_', corners); n != 4) {
    reader.refuse(3, "expected four corners x&y, came ", n, " in '", fields[3], "'");
  }
  // File order: right-bottom, left-bottom, left-top, right-top.
  constexpr std::array<size_t, 4> kQuadCorner = {2, 3, 0, 1};
  for (size_t i = 0; i < 4; ++i) {
    result.vertices[kQuadCorner[i]] = to_corner(reader.point(3, corners[i]));
  }

  result.text = reader.plate(fields[4]);
  result.brightness = reader.number(5, fields[5]);
  result.blur = reader.number(6, fields[6]);
  return result;
}

Quad ccpd_quad(const CcpdName& name, const std::string& crop) {
  Quad quad = name.vertices;
  if (crop == "box") {
    quad = rect_quad(name.box);
  } else if (crop == "extents") {
    const auto [left, right] = std::minmax({quad[0].x, quad[1].x, quad[2].x, quad[3].x});
    const auto [top, bottom] = std::minmax({quad[0].y, quad[1].y, quad[2].y, quad[3].y});
    quad = rect_quad({cv::Point2f(left, top), cv::Point2f(right, bottom)});
  } else {
    require(crop == "rectify", "unknown crop '", crop, "', known: rectify, extents, box");
  }
  return quad;
}

Listing list_ccpd(const fs::path& root, const CcpdQuery& query) {
  const std::string where = "ccpd:" + root.string();
  ccpd_quad({}, query.crop);  // an unknown crop is one error, not one per name
  require(fs::is_directory(root), where, ": no such folder");
  const auto paths = query.split.empty() ? list_pictures(root) : read_split(root, query.split);
  Listing listing{root, {}, {}};
  listing.items.reserve(paths.size());
  for (const auto& path : paths) {
    const size_t slash = path.rfind('/');
    const auto folder = std::string_view(path).substr(0, slash == std::string::npos ? 0 : slash);
    if (!query.subset.empty() && !in_subset(folder, query.subset)) continue;
    const auto last = folder.empty() ? fs::path(root).filename().string()
                                     : std::string(folder.substr(folder.rfind('/') + 1));
    if (is_subset(last, "np")) {
      listing.unannotated.push_back(path);
      continue;
    }
    try {
      const auto name = parse_ccpd_name(std::string_view(path).substr(slash + 1));
      listing.items.push_back({path, name.text, ccpd_quad(name, query.crop)});
    } catch (const Error& problem) {
      listing.violations.push_back({"name", (root / path).string(), problem.what()});
    }
  }
  require(!listing.items.empty() || !listing.violations.empty(), where,
          query.subset.empty() ? "" : " subset " + query.subset, ": no annotated frames found (",
          listing.unannotated.size(), " pictures without annotation)");
  return listing;
}

}  // namespace plateforge
