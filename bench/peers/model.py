"""The networks of a version in PyTorch, with its weights in models/ (TensorFlow.js's format).

They are the report's two networks, or the heads on the pretrained encoder.
"""

import json
import math
import os
from pathlib import Path

import numpy
import soundfile
import soxr
import torch
from torch import nn
from torch.nn import functional

import encoder

SAMPLE_RATE = 16_000
WINDOW_SAMPLES = 80_000
FRAME_SAMPLES = 16_000
HOP_SAMPLES = 8_000
WIDTH = 16
TOKENS = 2251


def read_version(folder):
    """Reads a version's manifest, and its weights as float32 arrays by name."""
    manifest = json.loads((Path(folder) / "manifest.json").read_text())
    data = (Path(folder) / "weights.bin").read_bytes()
    weights, offset = {}, 0
    for group in json.loads((Path(folder) / "weights.json").read_text()):
        for spec in group["weights"]:
            dtype = numpy.dtype(spec.get("quantization", spec)["dtype"])
            count = math.prod(spec["shape"])
            values = numpy.frombuffer(data, dtype, count, offset)
            weights[spec["name"]] = values.astype(numpy.float32).reshape(spec["shape"])
            offset += count * dtype.itemsize
    return manifest, weights


class Trunk(nn.Module):
    """Three blocks of convolution, ReLU, max-pool: [B, 144000] to [B, 16, 2250]."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(1, 64, 7, stride=2, padding=2)
        self.conv2 = nn.Conv1d(64, 32, 5, stride=2, padding=2)
        self.conv3 = nn.Conv1d(32, 16, 3, stride=2, padding=2)

    def forward(self, samples):
        hidden = samples.unsqueeze(1)
        for conv in (self.conv1, self.conv2, self.conv3):
            hidden = functional.max_pool1d(functional.relu(conv(hidden)), 2)
            hidden = functional.dropout(hidden, 0.1, self.training)
        return hidden

    def load(self, weights):
        for name in ("conv1", "conv2", "conv3"):
            kernel = weights[f"{name}/kernel"][0].transpose(2, 1, 0)
            assign(getattr(self, name), kernel, weights[f"{name}/bias"])


class Cnn(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.trunk = Trunk()
        self.dense1 = nn.Linear(36_000, 128)
        self.dense2 = nn.Linear(128, classes)

    def forward(self, samples):
        return self.dense2(functional.relu(self.dense1(self.trunk(samples).flatten(1))))

    def load(self, weights):
        self.trunk.load(weights)
        load_linear(self.dense1, weights, "dense1")
        load_linear(self.dense2, weights, "dense2")


class Attention(nn.Module):
    def __init__(self, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, rows, sequence):
        split = lambda x: x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        attended = functional.scaled_dot_product_attention(
            split(self.query(rows)), split(self.key(sequence)), split(self.value(sequence))
        )
        dropped = functional.dropout(self.out(attended.transpose(1, 2).flatten(2)), 0.1, self.training)
        return self.norm(rows + dropped)


class Transformer(nn.Module):
    """The last attention block and the feed-forward block compute the class token only, as Earshot's do."""

    def __init__(self, classes, heads, hidden):
        super().__init__()
        self.trunk = Trunk()
        self.class_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.attention = nn.ModuleList(Attention(heads) for _ in range(4))
        self.widen, self.narrow = nn.Linear(WIDTH, hidden), nn.Linear(hidden, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, classes)
        position = torch.arange(TOKENS).unsqueeze(1)
        rate = torch.exp(torch.arange(0, WIDTH, 2) * (-math.log(10_000.0) / WIDTH))
        positions = torch.zeros(1, TOKENS, WIDTH)
        positions[0, :, 0::2] = torch.sin(position * rate)
        positions[0, :, 1::2] = torch.cos(position * rate)
        self.register_buffer("positions", positions)

    def forward(self, samples):
        tokens = self.trunk(samples).transpose(1, 2)
        token = self.class_token.expand(tokens.shape[0], -1, -1)
        hidden = torch.cat([token, tokens], 1) + self.positions
        for index, block in enumerate(self.attention):
            hidden = block(hidden[:, :1] if index == 3 else hidden, hidden)
        row = hidden[:, 0]
        fed = functional.dropout(self.narrow(functional.relu(self.widen(row))), 0.1, self.training)
        return self.head(self.norm(row + fed))

    def load(self, weights):
        self.trunk.load(weights)
        self.class_token.data = torch.from_numpy(weights["classToken"])
        for index, block in enumerate(self.attention, 1):
            for part in ("query", "key", "value", "out"):
                load_linear(getattr(block, part), weights, f"attention{index}/{part}")
            load_norm(block.norm, weights, f"attention{index}/norm")
        load_linear(self.widen, weights, "feedForward/in")
        load_linear(self.narrow, weights, "feedForward/out")
        load_norm(self.norm, weights, "feedForward/norm")
        load_linear(self.head, weights, "head")


def assign(layer, weight, bias):
    layer.weight.data = torch.from_numpy(weight.copy())
    layer.bias.data = torch.from_numpy(bias.copy())


def load_linear(layer, weights, name):
    assign(layer, weights[f"{name}/kernel"].T, weights[f"{name}/bias"])


def load_norm(layer, weights, name):
    assign(layer, weights[f"{name}/scale"], weights[f"{name}/shift"])


def load_model(folder):
    """Loads a version of `cnn`, `transformer` or `encoder`; ENCODER_FILE names the encoder's file.

    Returns the network in inference mode and the class names.
    """
    manifest, weights = read_version(folder)
    network, classes = manifest["members"][0]["network"], manifest["classes"]
    if network["architecture"] == "encoder":
        return encoder.Version(os.environ["ENCODER_FILE"], manifest, weights).eval(), classes
    if network["architecture"] == "cnn":
        model = Cnn(len(classes))
    else:
        model = Transformer(len(classes), network["heads"], network["hidden"])
    model.load(weights)
    return model.eval(), classes


def window_of(file, sample_rate, window_samples):
    """Reads an audio file or file object as mono, cut or padded with zeros to one window."""
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate, "HQ")
    window = numpy.zeros(window_samples, numpy.float32)
    window[: min(len(mono), window_samples)] = mono[:window_samples]
    return window


def features(file, model):
    """Computes the model's input from an audio file: the encoder's window, or the report's frames [144000]."""
    if isinstance(model, encoder.Version):
        return window_of(file, encoder.SAMPLE_RATE, encoder.WINDOW_SAMPLES)
    window = window_of(file, SAMPLE_RATE, WINDOW_SAMPLES)
    starts = range(0, WINDOW_SAMPLES - FRAME_SAMPLES + 1, HOP_SAMPLES)
    return numpy.concatenate([window[start : start + FRAME_SAMPLES] for start in starts])


def answer(logits, classes):
    """Formats the probabilities of one clip, the most probable class first."""
    probabilities = torch.softmax(torch.as_tensor(logits), 0).tolist()
    ranked = sorted(zip(probabilities, classes), reverse=True)
    return {
        "label": ranked[0][1],
        "confidence": ranked[0][0],
        "predictions": [{"label": label, "probability": p} for p, label in ranked[:5]],
    }
