#!/usr/bin/env python3
"""Latency and accuracy of a detector and a reader in every runtime and precision, as a table.

    deployment_table.py PLATEFORGE --detector M --frames SPEC --reader M --plates SPEC
                        --calibrate-frames SPEC --calibrate-plates SPEC [--threads 1] [--rounds 20]
                        [--others onnxruntime,openvino,tvm]

Each model is quantised, exported in fp32, fp16 and int8 and run in LibTorch and OpenCV (`plateforge
bench model` and `verify`) and in ONNX Runtime, OpenVINO and TVM (runtimes.py); the fastest of all
rounds counts. A dash: the runtime does not take the file. PLATEFORGE is build/release/plateforge, the
interpreter the judges' (./dev test installs .deps/judges).
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
RUNTIMES = ("libtorch", "opencv", "onnxruntime", "openvino", "tvm")
PRECISIONS = ("fp32", "fp16", "int8")


def said(*command):
    """What a command prints; what it complains of is shown, and a failed bound is no failure."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    if done.returncode > 1:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}")
    return done.stdout


def write_files(program, model, calibration, folder):
    """The exported files by precision; fp32 comes first."""
    quantised = folder / "quantised.safetensors"
    said(program, "quantize", "--model", model, "--calibrate", calibration, "--out", quantised)
    said(program, "export", "--model", model, "--out", folder / "float", "--profile", "fp32,fp16")
    said(program, "export", "--model", quantised, "--out", folder / "int8")
    float_files = {path.stem.rsplit("-", 1)[1]: path for path in (folder / "float").glob("*.onnx")}
    return {
        "fp32": float_files["fp32"],
        "fp16": float_files["fp16"],
        "int8": next((folder / "int8").glob("*.onnx")),
    }


def own_rows(program, model, files, data, plates, options):
    """LibTorch and OpenCV, which the program runs itself; writes the pictures for the others."""
    rows = {}
    timed = json.loads(
        said(program, "bench", "model", "--model", model, "--onnx", *files.values(), "--runtime",
             "libtorch,opencv", "--rounds", options.rounds, "--threads", options.threads, "--json", "-")
    )
    precision_of = {str(path): precision for precision, path in files.items()}
    for run in timed["runs"]:
        key = run["runtime"], precision_of.get(run["file"], "fp32")
        rows[key] = {"ms": run["latency_ms"]["min"]}
    taken = [precision for precision in PRECISIONS if ("opencv", precision) in rows]
    for precision in taken or ["fp32"]:
        judged = json.loads(
            said(program, "verify", "--model", model, "--onnx", files[precision], "--data", data,
                 "--runtime", "opencv", "--write-plates", plates, "--json", "-")
        )
        score = "iou70" if "iou70" in judged else "exact_match"
        rows["libtorch", "fp32"]["score"] = judged[f"reference_{score}"]
        if taken:
            rows["opencv", precision]["score"] = judged["runtimes"]["opencv"][score]
    return rows


def other_rows(files, plates, options):
    """ONNX Runtime, OpenVINO and TVM, which runtimes.py runs."""
    report = json.loads(
        said(sys.executable, HERE / "runtimes.py", *files.values(), "--runtime",
             options.others, "--threads", options.threads, "--rounds", options.rounds,
             "--runs", 5, "--plates", plates, "--json", "-")
    )
    precision_of = {path.name: precision for precision, path in files.items()}
    rows = {}
    for run in report["runs"]:
        rows[run["runtime"], precision_of[run["file"]]] = {"ms": run["latency_ms"]["min"]}
    for row in report["read"]:
        score = row.get("exact match", row.get("IoU > 0.7"))
        rows[row["runtime"], precision_of[row["file"]]]["score"] = score
    return rows


def measure(program, model, data, calibration, options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files = write_files(program, model, calibration, folder)
        plates = folder / "plates.safetensors"
        rows = own_rows(program, model, files, data, plates, options)
        return rows | other_rows(files, plates, options)


def cells(row):
    return (f"{row['ms']:.2f}", f"{row['score']:.3f}") if row else ("-", "-")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    for name in ("detector", "frames", "calibrate-frames", "reader", "plates", "calibrate-plates"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--others", default="onnxruntime,openvino,tvm",
                        help="tvm emulates 16-bit floats: half a minute for a frame")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    found = measure(options.program, options.detector, options.frames, options.calibrate_frames, options)
    read = measure(options.program, options.reader, options.plates, options.calibrate_plates, options)
    print("| runtime | precision | detector, ms | IoU > 0.7 | reader, ms | exact match |")
    print("|---|---|---|---|---|---|")
    for runtime in RUNTIMES:
        for precision in PRECISIONS:
            both = found.get((runtime, precision)), read.get((runtime, precision))
            if any(both):
                print("|", " | ".join((runtime, precision, *cells(both[0]), *cells(both[1]))), "|")


if __name__ == "__main__":
    main()
