// Reads a rectified plate: sample BUNDLE [PICTURE]. BUNDLE is the folder with reader.json.
#include <fstream>
#include <iostream>
#include <opencv2/dnn.hpp>
#include <opencv2/imgcodecs.hpp>

#include "infer.h"
#include "plate_text.h"

int main(int argc, char** argv) try {
  const std::string bundle = argc > 1 ? argv[1] : "..";
  const auto picture = cv::imread(argc > 2 ? argv[2] : bundle + "/sample.png");
  const cv::FileStorage reader(bundle + "/reader.json", cv::FileStorage::READ);
  if (picture.empty() || !reader.isOpened()) {
    std::cerr << "usage: sample BUNDLE [PICTURE]\n";
    return 2;
  }
  std::vector<std::string> labels;
  std::ifstream lines(bundle + "/labels.txt");
  for (std::string line; std::getline(lines, line);) labels.push_back(line);

  // A file of a fixed batch gets the same plate several times.
  const auto shape = reader["input"]["shape"];
  const int batch = std::max(static_cast<int>(shape[0]), 1);
  const cv::Size size(static_cast<int>(shape[3]), static_cast<int>(shape[2]));
  const auto images = cv::dnn::blobFromImages(std::vector<cv::Mat>(batch, picture), 1.0 / 128, size,
                                              cv::Scalar::all(127.5));
  const auto file = bundle + "/../" + static_cast<std::string>(reader["file"]);
  const auto logits = infer(file, images, {"logits"}).at(0);

  const auto decoder = static_cast<std::string>(reader["decoder"]);
  const auto plate = plate_text(logits.ptr<float>(), logits.size[1], logits.size[2], labels,
                                decoder == "slots_greedy");
  std::cout << plate.text << " " << plate.confidence << "\n";
} catch (const std::exception& problem) {
  std::cerr << problem.what() << "\n";
  return 1;
}
