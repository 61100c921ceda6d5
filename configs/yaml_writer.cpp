#include "configs/yaml_writer.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "configs/numbers.h"

namespace plateforge {

namespace {

// Words that need no quotes whatever YAML version reads them.
bool is_plain_word(const std::string& text) {
  static const std::vector<std::string> kSpecial = {"true", "false", "yes", "no", "on",
                                                    "off",  "null",  "y",   "n"};
  const auto ordinary = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '/'; };
  return !text.empty() && std::isalpha(static_cast<unsigned char>(text.front())) &&
         std::all_of(text.begin(), text.end(), ordinary) &&
         std::find(kSpecial.begin(), kSpecial.end(), text) == kSpecial.end();
}

}  // namespace

std::string YamlWriter::scalar(double value) { return number_text(value); }

// A JSON string is a YAML double-quoted string.
std::string YamlWriter::scalar(const std::string& value) {
  if (is_plain_word(value)) return value;
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace plateforge
