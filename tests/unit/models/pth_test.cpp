#include "models/pth.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "models/lprnet.h"
#include "models/model_file.h"
#include "models/zip.h"

namespace plateforge {
namespace {

std::string data(const std::string& name) {
  return read_file(std::string(PLATEFORGE_ROOT) + "/tests/data/" + name);
}

std::string problem(const std::string& bytes) {
  try {
    parse_pth(bytes, "weights");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// The head of a legacy file (magic, protocol, machine), then `object`.
std::string legacy(const std::string& object) {
  const std::string magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
  const std::string protocol = "\x80\x02M\xe9\x03.";
  const std::string machine = std::string("\x80\x02}X\x0d\0\0\0little_endian\x88s.", 24);
  return magic + protocol + machine + "\x80\x02" + object;
}

TEST(Pth, ZipFileHoldsWhatTheScriptSaved) {
  const auto tensors = parse_pth(data("small-zip.pth"), "weights");
  ASSERT_EQ(tensors.size(), 5U);
  const auto weight = torch::arange(6, torch::kFloat).reshape({2, 3});
  EXPECT_TRUE(tensors.at("layer.weight").equal(weight));
  EXPECT_TRUE(tensors.at("layer.transposed").equal(weight.t()));
  EXPECT_TRUE(tensors.at("layer.bias").equal(torch::tensor({0.5F, -1.5F})));
  EXPECT_EQ(tensors.at("layer.half").scalar_type(), torch::kBFloat16);
  EXPECT_EQ(tensors.at("layer.num_batches_tracked").item<int64_t>(), 7);
}

TEST(Pth, PublishedFileHoldsTheNetwork) {
  const auto tensors = parse_pth(data("lprnet-published.pth"), "weights");
  EXPECT_EQ(tensors.size(), 62U);
  int64_t nonzero = 0;
  for (const auto& item : make_network({}, 68)->named_parameters())
    nonzero += tensors.at(item.key()).count_nonzero().item<int64_t>();
  EXPECT_EQ(nonzero, 446975);
}

// Logits of the published weights at batch 1, as the published code computes them.
class PublishedWeights : public testing::TestWithParam<const char*> {
 protected:
  PublishedWeights() : network_(make_network({.context = GetParam()}, 68)) {
    load_state_dict(*network_, parse_pth(data("lprnet-published.pth"), "weights"), "weights");
    network_->eval();
  }
  NetworkPtr network_;
};

void expect_logits(const torch::Tensor& logits, double sum, const std::vector<int64_t>& best,
                   const std::vector<double>& first) {
  const torch::NoGradGuard no_grad;
  EXPECT_NEAR(logits.sum(torch::kDouble).item<double>(), sum, std::abs(sum) * 1e-3);
  EXPECT_TRUE(logits[0].argmax(0).equal(torch::tensor(best))) << logits[0].argmax(0);
  for (size_t i = 0; i < first.size(); ++i)
    EXPECT_NEAR(logits[0][static_cast<int64_t>(i)][0].item<double>(), first[i],
                std::abs(first[i]) * 1e-3);
}

TEST_P(PublishedWeights, GiveThePublishedLogits) {
  const auto index = torch::arange(3 * 24 * 94);
  const auto pattern = ((index * 7919).remainder(256).to(torch::kFloat) - 127.5) * 0.0078125;
  const auto image = pattern.reshape({1, 3, 24, 94});
  const auto logits = network_->forward(image);
  expect_logits(logits, -64278.961,
                {67, 10, 57, 52, 37, 52, 37, 43, 57, 37, 52, 57, 37, 52, 57, 37, 57, 39},
                {72.81563, -243.33508, -261.38379, -235.68674});
  EXPECT_NEAR(logits.min().item<double>(), -381.4427, 0.4);
  EXPECT_NEAR(logits.max().item<double>(), 570.5917, 0.6);

  std::vector<int64_t> best(18, 67);
  best[1] = 51;
  expect_logits(network_->forward(torch::zeros_like(image)), -150318.531, best,
                {-145.92829, -171.07385, -283.98193});
}

// Adding an empty second picture moves the first one's logits only with the published normaliser.
TEST_P(PublishedWeights, DependOnTheBatchAsDocumented) {
  const auto index = torch::arange(3 * 24 * 94);
  const auto image =
      (((index * 7919).remainder(256).to(torch::kFloat) - 127.5) / 128).reshape({1, 3, 24, 94});
  const auto alone = network_->forward(image);
  const auto beside =
      network_->forward(torch::cat({image, torch::zeros_like(image)})).slice(0, 0, 1);
  const auto moved = (alone - beside).abs().max().item<double>();
  if (std::string(GetParam()) == "whole_batch")
    EXPECT_GT(moved, 10.0);
  else
    EXPECT_LT(moved, 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Context, PublishedWeights, testing::Values("per_sample", "whole_batch"));

TEST(Pth, RefusesWhatWouldExecute) {
  EXPECT_NE(problem(legacy("cos\nsystem\nX\x02\0\0\0ls\x85R.")).find("names 'os system'"),
            std::string::npos);
  EXPECT_NE(problem(legacy("cbuiltins\neval\n.")).find("names 'builtins eval'"), std::string::npos);
  EXPECT_NE(problem(legacy("(i__main__\nX\n.")).find("opcode 105"), std::string::npos);
  EXPECT_NE(problem(legacy("ctorch\nFloatStorage\n)R.")).find("unknown way"), std::string::npos);
}

TEST(Pth, SaysWhatIsWrong) {
  EXPECT_NE(problem("\x80\x02K\x01.").find("not a PyTorch weight file"), std::string::npos);
  EXPECT_NE(problem(legacy("X\xff\xff\xff\x7f"
                           "abc"))
                .find("cut off"),
            std::string::npos);
  EXPECT_NE(problem(legacy("Nr\xff\xff\xff\x7f.")).find("memo index"), std::string::npos);
  EXPECT_NE(problem(legacy("h\x05.")).find("never stored"), std::string::npos);
  EXPECT_NE(problem(legacy("t.")).find("lacks a mark"), std::string::npos);
  EXPECT_NE(problem(legacy("R.")).find("empty stack"), std::string::npos);
  EXPECT_NE(problem(legacy("}K\x01K\x02s.\x80\x02].")).find("not a text"), std::string::npos);
  EXPECT_NE(problem(legacy("K\x01.\x80\x02].")).find("no dict"), std::string::npos);
  auto zip = data("small-zip.pth");
  EXPECT_NE(problem(zip.substr(0, zip.size() / 2)).find("cut off"), std::string::npos);
  const auto weights = data("lprnet-published.pth");
  EXPECT_NE(problem(weights.substr(0, weights.size() - 1)).find("cut off"), std::string::npos);
}

// Nesting as deep as the file is long must neither overflow the stack nor hang.
TEST(Pth, DeepNestingIsHarmless) {
  std::string deep = ")";
  deep.append(1000000, '\x85').append(".\x80\x02].");
  EXPECT_NE(problem(legacy(deep)).find("no dict"), std::string::npos);
}

TEST(Pth, DamagedFilesNeverCrash) {
  const auto survives = [](const std::string& bytes) {
    try {
      parse_pth(bytes, "weights");
    } catch (const Error&) {
    }
  };
  const auto zip = data("small-zip.pth");
  const auto published = data("lprnet-published.pth");
  // The storages of the published file are left out: only its pickles are worth damaging.
  const auto legacy_head = published.substr(0, 14000);
  for (const auto& whole : {zip, legacy_head}) {
    const size_t stride = whole.size() / 2500 + 1;
    for (size_t at = 0; at < whole.size(); at += stride) {
      survives(whole.substr(0, at));
      for (const char value : {'\0', '\xff', '.', '(', 'R', 'r'}) {
        auto damaged = whole;
        damaged[at] = value;
        survives(damaged);
      }
    }
  }
  // Damage that the checksum does not hide: the pickle of the zip file by itself.
  const std::string pickle(read_stored_zip(zip, "weights").at("small-zip/data.pkl"));
  for (size_t at = 0; at < pickle.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      auto damaged = pickle;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      survives(legacy(damaged.substr(2)));
    }
}

}  // namespace
}  // namespace plateforge
