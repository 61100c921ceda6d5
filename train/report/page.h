#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace plateforge {

// One HTML page that needs nothing beside itself: the charting library is in it. `content` holds
// title, version, runs (as run_report() makes them) and tables (list of {title, rows}). Throws
// Error when this build found no charting library.
std::string report_page(const nlohmann::json& content);

}  // namespace plateforge
