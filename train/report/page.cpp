#include "train/report/page.h"

#include <c10/util/Exception.h>

#include <string_view>

#include "configs/embedded.h"
#include "configs/error.h"

namespace plateforge {
namespace {

void replace(std::string& text, std::string_view mark, std::string_view by) {
  const auto at = text.find(mark);
  TORCH_CHECK(at != std::string::npos, "the page's template lacks ", std::string(mark));
  text.replace(at, mark.size(), by);
}

}  // namespace

std::string report_page(const nlohmann::json& content) {
  const auto charts = embedded_file("chart.min.js");
  require(!charts.empty(),
          "this build has no charting library: install the package libjs-chart.js and build again");
  auto data = content.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  // Nothing in a text may end the script that carries it.
  for (size_t at = 0; (at = data.find("</", at)) != std::string::npos; at += 3)
    data.replace(at, 2, "<\\/");
  std::string page(embedded_file("page.html"));
  replace(page, "/*CHART.JS*/", charts);
  replace(page, "/*DATA*/", data);
  return page;
}

}  // namespace plateforge
