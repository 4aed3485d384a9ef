import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../shared/errors/app-error';
import { environmentKeys, loadConfig, settings } from '../../services/classifier/config';

const example = readFileSync(join(__dirname, '../../../.env.example'), 'utf8');
const exampleLines = example.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('the configuration', () => {
  it('has a default for everything: local, 8080, 25 MiB', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      maxUploadBytes: 26_214_400,
      engine: 'auto',
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('reads what is set, in its units', () => {
    const env = { HOST: '0.0.0.0', PORT: '0', DRAIN_SECONDS: '3', ENGINE: 'wasm', MODEL_VERSION: 'cnn-1' };
    expect(loadConfig(env)).toMatchObject({
      host: '0.0.0.0',
      port: 0,
      drainMs: 3000,
      engine: 'wasm',
      modelVersion: 'cnn-1',
    });
  });

  it('takes a variable set to nothing for one that is not set', () => {
    expect(loadConfig({ PORT: '', MODEL_VERSION: '' })).toEqual(loadConfig({}));
  });

  it('lists every problem at once, with name and value', () => {
    const env = {
      PORT: 'http',
      ENGINE: 'gpu',
      MAX_CLIP_SECONDS: '-1',
      BATCH_MAX_WINDOWS: '600',
      DRAIN_SECONDS: '1.5',
    };
    const problems =
      /PORT=http: .*0 to 65535\n[^]*ENGINE=gpu: .*"cuda"[^]*MAX_CLIP_SECONDS=-1: [^]*DRAIN_SECONDS=1\.5: [^]*BATCH_MAX_WINDOWS=600: .*QUEUE_MAX_WINDOWS/;
    expect(() => loadConfig(env)).toThrow(problems);
    expect(() => loadConfig(env)).toThrow(AppError);
  });
});

describe('the settings of events', () => {
  const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;

  it('are read as lists, keys and numbers', () => {
    const env = {
      SOURCE_NAMES: 'kitchen; hall;kitchen',
      EVENTS_LABELS: 'Child speech, kid speaking;Dog',
      EVENTS_URL: 'https://example.com/hook',
      EVENTS_SECRET: `${secret},${secret}`,
      EVENTS_MIN_CONFIDENCE: '0.75',
    };
    expect(loadConfig(env)).toMatchObject({
      sourceNames: ['kitchen', 'hall'],
      eventLabels: ['Child speech, kid speaking', 'Dog'],
      eventSecrets: [Buffer.alloc(32, 1), Buffer.alloc(32, 1)],
      eventMinConfidence: 0.75,
      eventsQueueMaxBytes: 67_108_864,
    });
  });

  it.each([
    [{ EVENTS_URL: 'https://example.com' }, /EVENTS_SECRET: is needed with EVENTS_URL/],
    [{ EVENTS_SECRET: 'whsec_hidden' }, /EVENTS_SECRET: expected whsec_/],
    [{ EVENTS_URL: 'ftp://hidden' }, /EVENTS_URL: expected an address/],
    [{ EVENTS_MQTT_URL: 'http://hidden' }, /EVENTS_MQTT_URL: expected mqtt:/],
    [{ EVENTS_MIN_CONFIDENCE: '2' }, /EVENTS_MIN_CONFIDENCE=2: expected a number from 0 to 1/],
    [{ SOURCE_NAMES: Array.from({ length: 101 }, (_, index) => index).join(';') }, /at most 100 texts/],
  ])('say what is wrong, and repeat no secret: %j', (env, message) => {
    expect(() => loadConfig(env)).toThrow(message);
    expect(() => loadConfig(env)).not.toThrow(/hidden/);
  });
});

describe('.env.example', () => {
  it('names exactly the variables there are', () => {
    expect(exampleLines.map((line) => line.split('=')[0]).sort()).toEqual([...environmentKeys].sort());
  });

  it('says of each what its record says', () => {
    const described = example.matchAll(/((?:^# .*\n)+)^([A-Z_]+)=/gm);
    const texts = Array.from(described, ([, lines, name]) => [
      name,
      lines!
        .trim()
        .split('\n')
        .map((line) => line.slice('# '.length))
        .join(' '),
    ]);
    const records = Object.values(settings).map(({ name, description }) => [name, description]);
    expect(Object.fromEntries(texts)).toEqual(Object.fromEntries(records));
  });

  it('shows their defaults', () => {
    const env = Object.fromEntries(exampleLines.map((line) => line.split('=') as [string, string]));
    expect(loadConfig(env)).toEqual(loadConfig({}));
  });
});
