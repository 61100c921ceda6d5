#include "configs/utf8.h"

#include <gtest/gtest.h>

#include "configs/error.h"

namespace plateforge {
namespace {

TEST(Utf8, SplitsIntoCodePoints) {
  EXPECT_EQ(split_utf8("京A·Ü😀"), (std::vector<std::string>{"京", "A", "·", "Ü", "😀"}));
  EXPECT_TRUE(split_utf8("").empty());
}

TEST(Utf8, MalformedBytesAreErrors) {
  for (const std::string text : {"a\xff", "\xe4\xba", "\x80", "\xc0\xaf", "\xed\xa0\x80",
                                 "\xf4\x90\x80\x80", "\xe0\x9f\xbf", "\xe4z\x80"}) {
    EXPECT_THROW(split_utf8(text), Error) << testing::PrintToString(text);
  }
}

}  // namespace
}  // namespace plateforge
