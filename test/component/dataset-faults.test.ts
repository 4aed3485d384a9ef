import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith } from '../support/needs';
import { RawConnection } from '../support/raw-connection';
import { ServiceProcess } from '../support/service-process';
import { runOnSmallDisk, smallDisk } from '../support/small-disk';
import { zipFile } from '../support/zip-file';

const names = Array.from({ length: 6 }, (_, k) => `${k % 2 ? 'bell' : 'kettle'}-${k}.wav`);
const csv = ['filename,category', ...names.map((name) => `${name},${name.split('-')[0]!}`)].join('\n');

/** A dataset whose recordings are noise of so many bytes each. */
function datasetZip(bytesEach: number): Buffer {
  return zipFile([
    ...names.map((name) => ({ name, content: randomBytes(bytesEach) })),
    { name: 'sounds.csv', content: Buffer.from(csv) },
  ]);
}

const required = (module: string): string => JSON.stringify(require.resolve(module));

let folder: string;
const running: ServiceProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-dataset-faults-'));
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.kill()));
  await rm(folder, { recursive: true, force: true });
});

async function start(datasets = join(folder, 'datasets')): Promise<{ service: ServiceProcess; url: string }> {
  const service = new ServiceProcess({
    DATASETS_DIR: datasets,
    JOBS_DIR: join(folder, 'jobs'),
  });
  running.push(service);
  return { service, url: await service.url() };
}

async function send(service: ServiceProcess, url: string): Promise<Response> {
  return fetch(`${url}/datasets?name=mine`, {
    method: 'POST',
    headers: { 'content-type': 'application/zip', ...(await service.adminHeaders()) },
    body: new Uint8Array(datasetZip(2_000)),
  });
}

it('a dataset for which no folder can be made is refused as a job is, with the cause in the log', async () => {
  // Nobody can make a folder there, root neither.
  const { service, url } = await start('/sys/earshot-datasets');
  const sent = await send(service, url);
  expect(sent.status).toBe(507);
  expect(await sent.json()).toMatchObject({
    code: 'storage-full',
    detail: 'DATASETS_DIR cannot be written to: name a folder that can be.',
  });
  const line = JSON.stringify(await service.line('request failed on our side'));
  expect(line).toMatch(/E(PERM|ACCES|ROFS): [^']*, mkdir '\/sys\/earshot-datasets/);
  expect(await (await fetch(`${url}/datasets`)).json()).toEqual({ datasets: [] });
});

it('a file in the place of DATASETS_DIR is named as the reason why there is no list and nothing can be sent', async () => {
  await writeFile(join(folder, 'datasets'), '');
  const { service, url } = await start();
  await service.line('DATASETS_DIR could not be cleaned');
  const problem = {
    code: 'unreachable',
    detail: 'DATASETS_DIR cannot be read (ENOTDIR): name a folder that can be.',
  };
  const listed = await fetch(`${url}/datasets`);
  expect([listed.status, await listed.json()]).toMatchObject([502, problem]);
  const sent = await send(service, url);
  expect([sent.status, await sent.json()]).toMatchObject([502, problem]);
});

it('a service that is killed in the middle of an upload leaves nothing half-visible, and frees the space at its next start', async () => {
  const { service, url } = await start();
  const datasets = join(folder, 'datasets');
  const zip = datasetZip(20_000);
  const connection = new RawConnection(Number(new URL(url).port));
  const { authorization } = await service.adminHeaders();
  const head = ['POST /datasets?name=mine HTTP/1.1', 'Host: 127.0.0.1', `Authorization: ${authorization}`];
  await connection.send(
    `${[...head, `Content-Length: ${zip.length}`, 'Content-Type: application/zip', '', ''].join('\r\n')}${'x'.repeat(60_000)}`,
  );
  for (let bytes = 0; bytes === 0;) {
    const [scratch] = await readdir(datasets).catch(() => []);
    const archive = await readFile(join(datasets, String(scratch), 'archive.zip')).catch(() =>
      Buffer.alloc(0),
    );
    bytes = archive.length;
  }
  await service.kill();
  expect(await readdir(datasets)).toHaveLength(1);
  connection.hangUp();

  const again = await start();
  expect(await (await fetch(`${again.url}/datasets`)).json()).toEqual({ datasets: [] });
  while ((await readdir(datasets)).length > 0) await new Promise(setImmediate);
  const sent = await fetch(`${again.url}/datasets?name=mine`, {
    method: 'POST',
    headers: { 'content-type': 'application/zip', ...(await again.service.adminHeaders()) },
    body: new Uint8Array(zip),
  });
  expect(sent.status).toBe(201);
});

/** Sends what does not fit, then what does, to a service whose DATASETS_DIR is a small disk. */
function sendToSmallDisk(disk: string): string {
  return `
    const { ServiceProcess } = require(${required('../support/service-process')});
    const { readdirSync, statfsSync, readFileSync } = require('node:fs');
    const disk = ${JSON.stringify(disk)};
    (async () => {
      const service = new ServiceProcess({ DATASETS_DIR: disk, JOBS_DIR: ${JSON.stringify(join(folder, 'jobs'))} });
      const url = await service.url();
      const free = () => statfsSync(disk).bavail;
      const before = free();
      const send = async (name, body, type) => {
        const headers = { ...(await service.adminHeaders()), ...(type === undefined ? {} : { 'content-type': type }) };
        const response = await fetch(url + '/datasets?name=' + name, { method: 'POST', headers, body });
        return { status: response.status, body: await response.json() };
      };
      const large = new FormData();
      for (const name of ${JSON.stringify(names)}) large.append('file', new Blob([Buffer.alloc(100_000, name)]), name);
      large.append('file', new Blob([${JSON.stringify(csv)}]), 'sounds.csv');
      const form = await send('form', large);
      const zip = await send('zip', readFileSync(${JSON.stringify(join(folder, 'large.zip'))}), 'application/zip');
      const unpacked = await send('unpacked', readFileSync(${JSON.stringify(join(folder, 'packed.zip'))}), 'application/zip');
      const left = { entries: readdirSync(disk), bytes: before - free() };
      const listed = await (await fetch(url + '/datasets')).json();
      const small = await send('small', readFileSync(${JSON.stringify(join(folder, 'small.zip'))}), 'application/zip');
      await service.kill();
      console.log(JSON.stringify({ form, zip, unpacked, left, listed, small: small.status }));
    })();`;
}

describeWith(smallDisk)('a disk that becomes full in the middle of an upload', () => {
  it('refuses it with 507 and in words, keeps nothing of it, and takes one that fits', async () => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    await writeFile(join(folder, 'large.zip'), datasetZip(100_000));
    await writeFile(join(folder, 'small.zip'), datasetZip(1000));
    // Fits as it is sent, and not when it is unpacked.
    const packed = [
      ...names.map((name) => ({ name, content: Buffer.alloc(100_000, name), deflate: true })),
      { name: 'sounds.csv', content: Buffer.from(csv) },
    ];
    await writeFile(join(folder, 'packed.zip'), zipFile(packed));
    const printed = await runOnSmallDisk(disk, 400, sendToSmallDisk(disk));
    const full = {
      status: 507,
      body: expect.objectContaining({
        code: 'storage-full',
        detail: 'There is no room for this dataset; nothing of it was kept.',
      }),
    };
    expect(JSON.parse(printed)).toEqual({
      form: full,
      zip: full,
      unpacked: full,
      left: { entries: [], bytes: 0 },
      listed: { datasets: [] },
      small: 201,
    });
  });
});
