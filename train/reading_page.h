#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/open.h"
#include "train/metrics.h"

namespace plateforge {

// The plate cut out, at a size that suits a page; see picture_uri().
std::string plate_uri(const Plate& plate);

// One self-contained HTML file: every plate's picture, what stood there, what was read, wrong ones
// first. `results` are in the order of `mix`.
void write_reading_page(const std::filesystem::path& file, const Mix& mix,
                        const std::vector<ReadResult>& results, const std::string& title);

}  // namespace plateforge
