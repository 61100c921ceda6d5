#include "infer.h"

#include <opencv2/dnn.hpp>

std::vector<cv::Mat> infer(const std::string& file, const cv::Mat& images,
                           const std::vector<std::string>& names) {
  auto network = cv::dnn::readNetFromONNX(file);
  network.setInput(images);
  std::vector<cv::Mat> outputs;
  network.forward(outputs, names);
  return outputs;
}
