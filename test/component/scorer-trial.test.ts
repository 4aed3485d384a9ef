import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fastestScorer, type ScorerFigures } from '../../services/classifier/model/engine/fastest-scorer';
import { reportFrontEnd } from '../../shared/contracts/front-end';
import type { ModelList } from '../../shared/contracts/service-status';
import { gateLimits } from '../../shared/promotion/gate';
import { fileNeeds, libtensorflow } from '../support/needs';
import { publishRandomModel } from '../support/random-model';
import { ServiceProcess } from '../support/service-process';
import { loadTestEngine } from '../support/test-engine';

fileNeeds(libtensorflow);

let folder: string;
let service: ServiceProcess | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-trial-'));
});

afterAll(async () => {
  await service?.kill();
  await rm(folder, { recursive: true, force: true });
});

it('a service that may choose its engine times all of this machine on the version, and serves on the fastest', async () => {
  await publishRandomModel(folder, 'small', {
    changes: {
      frontEnds: [reportFrontEnd],
      members: [{ frontEnd: 0, network: { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' } }],
    },
    engine: await loadTestEngine(),
  });
  service = new ServiceProcess({ ENGINE: 'auto', MODELS_DIR: folder, BATCH_MAX_WINDOWS: '4' });
  const url = await service.url();
  await service.line('the engines of this machine were timed');
  const { served } = (await (await fetch(`${url}/models`)).json()) as ModelList;
  const { scorers } = served!;
  expect(scorers.map(({ engine }) => engine)).toEqual([
    expect.stringMatching(/^cpu \(native/),
    expect.stringMatching(/^cpu \(libtensorflow .* front end\)/),
  ]);
  for (const { windowMs, batchWindowMs, batchWindows, largestDifference } of scorers) {
    expect([windowMs! > 0, batchWindowMs! > 0, batchWindows]).toEqual([true, true, 4]);
    expect(largestDifference).toBeLessThan(1e-4);
  }
  const fastest = fastestScorer(scorers as ScorerFigures[], 0, gateLimits.parityTolerance);
  expect(scorers.map(({ taken }) => taken)).toEqual(scorers.map((_, index) => index === fastest));
  service.child.kill('SIGTERM');
  expect(await service.exitCode()).toBe(0);
}, 120_000);
