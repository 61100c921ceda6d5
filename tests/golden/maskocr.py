"""Writes maskocr.h: MaskOCR and its pre-training in plain PyTorch, from the paper's and the public
code's description alone, for tests/unit/models/maskocr_test.cpp.

    python maskocr.py > maskocr.h        (torch 2.13)

Small sizes, both forms. Every parameter is filled by a formula of its name and index, which the test
repeats, so that no weights have to be stored. Given are the logits, the loss, and the logits after
one step of AdamW; of pre-training the painted patches and the loss.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

HEIGHT, WIDTH, PATCH = 8, 24, 4
DIM, HEADS, HEAD_DIM, FEED = 24, 2, 16, 20
LAYERS, DEC_LAYERS, DEC_HEADS, DEC_FEED = 2, 2, 3, 40
SLOTS, CLASSES, TOKENS = 5, 7, WIDTH // PATCH
MAE_LAYERS, MAE_FEED, VISIBLE = 1, 30, 2


def fill(name, shape, norm):
    """float32 of 0.2 sin(0.7 i + length of the name), plus 1 for the weights of norms."""
    count = math.prod(shape)
    base = 1.0 if norm else 0.0
    values = [base + 0.2 * math.sin(0.7 * i + len(name)) for i in range(count)]
    return torch.tensor(values, dtype=torch.float32).reshape(shape)


class Attention(nn.Module):
    """Self-attention with heads wider than dim / heads, no bias on q, k and v."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(DIM, 3 * HEADS * HEAD_DIM, bias=False)
        self.out = nn.Linear(HEADS * HEAD_DIM, DIM)

    def forward(self, x):
        n, t, _ = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, HEADS, HEAD_DIM).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).reshape(n, t, -1))


class Layer(nn.Module):
    def __init__(self, feed):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.attention = Attention()
        self.feed = nn.ModuleDict({"expand": nn.Linear(DIM, feed), "project": nn.Linear(feed, DIM)})

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.feed["project"](F.gelu(self.feed["expand"](self.norm2(x))))


def patches_of(images):
    """[N, 3, H, W] to strips of rows, columns, channels."""
    n = images.shape[0]
    cut = images.view(n, 3, HEIGHT, TOKENS, PATCH)
    return cut.permute(0, 3, 2, 4, 1).reshape(n, TOKENS, HEIGHT * PATCH * 3)


class Encoder(nn.Module):
    def __init__(self, reference):
        super().__init__()
        values = HEIGHT * PATCH * 3
        self.patch = nn.ModuleDict({"norm1": nn.LayerNorm(values), "linear": nn.Linear(values, DIM),
                                    "norm2": nn.LayerNorm(DIM)})
        self.positions = nn.Parameter(torch.zeros(TOKENS + int(reference), DIM))
        if reference:
            self.class_token = nn.Parameter(torch.zeros(DIM))
        self.layers = nn.ModuleList(Layer(FEED) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(DIM)

    def embed(self, images):
        x = patches_of(images)
        x = self.patch["norm2"](self.patch["linear"](self.patch["norm1"](x)))
        return x + self.positions[-TOKENS:]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class Decoder(nn.Module):
    """torch's own decoder layers; `packed` says which of our tensors make up each of theirs."""

    def __init__(self, reference):
        super().__init__()
        self.queries = nn.Parameter(torch.zeros(SLOTS, DIM))
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(DIM, DEC_HEADS, DEC_FEED, dropout=0.0, norm_first=True,
                                       activation="relu" if reference else "gelu", batch_first=True)
            for _ in range(DEC_LAYERS))
        self.norm = None if reference else nn.LayerNorm(DIM)
        place = torch.arange(SLOTS).float()[:, None]
        angle = place * torch.exp(torch.arange(0, DIM, 2).float() * (-math.log(10000.0) / DIM))
        self.sines = torch.stack([angle.sin(), angle.cos()], 2).flatten(1) if reference else 0

    def forward(self, memory):
        x = (self.queries + self.sines).expand(memory.shape[0], -1, -1)
        for layer in self.layers:
            x = layer(x, memory)
        return x if self.norm is None else self.norm(x)


class MaskOcr(nn.Module):
    def __init__(self, reference):
        super().__init__()
        self.encoder = Encoder(reference)
        self.decoder = Decoder(reference)
        self.head = nn.Linear(DIM, CLASSES)

    def forward(self, images):
        return self.head(self.decoder(self.encoder(self.encoder.embed(images)))).transpose(1, 2)


