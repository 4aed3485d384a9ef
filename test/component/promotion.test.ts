import { spawnSync } from 'node:child_process';
import { copyFile, cp, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { classificationSchema, type Classification } from '../../shared/contracts/classification';
import type { Golden } from '../../shared/contracts/lifecycle';
import { reportSchema } from '../../shared/contracts/report';
import {
  modelDetailsSchema,
  modelListSchema,
  servingChangeSchema,
  type ModelList,
} from '../../shared/contracts/service-status';
import { readServingState, writeServingState } from '../../shared/registry/serving-state';
import { fileNeeds, libtensorflow } from '../support/needs';
import { classes } from '../support/fake-inference';
import { pcmWav } from '../support/pcm-clips';
import { publishRandomModel } from '../support/random-model';
import { sampleReport } from '../support/sample-report';
import { ServiceProcess } from '../support/service-process';
import { loadTestEngine } from '../support/test-engine';

fileNeeds(libtensorflow);

const [first, second, worse, lying] = ['cnn-first', 'cnn-second', 'cnn-worse', 'cnn-lying'] as const;
let models: string;
let pristine: string;
const running: ServiceProcess[] = [];
/** What an admin sends, by the service's address. */
const admins = new Map<string, { readonly authorization: string }>();

beforeAll(async () => {
  pristine = await mkdtemp(join(tmpdir(), 'earshot-pristine-'));
  const engine = await loadTestEngine();
  const report = sampleReport(classes);
  const metrics = { validationAccuracy: 0.9, validationLoss: 1 };
  await publishRandomModel(pristine, first, { seed: 1, report, engine, changes: { metrics } });
  await publishRandomModel(pristine, second, { seed: 2, report, engine });
  await publishRandomModel(pristine, lying, { seed: 3, report, engine });
  const { evaluations } = report;
  const bad = { ...evaluations.last.validation, correct: 16, accuracy: 0.5 };
  const badReport = { ...report, evaluations: { last: { ...evaluations.last, validation: bad } } };
  await publishRandomModel(pristine, worse, { seed: 4, report: badReport, engine });
  const golden = JSON.parse(await readFile(join(pristine, lying, 'golden.json'), 'utf8')) as Golden;
  golden.clips[1]!.probabilities.reverse();
  await writeFile(join(pristine, lying, 'golden.json'), JSON.stringify(golden));
});
afterAll(() => rm(pristine, { recursive: true }));

beforeEach(async () => {
  models = await mkdtemp(join(tmpdir(), 'earshot-promotion-'));
  await cp(pristine, models, { recursive: true });
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.kill()));
  await rm(models, { recursive: true, force: true });
});

async function start(
  env: Readonly<Record<string, string>> = {},
): Promise<{ service: ServiceProcess; url: string }> {
  const service = new ServiceProcess({ MODELS_DIR: models, ENGINE: 'cpu', ...env });
  running.push(service);
  const url = await service.url();
  admins.set(url, await service.adminHeaders());
  await service.line('loaded and warmed up');
  return { service, url };
}

function post(url: string, path: string, body?: unknown, method = 'POST'): Promise<Response> {
  const headers = { ...admins.get(url)!, 'content-type': 'application/json' };
  const content = body === undefined ? {} : { body: JSON.stringify(body) };
  return fetch(`${url}/models/${path}`, { method, headers, ...content });
}

async function list(url: string): Promise<ModelList> {
  return modelListSchema.parse(await (await fetch(`${url}/models`)).json());
}

function tone(frequency: number, seconds: number): Uint8Array<ArrayBuffer> {
  const samples = Array.from({ length: 16_000 * seconds }, (_, i) => {
    return 0.4 * Math.sin((2 * Math.PI * frequency * i) / 16_000) * (1 + Math.sin(i / 9000));
  });
  return new Uint8Array(pcmWav(samples, 16_000));
}

async function classify(url: string, clip: Uint8Array<ArrayBuffer>): Promise<Classification> {
  const response = await fetch(`${url}/classify?topK=99`, { method: 'POST', body: clip });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return classificationSchema.parse(await response.json());
}

