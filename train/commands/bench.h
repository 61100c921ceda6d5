#pragma once

#include "train/commands/commands.h"

namespace plateforge {

// Samples per second and core of the data path.
int bench_loader(const Args& args);
// Images per second of the training step, shares of its parts, and this machine's roofline.
int bench_train(const Args& args);

}  // namespace plateforge
