#include "train/run_log.h"

#include "configs/atomic_file.h"
#include "configs/error.h"

namespace plateforge {

RunLog::RunLog(std::filesystem::path file) : file_(std::move(file)) { open(); }

void RunLog::open() {
  out_.open(file_, std::ios::app | std::ios::binary);
  require(out_.good(), "cannot write the run's metrics to ", file_.string());
}

void RunLog::append(const nlohmann::json& line) {
  // NaN and infinities become null: JSON has no word for them.
  out_ << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n' << std::flush;
  require(out_.good(), "cannot write the run's metrics to ", file_.string(),
          " (is the disk full?)");
}

void RunLog::truncate_after(int64_t step) {
  const std::string text = read_file(file_);
  std::string kept;
  int64_t number = 0;
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    if (end == std::string::npos) break;  // cut off by a kill
    ++number;
    const auto line = nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(start),
                                            text.begin() + static_cast<std::ptrdiff_t>(end),
                                            nullptr, /*allow_exceptions=*/false);
    const bool sound =
        line.is_object() && line.contains("step") && line["step"].is_number_integer();
    require(sound, file_.string(), " line ", number, " is not a JSON object with a \"step\"");
    if (line["step"].get<int64_t>() <= step) kept.append(text, start, end + 1 - start);
    start = end + 1;
  }
  if (kept.size() == text.size()) return;
  out_.close();
  write_file_atomically(file_, kept);
  open();
}

}  // namespace plateforge
