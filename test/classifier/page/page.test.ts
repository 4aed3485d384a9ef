import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { classificationSchema, type Classification } from '../../../shared/contracts/classification';
import {
  describeWithChromium,
  startBrowser,
  type PageOptions,
  type TestBrowser,
  type TestPage,
} from '../../support/browser';
import { recordInPage } from '../../support/page-recorder';
import { ServiceProcess } from '../../support/service-process';
import { joinToWav, samplePath } from '../../support/sound-files';

/**
 * A name of this machine that browsers do not hold for safe, as a plain http:// address in a network is.
 */
const insecureHost = 'earshot.test';

describeWithChromium('the page, in a real browser, on the real service', () => {
  let folder: string;
  let service: ServiceProcess;
  let url: string;
  let browser: TestBrowser;
  let open: TestPage[] = [];

  const visit = async (options?: PageOptions, address = url): Promise<TestPage> => {
    const visited = await browser.open(options);
    open.push(visited);
    await visited.page.goto(address);
    return visited;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'earshot-page-'));
    joinToWav([samplePath('dog.ogg')], join(folder, 'dog.wav'));
    joinToWav([samplePath('dog.ogg'), samplePath('crying_baby.ogg')], join(folder, 'home.wav'));
    service = new ServiceProcess({ ALLOWED_HOSTS: insecureHost });
    url = await service.url();
    await service.line('loaded and warmed up');
    browser = await startBrowser(join(folder, 'dog.wav'), [insecureHost]);
  });
  afterEach(async () => {
    await Promise.all(open.map((visited) => visited.close()));
    open = [];
  });
  afterAll(async () => {
    await browser.close();
    await service.kill();
    await rm(folder, { recursive: true });
  });

  describe('a recorder of the browser’s own (MediaRecorder)', () => {
    it('is heard as it records and as a file, paused or with a last blob behind stop; MP4 as a file', async () => {
      const { page } = await visit({ microphone: true });
      const [plain, paused, mp4] = await Promise.all([
        recordInPage(page, 'audio/webm;codecs=opus', []),
        recordInPage(page, 'audio/webm;codecs=opus', ['pause', 'late blob']),
        recordInPage(page, 'audio/mp4', []),
      ]);
      for (const { types, heardSeconds, file } of [plain, paused]) {
        expect(types).toEqual(['ready', ...types.slice(1, -1), 'done']);
        expect(types).toContain('prediction');
        expect(types).not.toContain('error');
        expect(file).toMatchObject({ label: 'dog', audio: { format: 'webm', codec: 'opus' } });
        expect(file.audio.durationSeconds).toBeGreaterThan(1);
        expect(heardSeconds).toBeGreaterThan(1);
      }
      expect(Math.abs(plain.heardSeconds - plain.file.audio.durationSeconds)).toBeLessThan(0.05);
      // The sender's clock stands still meanwhile: a pause is no hole.
      expect(paused.file.warnings).toBeUndefined();
      expect(mp4.types).toEqual(['ready', 'error']);
      expect(mp4.error).toMatch(/This is mp4, not WebM or Ogg/);
      expect(mp4.file).toMatchObject({ label: 'dog', audio: { format: 'mp4', codec: 'opus' } });
    });
  });

  describe('a recording', () => {
    it('that is a sample is named, drawn and played', async () => {
      const { page, complaints, requests } = await visit();
      const names = readdirSync('samples')
        .filter((file) => file.endsWith('.ogg'))
        .map((file) => file.replace('.ogg', '').replaceAll('_', ' '));
      const offered = await page.locator('#samples button').allTextContents();
      expect(offered.map((words) => words.toLowerCase()).sort()).toEqual(names.sort());

      await page.getByRole('button', { name: 'Crying baby' }).click();
      await page.locator('#clip').waitFor();
      expect(await page.textContent('#clip-label')).toBe('Crying baby');
      expect(await page.locator('#clip-bars li').allTextContents()).toHaveLength(3);
      expect(await inkShare(page, '#waveform')).toBeGreaterThan(0.05);

      await page.getByRole('button', { name: 'Play' }).click();
      await page.getByRole('button', { name: 'Pause' }).waitFor();
      await page.getByText('0:01 / 0:05').waitFor();
      expect(complaints).toEqual([]);
      expect(
        requests.filter((address) => !address.startsWith(`${url}/`) && !address.startsWith('blob:')),
      ).toEqual([]);
    });

    it('that is chosen as a file is judged as the service judges it, window by window', async () => {
      const wav = await readFile(join(folder, 'home.wav'));
      const answer = await classify(url, wav);
      expect(answer.windows.length).toBeGreaterThan(2);

      const { page } = await visit();
      await page.setInputFiles('#file', join(folder, 'home.wav'));
      await page.locator('#clip').waitFor();
      const track = (await page.locator('#windows').boundingBox())!;
      const shown = await Promise.all(
        (await page.locator('.window').all()).map(async (button) => {
          const { x, width } = (await button.boundingBox())!;
          const words = (await button.getAttribute('aria-label'))!;
          return [words, (x - track.x) / track.width, (x + width - track.x) / track.width] as const;
        }),
      );
      expect(shown).toHaveLength(answer.windows.length);
      answer.windows.forEach(({ startSeconds, endSeconds, label }, index) => {
        const [words, from, to] = shown[index]!;
        const name =
          label === 'unknown'
            ? 'Something else'
            : label.charAt(0).toUpperCase() + label.slice(1).replaceAll('_', ' ');
        expect(words).toContain(`${startSeconds.toFixed(1)} s to ${endSeconds.toFixed(1)} s: ${name}, `);
        expect(from).toBeCloseTo(startSeconds / answer.audio.durationSeconds, 2);
        expect(to).toBeCloseTo(endSeconds / answer.audio.durationSeconds, 2);
      });
    });

    it('that is dropped anywhere on the page is classified too', async () => {
      const { page } = await visit();
      const bytes = (await readFile(samplePath('dog.ogg'))).toString('base64');
      await page.evaluate(`{
        const bytes = Uint8Array.from(atob('${bytes}'), (character) => character.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], 'my dog.ogg'));
        document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer }));
      }`);
      await page.locator('#clip').waitFor();
      expect([await page.textContent('#clip-name'), await page.textContent('#clip-label')]).toEqual([
        'my dog.ogg',
        'Dog',
      ]);
    });

    it('that is none is refused in words', async () => {
      const { page } = await visit();
      await page.setInputFiles('#file', {
        name: 'notes.txt',
        mimeType: 'text/plain',
        buffer: Buffer.from('not a sound'),
      });
      await page.locator('#clip-problem:not([hidden])').waitFor();
      expect(await page.textContent('#clip-problem')).toBe(
        'notes.txt: This is no kind of recording that the server can read.',
      );
      expect(await page.isHidden('#clip')).toBe(true);
    });

    it.each([
      ['says what it sounds like', [{ label: 'Animal', probability: 0.72 }], 'Sounds like: Animal (72 %)'],
      ['says no more without tags', undefined, 'None of the sounds that the model knows.'],
    ])(
      'without a sound that the model knows is said to be something else, and %s',
      async (_, tags, detail) => {
        const { page } = await visit();
        const answer = await classify(url, await readFile(samplePath('dog.ogg')));
        const unknown = { ...answer, label: 'unknown', confidence: 0.7, tags };
        await page.route('**/classify?*', (route) => route.fulfill({ json: unknown }));
        await page.getByRole('button', { name: 'Dog' }).click();
        await page.locator('#clip').waitFor();
        expect(await page.textContent('#clip-label')).toBe('Something else');
        expect(await page.textContent('#clip-detail')).toBe(detail);
      },
    );
  });

  describe('the microphone', () => {
    it('is heard: the dog is named, drawn, timed and listed', async () => {
      const { page, complaints, requests } = await visit({ microphone: true });
      await page.getByRole('button', { name: 'Listen' }).click();
      await page.locator('#label', { hasText: /^Dog$/ }).waitFor();
      await page.locator('#events .event', { hasText: 'Dog' }).waitFor();
      const announced = page.locator('#announcer', { hasText: 'Dog, started' });
      await announced.waitFor({ state: 'attached' });
      expect(await page.textContent('#lag')).toMatch(/^(\d+ ms|\d\.\d s)$/);
      expect(Number(await page.getAttribute('#meter', 'aria-valuenow'))).toBeGreaterThan(-60);
      expect(await page.locator('#bars .bar-name').first().textContent()).toBe('Dog');
      expect(await colours(page, '#scope')).toBeGreaterThan(50);

      await page.getByRole('button', { name: 'Stop' }).click();
      await page.getByRole('button', { name: 'Listen' }).waitFor();
      expect(await page.textContent('#detail')).toMatch(/^\d+\.\d s of sound, [1-9]\d* sounds? heard\.$/);
      expect(complaints).toEqual([]);
      const ours = [`${url}/`, `${url.replace('http', 'ws')}/`];
      expect(requests.filter((address) => !ours.some((origin) => address.startsWith(origin)))).toEqual([]);
    });

    it('that the browser withholds is missed in words', async () => {
      const { page } = await visit();
      await page.getByRole('button', { name: 'Listen' }).click();
      await page
        .getByRole('alert')
        .filter({ hasText: 'does not let this page use the microphone' })
        .waitFor();
      expect(await page.getByRole('button', { name: 'Listen' }).isEnabled()).toBe(true);
    });

    it('cannot be had on an address that browsers do not trust, and the page says so', async () => {
      const { page } = await visit({}, url.replace('127.0.0.1', insecureHost));
      await page.getByRole('button', { name: 'Listen' }).click();
      await expectAlert(page, 'only to pages that came over https');
    });

    it.each([
      ['NotFoundError', 'No microphone was found.'],
      ['NotReadableError', 'in use by another program'],
    ])('that fails with %s is missed in words', async (name, words) => {
      const { page } = await visit({ microphone: true });
      await page.evaluate(
        `navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '${name}'))`,
      );
      await page.getByRole('button', { name: 'Listen' }).click();
      await expectAlert(page, words);
    });
  });

  it('is used with the keyboard alone', async () => {
    const { page } = await visit({ microphone: true });
    const focused = (): Promise<string> => page.evaluate(`document.activeElement.textContent.trim()`);
    const tabTo = async (words: string): Promise<void> => {
      for (let presses = 0; (await focused()) !== words; presses += 1) {
        if (presses === 30) throw new Error(`Tab does not lead to ${words}`);
        await page.keyboard.press('Tab');
      }
    };
    await tabTo('Listen');
    await page.keyboard.press('Enter');
    await page.locator('#label', { hasText: /^Dog$/ }).waitFor();
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Listen' }).waitFor();

    await tabTo('Crying baby');
    await page.keyboard.press('Enter');
    await page.locator('#clip-label', { hasText: 'Crying baby' }).waitFor();
    await page.setInputFiles('#file', join(folder, 'home.wav'));
    await page.locator('.window').nth(1).waitFor();
    await page.locator('#position').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    expect(await page.locator('.window').nth(1).getAttribute('aria-pressed')).toBe('true');
    expect(await page.textContent('#clip-name')).toBe('home.wav, from 2.5 s to 7.5 s');
    await page.keyboard.press('End');
    expect(await page.evaluate(`document.activeElement.getAttribute('aria-label')`)).toContain('Crying baby');
  });

  it.each([
    ['light', 360],
    ['dark', 1280],
  ] as const)('has no fault that axe finds, %s and %i pixels wide', async (colorScheme, width) => {
    const { page } = await visit({ colorScheme, width, microphone: true });
    await page.locator('#service[data-state=ready]').waitFor();
    expect(await faults(page)).toEqual([]);
    await page.setInputFiles('#file', join(folder, 'home.wav'));
    await page.locator('#clip').waitFor();
    await page.getByRole('button', { name: 'Listen' }).click();
    await page.locator('#events .event').first().waitFor();
    await page.setInputFiles('#file', {
      name: 'notes.txt',
      mimeType: 'text/plain',
      buffer: Buffer.from('no'),
    });
    await page.locator('#clip-problem').waitFor();
    await page.getByRole('button', { name: 'Rain' }).click();
    await page.locator('#clip').waitFor();
    expect(await faults(page)).toEqual([]);
    expect(await page.evaluate(`document.documentElement.scrollWidth - innerWidth`)).toBe(0);
    await keepScreenshot(page, `${colorScheme}-${width}`);
  });

  it('stands still for those who asked for less motion', async () => {
    const { page } = await visit({ microphone: true, reducedMotion: 'reduce' });
    await page.getByRole('button', { name: 'Listen' }).click();
    await page.locator('#label', { hasText: /^Dog$/ }).waitFor();
    // A picture that moves has the newest sound at its right edge; this one has not come that far.
    expect(await colours(page, '#scope', [0, 0.02])).toBeGreaterThan(20);
    expect(await colours(page, '#scope', [0.9, 1])).toBe(1);
  });

  it('analyses pitch as the definition of the Fourier transform has it', async () => {
    const { page } = await visit();
    const samples = Array.from(
      { length: 64 },
      (_, n) => Math.sin(0.7 * n) + 0.3 * Math.cos(2.1 * n + 1) + 0.1,
    );
    const module = (await page.getAttribute('script[type=module]', 'src'))!.replace('main.js', 'draw/fft.js');
    const power = await page.evaluate<number[]>(`import('${url}/${module}').then(({ createFft }) => {
      const power = new Float32Array(33);
      createFft(64).powerSpectrum(Float32Array.from(${JSON.stringify(samples)}), power);
      return [...power];
    })`);
    const expected = Array.from({ length: 33 }, (_, k) => {
      const sum = (part: (angle: number) => number): number =>
        samples.reduce((total, sample, n) => total + sample * part((2 * Math.PI * k * n) / 64), 0);
      return sum(Math.cos) ** 2 + sum(Math.sin) ** 2;
    });
    expect(Math.max(...expected.map((value, k) => Math.abs(value - power[k]!)))).toBeLessThan(1e-3);
    expect(Math.max(...expected)).toBeGreaterThan(500);
  });

  it('comes in parts that may be kept for ever, beside a document that is asked for anew', async () => {
    const document = await fetch(url);
    const html = await document.text();
    expect(document.headers.get('cache-control')).toBe('no-cache');
    const policy = document.headers.get('content-security-policy')!;
    expect(policy).toMatch(/default-src 'self'(;|$)/);
    expect(policy).not.toMatch(/script-src|style-src|unsafe|https?:|\*/);
    const parts = [...html.matchAll(/(?:src|href)="(page\/[^"]+)"/g)].map(([, path]) => path!);
    expect(parts.length).toBeGreaterThan(25);
    for (const path of parts) {
      const { status, headers } = await fetch(`${url}/${path}`);
      expect([path, status, headers.get('cache-control')]).toEqual([
        path,
        200,
        'public, max-age=31536000, immutable',
      ]);
    }
    const stale = parts[0]!.replace(/page\/[^/]+/, 'page/anotherDigest');
    expect((await fetch(`${url}/${stale}`)).status).toBe(404);
    expect(
      (await fetch(`${url}/${parts[0]!.split('/').slice(0, 2).join('/')}/../../package.json`)).status,
    ).toBe(404);
  });

  it('asks for the key that the service asks for, and says when there is no room to listen', async () => {
    const key = 'correct horse battery staple'.replaceAll(' ', '-');
    const keysFile = join(folder, 'keys.json');
    const sha256 = createHash('sha256').update(key).digest('hex');
    await writeFile(keysFile, JSON.stringify({ keys: [{ name: 'test', sha256 }] }));
    const guarded = new ServiceProcess({ API_KEYS_FILE: keysFile, MAX_STREAMS: '0' });
    try {
      const { page } = await visit({ microphone: true }, await guarded.url());
      await guarded.line('loaded and warmed up');
      for (const wrongFirst of ['guess', key]) {
        await page.getByRole('button', { name: 'Dog' }).click();
        await expectAlert(page, 'asks for a key');
        await page.getByLabel('Your API key').fill(wrongFirst);
        await page.keyboard.press('Enter');
      }
      await page.getByRole('button', { name: 'Dog' }).click();
      await page.locator('#clip-label', { hasText: 'Dog' }).waitFor();
      await page.getByRole('button', { name: 'Listen' }).click();
      await expectAlert(page, 'as much to do as it can');
    } finally {
      await guarded.kill();
    }
  });

  // The last one, for it takes the service away from the others.
  it('survives a service that is killed and started again', async () => {
    const { page } = await visit({ microphone: true });
    await page.getByRole('button', { name: 'Listen' }).click();
    await page.locator('#label', { hasText: /^Dog$/ }).waitFor();
    await service.kill();
    await expectAlert(page, 'the page reconnects by itself');
    await page.locator('#service[data-state=away]').waitFor();
    expect(await page.textContent('#caption')).toBe('Not connected');

    service = new ServiceProcess({ PORT: new URL(url).port });
    await service.line('loaded and warmed up');
    await page.locator('#listen-problem').waitFor({ state: 'hidden' });
    await page.locator('#label', { hasText: /^Dog$/ }).waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: 'Listen' }).waitFor();
    expect(await page.isHidden('#listen-problem')).toBe(true);
    // What the first service had not ended has ended with it.
    await page.locator('.event[data-lasting=true]').waitFor({ state: 'detached' });
    await page.locator('#service[data-state=ready]').waitFor();
  });
});

