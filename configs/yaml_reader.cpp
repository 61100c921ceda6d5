#include "configs/yaml_reader.h"

#include <charconv>
#include <cmath>

#include "configs/error.h"
#include "configs/numbers.h"
#include "configs/suggest.h"

namespace plateforge {

namespace {

// What stands there, for "expected X, got Y".
std::string describe(const YAML::Node& node) {
  if (node.IsMap()) return "a section";
  if (node.IsSequence()) return "a list";
  if (node.IsScalar()) return "'" + node.Scalar() + "'";
  return "nothing";
}

// A quoted scalar is text, never a number or a switch.
bool is_plain(const YAML::Node& node) { return node.IsScalar() && node.Tag() != "!"; }

template <class Number>
bool parse_whole(const std::string& text, Number& value) {
  const char* begin = text.data();
  const char* end = begin + text.size();
  if (begin != end && *begin == '+') ++begin;
  const auto [stop, problem] = std::from_chars(begin, end, value);
  return problem == std::errc() && stop == end;
}

}  // namespace

// --- YamlSource --------------------------------------------------------------------------------

YAML::Node YamlSource::parse(const std::string& text) const {
  try {
    return YAML::Load(text);
  } catch (const YAML::ParserException& problem) {
    const auto line = has_lines_ ? ", line " + std::to_string(problem.mark.line + 1) : "";
    fail(origin_, line, ": this is not valid YAML: ", problem.msg);
  }
}

std::string YamlSource::place(const YAML::Node& node) const {
  const bool known = has_lines_ && !node.Mark().is_null();
  return origin_ + (known ? ", line " + std::to_string(node.Mark().line + 1) : "") + ": ";
}

void YamlSource::fail_at(const YAML::Node& node, const std::string& path,
                         const std::string& problem) const {
  fail(place(node), path, path.empty() ? "" : " ", problem);
}

void YamlSource::add_unknown_key(const YAML::Node& key, const std::string& path,
                                 const std::vector<std::string>& known) {
  unknown_.push_back(place(key) + "unknown key " + path + "; " + known_names(key.Scalar(), known));
}

void YamlSource::require_no_unknown_keys() const {
  require(unknown_.empty(), join(unknown_, "; "));
}

// --- YamlReader --------------------------------------------------------------------------------

YamlReader::YamlReader(const YAML::Node& node, const std::string& path, YamlSource& source)
    : source_(source), path_(path) {
  if (node.IsNull()) return;  // an empty file or section: all defaults
  if (!node.IsMap()) {
    source_.fail_at(node, path, "expected a section (key: value), got " + describe(node));
  }
  for (const auto& child : node) {
    if (!child.first.IsScalar()) {
      source_.fail_at(child.first, path, "expected a key, got " + describe(child.first));
    }
    const auto& key = child.first.Scalar();
    if (!children_.emplace(key, Entry{child.first, child.second}).second) {
      source_.fail_at(child.first, dotted(key), "is given twice");
    }
  }
}

void YamlReader::finish() {
  for (const auto& [key, entry] : children_) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
      source_.add_unknown_key(entry.key, dotted(key), known_);
    }
  }
}

void YamlReader::require_list(const YAML::Node& node, const std::string& path) const {
  if (!node.IsSequence()) {
    source_.fail_at(node, path,
                    "expected a list ([a, b] or one '- ' per line), got " + describe(node));
  }
}

void YamlReader::read_scalar(const YAML::Node& node, const std::string& path, bool& value) const {
  const bool is_true = is_plain(node) && node.Scalar() == "true";
  if (!is_true && !(is_plain(node) && node.Scalar() == "false")) {
    source_.fail_at(node, path, "expected true or false, got " + describe(node));
  }
  value = is_true;
}

void YamlReader::read_scalar(const YAML::Node& node, const std::string& path,
                             int64_t& value) const {
  if (!is_plain(node) || !parse_whole(node.Scalar(), value)) {
    source_.fail_at(node, path, "expected an integer, got " + describe(node));
  }
}

void YamlReader::read_scalar(const YAML::Node& node, const std::string& path, double& value) const {
  if (!is_plain(node) || !parse_whole(node.Scalar(), value) || !std::isfinite(value)) {
    source_.fail_at(node, path, "expected a number, got " + describe(node));
  }
}

void YamlReader::read_scalar(const YAML::Node& node, const std::string& path,
                             std::string& value) const {
  if (!node.IsScalar() && !node.IsNull()) {
    source_.fail_at(node, path, "expected text, got " + describe(node));
  }
  value = node.IsNull() ? "" : node.Scalar();
}

void YamlReader::read_scalar(const YAML::Node& node, const std::string& path,
                             std::array<uint8_t, 3>& value) const {
  const std::string text = node.IsScalar() ? node.Scalar() : "";
  bool good = text.size() == 7 && text[0] == '#';
  for (size_t i = 0; good && i < 3; ++i) {
    const char* digits = text.data() + 1 + 2 * i;
    good = std::from_chars(digits, digits + 2, value[i], 16).ptr == digits + 2;
  }
  if (!good) {
    source_.fail_at(node, path, "expected a colour \"#rrggbb\", got " + describe(node));
  }
}

void YamlReader::check(const YAML::Node& node, const std::string& path, double value,
                       const Range& range) const {
  if (!(value >= range.low && value <= range.high)) {
    source_.fail_at(node, path, "= " + node.Scalar() + " is outside " + range_text(range));
  }
}

void YamlReader::check(const YAML::Node& node, const std::string& path, int64_t value,
                       const Range& range) const {
  check(node, path, static_cast<double>(value), range);
}

void YamlReader::check(const YAML::Node& node, const std::string& path, const std::string& value,
                       const Choice& choice) const {
  if (std::find(choice.allowed.begin(), choice.allowed.end(), value) == choice.allowed.end()) {
    source_.fail_at(
        node, path,
        "= '" + value + "' is not one of its values; " + known_names(value, choice.allowed));
  }
}

}  // namespace plateforge
