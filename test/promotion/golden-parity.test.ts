import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Manifest } from '../../shared/contracts/manifest';
import type { Golden } from '../../shared/contracts/lifecycle';
import { melFrontEnd } from '../../shared/contracts/front-end';
import { startInference } from '../../shared/compute/inference/start-inference';
import { measureParity } from '../../shared/promotion/golden-parity';
import { readGolden } from '../../shared/registry/golden-file';
import type { Version } from '../../shared/registry/registry';
import { fileNeeds, libtensorflow } from '../support/needs';
import { publishRandomModel } from '../support/random-model';
import { chooseTestEngine, loadTestEngine } from '../support/test-engine';

fileNeeds(libtensorflow);

let folder: string;
let version: Version;
let golden: Golden;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-golden-'));
  const network = { architecture: 'mel-small', dropout: 0.3, familiarity: true } as const;
  const changes: Partial<Manifest> = { frontEnds: [melFrontEnd], members: [{ frontEnd: 0, network }] };
  version = await publishRandomModel(folder, 'mel-random', { changes, engine: await loadTestEngine() });
  golden = (await readGolden(version.folder))!;
});
afterAll(() => rm(folder, { recursive: true }));

/** How far what is stored is from what the version answers. */
async function differenceTo(stored: Golden): Promise<number> {
  const choice = await chooseTestEngine('cpu');
  const inference = await startInference({ choice, version, warmUpBatches: [1], limitMs: 60_000 });
  try {
    return (await measureParity(inference, stored)).largestDifference;
  } finally {
    await inference.close();
  }
}

function changed(change: (clip: Golden['clips'][number]) => Golden['clips'][number]): Golden {
  return { ...golden, clips: golden.clips.map((clip, index) => (index === 1 ? change(clip) : clip)) };
}

describe('golden parity', () => {
  it('holds between a trainer and a service, familiarity with it', async () => {
    expect(golden.clips.every(({ familiarity }) => familiarity! > 0 && familiarity! < 1)).toBe(true);
    expect(await differenceTo(golden)).toBeLessThan(1e-4);
  });

  it('sees a familiarity that is another, where the probabilities are the same', async () => {
    const familiarity = golden.clips[1]!.familiarity! / 2;
    const stored = changed((clip) => ({ ...clip, familiarity }));
    expect(await differenceTo(stored)).toBeCloseTo(familiarity, 4);
  });

  it('takes what was stored without familiarity', async () => {
    const stored = changed(({ clip, probabilities }) => ({ clip, probabilities }));
    expect(await differenceTo(stored)).toBeLessThan(1e-4);
  });

  it('refuses what is of other clips', async () => {
    const stored = changed((clip) => ({ ...clip, clip: 'another' }));
    await expect(differenceTo(stored)).rejects.toMatchObject({ code: 'invalid-checkpoint' });
  });
});