/** Every probability of an answer, window by window, class by class. */
function numbersOf({ windows }: Classification): number[] {
  return windows.flatMap(({ predictions }) =>
    classes.map((name) => predictions.find(({ label }) => label === name)!.probability),
  );
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  expect(a).toHaveLength(b.length);
  return Math.max(...a.map((value, index) => Math.abs(value - b[index]!)));
}

describe('a promotion', () => {
  it('changes the model under load: no error, and each answer from one model alone', async () => {
    const { url } = await start();
    const clips = [300, 900, 2700].map((frequency) => tone(frequency, 12));
    const expected = new Map<string, number[][]>();
    const learn = async (): Promise<string> => {
      const answers = await Promise.all(clips.map((clip) => classify(url, clip)));
      const [version] = answers.map(({ model }) => model.version);
      expected.set(version!, answers.map(numbersOf));
      return version!;
    };
    expect(await learn()).toBe(first);
    expect((await post(url, `${second}/promote`)).status).toBe(200);
    expect(await learn()).toBe(second);
    const [one, other] = [first, second].map((version) => expected.get(version)!);
    // Else a mixture could not be told.
    expect(
      Math.min(...clips.map((_, clip) => largestDifference(one![clip]!, other![clip]!))),
    ).toBeGreaterThan(0.01);

    let stopped = false;
    const seen = new Map<string, number>();
    let worst = 0;
    const callers = Array.from({ length: 6 }, async (_, caller) => {
      for (let turn = caller; !stopped; turn += 1) {
        const answer = await classify(url, clips[turn % clips.length]!);
        const { version } = answer.model;
        seen.set(version, (seen.get(version) ?? 0) + 1);
        worst = Math.max(
          worst,
          largestDifference(numbersOf(answer), expected.get(version)![turn % clips.length]!),
        );
      }
    });
    for (let turn = 0; turn < 3; turn += 1) {
      // What the callers do to the machine is not the candidate's fault.
      const waive = { waive: ['latency'] };
      const response = await post(url, `${turn % 2 === 0 ? first : second}/promote`, waive);
      expect(response.status).toBe(200);
    }
    stopped = true;
    await Promise.all(callers);
    expect([...seen.keys()].sort()).toEqual([first, second]);
    expect(worst).toBeLessThan(1e-4);
  });

  it('is seen by every process on the same folder, but for those that are told what to serve', async () => {
    const [here, there, forced] = await Promise.all([start(), start(), start({ MODEL_VERSION: worse })]);
    const change = servingChangeSchema.parse(await (await post(here.url, `${second}/promote`)).json());
    expect(change).toMatchObject({
      served: second,
      serving: { current: second, previous: [first], generation: 1 },
    });
    await there.service.lineWith({ msg: 'the model is loaded and warmed up', version: second });
    expect((await list(there.url)).served?.version).toBe(second);
    expect((await list(forced.url)).served?.version).toBe(worse);
  });

  it('is refused by the gate with every figure, which stay with the version', async () => {
    const { url } = await start();
    const refused = await post(url, `${worse}/promote`);
    expect(refused.status).toBe(409);
    const { code, detail, decision } = (await refused.json()) as Record<string, unknown>;
    expect(code).toBe('conflict');
    expect(detail).toContain('Validation accuracy 50.00 %');
    expect(decision).toMatchObject({ version: worse, against: first, passed: false });
    const details = modelDetailsSchema.parse(await (await fetch(`${url}/models/${worse}`)).json());
    expect(details).toMatchObject({ status: 'candidate', validation: { correct: 16 }, gate: decision });
    const report = reportSchema.parse(JSON.parse(await readFile(join(models, worse, 'report.json'), 'utf8')));
    expect(report.gate).toEqual(decision);
    expect(await list(url)).toMatchObject({ served: { version: first }, current: null });

    const parity = (await (
      await post(url, `${lying}/promote`, { waive: ['parity'] })
    ).json()) as typeof refused & {
      decision: { checks: { check: string; outcome: string }[] };
    };
    expect(parity.decision.checks.filter(({ outcome }) => outcome !== 'passed')).toMatchObject([
      { check: 'parity' },
    ]);

    expect((await post(url, `${worse}/promote`, { waive: ['accuracy'] })).status).toBe(200);
    expect((await list(url)).served?.version).toBe(worse);
  });

  it('is undone by a rollback, prevented by a pin, and for nobody but an administrator', async () => {
    const { url } = await start();
    const status = async (path: string, method = 'POST'): Promise<number> =>
      (await post(url, path, undefined, method)).status;
    expect(await status(`${second}/rollback`)).toBe(409);
    expect(await status(`${second}/promote`)).toBe(200);
    expect(await status(`${second}/promote`)).toBe(409);
    expect(await list(url)).toMatchObject({ served: { version: second }, current: second, previous: first });
    expect(await status(`${second}/rollback`)).toBe(200);
    expect(await list(url)).toMatchObject({ served: { version: first }, current: first, previous: null });
    expect(await status(`${first}/rollback`)).toBe(409);

    expect(await status(`${worse}/pin`)).toBe(200);
    expect(await list(url)).toMatchObject({ served: { version: worse }, current: first, pinned: worse });
    expect(await status(`${second}/promote`)).toBe(409);
    expect(await status(`${first}/pin`, 'DELETE')).toBe(409);
    expect(await status(`${worse}/pin`, 'DELETE')).toBe(200);
    expect(await list(url)).toMatchObject({ served: { version: first }, pinned: null });

    expect(await status('nothing/promote')).toBe(404);
    expect(await status('..%2F..%2Fetc/pin')).toBe(404);
    const stranger = await fetch(`${url}/models/${second}/promote`, { method: 'POST' });
    expect(stranger.status).toBe(401);
    expect((await readServingState(models)).generation).toBe(4);
  });

  it.each([
    ['is damaged', (): Promise<void> => truncate(join(models, second, 'weights.bin'), 100), 'has 100 bytes'],
    ['has a manifest that was cut', () => truncate(join(models, second, 'manifest.json'), 100), 'not JSON'],
    ['is gone', () => rm(join(models, second), { recursive: true }), 'no such version'],
    [
      'computes otherwise than its trainer did',
      () => copyFile(join(models, lying, 'golden.json'), join(models, second, 'golden.json')),
      'golden clips',
    ],
  ])('of a version that %s leaves the old one serving, and says why', async (_, damage, reason) => {
    const { service, url } = await start();
    const before = numbersOf(await classify(url, tone(440, 6)));
    await damage();
    const change = {
      change: 'promote' as const,
      by: 'a test',
      previous: [first],
      pinned: null,
      shadow: null,
    };
    await writeServingState(models, 0, { ...change, current: second });
    const line = await service.line('what was promoted cannot be served');
    expect(line).toMatchObject({ version: second, serving: first, reason: expect.stringContaining(reason) });
    expect(await list(url)).toMatchObject({
      served: { version: first },
      current: second,
      problems: [{ version: second, reason: expect.stringContaining(reason) }],
    });
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(
      /earshot_model_reload_total\{result="failed"\} [1-9]/,
    );
    expect(largestDifference(numbersOf(await classify(url, tone(440, 6))), before)).toBeLessThan(1e-6);

    // What is repaired is followed by itself; and a start with what is damaged serves what did before.
    const restarted = await start();
    expect((await list(restarted.url)).served?.version).toBe(first);
    await cp(join(pristine, second), join(models, second), { recursive: true });
    await service.lineWith({ msg: 'the model is loaded and warmed up', version: second });
    expect(await list(url)).toMatchObject({ served: { version: second }, problems: [] });
  });

  it('whose loading hangs is given up in time: what served serves on, and says why', async () => {
    const { service, url } = await start({ MODEL_LOAD_SECONDS: '1' });
    const weights = join(models, second, 'weights.json');
    await rm(weights);
    // Whoever opens it waits for somebody to write: a disk that does not answer.
    expect(spawnSync('mkfifo', [weights]).status).toBe(0);
    try {
      const refused = await post(url, `${second}/promote`);
      const reason = `Loading ${second} took more than 1 s, and was given up.`;
      expect([refused.status, await refused.json()]).toEqual([
        503,
        expect.objectContaining({ detail: reason }),
      ]);
      expect(await service.line('could not be judged')).toMatchObject({ version: second, reason });
      expect(await list(url)).toMatchObject({ current: null, problems: [{ version: second, reason }] });
      const change = {
        change: 'promote' as const,
        by: 'a test',
        previous: [first],
        pinned: null,
        shadow: null,
      };
      await writeServingState(models, 0, { ...change, current: second });
      expect(await service.line('what was promoted cannot be served')).toMatchObject({
        version: second,
        serving: first,
        reason,
      });
      // The thread that hangs is asked to end, and left alone; another would only hang beside it.
      await service.lineWith({
        reason: `The thread that was given up loading ${second} still hangs: see its files' disk.`,
      });
      expect(await list(url)).toMatchObject({ served: { version: first }, current: second });
      const metrics = await (await fetch(`${url}/metrics`)).text();
      expect(metrics).toMatch(/earshot_gate_decisions_total\{result="failed"\} 1\n/);
      expect(metrics).toMatch(/earshot_model_reload_total\{result="failed"\} [1-9]/);
      expect((await classify(url, tone(440, 6))).model.version).toBe(first);
    } finally {
      // Each waiting reader gets its end; what serves is followed again when the file is whole.
      const content = await readFile(join(pristine, second, 'weights.json'));
      const writer = await open(weights, 'w');
      await rm(weights);
      await writeFile(weights, content);
      await writer.close();
    }
    await service.lineWith({ msg: 'the model is loaded and warmed up', version: second });
    expect(await list(url)).toMatchObject({ served: { version: second }, current: second });
  });

  it('that was cut off in its file changes nothing, and the next one counts', async () => {
    const { service, url } = await start();
    expect((await post(url, `${second}/promote`)).status).toBe(200);
    await writeFile(
      join(models, 'serving.2.json'),
      '{"formatVersion": 1, "generation": 2, "current": "cnn-wo',
    );
    await service.line('what was promoted cannot be served');
    const { served, problems } = await list(url);
    expect(served?.version).toBe(second);
    expect(problems).toEqual([{ reason: expect.stringContaining('serving.2.json is not JSON') }]);
    const restarted = await start();
    expect((await list(restarted.url)).served?.version).toBe(second);
    expect((await post(url, `${first}/promote`)).status).toBe(200);
    expect(await list(url)).toMatchObject({ served: { version: first }, current: first, problems: [] });
  });

  it('beside another at the same time is one of two: the other is told', async () => {
    const [here, there] = await Promise.all([start(), start()]);
    const answers = await Promise.all([
      post(here.url, `${second}/promote`),
      post(there.url, `${worse}/promote`, { waive: ['accuracy'] }),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const loser = (await answers.find(({ status }) => status === 409)!.json()) as { detail: string };
    expect(loser.detail).toContain('came first');
    const { state, generation } = await readServingState(models);
    expect([generation, state?.current]).toEqual([1, answers[0].status === 200 ? second : worse]);
  });
});

describe('a shadow', () => {
  it('judges beside the one that answers, and its agreement is shown; its answers are not', async () => {
    const { service, url } = await start();
    expect((await post(url, `${second}/shadow`, { share: 1 })).status).toBe(200);
    await service.line('the shadow is loaded');
    for (let turn = 0; turn < 6; turn += 1) {
      expect((await classify(url, tone(300 * (turn + 1), 5))).model.version).toBe(first);
    }
    const details = async () =>
      modelDetailsSchema.parse(await (await fetch(`${url}/models/${second}`)).json()).shadow!;
    let figures = await details();
    while (figures.agreed + figures.disagreed + figures.dropped < 6) figures = await details();
    expect(figures).toMatchObject({ version: second, share: 1 });
    expect(figures.agreed + figures.disagreed).toBeGreaterThan(0);
    expect(Math.abs(figures.meanConfidenceDifference!)).toBeGreaterThan(0);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain(`earshot_shadow_windows_total{outcome="disagreed"} ${figures.disagreed}\n`);
    expect((await post(url, `${second}/shadow`, undefined, 'DELETE')).status).toBe(200);
    expect((await list(url)).shadow).toBeNull();
  });
});
