#pragma once

#include <yaml-cpp/yaml.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "configs/visit.h"

namespace plateforge {

// The text being read, and what is wrong with its keys. Wrong values throw at once; unknown keys
// are collected, because the reader only knows all the known ones after everything was read.
class YamlSource {
 public:
  // `origin` names the text in errors: a file, or "--set optim.lr=3" (which has no line numbers).
  explicit YamlSource(std::string origin, bool has_lines = true)
      : origin_(std::move(origin)), has_lines_(has_lines) {}

  // The root node. Throws Error for malformed YAML, with the line.
  YAML::Node parse(const std::string& text) const;

  // Throws Error: "run.yaml, line 3: optim.lr ...". `path` is the dotted key, empty for the root.
  [[noreturn]] void fail_at(const YAML::Node& node, const std::string& path,
                            const std::string& problem) const;
  void add_unknown_key(const YAML::Node& key, const std::string& path,
                       const std::vector<std::string>& known);
  // Throws Error naming every unknown key found.
  void require_no_unknown_keys() const;

 private:
  std::string place(const YAML::Node& node) const;

  std::string origin_;
  bool has_lines_;
  std::vector<std::string> unknown_;
};

// The reading visitor: fills the members of a config struct from one YAML mapping. A key that is
// absent leaves its default. Internal to configs/.
class YamlReader {
 public:
  YamlReader(const YAML::Node& node, const std::string& path, YamlSource& source);

  template <class T, class Constraint>
  void operator()(const char* key, T& value, const char* /*doc*/, const Constraint& constraint) {
    known_.emplace_back(key);
    const auto found = children_.find(key);
    if (found != children_.end()) read(found->second.value, dotted(key), value, constraint);
  }

  // Call after visit(): reports the keys that nothing asked for.
  void finish();

 private:
  struct Entry {
    YAML::Node key, value;
  };

  template <class T, class Constraint>
  void read(const YAML::Node& node, const std::string& path, T& value,
            const Constraint& constraint) {
    if constexpr (Section<T>) {
      YamlReader reader(node, path, source_);
      value.visit(reader);
      reader.finish();
    } else {
      read_scalar(node, path, value);
      check(node, path, value, constraint);
    }
  }
  template <class T, class Constraint>
  void read(const YAML::Node& node, const std::string& path, std::vector<T>& values,
            const Constraint& constraint) {
    require_list(node, path);
    values.clear();
    for (size_t i = 0; i < node.size(); ++i) {
      read(node[i], path + "[" + std::to_string(i) + "]", values.emplace_back(), constraint);
    }
  }
  template <class Constraint>
  void read(const YAML::Node& node, const std::string& path,
            std::map<std::string, std::string>& values, const Constraint& constraint) {
    values.clear();
    for (const auto& [name, entry] : YamlReader(node, path, source_).children_) {
      read(entry.value, path + "." + name, values[name], constraint);
    }
  }

  void read_scalar(const YAML::Node& node, const std::string& path, bool& value) const;
  void read_scalar(const YAML::Node& node, const std::string& path, int64_t& value) const;
  void read_scalar(const YAML::Node& node, const std::string& path, double& value) const;
  void read_scalar(const YAML::Node& node, const std::string& path, std::string& value) const;
  // "#rrggbb"
  void read_scalar(const YAML::Node& node, const std::string& path,
                   std::array<uint8_t, 3>& value) const;

  template <class T>
  void check(const YAML::Node&, const std::string&, const T&, const Anything&) const {}
  void check(const YAML::Node& node, const std::string& path, double value,
             const Range& range) const;
  void check(const YAML::Node& node, const std::string& path, int64_t value,
             const Range& range) const;
  void check(const YAML::Node& node, const std::string& path, const std::string& value,
             const Choice& choice) const;

  void require_list(const YAML::Node& node, const std::string& path) const;
  std::string dotted(const std::string& key) const {
    return path_.empty() ? key : path_ + "." + key;
  }

  YamlSource& source_;
  std::string path_;
  std::map<std::string, Entry> children_;
  std::vector<std::string> known_;
};

// Reads a whole document into `value`, whose members hold the defaults.
template <class T>
void read_yaml(const std::string& text, YamlSource& source, T& value) {
  YamlReader reader(source.parse(text), "", source);
  value.visit(reader);
  reader.finish();
  source.require_no_unknown_keys();
}

}  // namespace plateforge
