import { dirname } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { distinctNetworks } from '../../contracts/members';
import { AppError } from '../../errors/app-error';
import { collectGarbage } from '../../runtime/threads/collect-garbage';
import { lowerPriority } from '../../runtime/lower-priority';
import { threadData, isCancelled, receive } from '../../runtime/threads/thread-side';
import type { InferenceResult } from './inference';
import type { InferenceRequest, InferenceReply, InferenceStart } from './inference-messages';
import { describeEngine, loadScoringEngine, withEncoder } from '../provide/load-engine';
import { loadMembers } from './load-members';
import { Pipeline } from './pipeline';
import { createWindowScorer, type WindowScorer } from './window-scorer';
import { windowScores } from './window-scores';

/** Enough for fifty streams whose windows share eight of nine frames, and for a long recording's. */
const cachedFrames = 512;

/** Begins to judge windows. @returns waits for what is said of them */
type Predict = (windows: readonly Float32Array[]) => () => Omit<InferenceResult, 'inferenceMs'>;

const port = parentPort!;
let scorer: WindowScorer | undefined;
let predict: Predict | undefined;
let pipeline: Pipeline<InferenceRequest> | undefined;
/** When the latest batch was finished. */
let finishedAt = -Infinity;

/** The thread that owns the engine: a window goes in as a waveform, its probabilities come out. */
async function main(): Promise<void> {
  // Nobody asks before it is ready.
  const answer = (request: InferenceRequest): void => {
    pipeline!.take(request);
  };
  receive(answer, () => {
    pipeline?.flush();
    scorer?.dispose();
  });
  const { choice, folder, manifest, warmUpBatches, triedOut, inFlight } = threadData() as InferenceStart;
  lowerPriority(triedOut ? 'everything' : 'answers');
  const networks = distinctNetworks(manifest);
  const engine = await withEncoder(
    await loadScoringEngine(choice, ...networks),
    manifest.frontEnds,
    dirname(folder),
  );
  if (isCancelled()) return;
  const members = await loadMembers({ folder, manifest });
  const own = (scorer = createWindowScorer(members, engine, { cachedFrames }));
  const begin: Predict = (windows) => {
    const read = own.begin(windows);
    return () => windowScores(read(), manifest);
  };

  // The first batch of a size pays for planning and memory; a caller should not.
  for (const size of warmUpBatches) {
    if (isCancelled()) return;
    begin(Array.from({ length: size }, () => new Float32Array(1)))();
  }
  predict = begin;
  pipeline = new Pipeline(beginAnswer, inFlight > 1);
  collectGarbage();
  const ready: InferenceReply = { ready: true, engine: describeEngine(engine, ...networks) };
  port.postMessage(ready);
}

/** Begins to answer a request. @returns waits for the answer and sends it */
function beginAnswer({ id, windows }: InferenceRequest): () => void {
  const startedAt = performance.now();
  const fail = (error: unknown): void => {
    port.postMessage({ id, error: AppError.from(error).message } satisfies InferenceReply);
  };
  try {
    const read = predict!(windows);
    return () => {
      try {
        sendResult(id, windows, read(), startedAt);
      } catch (error) {
        fail(error);
      }
    };
  } catch (error) {
    return () => {
      fail(error);
    };
  }
}

function sendResult(
  id: number,
  windows: InferenceRequest['windows'],
  scores: Omit<InferenceResult, 'inferenceMs'>,
  startedAt: number,
): void {
  const now = performance.now();
  // While the batch before it was computed, this one waited.
  const result = { ...scores, inferenceMs: now - Math.max(startedAt, finishedAt) };
  finishedAt = now;
  const reply: InferenceReply = { id, result, windows };
  port.postMessage(
    reply,
    windows.map(({ buffer }) => buffer),
  );
}

void main();
