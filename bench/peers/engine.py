"""Milliseconds a clip in PyTorch and ONNX Runtime, as JSON: engine.py THREADS [cnn|transformer ...]"""

import io
import json
import statistics
import sys
import time

import numpy
import onnxruntime
import torch

from model import Cnn, Transformer

REPEATS = 5
BATCHES = (1, 8, 32)


def clips(size):
    return torch.from_numpy(numpy.random.default_rng(1).random((size, 144_000), numpy.float32) - 0.5)


def ms_per_clip(run, size, repeats=REPEATS):
    run()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) * 1000 / size)
    return statistics.median(times)


def torch_forward(model, size):
    batch = clips(size)

    def run():
        with torch.inference_mode():
            model(batch)

    return ms_per_clip(run, size)


def torch_training(model, size):
    batch, labels = clips(size), torch.arange(size) % 10
    optimizer = torch.optim.Adam(model.parameters(), 0.001)

    def run():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(batch), labels).backward()
        optimizer.step()

    return ms_per_clip(run, size, repeats=2)


def onnx_session(model, threads):
    buffer = io.BytesIO()
    torch.onnx.export(
        model,
        (clips(1),),
        buffer,
        dynamo=False,
        input_names=["samples"],
        output_names=["logits"],
        dynamic_axes={"samples": {0: "batch"}, "logits": {0: "batch"}},
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(buffer.getvalue(), options, providers=["CPUExecutionProvider"])


def onnx_forward(session, size):
    feed = {"samples": clips(size).numpy()}
    return ms_per_clip(lambda: session.run(None, feed), size)


def main():
    threads, names = int(sys.argv[1]), sys.argv[2:] or ["cnn", "transformer"]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    for name in names:
        model = (Cnn(10) if name == "cnn" else Transformer(10, 4, 1024)).eval()
        session = onnx_session(model, threads)
        rows = {
            f"PyTorch {torch.__version__.split('+')[0]}": {
                **{str(size): torch_forward(model, size) for size in BATCHES},
                "training": torch_training(model.train(), 32),
            },
            f"ONNX Runtime {onnxruntime.__version__}": {
                str(size): onnx_forward(session, size) for size in BATCHES
            },
        }
        for peer, figures in rows.items():
            print(json.dumps({"peer": peer, "architecture": name, "msPerClip": figures}), flush=True)


main()
