import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { wavFile } from '../../test/support/wav-file';
import { closedLoop } from '../http-load';
import { median, quantile } from '../median';
import { sampleSound } from '../microphone';
import { call, projectFolder, startService } from '../service';
import { lagsOf } from '../stream-bench';
import { modelListSchema } from '../../shared/contracts/service-status';
import type { CheckRow } from './check-row';
import type { CheckSize } from './check-size';

const sampleRate = 48_000;
/** `sysexits.h`: a service that is not available. */
const unavailableCode = 69;

/** What one configuration of the service reaches. */
export interface ServiceSettings {
  /** For people. */
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly size: CheckSize;
}

/** `POST /classify` by its number of connections, and live streams by their number. */
export async function serviceRows({ name, env, size }: ServiceSettings): Promise<CheckRow[]> {
  const { seconds } = size;
  const service = await startService({ MAX_STREAMS: '1000', STREAM_SHARE_PERCENT: '100', ...env });
  try {
    const bytes = wavFile([chirp(5 * 44_100, 44_100)], { sampleRate: 44_100, type: 's16' });
    const load = { port: service.port, body: { contentType: 'audio/wav', bytes }, varied: true };
    await closedLoop({ ...load, connections: 4, seconds: Math.min(3, seconds) });
    const rows: CheckRow[] = [];
    for (const connections of size.connections) {
      const times = await closedLoop({ ...load, connections, seconds });
      rows.push({
        check: 'classify',
        subject: `${connections} connections, ${name}`,
        figures: {
          'requests/s': times.length / seconds,
          'p50 ms': median(times),
          'p99 ms': quantile(times, 0.99),
        },
      });
    }
    const sound = await sampleSound(sampleRate);
    for (const streams of size.streams) {
      const { lagsMs, cores } = await lagsOf(service.port, { sound, sampleRate, streams, seconds });
      rows.push({
        check: 'streams',
        subject: `${streams} microphones, ${name}`,
        figures: {
          predictions: lagsMs.length,
          'lag p50 ms': median(lagsMs),
          'p99 ms': quantile(lagsMs, 0.99),
          'CPU cores': cores,
        },
      });
    }
    return rows;
  } finally {
    await service.stop();
  }
}

/** No card is shown to a process with these. */
const noCard = { CUDA_VISIBLE_DEVICES: '-1' };

/** A service that may choose, and is shown no card: it answers on the CPU. */
export async function fallsBack(): Promise<CheckRow> {
  const service = await startService({ ENGINE: 'auto', ...noCard });
  try {
    const { body } = await call(service.port, 'GET', '/models');
    const engine = modelListSchema.parse(JSON.parse(body)).served?.engine ?? 'nothing';
    return {
      check: 'device',
      subject: 'ENGINE=auto, and no card is given to the process',
      figures: {},
      verdict: { passed: /^(cpu|wasm) /.test(engine), expected: `serves on the CPU (${engine})` },
    };
  } finally {
    await service.stop();
  }
}

/** A service that is told to compute on a card, and is shown none. */
export async function refusesToStart(): Promise<CheckRow> {
  const child = spawn(process.execPath, [join(projectFolder, 'dist/services/classifier/main.js')], {
    env: { ...process.env, PORT: '0', ENGINE: 'cuda', ...noCard },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  // Where a thread does not end in time, SIGKILL ends the process (shared/runtime/threads).
  const isRefusal = code === unavailableCode || signal === 'SIGKILL';
  return {
    check: 'device',
    subject: 'ENGINE=cuda, and no card is given to the process',
    figures: { 'exit code': code ?? -1 },
    verdict: {
      passed: isRefusal && /NVIDIA|no GPU/.test(output),
      expected: `ends with ${unavailableCode} and says what it lacks (${signal ?? String(code)})`,
    },
  };
}

/** A rising tone that fades out. */
function chirp(length: number, sampleRate: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => {
    const seconds = i / sampleRate;
    return 0.5 * Math.sin(2 * Math.PI * (200 + 900 * seconds) * seconds) * Math.exp(-1.5 * seconds);
  });
}
