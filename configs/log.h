#pragma once

#include <string>

namespace plateforge {

// The one logger: standard error, and the run folder's log.txt once one is attached.
// Libraries report through it; only commands write results to standard output.
void log_info(const std::string& text);
void log_warning(const std::string& text);

// Also write every later line to this file (appended). Throws Error when it cannot be opened.
void log_to_file(const std::string& path);

}  // namespace plateforge
