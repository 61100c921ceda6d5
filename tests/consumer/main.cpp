#include <configs/region.h>
#include <models/model_file.h>

#include <iostream>

int main() {
  const auto model = plateforge::make_model({}, plateforge::Region::load("cn"), /*seed=*/1);
  model.network->eval();
  std::cout << model.network->forward(torch::zeros({1, 3, 24, 94})).sizes() << "\n";
}
