#include <c10/util/Exception.h>

#include <iostream>

#include "configs/error.h"
#include "train/commands/commands.h"

using namespace plateforge;

int main(int argc, char** argv) {
  set_memory_policy();
  try {
    return run_command({argv + 1, argv + argc});
  } catch (const Error& problem) {
    std::cerr << "plateforge: " << problem.what() << "\n";
    return 2;
  } catch (const c10::Error& problem) {
    std::cerr << "plateforge: internal error: " << problem.what_without_backtrace() << "\n";
  } catch (const std::exception& problem) {
    std::cerr << "plateforge: internal error: " << problem.what() << "\n";
  }
  return 3;
}
