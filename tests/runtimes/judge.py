"""Runs exported files in onnxruntime, openvino, apache-tvm and onnx.checker.

    judge.py WRITE_CASES [FOLDER]

WRITE_CASES is the program beside this script; it writes <case>.onnx with images and LibTorch's
logits as <case>.safetensors. Prints a table; exit code 1 when a judge disagrees or refuses.
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np

# Largest |difference| / largest |logit|. Measured: 1e-6; a wrong operator gives 1e-2 and more.
TOLERANCE = 2e-5


def read_safetensors(path):
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", entry
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(body[begin:end], np.float32).reshape(entry["shape"])
    return tensors


def check(path, images):
    import onnx
    import onnx.shape_inference

    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 7 and model.opset_import[0].version == 13
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    assert [o.name for o in inferred.graph.output] == ["logits"]
    return None


def run_onnxruntime(path, images):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"images": images})[0]


def run_openvino(path, images):
    import openvino

    compiled = openvino.Core().compile_model(
        str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    )
    return compiled({"images": images})[0]


def run_tvm(path, images):
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    module = from_onnx(onnx.load(str(path)), shape_dict={"images": list(images.shape)})
    machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
    result = machine["main"](tvm.runtime.tensor(images))
    return (result if hasattr(result, "numpy") else result[0]).numpy()


JUDGES = {
    "onnx.checker": check,
    "onnxruntime": run_onnxruntime,
    "openvino": run_openvino,
    "tvm": run_tvm,
}


def judge(run, path, images, logits):
    """(verdict, holds)"""
    try:
        result = run(path, images)
    except Exception as problem:  # whatever a judge throws is its refusal
        return f"refused: {str(problem).strip().splitlines()[-1][:90]}", False
    if result is None:
        return "ok", True
    if result.shape != logits.shape:
        return f"shape {result.shape}, not {logits.shape}", False
    difference = float(np.abs(result - logits).max() / np.abs(logits).max())
    return f"{difference:.1e}", difference <= TOLERANCE


def main():
    writer = sys.argv[1]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else scratch)
        subprocess.run([writer, str(folder)], check=True)
        failed = 0
        print("case".ljust(24) + "".join(name.rjust(16) for name in JUDGES))
        for path in sorted(folder.glob("*.onnx")):
            tensors = read_safetensors(path.with_suffix(".safetensors"))
            images, logits = tensors["images"], tensors["logits"]
            verdicts = [judge(run, path, images, logits) for run in JUDGES.values()]
            failed += sum(not holds for _, holds in verdicts)
            print(path.stem.ljust(24) + "".join(text.rjust(16) for text, _ in verdicts), flush=True)
    print("all judges agree" if not failed else f"{failed} disagreements")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