async function classify(url: string, bytes: Buffer): Promise<Classification> {
  const response = await fetch(`${url}/classify`, { method: 'POST', body: new Uint8Array(bytes) });
  return classificationSchema.parse(await response.json());
}

/** Waits until the page says something is wrong, aloud for those who do not see it. */
async function expectAlert(page: Page, words: string): Promise<void> {
  const alert = page.getByRole('alert').filter({ hasText: words });
  await alert.waitFor();
  expect(await alert.isVisible()).toBe(true);
}

/** How many colours a canvas shows, or a vertical stripe of it. */
async function colours(page: Page, canvas: string, [from, to] = [0, 1]): Promise<number> {
  return page.evaluate(`{
    const canvas = document.querySelector('${canvas}');
    const [left, right] = [${from}, ${to}].map((share) => Math.round(share * canvas.width));
    const { data } = canvas.getContext('2d').getImageData(left, 0, right - left, canvas.height / 2);
    new Set(new Uint32Array(data.buffer)).size;
  }`);
}

/** What breaks WCAG 2.2, levels A and AA, as far as a program can tell. */
async function faults(page: Page): Promise<unknown[]> {
  await page.evaluate(axe.source);
  return page.evaluate(`axe
    .run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
    .then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))`);
}

/** For people to look at: kept where SCREENSHOTS_DIR says. */
async function keepScreenshot(page: Page, name: string): Promise<void> {
  const target = process.env['SCREENSHOTS_DIR'];
  const picture = await page.screenshot({ fullPage: true });
  if (target !== undefined) await writeFile(join(target, `${name}.png`), picture);
}

/** How much of a canvas is painted. */
async function inkShare(page: Page, canvas: string): Promise<number> {
  return page.evaluate(`{
    const canvas = document.querySelector('${canvas}');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let painted = 0;
    for (let alpha = 3; alpha < data.length; alpha += 4) painted += Number(data[alpha] > 0);
    painted / (canvas.width * canvas.height);
  }`);
}
