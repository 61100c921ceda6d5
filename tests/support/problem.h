#pragma once

#include <functional>
#include <string>

#include "configs/error.h"

namespace plateforge {

// The one sentence of the Error that an action ends in; empty when it ends well.
inline std::string problem_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& problem) {
    return problem.what();
  }
  return "";
}

}  // namespace plateforge
