#!/usr/bin/env python3
"""Latency of exported files in ONNX Runtime, OpenVINO and TVM, in turns, and what they read.

    runtimes.py FP32.onnx INT8.onnx ... [--runtime onnxruntime,openvino,tvm] [--threads 1]
                [--rounds 60] [--runs 10] [--plates FILE]... [--json FILE] [--profile]

The first file is the measure: ratio = its fastest time / this one's, in the same runtime and run.
With --plates (`plateforge verify --write-plates FILE`, one picture per inference) every file answers
them; "the same" is what the first file answered in the first runtime. Readers: exact match, and the
share of plates read the same. Detectors (decoded files): the share of frames whose plates all have a
box with an IoU above 0.7, and the share with the same boxes, as many and within a pixel. --rounds 0
does not time.
With --profile ONNX Runtime's own times per node follow. Needs the judges' Python (./dev test).
"""

import argparse
import collections
import json
import pathlib
import statistics
import struct
import sys
import tempfile
import time

import numpy as np


def input_of(path):
    import onnx

    dims = onnx.load(str(path)).graph.input[0].type.tensor_type.shape.dim
    shape = [d.dim_value or 1 for d in dims]
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def pictures_of(path):
    """Images [N, 3, H, W] and what is known of each: a text, or boxes."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    entry = header["images"]
    begin, end = (8 + size + offset for offset in entry["data_offsets"])
    images = np.frombuffer(data[begin:end], np.float32).reshape(entry["shape"])
    known = {key: json.loads(value) for key, value in header["__metadata__"].items()}
    return images, known.get("boxes") or known["texts"]


class Reading:
    """Greedy texts of logits."""

    score, same = "exact match", "same text"

    def __init__(self, metadata):
        self.symbols, self.blank = json.loads(metadata["alphabet"]), int(metadata["blank"])
        self.slots = metadata["decoder"] == "slots_greedy"

    def answer(self, outputs):
        best = outputs[0][0].argmax(0)  # of [classes, steps]
        if self.slots:  # a symbol each, up to the first that says end
            ends = np.flatnonzero(best == self.blank)
            return "".join(self.symbols[c] for c in best[: ends[0] if ends.size else None])
        fresh = np.append(True, best[1:] != best[:-1]) & (best != self.blank)
        return "".join(self.symbols[c] for c in best[fresh])

    def is_right(self, answer, truth):
        return answer == truth

    def agree(self, answer, other):
        return answer == other


def iou(a, b):  # boxes [..., 4]
    extent = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    both = extent.clip(0).prod(-1)
    area = lambda box: (box[..., 2:] - box[..., :2]).prod(-1)
    return both / (area(a) + area(b) - both)


class Finding:
    """Boxes of a decoded file after plain non-maximum suppression."""

    score, same = "IoU > 0.7", "same boxes"

    def __init__(self, metadata):
        if metadata["form"] != "decoded":
            sys.exit("--plates needs detectors exported with --outputs decoded")
        self.least, self.most = float(metadata["score_threshold"]), float(metadata["nms_iou"])
        fit = json.loads(metadata["preprocessing"])
        self.limits = np.array([fit["width"], fit["height"]] * 2)

    def answer(self, outputs):
        scores, boxes = outputs[0][0], outputs[1][0]
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] >= self.least]
        left, kept = boxes[order].clip(0, self.limits), []
        while len(left):
            kept.append(left[0])
            left = left[1:][iou(left[0], left[1:]) <= self.most]
        return np.array(sorted(map(tuple, kept))).reshape(-1, 4)

    def is_right(self, answer, truth):
        return all((iou(answer, np.array(box)) > 0.7).any() for box in truth)

    def agree(self, answer, other):
        return answer.shape == other.shape and bool((np.abs(answer - other) <= 1).all())


def judge_of(path):
    import onnx

    metadata = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    return (Finding if metadata.get("task") == "detector" else Reading)(metadata)


def read(contestants, paths, plates):
    """A row per contestant: the judge's words for both shares, their values."""
    images, truths = pictures_of(plates)
    judge = judge_of(paths[0])
    first, rows = None, []
    for (runtime, name), contestant in contestants.items():
        answers = []
        for image in images:
            contestant.load(image[None])
            answers.append(judge.answer(contestant.run()))
        first = first or answers
        rows.append(
            {
                "runtime": runtime,
                "file": name,
                "plates": plates.stem,
                judge.score: statistics.fmean(map(judge.is_right, answers, truths)),
                judge.same: statistics.fmean(map(judge.agree, answers, first)),
            }
        )
    return rows


