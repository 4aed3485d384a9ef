import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { smallEncoderFile } from '../../shared/compute/provide/encoder-file';
import { createDecoderPool } from '../../shared/decode/pool/decoder-pool';
import { sliceWindows } from '../../shared/signal/windows';
import { levelOf } from '../../shared/signal/level';
import type { ClipDecoder } from '../../shared/signal/clip';
import { reportSchema } from '../../shared/contracts/report';
import { architectureOf, encoderOf, windowFormat } from '../../shared/contracts/members';
import { verdictOfWindows, type Verdict } from '../../shared/decision/verdict';
import type { Inference } from '../../shared/compute/inference/inference';
import { startInference } from '../../shared/compute/inference/start-inference';
import { openRegistry, type Version } from '../../shared/registry/registry';
import { distortions } from '../../bench/distortions';
import { fileNeeds, libtensorflow } from '../support/needs';
import { describeWithEsc10, esc10Folder } from '../support/esc10';
import { chooseTestEngine } from '../support/test-engine';

fileNeeds(libtensorflow);

const projectFolder = join(__dirname, '..', '..', '..');
const modelsFolder = join(projectFolder, 'models');
let version: Version;
let inference: Inference;
let decoder: ClipDecoder;

beforeAll(async () => {
  // Of those that do not need the large encoder, which is not part of the project.
  const { versions } = await openRegistry(modelsFolder).list();
  version = versions.find(({ manifest }) => encoderOf(manifest.frontEnds)?.encoder.name !== 'mn04_as')!;
  inference = await startInference({
    choice: await chooseTestEngine(),
    version,
    warmUpBatches: [1],
    limitMs: 60_000,
  });
  decoder = createDecoderPool({ threads: 2 });
});
afterAll(async () => {
  await inference.close();
  await decoder.close();
});

async function decode(bytes: Uint8Array): Promise<Float32Array> {
  const { sampleRate } = windowFormat(version.manifest);
  return (await decoder.decode(bytes, { sampleRate, maxSeconds: 60 })).samples;
}

async function hear(sound: Float32Array): Promise<Verdict> {
  const { classes, calibration } = version.manifest;
  const { sampleRate, windowSeconds } = windowFormat(version.manifest);
  const windows = sliceWindows(sound, sampleRate, windowSeconds, windowSeconds / 2);
  const { probabilities, evidence } = await inference.infer(windows.map(({ samples }) => samples));
  return verdictOfWindows(
    windows.map(({ samples }, index) => ({
      probabilities: probabilities[index]!,
      evidence: evidence?.[index],
      ...levelOf(samples),
    })),
    { classes, topK: 1, unknownBelow: calibration?.unknownBelow },
  );
}

describe('the version that a fresh start serves without the large encoder', () => {
  it('hears with the small encoder, at most 4 MB in all, and was validated, calibrated and tested', async () => {
    const { manifest, folder } = version;
    expect(architectureOf(manifest)).toBe('small');
    const { encoder } = encoderOf(manifest.frontEnds)!;
    const { size } = await stat(smallEncoderFile(modelsFolder, encoder.sha256));
    expect(size + manifest.weights.bytes).toBeLessThanOrEqual(4e6);
    expect(manifest.weights.maxLogitError).toBeLessThan(0.05);
    expect(manifest.metrics.validationAccuracy).toBeGreaterThan(0.9);
    const report = reportSchema.parse(JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')));
    expect(report.evaluations.last.test?.accuracy).toBe(manifest.metrics.testAccuracy);
    expect(report.calibration?.unknown.threshold).toBe(manifest.calibration!.unknownBelow);
  });

  const heard = async (name: string): Promise<Verdict> =>
    hear(await decode(await readFile(join(projectFolder, 'samples', `${name}.ogg`))));

  it.each(['clock_tick', 'crying_baby', 'dog', 'rain', 'sneezing'])(
    'knows the %s of the samples',
    async (name) => {
      expect(await heard(name)).toMatchObject({ label: name, unknown: false });
    },
  );

  it('takes the rooster of the samples, a clip of the test fold that it misses, for nothing else', async () => {
    expect(await heard('rooster')).toMatchObject({ unknown: true });
  });

  it('says unknown to digital silence', async () => {
    expect((await hear(new Float32Array(160_000))).label).toBe('unknown');
  });
});

describeWithEsc10(
  'the version that a fresh start serves without the large encoder, on clips it was trained or validated on',
  () => {
    /** The first clip of each class in fold 3. */
    let clips: Map<string, Float32Array>;

    beforeAll(async () => {
      const lines = (await readFile(join(esc10Folder, 'esc10.csv'), 'utf8')).trim().split('\n').slice(1);
      clips = new Map();
      for (const line of lines) {
        const [filename, fold, , category] = line.split(',');
        if (fold !== '3' || clips.has(category!)) continue;
        clips.set(category!, await decode(await readFile(join(esc10Folder, 'audio', filename!))));
      }
    });

    it.each(distortions)('knows nine in ten: $name', async ({ apply }) => {
      expect(clips.size).toBe(10);
      let right = 0;
      for (const [category, clip] of clips) {
        const { predictions } = await hear(
          await apply(clip.slice(), windowFormat(version.manifest).sampleRate, decode, 5),
        );
        if (predictions[0]!.label === category) right += 1;
      }
      expect(right).toBeGreaterThanOrEqual(9);
    });
  },
);
