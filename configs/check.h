#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "configs/error.h"
#include "configs/numbers.h"
#include "configs/suggest.h"
#include "configs/visit.h"

namespace plateforge {

// The checking visitor, for values that no YAML reader has seen (command lines, model files).
// Throws Error for a member outside its constraint: "SECTION.key = 3 is outside [0, 1]".
class ConstraintChecker {
 public:
  explicit ConstraintChecker(std::string section) : section_(std::move(section)) {}

  template <class T, class Constraint>
  void operator()(const char* key, T& value, const char* /*doc*/, const Constraint& constraint) {
    check(section_ + "." + key, value, constraint);
  }

 private:
  template <class T>
  static void check(const std::string&, const T&, const Anything&) {}
  template <class T>
  static void check(const std::string& name, const std::vector<T>& values, const Range& range) {
    for (const auto& value : values) check(name, value, range);
  }
  static void check(const std::string& name, double value, const Range& range) {
    require(value >= range.low && value <= range.high, name, " = ", number_text(value),
            " is outside ", range_text(range));
  }
  static void check(const std::string& name, int64_t value, const Range& range) {
    check(name, static_cast<double>(value), range);
  }
  static void check(const std::string& name, const std::string& value, const Choice& choice) {
    const bool known =
        std::find(choice.allowed.begin(), choice.allowed.end(), value) != choice.allowed.end();
    require(known, name, " = '", value, "' is not one of its values; ",
            known_names(value, choice.allowed));
  }

  std::string section_;
};

template <class Config>
void check_constraints(Config config, const std::string& section) {
  ConstraintChecker checker(section);
  config.visit(checker);
}

}  // namespace plateforge
