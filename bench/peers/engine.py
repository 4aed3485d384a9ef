"""Prints milliseconds a clip in PyTorch and ONNX Runtime as JSON. Usage: engine.py THREADS [VERSION_FOLDER]

The report's networks are measured from their frames on. With the folder of an encoder version, its network
is measured alone, and from samples to the answer.
"""

import io
import json
import statistics
import sys
import time

import numpy
import onnxruntime
import torch

import encoder
from model import Cnn, Transformer, load_model

REPEATS = 5
# Of what takes a few milliseconds, and of which the fastest counts, as of Earshot's.
REPEATS_SHORT = 25
BATCHES = (1, 8, 32)


def clips(size):
    return torch.from_numpy(numpy.random.default_rng(1).random((size, 144_000), numpy.float32) - 0.5)


def ms_per_clip(run, size, repeats=REPEATS, chosen=statistics.median):
    run()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) * 1000 / size)
    return chosen(times)


def torch_forward(model, size, inputs=clips, repeats=REPEATS, chosen=statistics.median):
    batch = inputs(size)

    def run():
        with torch.inference_mode():
            model(batch)

    return ms_per_clip(run, size, repeats, chosen)


def torch_training(model, size):
    batch, labels = clips(size), torch.arange(size) % 10
    optimizer = torch.optim.Adam(model.parameters(), 0.001)

    def run():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(batch), labels).backward()
        optimizer.step()

    return ms_per_clip(run, size, repeats=2)


def onnx_session(model, threads, inputs=clips):
    buffer = io.BytesIO()
    torch.onnx.export(
        model,
        (inputs(1),),
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


def samples(size):
    return torch.from_numpy(numpy.random.default_rng(1).random((size, encoder.WINDOW_SAMPLES), numpy.float32) - 0.5)


def encoder_rows(folder, threads):
    """The best of what each offers: ONNX Runtime has no complex Fourier transform, so that its front end is PyTorch's."""
    version, _ = load_model(folder)

    def pictures(size):
        with torch.no_grad():
            return version.front_end(samples(size))

    session = onnx_session(version.network, threads, pictures)

    def onnx_network(size):
        feed = {"samples": pictures(size).numpy()}
        return ms_per_clip(lambda: session.run(None, feed), size, REPEATS_SHORT, min)

    def onnx_answer(size):
        batch = samples(size)

        def run():
            with torch.inference_mode():
                picture = version.front_end(batch)
                outputs = session.run(None, {"samples": picture.numpy()})[0]
                return version.answer(torch.from_numpy(outputs))

        return ms_per_clip(run, size, REPEATS_SHORT, min)

    rows = {
        ("PyTorch", "encoder, network alone"): lambda size: torch_forward(version.network, size, pictures, REPEATS_SHORT, min),
        ("ONNX Runtime", "encoder, network alone"): onnx_network,
        ("PyTorch", "encoder, samples to answer"): lambda size: torch_forward(version, size, samples, REPEATS_SHORT, min),
        ("ONNX Runtime", "encoder, samples to answer"): onnx_answer,
    }
    for (peer, name), measure in rows.items():
        show(peer, name, {str(size): measure(size) for size in BATCHES})


def show(peer, name, figures):
    versions = {"PyTorch": torch.__version__.split("+")[0], "ONNX Runtime": onnxruntime.__version__}
    print(json.dumps({"peer": f"{peer} {versions[peer]}", "architecture": name, "msPerClip": figures}), flush=True)


def main():
    threads = int(sys.argv[1])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    if len(sys.argv) > 2:
        encoder_rows(sys.argv[2], threads)
        return
    for name in ("cnn", "transformer"):
        model = (Cnn(10) if name == "cnn" else Transformer(10, 4, 1024)).eval()
        session = onnx_session(model, threads)
        forward = {str(size): torch_forward(model, size) for size in BATCHES}
        show("PyTorch", name, {**forward, "training": torch_training(model.train(), 32)})
        show("ONNX Runtime", name, {str(size): onnx_forward(session, size) for size in BATCHES})


main()
