import { join } from 'node:path';
import { createDecoderPool, defaultDecodeThreads } from '../shared/decode/pool/decoder-pool';
import { sliceWindows } from '../shared/signal/windows';
import { systemClock } from '../shared/runtime/clock';
import { MicroBatcher } from '../shared/batching/micro-batcher';
import { distinctNetworks, windowFormat } from '../shared/contracts/members';
import { modelListSchema } from '../shared/contracts/service-status';
import { chooseEngine } from '../shared/compute/provide/choose-engine';
import { withEncoderFile } from './with-encoder-file';
import { startInference } from '../shared/compute/inference/start-inference';
import { openRegistry, type Version } from '../shared/registry/registry';
import { wavFile } from '../test/support/wav-file';
import { closedLoop, vary } from './http-load';
import { median, quantile } from './median';
import { call, projectFolder, startService } from './service';

const secondsPerRound = 4;
const rounds = 5;

/** Classifies one recording; the decoder copies it, as a socket would. */
type Answer = (bytes: Buffer) => Promise<unknown>;

/**
 * Measures the overhead of HTTP: compares the service with its engine and decoder called in this process
 * without a socket, in alternating rounds. A request is a 5 s WAV at 44.1 kHz, always a different one.
 * The HTTP client shares the cores with the service; the calls in process need no client.
 */
export async function benchOverhead(): Promise<void> {
  const wav = wavFile([noise(5 * 44_100)], { sampleRate: 44_100, type: 's16' });
  const service = await startService();
  const version = await servedVersion(service.port);
  const load = { port: service.port, body: { contentType: 'audio/wav', bytes: wav }, varied: true };
  const alone = await openAlone(version);
  try {
    console.log(
      `\n${version.manifest.version}: requests/s (p50 / p99 ms), medians of ${rounds} rounds of ${secondsPerRound} s.\n`,
    );
    console.log(
      '| connections | engine + decoder alone | POST /classify | throughput kept | added ms | CPU ms of the client a request |\n|---|---|---|---|---|---|',
    );
    for (const connections of [1, 8, 32]) {
      const [bare, served, clientMs]: [number[][], number[][], number[]] = [[], [], []];
      for (let round = 0; round <= rounds; round++) {
        const without = await inProcess(alone.answer, wav, connections);
        const before = process.cpuUsage();
        const within = await closedLoop({ ...load, connections, seconds: secondsPerRound });
        const { user, system } = process.cpuUsage(before);
        if (round === 0) continue; // warm-up
        bare.push(without);
        served.push(within);
        clientMs.push((user + system) / 1000 / within.length);
      }
      const [without, within] = [figures(bare), figures(served)];
      const cell = ({ rate, p50, p99 }: Figures): string =>
        `${rate.toFixed(1)} (${p50.toFixed(1)} / ${p99.toFixed(0)})`;
      const kept = `${((100 * within.rate) / without.rate).toFixed(0)} %`;
      console.log(
        `| ${connections} | ${cell(without)} | ${cell(within)} | ${kept} | ${(within.p50 - without.p50).toFixed(1)} | ${median(clientMs).toFixed(2)} |`,
      );
    }
  } finally {
    await alone.close();
    await service.stop();
  }
}

interface Figures {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
}

function figures(times: readonly number[][]): Figures {
  return {
    rate: median(times.map((round) => round.length / secondsPerRound)),
    p50: median(times.map(median)),
    p99: median(times.map((round) => quantile(round, 0.99))),
  };
}

/**
 * The version that the service has loaded. It may not be the registry's best, which may need the
 * encoder.
 */
async function servedVersion(port: number): Promise<Version> {
  const { body } = await call(port, 'GET', '/models');
  const { served } = modelListSchema.parse(JSON.parse(body));
  return openRegistry(join(projectFolder, 'models')).choose(served?.version);
}

/** Decoder threads, batcher and inference thread as the service composes them. */
async function openAlone(version: Version): Promise<{ answer: Answer; close(): Promise<void> }> {
  const { sampleRate, windowSeconds } = windowFormat(version.manifest);
  const chosen = await chooseEngine({ wish: 'auto', onProgress: () => undefined, onFallback: console.error });
  const choice = await withEncoderFile(chosen, ...distinctNetworks(version.manifest));
  const decoder = createDecoderPool({ threads: defaultDecodeThreads(), kernels: () => choice.kernels });
  const inference = await startInference({ choice, version, warmUpBatches: [1, 16], limitMs: 60_000 });
  const batcher = new MicroBatcher<Float32Array, Float32Array>({
    run: async (windows) => (await inference.infer(windows)).probabilities,
    maxItems: 16,
    maxDelayMs: 5,
    maxQueuedItems: 512,
    clock: systemClock,
  });
  return {
    answer: async (bytes) => {
      const arrived = batcher.expect();
      const clip = await decoder.decode(bytes, { sampleRate, maxSeconds: 600 }).finally(arrived);
      const windows = sliceWindows(clip.samples, clip.sampleRate, windowSeconds, windowSeconds / 2);
      return batcher.submit(windows.map(({ samples }) => samples));
    },
    close: async () => {
      await Promise.all([decoder.close(), inference.close()]);
    },
  };
}

async function inProcess(answer: Answer, wav: Buffer, callers: number): Promise<number[]> {
  const until = performance.now() + secondsPerRound * 1000;
  const times: number[] = [];
  let requests = 0;
  const caller = async (): Promise<void> => {
    const bytes = Buffer.from(wav);
    while (performance.now() < until) {
      vary(bytes, requests++);
      const startedMs = performance.now();
      await answer(bytes);
      times.push(performance.now() - startedMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return times;
}

function noise(length: number): Float32Array {
  return Float32Array.from({ length }, () => Math.random() - 0.5);
}
