import type { io } from '@tensorflow/tfjs-core';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { isMultiLabel } from '../../contracts/architecture';
import { AppError } from '../../errors/app-error';
import { independentProbabilities } from '../../decision/independent-probabilities';
import { classLogits, evidenceOf, tagProbabilities } from '../../decision/rejection';
import { meanProbabilities } from '../../decision/mean-probabilities';
import { createNetwork } from '../network/create-network';
import { ensembleParameters, splitMembers } from '../network/ensemble';
import { decodeWeights, weightsFileNames } from '../../registry/weights-file';
import { collectGarbage } from '../../runtime/threads/collect-garbage';
import { lowerPriority } from '../../runtime/lower-priority';
import { threadData, isCancelled, receive } from '../../runtime/threads/thread-side';
import type { InferenceResult } from './inference';
import type { InferenceRequest, InferenceReply, InferenceStart } from './inference-messages';
import { describeEngine, loadScoringEngine, withEncoder } from '../provide/load-engine';
import { createWindowScorer, type WindowScorer } from './window-scorer';

/** Enough for fifty streams whose windows share eight of nine frames, and for a long recording's. */
const cachedFrames = 512;

type Predict = (windows: readonly Float32Array[]) => Omit<InferenceResult, 'inferenceMs'>;

const port = parentPort!;
let scorer: WindowScorer | undefined;
let predict: Predict | undefined;

/** The thread that owns the engine: a window goes in as a waveform, its probabilities come out. */
async function main(): Promise<void> {
  receive(answer, () => {
    scorer?.dispose();
  });
  const { choice, folder, manifest, warmUpBatches, triedOut } = threadData() as InferenceStart;
  lowerPriority(triedOut ? 'everything' : 'answers');
  const engine = await withEncoder(await loadScoringEngine(choice, manifest.network), manifest.frontEnd);
  const network = createNetwork(manifest.network, manifest.classes.length);
  const weightsManifest = JSON.parse(
    await readFile(join(folder, weightsFileNames.manifest), 'utf8'),
  ) as io.WeightsManifestConfig;
  const bytes = await readFile(join(folder, weightsFileNames.bytes));
  if (isCancelled()) return;
  const members = manifest.members ?? 1;
  const stored = { parameters: ensembleParameters(network, members) };
  const values = decodeWeights(stored, weightsManifest, bytes);
  const own = (scorer = createWindowScorer(
    network,
    splitMembers(network, values, members),
    manifest.frontEnd,
    engine,
    { cachedFrames },
  ));
  const classes = manifest.classes.length;
  const judge: Predict = (windows) => {
    const rows = own.logits(windows);
    const evidence = rows.map((ofWindow) => evidenceOf(ofWindow, classes));
    const tags = rows.map((ofWindow) => tagProbabilities(ofWindow, classes));
    if (isMultiLabel(manifest.network)) {
      const probabilities = rows.map(independentProbabilities);
      return { probabilities, tags: probabilities };
    }
    return {
      probabilities: rows.map((ofWindow) =>
        meanProbabilities(
          ofWindow.map((row) => classLogits(row, classes)),
          manifest.calibration?.temperature,
        ),
      ),
      ...(evidence.every((value) => value !== undefined) ? { evidence } : {}),
      ...(tags.every((value) => value !== undefined) ? { tags } : {}),
    };
  };

  // The first batch of a size pays for planning and memory; a caller should not.
  for (const size of warmUpBatches) {
    if (isCancelled()) return;
    judge(Array.from({ length: size }, () => new Float32Array(1)));
  }
  predict = judge;
  collectGarbage();
  const ready: InferenceReply = { ready: true, engine: describeEngine(engine, network.config) };
  port.postMessage(ready);
}

/** Nobody asks before it is ready. */
function answer({ id, windows }: InferenceRequest): void {
  const startedAt = performance.now();
  try {
    const scores = predict!(windows);
    const result = { ...scores, inferenceMs: performance.now() - startedAt };
    const reply: InferenceReply = { id, result, windows };
    port.postMessage(
      reply,
      windows.map(({ buffer }) => buffer),
    );
  } catch (error) {
    port.postMessage({ id, error: AppError.from(error).message } satisfies InferenceReply);
  }
}

void main();
