#include "compress/quantize/accuracy_bound.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "configs/numbers.h"
#include "models/graph/execute.h"

namespace plateforge {
namespace {

using torch::Tensor;

constexpr int64_t kRankingBatch = 20;
constexpr int kFailuresBeforeRanking = 2;

// A network's answers to all pictures of a jury.
struct Answers {
  std::vector<Judgement> judgements;
  std::vector<Tensor> outputs;  // [1, ...] each
};

Answers answers_of(const Forward& forward, const Jury& jury) {
  const torch::NoGradGuard no_grad;
  Answers answers;
  for (const auto& images : jury.batches) {
    const auto outputs = forward(images);
    std::vector<int64_t> pictures(static_cast<size_t>(images.size(0)));
    std::iota(pictures.begin(), pictures.end(), static_cast<int64_t>(answers.outputs.size()));
    const auto judged = jury.judge(outputs, pictures);
    answers.judgements.insert(answers.judgements.end(), judged.begin(), judged.end());
    for (const auto& one : outputs.split(1)) answers.outputs.push_back(one);
  }
  return answers;
}

Answers answers_of(const Graph& graph, const Jury& jury) {
  return answers_of([&](const Tensor& images) { return execute(graph, {images}).front(); }, jury);
}

double distance(const Tensor& exact, const Tensor& other) {
  const auto error = (other - exact).square().sum(torch::kDouble).item<double>();
  return error / std::max(1e-30, exact.square().sum(torch::kDouble).item<double>());
}

Comparison compare(const Answers& exact, const Answers& other) {
  Comparison result{.pictures = static_cast<int64_t>(exact.outputs.size())};
  TORCH_CHECK(result.pictures > 0, "a jury without pictures");
  double squares = 0;
  for (size_t i = 0; i < exact.outputs.size(); ++i) {
    const auto loss = exact.judgements[i].score - other.judgements[i].score;
    result.exact_score += exact.judgements[i].score;
    result.score += other.judgements[i].score;
    result.same += same_answer(exact.judgements[i], other.judgements[i]);
    result.distance += distance(exact.outputs[i], other.outputs[i]);
    squares += loss * loss;
  }
  const auto n = static_cast<double>(result.pictures);
  for (auto* value : {&result.exact_score, &result.score, &result.same, &result.distance}) {
    *value /= n;
  }
  const auto mean = result.drop() * n / (n + 2);  // two more pictures, half lost, half gained
  const auto variance = std::max(0.0, (squares + 1) / (n + 2) - mean * mean) / (n + 2);
  result.drop_low = mean - 1.959964 * std::sqrt(variance);
  result.drop_high = mean + 1.959964 * std::sqrt(variance);
  return result;
}

// More answers like the float network's, or as many and nearer outputs. The score alone moves by
// luck as well: what the float network gets wrong may turn out right.
bool nearer(const Comparison& a, const Comparison& b) {
  if (a.same != b.same) return a.same > b.same;
  return a.distance < b.distance;
}

// Some pictures of a jury, in the order of `chosen`.
Jury subset(const Jury& jury, const std::vector<int64_t>& chosen) {
  const auto all = torch::cat(jury.batches);
  const auto images = all.index_select(0, torch::tensor(chosen, torch::kLong));
  const auto judge = [&jury, chosen](const Tensor& outputs, const std::vector<int64_t>& pictures) {
    std::vector<int64_t> numbers;
    for (const auto picture : pictures) numbers.push_back(chosen[static_cast<size_t>(picture)]);
    return jury.judge(outputs, numbers);
  };
  return {images.split(kRankingBatch), judge};
}

bool computes_in(const LayerChoices& choices, const std::string& layer, LayerPrecision precision) {
  const auto found = choices.precisions.find(layer);
  return found != choices.precisions.end() && found->second == precision;
}

class Search {
 public:
  Search(PostTrainingQuantizer& quantizer, LayerChoices choices, const Jury& jury,
         const BoundOptions& options)
      : quantizer_(quantizer),
        jury_(jury),
        options_(options),
        exact_(answers_of(quantizer.graph(), jury)) {
    result_.graph = quantizer.build(choices);
    result_.choices = std::move(choices);
    answers_ = answers_of(result_.graph, jury);
    result_.first = result_.best = compare(exact_, answers_);
  }

  BoundResult run() {
    auto candidates = rank();
    int failures = 0;
    while (!holds() && !candidates.empty()) {
      const auto layer = candidates.front();
      if (improve(layer)) {
        if (decided(layer, LayerPrecision::real)) candidates.erase(candidates.begin());
        failures = 0;
        continue;
      }
      candidates.erase(candidates.begin());
      hopeless_.insert(layer);
      if (++failures == kFailuresBeforeRanking) candidates = rank(), failures = 0;
    }
    result_.holds = holds();
    return std::move(result_);
  }

 private:
  bool holds() const { return within(result_.best.drop(), options_.max_drop); }
  bool decided(const std::string& layer, LayerPrecision precision) const {
    return computes_in(result_.choices, layer, precision);
  }

