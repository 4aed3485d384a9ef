"""POST /classify with FastAPI, a thread pool and PyTorch. Usage: fastapi_server.py VERSION_FOLDER PORT THREADS"""

import io
import sys

import torch
import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

from model import answer, features, load_model

folder, port, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
model, classes = load_model(folder)
app = FastAPI()


def classify(body):
    with torch.inference_mode():
        logits = model(torch.from_numpy(features(io.BytesIO(body), model))[None])[0]
    return answer(logits, classes)


@app.get("/readyz")
def ready():
    return {"status": "ready"}


@app.post("/classify")
async def route(request: Request):
    return await run_in_threadpool(classify, await request.body())


uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
