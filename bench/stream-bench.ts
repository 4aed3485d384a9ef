import { quantile } from './median';
import { Microphone, sampleSound } from './microphone';
import { cpuSeconds, option, sleep, startService } from './service';

const sampleRate = 48_000;
const hopSeconds = 1;
/** The service sustains a number of streams if 99 of 100 predictions arrive within this time. */
const limitMs = 1000;

/**
 * Measures how many live microphones one machine serves, with real sockets and the client on the same
 * machine.
 */
export async function benchStreams(): Promise<void> {
  const seconds = option('seconds', 12);
  const sound = await sampleSound(sampleRate);
  const service = await startService({ MAX_STREAMS: '1000', STREAM_SHARE_PERCENT: '100' });
  console.log(`\nLive microphones, ${sampleRate} Hz, hop ${hopSeconds} s, ${seconds} s each:\n`);
  console.log(
    '| streams | refused | predictions | lag p50 ms | p95 ms | p99 ms | CPU cores used |\n|---|---|---|---|---|---|---|',
  );
  let highest = 0;
  try {
    for (const count of [1, 10, 20, 40, 60, 80, 100, 120]) {
      const {
        lagsMs: lags,
        refused,
        cores,
      } = await lagsOf(service.port, {
        sound,
        sampleRate,
        streams: count,
        seconds,
      });
      const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => quantile(lags, share));
      const cells = [
        count,
        refused,
        lags.length,
        p50!.toFixed(0),
        p95!.toFixed(0),
        p99!.toFixed(0),
        cores.toFixed(2),
      ];
      console.log(`| ${cells.join(' | ')} |`);
      if (refused > 0 || !(p99! < limitMs)) break;
      highest = count;
    }
    console.log(`\n${highest} streams hold p99 < ${limitMs} ms.`);
  } finally {
    await service.stop();
  }
}

export interface LiveStreams {
  /** Mono 16-bit PCM, sent in a loop. */
  readonly sound: Buffer;
  readonly sampleRate: number;
  readonly streams: number;
  readonly seconds: number;
}

/** The lag of each prediction of live microphones, and what the service used meanwhile. */
export async function lagsOf(
  port: number,
  { sound, sampleRate: rate, streams, seconds }: LiveStreams,
): Promise<{ readonly lagsMs: number[]; readonly refused: number; readonly cores: number }> {
  const microphones: Microphone[] = [];
  for (let k = 0; k < streams; k += 1) {
    microphones.push(new Microphone(port, sound, rate, hopSeconds));
    // Starts are spread over a hop, as real microphones do not start together.
    await sleep((hopSeconds * 1000) / streams);
  }
  const [cpuBefore, beforeMs] = [await cpuSeconds(port), performance.now()];
  await sleep(seconds * 1000);
  const cpu = (await cpuSeconds(port)) - cpuBefore;
  const cores = (cpu * 1000) / (performance.now() - beforeMs);
  for (const microphone of microphones) microphone.stop();
  await Promise.all(microphones.map(({ closed }) => closed));
  return {
    lagsMs: microphones.flatMap(({ lagsMs }) => lagsMs),
    refused: microphones.filter(({ lagsMs }) => lagsMs.length === 0).length,
    cores,
  };
}
