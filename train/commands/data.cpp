#include <iostream>
#include <opencv2/imgcodecs.hpp>

#include "configs/error.h"
#include "configs/yaml.h"
#include "data/concat.h"
#include "data/convert.h"
#include "data/loader.h"
#include "data/pack.h"
#include "data/preview.h"
#include "data/stats.h"
#include "data/verify.h"
#include "train/commands/commands.h"
#include "train/commands/data_frames.h"
#include "train/commands/stopwatch.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

// Options that every data subcommand shares.
struct Source {
  std::string spec, region = "cn";
  CropOptions crop;
  int64_t seed = 1, threads = 0;
  bool frames = false;

  void add_to(po::options_description& options) {
    options.add_options()("data", po::value(&spec)->required(),
                          "SPEC: crops:DIR, csv:FILE, ccpd:DIR?subset=S, pack:FILE, synth:REGION?"
                          "count=N, recombine:DIR, joined by +")(
        "region", po::value(&region)->default_value(region), "region pack: name or .yaml file")(
        "crop", po::value(&crop.crop)->default_value(crop.crop), "rectify, extents or box")(
        "margin", po::value(&crop.margin)->default_value(crop.margin),
        "widen the crop by this share of its size")("seed", po::value(&seed)->default_value(seed),
                                                    "of everything random")(
        "threads", po::value(&threads)->default_value(threads), "0 = all cores");
  }

  // For the commands that look at frames too.
  void add_frames_to(po::options_description& options) {
    options.add_options()("frames", po::bool_switch(&frames),
                          "whole frames of ccpd:DIR, for a detector; coco:FILE, voc:DIR and "
                          "yolo:DIR always are frames");
  }
  bool is_frames() const { return frames || is_frame_spec(spec); }
  FrameData frame_data() const {
    return {spec, load_region(), static_cast<uint64_t>(seed), threads};
  }

  Region load_region() const { return Region::load(region); }
  Mix open(const Region& pack, std::vector<Violation>* violations = nullptr) const {
    return open_mix(spec, pack, crop, static_cast<uint64_t>(seed), violations);
  }
};

Verified verify_plate_data(const Source& source, const std::string& against,
                           const VerifyOptions& verify) {
  const auto region = source.load_region();
  Verified result;
  const auto append = [&](const std::vector<Violation>& found) {
    result.violations.insert(result.violations.end(), found.begin(), found.end());
  };
  Mix mix;
  result.index_seconds = seconds_of([&] { mix = source.open(region, &result.violations); });
  result.samples = mix.size();
  append(verify_plates(mix, region, verify));
  if (!against.empty()) {
    Source train = source;
    train.spec = against;
    std::vector<Violation> ignored;  // the training set is verified by its own call
    append(verify_apart(mix, train.open(region, &ignored), verify));
  }
  return result;
}

}  // namespace

int data_verify(const Args& args) {
  Source source;
  std::string against, json;
  VerifyOptions verify;
  po::options_description options("options");
  source.add_to(options);
  source.add_frames_to(options);
  options.add_options()("against", po::value(&against),
                        "training SPEC: also find its plates and pictures in --data")(
      "time-steps", po::value(&verify.time_steps)->default_value(verify.time_steps),
      "CTC steps of the network; 0 = do not check")("json", po::value(&json),
                                                    "write the result here; - is standard output");
  po::variables_map values;
  const std::string usage =
      "plateforge data verify --data SPEC [--against SPEC]\n\nPrints everything that is wrong with "
      "the plates or frames; exit code 1 when there is anything.";
  if (!parse_options(args, usage, options, values)) return 0;

  verify.threads = source.threads;
  const bool frames = source.is_frames();
  require(!frames || against.empty(), "--against compares plates, not frames");
  Verified found;
  const double seconds = seconds_of([&] {
    found = frames ? verify_frame_data(source.frame_data())
                   : verify_plate_data(source, against, verify);
  });

  nlohmann::json report = {{"samples", found.samples},
                           {"index_seconds", found.index_seconds},
                           {"seconds", seconds},
                           {"violations", nlohmann::json::array()}};
  for (const auto& [kind, name, message] : found.violations) {
    report["violations"].push_back({{"kind", kind}, {"source", name}, {"message", message}});
    if (json != "-") std::cout << kind << ": " << message << '\n';
  }
  if (json != "-") {
    std::cout << found.samples << (frames ? " frames, " : " plates, ") << found.violations.size()
              << " violations\n";
  }
  write_json(json, report);
  return found.violations.empty() ? 0 : 1;
}

