"""Holds our MobileNetV4 against timm's with random weights.

    timm_parity.py TIMM_PARITY

TIMM_PARITY is the program beside this script. Prints a table; exit code 1 when a tensor differs by
more than 1e-4 of its largest value, 77 (skipped) where timm or torch is missing. timm needs no more
of torchvision than its names, so stand-ins do where it is not installed.
"""

import importlib.machinery
import importlib.util
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import types

TOLERANCE = 1e-4
MODELS = {
    "mnv4_conv_small": "mobilenetv4_conv_small",
    "mnv4_conv_small_050": "mobilenetv4_conv_small_050",
    "mnv4_conv_medium": "mobilenetv4_conv_medium",
    "mnv4_hybrid_medium": "mobilenetv4_hybrid_medium",
}


class AnyName(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class StandIns:
    """Makes `import torchvision.anything` succeed with modules that have every name."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] != "torchvision":
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        def attribute(name):
            if name.startswith("__"):
                raise AttributeError(name)
            return AnyName(name, (), {})

        module = types.ModuleType(spec.name)
        module.__getattr__ = attribute
        return module

    def exec_module(self, module):
        pass


def write_safetensors(path, tensors):
    types_ = {"torch.float32": "F32", "torch.int64": "I64"}
    header, body = {}, b""
    for name, tensor in tensors.items():
        data = tensor.detach().contiguous().numpy().tobytes()
        offsets = [len(body), len(body) + len(data)]
        header[name] = {
            "dtype": types_[str(tensor.dtype)],
            "shape": list(tensor.shape),
            "data_offsets": offsets,
        }
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def randomize(model, torch):
    """Norms away from one and zero, layer scales away from their tiny start."""
    for name, tensor in model.state_dict().items():
        if name.endswith("gamma"):
            tensor.uniform_(0.2, 0.6)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif name.endswith("running_mean") or (tensor.dim() == 1 and name.endswith("bias")):
            tensor.uniform_(-0.3, 0.3)
        elif tensor.dim() == 1 and tensor.is_floating_point():
            tensor.uniform_(0.7, 1.3)


def compare(program, ours, theirs, folder):
    """Prints a line; returns whether all tensors agree."""
    import timm
    import torch

    torch.manual_seed(7)
    model = timm.create_model(theirs).eval()
    with torch.no_grad():
        randomize(model, torch)
        images = torch.randn(2, 3, 96, 128)
        case = {"images": images, "logits": model(images)}
        x = model.bn1(model.conv_stem(images))
        for stage, block in enumerate(model.blocks[:4]):
            x = block(x)
            case[f"stride{4 << stage}"] = x
    write_safetensors(folder / "weights.safetensors", model.state_dict())
    write_safetensors(folder / "case.safetensors", case)
    result = subprocess.run(
        [program, ours, folder / "weights.safetensors", folder / "case.safetensors"],
        capture_output=True,
        text=True,
    )
    words = result.stdout.split()
    print(ours.ljust(22), *words, result.stderr.strip()[:300], flush=True)
    return result.returncode == 0 and all(float(word) <= TOLERANCE for word in words[1::2])


def main():
    if importlib.util.find_spec("timm") is None or importlib.util.find_spec("torch") is None:
        print("no timm or no torch in this environment")
        return 77
    if importlib.util.find_spec("torchvision") is None:
        sys.meta_path.insert(0, StandIns())
    with tempfile.TemporaryDirectory() as folder:
        agree = [compare(sys.argv[1], *names, pathlib.Path(folder)) for names in MODELS.items()]
    print("all agree" if all(agree) else "disagreement")
    return 0 if all(agree) else 1


if __name__ == "__main__":
    sys.exit(main())
