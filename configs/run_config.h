#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "configs/detection_loss_config.h"
#include "configs/detector_config.h"
#include "configs/frames_config.h"
#include "configs/maskocr_config.h"
#include "configs/visit.h"

namespace plateforge {

// Where and how the arithmetic runs.
struct RuntimeConfig {
  std::string device = "auto";
  std::string precision = "fp32";
  int64_t threads = 0;

  template <class V>
  void visit(V& v) {
    v("device", device, "auto takes CUDA when there is one", one_of({"auto", "cpu", "cuda"}));
    v("precision", precision, "arithmetic of the training step", one_of({"fp32", "bf16"}));
    v("threads", threads, "LibTorch intra-op threads; 0 = all cores", in_range(0, 1024));
  }
};

// What is read, and how a plate becomes a network input. Data SPECs: see `plateforge data --help`.
struct DataConfig {
  std::string train;
  std::string val;
  double val_fraction = 0.1;
  std::string crop = "rectify";
  double crop_margin = 0.0;
  double recombine = 0.0;
  std::string cache = "";
  int64_t workers = 0;
  int64_t prefetch = 4;
  int64_t batch_size = 128;
  int64_t epoch_samples = 0;

  template <class V>
  void visit(V& v) {
    v("train", train, "training SPEC, joined by + and weighted by @", Anything{});
    v("val", val, "validation SPEC; empty = cut val_fraction from train", Anything{});
    v("val_fraction", val_fraction, "share of real training plates held out when val is empty",
      in_range(0.0, 0.9));
    v("crop", crop, "how a frame becomes a plate: four vertices, their extents, or the BOX field",
      one_of({"rectify", "extents", "box"}));
    v("crop_margin", crop_margin, "widen the crop by this share of its size on each side",
      in_range(0.0, 1.0));
    v("recombine", recombine,
      "share of training samples put together from character cells of the real training plates",
      in_range(0.0, 0.95));
    v("cache", cache, "folder for packed crops; empty = beside the run", Anything{});
    v("workers", workers,
      "loader threads beside the training; 0 = `prefetch` batches at once between the steps",
      in_range(0, 256));
    v("prefetch", prefetch, "batches kept ready", in_range(1, 1024));
    v("batch_size", batch_size, "samples per step", in_range(1, 65536));
    v("epoch_samples", epoch_samples, "samples per epoch; 0 = one pass over the real plates",
      in_range(0, 1e9));
  }
};

// One augmentation op. `strength` multiplies the op's documented ranges.
struct AugmentOpConfig {
  std::string op;
  double probability = 0.5;
  double strength = 1.0;

  template <class V>
  void visit(V& v) {
    v("op", op, "name of the operation", Anything{});
    v("probability", probability, "chance that a sample gets it", in_range(0.0, 1.0));
    v("strength", strength, "multiplies the ranges of this op", in_range(0.0, 10.0));
  }
};

struct AugmentConfig {
  double strength = 1.0;
  std::vector<AugmentOpConfig> ops;

  template <class V>
  void visit(V& v) {
    v("strength", strength, "multiplies every op's ranges; 0 turns augmentation off",
      in_range(0.0, 2.5));
    v("ops", ops, "operations in the order they are applied", Anything{});
  }
};

struct ModelConfig {
  std::string name = "lprnet";
  int64_t width = 94;
  int64_t height = 24;
  double width_multiplier = 1.0;
  double dropout = 0.5;
  std::string head = "t18";
  std::string context = "per_sample";
  bool stn = false;
  std::string init_from = "";
  DetectorConfig detector = {};
  MaskOcrConfig maskocr = {};
  MaeConfig mae = {};

  template <class V>
  void visit(V& v) {
    v("name", name, "network", one_of({"lprnet", "maskocr", "mae", "scrfd"}));
    v("width", width, "input width in pixels", in_range(16, 4096));
    v("height", height, "input height in pixels", in_range(16, 4096));
    v("width_multiplier", width_multiplier, "scales every channel count", in_range(0.125, 4.0));
    v("dropout", dropout, "drop probability of the dropout layers", in_range(0.0, 0.95));
    v("head", head, "t18 = published port (18 steps), t88 = the paper's wide head (88 steps)",
      one_of({"t18", "t88"}));
    v("context", context, "global-context normaliser; whole_batch only for parity with the port",
      one_of({"per_sample", "whole_batch"}));
    v("stn", stn, "spatial transformer in front of the network", Anything{});
    v("init_from", init_from,
      "model file to start from: fitting tensors are taken by name; a quantised one is trained on "
      "as it is",
      Anything{});
    v("detector", detector, "the parts of scrfd", Anything{});
    v("maskocr", maskocr, "the parts of maskocr, whose encoder mae trains", Anything{});
    v("mae", mae, "the parts of mae", Anything{});
  }
};

// The kinds of networks: one that finds plates, one that reads them (any other), or one that only
// teaches a reader's encoder to see.
inline bool is_detector(const ModelConfig& config) { return config.name == "scrfd"; }
inline bool is_autoencoder(const ModelConfig& config) { return config.name == "mae"; }
// Whether a reader's outputs stand for one character each; otherwise they are steps of CTC.
inline bool reads_slots(const ModelConfig& config) {
  return config.name == "maskocr" && config.maskocr.head == "slots";
}

struct OptimConfig {
  std::string optimizer = "adamw";
  double lr = 1e-3;
  double weight_decay = 0.01;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  std::vector<std::string> lr_multipliers;
  std::vector<std::string> freeze_until;
  double layer_decay = 1;
  std::string schedule = "one_cycle";
  int64_t warmup_steps = 0;
  double min_lr = 1e-6;
  double plateau_factor = 0.5;
  int64_t plateau_patience = 2000;
  std::vector<int64_t> step_milestones;
  double step_factor = 0.1;
  double one_cycle_pct_start = 0.25;
  double one_cycle_div = 25;
  double one_cycle_div_final = 1e5;
  double ema_decay = 0.0;
  double clip_norm = 0.0;
  int64_t accumulate = 1;
  std::string quantizer_scales = "learned";

