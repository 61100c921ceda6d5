"""Runs exported files in onnxruntime, openvino, apache-tvm and onnx.checker, and holds the linter's
forecast against the kernels that onnxruntime and openvino really chose.

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

# Largest |difference| / largest |logit| by profile. Float: 1e-6 was measured, a wrong operator gives
# 1e-2 and more. Integers: a value on the border between two steps may fall on either side, and these
# random networks carry that on through all their layers.
TOLERANCE = {
    "fp32": 2e-5,
    "int8-weights": 2e-5,
    "fp16": 3e-2,
    "int8-u8": 6e-2,
    "int8-dynamic": 2e-2,
    "int8-s8": 1e-1,
}
# Where weights alone are integers, these runtimes quantise the activations of matrix products by
# themselves (not of convolutions); TVM computes in float.
OWN_INTEGERS = {"onnxruntime", "openvino"}
OWN_INTEGERS_TOLERANCE = 3e-2
# What a runtime cannot do with a kind of file, whatever is in it.
EXCUSED = {
    ("int8-dynamic", "tvm"): "no ConvInteger",
    ("int8-s8", "openvino"): "for TensorRT",
}


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


def profile_of(path):
    import onnx

    return {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}["profile"]


def has_products(path):
    import onnx

    return any(node.op_type == "MatMul" for node in onnx.load(str(path)).graph.node)


def tolerance(profile, name, path):
    if profile == "int8-weights" and name in OWN_INTEGERS and has_products(path):
        return OWN_INTEGERS_TOLERANCE
    return TOLERANCE[profile]


def check(path, images):
    import onnx
    import onnx.shape_inference

    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == {13: 7, 17: 8, 18: 8, 21: 10}[model.opset_import[0].version]
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


# What ONNX Runtime calls its integer convolutions and products.
ORT_KERNELS = {
    "QLinearConv",
    "QLinearMatMul",
    "QGemm",
    "ConvInteger",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
}


def onnxruntime_kernels(path):
    """Integer convolutions and products in ONNX Runtime's optimised graph."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns that the optimised file is for this machine
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = f"{folder}/optimised.onnx"
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        nodes = onnx.load(options.optimized_model_filepath).graph.node
    return sum(node.op_type in ORT_KERNELS for node in nodes)


def openvino_kernels(path):
    """The same in OpenVINO's execution graph."""
    import openvino

    compiled = openvino.Core().compile_model(
        str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    )
    kernels = 0
    for node in compiled.get_runtime_model().get_ops():
        info = node.get_rt_info()
        kind, precision = str(info["layerType"].astype(str)), str(info["runtimePrecision"].astype(str))
        kernels += kind in {"Convolution", "FullyConnected", "MatMul"} and precision in {"u8", "i8"}
    return kernels


KERNELS = {"onnxruntime": onnxruntime_kernels, "openvino": openvino_kernels}


def fusion(path):
    """What the linter expected and what became of it, for a quantised file."""
    # With float activations OpenVINO may still report the integers of a product's weights.
    if profile_of(path) not in {"int8-u8", "int8-s8", "int8-dynamic"}:
        return "", True
    expected = json.loads(path.with_suffix(".json").read_text())["integer_kernels"]
    found = {runtime: count(path) for runtime, count in KERNELS.items()}
    text = " ".join(f"{found[r]}({expected[r]})" for r in KERNELS)
    return text, found == expected


JUDGES = {
    "onnx.checker": check,
    "onnxruntime": run_onnxruntime,
    "openvino": run_openvino,
    "tvm": run_tvm,
}


def judge(name, run, path, images, logits):
    """(verdict, holds)"""
    profile = profile_of(path)
    if (profile, name) in EXCUSED:
        return EXCUSED[profile, name], True
    try:
        result = run(path, images)
    except Exception as problem:  # whatever a judge throws is its refusal
        return f"refused: {str(problem).strip().splitlines()[-1][:90]}", False
    if result is None:
        return "ok", True
    if result.shape != logits.shape:
        return f"shape {result.shape}, not {logits.shape}", False
    difference = float(np.abs(result - logits).max() / np.abs(logits).max())
    return f"{difference:.1e}", difference <= tolerance(profile, name, path)


def prove(folder):
    """Whether a bundle's own script finds its sample reproduced, and what it says."""
    result = subprocess.run([sys.executable, "prove.py"], cwd=folder, capture_output=True, text=True)
    said = (result.stdout + result.stderr).strip().splitlines()
    return (said or ["nothing"])[-1], result.returncode == 0


def main():
    writer = sys.argv[1]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else scratch)
        subprocess.run([writer, str(folder)], check=True)
        failed = 0
        heads = [*JUDGES, "kernels(expected)"]
        print("case".ljust(32) + "".join(name.rjust(18) for name in heads))
        for path in sorted(folder.glob("*.onnx")):
            tensors = read_safetensors(path.with_suffix(".safetensors"))
            images, logits = tensors["images"], tensors["logits"]
            verdicts = [judge(*item, path, images, logits) for item in JUDGES.items()]
            verdicts.append(fusion(path))
            failed += sum(not holds for _, holds in verdicts)
            print(path.stem.ljust(32) + "".join(text.rjust(18) for text, _ in verdicts), flush=True)
        for bundle in sorted(path for path in (folder / "bundles").iterdir() if path.is_dir()):
            text, holds = prove(bundle)
            failed += not holds
            print(f"bundle {bundle.name}: {text}", flush=True)
    print("all judges agree" if not failed else f"{failed} disagreements")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
