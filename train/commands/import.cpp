#include <iostream>

#include "configs/error.h"
#include "models/model_file.h"
#include "train/commands/commands.h"

namespace po = boost::program_options;

namespace plateforge {

int import_command(const Args& args) {
  std::string file, network, region, out;
  po::options_description options("options");
  options.add_options()("file", po::value(&file)->required(),
                        "weights: .pth (zip or legacy pickle) or .safetensors")(
      "as", po::value(&network)->required(), "network that the weights belong to: lprnet")(
      "region", po::value(&region)->default_value("cn"),
      "region pack whose alphabet, in its order, the weights were trained for")(
      "out", po::value(&out)->required(), "model file to write (.safetensors)");
  po::positional_options_description positional;
  positional.add("file", 1);
  po::variables_map values;
  if (!parse_options(args, "plateforge import FILE --as lprnet --out M", options, values,
                     positional))
    return 0;

  ModelConfig config;
  config.name = network;
  Model model = make_model(config, Region::load(region), /*seed=*/0);
  const auto tensors = read_tensors(file);
  load_state_dict(*model.network, tensors, file);
  model.provenance["imported_from"] = std::filesystem::path(file).filename().string();
  save_model(model, out);

  int64_t nonzero = 0;
  for (const auto& parameter : model.network->parameters())
    nonzero += parameter.count_nonzero().item<int64_t>();
  std::cout << out << ": " << tensors.size() << " tensors, " << count_parameters(*model.network)
            << " parameters (" << nonzero << " not zero), " << model.region.num_classes()
            << " classes of region " << model.region.name() << "\n";
  return 0;
}

}  // namespace plateforge
