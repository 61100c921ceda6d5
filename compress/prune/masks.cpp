#include "compress/prune/masks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "configs/error.h"

namespace plateforge {

torch::Tensor mask_lowest(const torch::Tensor& scores, double ratio) {
  const auto count = scores.numel();
  const auto wanted = std::llround(ratio * static_cast<double>(count));
  const auto removed = std::clamp<int64_t>(wanted, 0, std::max<int64_t>(count - 1, 0));
  const auto flat = scores.contiguous().flatten();
  const auto order = flat.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/false);
  auto mask = torch::ones_like(flat, torch::kBool);
  mask.index_fill_(0, order.slice(0, 0, removed), false);
  return mask.reshape(scores.sizes());
}

std::optional<Pattern> parse_pattern(const std::string& text) {
  if (text.empty()) return std::nullopt;
  long long kept = 0, group = 0;
  int used = 0;
  const bool read = std::sscanf(text.c_str(), "%lld:%lld%n", &kept, &group, &used) == 2 &&
                    static_cast<size_t>(used) == text.size();
  require(read && kept > 0 && kept < group, "prune.pattern = '", text,
          "' must be N:M with 0 < N < M, such as 2:4, or empty");
  return Pattern{kept, group};
}

torch::Tensor mask_pattern(const torch::Tensor& scores, const Pattern& pattern) {
  TORCH_CHECK(pattern.fits(scores), "pattern over ", scores.size(1), " input channels");
  const auto groups = scores.transpose(1, -1).contiguous();  // input channels last
  const auto rows = groups.reshape({-1, pattern.group});
  const auto order = rows.argsort(/*stable=*/true, /*dim=*/1, /*descending=*/true);
  auto mask = torch::zeros_like(rows, torch::kBool);
  mask.scatter_(1, order.slice(1, 0, pattern.kept), true);
  return mask.reshape(groups.sizes()).transpose(1, -1).contiguous();
}

double zero_share(const torch::Tensor& weight) {
  return (weight == 0).to(torch::kDouble).mean().item<double>();
}

}  // namespace plateforge
