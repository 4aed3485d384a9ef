import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';
import {
  type DownloadOptions,
  type DownloadProgress,
  downloadEsc50,
} from '../../services/trainer/data/data-download';

const csv = 'filename,fold,target,category\n1-a-A-0.wav,1,0,dog\n2-b-A-1.wav,2,1,rooster\n';
const complete: Readonly<Record<string, string>> = {
  'ESC-50-master/README.md': 'about',
  'ESC-50-master/LICENSE': 'licence',
  'ESC-50-master/esc50.gif': 'a picture',
  'ESC-50-master/meta/esc50.csv': csv,
  'ESC-50-master/audio/1-a-A-0.wav': 'first clip, '.repeat(5000),
  'ESC-50-master/audio/2-b-A-1.wav': 'second clip',
  'ESC-50-master/tests/test.py': 'a program',
};

function zip(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const archive = new ZipFile();
  for (const [name, content] of Object.entries(files)) {
    archive.addBuffer(Buffer.from(content), name, { compress: name.endsWith('0.wav') });
  }
  archive.end();
  return buffer(archive.outputStream);
}

/** The same archive with bytes replaced by as many others. */
function tamper(archive: Buffer, from: string, to: string): Buffer {
  const text = archive.toString('latin1');
  expect(to).toHaveLength(from.length);
  expect(text).toContain(from);
  return Buffer.from(text.replaceAll(from, to), 'latin1');
}

let root: string;
let folder: string;
let server: Server;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'earshot-download-'));
  folder = path.join(root, 'data', 'ESC-50');
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(root, { recursive: true, force: true });
});

function urlOf(of: Server): string {
  return `http://127.0.0.1:${(of.address() as AddressInfo).port}/master.zip`;
}

function serve(listener: RequestListener, more: Partial<DownloadOptions> = {}): Promise<void> {
  server.removeAllListeners('request').on('request', listener);
  return downloadEsc50({ url: urlOf(server), folder, ...more });
}

function send(body: Buffer): RequestListener {
  return (_, response) => response.end(body);
}

async function expectNothingLeft(): Promise<void> {
  expect(await readdir(path.join(root, 'data')).catch(() => [])).toEqual([]);
}