# What runs one file: load() takes the images of the next run(), which answers with the outputs.
Contestant = collections.namedtuple("Contestant", "load run")


def onnxruntime_session(path, threads, profile_to=None):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    if profile_to:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile_to)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def onnxruntime_contestant(path, images, threads):
    session = onnxruntime_session(path, threads)
    feed = {"images": images.copy()}
    return Contestant(
        lambda new: np.copyto(feed["images"], new), lambda: session.run(None, feed)
    )


def openvino_contestant(path, images, threads):
    import openvino

    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    request = openvino.Core().compile_model(str(path), "CPU", config).create_infer_request()
    seen = images.copy()
    request.set_input_tensor(openvino.Tensor(seen, shared_memory=True))
    return Contestant(lambda new: np.copyto(seen, new), lambda: list(request.infer().values()))


def tvm_contestant(path, images, threads):
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    module = from_onnx(onnx.load(str(path)), shape_dict={"images": list(images.shape)})
    machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
    seen = tvm.runtime.tensor(images)

    def run():
        answer = machine["main"](seen)
        return [part.numpy() for part in ([answer] if hasattr(answer, "numpy") else answer)]

    return Contestant(seen.copyfrom, run)


CONTESTANTS = {
    "onnxruntime": onnxruntime_contestant,
    "openvino": openvino_contestant,
    "tvm": tvm_contestant,
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
    for contestant in contestants.values():
        for _ in range(5):
            contestant.run()
    for _ in range(rounds):
        for key, contestant in contestants.items():
            times[key] += [timed(contestant.run) for _ in range(runs)]
    return times


def node_times(path, threads):
    with tempfile.TemporaryDirectory() as folder:
        feed = {"images": input_of(path)}
        session = onnxruntime_session(path, threads, pathlib.Path(folder) / "profile")
        for _ in range(60):
            session.run(None, feed)
        events = json.load(open(session.end_profiling()))
    nodes = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            key = event["args"].get("op_name", ""), event["name"][: -len("_kernel_time")]
            nodes.setdefault(key, []).append(event["dur"])
    return sorted(((min(durations), *key) for key, durations in nodes.items()), reverse=True)


def latency_rows(times):
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
    return rows


def print_latencies(rows, out):
    print(f"{'runtime':12} {'min ms':>8} {'median':>8} {'ratio':>6} {'median':>7}  file", file=out)
    for row in rows:
        latency = row["latency_ms"]
        print(
            f"{row['runtime']:12} {latency['min']:8.3f} {latency['median']:8.3f} "
            f"{row['ratio']:6.2f} {row['ratio_of_medians']:7.2f}  {row['file']}",
            file=out,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--runtime", default="onnxruntime,openvino")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--plates", action="append", default=[], type=pathlib.Path)
    parser.add_argument("--json")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()

    contestants = {}
    for runtime in options.runtime.split(","):
        for path in options.files:
            try:
                contestants[runtime, path.name] = CONTESTANTS[runtime](
                    path, input_of(path), options.threads
                )
            except Exception as problem:  # whatever a runtime throws is its refusal
                reason = str(problem).strip().splitlines()[-1][:100]
                print(f"left out: {runtime} {path.name}: {reason}", file=sys.stderr)
    out = sys.stderr if options.json == "-" else sys.stdout
    times = race(contestants, options.rounds, options.runs) if options.rounds else {}
    report = {"threads": options.threads, "runs": latency_rows(times), "read": []}
    if times:
        print_latencies(report["runs"], out)
        peak = report["fp32_macs_per_second"] = peak_macs()
        print(f"roofline: {peak / 1e9:.1f} float GMAC/s (numpy matrix product)", file=out)
    for plates in options.plates:
        report["read"] += read(contestants, options.files, plates)
    for row in report["read"]:
        shares = ", ".join(f"{k} {v:.4f}" for k, v in row.items() if isinstance(v, float))
        print(f"{row['runtime']:12} {row['plates']}: {shares}  {row['file']}", file=out)
    if options.profile:
        for path in options.files:
            print(f"\n{path.name}, ONNX Runtime, fastest microseconds per node", file=out)
            for duration, kind, node in node_times(path, options.threads)[:40]:
                print(f"{duration:7d}  {kind:20} {node}", file=out)
    if options.json:
        text = json.dumps(report, indent=2)
        print(text) if options.json == "-" else pathlib.Path(options.json).write_text(text)


if __name__ == "__main__":
    main()
