#!/usr/bin/env python3
"""Latency of exported files in ONNX Runtime, OpenVINO and TVM, in turns.

    runtimes.py FP32.onnx INT8.onnx ... [--runtime onnxruntime,openvino,tvm] [--threads 1]
                [--rounds 60] [--runs 10] [--json FILE] [--profile]

The first file is the measure: ratio = its fastest time / this one's, in the same runtime and run.
With --profile ONNX Runtime's own times per node follow. Needs the judges' Python (./dev test).
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import time

import numpy as np


def input_of(path):
    import onnx

    dims = onnx.load(str(path)).graph.input[0].type.tensor_type.shape.dim
    shape = [d.dim_value or 1 for d in dims]
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def onnxruntime_runner(path, images, threads, profile_to=None):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    if profile_to:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile_to)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session, lambda: session.run(None, {"images": images})


def openvino_runner(path, images, threads):
    import openvino

    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    request = openvino.Core().compile_model(str(path), "CPU", config).create_infer_request()
    request.set_input_tensor(openvino.Tensor(images))
    return request.infer


def tvm_runner(path, images, threads):
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    module = from_onnx(onnx.load(str(path)), shape_dict={"images": list(images.shape)})
    machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
    tensor = tvm.runtime.tensor(images)
    return lambda: machine["main"](tensor)


RUNNERS = {
    "onnxruntime": lambda *args: onnxruntime_runner(*args)[1],
    "openvino": openvino_runner,
    "tvm": tvm_runner,
}


def peak_macs(size=1024):
    """Multiply-accumulates per second of a float matrix product on one thread."""
    a = np.random.rand(size, size).astype(np.float32)
    best = min(timed(lambda: a @ a) for _ in range(10))
    return size**3 / best


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def race(contestants, rounds, runs):
    times = {key: [] for key in contestants}
    for run in contestants.values():
        for _ in range(5):
            run()
    for _ in range(rounds):
        for key, run in contestants.items():
            times[key] += [timed(run) for _ in range(runs)]
    return times


def node_times(path, threads):
    with tempfile.TemporaryDirectory() as folder:
        images = input_of(path)
        session, run = onnxruntime_runner(path, images, threads, pathlib.Path(folder) / "profile")
        for _ in range(60):
            run()
        events = json.load(open(session.end_profiling()))
    nodes = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            key = event["args"].get("op_name", ""), event["name"][: -len("_kernel_time")]
            nodes.setdefault(key, []).append(event["dur"])
    return sorted(((min(durations), *key) for key, durations in nodes.items()), reverse=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--runtime", default="onnxruntime,openvino")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()

    contestants = {}
    for runtime in options.runtime.split(","):
        for path in options.files:
            try:
                contestants[runtime, path.name] = RUNNERS[runtime](
                    path, input_of(path), options.threads
                )
            except Exception as problem:  # whatever a runtime throws is its refusal
                reason = str(problem).strip().splitlines()[-1][:100]
                print(f"left out: {runtime} {path.name}: {reason}", file=sys.stderr)
    times = race(contestants, options.rounds, options.runs)

    rows = []
    for (runtime, name), seconds in times.items():
        measure = next(v for (r, _), v in times.items() if r == runtime)
        rows.append(
            {
                "runtime": runtime,
                "file": name,
                "latency_ms": {"min": 1e3 * min(seconds), "median": 1e3 * statistics.median(seconds)},
                "ratio": min(measure) / min(seconds),
                "ratio_of_medians": statistics.median(measure) / statistics.median(seconds),
            }
        )
    out = sys.stderr if options.json == "-" else sys.stdout
    print(f"{'runtime':12} {'min ms':>8} {'median':>8} {'ratio':>6} {'median':>7}  file", file=out)
    for row in rows:
        latency = row["latency_ms"]
        print(
            f"{row['runtime']:12} {latency['min']:8.3f} {latency['median']:8.3f} "
            f"{row['ratio']:6.2f} {row['ratio_of_medians']:7.2f}  {row['file']}",
            file=out,
        )
    peak = peak_macs()
    print(f"roofline: {peak / 1e9:.1f} float GMAC/s (numpy matrix product)", file=out)
    if options.profile:
        for path in options.files:
            print(f"\n{path.name}, ONNX Runtime, fastest microseconds per node", file=out)
            for duration, kind, node in node_times(path, options.threads)[:40]:
                print(f"{duration:7d}  {kind:20} {node}", file=out)
    if options.json:
        report = {"threads": options.threads, "fp32_gmacs_per_second": peak / 1e9, "runs": rows}
        text = json.dumps(report, indent=2)
        print(text) if options.json == "-" else pathlib.Path(options.json).write_text(text)


if __name__ == "__main__":
    main()
