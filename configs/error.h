#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace plateforge {

// A user's mistake: one sentence that says where, what was expected, what came and what exists.
// The program prints it and exits with 2. A programmer's mistake is TORCH_CHECK or
// std::logic_error.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Joins the pieces with operator<< and throws them as an Error.
template <class... Pieces>
[[noreturn]] void fail(const Pieces&... pieces) {
  std::ostringstream text;
  (text << ... << pieces);
  throw Error(text.str());
}

template <class... Pieces>
void require(bool condition, const Pieces&... pieces) {
  if (!condition) fail(pieces...);
}

}  // namespace plateforge
