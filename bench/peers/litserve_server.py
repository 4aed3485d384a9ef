"""LitServe with its dynamic batching. Usage: litserve_server.py VERSION_FOLDER PORT THREADS"""

import io
import sys

import litserve
import torch
from fastapi import Request

from model import answer, features, load_model

MAX_BATCH = 16
BATCH_SECONDS = 0.005


class Api(litserve.LitAPI):
    def setup(self, device):
        torch.set_num_threads(int(sys.argv[3]))
        self.model, self.classes = load_model(sys.argv[1])

    def decode_request(self, request):
        return torch.from_numpy(features(io.BytesIO(request["audio"].file.read()), self.model))

    def batch(self, inputs):
        return torch.stack(inputs)

    def predict(self, batch):
        with torch.inference_mode():
            return self.model(batch)

    def unbatch(self, output):
        return list(output)

    def encode_response(self, output):
        return answer(output, self.classes)


if __name__ == "__main__":
    api = Api(max_batch_size=MAX_BATCH, batch_timeout=BATCH_SECONDS, api_path="/classify")
    server = litserve.LitServer(api, accelerator="cpu", healthcheck_path="/readyz")
    server.run(host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", generate_client_file=False)
