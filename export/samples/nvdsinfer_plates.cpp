// What DeepStream's nvinfer calls behind the networks: parsers of the detector's and the reader's
// outputs. The work is done in plate_boxes.h and plate_text.h; without the SDK's header this file
// is empty. Make builds libnvdsinfer_plates.so.
#if __has_include("nvdsinfer_custom_impl.h")
#include "nvdsinfer_custom_impl.h"

#include <cstring>
#include <string>
#include <vector>

#include "plate_boxes.h"
#include "plate_text.h"
#include "plates_config.h"

namespace {

using Layers = std::vector<NvDsInferLayerInfo>;

const NvDsInferLayerInfo* find_layer(const Layers& layers, const char* name) {
  for (const auto& layer : layers)
    if (std::strcmp(layer.layerName, name) == 0) return &layer;
  return nullptr;
}

const float* values(const NvDsInferLayerInfo& layer) {
  return static_cast<const float*>(layer.buffer);
}

}  // namespace

extern "C" bool NvDsInferParsePlates(const Layers& layers, const NvDsInferNetworkInfo& network,
                                     const NvDsInferParseDetectionParams& params,
                                     std::vector<NvDsInferObjectDetectionInfo>& objects) {
  const auto* scores = find_layer(layers, "scores");
  const auto* boxes = find_layer(layers, "boxes");
  const auto* corners = find_layer(layers, "corners");
  if (scores == nullptr || boxes == nullptr || corners == nullptr) return false;
  const float least = params.perClassPreclusterThreshold.empty()
                          ? kLeastScore
                          : params.perClassPreclusterThreshold[0];
  for (const auto& plate :
       plate_boxes(values(*scores), values(*boxes), values(*corners),
                   static_cast<int>(scores->inferDims.numElements), least, kMostOverlap,
                   static_cast<float>(network.width), static_cast<float>(network.height))) {
    NvDsInferObjectDetectionInfo object{};
    object.left = plate.box[0];
    object.top = plate.box[1];
    object.width = plate.box[2] - plate.box[0];
    object.height = plate.box[3] - plate.box[1];
    object.detectionConfidence = plate.score;
    objects.push_back(object);
  }
  return true;
}

extern "C" bool NvDsInferParsePlateText(const Layers& layers, const NvDsInferNetworkInfo&,
                                        float threshold,
                                        std::vector<NvDsInferAttribute>& attributes,
                                        std::string& text) {
  const auto* logits = find_layer(layers, "logits");
  if (logits == nullptr) return false;
  const auto classes = static_cast<int>(kLabels.size());
  const auto steps = static_cast<int>(logits->inferDims.numElements) / classes;
  const auto plate = plate_text(values(*logits), classes, steps, kLabels, kSlots);
  if (plate.text.empty() || plate.confidence < threshold) return true;
  NvDsInferAttribute attribute{};
  attribute.attributeConfidence = plate.confidence;
  attribute.attributeLabel = strdup(plate.text.c_str());  // nvinfer frees it
  attributes.push_back(attribute);
  text = plate.text;
  return true;
}

#endif
