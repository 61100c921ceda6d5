// Calls the parsers of a deepstream bundle as nvinfer does, with the bundle's own tensors.
// usage: driver detector WIDTH HEIGHT SCORES BOXES CORNERS | driver reader LOGITS
// Compiled together with the bundle's nvdsinfer_plates.cpp.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

#include "nvdsinfer_custom_impl.h"

extern "C" bool NvDsInferParsePlates(const std::vector<NvDsInferLayerInfo>&,
                                     const NvDsInferNetworkInfo&,
                                     const NvDsInferParseDetectionParams&,
                                     std::vector<NvDsInferObjectDetectionInfo>&);
extern "C" bool NvDsInferParsePlateText(const std::vector<NvDsInferLayerInfo>&,
                                        const NvDsInferNetworkInfo&, float,
                                        std::vector<NvDsInferAttribute>&, std::string&);

namespace {

std::vector<char> bytes_of(const char* file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

NvDsInferLayerInfo layer(const char* name, std::vector<char>& bytes) {
  NvDsInferLayerInfo info{};
  info.layerName = name;
  info.buffer = bytes.data();
  info.inferDims.numElements = static_cast<unsigned int>(bytes.size() / sizeof(float));
  return info;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "";
  if (kind == "reader" && argc == 3) {
    auto logits = bytes_of(argv[2]);
    std::vector<NvDsInferAttribute> attributes;
    std::string text;
    if (!NvDsInferParsePlateText({layer("logits", logits)}, {}, 0.5F, attributes, text)) return 1;
    std::cout << text << " " << attributes.size() << " " << attributes.at(0).attributeLabel << "\n";
    for (auto& attribute : attributes) std::free(attribute.attributeLabel);
    return NvDsInferParsePlateText({}, {}, 0.5F, attributes, text) ? 1 : 0;  // no such output
  }
  if (kind != "detector" || argc != 7) return 2;
  auto scores = bytes_of(argv[4]), boxes = bytes_of(argv[5]), corners = bytes_of(argv[6]);
  const NvDsInferNetworkInfo network{static_cast<unsigned int>(std::atoi(argv[2])),
                                     static_cast<unsigned int>(std::atoi(argv[3])), 3};
  std::vector<NvDsInferObjectDetectionInfo> plates;
  if (!NvDsInferParsePlates(
          {layer("scores", scores), layer("boxes", boxes), layer("corners", corners)}, network, {},
          plates))
    return 1;
  std::cout << plates.size() << " plates\n";
  for (const auto& plate : plates)
    std::cout << plate.detectionConfidence << " " << plate.left << " " << plate.top << " "
              << plate.left + plate.width << " " << plate.top + plate.height << "\n";
  return NvDsInferParsePlates({}, network, {}, plates) ? 1 : 0;
}
