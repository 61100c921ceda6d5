#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/open.h"
#include "train/metrics.h"

namespace plateforge {

// One self-contained HTML file: every plate's picture, what stood there, what was read, wrong ones
// first. `results` are in the order of `mix`.
void write_reading_page(const std::filesystem::path& file, const Mix& mix,
                        const std::vector<ReadResult>& results, const std::string& title);

}  // namespace plateforge
