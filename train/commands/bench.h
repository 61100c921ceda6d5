#pragma once

#include <chrono>
#include <functional>

#include "train/commands/commands.h"

namespace plateforge {

inline double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Samples per second and core of the data path.
int bench_loader(const Args& args);
// Images per second of the training step, shares of its parts, and this machine's roofline.
int bench_train(const Args& args);
// Latency of a model in LibTorch and of files written from it in the runtimes of this process.
int bench_model(const Args& args);

}  // namespace plateforge
