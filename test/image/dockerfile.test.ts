import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentKeys, loadConfig } from '../../services/classifier/config';
import { readTrainerConfig } from '../../services/trainer/options/config';
import { projectFolder } from '../support/kubernetes';
import { describeWith, program } from '../support/needs';
import { ancestry, imageConfig, parseDockerfile } from './dockerfile';

const file = join(projectFolder, 'Dockerfile');
const stages = parseDockerfile(readFileSync(file, 'utf8'));

describe.each([
  ['cpu', 'cpu', ['runtime', 'serving', 'cpu']],
  ['trainer', 'cpu', ['runtime', 'serving', 'trainer']],
  ['cuda', 'cuda', ['runtime', 'cuda']],
] as const)('the image %s', (target, engine, layers) => {
  const image = imageConfig(stages, target);

  it('runs as a numbered user, and says so to those who check', () => {
    expect(image.user).toBe('1000:1000');
  });

  it('has settings that the services take, its own engine above all', () => {
    const known = Object.entries(image.env).filter(([key]) => environmentKeys.includes(key));
    expect(loadConfig(Object.fromEntries(known))).toMatchObject({
      host: '0.0.0.0',
      port: 8080,
      engine,
    });
    expect(readTrainerConfig(image.env)).toMatchObject({
      engine,
      runsFolder: '/runs',
      modelsFolder: '/app/models',
      clipCacheFolder: '/var/cache/earshot/clips',
    });
  });

  it('starts the classifier, and asks it whether it is ready', () => {
    const program = image.command[0];
    const script = image.command.find((word) => word.endsWith('.js'));
    expect(program).toBe('node');
    expect(existsSync(join(projectFolder, script!))).toBe(true);
    expect(image.healthCommand?.join(' ')).toContain('/readyz');
  });

  it('is built on images with a version, and holds no stage with build tools', () => {
    const below = ancestry(stages, target);
    expect(below[0]!.from).toMatch(/^debian:[\d.]+-slim$/);
    expect(below.map(({ name }) => name)).toEqual(layers);
  });
});

it('the image that serves has the encoder and the kernels, and nothing that only training needs', () => {
  const copies = (target: string): string[] =>
    ancestry(stages, target)
      .flatMap(({ instructions }) => instructions)
      .filter(({ name }) => name === 'COPY')
      .map(({ text }) => /--from=(\S+)/.exec(text)![1]!);
  expect(copies('cpu')).toEqual(expect.arrayContaining(['encoder', 'kernels']));
  expect(copies('cpu')).not.toContain('engine-cpu');
  expect(copies('trainer').slice(copies('cpu').length)).toEqual(['app', 'engine-cpu']);
});

it('the images that compute with TensorFlow have the kernels too, for front ends and resampling', () => {
  for (const stage of ['engine-cpu', 'engine-cuda'])
    expect(ancestry(stages, stage).map(({ name }) => name)).toContain('kernels');
});

it('the encoder comes from where a build argument says', () => {
  const text = readFileSync(file, 'utf8');
  expect(imageConfig(stages, 'encoder').args).toEqual({ ENCODER: 'auto' });
  expect(imageConfig(parseDockerfile(text, { ENCODER: 'off' }), 'encoder').args).toEqual({ ENCODER: 'off' });
});

it('an image without a target is the one for the CPU', () => {
  expect(stages.at(-1)!.name).toBe('cpu');
});

describeWith(program('hadolint'))('the Dockerfile', () => {
  it('pleases hadolint, down to its last rule', () => {
    const { status, stdout } = spawnSync('hadolint', ['--failure-threshold', 'style', file], {
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });
});
