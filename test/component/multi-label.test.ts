import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { classificationSchema, type Classification } from '../../shared/contracts/classification';
import { manifestSchema, type Manifest } from '../../shared/contracts/manifest';
import { labelsSchema, type Labels } from '../../shared/contracts/service-status';
import { describeWithChromium, startBrowser } from '../support/browser';
import { runCli } from '../support/cli-process';
import { describeWithEncoder, publishedEncoderFile } from '../support/pretrained';
import { ServiceProcess } from '../support/service-process';
import { joinToWav, samplePath } from '../support/sound-files';
import { StreamClient } from '../support/stream-client';

const models = join(__dirname, '../../../models');

describeWithEncoder('a version of AudioSet’s classes (needs ../shared/pretrained)', () => {
  let folder: string;
  let service: ServiceProcess;
  let url: string;
  let manifest: Manifest;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'earshot-tags-'));
    for (const name of await readdir(models)) {
      if (/^(audioset|encoder)-/.test(name))
        await cp(join(models, name), join(folder, name), { recursive: true });
    }
    const name = (await readdir(folder)).find((version) => version.startsWith('audioset-'))!;
    const text = await readFile(join(folder, name, 'manifest.json'), 'utf8');
    manifest = manifestSchema.parse(JSON.parse(text));
    // Two sounds at once.
    joinToWav([samplePath('dog.ogg'), samplePath('dog.ogg')], join(folder, 'dogs.wav'));
    const mix = [
      '-filter_complex',
      'amix=inputs=2:duration=shortest:weights=1 0.2:normalize=0',
      '-ac',
      '1',
      '-ar',
      '32000',
    ];
    const inputs = ['-i', join(folder, 'dogs.wav'), '-stream_loop', '-1', '-i', samplePath('rain.ogg')];
    execFileSync('ffmpeg', ['-v', 'error', '-nostdin', ...inputs, ...mix, join(folder, 'both.wav')]);
    service = new ServiceProcess({ MODELS_DIR: folder, ENCODER: publishedEncoderFile });
    url = await service.url();
    await service.line('loaded and warmed up');
  }, 60_000);
  afterAll(async () => {
    await service.kill();
    await rm(folder, { recursive: true, force: true });
  });

  const earshot = (...args: readonly string[]): ReturnType<typeof runCli> =>
    runCli(args, { EARSHOT_SERVER: url, ADMIN_KEY_DIR: service.adminKeyFolder });
  const classify = async (file: string, query = ''): Promise<Classification> => {
    const body = new Uint8Array(await readFile(file));
    const response = await fetch(`${url}/classify${query}`, { method: 'POST', body });
    return classificationSchema.parse(await response.json());
  };
  const labels = async (): Promise<Labels> => labelsSchema.parse(await (await fetch(`${url}/labels`)).json());

  it('does not serve by itself, but once it was promoted through the gate', async () => {
    expect(await labels()).toMatchObject({ multiLabel: false });
    const refused = await earshot('promote', manifest.version);
    expect([refused.code, refused.errors]).toEqual([73, expect.stringContaining('The gate refuses')]);
    const promoted = await earshot('promote', manifest.version, '--waive', 'classes,accuracy,recall,latency');
    expect(promoted).toMatchObject({ code: 0, lines: [`${manifest.version} serves.`] });
    const served = await labels();
    expect([served.multiLabel, served.classes.length, served.tags.length]).toEqual([true, 527, 527]);
  });

  it('names every class that reaches its own threshold, and what is nearest where none does', async () => {
    const answer = await classify(join(folder, 'both.wav'), '?topK=527');
    const threshold = (label: string): number =>
      manifest.calibration!.thresholds![manifest.classes.indexOf(label)]!;
    const heard = answer.labels!;
    expect(heard.map(({ label }) => label)).toEqual(expect.arrayContaining(['Dog', 'Rain']));
    expect(answer).toMatchObject({ label: heard[0]!.label, unknown: false });
    const expected = answer.predictions.filter(({ label, probability }) => probability >= threshold(label));
    expect(heard).toEqual(expected);
    // They do not exclude each other.
    expect(heard.reduce((sum, { probability }) => sum + probability, 0)).toBeGreaterThan(1);

    const body = new Uint8Array(await readFile(join(folder, 'both.wav')));
    const plain = await fetch(`${url}/classify`, { method: 'POST', body, headers: { Accept: 'text/plain' } });
    expect((await plain.text()).trim().split('\n')).toHaveLength(heard.length);
    const { lines } = await earshot('classify', join(folder, 'both.wav'));
    for (const { label } of heard) expect(lines[0]).toContain(label);
  });

  it('tells of several events at once in a stream', async () => {
    const client = await StreamClient.open(Number(new URL(url).port));
    client.send({ type: 'start', sampleRate: 32_000 });
    client.sendBytes((await readFile(join(folder, 'both.wav'))).subarray(44));
    client.send({ type: 'stop' });
    expect(await client.closed()).toBe(1000);
    const ended = client.of('event').filter(({ event }) => event === 'ended');
    const spanOf = (name: string): { readonly from: number; readonly to: number } => {
      const { onsetSeconds, offsetSeconds } = ended.find(({ label }) => label === name)!;
      return { from: onsetSeconds, to: offsetSeconds! };
    };
    const [dog, rain] = [spanOf('Dog'), spanOf('Rain')];
    expect(Math.min(dog.to, rain.to)).toBeGreaterThan(Math.max(dog.from, rain.from) + 1);
    const { labels: together } = client.of('prediction').at(-1)!;
    expect(together!.length).toBeGreaterThan(1);
    // Nor are the numbers of series a caller's to choose: a class has one in each of three counters.
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const series = metrics.split('\n').filter((line) => /^earshot_\w+_total\{class=/.test(line));
    expect(series.length).toBeGreaterThan(1000);
    expect(series.length).toBeLessThan(3 * (527 + 10 + 2));
  });

  describeWithChromium('on the page', () => {
    it('shows all that is heard, of a recording and of the microphone', async () => {
      const browser = await startBrowser(join(folder, 'both.wav'), []);
      const visited = await browser.open({ microphone: true });
      const { page } = visited;
      try {
        await page.goto(url);
        await page.setInputFiles('#file', join(folder, 'both.wav'));
        await page.locator('#clip-detail', { hasText: 'also heard:' }).waitFor();
        await page.click('#listen');
        for (const sound of ['Dog', 'Rain']) {
          await page
            .locator('.event-label', { hasText: new RegExp(`^${sound}$`) })
            .first()
            .waitFor();
        }
        await page.locator('#detail', { hasText: 'also heard:' }).waitFor();
        expect(visited.complaints).toEqual([]);
      } finally {
        await visited.close();
        await browser.close();
      }
    }, 60_000);
  });
});
