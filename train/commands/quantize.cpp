#include <iostream>

#include "compress/quantize.h"
#include "configs/error.h"
#include "models/graph/trace.h"
#include "models/graph_network.h"
#include "train/calibration_plates.h"
#include "train/commands/commands.h"

namespace po = boost::program_options;

namespace plateforge {

int quantize_command(const Args& args) {
  std::string model_file, calibrate, out, json, profile = "int8-u8", observer = "mean-min-max";
  int64_t samples = 300;
  CropOptions crop;
  QuantizeOptions quantizing;
  RuntimeConfig runtime{.device = "cpu"};
  po::options_description options("options");
  options.add_options()("model", po::value(&model_file)->required(), "model file (.safetensors)")(
      "calibrate", po::value(&calibrate)->required(), "SPEC of plates to see activations on")(
      "samples", po::value(&samples)->default_value(samples), "how many of them are drawn")(
      "out", po::value(&out)->required(), "model file to write (.safetensors)")(
      "profile", po::value(&profile)->default_value(profile),
      "int8-u8 (ONNX Runtime, OpenVINO), int8-s8 (TensorRT), int8-dynamic, int8-weights")(
      "observer", po::value(&observer)->default_value(observer),
      "how ranges follow from what was seen")(
      "crop", po::value(&crop.crop)->default_value(crop.crop), "rectify, extents or box")(
      "threads", po::value(&runtime.threads)->default_value(runtime.threads),
      "LibTorch threads; 0 = all cores")("json", po::value(&json),
                                         "write the report here; - is standard output");
  po::variables_map values;
  if (!parse_options(args, "plateforge quantize --model M --calibrate SPEC --out Q", options,
                     values))
    return 0;
  require(samples > 0, "--samples ", samples, " must be at least 1");
  quantizing.profile = find_quant_profile(profile);
  quantizing.observer = find_observer(observer);

  set_up_runtime(runtime);
  auto model = load_model(model_file);
  const auto plates =
      draw_plates(open_mix(calibrate, model.region, crop, /*seed=*/0), samples, /*seed=*/0);
  auto graph = trace(*model.network, {-1, 3, model.config.height, model.config.width});
  const PostTrainingQuantizer quantizer(std::move(graph), network_inputs(plates, model),
                                        quantizing);
  model.network = std::make_shared<GraphNetwork>(quantizer.build({}));
  save_model(model, out);
  return 0;
}

}  // namespace plateforge