describe('downloadEsc50', () => {
  it('unpacks the clips, their list and the licence, and nothing else', async () => {
    await serve(send(await zip(complete)), { folder: `${folder}/` });
    const names = (await readdir(folder, { recursive: true })).sort();
    expect(names).toEqual([
      'LICENSE',
      'README.md',
      'audio',
      'audio/1-a-A-0.wav',
      'audio/2-b-A-1.wav',
      'meta',
      'meta/esc50.csv',
    ]);
    expect(await readFile(path.join(folder, 'audio/1-a-A-0.wav'), 'utf8')).toBe('first clip, '.repeat(5000));
    expect(await readdir(path.join(root, 'data'))).toEqual(['ESC-50']);
  });

  it('tells how far it is, in bytes and in files', async () => {
    const body = await zip(complete);
    const seen: DownloadProgress[] = [];
    await serve(send(body), { onProgress: (progress) => seen.push(progress) });
    const downloads = seen.filter((progress) => progress.phase === 'download');
    expect(downloads.at(-1)).toEqual({ phase: 'download', bytes: body.length, totalBytes: body.length });
    expect(seen.at(-1)).toEqual({ phase: 'unpack', done: 5, total: 5 });
  });

  it('knows no total where the server names none, as GitHub does', async () => {
    const body = await zip(complete);
    const seen: DownloadProgress[] = [];
    const chunked: RequestListener = (_, response) => {
      response.write(body.subarray(0, 100));
      response.end(body.subarray(100));
    };
    await serve(chunked, { onProgress: (progress) => seen.push(progress) });
    expect(seen[0]).toMatchObject({ phase: 'download', totalBytes: undefined });
  });

  it('does not ask the server again for what is there', async () => {
    const body = await zip(complete);
    let requests = 0;
    const count: RequestListener = (_, response) => {
      requests += 1;
      response.end(body);
    };
    await serve(count);
    await serve(count);
    expect(requests).toBe(1);
  });

  it('starts clean after a killed download, and fills an empty folder', async () => {
    await mkdir(`${folder}.partial/ESC-50/audio`, { recursive: true });
    await writeFile(`${folder}.partial/ESC-50/audio/stale.wav`, 'stale');
    await mkdir(folder);
    await serve(send(await zip(complete)));
    expect((await readdir(path.join(folder, 'audio'))).sort()).toEqual(['1-a-A-0.wav', '2-b-A-1.wav']);
    expect(await readdir(path.join(root, 'data'))).toEqual(['ESC-50']);
  });

  it('leaves a folder alone that holds something else', async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, 'thesis.txt'), 'mine');
    await expect(serve(send(await zip(complete)))).rejects.toMatchObject({
      code: 'invalid-dataset',
      message: expect.stringContaining(
        'is in the way: it has no meta/esc50.csv that can be read. Move it away',
      ),
    });
    expect(await readdir(folder)).toEqual(['thesis.txt']);
  });

  const without = (name: string): Record<string, string> =>
    Object.fromEntries(Object.entries(complete).filter(([key]) => !key.endsWith(name)));

  it.each<[string, () => Promise<Buffer>, RegExp]>([
    ['a clip is missing', () => zip(without('2-b-A-1.wav')), /2-b-A-1\.wav is missing/],
    ['the list is missing', () => zip(without('esc50.csv')), /no meta\/esc50\.csv/],
    [
      'a stored file is damaged',
      async () => tamper(await zip(complete), 'second clip', 'sekond clip'),
      /CRC-32/,
    ],
    ['it is no archive', () => Promise.resolve(Buffer.from('<html>Sign in</html>')), /could not be had/],
    ['it ends early', async () => (await zip(complete)).subarray(0, 400), /could not be had/],
    [
      'a name in it leads out of the folder',
      async () => tamper(await zip(complete), '50-master/audio/2-b', '50-master/../../../'),
      /leads out of the folder/,
    ],
    [
      'a name in it is absolute',
      async () => tamper(await zip(complete), 'ESC-50-master/LICENSE', '/SC-50-master/LICENSE'),
      /leads out of the folder/,
    ],
  ])('refuses what arrived when %s', async (_, body, reason) => {
    await expect(serve(send(await body()))).rejects.toMatchObject({
      code: 'invalid-dataset',
      message: expect.stringMatching(reason),
    });
    await expectNothingLeft();
  });

  it.each<[string, RequestListener, RegExp]>([
    ['refuses', (_, response) => response.writeHead(404).end('no'), /the server answered 404/],
    [
      'hangs up half-way',
      (_, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('half', () => response.destroy());
      },
      /terminated|aborted|closed|premature/i,
    ],
    ['says nothing at all', () => undefined, /nothing arrived for 0\.2 s/],
    [
      'falls silent half-way',
      (_, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('half');
      },
      /nothing arrived for 0\.2 s/,
    ],
  ])('says what to do when the server %s', async (_, listener, reason) => {
    await expect(serve(listener, { idleMs: 200 })).rejects.toMatchObject({
      code: 'invalid-dataset',
      message: expect.stringMatching(reason),
    });
    await expect(serve(listener, { idleMs: 200 })).rejects.toThrow(
      `ESC-50 could not be had from ${urlOf(server)}`,
    );
    await expect(serve(listener, { idleMs: 200 })).rejects.toThrow('Download it by other means');
    await expectNothingLeft();
  });

  it('names the network’s own reason when it cannot connect', async () => {
    const gone = createServer();
    await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
    const url = urlOf(gone);
    await new Promise((resolve) => gone.close(resolve));
    await expect(downloadEsc50({ url, folder })).rejects.toThrow(/ECONNREFUSED.*Download it by other means/);
    await expectNothingLeft();
  });

  it('stops when it is cancelled, and leaves nothing behind', async () => {
    const controller = new AbortController();
    const listener: RequestListener = (_, response) => {
      response.write('the beginning');
    };
    const onProgress = (): void => {
      controller.abort();
    };
    await expect(serve(listener, { onProgress, signal: controller.signal })).rejects.toMatchObject({
      code: 'cancelled',
    });
    await expectNothingLeft();
  });
});
