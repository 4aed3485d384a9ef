import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createDecoderPool } from '../../shared/decode/pool/decoder-pool';
import { classificationSchema, type Prediction } from '../../shared/contracts/classification';
import { architectureOf, distinctNetworks, encoderOf, windowFormat } from '../../shared/contracts/members';
import { meanProbabilities } from '../../shared/decision/mean-probabilities';
import { loadScoringEngine, withEncoder } from '../../shared/compute/provide/load-engine';
import { openRegistry, type Version } from '../../shared/registry/registry';
import { loadDataset } from '../../services/trainer/data/dataset';
import { answersOf, examplesOf } from '../../services/trainer/optimise/predict';
import { loadScorers } from '../../services/trainer/evaluate/load-scorers';
import { runCli } from '../support/cli-process';
import { pcmWav } from '../support/pcm-clips';
import { describeWithEncoder, publishedEncoderFile } from '../support/pretrained';
import { ServiceProcess } from '../support/service-process';
import { pcm16, StreamClient } from '../support/stream-client';
import { chooseTestEngine } from '../support/test-engine';

const modelsFolder = join(__dirname, '../../../models');
const sampleRate = 44_100;
/**
 * Two seconds, shorter than every window: half a second of a quiet room, then a tone that falls, under
 * clicks.
 */
const clip = Float32Array.from({ length: 2 * sampleRate }, (_, i) => {
  const seconds = i / sampleRate - 0.5;
  if (seconds < 0) return 2e-4 * Math.sin(i * i);
  const tone = 0.4 * Math.exp(-seconds) * Math.sin(2 * Math.PI * (900 - 200 * seconds) * seconds);
  return tone + (i % 6615 < 40 ? 0.3 : 0);
});
const wav = pcmWav(Array.from(clip), sampleRate);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-one-path-'));
  await mkdir(join(folder, 'data'));
  // A dataset wants two classes and three folds: the same clip, at other levels, stands for the others.
  const names = [1, 2, 3].flatMap((fold) => ['a', 'b'].map((name) => ({ fold, name })));
  const lines = names.map(({ fold, name }) => `${fold}-${name}.wav,${fold},${name}`);
  await writeFile(join(folder, 'data', 'list.csv'), ['filename,fold,category', ...lines].join('\n'));
  for (const [index, { fold, name }] of names.entries()) {
    const samples = Array.from(clip, (sample) => sample * (1 - index / 16));
    await writeFile(
      join(folder, 'data', `${fold}-${name}.wav`),
      index === 0 ? wav : pcmWav(samples, sampleRate),
    );
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Probabilities = Readonly<Record<string, number>>;

function byLabel(predictions: readonly Prediction[]): Probabilities {
  return Object.fromEntries(predictions.map(({ label, probability }) => [label, probability]));
}

/** As the trainer reads, hears and judges a clip of a dataset. */
async function byTrainer(version: Version): Promise<Probabilities> {
  const { frontEnds, classes, calibration } = version.manifest;
  const choice = await chooseTestEngine('wasm');
  const found = encoderOf(frontEnds) ? { ...choice, encoderFile: publishedEncoderFile } : choice;
  const engine = await withEncoder(
    await loadScoringEngine(found, ...distinctNetworks(version.manifest)),
    frontEnds,
    dirname(version.folder),
  );
  const decoder = createDecoderPool({ threads: 1 });
  const members = await loadScorers(version, engine);
  try {
    const { clips } = await loadDataset({
      folder: join(folder, 'data'),
      cacheFolder: join(folder, 'cache'),
      format: windowFormat(version.manifest),
      decoder,
    });
    const example = examplesOf(clips.slice(0, 1), frontEnds, engine);
    const { logits } = answersOf(members, example, classes.length);
    const probabilities = meanProbabilities(logits[0]!, calibration?.temperature);
    return Object.fromEntries(classes.map((name, index) => [name, probabilities[index]!]));
  } finally {
    for (const { scorer } of members) scorer.dispose();
    await decoder.close();
  }
}

async function byUpload(url: string): Promise<Probabilities> {
  const answer = await fetch(`${url}/classify?topK=99`, { method: 'POST', body: new Uint8Array(wav) });
  return byLabel(classificationSchema.parse(await answer.json()).predictions);
}

async function byCommandLine(url: string): Promise<Probabilities> {
  const { lines } = await runCli(
    ['classify', '--json', '--top', '99', '-'],
    { EARSHOT_SERVER: url },
    Buffer.from(wav),
  );
  const { predictions } = JSON.parse(lines[0]!) as { predictions: Prediction[] };
  return byLabel(predictions);
}

/** The window of a stream that holds the whole clip. */
async function byStream(url: string): Promise<Probabilities> {
  const client = await StreamClient.open(Number(new URL(url).port));
  client.send({ type: 'start', sampleRate, hopSeconds: 2, topK: 99, silenceDbfs: null });
  client.sendBytes(pcm16(clip));
  client.send({ type: 'stop' });
  expect(await client.closed()).toBe(1000);
  const whole = client.of('prediction').filter((p) => p.startSeconds === 0 && p.endSeconds === 2);
  expect(whole).toHaveLength(1);
  return byLabel(whole[0]!.predictions);
}

/** The largest difference of a probability to the trainer's, by way. */
async function gapsOf(architecture: string): Promise<Readonly<Record<string, number>>> {
  const { versions } = await openRegistry(modelsFolder).list();
  const version = versions.find(({ manifest }) => architectureOf(manifest) === architecture)!;
  const service = new ServiceProcess({
    MODELS_DIR: modelsFolder,
    MODEL_VERSION: version.manifest.version,
    ENCODER: architecture === 'encoder' ? publishedEncoderFile : 'off',
  });
  try {
    const url = await service.url();
    await service.lineWith({ architecture, msg: 'the model is loaded and warmed up' });
    const expected = await byTrainer(version);
    const gap = (probabilities: Probabilities): number =>
      Math.max(
        ...Object.entries(expected).map(([label, value]) => Math.abs(value - (probabilities[label] ?? NaN))),
      );
    return {
      upload: gap(await byUpload(url)),
      commandLine: gap(await byCommandLine(url)),
      stream: gap(await byStream(url)),
    };
  } finally {
    await service.kill();
  }
}

/** Answers are rounded to four digits or more; the same engine computes all. */
function tooLarge(gaps: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(gaps).filter(([, gap]) => !(gap < 1e-3));
}

describe('a clip of two seconds has the same probabilities for trainer, upload, command line and stream', () => {
  // `transformer` has the front end of `cnn`, and takes four times as long here.
  it.each(['cnn', 'small'])(
    'on %s',
    async (architecture) => {
      expect(tooLarge(await gapsOf(architecture))).toEqual([]);
    },
    120_000,
  );
});

describeWithEncoder('a clip of two seconds, on the pretrained encoder', () => {
  it('has the same probabilities for trainer, upload, command line and stream', async () => {
    expect(tooLarge(await gapsOf('encoder'))).toEqual([]);
  }, 120_000);
});
