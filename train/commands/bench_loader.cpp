#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iomanip>
#include <iostream>

#include "configs/error.h"
#include "data/concat.h"
#include "data/frames/frame_batches.h"
#include "data/frames/open_frames.h"
#include "data/loader.h"
#include "data/pack.h"
#include "train/commands/commands.h"
#include "train/commands/stopwatch.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

struct Spread {
  double min = 0, median = 0, max = 0;
};

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

nlohmann::json to_json(const Spread& spread) {
  return {{"min", spread.min}, {"median", spread.median}, {"max", spread.max}};
}

// Processor seconds of this process, all threads.
double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Rates {
  std::vector<double> per_core, per_second;
};

// Rounds of at least `seconds`; the first batches warm caches up and are not counted.
Rates measure(Loader& loader, int64_t rounds, double seconds) {
  for (int i = 0; i < 4; ++i) loader.next();
  Rates rates;
  for (int64_t round = 0; round < rounds; ++round) {
    const double cpu = cpu_seconds(), wall = wall_seconds();
    int64_t samples = 0;
    while (wall_seconds() - wall < seconds) samples += loader.next()->size();
    rates.per_core.push_back(static_cast<double>(samples) / (cpu_seconds() - cpu));
    rates.per_second.push_back(static_cast<double>(samples) / (wall_seconds() - wall));
  }
  return rates;
}

// The plates of a SPEC packed into a file that is removed with the object.
class TemporaryPack {
 public:
  explicit TemporaryPack(const PlateSource& plates)
      : file_(std::filesystem::temp_directory_path() /
              ("plateforge-bench-" + std::to_string(getpid()) + ".pack")) {
    write_pack(plates, file_, {});
  }
  ~TemporaryPack() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
  }
  TemporaryPack(const TemporaryPack&) = delete;
  TemporaryPack& operator=(const TemporaryPack&) = delete;

  PlateSourcePtr open() const { return open_pack(file_); }

 private:
  std::filesystem::path file_;
};

struct LoaderBench {
  std::string spec, region = "cn";
  std::vector<std::string> ops;
  LoaderOptions loading{.batch_size = 0, .workers = 0};
  bool frames = false;
  int64_t rounds = 9, size = 512;
  double seconds = 0.5;

  void add_to(po::options_description& options) {
    options.add_options()("data", po::value(&spec),
                          "SPEC; default synth:cn?count=512; of plates, anything but pack: is "
                          "packed first")("region", po::value(&region)->default_value(region),
                                          "region pack")(
        "op", po::value(&ops),
        "augmentation applied to every sample; repeat for more; default (corner_jitter) "
        "brightness contrast saturation hue")("frames", po::bool_switch(&frames),
                                              "whole frames to a detector's training views")(
        "size", po::value(&size)->default_value(size), "side of such a view")(
        "workers", po::value(&loading.workers)->default_value(loading.workers),
        "threads beside the caller; 0 = all cores")("batch", po::value(&loading.batch_size),
                                                    "samples; default 128, of frames 16")(
        "rounds", po::value(&rounds)->default_value(rounds), "measurements")(
        "seconds", po::value(&seconds)->default_value(seconds), "of each measurement");
  }

  void complete() {
    if (spec.empty()) spec = "synth:cn?count=512";
    frames = frames || is_frame_spec(spec);
    if (loading.batch_size == 0) loading.batch_size = frames ? 16 : 128;
    require(rounds >= 1 && seconds > 0 && loading.batch_size >= 1 && loading.workers >= 0 &&
                size >= 32 && size <= 4096,
            "--rounds and --batch take 1 or more, --workers 0 or more, --seconds more than 0, "
            "--size 32 to 4096");
    if (ops.empty()) {
      ops = {"brightness", "contrast", "saturation", "hue"};
      if (!frames) ops.insert(ops.begin(), "corner_jitter");
    }
    if (frames) loading.size = {static_cast<int>(size), static_cast<int>(size)};
  }

  AugmentConfig augment() const {
    AugmentConfig config;
    for (const auto& op : ops) config.ops.push_back({op, 1.0, 1.0});
    return config;
  }

  Rates run() const {
    const auto pack_region = Region::load(region);
    if (frames) {
      Loader loader(make_frame_batches(open_frames(spec, pack_region, 1), pack_region, {},
                                       augment(), loading),
                    loading);
      return measure(loader, rounds, seconds);
    }
    auto mix = open_mix(spec, pack_region, {}, 1);
    std::unique_ptr<TemporaryPack> pack;
    if (mix.parts.size() > 1 || !spec.starts_with("pack:")) {
      pack = std::make_unique<TemporaryPack>(*concat(mix));
      mix.parts = {{pack->open(), 1.0, "pack of " + spec}};
    }
    Loader loader(mix, pack_region, augment(), loading);
    return measure(loader, rounds, seconds);
  }
};

}  // namespace

int bench_loader(const Args& args) {
  LoaderBench bench;
  std::string json;
  po::options_description options("options");
  bench.add_to(options);
  options.add_options()("json", po::value(&json), "write the numbers here; - is standard output");
  po::variables_map values;
  const std::string usage =
      "plateforge bench loader [--data SPEC] [--frames]\n\nSamples per second and core: from a "
      "pack "
      "to batches of 94 x 24 with augmentation, or from photographs to a detector's batches.";
  if (!parse_options(args, usage, options, values)) return 0;
  bench.complete();
  const auto rates = bench.run();
  const auto per_core = spread_of(rates.per_core), per_second = spread_of(rates.per_second);

  if (json != "-") {
    std::cout << std::fixed << std::setprecision(0)
              << "samples per second and core: " << per_core.median << " (" << per_core.min
              << " to " << per_core.max << " in " << bench.rounds
              << " rounds)\nsamples per second, " << bench.loading.workers
              << " workers: " << per_second.median << " (" << per_second.min << " to "
              << per_second.max << ")\n";
  }
  write_json(json, {{"samples_per_second_per_core", per_core.median},
                    {"samples_per_second_per_core_spread", to_json(per_core)},
                    {"samples_per_second", to_json(per_second)},
                    {"workers", bench.loading.workers},
                    {"batch", bench.loading.batch_size},
                    {"ops", bench.ops},
                    {"data", bench.spec}});
  return 0;
}

}  // namespace plateforge
