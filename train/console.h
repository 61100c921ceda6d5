#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace plateforge {

// Where a run stands. Negative numbers are unknown and left out.
struct ProgressLine {
  double epoch = 0;             // passes over the data
  int64_t step = 0, steps = 0;  // updates done, updates planned (0 = open end)
  double loss = -1, lr = -1;
  double images_per_second = -1;
  double seconds_left = -1;
  int64_t memory_bytes = -1;
};

// "epoch 3.2  step 1200/4000  loss 0.0312  lr 8.1e-04  143 img/s  1.2 GiB  2 h 04 min left"
std::string format_progress(const ProgressLine& line);
// "45 s", "3 min 20 s", "2 h 04 min".
std::string format_duration(double seconds);

// One line that is rewritten in place on a terminal; a plain line per call elsewhere.
class Console {
 public:
  explicit Console(std::FILE* out = stderr);
  ~Console() { end_line(); }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void show(const ProgressLine& line);
  // Keeps the live line as it stands; call before anything else writes to the terminal.
  void end_line();

 private:
  std::FILE* out_;
  bool terminal_, open_ = false;
};

}  // namespace plateforge
