import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { classificationSchema, type Classification } from '../../shared/contracts/classification';
import { modelListSchema } from '../../shared/contracts/service-status';
import { describeWith, type Need } from '../support/needs';
import { ServiceProcess } from '../support/service-process';
import { wavFile } from '../support/wav-file';

const projectFolder = join(__dirname, '../../..');
const script = join(projectFolder, 'test/fixtures/clients/inference_clients.py');
const modelsFolder = join(projectFolder, 'models');
const dogFile = join(projectFolder, 'samples/dog.ogg');

/** The Python that has the packages: `.ci/run` makes one and says where. */
const python = process.env['EARSHOT_TEST_PYTHON'] ?? 'python3';
const clients: Need = {
  name: 'tritonclient[http] and huggingface_hub in EARSHOT_TEST_PYTHON, which .ci/run installs',
  isMet: () => spawnSync(python, ['-c', 'import tritonclient.http, huggingface_hub']).status === 0,
};

interface Told {
  readonly label: string[];
  readonly confidence: number[];
  readonly labels: string[];
  readonly probabilities: number[][];
}

const sampleRate = 16_000;
/** Three seconds of a falling tone. */
const tone = Float32Array.from({ length: 3 * sampleRate }, (_, i) => {
  const seconds = i / sampleRate;
  return 0.4 * Math.exp(-seconds) * Math.sin(2 * Math.PI * (900 - 200 * seconds) * seconds);
});

describeWith(clients)('clients in Python', () => {
  let folder: string;
  let service: ServiceProcess;
  let url: string;
  let answers: Record<string, unknown>;
  const told = (name: string): Told => answers[name] as Told;

  async function classify(bytes: Uint8Array<ArrayBuffer>): Promise<Classification> {
    const response = await fetch(new URL('/classify', url), { method: 'POST', body: bytes });
    return classificationSchema.parse(await response.json());
  }

  /** Floats of 32 bits, where the other answer has 64. */
  function expectSame(heard: Told, row: number, { label, confidence, predictions }: Classification): void {
    expect(heard.label[row]).toBe(label);
    expect(heard.confidence[row]).toBeCloseTo(confidence, 5);
    const count = predictions.length;
    expect(heard.labels.slice(row * count, (row + 1) * count)).toEqual(predictions.map((one) => one.label));
    for (const [rank, { probability }] of predictions.entries()) {
      expect(heard.probabilities[row]![rank]).toBeCloseTo(probability, 5);
    }
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'earshot-clients-'));
    service = new ServiceProcess({ MODELS_DIR: modelsFolder, REQUEST_DEADLINE_SECONDS: '600' });
    url = await service.url();
    await service.line('loaded and warmed up');
    const samplesFile = join(folder, 'samples.f32');
    await writeFile(samplesFile, Buffer.from(tone.buffer));
    const { stdout } = await promisify(execFile)(
      python,
      [script, new URL(url).host, dogFile, samplesFile, String(sampleRate)],
      { env: { ...process.env, HOME: folder, HF_HOME: folder, HF_HUB_DISABLE_TELEMETRY: '1' } },
    );
    answers = JSON.parse(stdout) as Record<string, unknown>;
  }, 300_000);
  afterAll(async () => {
    await service.kill();
    await rm(folder, { recursive: true });
  });

  it('learn what the server is and which version serves', async () => {
    const models = await (await fetch(new URL('/models', url))).json();
    const { version } = modelListSchema.parse(models).served!;
    expect(answers).toMatchObject({
      live: true,
      ready: true,
      server: { name: 'earshot', extensions: ['binary_tensor_data'] },
      model: { name: 'earshot', versions: [version], inputs: [{ name: 'audio', datatype: 'BYTES' }] },
      model_of_version: {
        name: 'earshot-samples',
        versions: [version],
        inputs: [{ name: 'samples', datatype: 'FP32' }],
      },
      model_ready: [true, true],
      other_ready: [false, false],
      id: 'seven',
    });
  });

  it('get of a recording what /classify says, in binary and in JSON, one by one and together', async () => {
    const expected = await classify(new Uint8Array(await readFile(dogFile)));
    expect(expected.label).toBe('dog');
    for (const name of ['binary', 'plain']) expectSame(told(name), 0, expected);
    for (const row of [0, 1]) expectSame(told('two'), row, expected);
    expect(told('few').labels).toEqual(expected.predictions.slice(0, 2).map(({ label }) => label));
  });

  it('get of samples what /classify says of a WAV file of them', async () => {
    const wavOf = (samples: Float32Array): Uint8Array<ArrayBuffer> =>
      new Uint8Array(wavFile([samples], { sampleRate, type: 'f32' }));
    const [whole, half] = [await classify(wavOf(tone)), await classify(wavOf(tone.map((x) => x / 2)))];
    expectSame(told('samples'), 0, whole);
    expectSame(told('rows'), 0, whole);
    expectSame(told('rows'), 1, half);
    expect(told('numbers')).toEqual(told('same_numbers'));
  });

  it('get the same whatever is asked at the same time', () => {
    const many = [...(answers['async'] as Told[]), ...(answers['threads'] as Told[])];
    expect(many).toHaveLength(14);
    for (const { label, labels, probabilities } of many) {
      expect(label).toEqual(['dog']);
      expect(labels).toEqual(told('binary').labels);
      for (const [rank, probability] of probabilities[0]!.entries()) {
        expect(probability).toBeCloseTo(told('binary').probabilities[0]![rank]!, 4);
      }
    }
  });

  it('are told in words what is wrong', () => {
    expect(answers).toMatchObject({
      no_model: ['404', expect.stringContaining('earshot and earshot-samples')],
      no_audio: ['415', expect.stringMatching(/\w+ \w+/)],
      no_input: ['400', expect.stringContaining('takes BYTES "audio"')],
      no_output: ['400', expect.stringContaining('label, confidence, labels, probabilities')],
    });
  });

  it('of Hugging Face get classes, as bytes and as JSON', () => {
    const [usual, two] = answers['hugging_face'] as [string, number][][];
    expect(usual!.map(([label]) => label)).toEqual(told('binary').labels);
    expect(two).toEqual(usual!.slice(0, 2));
  });
});
