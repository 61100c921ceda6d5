#pragma once

#include <cstdint>
#include <string>

namespace plateforge {

// All progress of a run besides tensors; saved with every checkpoint. The sampler's position is
// step * accumulate, the epoch follows from it.
struct TrainState {
  int64_t step = 0;        // updates done
  double best = 0;         // best validation metric so far
  double best_loss = 0;    // validation loss of the best; decides ties
  int64_t best_step = -1;  // -1: none yet
  int64_t not_better = 0;  // validations since the best one
  int64_t rollbacks = 0;   // times a non-finite loss sent us back
  double lr_scale = 1;     // lowered by each rollback

  template <class V>
  void visit(V& v) {
    v("step", step);
    v("best", best);
    v("best_loss", best_loss);
    v("best_step", best_step);
    v("not_better", not_better);
    v("rollbacks", rollbacks);
    v("lr_scale", lr_scale);
  }
};

}  // namespace plateforge
