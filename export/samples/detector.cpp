// Finds plates in a picture: sample BUNDLE [PICTURE]. BUNDLE is the folder with detector.json.
#include <iostream>
#include <opencv2/dnn.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "infer.h"
#include "plate_boxes.h"

int main(int argc, char** argv) try {
  const std::string bundle = argc > 1 ? argv[1] : "..";
  const auto picture = cv::imread(argc > 2 ? argv[2] : bundle + "/sample.png");
  const cv::FileStorage detector(bundle + "/detector.json", cv::FileStorage::READ);
  if (picture.empty() || !detector.isOpened()) {
    std::cerr << "usage: sample BUNDLE [PICTURE]\n";
    return 2;
  }
  // The picture keeps its proportions and lies at the left-top of a grey input.
  const auto shape = detector["input"]["shape"];
  const int batch = std::max(static_cast<int>(shape[0]), 1);
  const auto side = [](int value, int otherwise) { return value > 0 ? value : otherwise; };
  const auto preprocessing = detector["preprocessing"];
  const cv::Size size(side(shape[3], preprocessing["width"]),
                      side(shape[2], preprocessing["height"]));
  const double scale = std::min(static_cast<double>(size.width) / picture.cols,
                                static_cast<double>(size.height) / picture.rows);
  cv::Mat input(size, CV_8UC3, cv::Scalar::all(128)), scaled;
  cv::resize(picture, scaled, {}, scale, scale, scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
  const cv::Rect part = cv::Rect({0, 0}, scaled.size()) & cv::Rect({0, 0}, size);
  scaled(part).copyTo(input(part));
  const auto images = cv::dnn::blobFromImages(std::vector<cv::Mat>(batch, input), 1.0 / 128, size,
                                              cv::Scalar::all(127.5));

  const auto file = bundle + "/../" + static_cast<std::string>(detector["file"]);
  const auto outputs = infer(file, images, {"scores", "boxes", "corners"});
  const auto plates =
      plate_boxes(outputs[0].ptr<float>(), outputs[1].ptr<float>(), outputs[2].ptr<float>(),
                  outputs[0].size[1], detector["score_threshold"], detector["nms_iou"],
                  static_cast<float>(size.width), static_cast<float>(size.height));
  std::cout << plates.size() << " plates\n";
  for (const auto& plate : plates) {
    std::cout << plate.score;
    for (const float side_of_box : plate.box) std::cout << " " << side_of_box / scale;
    for (const float corner : plate.corners) std::cout << " " << corner / scale;
    std::cout << "\n";
  }
} catch (const std::exception& problem) {
  std::cerr << problem.what() << "\n";
  return 1;
}
