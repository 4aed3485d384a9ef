import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { serverMessageSchema } from '../../shared/contracts/stream';
import { CliProcess, runCli } from '../support/cli-process';
import { describeWithFfmpeg } from '../support/ffmpeg-tool';
import { ServiceProcess } from '../support/service-process';
import { joinToWav, samplePath } from '../support/sound-files';

/**
 * Stands in for a sound card: what it is given, over and over, at the pace of time; ends as arecord does
 * on Ctrl-C.
 */
const arecordProgram = (pcmFile: string): string => `#!${process.execPath}
const pcm = require('node:fs').readFileSync(${JSON.stringify(pcmFile)});
if (!process.argv.join(' ').includes('-f S16_LE -c 1 -r 48000')) throw new Error(process.argv.join(' '));
let at = 0;
setInterval(() => {
  process.stdout.write(pcm.subarray(at, at + 4800));
  at = at + 4800 < pcm.length ? at + 4800 : 0;
}, 50);
process.on('SIGINT', () => process.exit(1));
`;

describeWithFfmpeg('earshot listen', () => {
  let folder: string;
  let service: ServiceProcess;
  let server: string;
  let pcm: Buffer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'earshot-listen-'));
    joinToWav([samplePath('dog.ogg')], join(folder, 'dog.wav'));
    // Behind the header lie the bare samples.
    const wav = await readFile(join(folder, 'dog.wav'));
    pcm = wav.subarray(wav.indexOf('data') + 8);
    await writeFile(join(folder, 'dog.raw'), pcm);
    await writeFile(join(folder, 'arecord'), arecordProgram(join(folder, 'dog.raw')));
    await chmod(join(folder, 'arecord'), 0o755);
    service = new ServiceProcess({});
    server = await service.url();
    await service.line('loaded and warmed up');
  });
  afterAll(async () => {
    await service.kill();
    await rm(folder, { recursive: true });
  });

  it('names what is heard on standard input, and says the totals apart from it', async () => {
    const options = ['--sample-rate', '48000', '--hop', '1', '--server', server];
    const { code, lines, errors } = await runCli(['listen', '-', ...options], {}, pcm);
    expect(code).toBe(0);
    expect(lines).toContainEqual(expect.stringMatching(/^0:0\d\.\d {2}dog$/));
    expect(errors).toMatch(/^5\.0 s of sound, 5 predictions, \d sounds? heard, mean lag \d+ ms\n$/);
  });

  it('says silence and unknown where the service does', async () => {
    const seconds = (second: (index: number) => number): Buffer =>
      Buffer.from(Int16Array.from({ length: 5 * 48_000 }, (_, index) => second(index)).buffer);
    const tone = seconds((index) => 9000 * Math.sin((2 * Math.PI * 997 * index) / 48_000));
    const options = ['--sample-rate', '48000', '--hop', '5', '--predictions', '--server', server];
    const ofTone = await runCli(['listen', '-', ...options], {}, tone);
    expect(ofTone.lines).toContainEqual(
      expect.stringMatching(/^0:05\.0 {2}unknown, sounds like [\w ,]+ \(\w+ [\d.]+ %, .*\)/),
    );
    const ofNothing = await runCli(['listen', '-', ...options], {}, Buffer.alloc(10 * 48_000));
    expect(ofNothing.lines).toContainEqual(expect.stringMatching(/^0:05\.0 {2}silence /));
  });

  it('speaks JSON, every message of the service, and takes floats of two channels', async () => {
    const samples = pcm.length / 2;
    const floats = Buffer.alloc(samples * 8);
    for (let index = 0; index < samples; index += 1) {
      const value = pcm.readInt16LE(2 * index) / 32_768;
      floats.writeFloatLE(value, 8 * index);
      floats.writeFloatLE(value, 8 * index + 4);
    }
    const hear = async (input: Buffer, ...format: string[]) => {
      const named = ['--name', 'kitchen', '--tag', 'floor 1', '--tag', 'north'];
      const options = ['--json', ...named, '--hop', '1', '--top', '10', '--sample-rate', '48000', ...format];
      const { code, lines, errors } = await runCli(
        ['listen', '-', ...options],
        { EARSHOT_SERVER: server },
        input,
      );
      expect([code, errors]).toEqual([0, expect.stringContaining('5.0 s of sound')]);
      return lines.map((line) => serverMessageSchema.parse(JSON.parse(line)));
    };
    const mono = await hear(pcm);
    const stereo = await hear(floats, '--encoding', 'pcm_f32le', '--channels', '2');
    expect(mono.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['ready', 'prediction', 'event', 'done']),
    );
    const sources = mono.flatMap((message) => (message.type === 'event' ? [message.source] : []));
    expect(sources).toEqual(sources.map(() => ({ name: 'kitchen', tags: ['floor 1', 'north'] })));
    expect(mono.at(-1)).toMatchObject({
      type: 'done',
      totals: { predictions: 5, receivedBytes: pcm.length },
    });
    const heard = [mono, stereo].map((messages) =>
      messages.flatMap((m) => (m.type === 'prediction' ? [m] : [])),
    );
    expect(heard[0]).toHaveLength(5);
    heard[0]!.forEach(({ predictions }, index) => {
      const other = new Map(heard[1]![index]!.predictions.map((p) => [p.label, p.probability]));
      for (const { label, probability } of predictions) expect(other.get(label)).toBeCloseTo(probability, 4);
    });
  });

  it('says with 66 that there is no way to a microphone', async () => {
    const { code, errors } = await runCli(['listen', '--server', server], { PATH: dirname(__filename) });
    expect(code).toBe(66);
    expect(errors).toBe('Neither arecord nor ffmpeg is here to open the microphone: install alsa-utils.\n');
  });

  it('says with 69 that there is no service', async () => {
    const { code, errors } = await runCli(['listen', '--server', 'http://127.0.0.1:9']);
    expect([code, errors]).toEqual([69, 'The service at http://127.0.0.1:9 cannot be reached.\n']);
  });

  it('hears the microphone until Ctrl-C, through a service that is restarted meanwhile', async () => {
    const path = [folder, process.env['PATH']].join(delimiter);
    const running = new CliProcess(['listen', '--predictions', '--server', server], { PATH: path });
    try {
      await running.printed('  dog ');
      await service.kill();
      await running.printedError('Reconnecting…');
      service = new ServiceProcess({ PORT: new URL(server).port });
      await running.printedError('Connected again.');
      running.child.kill('SIGINT');
      const { code, errors } = await running.result();
      expect(code).toBe(0);
      expect(errors).toMatch(/\d+\.\d s of sound, \d+ predictions, .*, 1 reconnect\n$/);
    } finally {
      running.child.kill('SIGKILL');
    }
  });
});
