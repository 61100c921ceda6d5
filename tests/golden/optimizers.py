"""Writes optimizers.h: what torch.optim.AdamW and schedulefree.AdamWScheduleFree make of one small
problem, for tests/unit/optim/optimizer_test.cpp.

    pip install torch numpy schedulefree; python optimizers.py > optimizers.h
"""
import importlib.metadata
import math

import schedulefree
import torch

STEPS = 30


def weights(dtype):
    weight = torch.tensor([[0.5, -1.0, 2.0], [0.1, 0.0, -0.3]], dtype=dtype)
    bias = torch.tensor([1.0, -0.5], dtype=dtype)
    return [torch.nn.Parameter(weight), torch.nn.Parameter(bias)]


def gradient(param, step):
    """Pulls element i towards sin(i), with a disturbance that changes at every step."""
    flat = param.detach().flatten()
    index = torch.arange(flat.numel(), dtype=torch.float64)
    noise = 0.5 * torch.sin(0.7 * step + 1.3 * index)
    return (flat.double() - torch.sin(index) + noise).to(param.dtype).reshape(param.shape)


def rate(lr, step):
    return lr * (1 - step / (2 * STEPS))


def beta1_at(beta1, cycle, step):
    return beta1 - 0.1 * math.sin(math.pi * step / STEPS) if cycle else beta1


def adamw(dtype, lr, beta1, beta2, eps, decay, cycle):
    weight, bias = weights(dtype)
    groups = [{"params": [weight], "weight_decay": decay},
              {"params": [bias], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=lr, betas=(beta1, beta2), eps=eps)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = rate(lr, step)
            group["betas"] = (beta1_at(beta1, cycle, step), beta2)
        weight.grad, bias.grad = gradient(weight, step), gradient(bias, step)
        optimizer.step()
    return [], torch.cat([weight.flatten(), bias]).tolist()


def schedule_free(dtype, lr, beta1, beta2, eps, decay, warmup):
    """Switches to eval mode and back in the middle, as a validation does."""
    weight, bias = weights(dtype)
    groups = [{"params": [weight], "weight_decay": decay},
              {"params": [bias], "weight_decay": 0.0}]
    optimizer = schedulefree.AdamWScheduleFree(groups, lr=lr, betas=(beta1, beta2), eps=eps,
                                               warmup_steps=warmup)
    optimizer.train()
    for step in range(STEPS):
        if step == STEPS // 2:
            optimizer.eval()
            optimizer.train()
        weight.grad, bias.grad = gradient(weight, step), gradient(bias, step)
        optimizer.step()
    training = torch.cat([weight.flatten(), bias]).tolist()
    optimizer.eval()
    return training, torch.cat([weight.flatten(), bias]).tolist()


def line(rule, dtype, numbers, result):
    training, final = result
    values = lambda items: "{" + ", ".join(f"{v:.17g}" for v in items) + "}"
    name = "torch::kFloat64" if dtype == torch.float64 else "torch::kFloat32"
    head = ", ".join(f"{v:.17g}" for v in numbers)
    return f'    {{"{rule}", {name}, {head},\n     {values(training)},\n     {values(final)}}},'


def main():
    print("// Written by optimizers.py with torch", torch.__version__.split("+")[0],
          "and schedulefree", importlib.metadata.version("schedulefree"), end=".\n")
    print("#pragma once\n\n#include <torch/types.h>\n\n#include <vector>\n")
    print("namespace plateforge {\n")
    print("// `extra`: AdamW cycles beta1 when it is 1; schedule-free warms up for this many steps.")
    print("struct OptimizerGolden {\n  const char* rule;\n  torch::ScalarType dtype;")
    print("  double lr, beta1, beta2, eps, decay, extra;")
    print("  std::vector<double> training, evaluated;  // weights then biases; in train and eval mode\n};\n")
    print("// clang-format off")
    print("inline const std::vector<OptimizerGolden> kOptimizerGolden = {")
    for dtype in (torch.float64, torch.float32):
        for numbers in ((1e-2, 0.9, 0.999, 1e-8, 0.01, 0), (0.1, 0.8, 0.95, 1e-4, 0.3, 0),
                        (3e-2, 0.95, 0.99, 1e-8, 0.0, 1)):
            print(line("adamw", dtype, numbers, adamw(dtype, *numbers)))
        for numbers in ((2.5e-3, 0.9, 0.999, 1e-8, 0.0, 0), (0.1, 0.8, 0.95, 1e-4, 0.3, 7),
                        (5e-2, 0.98, 0.99, 1e-8, 0.02, 40)):
            print(line("schedule_free_adamw", dtype, numbers, schedule_free(dtype, *numbers)))
    print("};\n// clang-format on\n\n}  // namespace plateforge")


main()
