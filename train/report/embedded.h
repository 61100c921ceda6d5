#pragma once

#include <string_view>

// Files that are part of the program; CMake writes them into a source file of the build folder.
namespace plateforge::embedded {

std::string_view chart_js();   // Chart.js (MIT licence); empty where the package was not found
std::string_view page_html();  // train/report/page.html

}  // namespace plateforge::embedded
