import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Manifest } from '../../shared/contracts/manifest';
import type { Golden } from '../../shared/contracts/lifecycle';
import { smallFrontEnd } from '../../shared/contracts/front-end';
import { smallEncoderFile } from '../../shared/compute/provide/encoder-file';
import { withEncoder } from '../../shared/compute/provide/load-engine';
import { ownModelsFolder } from '../../shared/environment';
import { startInference } from '../../shared/compute/inference/start-inference';
import { measureParity } from '../../shared/promotion/golden-parity';
import { readGolden } from '../../shared/registry/golden-file';
import type { Version } from '../../shared/registry/registry';
import { fileNeeds, libtensorflow } from '../support/needs';
import { publishRandomModel } from '../support/random-model';
import { chooseTestEngine, loadTestEngine } from '../support/test-engine';

fileNeeds(libtensorflow);

const { sha256 } = smallFrontEnd.encoder;
let folder: string;
let version: Version;
let golden: Golden;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-golden-'));
  const network = { architecture: 'small' } as const;
  const changes: Partial<Manifest> = { frontEnds: [smallFrontEnd], members: [{ frontEnd: 0, network }] };
  await cp(smallEncoderFile(ownModelsFolder, sha256), smallEncoderFile(folder, sha256), { recursive: true });
  const engine = await withEncoder(await loadTestEngine(), [smallFrontEnd], folder);
  version = await publishRandomModel(folder, 'small-random', { changes, engine });
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
  it('holds between a trainer and a service, evidence with it', async () => {
    expect(golden.clips.every(({ evidence }) => evidence! > 0 && evidence! < 1)).toBe(true);
    expect(await differenceTo(golden)).toBeLessThan(1e-4);
  });

  it('sees evidence that is another, where the probabilities are the same', async () => {
    const evidence = golden.clips[1]!.evidence! / 2;
    const stored = changed((clip) => ({ ...clip, evidence }));
    expect(await differenceTo(stored)).toBeCloseTo(evidence, 4);
    // As earlier releases named it.
    const earlier = changed(({ clip, probabilities }) => ({ clip, probabilities, familiarity: evidence }));
    expect(await differenceTo(earlier)).toBeCloseTo(evidence, 4);
  });

  it('takes what was stored without evidence', async () => {
    const stored = changed(({ clip, probabilities }) => ({ clip, probabilities }));
    expect(await differenceTo(stored)).toBeLessThan(1e-4);
  });

  it('refuses what is of other clips', async () => {
    const stored = changed((clip) => ({ ...clip, clip: 'another' }));
    await expect(differenceTo(stored)).rejects.toMatchObject({ code: 'invalid-checkpoint' });
  });
});
