// The part of the DeepStream SDK's header that our parsers use, written after its documentation, so
// that they compile and run where there is no SDK.
#pragma once

#include <string>
#include <vector>

struct NvDsInferDims {
  unsigned int numDims;
  unsigned int d[8];
  unsigned int numElements;
};

struct NvDsInferLayerInfo {
  int dataType;
  NvDsInferDims inferDims;
  int bindingIndex;
  const char* layerName;
  void* buffer;
  int isInput;
};

struct NvDsInferNetworkInfo {
  unsigned int width, height, channels;
};

struct NvDsInferParseDetectionParams {
  unsigned int numClassesConfigured;
  std::vector<float> perClassPreclusterThreshold;
  std::vector<float> perClassPostclusterThreshold;
};

struct NvDsInferObjectDetectionInfo {
  unsigned int classId;
  float left, top, width, height;
  float detectionConfidence;
};

struct NvDsInferAttribute {
  unsigned int attributeIndex, attributeValue;
  float attributeConfidence;
  char* attributeLabel;
};
