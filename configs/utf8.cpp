#include "configs/utf8.h"

#include "configs/error.h"

namespace plateforge {

namespace {

// Bytes of the sequence that starts with `lead`; 0 for a byte that starts none.
size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

// The ranges of the second byte that exclude overlong forms, surrogates and values over U+10FFFF.
bool second_byte_allowed(unsigned char lead, unsigned char second) {
  switch (lead) {
    case 0xE0:
      return second >= 0xA0;
    case 0xED:
      return second < 0xA0;
    case 0xF0:
      return second >= 0x90;
    case 0xF4:
      return second < 0x90;
    default:
      return true;
  }
}

}  // namespace

std::vector<std::string> split_utf8(std::string_view text) {
  std::vector<std::string> characters;
  for (size_t at = 0; at < text.size();) {
    const auto byte = [&](size_t offset) { return static_cast<unsigned char>(text[at + offset]); };
    const size_t length = sequence_length(byte(0));
    bool well_formed = length > 0 && at + length <= text.size();
    for (size_t i = 1; well_formed && i < length; ++i) well_formed = (byte(i) & 0xC0) == 0x80;
    if (well_formed && length > 1) well_formed = second_byte_allowed(byte(0), byte(1));
    require(well_formed, "the text is not valid UTF-8 at byte ", at, " (after '",
            text.substr(0, at), "')");
    characters.emplace_back(text.substr(at, length));
    at += length;
  }
  return characters;
}

}  // namespace plateforge