int data_stats(const Args& args) {
  Source source;
  std::string json;
  bool no_sizes = false;
  po::options_description options("options");
  source.add_to(options);
  source.add_frames_to(options);
  options.add_options()("no-sizes", po::bool_switch(&no_sizes), "do not open the pictures")(
      "json", po::value(&json), "write the counts here; - is standard output");
  po::variables_map values;
  const std::string usage =
      "plateforge data stats --data SPEC\n\nCounts characters, lengths, layouts and sizes; of "
      "frames, "
      "plates and how they lie.";
  if (!parse_options(args, usage, options, values)) return 0;
  if (source.is_frames()) return stats_frame_data(source.frame_data(), json);
  const auto region = source.load_region();
  const auto stats = data_stats(source.open(region), region, !no_sizes, source.threads);
  if (json != "-") std::cout << stats_table(stats);
  write_json(json, stats);
  return 0;
}

namespace {

cv::Mat preview_plate_data(const Source& source, const std::string& config,
                           PreviewOptions preview) {
  const RunConfig run = config.empty() ? RunConfig{} : read_run_config(config);
  const auto region = source.load_region();
  preview.size = input_size(run.model);
  preview.seed = static_cast<uint64_t>(source.seed);
  return preview_sheet(source.open(region), region, run.augment, preview);
}

}  // namespace

int data_preview(const Args& args) {
  Source source;
  std::string out = "preview.png", config;
  PreviewOptions preview;
  po::options_description options("options");
  source.add_to(options);
  source.add_frames_to(options);
  options.add_options()("config", po::value(&config), "take augmentation and input size from here")(
      "rows", po::value(&preview.rows)->default_value(preview.rows), "plates or frames")(
      "variants", po::value(&preview.variants)->default_value(preview.variants),
      "augmented views of each")("out", po::value(&out)->default_value(out), "picture to write");
  po::variables_map values;
  const std::string usage =
      "plateforge data preview --data SPEC [--config F] [--out FILE.png]\n\nDraws plates before "
      "and "
      "after augmentation with their labels; of frames, their boxes and corners.";
  if (!parse_options(args, usage, options, values)) return 0;
  require(
      preview.rows >= 1 && preview.rows <= 500 && preview.variants >= 0 && preview.variants <= 50,
      "--rows takes 1 to 500 and --variants 0 to 50");
  const auto sheet = source.is_frames() ? preview_frame_data(source.frame_data(), config,
                                                             preview.rows, preview.variants)
                                        : preview_plate_data(source, config, preview);
  bool written = false;
  try {
    written = cv::imwrite(out, sheet);
  } catch (const cv::Exception&) {  // an extension it does not know
  }
  require(written, "cannot write ", out, ": expected a writable path that ends in .png or .jpg");
  std::cout << "wrote " << out << '\n';
  return 0;
}

namespace {

void add_record_options(po::options_description& options, PackOptions& pack) {
  options.add_options()("width", po::value(&pack.record.width)->default_value(pack.record.width),
                        "pixels of a packed picture, surroundings included")(
      "height", po::value(&pack.record.height)->default_value(pack.record.height), "the same")(
      "surroundings", po::value(&pack.margin)->default_value(pack.margin),
      "kept on each side, share of the plate's size");
}

void check_record(const PackOptions& pack) {
  require(pack.record.width >= 8 && pack.record.width <= 4096 && pack.record.height >= 4 &&
              pack.record.height <= 4096 && pack.margin >= 0 && pack.margin <= 2,
          "a packed picture has 8 x 4 to 4096 x 4096 pixels and surroundings of 0 to 2, came ",
          pack.record.width, " x ", pack.record.height, " and ", pack.margin);
}

}  // namespace

