#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace plateforge {

// A line over x with labelled vertical marks. Labels are ASCII.
struct LinePlot {
  std::string title{}, x_label{}, y_label{};
  bool log_x = false;
  std::vector<double> x{}, y{};                         // same length, at least two, finite
  std::vector<std::pair<std::string, double>> marks{};  // text, position on the x axis
};

// Several lines with markers and, where they are given, error bars.
struct SeriesPlot {
  struct Series {
    std::string name{};
    std::vector<double> x{}, y{};       // same length, finite
    std::vector<double> low{}, high{};  // ends of the bars; empty = none
  };
  std::string title{}, x_label{}, y_label{};
  std::vector<Series> series{};
};

// Draws the plot as a PNG of 900 x 560 pixels, atomically. Throws Error when the file cannot be
// written, std::logic_error for records that cannot be drawn.
void write_line_plot(const std::filesystem::path& file, const LinePlot& plot);
void write_series_plot(const std::filesystem::path& file, const SeriesPlot& plot);

}  // namespace plateforge
