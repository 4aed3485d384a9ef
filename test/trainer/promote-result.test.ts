import { architectureOf } from '../../shared/contracts/members';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTrainerConfig } from '../../services/trainer/options/config';
import { promoteResult } from '../../services/trainer/jobs/promote-result';
import { openRegistry } from '../../shared/registry/registry';
import { describeWithEncoder, publishedEncoderFile } from '../support/pretrained';

describeWithEncoder('a version that a job is to promote (needs ../shared/pretrained)', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'earshot-promote-'));
    await cp(join(__dirname, '../../../models'), folder, { recursive: true });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('is measured against the one that serves, which hears with the encoder', async () => {
    const { versions } = await openRegistry(folder).list();
    const cnn = versions.find(({ manifest }) => architectureOf(manifest) === 'cnn')!;
    const settings = { MODELS_DIR: folder, ENCODER: publishedEncoderFile, ENGINE: 'wasm' };
    const config = readTrainerConfig({ ...process.env, ...settings });
    const { signal } = new AbortController();
    const told = await promoteResult(cnn.manifest.version, 'a-job', {
      config,
      signal,
      output: process.stdout,
    });
    // The gate has decided, and not that something cannot be measured.
    expect(told).toMatch(
      /was not promoted: \d+ of 80 validation clips right, the current version \d+ of the same/,
    );
    expect(told).not.toContain('is not here');
  });
});
