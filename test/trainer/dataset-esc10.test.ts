import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ClipDecoder, SourceFormat } from '../../shared/signal/clip';
import { createDecoderPool } from '../../shared/decode/pool/decoder-pool';
import { reportFrontEnd } from '../../shared/contracts/front-end';
import { windowFormat } from '../../shared/contracts/members';
import { type Dataset, loadDataset } from '../../services/trainer/data/dataset';
import { splitFolds } from '../../services/trainer/data/folds';
import { describeWithEsc10, esc10Folder } from '../support/esc10';

describeWithEsc10('ESC-10, through the real decoder (needs ../shared/esc10)', () => {
  let cacheFolder: string;
  let decoder: ClipDecoder;
  let dataset: Dataset;
  /** What the decoder said of each clip, and how many samples it gave. */
  const heard: { readonly source: SourceFormat; readonly length: number }[] = [];
  const load = (using: ClipDecoder): Promise<Dataset> =>
    loadDataset({
      folder: esc10Folder,
      format: windowFormat({ frontEnds: [reportFrontEnd] }),
      decoder: using,
      cacheFolder,
    });

  beforeAll(async () => {
    cacheFolder = await mkdtemp(path.join(tmpdir(), 'earshot-esc10-'));
    decoder = createDecoderPool({ threads: 2 });
    dataset = await load({
      ...decoder,
      decode: async (bytes, request) => {
        const clip = await decoder.decode(bytes, request);
        heard.push({ source: clip.source, length: clip.samples.length });
        return clip;
      },
    });
  });
  afterAll(async () => {
    await decoder.close();
    await rm(cacheFolder, { recursive: true, force: true });
  });

  it('is decoded to the lengths that are documented', () => {
    const lengths = heard.map(({ source, length }) => {
      expect(source).toMatchObject({ format: 'ogg', codec: 'vorbis', sampleRate: 44_100, channels: 1 });
      expect(length).toBe(Math.round(source.durationSeconds * 16_000));
      return Math.round(source.durationSeconds * 44_100);
    });
    const others = lengths.filter((length) => length !== 220_544);
    expect([lengths.length, others.length]).toEqual([400, 20]);
    expect([Math.min(...others), Math.max(...others)]).toEqual([160_704, 319_296]);
  });

  it('has the ten classes in the order of ESC-50’s target numbers', () => {
    expect(dataset.classes).toEqual([
      'dog',
      'rooster',
      'rain',
      'sea_waves',
      'crackling_fire',
      'crying_baby',
      'sneezing',
      'clock_tick',
      'helicopter',
      'chainsaw',
    ]);
  });

  it('splits as the report does: 240 clips train, 80 validate, 80 test, 8 a class a fold', () => {
    const { train, validation, test } = splitFolds(dataset, { testFold: 1, validationFold: 2 });
    expect([train.length, validation.length, test.length]).toEqual([240, 80, 80]);
    for (const part of [validation, test]) {
      const counts = dataset.classes.map((_, label) => part.filter((clip) => clip.label === label).length);
      expect(counts).toEqual(new Array(10).fill(8));
    }
  });

  it('makes each clip one window of at most 80,000 samples that is not silent', () => {
    const whole = dataset.clips.filter(({ samples }) => samples.length === 80_000);
    expect(whole).toHaveLength(390);
    for (const { samples } of dataset.clips) {
      expect(samples.length).toBeLessThanOrEqual(80_000);
      expect(samples.some((sample) => sample > 0.001)).toBe(true);
    }
  });

  it('leaves a recording of 160,704 samples at 44.1 kHz as long as it is', () => {
    const { samples } = dataset.clips.find((clip) => clip.filename === '4-164661-B-12.ogg')!;
    const end = Math.round((160_704 / 44_100) * 16_000);
    expect(Math.abs(samples.length - end)).toBeLessThanOrEqual(1);
    expect(samples.subarray(end - 1000, end).some((sample) => sample !== 0)).toBe(true);
  });

  it('comes from the cache a second time, bit for bit, without a decoder', async () => {
    const none: ClipDecoder = {
      decode: () => Promise.reject(new Error('The decoder was asked.')),
      recycle: () => undefined,
      discard: () => undefined,
      close: () => Promise.resolve(),
    };
    const again = await load(none);
    expect(again.fingerprint).toBe(dataset.fingerprint);
    const bytesOf = ({ clips }: Dataset): Buffer =>
      Buffer.concat(clips.map((clip) => Buffer.from(clip.samples.buffer)));
    expect(bytesOf(again).equals(bytesOf(dataset))).toBe(true);
  });
});
