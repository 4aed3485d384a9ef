import { cacheFolder } from '../shared/access/cache-folder';
import { createDecoderPool } from '../shared/decode/pool/decoder-pool';
import { levelOf } from '../shared/signal/level';
import { sliceWindows } from '../shared/signal/windows';
import { windowFormat } from '../shared/contracts/members';
import { classLogits, evidenceOf } from '../shared/decision/rejection';
import { meanProbabilities } from '../shared/decision/mean-probabilities';
import { verdictOfWindows, type Verdict } from '../shared/decision/verdict';
import { chooseEngine } from '../shared/compute/provide/choose-engine';
import { loadEngine, withEncoder, type LoadedEngine } from '../shared/compute/provide/load-engine';
import { loadMembers } from '../shared/compute/inference/load-members';
import { createWindowScorer, type WindowScorer } from '../shared/compute/inference/window-scorer';
import { wilsonInterval } from '../shared/metrics/wilson-interval';
import { openRegistry, type Version } from '../shared/registry/registry';
import { loadDataset, type LabelledClip } from '../services/trainer/data/dataset';
import { distortions } from './distortions';

/** The networks of a version that were not trained on a fold. */
interface Judge {
  readonly scorer: WindowScorer;
  readonly fold: number;
}

/**
 * Measures how much of its validation accuracy a version keeps for distorted sounds. Each clip of the
 * validation folds passes all steps of an upload, and is judged by the networks that were not trained on
 * it. Reads `DATA_DIR`, `MODELS_DIR` and `MODEL_VERSION`.
 */
export async function benchRobustness(): Promise<void> {
  const choice = await chooseEngine({ wish: 'cpu', onProgress: () => undefined, onFallback: console.log });
  const modelsFolder = process.env['MODELS_DIR'] ?? 'models';
  const version = await openRegistry(modelsFolder).choose(process.env['MODEL_VERSION']);
  const format = windowFormat(version.manifest);
  const engine = await withEncoder(await loadEngine(choice), version.manifest.frontEnds, modelsFolder);
  const judges = await judgesOf(version, engine);
  const decoder = createDecoderPool({ threads: 2 });
  const decode = async (bytes: Uint8Array): Promise<Float32Array> =>
    (await decoder.decode(bytes, { sampleRate: format.sampleRate, maxSeconds: 60 })).samples;
  try {
    const { clips } = await loadDataset({
      folder: process.env['DATA_DIR'] ?? 'data/ESC-50',
      esc10Only: true,
      format,
      decoder,
      cacheFolder: cacheFolder('clips', process.env),
    });
    console.log(
      `Version ${version.manifest.version}, clips of folds ${judges.map(({ fold }) => fold).join(', ')}\n`,
    );
    console.log('| distortion | accuracy | 95 % interval | kept | unknown |\n|---|---|---|---|---|');
    let undistorted = 0;
    for (const { name, apply } of distortions) {
      const heard = judges.flatMap(({ scorer, fold }) =>
        clips.filter((clip) => clip.fold === fold).map((clip) => ({ scorer, clip })),
      );
      let [correct, unknown] = [0, 0];
      for (const [index, { scorer, clip }] of heard.entries()) {
        const sound = await apply(clip.samples, format.sampleRate, decode, index + 1);
        const verdict = judge(scorer, sound, version);
        if (verdict.predictions[0]!.label === className(clip, version)) correct += 1;
        if (verdict.unknown) unknown += 1;
      }
      const accuracy = correct / heard.length;
      if (name === 'none') undistorted = accuracy;
      const { lower, upper } = wilsonInterval(correct, heard.length);
      const cells = [
        percent(accuracy),
        `${percent(lower)} to ${percent(upper)}`,
        percent(accuracy / undistorted),
        percent(unknown / heard.length),
      ];
      console.log(`| ${name} | ${cells.join(' | ')} |`);
    }
  } finally {
    for (const { scorer } of judges) scorer.dispose();
    await decoder.close();
  }
}

function className({ label }: LabelledClip, { manifest }: Version): string {
  return manifest.classes[label]!;
}

async function judgesOf(version: Version, engine: LoadedEngine): Promise<Judge[]> {
  const { validationFold, trainFolds } = version.manifest.protocol;
  const members = await loadMembers(version);
  const folds = validationFold === null ? trainFolds : [validationFold];
  const perFold = members.length / folds.length;
  return folds.map((fold, index) => {
    const own = members.slice(index * perFold, (index + 1) * perFold);
    return { fold, scorer: createWindowScorer(own, engine) };
  });
}

/** Judges a sound as an upload: its windows, their inputs, and the mean over the audible ones. */
function judge(scorer: WindowScorer, sound: Float32Array, { manifest }: Version): Verdict {
  const { classes, calibration } = manifest;
  const { sampleRate, windowSeconds } = windowFormat(manifest);
  const windows = sliceWindows(sound, sampleRate, windowSeconds, windowSeconds / 2);
  const judged = windows.map(({ samples }) => {
    const rows = scorer.logits([samples])[0]!;
    const probabilities = meanProbabilities(
      rows.map((row) => classLogits(row, classes.length)),
      calibration?.temperature,
    );
    return { probabilities, evidence: evidenceOf(rows, classes.length), ...levelOf(samples) };
  });
  return verdictOfWindows(judged, { classes, topK: 1, unknownBelow: calibration?.unknownBelow });
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
