#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "models/ops/layers.h"
#include "models/ops/rows.h"

// Max-pooling with tap of one picture [H, W, C], one row of the map at a time, so that everything
// but the picture itself stays in the cache.
namespace plateforge::ops {

constexpr int64_t kWindow = 3;

struct PoolGeometry {
  int64_t batch, channels, height, width;     // x
  int64_t kept, pooled_height, pooled_width;  // maxima
  int64_t tap_height, tap_width;              // averages
  PoolStride stride;
  AverageWindow window;

  int64_t row() const { return width * channels; }
  int64_t kept_row() const { return width * kept; }
  int64_t pooled_row() const { return pooled_width * kept; }
  int64_t tap_row() const { return tap_width * channels; }
  int64_t picture() const { return height * row(); }
  int64_t pooled_picture() const { return pooled_height * pooled_row(); }
  int64_t tap_picture() const { return tap_height * tap_row(); }
  float share() const { return 1.F / static_cast<float>(window.height * window.width); }
};

inline PoolGeometry pool_geometry(at::IntArrayRef x, const PoolStride& stride,
                                  const AverageWindow& window) {
  return {x[0],
          x[1],
          x[2],
          x[3],
          (x[1] - 1) / stride.channels + 1,
          (x[2] - kWindow) / stride.height + 1,
          (x[3] - kWindow) / stride.width + 1,
          (x[2] - window.height) / window.stride_height + 1,
          (x[3] - window.width) / window.stride_width + 1,
          stride,
          window};
}

// Outputs of a sliding window that cover input position `at`: [first, last).
struct Cover {
  int64_t first, last;
  bool operator==(const Cover&) const = default;
};
inline Cover covering(int64_t at, int64_t window, int64_t stride, int64_t outputs) {
  const auto first = at < window ? 0 : (at - window) / stride + 1;
  return {first, std::min(at / stride + 1, outputs)};
}

// body(i, i * step) for i in [0, count); steps known to the compiler become vector shuffles.
template <class Body>
void for_strided(int64_t count, int64_t step, const Body& body) {
  const auto loop = [&](auto constant) {
    for (int64_t i = 0; i < count; ++i) body(i, i * constant);
  };
  if (step == 2)
    loop(std::integral_constant<int64_t, 2>());
  else if (step == 4)
    loop(std::integral_constant<int64_t, 4>());
  else
    loop(step);
}

// Bits instead of a branch, which would keep the loop around it from being vectorised.
inline void take_larger(float value, int32_t k, float& best, int32_t& place) {
  const auto mask = -static_cast<int32_t>(value > best);
  best = value > best ? value : best;
  place = (place & ~mask) | (k & mask);
}

// `count` neighbouring maxima whose windows begin at the pointers, `step` values between columns.
template <class T>
void find_maxima(const T* __restrict upper, const T* __restrict middle, const T* __restrict lower,
                 int64_t step, int64_t count, T* __restrict pooled, uint8_t* __restrict places) {
  for (int64_t i = 0; i < count; ++i) {
    float best = load(upper[i]);
    int32_t place = 0;
    take_larger(load(upper[i + step]), 1, best, place);
    take_larger(load(upper[i + 2 * step]), 2, best, place);
    take_larger(load(middle[i]), 3, best, place);
    take_larger(load(middle[i + step]), 4, best, place);
    take_larger(load(middle[i + 2 * step]), 5, best, place);
    take_larger(load(lower[i]), 6, best, place);
    take_larger(load(lower[i + step]), 7, best, place);
    take_larger(load(lower[i + 2 * step]), 8, best, place);
    store(pooled[i], best);
    places[i] = static_cast<uint8_t>(place);
  }
}

// Takes the rows of a map of type T from top to bottom and writes the maxima, their places in the
// window (0..8, the first of equals) and the averages.
template <class T>
class RowPool {
 public:
  RowPool(const PoolGeometry& g, T* pooled, uint8_t* places, T* tap)
      : g_(g), pooled_(pooled), places_(places), tap_(tap) {
    resize(rows_, kWindow * g.kept_row());
    resize(scratch_, g.stride.channels == 1 ? 0 : g.row());
    resize(sums_, g.tap_picture());
  }

  // Where the caller writes row h before he calls take(h).
  T* row(int64_t h) { return g_.stride.channels == 1 ? kept_row(h) : scratch_.data(); }

  void take(int64_t h) {
    sum_taps(h);
    if (g_.stride.channels != 1) gather(h);
    const auto top = h + 1 - kWindow;
    if (top >= 0 && top % g_.stride.height == 0) write_maxima(top);
    if (h + 1 == g_.height) write_taps();
  }

 private:
  template <class V>
  static void resize(std::vector<V>& values, int64_t size) {
    values.resize(static_cast<size_t>(size));
  }

  T* kept_row(int64_t h) { return rows_.data() + h % kWindow * g_.kept_row(); }

  void gather(int64_t h) {
    T* __restrict out = kept_row(h);
    const T* __restrict in = scratch_.data();
    for (int64_t w = 0; w < g_.width; ++w, out += g_.kept, in += g_.channels)
      for_strided(g_.kept, g_.stride.channels, [&](int64_t i, int64_t c) { out[i] = in[c]; });
  }

