import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { classificationSchema } from '../../shared/contracts/classification';
import { parseCommand } from '../../services/cli/arguments/command-line';
import { runCli } from '../support/cli-process';
import { ServiceProcess } from '../support/service-process';
import { pcmWav } from '../support/pcm-clips';
import { samplePath } from '../support/sound-files';

let service: ServiceProcess;
let env: { EARSHOT_SERVER: string };
let folder: string;
const [dog, baby] = [samplePath('dog.ogg'), samplePath('crying_baby.ogg')];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-cli-'));
  service = new ServiceProcess({});
  env = { EARSHOT_SERVER: await service.url() };
  await service.line('loaded and warmed up');
});
afterAll(async () => {
  await service.kill();
  await rm(folder, { recursive: true });
});

describe('earshot classify', () => {
  it('names what each file holds, a line a file, in the order given', async () => {
    const files = Array.from({ length: 9 }, (_, index) => (index % 2 === 0 ? dog : baby));
    const { code, lines, errors } = await runCli(['classify', ...files], env);
    expect([code, errors]).toEqual([0, '']);
    expect(lines.map((line) => line.replace(/ \d+\.\d %,.*/, ''))).toEqual(
      files.map((file) => `${file}: ${file === dog ? 'dog' : 'crying_baby'}`),
    );
  });

  it('answers with JSON as the service does, and reads standard input', async () => {
    const { code, lines } = await runCli(
      ['classify', '--json', '--top', '2', '-'],
      env,
      await readFile(baby),
    );
    const { file, ...answer } = JSON.parse(lines[0]!) as { file: string };
    expect([code, lines.length, file]).toEqual([0, 1, '-']);
    const { label, predictions, windows } = classificationSchema.parse(answer);
    expect([label, predictions.length, windows.length]).toEqual(['crying_baby', 2, 1]);
  });

  it('says unknown where the service does, and what was nearest', async () => {
    const silence = Array.from({ length: 80_000 }, () => 0);
    const tone = silence.map((_, index) => 0.3 * Math.sin((2 * Math.PI * 997 * index) / 16_000));
    for (const samples of [silence, tone]) {
      const file = join(folder, 'nothing-known.wav');
      const wav = pcmWav(samples, 16_000);
      await writeFile(file, wav);
      const answer = await fetch(`${env.EARSHOT_SERVER}/classify`, {
        method: 'POST',
        body: new Uint8Array(wav),
      });
      const { unknown, label } = classificationSchema.parse(await answer.json());
      const { lines } = await runCli(['classify', file], env);
      expect([unknown, lines]).toEqual([
        true,
        [expect.stringMatching(/: \w+, sounds like [\w ,]+ \(\w+ [\d.]+ %, .*\)$/)],
      ]);
      expect(lines[0]!.startsWith(`${file}: ${label}, sounds like `)).toBe(true);
    }
  });

  it('cuts windows where --hop says', async () => {
    const long = join(folder, 'long.ogg');
    // Two Ogg streams one after another are one file of twice the length.
    await writeFile(long, Buffer.concat([await readFile(dog), await readFile(baby)]));
    const count = async (...options: string[]): Promise<number> => {
      const { lines } = await runCli(['classify', '--json', long, ...options], env);
      return classificationSchema.loose().parse(JSON.parse(lines[0]!)).windows.length;
    };
    expect([await count('--hop', '1'), await count()]).toEqual([6, 3]);
  });

  it('goes on after a file that cannot be classified, says why, and ends with its status', async () => {
    const text = join(folder, 'notes.txt');
    await writeFile(text, 'no sound at all');
    const { code, lines, errors } = await runCli(['classify', text, join(folder, 'gone.wav'), dog], env);
    expect(code).toBe(65);
    expect(lines).toEqual([expect.stringContaining(`${dog}: dog `)]);
    expect(errors).toContain(`${text}: This is no`);
    expect(errors).toContain('gone.wav: There is no such file.');
    const asJson = await runCli(['classify', '--json', join(folder, 'gone.wav')], env);
    expect(asJson.code).toBe(66);
    expect(JSON.parse(asJson.lines[0]!)).toMatchObject({ error: { code: 'not-found' } });
  });

  it('says how it is used when it is used wrongly, with 64', async () => {
    const { code, lines, errors } = await runCli(['classify', dog, '--top', '0'], env);
    expect([code, lines]).toEqual([64, []]);
    expect(errors).toMatch(/^--top 0: .*\n\nearshot classify PATH…/);
    expect(await runCli(['--help'])).toMatchObject({ code: 0, errors: '' });
  });

  it.each([
    [[], 'Say what to do.'],
    [['hear'], 'There is no command hear.'],
    [['classify'], 'Name at least one file.'],
    [['classify', 'dog.ogg', '--loud'], "Unknown option '--loud'"],
    [['classify', 'dog.ogg', '--server', 'ftp://x'], '--server ftp://x: expected an address'],
    [['listen', '-'], 'give --sample-rate'],
    [['listen', '--sample-rate', '8000'], 'is for standard input'],
    [['listen', 'file.wav'], 'listen does not take file.wav'],
  ])('refuses %j', (args, words) => {
    expect(() => parseCommand(args)).toThrow(words);
  });

  it('ends with 69 where there is no service', async () => {
    const { code, errors } = await runCli(['classify', dog, baby], {
      EARSHOT_SERVER: 'http://127.0.0.1:9',
    });
    expect(code).toBe(69);
    expect(errors).toBe(`${dog}: The service at http://127.0.0.1:9 cannot be reached.\n`);
  });
});
