#include "train/commands/bench.h"

#include <iostream>

#include "configs/error.h"
#include "train/commands/commands.h"

namespace plateforge {

int bench_command(const Args& args) {
  const std::string usage = "plateforge bench loader|train|model [options]";
  require(!args.empty(), "bench needs what to measure; usage: ", usage);
  if (args[0] == "--help" || args[0] == "-h") {
    std::cout << usage << "\n\nEach takes --help.\n";
    return 0;
  }
  const Args rest(args.begin() + 1, args.end());
  if (args[0] == "loader") return bench_loader(rest);
  if (args[0] == "train") return bench_train(rest);
  if (args[0] == "model") return bench_model(rest);
  fail("unknown benchmark '", args[0], "'; known: loader train model");
}

}  // namespace plateforge
