import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  classificationSchema,
  type Classification,
  type RecordingEvent,
} from '../../shared/contracts/classification';
import { ServiceProcess } from '../support/service-process';
import { joinToWav, samplePath } from '../support/sound-files';
import { provideTestKernels } from '../support/test-engine';
import { createClient } from '../../shared/client/client';
import { StreamClient } from '../support/stream-client';

let folder: string;
let service: ServiceProcess;
let url: string;
/** A dog, a rooster, quiet: 48 kHz, 16 bits. */
let wav: Buffer;
const wavHeadBytes = 44;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-recording-events-'));
  await provideTestKernels();
  service = new ServiceProcess({ ENGINE: 'auto' });
  url = await service.url();
  await service.line('loaded and warmed up');
  const file = join(folder, 'all.wav');
  joinToWav(['dog.ogg', 'rooster.ogg'].map(samplePath), file);
  const joined = await readFile(file);
  // Cut from its own head, so that the samples are exactly what follows it.
  const data = joined.subarray(joined.indexOf('data') + 8);
  wav = Buffer.concat([wavHead(data.length + quiet.length), data, quiet]);
});
afterAll(async () => {
  await service.kill();
  await rm(folder, { recursive: true });
});

const sampleRate = 48_000;
/** Two seconds and a bit, below the level gate of a stream. */
const quiet = Buffer.alloc(2 * Math.round(2.31 * sampleRate));

function wavHead(dataBytes: number): Buffer {
  const head = Buffer.alloc(wavHeadBytes);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + dataBytes, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(sampleRate, 24);
  head.writeUInt32LE(2 * sampleRate, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(dataBytes, 40);
  return head;
}

async function upload(bytes: Uint8Array, query: string): Promise<Classification> {
  const response = await fetch(`${url}/classify?${query}`, { method: 'POST', body: new Uint8Array(bytes) });
  return classificationSchema.strict().parse(await response.json());
}

/** The events that a stream of the bytes reports, in the order of their onsets. */
async function stream(bytes: Uint8Array, start: object): Promise<RecordingEvent[]> {
  const client = await StreamClient.open(Number(new URL(url).port));
  client.send({ type: 'start', ...start });
  for (let at = 0; at < bytes.length; at += 30_011) client.sendBytes(bytes.subarray(at, at + 30_011));
  client.send({ type: 'stop' });
  expect(await client.closed()).toBe(1000);
  return client
    .of('event')
    .filter(({ event }) => event === 'ended')
    .map(({ label, onsetSeconds, offsetSeconds, peakConfidence }) => ({
      label,
      onsetSeconds,
      offsetSeconds: offsetSeconds!,
      peakConfidence,
    }))
    .sort((one, other) => one.onsetSeconds - other.onsetSeconds);
}

/** What ffmpeg makes of the recording. */
async function encoded(name: string, ...options: string[]): Promise<Buffer> {
  const file = join(folder, name);
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-i', 'pipe:0', ...options, file], { input: wav });
  return readFile(file);
}

describe('the events of a recording', () => {
  it('are those that a stream of the same samples has, at its defaults and at other hops', async () => {
    const { events, audio } = await upload(wav, 'events=true');
    expect(events!.map(({ label }) => label)).toContain('dog');
    for (const { onsetSeconds, offsetSeconds, peakConfidence } of events!) {
      expect(onsetSeconds).toBeLessThan(offsetSeconds);
      expect(offsetSeconds).toBeLessThanOrEqual(audio.durationSeconds);
      expect(peakConfidence).toBeGreaterThanOrEqual(0.5);
    }
    const samples = wav.subarray(wavHeadBytes);
    expect(events).toEqual(await stream(samples, { sampleRate }));
    for (const hopSeconds of [1.3, 2.5]) {
      expect((await upload(wav, `events=true&hopSeconds=${hopSeconds}`)).events).toEqual(
        await stream(samples, { sampleRate, hopSeconds }),
      );
    }
  });

  it('are those of a stream of the same Ogg file; of WebM as nearly as two decoders of Opus agree', async () => {
    const ogg = await encoded('all.ogg', '-c:a', 'libopus', '-b:a', '48k');
    const { events } = await upload(ogg, 'events=true');
    expect(events!.length).toBeGreaterThan(0);
    expect(events).toEqual(await stream(ogg, { encoding: 'container' }));
    const webm = await encoded('all.webm', '-c:a', 'libopus', '-b:a', '48k');
    const found = (await upload(webm, 'events=true')).events!;
    const streamed = await stream(webm, { encoding: 'container' });
    expect(found.map(({ label }) => label)).toEqual(streamed.map(({ label }) => label));
    for (const [index, { onsetSeconds, offsetSeconds }] of found.entries()) {
      expect(Math.abs(onsetSeconds - streamed[index]!.onsetSeconds)).toBeLessThan(0.05);
      expect(Math.abs(offsetSeconds - streamed[index]!.offsetSeconds)).toBeLessThan(0.05);
    }
  });

  it('change nothing else of the answer, and stand in the text too', async () => {
    const plain = await upload(wav, '');
    expect(plain).not.toHaveProperty('events');
    const { events, ...rest } = await upload(wav, 'events=true');
    const others = { requestId: expect.any(String) as string, timings: expect.any(Object) as object };
    expect(rest).toEqual({ ...plain, ...others });
    const answer = await fetch(`${url}/classify?events=true&topK=1`, {
      method: 'POST',
      body: new Uint8Array(wav),
      headers: { Accept: 'text/plain' },
    });
    const [first] = events!;
    const span = `${first!.onsetSeconds.toFixed(1)} s to ${first!.offsetSeconds.toFixed(1)} s  ${first!.label}`;
    expect((await answer.text()).split('\n')).toContainEqual(expect.stringContaining(span));
  });

  it('of a clip that is shorter than a window, or silent, are those of the stream too', async () => {
    const short = wav.subarray(wavHeadBytes, wavHeadBytes + 2 * 2.7 * sampleRate);
    const shortWav = Buffer.concat([wavHead(short.length), short]);
    expect((await upload(shortWav, 'events=true')).events).toEqual(await stream(short, { sampleRate }));
    const silent = await upload(Buffer.concat([wavHead(quiet.length), quiet]), 'events=true');
    expect(silent.events).toEqual([]);
  });

  it('start at the thresholds that are sent, as those of a stream do', async () => {
    const client = createClient({ baseUrl: url });
    const samples = wav.subarray(wavHeadBytes);
    for (const [dog, isHeard] of [
      [0.6, true],
      [1, false],
    ] as const) {
      const events = { thresholds: { dog } };
      const answer = await client.classify(new Uint8Array(wav), { events: true, ...events });
      expect(answer.events!.some(({ label }) => label === 'dog')).toBe(isHeard);
      expect(answer.events).toEqual(await stream(samples, { sampleRate, events }));
    }
  }, 60_000);
});
