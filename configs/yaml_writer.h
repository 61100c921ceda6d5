#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "configs/visit.h"

namespace plateforge {

// The writing visitor: one "key: value" line per member, sections indented. Internal to configs/.
class YamlWriter {
 public:
  explicit YamlWriter(std::string& text, std::string indent = "")
      : text_(text), indent_(std::move(indent)) {}

  template <class T, class Constraint>
  void operator()(const char* key, T& value, const char* /*doc*/, const Constraint&) {
    text_ += (first_prefix_.empty() ? indent_ : first_prefix_) + key + ":";
    first_prefix_.clear();
    write(value);
  }

 private:
  template <class T>
  void write(T& value) {
    if constexpr (Section<T>) {
      text_ += "\n";
      YamlWriter inner(text_, indent_ + "  ");
      value.visit(inner);
    } else {
      text_ += " " + scalar(value) + "\n";
    }
  }
  template <class T>
  void write(std::vector<T>& values) {
    if constexpr (Section<T>) {
      text_ += values.empty() ? " []\n" : "\n";
      for (auto& value : values) {
        YamlWriter inner(text_, indent_ + "    ");
        inner.first_prefix_ = indent_ + "  - ";
        value.visit(inner);
      }
    } else {
      std::string list;
      for (auto& value : values) list += (list.empty() ? "" : ", ") + scalar(value);
      text_ += " [" + list + "]\n";
    }
  }

  static std::string scalar(bool value) { return value ? "true" : "false"; }
  static std::string scalar(int64_t value) { return std::to_string(value); }
  static std::string scalar(double value);
  static std::string scalar(const std::string& value);

  std::string& text_;
  std::string indent_;
  std::string first_prefix_;  // "- " in front of the first key of a list item
};

template <class T>
std::string write_yaml(T config) {
  std::string text;
  YamlWriter writer(text);
  config.visit(writer);
  return text;
}

}  // namespace plateforge
