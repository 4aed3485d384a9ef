import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServiceProcess } from '../support/service-process';

let folder: string;
const running: ServiceProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-admin-key-test-'));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.kill()));
  await rm(folder, { recursive: true });
});

function start(env: Readonly<Record<string, string | undefined>>): ServiceProcess {
  const service = new ServiceProcess({ JOBS_DIR: join(folder, 'jobs'), ...env });
  running.push(service);
  return service;
}

/** The status of a request that cancels a job which is not there: 404 for an admin. */
function cancel(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    request(`${url}/jobs/none`, { method: 'DELETE', headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });
}

it('whoever can read the file that a start leaves is an admin, until it ends; nobody else is, whatever they say', async () => {
  const env = { ADMIN_KEY_DIR: undefined, XDG_STATE_HOME: join(folder, 'state') };
  const service = start(env);
  const url = await service.url();
  const keys = join(folder, 'state', 'earshot');
  const [name] = await readdir(keys);
  const file = join(keys, name!);
  expect([(await lstat(keys)).mode & 0o777, (await lstat(file)).mode & 0o777]).toEqual([0o700, 0o600]);
  const { key } = JSON.parse(await readFile(file, 'utf8')) as { key: string };
  const port = new URL(url).port;
  const claims: Record<string, string>[] = [
    { host: `localhost:${port}` },
    { host: 'localhost' },
    { host: `127.0.0.1:${port}`, forwarded: 'for=127.0.0.1', 'x-forwarded-for': '127.0.0.1' },
    { host: `localhost:${port}`, authorization: `Bearer ${'A'.repeat(43)}` },
  ];
  const statuses = await Promise.all(claims.map((headers) => cancel(url, headers)));
  expect(statuses).toEqual(claims.map(() => 401));
  expect(await cancel(url, { authorization: `Bearer ${key}` })).toBe(404);

  // Another service of this user has a key of its own.
  const beside = start(env);
  const other = await beside.url();
  expect(await readdir(keys)).toHaveLength(2);
  expect(await cancel(other, { authorization: `Bearer ${key}` })).toBe(401);

  service.child.kill('SIGTERM');
  expect(await service.exitCode()).toBe(0);
  expect(existsSync(file)).toBe(false);
  expect(await readdir(keys)).toHaveLength(1);
  expect(JSON.stringify(service.lines)).toContain(file);
  expect(JSON.stringify(service.lines) + service.stderr).not.toContain(key);
}, 60_000);

it('where there is no place for a key, the service says so, and serves', async () => {
  const place = join(folder, 'file', 'keys');
  await writeFile(join(folder, 'file'), '');
  const service = start({ ADMIN_KEY_DIR: place });
  const url = await service.url();
  const { msg } = await service.line('admin key');
  expect(msg).toContain(`${place}: EEXIST: file already exists, mkdir`);
  expect(msg).toContain('Set ADMIN_KEY_DIR');
  await service.line('loaded and warmed up');
  expect(await cancel(url, {})).toBe(401);
}, 60_000);

it('where the file of keys has an admin key, no other is made', async () => {
  const file = join(folder, 'keys.json');
  const sha256 = createHash('sha256').update('boss').digest('hex');
  await writeFile(file, JSON.stringify({ keys: [{ name: 'boss', sha256, admin: true }] }));
  const service = start({ API_KEYS_FILE: file });
  const url = await service.url();
  expect(await readdir(service.adminKeyFolder)).toEqual([]);
  expect(await cancel(url, { authorization: 'Bearer boss' })).toBe(404);
}, 60_000);
