import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { windowSamples } from '../../shared/contracts/front-end';
import { withEqualWeight } from '../../shared/decision/equal-weight';
import { goldenClips } from '../../shared/front-end/golden-clips';
import { createWindowScorer, type WindowScorer } from '../../shared/compute/inference/window-scorer';
import { withEncoder, type LoadedEngine } from '../../shared/compute/provide/load-engine';
import { projectFolder } from '../service';
import { withEncoderFile } from '../with-encoder-file';
import { within, type CheckRow } from './check-row';
import type { CheckSize } from './check-size';
import { referenceInputs, referenceOutputs } from './reference';
import type { Subject } from './subjects';

/** The largest difference of an output to the double-precision reference, relative to the largest output. */
export async function compareWithReference(
  subject: Subject,
  engine: LoadedEngine,
  limit: number,
): Promise<CheckRow> {
  const loaded = await withSubjectsEncoder(subject, engine);
  // One window: the reference takes seconds for it.
  const windows = soundsFor(subject).slice(0, 1);
  const rows = withScorer(subject, loaded, (scorer) => scorer.logits(windows));
  const differences = windows.map((window, index) =>
    relativeDifference(rows[index]!, referenceRows(subject, window, loaded)),
  );
  const largest = Math.max(...differences);
  return {
    check: 'parity',
    subject: subject.name,
    figures: { 'largest relative difference': largest },
    verdict: within(largest, limit),
  };
}

/** Milliseconds a window on an engine and on the native kernels, by batch. */
export async function timeBeside(
  subject: Subject,
  engine: LoadedEngine,
  native: LoadedEngine,
  { batches, seconds }: CheckSize,
): Promise<CheckRow> {
  const sounds = soundsFor(subject);
  const figures: Record<string, number> = {};
  for (const [name, one] of [
    ['', engine],
    [' on the kernels', native],
  ] as const) {
    const loaded = await withSubjectsEncoder(subject, one);
    withScorer(subject, loaded, (scorer) => {
      for (const size of batches) {
        const windows = Array.from({ length: size }, (_, place) => sounds[place % sounds.length]!);
        figures[`ms a window, batch ${size}${name}`] =
          fastestMs(() => scorer.logits(windows), Math.min(1, seconds)) / size;
      }
    });
  }
  return { check: 'engine', subject: subject.name, figures };
}

/** More memory than any machine has is asked for; the engine must say so, and answer as before. */
export async function exhaustMemory(subject: Subject, engine: LoadedEngine): Promise<CheckRow> {
  const loaded = await withSubjectsEncoder(subject, engine);
  const windows = soundsFor(subject).slice(0, 1);
  return withScorer(subject, loaded, (scorer) => {
    const before = scorer.logits(windows);
    let message = '';
    try {
      tf.tidy(() => tf.fill([2 ** 21, 2 ** 21], 1).dataSync());
    } catch (error) {
      message = String(error);
    }
    const difference = relativeDifference(scorer.logits(windows)[0]!, before[0]!);
    return {
      check: 'memory',
      subject: `${subject.name}, after 16 TB were asked for`,
      figures: { 'difference to before': difference },
      verdict: {
        passed: /OOM|exhausted|allocat/i.test(message) && difference < 1e-6,
        expected: `an error that names memory, and the same answers (${message.slice(0, 80)})`,
      },
    };
  });
}

/** The engine with the pretrained encoder's weights, where a member hears with it. */
async function withSubjectsEncoder({ members }: Subject, engine: LoadedEngine): Promise<LoadedEngine> {
  const choice = await withEncoderFile(engine.choice, ...members.map(({ network }) => network.config));
  const [first, ...others] = members.map(({ frontEnd }) => frontEnd);
  return withEncoder({ ...engine, choice }, [first!, ...others], join(projectFolder, 'models'));
}

function withScorer<T>({ members }: Subject, engine: LoadedEngine, use: (scorer: WindowScorer) => T): T {
  const scorer = createWindowScorer(members, engine);
  try {
    return use(scorer);
  } finally {
    scorer.dispose();
  }
}

/** All members take windows of one format. */
function soundsFor({ members }: Subject): Float32Array[] {
  const { frontEnd } = members[0]!;
  const length = windowSamples(frontEnd);
  return goldenClips(frontEnd.sampleRate, frontEnd.windowSeconds).map(({ samples }) =>
    samples.subarray(0, length),
  );
}

/** A window's rows of outputs, in the order of a scorer's. */
function referenceRows(
  { members }: Subject,
  window: Float32Array,
  { encoderWeights }: LoadedEngine,
): number[][] {
  const groups = [...new Set(members.map(({ frontEnd }) => frontEnd))].map((frontEnd) => {
    const inputs = referenceInputs(window, frontEnd, encoderWeights?.values);
    const own = members.filter((member) => member.frontEnd === frontEnd);
    const rows = own.flatMap(({ network, values }) => referenceOutputs(network.config, values, inputs));
    return { members: own.length, rows };
  });
  return groups.length === 1 ? groups[0]!.rows : withEqualWeight(groups);
}

function relativeDifference(
  rows: readonly ArrayLike<number>[],
  expected: readonly ArrayLike<number>[],
): number {
  if (rows.length !== expected.length) return Infinity;
  let [largest, scale] = [0, 1];
  expected.forEach((row, index) => {
    for (let at = 0; at < row.length; at++) {
      largest = Math.max(largest, Math.abs(rows[index]![at]! - row[at]!));
      scale = Math.max(scale, Math.abs(row[at]!));
    }
  });
  return largest / scale;
}

/** Of the runs of so many seconds; others on the machine only make a run slower. */
function fastestMs(run: () => void, seconds: number): number {
  run();
  let fastest = Infinity;
  const startedMs = performance.now();
  do {
    const beforeMs = performance.now();
    run();
    fastest = Math.min(fastest, performance.now() - beforeMs);
  } while (performance.now() - startedMs < 1000 * seconds);
  return fastest;
}
