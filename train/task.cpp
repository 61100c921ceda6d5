#include "train/task.h"

#include "train/runtime.h"

namespace plateforge {

Task::Task(Model model, torch::Device device) : model_(std::move(model)) {
  move_to(*model_.network, device);
}

void Task::save(const std::filesystem::path& file,
                const std::map<std::string, std::string>& provenance) const {
  Model out = model_;
  for (const auto& [key, value] : provenance) out.provenance[key] = value;
  save_model(out, file);
}

}  // namespace plateforge