class Mae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder(False)
        self.painter = nn.Module()
        self.painter.mask_token = nn.Parameter(torch.zeros(DIM))
        self.painter.positions = nn.Parameter(torch.zeros(TOKENS, DIM))
        self.painter.layers = nn.ModuleList(Layer(MAE_FEED) for _ in range(MAE_LAYERS))
        self.painter.norm = nn.LayerNorm(DIM)
        self.painter.pixels = nn.Linear(DIM, HEIGHT * PATCH * 3)

    def forward(self, images, order):
        pick = torch.arange(order.shape[0])[:, None]
        seen, hidden = order[:, :VISIBLE], order[:, VISIBLE:]
        features = self.encoder(self.encoder.embed(images)[pick, seen])
        x = torch.cat([features + self.painter.positions[seen],
                       self.painter.mask_token + self.painter.positions[hidden]], 1)
        for layer in self.painter.layers:
            x = layer(x)
        painted = self.painter.pixels(self.painter.norm(x)[:, VISIBLE:])
        wanted = patches_of(images)[pick, hidden]
        mean, variance = wanted.mean(2, keepdim=True), wanted.var(2, keepdim=True)
        return painted, (wanted - mean) / (variance + 1e-6).sqrt()


def ours(name, tensor):
    """Our name and shape of each part of a parameter, in the order in which they lie in it."""
    if ".self_attn." not in name and ".multihead_attn." not in name:
        name = name.replace("linear1", "feed.expand").replace("linear2", "feed.project")
        return [(name, tuple(tensor.shape))]
    cross = ".multihead_attn." in name
    name = name.replace("self_attn", "attention").replace("multihead_attn", "cross")
    if "out_proj" in name:
        return [(name.replace("out_proj", "out"), tuple(tensor.shape))]
    kind = "weight" if name.endswith("in_proj_weight") else "bias"
    stem = name[:name.rindex(".")]
    rest = tuple(tensor.shape[1:])
    if not cross:
        return [(f"{stem}.qkv.{kind}", (3 * DIM, *rest))]
    return [(f"{stem}.query.{kind}", (DIM, *rest)), (f"{stem}.memory.{kind}", (2 * DIM, *rest))]


def fill_all(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            norm = "norm" in name and name.endswith("weight")
            parts = [fill(own, shape, norm) for own, shape in ours(name, parameter)]
            parameter.copy_(torch.cat(parts, 0) if len(parts) > 1 else parts[0])


def pictures(count):
    values = [((7919 * i) % 256 - 127.5) / 128 for i in range(count * HEIGHT * WIDTH * 3)]
    return torch.tensor(values).reshape(count, HEIGHT, WIDTH, 3).permute(0, 3, 1, 2)


def write(name, values):
    numbers = [f"{v:.9g}" for v in values.detach().flatten().tolist()]
    lines = [", ".join(numbers[i:i + 6]) for i in range(0, len(numbers), 6)]
    print(f"inline const std::vector<double> {name} = {{\n    " + ",\n    ".join(lines) + "};\n")


def reader(reference):
    torch.manual_seed(0)
    model = MaskOcr(reference)
    fill_all(model)
    model.eval()  # dropout is 0; torch's fast path is off while gradients are wanted
    targets = torch.tensor([[1, 2, 3, 6, 6], [5, 4, 3, 2, 1]])
    weights = [p for n, p in model.named_parameters()
               if p.dim() > 1 and n.endswith(("weight",))]
    others = [p for p in model.parameters() if all(p is not w for w in weights)]
    optimizer = torch.optim.AdamW([{"params": weights, "weight_decay": 0.05},
                                   {"params": others, "weight_decay": 0.0}],
                                  lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
    logits = model(pictures(2))
    loss = F.cross_entropy(logits, targets, label_smoothing=0.1)
    loss.backward()
    optimizer.step()
    suffix = "Reference" if reference else "Mended"
    write(f"kLogits{suffix}", logits)
    write(f"kLoss{suffix}", loss)
    write(f"kLogitsAfterStep{suffix}", model(pictures(2)))


def main():
    print("// Written by maskocr.py.\n#pragma once\n\n#include <vector>\n\nnamespace plateforge::golden {\n\n// clang-format off")
    reader(True)
    reader(False)
    mae = Mae()
    fill_all(mae)
    painted, wanted = mae(pictures(2), torch.tensor([[3, 0, 1, 5, 4, 2], [1, 2, 0, 3, 5, 4]]))
    write("kPainted", painted)
    write("kMaeLoss", F.mse_loss(painted, wanted))
    print("}  // namespace plateforge::golden")


main()
