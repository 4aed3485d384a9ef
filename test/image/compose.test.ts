import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../services/classifier/config';
import { projectFolder, readYaml } from '../support/kubernetes';
import { describeWith, program } from '../support/needs';

interface Service {
  readonly image: string;
  readonly build?: { readonly target: string };
  readonly read_only?: boolean;
  readonly cap_drop?: string[];
  readonly security_opt?: string[];
  readonly ports?: string[];
  readonly volumes?: string[];
  readonly stop_grace_period?: string;
  readonly command?: string[];
  readonly environment?: Readonly<Record<string, string>>;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
}

const { services, volumes } = readYaml('compose.yaml') as Compose;
const gpu = readYaml('compose.gpu.yaml') as Compose;
const named = Object.entries(services).map(([name, service]) => ({ name, ...service }));

/** The jobs that the dashboard and the alert rules ask for. */
function jobsWatched(): string[] {
  const texts = ['dashboard.json', 'alerts.yaml'].map((file) =>
    readFileSync(join(projectFolder, 'k8s/monitoring', file), 'utf8'),
  );
  return [
    ...new Set(texts.flatMap((text) => [...text.matchAll(/job=\\?"([^"\\]+)/g)].map(([, job]) => job!))),
  ];
}

describe('the composition for one machine', () => {
  it.each(named)('gives $name no capability, and its ports to this machine alone', (service) => {
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  it.each(named)('pins $name, and mounts only what there is', ({ image, build, volumes: mounts = [] }) => {
    expect(build !== undefined || /:v?\d+\.\d+\.\d+$/.test(image)).toBe(true);
    // What a variable names is the user's.
    const sources = mounts.filter((mount) => !mount.startsWith('$')).map((mount) => mount.split(':')[0]!);
    const missing = sources.filter((source) =>
      source.startsWith('.') ? !existsSync(join(projectFolder, source)) : !(source in volumes),
    );
    expect(missing).toEqual([]);
  });

  it('keeps the services’ roots read-only and lets them drain', () => {
    const { classifier, trainer } = services;
    expect([classifier!.read_only, trainer!.read_only]).toEqual([true, true]);
    expect(parseInt(classifier!.stop_grace_period!) * 1000).toBeGreaterThan(loadConfig({}).drainMs);
    expect(existsSync(join(projectFolder, trainer!.command![0]!))).toBe(true);
  });

  it('gives jobs from the classifier to trainers, through one Redis that forgets nothing', () => {
    const { classifier, trainer, redis } = services;
    for (const { environment } of [classifier!, trainer!]) {
      expect(loadConfig({ ...environment, API_KEYS_FILE: '' })).toMatchObject({
        redisUrl: 'redis://redis:6379',
        datasetsFolder: '/datasets',
      });
    }
    for (const mount of ['models:/app/models', 'datasets:/datasets']) {
      expect([classifier!.volumes, trainer!.volumes]).toEqual(Array(2).fill(expect.arrayContaining([mount])));
    }
    expect(trainer!.command!.at(-1)).toBe('work');
    expect(redis!.command).toEqual(expect.arrayContaining(['--appendonly', 'always', 'noeviction']));
    expect(redis!.ports).toBeUndefined();
  });

  it('watches the classifier where it listens', () => {
    const prometheus = readYaml('docker/prometheus.yml') as {
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
    };
    const [scrape] = prometheus.scrape_configs;
    expect(scrape!.static_configs[0]!.targets).toEqual(['classifier:8080']);
    expect(jobsWatched()).toEqual([scrape!.job_name]);
    expect(services['classifier']!.ports![0]).toBe('127.0.0.1:8080:8080');
  });

  it('serves from the small image, trains in the one on top of it, and does both in cuda where there is a GPU', () => {
    for (const [name, target] of [
      ['classifier', 'cpu'],
      ['trainer', 'trainer'],
    ] as const) {
      expect(services[name]!.build!.target).toBe(target);
      expect(services[name]!.image).toBe(`earshot:${target}`);
      expect(gpu.services[name]!.build!.target).toBe('cuda');
      expect(gpu.services[name]!.image).toBe('earshot:cuda');
    }
  });
});

describeWith(program('promtool'))('the composition’s Prometheus', () => {
  it('takes its configuration', () => {
    const file = join(projectFolder, 'docker/prometheus.yml');
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', file], { encoding: 'utf8' });
    expect({ status, words: stdout + stderr }).toMatchObject({ status: 0 });
  });
});
