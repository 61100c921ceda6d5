#include "train/trainer.h"

#include <torch/nn/module.h>
#include <torch/utils.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>

#include "configs/error.h"
#include "configs/log.h"
#include "configs/yaml.h"
#include "train/eval_weights.h"
#include "train/runtime.h"

namespace plateforge {

namespace {

std::atomic<bool> interrupt_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

constexpr int64_t kMaxRollbacks = 3;
constexpr double kRollbackFactor = 0.5;

struct StateWriter {
  StateDict& out;
  void operator()(const char* name, const auto& value) { out.put(name, value); }
};

struct StateReader {
  const StateDict& in;
  void operator()(const char* name, int64_t& value) { value = in.integer(name); }
  void operator()(const char* name, double& value) { value = in.number(name); }
};

StateDict network_state(torch::nn::Module& network) {
  StateDict state;
  for (const auto& item : network.named_parameters()) state.tensors[item.key()] = item.value();
  for (const auto& item : network.named_buffers()) state.tensors[item.key()] = item.value();
  return state;
}

void load_network(torch::nn::Module& network, const StateDict& state) {
  const torch::NoGradGuard no_grad;
  auto live = network_state(network);
  require(live.tensors.size() == state.tensors.size(), "the checkpoint holds ",
          state.tensors.size(), " tensors, the network has ", live.tensors.size(),
          ": it belongs to another model");
  for (auto& [name, tensor] : live.tensors) {
    const auto found = state.tensors.find(name);
    require(found != state.tensors.end(), "the checkpoint lacks '", name,
            "': it belongs to another model");
    require(found->second.sizes() == tensor.sizes(), "'", name, "' is ", found->second.sizes(),
            " in the checkpoint but ", tensor.sizes(), " in the network");
    tensor.copy_(found->second);
  }
}

// Puts the generators back where they were: what is measured in between, and making the network
// anew to save it, must not change the training.
class KeptRandomNumbers {
 public:
  explicit KeptRandomNumbers(torch::Device device) : device_(device) {
    for (const auto type : types()) states_.push_back(random_generator(type).get_state());
  }
  ~KeptRandomNumbers() {
    auto state = states_.begin();
    for (const auto type : types()) random_generator(type).set_state(*state++);
  }
  KeptRandomNumbers(const KeptRandomNumbers&) = delete;
  KeptRandomNumbers& operator=(const KeptRandomNumbers&) = delete;

 private:
  std::vector<torch::Device> types() const {
    if (device_.is_cuda()) return {torch::kCPU, device_};
    return {torch::kCPU};
  }

  torch::Device device_;
  std::vector<torch::Tensor> states_;
};

}  // namespace

void request_interrupt() { interrupt_requested = true; }

Trainer::Trainer(const RunConfig& config, Task& task, Loader& train, torch::Device device,
                 std::filesystem::path run)
    : config_(config),
      task_(task),
      train_(train),
      device_(device),
      run_(std::move(run)),
      best_(config.train),
      checkpoints_(run_ / "checkpoints"),
      groups_(make_param_groups(task.network(), config.optim)),
      freeze_(task.network(), config.optim),
      optimizer_(make_optimizer(groups_, config.optim)),
      schedule_(make_schedule(config.optim, config.train.steps)) {
  if (config.optim.ema_decay > 0)
    ema_ = std::make_unique<Ema>(task.network(), config.optim.ema_decay);
  progress_ = std::make_unique<Progress>(run_, config_);
}

Trainer::~Trainer() = default;

void Trainer::resume() {
  auto state = checkpoints_.load();
  require(state.has_value(), "nothing to resume in ", run_.string(),
          ": it has no checkpoint; leave out --resume to start there");
  load(*state);
  resumed_ = true;
  progress_->resume_at(state_.step);
  log_info("resumed at step " + std::to_string(state_.step));
}

Outcome Trainer::run() {
  const auto start = std::chrono::steady_clock::now();
  const auto minutes_spent = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / 60;
  };
  const auto& plan = config_.train;
  task_.network().train();
  optimizer_->train_mode();
  if (!resumed_)
    for (const auto& hook : hooks_) hook->start(trained());
  train_.seek(state_.step * config_.optim.accumulate);
  if (state_.step == 0) save_checkpoint();  // a full disk or a read-only folder shows now
  while (state_.step < plan.steps && !stop_) {
    train_step();
    const bool last = state_.step == plan.steps;
    if (state_.step % plan.log_every == 0 || last) take_losses();
    if (state_.step % plan.eval_every == 0 || last) validate();
    if (interrupt_requested.exchange(false)) {
      save_checkpoint();
      return Outcome::kInterrupted;
    }
    if (state_.step % plan.checkpoint_every == 0 || last) save_checkpoint();
    if (plan.minutes > 0 && minutes_spent() >= plan.minutes && !last) {
      if (state_.best_step < 0) validate();  // whoever limits the time wants a model file
      save_checkpoint();
      return Outcome::kOutOfTime;
    }
  }
  return Outcome::kFinished;
}