  // Layers that are worth a try, the most costly first.
  std::vector<std::string> rank() {
    if (holds()) return {};
    const auto few = subset(jury_, most_changed());
    const auto exact = answers_of(quantizer_.graph(), few);
    const auto now = compare(exact, answers_of(result_.graph, few));
    std::vector<std::pair<std::string, Comparison>> ranked;
    for (const auto& layer : quantizer_.layers()) {
      if (hopeless_.contains(layer) || decided(layer, LayerPrecision::real)) continue;
      auto choices = result_.choices;
      choices.precisions[layer] = LayerPrecision::real;
      const auto without = compare(exact, answers_of(quantizer_.build(choices), few));
      result_.layer_drops[layer] = now.drop() - without.drop();
      ranked.emplace_back(layer, without);
    }
    std::sort(ranked.begin(), ranked.end(),
              [](const auto& a, const auto& b) { return nearer(a.second, b.second); });
    std::vector<std::string> names;
    for (const auto& [layer, comparison] : ranked) names.push_back(layer);
    return names;
  }

  std::vector<int64_t> most_changed() const {
    struct Change {
      double loss = 0, distance = 0;
      int64_t picture = 0;
    };
    std::vector<Change> changes;
    for (size_t i = 0; i < exact_.outputs.size(); ++i) {
      changes.push_back({exact_.judgements[i].score - answers_.judgements[i].score,
                         distance(exact_.outputs[i], answers_.outputs[i]),
                         static_cast<int64_t>(i)});
    }
    std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
      return std::tie(b.loss, b.distance) < std::tie(a.loss, a.distance);
    });
    std::vector<int64_t> pictures;
    for (const auto& change : changes) {
      if (static_cast<int64_t>(pictures.size()) == options_.ranking_pictures) break;
      pictures.push_back(change.picture);
    }
    return pictures;
  }

  // The first remedy that lowers the drop is kept.
  bool improve(const std::string& layer) {
    const auto try_with = [&](const char* decision, const auto& change) {
      auto choices = result_.choices;
      change(choices);
      return keep_if_better(layer, decision, std::move(choices));
    };
    const bool is_int16 = decided(layer, LayerPrecision::int16);
    const bool rounded = result_.choices.adaround.contains(layer);
    return (!is_int16 && !rounded &&
            try_with("adaround", [&](LayerChoices& c) { c.adaround.insert(layer); })) ||
           (!is_int16 &&
            try_with("int16",
                     [&](LayerChoices& c) { c.precisions[layer] = LayerPrecision::int16; })) ||
           try_with("float", [&](LayerChoices& c) {
             c.precisions[layer] = LayerPrecision::real;
             c.adaround.erase(layer);
           });
  }

  bool keep_if_better(const std::string& layer, const char* decision, LayerChoices choices) {
    auto graph = quantizer_.build(choices);
    auto answers = answers_of(graph, jury_);
    const auto comparison = compare(exact_, answers);
    const auto gain = comparison.score - result_.best.score;
    const bool nearer_in_float = computes_in(choices, layer, LayerPrecision::real) && gain == 0 &&
                                 nearer(comparison, result_.best);
    const bool kept = gain > 0 || nearer_in_float;
    result_.steps.push_back({layer, decision, comparison.drop(), kept});
    if (!kept) return false;
    result_.graph = std::move(graph);
    result_.choices = std::move(choices);
    result_.best = comparison;
    answers_ = std::move(answers);
    return true;
  }

  PostTrainingQuantizer& quantizer_;
  const Jury& jury_;
  const BoundOptions& options_;
  Answers exact_, answers_;
  BoundResult result_;
  std::set<std::string> hopeless_;  // nothing helped there
};

}  // namespace

bool same_answer(const Judgement& a, const Judgement& b, double within) {
  return a.answer == b.answer &&
         std::equal(a.places.begin(), a.places.end(), b.places.begin(), b.places.end(),
                    [&](float one, float other) { return std::abs(one - other) <= within; });
}

Comparison compare(const Graph& exact, const Forward& quantized, const Jury& jury) {
  return compare(answers_of(exact, jury), answers_of(quantized, jury));
}

Comparison compare(const Graph& exact, const Graph& quantized, const Jury& jury) {
  return compare(answers_of(exact, jury), answers_of(quantized, jury));
}

QuantizeOptions search_options(const Graph& graph, const std::vector<Tensor>& calibration,
                               const QuantizeOptions& options, const Jury& jury) {
  const auto exact = answers_of(graph, jury);
  auto best = options;
  Comparison best_found{.same = -1};
  for (const auto form : {Equalization::group, Equalization::all, Equalization::none}) {
    for (const auto observer : {Observer::mse, Observer::mean_min_max, Observer::min_max}) {
      for (const auto correction : {BiasCorrection::sequential, BiasCorrection::none}) {
        auto candidate = options;
        candidate.equalization = form, candidate.observer = observer;
        candidate.bias_correction = correction;
        PostTrainingQuantizer quantizer(graph, calibration, candidate);
        const auto found = compare(exact, answers_of(quantizer.build({}), jury));
        if (nearer(found, best_found)) best = candidate, best_found = found;
      }
    }
  }
  return best;
}

BoundResult quantize_within(PostTrainingQuantizer& quantizer, LayerChoices choices,
                            const Jury& jury, const BoundOptions& options) {
  return Search(quantizer, std::move(choices), jury, options).run();
}

}  // namespace plateforge
