"""The pretrained encoder (EfficientAT's mn04_as, from its published file) in PyTorch, with its front end and a version's heads."""

import math

import torch
from torch import nn
from torch.nn import functional

SAMPLE_RATE = 32_000
WINDOW_SAMPLES = 160_000
BANDS, FFT, HOP, HEARD = 128, 1024, 320, 800
FEATURES, TAG_HIDDEN, TAGS = 384, 512, 527

# expanded, kernel, stride, squeezed, out, activation; each block's input is what the one before puts out
BLOCKS = [
    (8, 3, 1, 0, 8, "relu"), (24, 3, 2, 0, 16, "relu"), (32, 3, 1, 0, 16, "relu"),
    (32, 5, 2, 8, 16, "relu"), (48, 5, 1, 16, 16, "relu"), (48, 5, 1, 16, 16, "relu"),
    (96, 3, 2, 0, 32, "hardswish"), (80, 3, 1, 0, 32, "hardswish"), (72, 3, 1, 0, 32, "hardswish"),
    (72, 3, 1, 0, 32, "hardswish"), (192, 3, 1, 48, 48, "hardswish"), (272, 3, 1, 72, 48, "hardswish"),
    (272, 5, 2, 72, 64, "hardswish"), (384, 5, 1, 96, 64, "hardswish"), (384, 5, 1, 96, 64, "hardswish"),
]


def convolution(inputs, outputs, kernel, stride=1, groups=1):
    """A convolution with its batch norm folded in."""
    return nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups)


class Block(nn.Module):
    def __init__(self, inputs, expanded, kernel, stride, squeezed, outputs, activation):
        super().__init__()
        self.expand = convolution(inputs, expanded, 1) if expanded != inputs else None
        self.depthwise = convolution(expanded, expanded, kernel, stride, expanded)
        self.squeeze = nn.Linear(expanded, squeezed) if squeezed else None
        self.excite = nn.Linear(squeezed, expanded) if squeezed else None
        self.project = convolution(expanded, outputs, 1)
        self.activation = functional.relu if activation == "relu" else functional.hardswish
        self.adds = stride == 1 and inputs == outputs

    def forward(self, maps):
        hidden = maps if self.expand is None else self.activation(self.expand(maps))
        hidden = self.activation(self.depthwise(hidden))
        if self.squeeze is not None:
            share = torch.sigmoid(self.excite(functional.relu(self.squeeze(hidden.mean((2, 3))))))
            hidden = hidden * share[:, :, None, None]
        projected = self.project(hidden)
        return maps + projected if self.adds else projected


class Network(nn.Module):
    """Pictures [B, 1, 128, T] to features and tag logits [B, 384 + 527]."""

    def __init__(self):
        super().__init__()
        self.stem = convolution(1, 8, 3, 2)
        inputs = [8] + [row[4] for row in BLOCKS]
        self.blocks = nn.ModuleList(Block(inputs[i], *row) for i, row in enumerate(BLOCKS))
        self.last = convolution(64, FEATURES, 1)
        self.hidden, self.tags = nn.Linear(FEATURES, TAG_HIDDEN), nn.Linear(TAG_HIDDEN, TAGS)

    def forward(self, pictures):
        maps = functional.hardswish(self.stem(pictures))
        for block in self.blocks:
            maps = block(maps)
        features = functional.hardswish(self.last(maps)).mean((2, 3))
        return torch.cat([features, self.tags(functional.hardswish(self.hidden(features)))], 1)

    def load(self, state):
        load_folded(self.stem, state, "features.0")
        for n, block in enumerate(self.blocks, 1):
            places = iter(range(4))
            name = lambda: f"features.{n}.block.{next(places)}"
            if block.expand is not None:
                load_folded(block.expand, state, name())
            load_folded(block.depthwise, state, name())
            if block.squeeze is not None:
                squeeze = f"{name()}.conc_se_layers.0"
                load_linear(block.squeeze, state, f"{squeeze}.fc1")
                load_linear(block.excite, state, f"{squeeze}.fc2")
            load_folded(block.project, state, name())
        load_folded(self.last, state, "features.16")
        load_linear(self.hidden, state, "classifier.2")
        load_linear(self.tags, state, "classifier.5")


def load_folded(layer, state, name):
    gain = state[f"{name}.1.weight"] / torch.sqrt(state[f"{name}.1.running_var"] + 0.001)
    layer.weight.data = state[f"{name}.0.weight"] * gain[:, None, None, None]
    layer.bias.data = state[f"{name}.1.bias"] - state[f"{name}.1.running_mean"] * gain


def load_linear(layer, state, name):
    layer.weight.data, layer.bias.data = state[f"{name}.weight"], state[f"{name}.bias"]


class FrontEnd(nn.Module):
    """Samples [B, N] at 32 kHz to pictures [B, 1, 128, T], as the authors compute them: torch.stft and a product with the mel bank."""

    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(HEARD, periodic=False))
        mel = lambda hertz: 1127 * math.log(1 + hertz / 700)
        spacing = mel(15_000) / (BANDS + 1)
        bank = torch.zeros(BANDS, FFT // 2 + 1)
        for b in range(BANDS):
            for k in range(FFT // 2):
                at = mel(k * SAMPLE_RATE / FFT) / spacing
                bank[b, k] = max(0.0, min(at - b, b + 2 - at))
        self.register_buffer("bank", bank)

    def forward(self, samples):
        emphasised = samples[:, 1:] - 0.97 * samples[:, :-1]
        spectrum = torch.stft(emphasised, FFT, HOP, HEARD, self.window, center=True, pad_mode="reflect", return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()
        return ((torch.log(self.bank @ power + 0.00001) + 4.5) / 5).unsqueeze(1)


class Version(nn.Module):
    """Samples [B, N] to the logits of a version's classes: the mean of its heads' probabilities, as their logarithm."""

    def __init__(self, file, manifest, weights):
        super().__init__()
        self.front_end, self.network = FrontEnd(), Network()
        self.network.load(torch.load(file, map_location="cpu", weights_only=True))
        members = len(manifest["members"])
        prefix = lambda m: "" if members == 1 else f"{m}/"
        head = lambda name: [torch.from_numpy(weights[f"{prefix(m)}dense/{name}"]) for m in range(members)]
        self.register_buffer("kernel", torch.cat(head("kernel"), 1))
        self.register_buffer("bias", torch.cat(head("bias")))
        self.members, self.temperature = members, manifest["calibration"]["temperature"]

    def answer(self, outputs):
        logits = outputs[:, :FEATURES] @ self.kernel + self.bias
        probabilities = torch.softmax(logits.unflatten(1, (self.members, -1)) / self.temperature, 2)
        return torch.log(probabilities.mean(1))

    def forward(self, samples):
        return self.answer(self.network(self.front_end(samples)))
