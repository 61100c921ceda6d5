#include "data/recombine.h"

#include <algorithm>
#include <cmath>

#include "configs/error.h"
#include "configs/log.h"
#include "data/recombine/bank.h"
#include "data/rng.h"

namespace plateforge {
namespace {

// What may stand in a slot of a layout, with cumulative weights.
struct Choice {
  std::vector<int64_t> symbols;
  std::vector<double> cumulative;

  int64_t draw(Rng& rng) const {
    const double at = rng.uniform() * cumulative.back();
    const auto it = std::upper_bound(cumulative.begin(), cumulative.end() - 1, at);
    return symbols[static_cast<size_t>(it - cumulative.begin())];
  }
};

// Between as photographed and all alike: the root of the count, capped.
double symbol_weight(size_t photographs) {
  constexpr double kCap = 400;
  return std::sqrt(std::min(static_cast<double>(photographs), kCap));
}

Quad upright_box(const Quad& quad) {
  const auto [left, right] = std::minmax({quad[0].x, quad[1].x, quad[2].x, quad[3].x});
  const auto [top, bottom] = std::minmax({quad[0].y, quad[1].y, quad[2].y, quad[3].y});
  return {cv::Point2f{left, top}, {right, top}, {right, bottom}, {left, bottom}};
}

class RecombinedSource final : public PlateSource {
 public:
  RecombinedSource(const std::vector<PlateSourcePtr>& real, const Region& region,
                   const RecombineOptions& options, uint64_t seed)
      : region_(region),
        options_(options),
        seed_(seed),
        bank_(real, region_, options.min_score, options.max_plates, options.rendered > 0) {
    require(!bank_.plates().empty(), "recombine: none of ", bank_.tried(),
            " plates shows its label in a layout of region '", region.name(), "' (best agreement ",
            bank_.best_score(), ", needed ", options.min_score, ")");
    log_info("recombine: " + std::to_string(bank_.plates().size()) + " of " +
             std::to_string(bank_.tried()) + " plates aligned");
    for (const BankPlate& plate : bank_.plates()) {
      for (const auto& character : plate.text.characters) {
        auto& choice = choices_[character.slot];
        if (choice.symbols.empty()) choice = make_choice(*plate.text.layout, *character.slot);
      }
    }
  }

  int64_t size() const override { return options_.count; }
  bool is_real() const override { return false; }

  std::string text(int64_t index) const override { return plan({0, index}).text; }

  Plate read(const SampleKey& key) const override {
    const Plan plan = this->plan(key);
    const BankPlate& base = *plan.base;
    Plate plate;
    plate.text = plan.text;
    plate.image = base.picture.full.clone();
    plate.source = "recombine:" + base.source;
    Rng rng(mix_key(seed_, key.epoch, key.index, 1));
    for (size_t i = 0; i < base.cells.size(); ++i) {
      if (plan.symbols[i] < 0) continue;
      const auto donor = choose(base.text.layout, plan.symbols[i], base.cells[i], rng);
      paste_cell(donor, base.cells[i], base.text.layout->spacing_mm, plate.image);
    }
    plate.quad = frame(base, rng);
    return plate;
  }

 private:
  // What a sample will show, before any pixel is touched.
  struct Plan {
    const BankPlate* base;
    std::vector<int64_t> symbols;  // replacement per character, -1 = stays
    std::string text;
  };

  Choice make_choice(const Layout& layout, const Slot& slot) const {
    Choice choice;
    double sum = 0;
    for (const int64_t symbol : slot.symbols) {
      const size_t photographs = bank_.photographed(&layout, symbol).size();
      double weight = symbol_weight(photographs);
      if (photographs == 0 && !bank_.rendered(&layout, symbol).empty()) weight = options_.rendered;
      if (weight <= 0) continue;
      choice.symbols.push_back(symbol);
      choice.cumulative.push_back(sum += weight);
    }
    return choice;
  }

  Plan plan(const SampleKey& key) const {
    Rng rng(mix_key(seed_, key.epoch, key.index, 0));
    const auto& plates = bank_.plates();
    Plan plan{&plates[static_cast<size_t>(rng.below(static_cast<int64_t>(plates.size())))], {}, {}};
    const auto& characters = plan.base->text.characters;
    // All of them in a third of the plates; else any number, each place alike.
    const double share = rng.chance(1.0 / 3) ? 1.0 : rng.uniform(0.15, 0.9);
    const auto sure = static_cast<size_t>(rng.below(static_cast<int64_t>(characters.size())));
    std::vector<int64_t> shown;
    for (size_t i = 0; i < characters.size(); ++i) {
      const bool replaced = rng.chance(share) || i == sure;
      const Choice& choice = choices_.at(characters[i].slot);
      const bool possible = replaced && !choice.symbols.empty();
      plan.symbols.push_back(possible ? choice.draw(rng) : -1);
      shown.push_back(possible ? plan.symbols.back() : characters[i].symbol);
    }
    plan.text = region_.decode(shown);
    return plan;
  }

  // Of a few random cells of the symbol, the one most like the place it goes to in size and
  // contrast.
  Bank::Donor choose(const Layout* layout, int64_t symbol, const Cell& target, Rng& rng) const {
    const auto& photographed = bank_.photographed(layout, symbol);
    const auto& donors = photographed.empty() ? bank_.rendered(layout, symbol) : photographed;
    constexpr int kCandidates = 4;
    const auto count = static_cast<int64_t>(donors.size());
    Bank::Donor best = donors[static_cast<size_t>(rng.below(count))];
    if (photographed.empty()) return best;
    const auto distance = [&](const Cell& cell) {
      return std::abs(std::log(cell.scale / target.scale)) +
             0.5 * std::abs(std::log(cell.strength / std::max(target.strength, 1.0)));
    };
    for (int i = 1; i < kCandidates; ++i) {
      const Bank::Donor other = donors[static_cast<size_t>(rng.below(count))];
      if (distance(*other.cell) < distance(*best.cell)) best = other;
    }
    return best;
  }

  Quad frame(const BankPlate& base, Rng& rng) const {
    const double sum = options_.original + options_.rectified + options_.upright;
    const double at = rng.uniform() * sum;
    if (at < options_.original) return base.shown;
    return at < options_.original + options_.rectified ? base.plate : upright_box(base.plate);
  }

  Region region_;
  RecombineOptions options_;
  uint64_t seed_;
  Bank bank_;
  std::map<const Slot*, Choice> choices_;
};

}  // namespace

PlateSourcePtr make_recombined(const std::vector<PlateSourcePtr>& real, const Region& region,
                               const RecombineOptions& options, uint64_t seed) {
  return std::make_shared<RecombinedSource>(real, region, options, seed);
}

PlateSourcePtr make_recombine_source(const SpecPart& part, const Region& region,
                                     const CropOptions& crop, uint64_t seed) {
  SpecPart photographs;
  photographs.kind = spec_option(part, "from", "crops");
  photographs.location = part.location;
  require(photographs.kind == "crops" || photographs.kind == "ccpd" || photographs.kind == "csv",
          "recombine:", part.location,
          ": expected from=crops, ccpd or csv, came from=", photographs.kind);
  RecombineOptions options;
  options.count = spec_number(part, "count", options.count);
  const auto own_seed = static_cast<uint64_t>(spec_number(part, "seed", 0));
  return make_recombined({open_source(photographs, region, crop, seed)}, region, options,
                         mix_key(seed, own_seed));
}

}  // namespace plateforge
