#include "data/scenes/lettering.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "configs/utf8.h"

namespace plateforge::scenes {
namespace {

constexpr const char* kLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:-/!?&%+@";
constexpr const char* kIdeographs =
    "中国人民大路北京上海停车场出口入超市饭店银行学校医院公安交通安全请勿吸烟小心地滑汽修洗电话欢迎"
    "光"
    "临手机水果烟酒药房快递物流有限公司";
const std::vector<std::string> kFonts = {"DejaVuSans.ttf",
                                         "DejaVuSerif-Bold.ttf",
                                         "LiberationSans-Bold.ttf",
                                         "LiberationSerif-Regular.ttf",
                                         "LiberationSansNarrow-Bold.ttf",
                                         "Roboto-Condensed-Bold.ttf",
                                         "Roboto-Black.ttf",
                                         "DejaVuSans-BoldOblique.ttf",
                                         "LiberationMono-Bold.ttf",
                                         "wqy-zenhei.ttc"};
constexpr std::array kWords = {
    "TAXI",    "POLICE",        "STOP",    "EXIT",    "SALE",    "OPEN",       "BUS",
    "PARKING", "SCHOOL",        "HOTEL",   "BANK",    "CAFE",    "TURBO",      "DIESEL",
    "HYBRID",  "4WD",           "SPORT",   "AUTO",    "GARAGE",  "CENTRE",     "SERVICE",
    "EXPRESS", "TRANSPORT",     "WELCOME", "ENTRY",   "DANGER",  "NO PARKING", "LPG",
    "GLX",     "2.0i",          "ABS",     "AIRBAG",  "www.",    "TOURS",      "FRESH",
    "24h",     "Baby on board", "quattro", "Comfort", "premium", "rent a car", "motors",
    "Club",    "Tyres & Oil"};

std::string pick_word(Rng& rng) {
  return kWords[static_cast<size_t>(rng.below(static_cast<int64_t>(kWords.size())))];
}

// Consonants and vowels in turn.
std::string invented_word(Rng& rng) {
  static const std::string consonants = "bcdfghklmnprstvwz", vowels = "aeiou";
  std::string word;
  const int64_t length = 3 + rng.below(8);
  for (int64_t i = 0; i < length; ++i) {
    const std::string& from = i % 2 == 0 ? consonants : vowels;
    word += from[static_cast<size_t>(rng.below(static_cast<int64_t>(from.size())))];
  }
  if (rng.chance(0.7)) word[0] = static_cast<char>(std::toupper(word[0]));
  return word;
}

std::string digits(int64_t count, Rng& rng) {
  std::string text;
  for (int64_t i = 0; i < count; ++i) text += static_cast<char>('0' + rng.below(10));
  return text;
}

std::string telephone(Rng& rng) {
  std::string text(rng.chance(0.3) ? 1 : 0, '+');
  const int64_t groups = 3 + rng.below(2);
  for (int64_t group = 0; group < groups; ++group) {
    if (group > 0) text += rng.chance(0.5) ? ' ' : '-';
    text += digits(3 + rng.below(2), rng);
  }
  return text;
}

// 7 becomes 07.
void append_two(int64_t value, std::string& text) {
  if (value < 10) text += '0';
  text += std::to_string(value);
}

std::string price(Rng& rng) {
  std::string text = digits(1 + rng.below(2), rng);
  text += rng.chance(0.5) ? '.' : '%';
  if (text.back() == '.') text += digits(2, rng);
  return text;
}

std::string ideographs(Rng& rng) {
  static const auto known = split_utf8(kIdeographs);
  std::string text;
  for (int64_t i = 0, n = 2 + rng.below(5); i < n; ++i) {
    text += known[static_cast<size_t>(rng.below(static_cast<int64_t>(known.size())))];
  }
  return text;
}

bool hangs(const std::string& symbol) {
  return symbol.size() == 1 && std::string("gjpqy,").find(symbol) != std::string::npos;
}

// Height of the ink and where its top is, both in capital heights.
struct Line {
  double height, top;
};
Line stand(const std::string& symbol, const cv::Mat& ink) {
  constexpr double kCapital = 0.98 * GlyphBook::kHeight;
  if (symbol.size() > 1) return {1, 0};
  const double height = ink.rows / kCapital;
  if (symbol == "-" || symbol == "+" || symbol == ":") return {height, 0.6 - height / 2};
  return {height, hangs(symbol) ? 1.22 - height : 1 - height};
}

}  // namespace

Lettering::Lettering() : book_(kFonts, split_utf8(std::string(kLetters) + kIdeographs)) {}

std::string Lettering::phrase(Rng& rng) const {
  switch (rng.below(8)) {
    case 0:
    case 1:
      return pick_word(rng);
    case 2:
    case 3:
      return invented_word(rng);
    case 4:
      return telephone(rng);
    case 5:
      return price(rng);
    case 6:
      return invented_word(rng) + " " + invented_word(rng);
    default:
      return book_.faces() > 0 ? ideographs(rng) : pick_word(rng);
  }
}

std::string Lettering::timestamp(Rng& rng) {
  const char separator = rng.chance(0.5) ? '-' : '/';
  std::string text = "20";
  append_two(rng.below(40), text);
  text += separator;
  append_two(1 + rng.below(12), text);
  text += separator;
  append_two(1 + rng.below(31), text);
  text += ' ';
  append_two(rng.below(24), text);
  for (int i = 0; i < 2; ++i) {
    text += ':';
    append_two(rng.below(60), text);
  }
  if (!rng.chance(0.4)) return text;
  text += "  CAM ";
  return text += std::to_string(1 + rng.below(16));
}

void Lettering::write(const std::string& text, const cv::Rect2d& box, cv::Mat& ink,
                      Rng& rng) const {
  if (book_.faces() == 0) {
    const double size = box.height / 22;
    cv::putText(ink, text, {cvRound(box.x), cvRound(box.y + box.height)}, cv::FONT_HERSHEY_DUPLEX,
                size, cv::Scalar(255), std::max(cvRound(1.5 * size), 1), cv::LINE_AA);
    return;
  }
  const auto symbols = split_utf8(text);
  const auto preferred = static_cast<size_t>(rng.below(static_cast<int64_t>(book_.faces())));
  const double gap = rng.uniform(0.08, 0.2), space = 0.45;
  std::vector<double> widths;
  double total = -gap;
  for (const auto& symbol : symbols) {
    const cv::Mat& glyph = book_.glyph(symbol, book_.face_for(symbol, preferred));
    const double width = symbol.size() > 1 ? 1.0 : glyph.cols / (0.98 * GlyphBook::kHeight);
    widths.push_back(glyph.empty() ? space : width);
    total += widths.back() + gap;
  }
  const double height = box.height, narrow = std::min(1.0, box.width / (total * height));
  double x = box.x + (box.width - total * height * narrow) / 2;
  for (size_t i = 0; i < symbols.size(); ++i) {
    const cv::Mat& glyph = book_.glyph(symbols[i], book_.face_for(symbols[i], preferred));
    const double width = widths[i] * height * narrow;
    if (!glyph.empty()) {
      const Line line = stand(symbols[i], glyph);
      paint_ink(glyph, {x, box.y + line.top * height, width, line.height * height}, ink);
    }
    x += width + gap * height * narrow;
  }
}

}  // namespace plateforge::scenes
