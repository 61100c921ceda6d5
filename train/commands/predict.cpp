#include "configs/error.h"
#include "configs/log.h"
#include "export/runtimes.h"
#include "train/commands/commands.h"
#include "train/predict/pipeline.h"
#include "train/predict/results.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

struct Request {
  std::string detector, reader;
  std::vector<std::string> inputs;
  EngineOptions engine;
  DetectOptions detect;
  PictureOptions pictures;
  PipelineOptions pipeline;
  int64_t threads = 0;
  ResultOptions results;
};

po::options_description describe(Request& r) {
  r.engine.runtime = fastest_runtime();
  po::options_description options("options");
  options.add_options()("detector", po::value(&r.detector)->required(),
                        "model file (.safetensors) or exported file (.onnx, decoded outputs)")(
      "reader", po::value(&r.reader)->required(), "the same of a reader")(
      "input", po::value(&r.inputs), "pictures, folders, patterns, videos, camera:0")(
      "json", po::value(&r.results.json),
      "JSON Lines, an object per picture, frame and ended video; - is standard output")(
      "csv", po::value(&r.results.csv), "a line per plate; - is standard output")(
      "draw", po::value(&r.results.draw), "folder for pictures with the plates drawn in")(
      "crops", po::value(&r.results.crops), "folder for the rectified plates")(
      "resume", po::bool_switch(&r.results.resume),
      "leave out the pictures and videos that --json FILE holds already")(
      "best", po::value(&r.pipeline.n_best)->default_value(1), "readings of a plate to report")(
      "score", po::value(&r.detect.score)->default_value(r.detect.score),
      "least score of a plate, 0 to 1")("every", po::value(&r.pictures.every)->default_value(1),
                                        "look at one frame in so many")(
      "max-frames", po::value(&r.pictures.max_frames)->default_value(0),
      "of a video or camera; 0 = all")("batch", po::value(&r.pipeline.batch)->default_value(1),
                                       "pictures per forward pass of the detector")(
      "runtime", po::value(&r.engine.runtime)->default_value(r.engine.runtime),
      "what runs .onnx files")("region", po::value(&r.engine.region),
                               "pack of an .onnx reader; default: the shipped one it names")(
      "precision", po::value(&r.engine.precision)->default_value(r.engine.precision),
      "fp32 or bf16, of model files")(
      "threads", po::value(&r.threads)->default_value(0),
      "pictures in work at a time, a thread each; 0 = one per core");
  return options;
}

void check(const Request& r) {
  require(r.pipeline.n_best >= 1, "--best ", r.pipeline.n_best, " must be at least 1");
  require(r.pipeline.batch >= 1, "--batch ", r.pipeline.batch, " must be at least 1");
  require(r.threads >= 0, "--threads ", r.threads, " must not be negative");
  require(r.detect.score > 0 && r.detect.score < 1, "--score ", r.detect.score,
          " must lie between 0 and 1");
  require(r.engine.precision == "fp32" || r.engine.precision == "bf16", "--precision ",
          r.engine.precision, " is unknown; known: fp32 bf16");
  require(r.results.json != "-" || r.results.csv != "-",
          "--json - and --csv - cannot share standard output");
  check_runtime(r.engine.runtime);
}

struct Counts {
  int64_t pictures = 0, plates = 0, problems = 0;
};

std::string summary(const Counts& counts, const PipelineSeconds& seconds) {
  const auto& stages = seconds.work;
  const double work = stages.networks() + stages.around();
  const auto percent = [&](double part) {
    return std::to_string(std::lround(work > 0 ? 100 * part / work : 0)) + " %";
  };
  std::ostringstream text;
  text.precision(3);
  text << counts.pictures << " pictures, " << counts.plates << " plates, "
       << static_cast<double>(counts.pictures) / std::max(seconds.elapsed, 1e-9)
       << " pictures/s; detector " << percent(stages.detect) << ", reader " << percent(stages.read)
       << ", before and behind them " << percent(stages.around())
       << " (opening the pictures comes on top: "
       << 1e3 * stages.load / static_cast<double>(std::max<int64_t>(counts.pictures, 1))
       << " ms each)";
  return text.str();
}

}  // namespace

int predict_command(const Args& args) {
  Request r;
  po::variables_map values;
  po::positional_options_description inputs;
  inputs.add("input", -1);
  if (!parse_options(args, "plateforge predict --detector D --reader R INPUT...", describe(r),
                     values, inputs))
    return 0;
  check(r);
  r.results.text = r.results.json != "-" && r.results.csv != "-";

  auto models = load_plate_models(r.detector, r.reader, r.engine, r.detect,
                                  threads_for_pictures({.device = "cpu", .threads = r.threads}));
  PictureStream pictures(r.inputs, r.pictures);
  ResultWriter writer(r.results, models.front().reader.region());
  pictures.leave_out(writer.done());

  Counts counts;
  std::optional<Tracker> tracker;
  const auto take = [&](Prediction prediction) {
    const auto& picture = prediction.picture;
    if (!picture.problem.empty()) log_warning(picture.problem), ++counts.problems;
    if (picture.ends_video) {
      writer.write_tracks(picture.source, tracker ? tracker->tracks() : std::vector<Track>());
      tracker.reset();
      return;
    }
    if (picture.frame >= 0) {
      if (!tracker) tracker.emplace();
      tracker->follow(prediction);
    }
    ++counts.pictures, counts.plates += static_cast<int64_t>(prediction.plates.size());
    writer.write(prediction);
  };
  const auto seconds = run_pipeline([&] { return pictures.next(); }, models, take, r.pipeline);
  log_info(summary(counts, seconds));
  return counts.problems > 0 ? 1 : 0;
}

}  // namespace plateforge
