import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { classificationSchema, type Classification } from '../../shared/contracts/classification';
import { modelListSchema } from '../../shared/contracts/service-status';
import { pcmWav } from '../support/pcm-clips';
import { publishRandomModel } from '../support/random-model';
import { RawConnection, uploadHead } from '../support/raw-connection';
import { ServiceProcess } from '../support/service-process';

let models: string;
const running: ServiceProcess[] = [];

function start(env: Readonly<Record<string, string>> = {}): ServiceProcess {
  const service = new ServiceProcess({ MODELS_DIR: models, ...env });
  running.push(service);
  return service;
}

/** A tone of so many seconds at 16 kHz, different for each frequency. */
function tone(frequency: number, seconds: number): Buffer {
  const samples = Array.from({ length: 16_000 * seconds }, (_, i) => {
    return 0.5 * Math.sin((2 * Math.PI * frequency * i) / 16_000);
  });
  return pcmWav(samples, 16_000);
}

async function classify(url: string, wav: Buffer, query = ''): Promise<Response> {
  return fetch(`${url}/classify${query}`, { method: 'POST', body: new Uint8Array(wav) });
}

/** The 19th field of a thread's stat; the second, in brackets, may hold blanks. */
async function nicenessOf(pid: number, thread: string): Promise<number> {
  const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
}

beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'earshot-models-'));
  await publishRandomModel(models, 'cnn-test-1');
  await publishRandomModel(models, 'cnn-test-2');
  await writeFile(join(models, 'cnn-test-2', 'weights.bin'), 'damaged');
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.kill()));
});
afterAll(() => rm(models, { recursive: true }));

