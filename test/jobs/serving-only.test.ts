import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { optionalDependencies } from '../../package.json';
import { ServiceProcess } from '../support/service-process';

const trainerMain = join(__dirname, '../../services/trainer/main.js');
const packages = Object.keys(optionalDependencies);

/** As in an image that only serves: what training alone loads is not installed. */
const hidden = `
  import Module from 'node:module';
  const packages = ${JSON.stringify(packages)};
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (name, ...others) {
    if (!packages.some((hidden) => name === hidden || name.startsWith(hidden + '/')))
      return resolve.call(this, name, ...others);
    throw Object.assign(new Error('Cannot find module ' + name), { code: 'MODULE_NOT_FOUND' });
  };`;
const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hidden)}`;
const sentence = `This installation serves and does not train: ${packages.join(' and ')} are not in it. `;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'earshot-test-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function trainer(...args: readonly string[]): { readonly code: number | null; readonly stderr: string } {
  const env = { ...process.env, NODE_OPTIONS, REDIS_URL: 'redis://127.0.0.1:1' };
  const { status, stderr } = spawnSync(process.execPath, [trainerMain, ...args], {
    env,
    cwd: folder,
    encoding: 'utf8',
  });
  return { code: status, stderr };
}

describe('an installation that only serves', () => {
  it.each([['train'], ['work']])('says so to who asks it to %s', (verb) => {
    const { code, stderr } = trainer(verb);
    expect([code, stderr]).toEqual([69, expect.stringContaining(sentence)]);
  });

  it('does what needs no training', () => {
    expect(trainer('summary', 'small')).toEqual({ code: 0, stderr: '' });
  });

  it('refuses a job, and what waits in its folder waits on', async () => {
    const [jobs, datasets] = [join(folder, 'jobs'), join(folder, 'datasets')];
    const service = new ServiceProcess({ JOBS_DIR: jobs, DATASETS_DIR: datasets, NODE_OPTIONS });
    try {
      const url = await service.url();
      const headers = { ...(await service.adminHeaders()), 'content-type': 'application/json' };
      const answer = await fetch(`${url}/jobs`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ kind: 'train', architecture: 'small' }),
      });
      expect(answer.status).toBe(503);
      expect(await answer.json()).toMatchObject({
        code: 'engine-unavailable',
        detail: expect.stringContaining(sentence) as string,
      });
      expect(await (await fetch(`${url}/jobs`)).json()).toEqual({ jobs: [] });
    } finally {
      await service.kill();
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it('warns of jobs that another installation left', async () => {
    writeFileSync(join(folder, 'job.json'), '{}');
    const service = new ServiceProcess({ JOBS_DIR: folder, NODE_OPTIONS });
    try {
      const line = await service.line('waiting jobs are not worked on');
      expect(JSON.stringify(line)).toContain(sentence);
    } finally {
      await service.kill();
    }
    expect(readdirSync(folder)).toEqual(['job.json']);
  });
});
