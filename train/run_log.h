#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace plateforge {

// metrics.jsonl of a run: one JSON object per line, each with an integer "step". The record that
// the console, the report and a resumed run rely on.
class RunLog {
 public:
  // Appends to what is there. Throws Error when the file cannot be written.
  explicit RunLog(std::filesystem::path file);

  // On disk when the call returns (as far as the kernel). Throws Error (disk full).
  void append(const nlohmann::json& line);

  // Drops every line after `step`, and a line that a killed run left unfinished, so that a resumed
  // run has each step once. Throws Error naming the line when the file holds something else.
  void truncate_after(int64_t step);

 private:
  void open();
  std::filesystem::path file_;
  std::ofstream out_;
};

}  // namespace plateforge
