#include "train/reading_page.h"

#include <algorithm>
#include <iomanip>
#include <numeric>
#include <sstream>

#include "configs/atomic_file.h"
#include "data/augment.h"
#include "data/concat.h"
#include "train/html.h"

namespace plateforge {

namespace {

constexpr int kShownHeight = 64;
constexpr size_t kMaxPlates = 400;  // keeps the page below a few megabytes

constexpr const char* kStyle = R"(
body{font:16px system-ui,sans-serif;margin:1.5rem;background:#f6f7f9;color:#16181d}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.8rem}
figure{margin:0;background:#fff;border-radius:.5rem;padding:.6rem;border-left:.35rem solid #2a9d5c}
figure.wrong{border-color:#d33a3a}
img{width:100%;height:4rem;object-fit:contain;background:#e9ebef;border-radius:.3rem}
b{font-size:1.15rem;letter-spacing:.06em}small{color:#667}del{color:#d33a3a}
)";

}  // namespace

std::string plate_uri(const Plate& plate) {
  const auto width =
      std::hypot(plate.quad[1].x - plate.quad[0].x, plate.quad[1].y - plate.quad[0].y);
  const auto height =
      std::hypot(plate.quad[3].x - plate.quad[0].x, plate.quad[3].y - plate.quad[0].y);
  const int shown =
      std::clamp(static_cast<int>(kShownHeight * width / std::max(1.0F, height)), 40, 480);
  cv::Mat cut;
  rectify(plate.image, plate.quad, {shown, kShownHeight}, cut);
  return picture_uri(cut);
}

void write_reading_page(const std::filesystem::path& file, const Mix& mix,
                        const std::vector<ReadResult>& results, const std::string& title) {
  std::vector<size_t> order(results.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto wrong = [&](size_t i) { return results[i].truth != results[i].read; };
  std::stable_partition(order.begin(), order.end(), wrong);
  const auto errors = static_cast<size_t>(std::count_if(order.begin(), order.end(), wrong));
  const auto shown = std::min(order.size(), kMaxPlates);
  const auto plates = concat(mix);

  std::ostringstream page;
  page << "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
          "content='width=device-width'><title>plateforge: "
       << escape_html(title) << "</title><style>" << kStyle << "</style><h1>"
       << results.size() - errors << " of " << results.size() << " plates read correctly</h1><p>"
       << escape_html(title) << (shown < order.size() ? " (wrong ones first, cut)" : "")
       << "</p><main>";
  for (size_t k = 0; k < shown; ++k) {
    const auto& result = results[order[k]];
    const auto plate = plates->read({.epoch = 0, .index = static_cast<int64_t>(order[k])});
    page << "<figure" << (wrong(order[k]) ? " class=wrong" : "") << "><img alt='' src='"
         << plate_uri(plate) << "'><figcaption><b>" << escape_html(result.read) << "</b><br>";
    if (wrong(order[k])) page << "<del>is " << escape_html(result.truth) << "</del><br>";
    page << "<small>" << std::fixed << std::setprecision(3) << result.confidence
         << "</small></figcaption></figure>\n";
  }
  page << "</main></html>\n";
  write_file_atomically(file, page.str());
}

}  // namespace plateforge
