import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDecoderPool } from '../../shared/decode/pool/decoder-pool';
import { classificationSchema, type Prediction } from '../../shared/contracts/classification';
import { describeWithEsc10, esc10Folder } from '../support/esc10';
import { pcmWav } from '../support/pcm-clips';
import { publishRandomModel } from '../support/random-model';
import { ServiceProcess } from '../support/service-process';
import { randomNumbers } from '../support/signals';
import { StreamClient } from '../support/stream-client';

let models: string;
let service: ServiceProcess;
let url: string;
let port: number;

async function startService(): Promise<void> {
  service = new ServiceProcess({ MODELS_DIR: models });
  url = await service.url();
  port = Number(new URL(url).port);
  await service.line('loaded and warmed up');
}
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'earshot-models-'));
  await publishRandomModel(models, 'cnn-test-1');
  await startService();
});
afterAll(async () => {
  await service.kill();
  await rm(models, { recursive: true });
});

interface Pcm {
  readonly bytes: Buffer;
  readonly sampleRate: number;
}

/** The 16-bit mono samples of a WAV file as this test or ESC-10 writes it. */
function pcmOf(wav: Buffer): Pcm {
  const data = wav.indexOf('data', 12, 'latin1');
  return { bytes: wav.subarray(data + 8), sampleRate: wav.readUInt32LE(24) };
}

type Spans = Map<string, readonly Prediction[]>;

async function byUpload(wav: Buffer, hopSeconds: number): Promise<Spans> {
  const answer = await fetch(`${url}/classify?topK=99&hopSeconds=${hopSeconds}`, {
    method: 'POST',
    body: new Uint8Array(wav),
  });
  const { windows } = classificationSchema.parse(await answer.json());
  return new Map(windows.map((w) => [`${w.startSeconds}-${w.endSeconds}`, w.predictions]));
}

async function byStream({ bytes, sampleRate }: Pcm, hopSeconds: number, chunk: () => number): Promise<Spans> {
  const client = await StreamClient.open(port);
  client.send({ type: 'start', sampleRate, hopSeconds, topK: 99, silenceDbfs: null });
  for (let at = 0; at < bytes.length;) {
    const size = chunk();
    client.sendBytes(bytes.subarray(at, at + size));
    at += size;
  }
  client.send({ type: 'stop' });
  expect(await client.closed()).toBe(1000);
  return new Map(client.of('prediction').map((p) => [`${p.startSeconds}-${p.endSeconds}`, p.predictions]));
}

/**
 * Largest difference of a probability over the uploaded windows; Infinity where the stream lacks one.
 */
function largestGap(uploaded: Spans, streamed: Spans): number {
  const gaps = [...uploaded].flatMap(([span, predictions]) => {
    const other = new Map(streamed.get(span)?.map(({ label, probability }) => [label, probability]));
    return predictions.map(({ label, probability }) =>
      Math.abs((other.get(label) ?? Infinity) - probability),
    );
  });
  return Math.max(...gaps);
}

const random = randomNumbers(31);
const chunkings: [name: string, chunk: () => number][] = [
  ['all at once', () => 1e6],
  ['20 ms', () => 1764],
  ['odd bytes', () => 1 + Math.floor(random() * 3001)],
];

/** The nearest number that 16 bits hold. */
const clip16 = (sample: number): number => Math.max(-1, Math.min(32_767 / 32_768, sample));

/** A tone that rises, so that no two windows are alike. */
function siren(seconds: number, sampleRate: number): Buffer {
  const samples = Array.from({ length: seconds * sampleRate }, (_, k) => {
    return 0.5 * Math.sin(2 * Math.PI * (200 + (100 * k) / sampleRate) * (k / sampleRate));
  });
  return pcmWav(samples, sampleRate);
}

describe('the same sound by upload and by stream', () => {
  it.each(chunkings)(
    'gives the same probabilities for each window within 1e-5, in chunks of %s',
    async (_, chunk) => {
      const wav = siren(7, 44_100);
      const uploaded = await byUpload(wav, 0.5);
      expect(uploaded.size).toBe(5);
      expect(new Set([...uploaded.values()].map(([best]) => best!.probability)).size).toBe(5);
      expect(largestGap(uploaded, await byStream(pcmOf(wav), 0.5, chunk))).toBeLessThan(1e-5);
    },
  );
});

describeWithEsc10('the same recording by upload and by stream', () => {
  it('gives the same probabilities within 1e-5, for a clip of each fold', async () => {
    const names = (await readdir(join(esc10Folder, 'audio'))).sort();
    const pool = createDecoderPool({ threads: 1 });
    for (const fold of [1, 2, 3, 4, 5]) {
      const name = names.find((candidate) => candidate.startsWith(`${fold}-`))!;
      const recording = await readFile(join(esc10Folder, 'audio', name));
      const { samples } = await pool.decode(recording, { sampleRate: 44_100, maxSeconds: 10 });
      const wav = pcmWav([...samples].map(clip16), 44_100);
      const streamed = await byStream(pcmOf(wav), 1, () => 1 + Math.floor(random() * 20_000));
      expect(largestGap(await byUpload(wav, 1), streamed)).toBeLessThan(1e-5);
    }
    await pool.close();
  });
});

describe('SIGTERM with open streams', () => {
  it('gives each its last result, done and 1001, and exits 0', async () => {
    const { bytes, sampleRate } = pcmOf(siren(3, 16_000));
    const clients = await Promise.all(
      Array.from({ length: 6 }, async (_, index) => {
        const client = await StreamClient.open(port);
        client.send({ type: 'start', sampleRate, hopSeconds: 5 });
        client.sendBytes(bytes.subarray(0, (1.1 + index / 10) * sampleRate * 2));
        await client.first('prediction');
        return client;
      }),
    );
    service.child.kill('SIGTERM');
    expect(await Promise.all(clients.map((client) => client.closed()))).toEqual(clients.map(() => 1001));
    clients.forEach((client, index) => {
      expect(client.of('prediction').at(-1)!.endSeconds).toBeCloseTo(1.1 + index / 10, 3);
      expect(client.of('done')[0]!.reason).toBe('draining');
    });
    expect(await service.exitCode()).toBe(0);
    expect(service.stderr).toBe('');
  });
});