  template <class V>
  void visit(V& v) {
    v("optimizer", optimizer, "update rule", one_of({"adamw", "schedule_free_adamw"}));
    v("lr", lr, "peak learning rate", in_range(0.0, 10.0));
    v("weight_decay", weight_decay, "decoupled; only on weights of layers", in_range(0.0, 1.0));
    v("beta1", beta1, "decay of the first moment", in_range(0.0, 0.9999));
    v("beta2", beta2, "decay of the second moment", in_range(0.0, 0.999999));
    v("eps", eps, "added to the denominator", in_range(0.0, 1.0));
    v("lr_multipliers", lr_multipliers, "list of PREFIX=FACTOR; 0 freezes", Anything{});
    v("freeze_until", freeze_until, "list of PREFIX=STEP: frozen before that update", Anything{});
    v("layer_decay", layer_decay,
      "rate of each layer of a transformer's encoder as a share of the next one's; 1 = off",
      in_range(0.1, 1.0));
    v("schedule", schedule, "learning rate over time",
      one_of({"constant", "one_cycle", "cosine", "step", "plateau"}));
    v("warmup_steps", warmup_steps, "linear warm-up of cosine, step and plateau", in_range(0, 1e9));
    v("min_lr", min_lr, "floor of cosine; plateau stops the run below it", in_range(0.0, 1.0));
    v("plateau_factor", plateau_factor, "learning-rate factor on a plateau", in_range(0.01, 0.99));
    v("plateau_patience", plateau_patience, "steps without progress (dlib's test)",
      in_range(3, 1e7));
    v("step_milestones", step_milestones, "steps at which the rate drops", in_range(0, 1e9));
    v("step_factor", step_factor, "factor at each milestone", in_range(1e-6, 1.0));
    v("one_cycle_pct_start", one_cycle_pct_start, "share of the run that warms up",
      in_range(0.0, 0.99));
    v("one_cycle_div", one_cycle_div, "start rate = lr / this", in_range(1.0, 1e9));
    v("one_cycle_div_final", one_cycle_div_final, "end rate = lr / this", in_range(1.0, 1e12));
    v("ema_decay", ema_decay, "weight average that is evaluated and saved; 0 = off",
      in_range(0.0, 0.999999));
    v("clip_norm", clip_norm, "gradient norm limit; 0 = off", in_range(0.0, 1e6));
    v("accumulate", accumulate, "batches per update", in_range(1, 4096));
    v("quantizer_scales", quantizer_scales,
      "of a quantised start: learned (LSQ) or frozen as calibrated", one_of({"learned", "frozen"}));
  }
};

struct TrainConfig {
  int64_t steps = 2000;
  double minutes = 0;
  int64_t eval_every = 500;
  int64_t log_every = 20;
  int64_t checkpoint_every = 500;
  std::string best_by = "exact_match";
  int64_t early_stopping = 0;
  std::string decoder = "greedy";

  template <class V>
  void visit(V& v) {
    v("steps", steps, "optimiser updates", in_range(1, 1e9));
    v("minutes", minutes, "stop cleanly after this long; 0 = no limit", in_range(0.0, 1e6));
    v("eval_every", eval_every, "updates between validations", in_range(1, 1e9));
    v("log_every", log_every, "updates between metrics lines", in_range(1, 1e9));
    v("checkpoint_every", checkpoint_every, "updates between checkpoints", in_range(1, 1e9));
    v("best_by", best_by, "validation metric that picks the best weights; last: the last ones",
      one_of({"exact_match", "exact_match_without_region", "cer", "loss", "iou70", "ap50", "ap75",
              "ap50_95", "f1", "corner_accuracy", "last"}));
    v("early_stopping", early_stopping, "validations without a better value; 0 = off",
      in_range(0, 1e6));
    v("decoder", decoder, "how texts are read in validation", one_of({"greedy", "beam"}));
  }
};

// Fine-grained pruning: which weights become zero, and when.
struct PruneConfig {
  std::string allocation = "none";
  double ratio = 0.5;
  std::vector<std::string> layers = {};
  std::string scores = "magnitude";
  std::string pattern = "";
  double max_drop = 0;
  int64_t max_bytes = 0;
  int64_t calibration = 512;
  std::string schedule = "cubic";
  int64_t begin = 0;
  int64_t end = 0;
  int64_t every = 50;
  int64_t rounds = 5;
  std::vector<int64_t> milestones = {};

