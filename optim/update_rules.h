#pragma once

#include "optim/optimizer.h"

namespace plateforge {

// AdamW (Loshchilov and Hutter 2019), bit for bit torch.optim.AdamW(fused=True).
std::unique_ptr<Optimizer> make_adamw(std::vector<ParamGroup> groups, const OptimConfig& config);

// Schedule-free AdamW (Defazio et al. 2024, The Road Less Scheduled), as AdamWScheduleFree of the
// PyPI package schedulefree with r = 0 and weight_lr_power = 2. Its warm-up is the schedule's.
std::unique_ptr<Optimizer> make_schedule_free_adamw(std::vector<ParamGroup> groups,
                                                    const OptimConfig& config);

}  // namespace plateforge
