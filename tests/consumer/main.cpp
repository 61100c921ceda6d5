// Finds and reads the plates of pictures: consumer DETECTOR READER PICTURE...
#include <train/predict/pipeline.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: consumer DETECTOR READER PICTURE...\n";
    return 2;
  }
  auto models = plateforge::load_plate_models(argv[1], argv[2]);
  std::vector<plateforge::Picture> pictures;
  for (int i = 3; i < argc; ++i) pictures.push_back({.source = argv[i]});

  for (const auto& [picture, plates] : plateforge::predict(pictures, models.front())) {
    if (!picture.problem.empty()) std::cerr << picture.problem << "\n";
    for (const auto& plate : plates) {
      const auto& best = plate.texts.front();
      std::cout << picture.source << "  " << best.text << "  " << best.confidence << "  at "
                << plate.box << "\n";
    }
  }
}
