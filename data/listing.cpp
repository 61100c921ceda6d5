#include "data/listing.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "configs/atomic_file.h"
#include "configs/error.h"

namespace plateforge {
namespace fs = std::filesystem;
namespace {

constexpr std::array kExtensions = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"};
constexpr std::array kCorners = {"lt_x", "lt_y", "rt_x", "rt_y", "rb_x", "rb_y", "lb_x", "lb_y"};

struct Record {
  std::vector<std::string> fields;
  int64_t line = 0;  // of its first character, from 1
};

// Records of a table, RFC 4180: fields may be quoted, "" inside quotes is one quote, quoted fields
// may hold commas and line ends. Blank lines are left out.
std::vector<Record> parse_csv(std::string_view bytes, const std::string& name) {
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  std::vector<Record> records;
  int64_t line = 1;
  size_t at = 0;
  while (at < bytes.size()) {
    Record record{{}, line};
    for (bool more = true; more;) {
      std::string field;
      if (at < bytes.size() && bytes[at] == '"') {
        for (++at;; ++at) {
          require(at < bytes.size(), name, " line ", record.line, ": a quoted field never ends");
          if (bytes[at] == '\n') ++line;
          if (bytes[at] == '"' && (++at == bytes.size() || bytes[at] != '"')) break;
          field += bytes[at];
        }
        require(at == bytes.size() || bytes[at] == ',' || bytes[at] == '\r' || bytes[at] == '\n',
                name, " line ", line,
                ": expected a comma or the end of the line after a quoted field");
      } else {
        const size_t end = std::min(bytes.find_first_of(",\r\n", at), bytes.size());
        field = bytes.substr(at, end - at);
        at = end;
      }
      more = at < bytes.size() && bytes[at] == ',';
      if (more) ++at;
      record.fields.push_back(std::move(field));
    }
    if (at < bytes.size() && bytes[at] == '\r') ++at;
    if (at < bytes.size() && bytes[at] == '\n') ++at, ++line;
    if (record.fields.size() > 1 || !record.fields[0].empty()) records.push_back(std::move(record));
  }
  return records;
}

std::optional<size_t> find_column(const Record& header, std::string_view name) {
  const auto it = std::find(header.fields.begin(), header.fields.end(), name);
  if (it == header.fields.end()) return std::nullopt;
  return static_cast<size_t>(it - header.fields.begin());
}

size_t need_column(const Record& header, std::string_view name, const std::string& table) {
  const auto column = find_column(header, name);
  if (column) return *column;
  std::string known;
  for (const auto& field : header.fields) known += (known.empty() ? "" : ", ") + field;
  fail(table, " line 1: expected a header with the column '", name, "', came '", known, "'");
}

// Corner columns in Quad order, empty when the table has none.
std::vector<size_t> corner_columns(const Record& header, const std::string& table) {
  std::vector<size_t> columns;
  if (!find_column(header, kCorners[0])) return columns;
  for (const auto* name : kCorners) columns.push_back(need_column(header, name, table));
  return columns;
}

Quad parse_corners(const Record& record, const std::vector<size_t>& columns) {
  Quad quad{};
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto& text = record.fields[columns[i]];
    float value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    require(error == std::errc() && end == text.data() + text.size(), "column ", kCorners[i],
            ": expected a number, came '", text, "'");
    (i % 2 ? quad[i / 2].y : quad[i / 2].x) = value;
  }
  return quad;
}

}  // namespace

bool is_picture_name(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string extension(name.substr(dot));
  for (auto& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

void tell_or_refuse(const std::vector<Violation>& found, const std::string& where,
                    std::vector<Violation>* violations) {
  if (violations) {
    violations->insert(violations->end(), found.begin(), found.end());
  } else if (!found.empty()) {
    const size_t more = found.size() - 1;
    fail(found[0].message, more ? " (and " + std::to_string(more) +
                                      " more; `plateforge data verify --data " + where +
                                      "` lists all)"
                                : "");
  }
}

// Directory entries carry their type: no file is touched.
std::vector<std::string> list_pictures(const fs::path& folder) {
  std::vector<std::string> paths;
  const size_t prefix = (folder / "").native().size();
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto& path = entry.path().native();
    if (is_picture_name(path) && !entry.is_directory()) paths.push_back(path.substr(prefix));
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

Listing list_crops(const fs::path& folder) {
  require(fs::is_directory(folder), "crops:", folder.string(), ": no such folder");
  Listing listing{folder, {}, {}};
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') || !is_picture_name(name)) continue;
    const std::string stem = entry.path().stem().string();
    listing.items.push_back({name, stem.substr(0, stem.find('_')), std::nullopt});
  }
  std::sort(listing.items.begin(), listing.items.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  require(!listing.items.empty(), "crops:", folder.string(),
          ": the folder holds no pictures (known: .jpg .jpeg .png .bmp .webp .tif .tiff)");
  return listing;
}

Listing list_csv(const fs::path& file) {
  const std::string table = file.string();
  const std::string bytes = read_file(file);
  const auto records = parse_csv(bytes, table);
  require(!records.empty(), table,
          " is empty; expected a table with the header image_path,plate_text");
  const auto& header = records.front();
  const size_t path = need_column(header, "image_path", table);
  const size_t text = need_column(header, "plate_text", table);
  const auto corners = corner_columns(header, table);

  Listing listing{file.parent_path(), {}, {}};
  for (size_t i = 1; i < records.size(); ++i) {
    const auto& record = records[i];
    const std::string where = table + " line " + std::to_string(record.line);
    try {
      require(record.fields.size() == header.fields.size(), "expected ", header.fields.size(),
              " fields as in the header, came ", record.fields.size());
      FileItem item{record.fields[path], record.fields[text], std::nullopt};
      if (!corners.empty()) item.quad = parse_corners(record, corners);
      listing.items.push_back(std::move(item));
    } catch (const Error& problem) {
      listing.violations.push_back({"name", where, where + ": " + problem.what()});
    }
  }
  require(records.size() > 1, table, " holds a header but no plates");
  return listing;
}

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (size_t i = 0; i < fields.size(); ++i) {
    const auto& field = fields[i];
    if (i > 0) line += ',';
    if (field.find_first_of(",\"\r\n") == std::string::npos) {
      line += field;
      continue;
    }
    line += '"';
    for (const char c : field) line += c == '"' ? std::string("\"\"") : std::string(1, c);
    line += '"';
  }
  return line;
}

}  // namespace plateforge
