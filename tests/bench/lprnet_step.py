#!/usr/bin/env python3
"""Training step of LPRNet in plain eager PyTorch, the comparator of `plateforge bench train`.

Written for this purpose: channels_last, channel slice + MaxPool2d, train mode, fused AdamW, CTC.
Prints one JSON object with images per second (fastest and median step) for fp32 and bf16 autocast.
Run it under the same memory policy; tests/bench/train_step.sh does.
"""
import timing
import torch
from torch import nn
from torch.nn import functional as F


class SmallBlock(nn.Sequential):
    def __init__(self, cin, cout):
        q = cout // 4
        super().__init__(
            nn.Conv2d(cin, q, 1), nn.ReLU(inplace=True),
            nn.Conv2d(q, q, (3, 1), padding=(1, 0)), nn.ReLU(inplace=True),
            nn.Conv2d(q, q, (1, 3), padding=(0, 1)), nn.ReLU(inplace=True),
            nn.Conv2d(q, cout, 1))


def norm_relu(channels):
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


class LPRNet(nn.Module):
    def __init__(self, classes=68):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(3, 64, 3), norm_relu(64))
        self.b = nn.Sequential(SmallBlock(64, 128), norm_relu(128))
        self.c = nn.Sequential(SmallBlock(64, 256), norm_relu(256), SmallBlock(256, 256),
                               norm_relu(256))
        self.d = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(64, 256, (1, 4)), norm_relu(256),
                               nn.Dropout(0.5), nn.Conv2d(256, classes, (13, 1)),
                               norm_relu(classes))
        self.head = nn.Conv2d(448 + classes, classes, 1)

    def forward(self, x):
        a = self.a(x)
        b = self.b(F.max_pool2d(a, 3, 1))
        c = self.c(F.max_pool2d(b[:, ::2], 3, (1, 2)))
        d = self.d(F.max_pool2d(c[:, ::4], 3, (1, 2)))
        taps = [F.avg_pool2d(a, 5, 5), F.avg_pool2d(b, 5, 5), F.avg_pool2d(c, (4, 10), (4, 2)), d]
        taps = [t / t.pow(2).mean((1, 2, 3), keepdim=True) for t in taps]
        return self.head(torch.cat(taps, 1)).mean(2)


def make_step(precision, batch, _):
    net = LPRNet().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)
    pixels = torch.randint(0, 256, (batch, 3, 24, 94), dtype=torch.uint8)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    targets = torch.randint(0, 67, (batch, 7))
    steps, lengths = torch.full((batch,), 18), torch.full((batch,), 7)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = net((pixels.float() - 127.5) / 128)
        log_probs = logits.float().permute(2, 0, 1).log_softmax(2)
        F.ctc_loss(log_probs, targets, steps, lengths, blank=67, zero_infinity=True).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    timing.run(make_step, batch=128)
