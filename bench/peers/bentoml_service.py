"""BentoML with its adaptive batching. Started by `bentoml serve`; VERSION_FOLDER and THREADS come from the environment."""

import os
from pathlib import Path

import bentoml
import numpy
import torch

from model import answer, features, load_model


@bentoml.service(workers=1, traffic={"timeout": 60})
class Classifier:
    def __init__(self):
        torch.set_num_threads(int(os.environ["THREADS"]))
        self.model, self.classes = load_model(os.environ["VERSION_FOLDER"])

    @bentoml.api(batchable=True, max_batch_size=16, max_latency_ms=60_000, route="/classify")
    def classify(self, audio: list[Path]) -> list[dict]:
        batch = torch.from_numpy(numpy.stack([features(str(file), self.model) for file in audio]))
        with torch.inference_mode():
            return [answer(logits, self.classes) for logits in self.model(batch)]