describe('the service as a process', () => {
  describe('that serves', () => {
    let jobs: string;
    let service: ServiceProcess;
    let url: string;

    beforeAll(async () => {
      jobs = await mkdtemp(join(tmpdir(), 'earshot-no-jobs-'));
      service = new ServiceProcess({ MODELS_DIR: models, JOBS_DIR: jobs });
      url = await service.url();
      await service.line('loaded and warmed up');
    });
    afterAll(async () => {
      await service.kill();
      await rm(jobs, { recursive: true });
    });

    it('keeps nothing in an empty JOBS_DIR before a job comes, as where it cannot write', async () => {
      expect(await (await fetch(`${url}/jobs`)).json()).toEqual({ jobs: [] });
      expect(await readdir(jobs)).toEqual([]);
    });

    it('lets its event loop go before the threads that compute', async () => {
      const pid = service.child.pid!;
      const threads = await readdir(`/proc/${pid}/task`);
      const niceness = new Map(
        await Promise.all(threads.map(async (thread) => [thread, await nicenessOf(pid, thread)] as const)),
      );
      const ownNiceness = niceness.get(String(pid))!;
      const behind = [...niceness.values()].filter((value) => value > ownNiceness);
      // At least one that decodes and one that infers.
      expect(behind.length).toBeGreaterThanOrEqual(2);
    });

    // The last one, for it stops what serves.
    it('serves a model, gives simultaneous callers what each gets alone, and stops with 0', async () => {
      expect((await fetch(`${url}/readyz`)).status).toBe(200);

      const clips = [300, 500, 800, 1300, 2100, 3400, 5500].map((frequency) => tone(frequency, 6));
      const alone: Classification[] = [];
      for (const clip of clips) {
        alone.push(classificationSchema.parse(await (await classify(url, clip, '?topK=99')).json()));
      }
      const together = await Promise.all(
        clips.map(async (clip) => {
          return classificationSchema.parse(await (await classify(url, clip, '?topK=99')).json());
        }),
      );
      const largest = Math.max(
        ...together.flatMap(({ predictions }, i) => {
          const single = new Map(alone[i]!.predictions.map((p) => [p.label, p.probability]));
          return predictions.map(({ label, probability }) => Math.abs(probability - single.get(label)!));
        }),
      );
      expect(largest).toBeLessThan(1e-5);
      // The tones are told apart, or equality would prove nothing.
      expect(new Set(alone.map(({ confidence }) => confidence)).size).toBe(clips.length);

      const listed = modelListSchema.parse(await (await fetch(`${url}/models`)).json());
      expect(listed.served?.version).toBe('cnn-test-1');
      expect(listed.models.map(({ version, status }) => [version, status])).toEqual([
        ['cnn-test-1', 'served'],
        ['cnn-test-2', 'corrupt'],
      ]);
      expect(listed.models[1]!.reason).toContain('7 bytes');
      expect(await (await fetch(`${url}/metrics`)).text()).toMatch(
        /earshot_model_info\{version="cnn-test-1",architecture="cnn",sha256="[0-9a-f]{64}",engine="wasm.*"\} 1/,
      );

      service.child.kill('SIGTERM');
      expect(await service.exitCode()).toBe(0);
      expect(service.stderr).toBe('');
    });
  });

  it('stops with 0 on the native kernels too, with a libtensorflow that was loaded and never used', async () => {
    // Seven eighths of it are 917 s, held twice, of a version at 16 kHz.
    const short = { DECODED_AUDIO_MAX_BYTES: String(2 ** 27), MAX_CLIP_SECONDS: '1000' };
    const service = start({ ENGINE: 'cpu', ENGINE_KERNELS: 'native', ...short });
    await service.line('Recordings longer than 917 s are refused, although MAX_CLIP_SECONDS allows more');
    await service.line('loaded and warmed up');
    service.child.kill('SIGTERM');
    expect(await service.exitCode()).toBe(0);
  });

  it.each([0, 150, 300, 600])('stops with 0 while it starts, %i ms after it listens', async (delayMs) => {
    const service = start({ ENGINE: 'auto' });
    await service.url();
    await delay(delayMs);
    service.child.kill('SIGTERM');
    expect([await service.exitCode(), service.stderr]).toEqual([0, '']);
  });

  it('finishes on SIGTERM what it accepted, refuses the rest, and exits 0', async () => {
    const service = start();
    const url = await service.url();
    await service.line('loaded and warmed up');
    const port = Number(new URL(url).port);
    const wav = tone(440, 5);
    const accepted = new RawConnection(port);
    await accepted.send(uploadHead(wav.length, 'Expect: 100-continue'));
    await accepted.until('100 Continue');
    await accepted.send(wav.subarray(0, 1000));

    service.child.kill('SIGTERM');
    await service.line('finishing what was accepted');
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ status: 'draining' });
    const refused = await classify(url, wav);
    expect([refused.status, refused.headers.get('connection')]).toEqual([503, 'close']);

    await accepted.send(wav.subarray(1000));
    expect(await accepted.untilClosed()).toContain('HTTP/1.1 200 OK');
    expect(await service.exitCode()).toBe(0);
  });

  it('does not wait on a second signal, but for one that comes with the first, as npm repeats it', async () => {
    const service = start();
    const url = await service.url();
    await service.line('loaded and warmed up');
    const unfinished = new RawConnection(Number(new URL(url).port));
    await unfinished.send(uploadHead(1000, 'Expect: 100-continue'));
    await unfinished.until('100 Continue');
    service.child.kill('SIGINT');
    await service.line('finishing what was accepted');
    service.child.kill('SIGINT');
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ status: 'draining' });
    await delay(600);
    service.child.kill('SIGINT');
    expect(await service.exitCode()).toBe(130);
    unfinished.hangUp();
  });

  it('ends with 78 and every problem of its environment', async () => {
    const service = start({ PORT: 'http', ENGINE: 'gpu' });
    expect(await service.exitCode()).toBe(78);
    expect(service.stderr).toMatch(/PORT=http: .*\n.*ENGINE=gpu: /);
  });

  it('ends with 69 when its port is taken, and says so', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as AddressInfo;
    const service = start({ PORT: String(port) });
    expect(await service.exitCode()).toBe(69);
    await service.line(`Port ${port} on 127.0.0.1 is in use`);
    blocker.close();
  });

  it('ends with 69 when there is no model to serve, and says what to do', async () => {
    const service = start({ MODEL_VERSION: 'cnn-test-2' });
    expect(await service.exitCode()).toBe(69);
    await service.line('cnn-test-2');
  });
});
