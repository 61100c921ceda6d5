#pragma once

#include <vector>

#include "data/loader.h"
#include "optim/optimizer.h"
#include "train/task.h"

namespace plateforge {

// While it lives the network holds the weights that are measured and saved: the moving average, or
// schedule-free's x sequence. The latter was never run forward, so its BatchNorm statistics are
// re-estimated on training batches (Defazio et al. 2024); they are put back afterwards, and the
// training loader is put back to `position`.
class EvalWeights {
 public:
  EvalWeights(Task& task, Optimizer& optimizer, Ema* ema, Loader& train, int64_t position,
              torch::Device device);
  ~EvalWeights();
  EvalWeights(const EvalWeights&) = delete;
  EvalWeights& operator=(const EvalWeights&) = delete;

 private:
  Task& task_;
  Optimizer& optimizer_;
  Ema* ema_;
  std::vector<torch::Tensor> kept_buffers_;
};

}  // namespace plateforge