int data_cache(const Args& args) {
  Source source;
  std::string folder;
  PackOptions pack;
  po::options_description options("options");
  source.add_to(options);
  add_record_options(options, pack);
  options.add_options()("out", po::value(&folder)->required(), "cache folder (data.cache)");
  po::variables_map values;
  const std::string usage =
      "plateforge data cache --data SPEC --out DIR\n\nPacks the photographs of a SPEC as training "
      "does, unless an up-to-date pack is there.";
  if (!parse_options(args, usage, options, values)) return 0;
  check_record(pack);
  pack.threads = source.threads;
  const auto region = source.load_region();
  for (const auto& part : source.open(region).parts) {
    const auto packed = cached(part.source, pack, folder);
    std::cout << part.name << ": " << packed->size()
              << (packed == part.source ? " plates, not cached\n" : " plates, packed\n");
  }
  return 0;
}

int data_convert(const Args& args) {
  Source source;
  std::string out, to;
  PackOptions pack;
  po::options_description options("options");
  source.add_to(options);
  add_record_options(options, pack);
  options.add_options()("to", po::value(&to)->required(), "crops, csv or pack")(
      "out", po::value(&out)->required(), "new or empty folder, or the .pack file");
  po::variables_map values;
  const std::string usage =
      "plateforge data convert --data SPEC --to crops|csv|pack --out PATH\n\ncrops: the plates "
      "alone, "
      "rectified; csv: pictures with surroundings and a table with corners; pack: one file of "
      "fixed-size pictures.";
  if (!parse_options(args, usage, options, values)) return 0;
  require(to == "crops" || to == "csv" || to == "pack", "--to ", to,
          " is unknown; known: crops csv pack");
  check_record(pack);
  pack.threads = source.threads;
  const auto region = source.load_region();
  const auto mix = source.open(region);
  if (to == "crops") write_crops(mix, out, source.threads);
  if (to == "csv") write_csv(mix, out, source.threads);
  if (to == "pack") write_pack(*concat(mix), out, pack);
  std::cout << "wrote " << mix.size() << " plates to " << out << '\n';
  return 0;
}

int data_synth(const Args& args) {
  std::string region_name = "cn", out;
  int64_t count = 1000, seed = 1, threads = 0;
  po::options_description options("options");
  options.add_options()("region", po::value(&region_name)->default_value(region_name),
                        "region pack: name or .yaml file")(
      "count", po::value(&count)->default_value(count), "plates")(
      "seed", po::value(&seed)->default_value(seed), "of everything random")(
      "threads", po::value(&threads)->default_value(threads), "0 = all cores")(
      "out", po::value(&out)->required(), "new or empty folder");
  po::variables_map values;
  const std::string usage =
      "plateforge data synth --region R --count N --out DIR\n\nWrites rendered plates with exact "
      "labels and corners: images/ and plates.csv, read again as csv:DIR/plates.csv.";
  if (!parse_options(args, usage, options, values)) return 0;
  require(count >= 1 && count <= 10'000'000, "--count takes 1 to 10000000, came ", count);
  const SpecPart part{"synth", region_name, {{"count", std::to_string(count)}}, 1.0};
  const auto region = Region::load(region_name);
  Mix mix;
  mix.parts.push_back({open_source(part, region, {}, static_cast<uint64_t>(seed)), 1.0, "synth"});
  write_csv(mix, out, threads);
  std::cout << "wrote " << mix.size() << " plates to " << out << "/plates.csv\n";
  return 0;
}

}  // namespace plateforge
