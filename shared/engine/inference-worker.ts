import type { io } from '@tensorflow/tfjs-core';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { joinFrames } from '../audio/frames';
import { AppError } from '../errors/app-error';
import type { FrontEnd } from '../contracts/front-end';
import { softmax } from '../decision/softmax';
import { createNetwork } from '../network/create-network';
import { inputSamples } from '../network/trunk';
import { decodeWeights, weightsFileNames } from '../registry/weights-file';
import type { InferenceRequest, InferenceReply, InferenceStart } from './inference-messages';
import { describeEngine, loadEngine } from './load-engine';
import { createScorer } from './scorer';

/** The thread that owns the engine: a window goes in as a waveform, its probabilities come out. */
async function main(): Promise<void> {
  const port = parentPort!;
  const { choice, folder, manifest, warmUpBatches } = workerData as InferenceStart;
  const engine = await loadEngine(choice);
  const network = createNetwork(manifest.network, manifest.classes.length);
  const weightsManifest = JSON.parse(
    await readFile(join(folder, weightsFileNames.manifest), 'utf8'),
  ) as io.WeightsManifestConfig;
  const bytes = await readFile(join(folder, weightsFileNames.bytes));
  const scorer = createScorer(network, decodeWeights(network, weightsManifest, bytes), engine);

  const predict = (windows: readonly Float32Array[]): Float32Array[] => {
    const features = toFeatures(windows, manifest.frontEnd);
    const logits = scorer.logits(features, windows.length);
    const classes = manifest.classes.length;
    return windows.map((_, index) => softmax(logits.subarray(index * classes, (index + 1) * classes)));
  };

  // The first batch of a size pays for planning and memory; a caller should not.
  for (const size of warmUpBatches) predict(Array.from({ length: size }, () => new Float32Array(1)));

  port.on('message', ({ id, windows }: InferenceRequest) => {
    const startedAt = performance.now();
    let reply: InferenceReply;
    try {
      const probabilities = predict(windows);
      reply = { id, probabilities, inferenceMs: performance.now() - startedAt };
    } catch (error) {
      reply = { id, error: AppError.from(error).message };
    }
    port.postMessage(reply);
  });
  const ready: InferenceReply = { ready: true, engine: describeEngine(engine, network.config) };
  port.postMessage(ready);
}

function toFeatures(windows: readonly Float32Array[], frontEnd: FrontEnd): Float32Array {
  const features = new Float32Array(windows.length * inputSamples);
  windows.forEach((window, index) => joinFrames(window, frontEnd, features, index * inputSamples));
  return features;
}

void main();
