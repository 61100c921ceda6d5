#include "train/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>

namespace plateforge {
namespace {

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char text[96];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

// A line wider than the terminal would wrap and could no longer be rewritten.
size_t terminal_columns(std::FILE* out) {
  winsize size{};
  const bool known = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? size.ws_col - 1U : 79U;
}

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 60) return format("%lld s", whole);
  if (whole < 3600) return format("%lld min %02lld s", whole / 60, whole % 60);
  return format("%lld h %02lld min", whole / 3600, whole / 60 % 60);
}

std::string format_progress(const ProgressLine& line) {
  std::string text = format("epoch %.1f  step %lld", line.epoch, static_cast<long long>(line.step));
  if (line.steps > 0) text += format("/%lld", static_cast<long long>(line.steps));
  if (!(line.loss < 0)) text += format("  loss %.4f", line.loss);  // NaN is worth showing
  if (line.lr >= 0) text += format("  lr %.1e", line.lr);
  if (line.images_per_second >= 0) text += format("  %.0f img/s", line.images_per_second);
  if (line.memory_bytes >= 0) {
    text += format("  %.1f GiB", static_cast<double>(line.memory_bytes) / (1LL << 30));
  }
  if (line.seconds_left >= 0) text += "  " + format_duration(line.seconds_left) + " left";
  return text;
}

Console::Console(std::FILE* out) : out_(out), terminal_(isatty(fileno(out)) == 1) {}

void Console::show(const ProgressLine& line) {
  const std::string text = format_progress(line);
  if (terminal_) {
    std::fprintf(out_, "\r\x1b[2K%s", text.substr(0, terminal_columns(out_)).c_str());
    open_ = true;
  } else {
    std::fprintf(out_, "%s\n", text.c_str());
  }
  std::fflush(out_);
}

void Console::end_line() {
  if (!open_) return;
  std::fputc('\n', out_);
  std::fflush(out_);
  open_ = false;
}

}  // namespace plateforge