  void write_maxima(int64_t top) {
    const T* const rows[] = {kept_row(top), kept_row(top + 1), kept_row(top + 2)};
    const auto at = top / g_.stride.height * g_.pooled_row();
    const auto write = [&](int64_t from, int64_t to, int64_t count) {
      find_maxima(rows[0] + from, rows[1] + from, rows[2] + from, g_.kept, count, pooled_ + to,
                  places_ + to);
    };
    if (g_.stride.width == 1) return write(0, at, g_.pooled_row());
    for (int64_t w = 0; w < g_.pooled_width; ++w)
      write(w * g_.stride.width * g_.kept, at + w * g_.kept, g_.kept);
  }

  void sum_taps(int64_t h) {
    const auto& window = g_.window;
    const T* const in = row(h);
    const auto rows = covering(h, window.height, window.stride_height, g_.tap_height);
    for (auto oh = rows.first; oh < rows.last; ++oh)
      for (int64_t ow = 0; ow < g_.tap_width; ++ow) {
        float* __restrict sum = sums_.data() + oh * g_.tap_row() + ow * g_.channels;
        for (int64_t w = 0; w < window.width; ++w) {
          const T* __restrict pixel = in + (ow * window.stride_width + w) * g_.channels;
          for (int64_t c = 0; c < g_.channels; ++c) sum[c] += load(pixel[c]);
        }
      }
  }

  void write_taps() {
    const float share = g_.share();
    const float* __restrict sums = sums_.data();
    T* __restrict tap = tap_;
    for (int64_t i = 0; i < g_.tap_picture(); ++i) store(tap[i], sums[i] * share);
  }

  const PoolGeometry& g_;
  T* pooled_;
  uint8_t* places_;
  T* tap_;
  std::vector<T> rows_, scratch_;  // the last three rows, kept channels; the row that comes
  std::vector<float> sums_;        // of the averages
};

// The gradient of the map that RowPool took, rebuilt row by row.
template <class T>
class RowPoolGradient {
 public:
  RowPoolGradient(const PoolGeometry& g, const T* dpooled, const uint8_t* places, const T* dtap)
      : g_(g),
        dpooled_(dpooled),
        places_(places),
        dtap_(dtap),
        shares_(static_cast<size_t>(g.row())),
        row_(shares_.size()),
        maxima_(static_cast<size_t>(g.stride.channels == 1 ? 0 : g.kept_row())) {}

  // [W, C], valid until the next call.
  const float* row(int64_t h) {
    spread_taps(h);
    std::copy(shares_.begin(), shares_.end(), row_.begin());
    if (g_.stride.channels == 1) {
      add_maxima(h, row_.data());
    } else {
      std::fill(maxima_.begin(), maxima_.end(), 0.F);
      add_maxima(h, maxima_.data());
      add_kept_channels();
    }
    return row_.data();
  }

 private:
  // The taps' share is the same for all rows under the same windows: made when they change.
  void spread_taps(int64_t h) {
    const auto& window = g_.window;
    const auto rows = covering(h, window.height, window.stride_height, g_.tap_height);
    if (rows == spread_) return;
    spread_ = rows;
    std::fill(shares_.begin(), shares_.end(), 0.F);
    const float share = g_.share();
    for (auto oh = rows.first; oh < rows.last; ++oh)
      for (int64_t ow = 0; ow < g_.tap_width; ++ow) {
        const T* __restrict in = dtap_ + oh * g_.tap_row() + ow * g_.channels;
        for (int64_t w = 0; w < window.width; ++w) {
          float* __restrict out = shares_.data() + (ow * window.stride_width + w) * g_.channels;
          for (int64_t c = 0; c < g_.channels; ++c) out[c] += load(in[c]) * share;
        }
      }
  }

  void add_maxima(int64_t h, float* out) const {
    const auto rows = covering(h, kWindow, g_.stride.height, g_.pooled_height);
    for (auto oh = rows.first; oh < rows.last; ++oh)
      for (int64_t k = 0; k < kWindow; ++k) {
        const auto place = static_cast<int32_t>((h - oh * g_.stride.height) * kWindow + k);
        const auto from = oh * g_.pooled_row();
        if (g_.stride.width == 1) {
          add_where(place, from, g_.pooled_row(), out + k * g_.kept);
          continue;
        }
        for (int64_t ow = 0; ow < g_.pooled_width; ++ow)
          add_where(place, from + ow * g_.kept, g_.kept,
                    out + (ow * g_.stride.width + k) * g_.kept);
      }
  }

  // Adds the gradients of `count` neighbouring maxima that were found at `place`.
  void add_where(int32_t place, int64_t from, int64_t count, float* __restrict out) const {
    const T* __restrict gradient = dpooled_ + from;
    const uint8_t* __restrict places = places_ + from;
    for (int64_t i = 0; i < count; ++i) {
      const float value = load(gradient[i]);
      out[i] += static_cast<int32_t>(places[i]) == place ? value : 0.F;
    }
  }

  void add_kept_channels() {
    float* __restrict out = row_.data();
    const float* __restrict in = maxima_.data();
    for (int64_t w = 0; w < g_.width; ++w, out += g_.channels, in += g_.kept)
      for_strided(g_.kept, g_.stride.channels, [&](int64_t i, int64_t c) { out[c] += in[i]; });
  }

  const PoolGeometry& g_;
  const T* dpooled_;
  const uint8_t* places_;
  const T* dtap_;
  Cover spread_ = {-1, -1};
  std::vector<float> shares_, row_, maxima_;
};

}  // namespace plateforge::ops
