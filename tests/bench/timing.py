"""What the eager training steps share: their options and the clock."""
import argparse
import json
import time

import torch

WARM_UP = 2


def rates(step, batch, rounds):
    """Images per second of step(), which trains `batch` images: fastest and median of `rounds`."""
    times = []
    for index in range(rounds + WARM_UP):
        start = time.perf_counter()
        step()
        if index >= WARM_UP:
            times.append(time.perf_counter() - start)
    times.sort()
    return {"images_per_second": batch / times[0],
            "images_per_second_median": batch / times[len(times) // 2]}


def run(make_step, batch, tasks=()):
    """Prints one JSON object: the rates of make_step(precision, batch, task) in fp32 and bf16."""
    parser = argparse.ArgumentParser()
    if tasks:
        parser.add_argument("--task", choices=tasks, default=tasks[0])
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    def measured(precision):
        torch.manual_seed(1)
        step = make_step(precision, args.batch, getattr(args, "task", None))
        return rates(step, args.batch, args.rounds)

    print(json.dumps({precision: measured(precision) for precision in ("fp32", "bf16")}))
