#include "configs/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "configs/error.h"

namespace plateforge {

namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>(
        "plateforge", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_pattern("%^%v%$");
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *instance;
}

}  // namespace

void log_info(const std::string& text) { logger().info(text); }
void log_warning(const std::string& text) { logger().warn("warning: {}", text); }

void log_to_file(const std::string& path) try {
  auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
  sink->set_pattern("%Y-%m-%d %H:%M:%S %v");
  logger().sinks().push_back(std::move(sink));
} catch (const spdlog::spdlog_ex& problem) {
  fail("cannot write the log file: ", problem.what());
}

}  // namespace plateforge
