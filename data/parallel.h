#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace plateforge {

// Calls body(0) ... body(count - 1) on `threads` threads (0 = one per core) and waits. The
// exception of the lowest index that threw is thrown again, so that what the user sees does not
// depend on timing; bodies with a higher index may then not have run.
template <class Body>
void parallel_for(int64_t count, int64_t threads, const Body& body) {
  if (threads <= 0) threads = std::max(1u, std::thread::hardware_concurrency());
  std::atomic<int64_t> next = 0, failed = count;
  std::exception_ptr problem;
  std::mutex mutex;
  const auto work = [&] {
    for (int64_t i = next++; i < failed; i = next++) {
      try {
        body(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (i < failed) failed = i, problem = std::current_exception();
      }
    }
  };
  std::vector<std::thread> workers;
  for (int64_t i = 1; i < std::min(threads, count); ++i) workers.emplace_back(work);
  work();
  for (auto& worker : workers) worker.join();
  if (problem) std::rethrow_exception(problem);
}

}  // namespace plateforge
