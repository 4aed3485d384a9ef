import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../services/classifier/config';
import { defaultDecodedAudioBytes } from '../../shared/decode/pool/bounded-decoder';
import { processBytes } from '../support/deployment-checks';
import { podSpecs, projectFolder, quantity, readYaml, type KubernetesObject } from '../support/kubernetes';
import { createMemoryGroup } from '../support/memory-group';
import { ServiceProcess } from '../support/service-process';
import { provideTestKernels } from '../support/test-engine';
import { wavFile } from '../support/wav-file';

/** What the base deploys: its limit, and the settings that bound memory. */
const deployment = readYaml('k8s/base/deployment.yaml') as KubernetesObject;
const limitBytes = quantity(podSpecs([deployment])[0]![1].containers[0]!.resources.limits['memory']!);
const settings = Object.fromEntries(
  readFileSync(join(projectFolder, 'k8s/base/classifier.env'), 'utf8')
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line))
    .map((line) => line.split('=') as [string, string]),
);
const config = loadConfig(settings);
const decodedBytes = config.decodedAudioMaxBytes ?? defaultDecodedAudioBytes(limitBytes);
/** At the highest rate of all versions: of a clip it holds the most samples. */
const modelsFolder = join(projectFolder, 'models');
const version = readdirSync(modelsFolder).find((name) => name.startsWith('small-'))!;
const sampleRate = 32_000;
/** Of the recordings: at most 600 s of eight bits a sample fit into an upload. */
const recordedRate = 44_100;

/** The largest upload that is taken, with as much sound in it as fits: noise, eight bits a sample. */
function largestUpload(): Buffer {
  const head = (dataSize: number): Buffer =>
    wavFile([[0]], { sampleRate: recordedRate, type: 'u8', dataSize });
  const bytes = config.maxUploadBytes - head(0).length;
  return Buffer.concat([head(bytes + 1), randomBytes(bytes)]);
}

async function gauge(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)![1]);
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));

function residentPeakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

describe('the memory limit of the deployment', () => {
  it('holds with the largest uploads, as many as are taken at a time; each has an answer or a clean refusal', async () => {
    await provideTestKernels();
    const group = createMemoryGroup(limitBytes);
    const service = new ServiceProcess(
      {
        ...settings,
        ENGINE: 'auto',
        MODELS_DIR: modelsFolder,
        MODEL_VERSION: version,
        // As the service sets it by itself where it has the control group.
        DECODED_AUDIO_MAX_BYTES: group === undefined ? String(decodedBytes) : undefined,
      },
      { under: group?.under ?? [] },
    );
    try {
      const url = await service.url();
      await service.line('loaded and warmed up');
      expect(await gauge(url, 'earshot_decoded_audio_limit_bytes')).toBe(decodedBytes);
      let most = 0;
      const done = new AbortController();
      const watched = (async () => {
        while (!done.signal.aborted) {
          most = Math.max(most, await gauge(url, 'earshot_decoded_audio_bytes'));
          await pause();
        }
      })();
      const body = largestUpload();
      const answers = await Promise.all(
        Array.from({ length: config.maxConcurrentRequests }, async () => {
          const response = await fetch(`${url}/classify?hopSeconds=5`, { method: 'POST', body });
          const { audio } = (await response.json()) as { audio?: { durationSeconds: number } };
          return { status: response.status, audio, retryAfter: response.headers.get('retry-after') };
        }),
      );
      done.abort();
      await watched;
      const answered = answers.filter(({ status }) => status === 200);
      expect(answered.length).toBeGreaterThan(0);
      for (const { audio } of answered) expect(audio!.durationSeconds).toBeCloseTo(594.4, 0);
      for (const { status, retryAfter } of answers.filter((answer) => answer.status !== 200)) {
        expect([429, 503]).toContain(status);
        expect(Number(retryAfter)).toBeGreaterThan(0);
      }
      // More than one was decoded at a time, and never more than may be.
      expect(most).toBeGreaterThan(4 * 594 * sampleRate);
      expect(most).toBeLessThanOrEqual(decodedBytes);
      // A recording whose time was over may be let go of a moment later.
      while ((await gauge(url, 'earshot_decoded_audio_bytes')) > 0) await pause();
      const reckonedBytes =
        processBytes + config.maxConcurrentRequests * config.maxUploadBytes + decodedBytes;
      expect(residentPeakBytes(service.child.pid!)).toBeLessThan(reckonedBytes);
      expect(reckonedBytes).toBeLessThan(limitBytes);
      expect(group?.killed ?? 0).toBe(0);
    } finally {
      await service.kill();
      await group?.remove();
    }
  }, 240_000);
});