void Trainer::train_step() {
  const auto& optim = config_.optim;
  freeze_.apply(state_.step);
  optimizer_->zero_grad();
  for (int64_t part = 0; part < optim.accumulate; ++part) {
    const auto batch = to_device(train_.next().value(), device_);         // 1. sample
    const auto loss = task_.loss(batch);                                  // 2. forward
    (optim.accumulate == 1 ? loss : loss / optim.accumulate).backward();  // 3. backward
    pending_losses_.push_back(loss.detach());
    progress_->count(batch.size());
  }
  if (optim.clip_norm > 0) clip_grad_norm(groups_, optim.clip_norm);
  optimizer_->step(schedule_->lr(state_.step) * state_.lr_scale,  // 4. update
                   schedule_->beta1(state_.step));
  if (ema_) ema_->update();
  ++state_.step;
  for (const auto& hook : hooks_) hook->after_update(trained(), state_.step);
}

// The only host synchronisation of the loop.
void Trainer::take_losses() {
  if (pending_losses_.empty()) return;
  const auto host = torch::stack(pending_losses_).to(torch::kCPU, torch::kDouble);
  const auto* values = host.const_data_ptr<double>();
  const std::vector<double> losses(values, values + host.numel());
  pending_losses_.clear();
  for (const double loss : losses)
    if (!std::isfinite(loss)) return roll_back();
  const auto remark = schedule_->observe(losses);
  if (!remark.empty()) log_info(remark);
  if (schedule_->finished()) {
    log_info("stopped: the learning rate fell below optim.min_lr");
    stop_ = true;
  }
  double sum = 0;
  for (const double loss : losses) sum += loss;
  progress_->report_step({.step = state_.step,
                          .loss = sum / static_cast<double>(losses.size()),
                          .lr = schedule_->lr(state_.step - 1) * state_.lr_scale,
                          .epoch = static_cast<double>(state_.step * config_.optim.accumulate) /
                                   static_cast<double>(train_.batches_per_epoch())});
}

void Trainer::validate() {
  const KeptRandomNumbers kept_random_numbers(device_);
  Evaluation evaluation;
  bool better = false;
  {
    const EvalWeights weights(task_, *optimizer_, ema_.get(), train_,
                              state_.step * config_.optim.accumulate, device_);
    evaluation = task_.evaluate();
    better = network_is_final() && best_.take(evaluation.json, state_);
    if (better) task_.save(run_ / "model.safetensors", provenance(evaluation));
  }
  state_.not_better = better || !network_is_final() ? 0 : state_.not_better + 1;
  progress_->report_validation(state_.step, evaluation, better);
  const auto patience = config_.train.early_stopping;
  if (patience > 0 && state_.not_better >= patience) {
    log_info("stopped: " + std::to_string(patience) + " validations without a better " +
             config_.train.best_by);
    stop_ = true;
  }
}

