#!/usr/bin/env python3
"""Training steps of MaskOCR at the reference's size in plain eager PyTorch, recognition and masked
autoencoder, the comparator of `plateforge bench train --config maskocr_reference.yaml`.

Written for this purpose, with all that is known to help: fused qkv, scaled_dot_product_attention,
oneDNN products (matmul precision "medium"), only visible strips in the encoder, fused AdamW. Prints
one JSON object with images per second (fastest and median step). tests/bench/train_step.sh runs it.
"""
import timing
import torch
from torch import nn
from torch.nn import functional as F

HEIGHT, WIDTH, STRIP, TOKENS = 48, 192, 8, 24
DIM, HEADS, HEAD_DIM, DROP, VISIBLE = 624, 12, 64, 0.25, 7


class Layer(nn.Module):
    def __init__(self, feed, drop):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.qkv = nn.Linear(DIM, 3 * HEADS * HEAD_DIM, bias=False)
        self.out = nn.Linear(HEADS * HEAD_DIM, DIM)
        self.feed = nn.Sequential(nn.Linear(DIM, feed), nn.GELU(), nn.Dropout(drop),
                                  nn.Linear(feed, DIM), nn.Dropout(drop))
        self.drop = drop

    def forward(self, x):
        n, t, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, HEADS, HEAD_DIM).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.drop if self.training else 0)
        x = x + F.dropout(self.out(y.transpose(1, 2).reshape(n, t, -1)), self.drop, self.training)
        return x + self.feed(self.norm2(x))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        values = HEIGHT * STRIP * 3
        self.embed = nn.Sequential(nn.LayerNorm(values), nn.Linear(values, DIM), nn.LayerNorm(DIM))
        self.positions = nn.Parameter(torch.randn(TOKENS, DIM) * 0.02)
        self.layers = nn.Sequential(*(Layer(DIM, DROP) for _ in range(8)))
        self.norm = nn.LayerNorm(DIM)

    def tokens(self, strips):
        return F.dropout(self.embed(strips) + self.positions, DROP, self.training)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.queries = nn.Parameter(torch.randn(7, DIM) * 0.02)
        self.decoder = nn.ModuleList(
            nn.TransformerDecoderLayer(DIM, 12, 2496, DROP, norm_first=True, batch_first=True)
            for _ in range(6))
        self.head = nn.Linear(DIM, 68)

    def loss(self, strips, targets):
        features = self.encoder.norm(self.encoder.layers(self.encoder.tokens(strips)))
        x = self.queries.expand(len(strips), -1, -1)
        for layer in self.decoder:
            x = layer(x, features)
        return self.head(x).flatten(0, 1), targets


class Painter(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.mask = nn.Parameter(torch.zeros(DIM))
        self.positions = nn.Parameter(torch.randn(TOKENS, DIM) * 0.02)
        self.layers = nn.Sequential(*(Layer(2496, 0.0) for _ in range(4)))
        self.norm, self.pixels = nn.LayerNorm(DIM), nn.Linear(DIM, HEIGHT * STRIP * 3)

    def loss(self, strips, order):
        pick = torch.arange(len(order))[:, None]
        seen, hidden = order[:, :VISIBLE], order[:, VISIBLE:]
        features = self.encoder.norm(self.encoder.layers(self.encoder.tokens(strips)[pick, seen]))
        x = torch.cat([features + self.positions[seen], self.mask + self.positions[hidden]], 1)
        return self.pixels(self.norm(self.layers(x))[:, VISIBLE:]), strips[pick, hidden]


def make_step(precision, batch, task):
    torch.set_float32_matmul_precision("medium")
    net = (Reader() if task == "reader" else Painter()).train()
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)
    pixels = torch.randint(0, 256, (batch, HEIGHT, WIDTH, 3), dtype=torch.uint8)
    targets = torch.randint(0, 67, (batch * 7,))
    order = torch.rand(batch, TOKENS).argsort(1)
    criterion = F.cross_entropy if task == "reader" else F.mse_loss

    def step():
        optimizer.zero_grad()
        strips = ((pixels.float() - 127.5) / 128).view(batch, HEIGHT, TOKENS, STRIP, 3)
        strips = strips.permute(0, 2, 1, 3, 4).reshape(batch, TOKENS, -1)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            out, wanted = net.loss(strips, targets if task == "reader" else order)
        criterion(out.float(), wanted).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    timing.run(make_step, batch=32, tasks=("reader", "mae"))
