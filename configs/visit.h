#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace plateforge {

// Every config struct has one
//   template <class V> void visit(V& v) { v("key", member, "one-line doc", constraint); }
// and nothing else describes its fields: the strict reader, the writer, `--set` and the README's
// option tables are visitors. A member that itself has visit() is a section (no constraint); a
// std::vector of such structs is a YAML list.
struct Anything {};

struct Range {  // inclusive; applies to numbers
  double low, high;
};
inline Range in_range(double low, double high) { return {low, high}; }

struct Choice {  // applies to strings
  std::vector<std::string> allowed;
};
inline Choice one_of(std::vector<std::string> allowed) { return {std::move(allowed)}; }

// A struct with visit() of its own.
struct AnyVisitor {
  template <class... Field>
  void operator()(Field&&...) {}
};
template <class T>
concept Section = requires(T value, AnyVisitor visitor) {
  value.visit(visitor);
};

}  // namespace plateforge
