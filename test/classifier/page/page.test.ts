import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { classificationSchema, type Classification } from '../../../shared/contracts/classification';
import {
  describeWithChromium,
  startBrowser,
  type PageOptions,
  type TestBrowser,
  type TestPage,
} from '../../support/browser';
import { ServiceProcess } from '../../support/service-process';
import { joinToWav, samplePath } from '../../support/sound-files';

/** A name of this machine that browsers do not hold for safe, as a plain http:// address in a network is. */
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
    joinToWav([samplePath('dog.ogg'), samplePath('rooster.ogg')], join(folder, 'farm.wav'));
    service = new ServiceProcess({});
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

  describe('a recording', () => {
    it('that is a sample is named, drawn and played', async () => {
      const { page, complaints, requests } = await visit();
      const names = readdirSync('samples').map((file) => file.replace('.ogg', '').replaceAll('_', ' '));
      const offered = await page.locator('#samples button').allTextContents();
      expect(offered.map((words) => words.toLowerCase()).sort()).toEqual(names.sort());

      await page.getByRole('button', { name: 'Rooster' }).click();
      await page.locator('#clip').waitFor();
      expect(await page.textContent('#clip-label')).toBe('Rooster');
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
      const wav = await readFile(join(folder, 'farm.wav'));
      const answer = await classify(url, wav);
      expect(answer.windows.length).toBeGreaterThan(2);

      const { page } = await visit();
      await page.setInputFiles('#file', join(folder, 'farm.wav'));
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
        const name = label.charAt(0).toUpperCase() + label.slice(1).replaceAll('_', ' ');
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

    it('without a sound that the model knows is said to be something else', async () => {
      const { page } = await visit();
      const answer = await classify(url, await readFile(samplePath('dog.ogg')));
      const unknown = { ...answer, label: 'unknown', confidence: 0.7 };
      await page.route('**/classify?*', (route) => route.fulfill({ json: unknown }));
      await page.getByRole('button', { name: 'Dog' }).click();
      await page.locator('#clip').waitFor();
      expect(await page.textContent('#clip-label')).toBe('Something else');
      expect(await page.textContent('#clip-detail')).toBe('None of the sounds that the model knows.');
    });
  });
});

async function classify(url: string, bytes: Buffer): Promise<Classification> {
  const response = await fetch(`${url}/classify`, { method: 'POST', body: new Uint8Array(bytes) });
  return classificationSchema.parse(await response.json());
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
