import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentKeys, loadConfig } from '../../services/classifier/config';
import { readTrainerConfig } from '../../services/trainer/config';
import { projectFolder } from '../support/kubernetes';
import { describeWith, program } from '../support/needs';
import { ancestry, imageConfig, parseDockerfile } from './dockerfile';

const file = join(projectFolder, 'Dockerfile');
const stages = parseDockerfile(readFileSync(file, 'utf8'));

describe.each(['cpu', 'cuda'] as const)('the image %s', (target) => {
  const image = imageConfig(stages, target);

  it('runs as a numbered user, and says so to those who check', () => {
    expect(image.user).toBe('1000:1000');
  });

  it('has settings that the services take, its own engine above all', () => {
    const known = Object.entries(image.env).filter(([key]) => environmentKeys.includes(key));
    expect(loadConfig(Object.fromEntries(known))).toMatchObject({
      host: '0.0.0.0',
      port: 8080,
      engine: target,
    });
    expect(readTrainerConfig(image.env)).toMatchObject({
      engine: target,
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
    expect(below.map(({ name }) => name)).toEqual(['runtime', target]);
  });
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
