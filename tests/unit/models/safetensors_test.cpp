#include "models/safetensors.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cstring>

#include "configs/error.h"

namespace plateforge {
namespace {

std::string container(std::string header, const std::string& data) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

std::string problem(const std::string& bytes) {
  try {
    parse_safetensors(bytes, "weights");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string sample() {
  return serialize_safetensors({{"a", torch::arange(6, torch::kFloat).reshape({2, 3})},
                                {"b", torch::ones({1}, torch::kLong)}},
                               {{"key", "value"}});
}

TEST(Safetensors, EveryTypeComesBack) {
  TensorDict tensors;
  for (const auto type : {at::kBool, at::kByte, at::kChar, at::kShort, at::kInt, at::kLong,
                          at::kHalf, at::kBFloat16, at::kFloat, at::kDouble})
    tensors[c10::toString(type)] = torch::arange(6).reshape({2, 3}).to(type);
  tensors["scalar"] = torch::tensor(2.5F);
  tensors["empty"] = torch::empty({0, 4});
  tensors["transposed"] = torch::arange(6).reshape({2, 3}).t();
  const auto file = parse_safetensors(serialize_safetensors(tensors, {{"k", "v"}}), "weights");
  ASSERT_EQ(file.tensors.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(file.tensors.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(file.tensors.at(name).equal(tensor)) << name;
  }
  EXPECT_EQ(file.metadata.at("k"), "v");
}

TEST(Safetensors, SaysWhatIsWrong) {
  const std::string four(4, '\0'), eight(8, '\0');
  EXPECT_NE(problem("abc").find("too short"), std::string::npos);
  EXPECT_NE(problem(std::string(8, '\x7f')).find("at most"), std::string::npos);
  EXPECT_NE(problem(container("{}", "").substr(0, 9)).find("cut off"), std::string::npos);
  EXPECT_NE(problem(container("{nonsense", "")).find("not valid JSON"), std::string::npos);
  EXPECT_NE(problem(container(std::string(1 << 20, '['), "")).find("not valid"), std::string::npos);
  const auto entry = [](const char* dtype, const char* shape, const char* offsets) {
    return c10::str(R"({"dtype":")", dtype, R"(","shape":)", shape, R"(,"data_offsets":)", offsets,
                    "}");
  };
  const auto one = [&](const char* dtype, const char* shape, const char* offsets) {
    return problem(container(R"({"a":)" + entry(dtype, shape, offsets) + "}", four));
  };
  EXPECT_EQ(one("F32", "[1]", "[0,4]"), "");
  EXPECT_NE(one("F7", "[1]", "[0,4]").find("dtype F7"), std::string::npos);
  EXPECT_NE(one("F32", "[2]", "[0,4]").find("do not fit its shape"), std::string::npos);
  EXPECT_NE(one("F32", "[2]", "[0,8]").find("outside the file"), std::string::npos);
  EXPECT_NE(one("F32", "[-1]", "[0,4]").find("whole number"), std::string::npos);
  EXPECT_NE(one("F32", "[4294967296,4294967296]", "[0,4]").find("impossible"), std::string::npos);
  EXPECT_NE(one("F32", "[]", "[4,0]").find("outside"), std::string::npos);
  EXPECT_NE(problem(container(R"({"a":)" + entry("F32", "[1]", "[4,8]") + "}", eight)).find("gap"),
            std::string::npos);
  EXPECT_NE(problem(container(R"({"a":)" + entry("F32", "[1]", "[0,4]") + "}", eight)).find("none"),
            std::string::npos);
  EXPECT_NE(problem(container(R"({"a":)" + entry("F32", "[1]", "[0,4]") + R"(,"b":)" +
                                  entry("F32", "[1]", "[0,4]") + "}",
                              four))
                .find("overlaps"),
            std::string::npos);
}

// Whatever happens to the bytes, the answer is a file or one Error.
TEST(Safetensors, DamagedFilesNeverCrash) {
  const auto whole = sample();
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_THROW(parse_safetensors(whole.substr(0, length), "weights"), Error);
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      auto damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      try {
        parse_safetensors(damaged, "weights");
      } catch (const Error&) {
      }
    }
  }
}

}  // namespace
}  // namespace plateforge
