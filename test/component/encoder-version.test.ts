import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Classification } from '../../shared/contracts/classification';
import type { Labels } from '../../shared/contracts/service-status';
import { describeWithEncoder, publishedEncoderFile } from '../support/pretrained';
import { ServiceProcess } from '../support/service-process';

const samples = join(__dirname, '../../../samples');

/**
 * What the server of encoders sends: all of it, a part before the connection breaks, or something else.
 */
type Sending = 'whole' | 'cut' | 'other';

describeWithEncoder('a version on the pretrained encoder (needs ../shared/pretrained)', () => {
  let folder: string;
  let server: Server;
  let url: string;
  let sending: Sending = 'whole';
  let requests = 0;
  const running: ServiceProcess[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'earshot-encoder-'));
    const whole = await readFile(publishedEncoderFile);
    server = createServer((_req, res) => {
      requests += 1;
      res.setHeader('Content-Length', whole.length);
      if (sending === 'cut') res.write(whole.subarray(0, 100_000), () => res.destroy());
      else res.end(sending === 'other' ? Buffer.alloc(whole.length) : whole);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/encoder.pt`;
  });
  afterEach(async () => {
    for (const service of running.splice(0)) await service.kill();
  });
  afterAll(async () => {
    server.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function start(cache: string, encoder: string): Promise<ServiceProcess> {
    const home = join(folder, cache);
    await mkdir(home, { recursive: true });
    const service = new ServiceProcess({ XDG_CACHE_HOME: home, ENCODER: encoder });
    running.push(service);
    return service;
  }

  async function classify(base: string, sample: string, query = ''): Promise<Classification> {
    const form = new FormData();
    form.set('audio', new Blob([await readFile(join(samples, `${sample}.ogg`))]));
    const response = await fetch(`${base}/classify${query}`, { method: 'POST', body: form });
    expect(response.status).toBe(200);
    return (await response.json()) as Classification;
  }

  it('takes over when the encoder has come, and names what it hears in AudioSet’s words too', async () => {
    const service = await start('fetched', url);
    const base = await service.url();
    await service.line('the pretrained encoder is here');
    await service.lineWith({ architecture: 'encoder', msg: 'the model is loaded and warmed up' });
    const answer = await classify(base, 'dog');
    expect(answer).toMatchObject({ label: 'dog', model: { architecture: 'encoder' } });
    expect(answer.tags).toHaveLength(5);
    expect(answer.tags!.map(({ label }) => label)).toContain('Dog');
    expect(answer.windows[0]!.tags).toHaveLength(5);
    expect((await classify(base, 'dog', '?tags=0')).tags).toBeUndefined();
    const labels = (await (await fetch(`${base}/labels`)).json()) as Labels;
    expect(labels.classes).toContain('dog');
    expect(labels.tags).toHaveLength(527);
    expect(labels.tags[74]).toEqual({ id: '/m/0bt9lr', label: 'Dog' });
  });

  it('is served at once from the cache, and nothing is fetched again', async () => {
    const before = requests;
    const service = await start('fetched', url);
    const first = await service.lineWith({ msg: 'the model is loaded and warmed up' });
    expect(first).toMatchObject({ architecture: 'encoder' });
    expect(requests).toBe(before);
  });

  it('is passed over where the encoder is off, and the next best version serves', async () => {
    const service = await start('off', 'off');
    const base = await service.url();
    const passed = await service.lineWith({ msg: 'version cannot be loaded' });
    expect(JSON.stringify(passed)).toContain('npm run encoder');
    await service.line('the model is loaded and warmed up');
    const answer = await classify(base, 'dog');
    expect(answer.label).toBe('dog');
    expect(answer.model.architecture).toBe('small');
    expect(answer.tags!.length).toBeGreaterThan(0);
    const labels = (await (await fetch(`${base}/labels`)).json()) as Labels;
    expect(labels.tags).toHaveLength(527);
  });

  it.each([
    ['cut', 'could not be had'],
    ['other', 'has the sha256'],
  ] as const)('is passed over where what is fetched is %s, which is not kept', async (what, reason) => {
    sending = what;
    try {
      const service = await start(what, url);
      const line = await service.line('versions on the encoder are passed over');
      expect(JSON.stringify(line)).toContain(reason);
      await service.line('the model is loaded and warmed up');
      expect(service.lines.filter(({ level }) => level === line.level)).toEqual([line]);
      await service.line('the model is loaded and warmed up');
      expect((await classify(await service.url(), 'dog')).label).toBe('dog');
      const kept = await readdir(join(folder, what, 'earshot', 'encoder')).catch(() => []);
      expect(kept).toEqual([]);
    } finally {
      sending = 'whole';
    }
  });

  it('is not taken in by a damaged file in the cache', async () => {
    const cache = join(folder, 'damaged', 'earshot', 'encoder');
    await mkdir(cache, { recursive: true });
    const [name] = await readdir(join(folder, 'fetched', 'earshot', 'encoder'));
    await copyFile(publishedEncoderFile, join(cache, name!));
    await writeFile(join(cache, name!), 'half', { flag: 'r+' });
    const service = await start('damaged', url);
    const before = requests;
    await service.line('the pretrained encoder is here');
    await service.lineWith({ architecture: 'encoder', msg: 'the model is loaded and warmed up' });
    expect(requests).toBeLessThanOrEqual(before + 1);
    const healed = await readFile(join(cache, name!));
    expect(healed.equals(await readFile(publishedEncoderFile))).toBe(true);
  });
});
