#include "models/model_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "configs/error.h"
#include "models/graph/passes.h"
#include "models/graph/trace.h"
#include "models/graph_network.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;

class ModelFile : public testing::Test {
 protected:
  ModelFile()
      : folder_(fs::temp_directory_path() / ("plateforge-models-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~ModelFile() override { fs::remove_all(folder_); }

  std::string problem(const fs::path& path) const {
    try {
      load_model(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  fs::path folder_;
};

Model small_model(const std::string& region, uint64_t seed = 1) {
  return make_model({.width_multiplier = 0.125}, Region::load(region), seed);
}

TEST_F(ModelFile, ComesBackWhole) {
  auto model = small_model("cn");
  model.provenance["command"] = "plateforge train";
  save_model(model, folder_ / "m.safetensors");
  const auto loaded = load_model(folder_ / "m.safetensors");
  EXPECT_EQ(loaded.config.width_multiplier, 0.125);
  EXPECT_EQ(loaded.region.alphabet(), model.region.alphabet());
  EXPECT_EQ(loaded.provenance, model.provenance);
  const auto before = state_dict(*model.network);
  for (const auto& [name, tensor] : state_dict(*loaded.network))
    EXPECT_TRUE(tensor.equal(before.at(name))) << name;
}

TEST_F(ModelFile, GraphNetworksComeBackWhole) {
  auto model = small_model("cn");
  const Shape open{-1, 3, model.config.height, model.config.width};
  auto graph = trace(*model.network, open);
  simplify(graph);
  model.network = std::make_shared<GraphNetwork>(graph);
  save_model(model, folder_ / "g.safetensors");
  const auto loaded = load_model(folder_ / "g.safetensors");
  EXPECT_EQ(dump(trace(*loaded.network, open)), dump(graph));
  EXPECT_EQ(shape_text(trace(*loaded.network, {2, 3, 24, 94}).tensors.front().shape),
            "[2, 3, 24, 94]");
  const auto images = torch::randn({3, 3, 24, 94});
  EXPECT_TRUE(torch::equal(model.network->forward(images), loaded.network->forward(images)));
  std::map<std::string, std::string> metadata;
  auto tensors = read_tensors(folder_ / "g.safetensors", metadata);
  tensors.erase(tensors.begin());
  write_safetensors(folder_ / "cut.safetensors", tensors, metadata);
  EXPECT_NE(problem(folder_ / "cut.safetensors").find("no value for"), std::string::npos);
}

TEST_F(ModelFile, WeightsMayBeStoredIn16Bits) {
  const auto model = small_model("cn");
  save_model(model, folder_ / "m.safetensors");
  std::map<std::string, std::string> metadata;
  auto tensors = read_tensors(folder_ / "m.safetensors", metadata);
  for (const auto type : {torch::kHalf, torch::kBFloat16}) {
    auto halves = tensors;
    for (auto& [name, tensor] : halves)
      if (tensor.is_floating_point()) tensor = tensor.to(type);
    write_safetensors(folder_ / "half.safetensors", halves, metadata);
    for (const auto& [name, tensor] : state_dict(*load_model(folder_ / "half.safetensors").network))
      EXPECT_TRUE(tensor.equal(halves.at(name).to(tensor.scalar_type()))) << name;
  }
}

TEST_F(ModelFile, LoadingIsStrict) {
  const auto model = small_model("cn");
  save_model(model, folder_ / "m.safetensors");
  std::map<std::string, std::string> metadata;
  const auto whole = read_tensors(folder_ / "m.safetensors", metadata);
  const auto path = folder_ / "changed.safetensors";
  const auto problem_with = [&](const TensorDict& tensors) {
    write_safetensors(path, tensors, metadata);
    return problem(path);
  };
  auto tensors = whole;
  tensors.erase("backbone.5.bias");
  EXPECT_NE(problem_with(tensors).find("lacks tensor 'backbone.5.bias'"), std::string::npos);
  tensors = whole;
  tensors["extra"] = torch::zeros({1});
  EXPECT_NE(problem_with(tensors).find("has tensor 'extra'"), std::string::npos);
  tensors = whole;
  tensors["backbone.5.bias"] = torch::zeros({3});
  EXPECT_NE(problem_with(tensors).find("is [3], expected [16]"), std::string::npos);
  tensors = whole;
  tensors["backbone.5.bias"] = tensors["backbone.5.bias"].to(torch::kDouble);
  EXPECT_NE(problem_with(tensors).find("expected Float"), std::string::npos);

  metadata["model_config"] = R"({"name":"lprnet","colour":"red"})";
  EXPECT_NE(problem_with(whole).find("unknown key model_config.colour"), std::string::npos);
  metadata["model_config"] = R"({"dropout":"much"})";
  EXPECT_NE(problem_with(whole).find("wrong type"), std::string::npos);
  metadata["model_config"] = R"({"dropout":7})";
  EXPECT_NE(problem_with(whole).find("outside"), std::string::npos);
  metadata.erase("model_config");
  EXPECT_NE(problem_with(whole).find("not a plateforge model file"), std::string::npos);
}

// A new region keeps the weights of the characters it shares and starts the others fresh.
TEST_F(ModelFile, SharedCharactersKeepTheirWeights) {
  const auto source = small_model("cn", 1);
  auto target = small_model("de", 2);
  const auto fresh = state_dict(*small_model("de", 2).network);
  const auto report = take_weights(target, state_dict(*source.network), &source.region);
  const auto old_head = source.network->named_parameters()["container.0.weight"];
  const auto new_head = target.network->named_parameters()["container.0.weight"];
  const auto old_a = source.region.encode("A")[0], new_a = target.region.encode("A")[0];
  const auto old_7 = source.region.encode("7")[0], new_7 = target.region.encode("7")[0];
  const auto features = old_head.size(1) - source.region.num_classes();
  ASSERT_EQ(features, new_head.size(1) - target.region.num_classes());
  EXPECT_TRUE(old_head[old_a].slice(0, 0, features).equal(new_head[new_a].slice(0, 0, features)));
  EXPECT_TRUE(old_head[old_a][features + old_7].equal(new_head[new_a][features + new_7]));
  EXPECT_TRUE(old_head[source.region.blank()][features + old_a].equal(
      new_head[target.region.blank()][features + new_a]));
  const auto umlaut = target.region.encode("Ä")[0];
  EXPECT_TRUE(new_head[umlaut].equal(fresh.at("container.0.weight")[umlaut]));
  EXPECT_TRUE(target.network->named_parameters()["backbone.0.weight"].equal(
      source.network->named_parameters()["backbone.0.weight"]));
  EXPECT_NE(report.find("fresh 0"), std::string::npos) << report;
}

TEST_F(ModelFile, TakingFromAnotherShapeSaysWhatIsFresh) {
  auto target = small_model("cn");
  auto tensors = state_dict(*small_model("cn", 5).network);
  tensors["backbone.0.weight"] = torch::zeros({1, 2, 3, 4});
  tensors["other"] = torch::zeros({1});
  const auto report = take_weights(target, tensors, nullptr);
  EXPECT_NE(report.find("fresh 0"), std::string::npos) << report;
  EXPECT_NE(report.find("of another shape in the source 1: backbone.0.weight"), std::string::npos)
      << report;
  EXPECT_NE(report.find("skipped 1: other"), std::string::npos) << report;
}

}  // namespace
}  // namespace plateforge
