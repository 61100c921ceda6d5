"""Writes tests/data/small-zip.pth: torch.save of a small state dict (PyTorch 2.13)."""
import collections, sys, torch
state = collections.OrderedDict()
state["layer.weight"] = torch.arange(6, dtype=torch.float32).reshape(2, 3)
state["layer.transposed"] = state["layer.weight"].t()
state["layer.bias"] = torch.nn.Parameter(torch.tensor([0.5, -1.5]))
state["layer.half"] = torch.tensor([1.0, 2.0], dtype=torch.bfloat16)
state["layer.num_batches_tracked"] = torch.tensor(7)
torch.save(state, sys.argv[1])