bool Trainer::network_is_final() const {
  return std::all_of(hooks_.begin(), hooks_.end(),
                     [this](const auto& hook) { return hook->is_final(state_.step); });
}

std::map<std::string, std::string> Trainer::provenance(const Evaluation& evaluation) const {
  std::map<std::string, std::string> all = {{"config", write_run_config(config_)},
                                            {"step", std::to_string(state_.step)},
                                            {"validation", evaluation.json.dump()}};
  for (const auto& hook : hooks_) all.merge(hook->provenance(task_.network()));
  return all;
}

bool Trainer::weights_are_finite() const {
  const torch::NoGradGuard no_grad;
  auto sum = torch::zeros({}, torch::TensorOptions().device(device_).dtype(torch::kDouble));
  for (const auto& parameter : task_.network().parameters())
    sum += parameter.abs().sum(torch::kDouble);
  return std::isfinite(sum.item<double>());
}

void Trainer::save_checkpoint() {
  // Losses are looked at every log_every steps; a checkpoint in between must not keep a bad state.
  if (!weights_are_finite()) return roll_back();
  checkpoints_.save(everything());
}

void Trainer::roll_back() {
  const auto good = checkpoints_.load();
  const auto bad_step = state_.step;
  const auto rollbacks = state_.rollbacks + 1;
  const auto lr_scale = state_.lr_scale * kRollbackFactor;
  require(rollbacks <= kMaxRollbacks && good.has_value(), "training diverged ", rollbacks,
          " times (the loss became NaN or infinite by step ", bad_step, " even at ",
          state_.lr_scale, " of the configured rate): lower optim.lr (now ", config_.optim.lr,
          "), set optim.clip_norm, or look at the data with `plateforge data verify`");
  load(*good);
  state_.rollbacks = rollbacks;
  state_.lr_scale = lr_scale;
  checkpoints_.save(everything());  // a kill now must not forget the lowered rate
  train_.seek(state_.step * config_.optim.accumulate);
  progress_->resume_at(state_.step);
  log_warning("the loss became NaN or infinite by step " + std::to_string(bad_step) +
              "; back to step " + std::to_string(state_.step) + " with the learning rate halved (" +
              std::to_string(rollbacks) + " of " + std::to_string(kMaxRollbacks) + ")");
}

StateDict Trainer::everything() const {
  StateDict whole, progress;
  StateWriter writer{progress};
  const_cast<TrainState&>(state_).visit(writer);
  if (!pending_losses_.empty()) progress.tensors["pending_losses"] = torch::stack(pending_losses_);
  progress.tensors["random"] = random_generator(torch::kCPU).get_state();
  if (device_.is_cuda()) progress.tensors["random_cuda"] = random_generator(device_).get_state();
  put(whole, "network", network_state(task_.network()));
  put(whole, "optimizer", optimizer_->state());
  put(whole, "schedule", schedule_->state());
  if (ema_) put(whole, "ema", ema_->state());
  for (const auto& hook : hooks_) put(whole, hook->name(), hook->state());
  put(whole, "progress", progress);
  return whole;
}

void Trainer::load(const StateDict& whole) {
  load_network(task_.network(), take(whole, "network"));
  optimizer_->load(take(whole, "optimizer"));
  schedule_->load(take(whole, "schedule"));
  if (ema_) ema_->load(take(whole, "ema"));
  for (const auto& hook : hooks_) hook->load(take(whole, hook->name()), task_.network());
  const auto progress = take(whole, "progress");
  StateReader reader{progress};
  state_.visit(reader);
  pending_losses_.clear();
  if (const auto found = progress.tensors.find("pending_losses"); found != progress.tensors.end())
    for (const auto& loss : found->second.unbind()) pending_losses_.push_back(loss.to(device_));
  random_generator(torch::kCPU).set_state(progress.tensor("random"));
  if (device_.is_cuda() && progress.tensors.count("random_cuda") > 0)
    random_generator(device_).set_state(progress.tensors.at("random_cuda"));
}

}  // namespace plateforge
