#include <torch/utils.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

#include "configs/error.h"
#include "models/model_file.h"

namespace plateforge {
namespace {

// For each class of the target, the source's class of the same symbol; blank to blank; -1 = none.
std::vector<int64_t> match_classes(const Region& target, const Region& source) {
  std::map<std::string, int64_t> known;
  for (size_t i = 0; i < source.alphabet().size(); ++i)
    known[source.alphabet()[i]] = static_cast<int64_t>(i);
  std::vector<int64_t> classes;
  for (const auto& symbol : target.alphabet()) {
    const auto found = known.find(symbol);
    classes.push_back(found == known.end() ? -1 : found->second);
  }
  classes.push_back(source.blank());
  return classes;
}

// Which dimensions of each tensor count classes: those that grow with one class more. Some count
// other channels before the classes (the input of the head).
class ClassDimensions {
 public:
  explicit ClassDimensions(const Model& model)
      : classes_(model.region.num_classes()),
        larger_(state_dict(*make_network(model.config, classes_ + 1))) {}

  // Channels before the classes; nullopt when the dimension does not count classes.
  std::optional<int64_t> channels_before(const std::string& name, const torch::Tensor& tensor,
                                         int64_t dim) const {
    const auto size = tensor.size(dim);
    if (larger_.at(name).size(dim) == size) return std::nullopt;
    return size - classes_;
  }

 private:
  int64_t classes_;
  TensorDict larger_;
};

// The indices along a dimension to read from the source, and where they go.
struct Moves {
  std::vector<int64_t> from, to;
};

Moves move_classes(int64_t channels, const std::vector<int64_t>& classes) {
  Moves moves;
  for (int64_t i = 0; i < channels; ++i) {
    moves.from.push_back(i);
    moves.to.push_back(i);
  }
  for (size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] < 0) continue;
    moves.from.push_back(channels + classes[i]);
    moves.to.push_back(channels + static_cast<int64_t>(i));
  }
  return moves;
}

// Copies the shared part of `given` into `own`; false when the shapes do not allow it.
bool move_tensor(const std::string& name, torch::Tensor own, const torch::Tensor& given,
                 const ClassDimensions& dimensions, const std::vector<int64_t>& classes,
                 int64_t source_classes) {
  if (own.dim() != given.dim()) return false;
  auto moved = given;
  std::vector<at::indexing::TensorIndex> where;
  std::vector<torch::Tensor> targets;
  for (int64_t dim = 0; dim < own.dim(); ++dim) {
    const auto channels = dimensions.channels_before(name, own, dim);
    const auto expected = channels ? *channels + source_classes : own.size(dim);
    if (given.size(dim) != expected) return false;
    auto moves = channels ? move_classes(*channels, classes) : move_classes(own.size(dim), {});
    moved = moved.index_select(dim, torch::tensor(moves.from));
    // Index tensors shaped to broadcast over each other: [n, 1, 1], [m, 1], ...
    std::vector<int64_t> shape(static_cast<size_t>(own.dim() - dim), 1);
    shape[0] = -1;
    where.emplace_back(torch::tensor(moves.to).reshape(shape));
  }
  if (where.empty())
    own.copy_(given);
  else
    own.index_put_(where, moved.to(own.options()));
  return true;
}

// Few names as they are; many by the part of the network that they belong to.
void list(std::ostream& out, const char* label, const std::vector<std::string>& names) {
  constexpr size_t kFew = 12;
  out << "\n  " << label << " " << names.size();
  if (names.size() <= kFew) {
    for (const auto& name : names) out << (&name == names.data() ? ": " : ", ") << name;
    return;
  }
  std::map<std::string, int64_t> parts;
  for (const auto& name : names) ++parts[name.substr(0, name.find('.'))];
  const char* separator = ": ";
  for (const auto& [part, count] : parts) {
    out << separator << part << ".* " << count;
    separator = ", ";
  }
}

// A file with the names of the network's backbone alone, as its publishers save it.
const std::string kBackbone = "backbone.";
bool is_backbone(const TensorDict& own, const TensorDict& tensors) {
  const auto any_named = [&](const std::string& prefix) {
    return std::any_of(tensors.begin(), tensors.end(),
                       [&](const auto& item) { return own.contains(prefix + item.first); });
  };
  return !any_named("") && any_named(kBackbone);
}

// Published backbones see red, green, blue; ours blue, green, red. The convolution that reads the
// picture is turned round.
bool reads_colours(const torch::Tensor& weight) { return weight.dim() == 4 && weight.size(1) == 3; }

// All of the backbone or nothing.
std::string take_backbone(const TensorDict& own, const TensorDict& tensors) {
  std::vector<std::pair<torch::Tensor, torch::Tensor>> pairs;
  std::vector<std::string> taken, skipped;
  for (const auto& [name, tensor] : own) {
    if (!name.starts_with(kBackbone)) continue;
    const auto given = tensors.find(name.substr(kBackbone.size()));
    require(given != tensors.end(), "the weights lack '", name.substr(kBackbone.size()),
            "', which the network's backbone has");
    require(given->second.sizes() == tensor.sizes(), "'", given->first, "' is ",
            given->second.sizes(), " in the weights, ", tensor.sizes(),
            " in the network's backbone: another backbone's weights");
    pairs.emplace_back(tensor, given->second);
    taken.push_back(given->first);
  }
  for (auto& [target, source] : pairs)
    target.copy_(reads_colours(source) ? source.flip(1) : source);
  for (const auto& [name, tensor] : tensors)
    if (!own.contains(kBackbone + name)) skipped.push_back(name);
  std::ostringstream report;
  report << "weights of a backbone, turned from RGB to BGR";
  list(report, "taken", taken);
  list(report, "skipped", skipped);
  return report.str();
}

}  // namespace

std::string take_weights(Model& model, const TensorDict& tensors, const Region* source_region) {
  const torch::NoGradGuard no_grad;
  const auto own = state_dict(*model.network);
  if (is_backbone(own, tensors)) return take_backbone(own, tensors);
  const auto& source = source_region != nullptr ? *source_region : model.region;
  const auto classes = match_classes(model.region, source);
  const ClassDimensions dimensions(model);
  std::vector<std::string> taken, fresh, reshaped, skipped;
  for (const auto& [name, tensor] : own) {
    const auto found = tensors.find(name);
    if (found == tensors.end())
      fresh.push_back(name);
    else if (move_tensor(name, tensor, found->second.to(tensor.device()), dimensions, classes,
                         source.num_classes()))
      taken.push_back(name);
    else
      reshaped.push_back(name);
  }
  for (const auto& [name, tensor] : tensors)
    if (!own.contains(name)) skipped.push_back(name);

  int64_t shared = 0;
  for (const auto source_class : classes) shared += source_class >= 0 ? 1 : 0;
  std::ostringstream report;
  report << shared << " of " << classes.size() << " classes known to the source";
  list(report, "taken", taken);
  list(report, "fresh", fresh);
  if (!reshaped.empty()) list(report, "fresh, of another shape in the source", reshaped);
  list(report, "skipped", skipped);
  return report.str();
}

}  // namespace plateforge