  template <class V>
  void visit(V& v) {
    v("allocation", allocation,
      "how the zeros are shared out among the layers; none = only those of the start stay",
      one_of({"none", "layers", "uniform", "global", "norm_global", "erk", "lamp", "sensitivity"}));
    v("ratio", ratio, "share of the weights that becomes zero; below 1", in_range(0.0, 1.0));
    v("layers", layers, "list of PREFIX=RATIO, layers that have their own ratio", Anything{});
    v("scores", scores, "which weights of a layer go first",
      one_of({"magnitude", "wanda", "second_order"}));
    v("pattern", pattern, "N:M along the input channels instead of a ratio, such as 2:4",
      Anything{});
    v("max_drop", max_drop,
      "lower the ratio until exact match falls no further on the calibration plates; 0 = off",
      in_range(0.0, 1.0));
    v("max_bytes", max_bytes,
      "raise the ratio until the packed int8 weights are this small; 0 = off", in_range(0, 1e12));
    v("calibration", calibration, "training plates to measure on", in_range(16, 1e6));
    v("schedule", schedule, "how the ratio grows while training",
      one_of({"one_shot", "cubic", "exponential", "multi_step", "iterative"}));
    v("begin", begin, "update after which the first weights go", in_range(0, 1e9));
    v("end", end, "update after which the last ones go; 0 = two thirds of the run",
      in_range(0, 1e9));
    v("every", every, "updates between two cuts of cubic and exponential", in_range(1, 1e9));
    v("rounds", rounds, "cuts of iterative", in_range(1, 1000));
    v("milestones", milestones, "updates at which multi_step cuts, in equal parts",
      in_range(0, 1e9));
  }
};

// Learning from another model's outputs beside the labels.
struct DistillConfig {
  std::string teacher = "";
  double weight = 1;
  double temperature = 2;

  template <class V>
  void visit(V& v) {
    v("teacher", teacher, "model file to learn from; empty = off", Anything{});
    v("weight", weight, "factor of its loss beside the labels'", in_range(0.0, 1000.0));
    v("temperature", temperature, "softens both outputs", in_range(0.01, 100.0));
  }
};

// What a reader with slots is taught (task slot_reader).
struct SlotLossConfig {
  double label_smoothing = 0.1;
  double focal_gamma = 0;
  double mask_characters = 0;

  template <class V>
  void visit(V& v) {
    v("label_smoothing", label_smoothing, "share of the target spread over all classes",
      in_range(0.0, 0.9));
    v("focal_gamma", focal_gamma, "weighs a slot by (1 - p)^gamma; 0 = off", in_range(0.0, 10.0));
    v("mask_characters", mask_characters,
      "language stage: hides this share of the characters from the encoder and teaches only those",
      in_range(0.0, 0.95));
  }
};

// One stage of a run: the run's config with overrides, as --set takes them.
struct StageConfig {
  std::string name;
  std::vector<std::string> set;

  template <class V>
  void visit(V& v) {
    v("name", name, "what the stage's folder is called", Anything{});
    v("set", set, "list of section.key=value", Anything{});
  }
};

// The whole of a run; `config.yaml` in a run folder is this, resolved.
struct RunConfig {
  std::string task = "ctc_reader";
  std::string region = "cn";
  int64_t seed = 1;
  RuntimeConfig runtime;
  DataConfig data;
  AugmentConfig augment;
  DetectionLossConfig detection;
  SlotLossConfig slots;
  FramesConfig frames;
  ModelConfig model;
  OptimConfig optim;
  TrainConfig train;
  PruneConfig prune;
  DistillConfig distill;
  std::vector<StageConfig> stages;

  template <class V>
  void visit(V& v) {
    v("task", task, "what is trained", one_of({"ctc_reader", "slot_reader", "mae", "detector"}));
    v("region", region, "region pack: a shipped name or a .yaml file", Anything{});
    v("seed", seed, "every random number follows from it", in_range(0, 2147483647));
    v("runtime", runtime, "device and arithmetic", Anything{});
    v("data", data, "plates and batches", Anything{});
    v("augment", augment, "random changes to training plates", Anything{});
    v("detection", detection, "what a detector is taught", Anything{});
    v("slots", slots, "what a reader with slots is taught", Anything{});
    v("frames", frames, "how photographs become a detector's inputs", Anything{});
    v("model", model, "network", Anything{});
    v("optim", optim, "update rule and schedule", Anything{});
    v("train", train, "length, validation, checkpoints", Anything{});
    v("prune", prune, "weights that become zero", Anything{});
    v("distill", distill, "a model to learn from", Anything{});
    v("stages", stages,
      "list of {name, set: [section.key=value, ...]}: runs after each other, each from the weights "
      "of the one before",
      Anything{});
  }
};

}  // namespace plateforge
