import type { io } from '@tensorflow/tfjs-core';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { AppError } from '../errors/app-error';
import { meanProbabilities } from '../decision/mean-probabilities';
import { createNetwork } from '../network/create-network';
import { ensembleParameters, splitMembers } from '../network/ensemble';
import { decodeWeights, weightsFileNames } from '../registry/weights-file';
import { stepBack } from '../threads/step-back';
import type { InferenceRequest, InferenceReply, InferenceStart } from './inference-messages';
import { describeEngine, loadEngine } from './load-engine';
import { createWindowScorer } from './window-scorer';

/** Enough for fifty streams whose windows share eight of nine frames, and for a long recording's. */
const cachedFrames = 512;

/** The thread that owns the engine: a window goes in as a waveform, its probabilities come out. */
async function main(): Promise<void> {
  const port = parentPort!;
  const { choice, folder, manifest, warmUpBatches, triedOut } = workerData as InferenceStart;
  if (triedOut) stepBack();
  const engine = await loadEngine(choice);
  const network = createNetwork(manifest.network, manifest.classes.length);
  const weightsManifest = JSON.parse(
    await readFile(join(folder, weightsFileNames.manifest), 'utf8'),
  ) as io.WeightsManifestConfig;
  const bytes = await readFile(join(folder, weightsFileNames.bytes));
  const members = manifest.members ?? 1;
  const stored = { parameters: ensembleParameters(network, members) };
  const values = decodeWeights(stored, weightsManifest, bytes);
  const scorer = createWindowScorer(
    network,
    splitMembers(network, values, members),
    manifest.frontEnd,
    engine,
    { cachedFrames },
  );
  const predict = (windows: readonly Float32Array[]): Float32Array[] =>
    scorer.logits(windows).map((rows) => meanProbabilities(rows, manifest.calibration?.temperature));

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

void main();
