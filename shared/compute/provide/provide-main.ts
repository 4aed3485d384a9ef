import { readSettings } from '../../settings';
import { childEnvironment, commonSettings, encoderCacheFolder, engineCacheFolder } from '../../environment';
import { AppError } from '../../errors/app-error';
import { buildKernels } from './build-kernels';
import { fetchEncoder, findEncoder } from './provide-encoder';
import { provideEngine, type NativeEngineKind, type ProvideOptions } from './provide';

const question = 'Which engine? npm run engine -- kernels, cpu, or cuda.';

/**
 * `npm run engine -- kernels|cpu|cuda` and `npm run encoder`: fetches and builds ahead of its first use
 * what a service or a trainer needs, for images and machines without a network. `cpu` and `cuda` are
 * libtensorflow and the kernels. Each prints where it now is, on its last lines.
 */
async function main([kind, ...rest]: readonly string[]): Promise<void> {
  const provide = rest.length > 0 ? undefined : kinds.get(kind ?? '');
  if (provide === undefined) throw new AppError('invalid-configuration', question);
  for (const path of await provide()) process.stdout.write(`${path}\n`);
}

const kinds: ReadonlyMap<string, () => Promise<readonly string[]>> = new Map([
  ['encoder', async () => [await provideEncoder()]],
  ['kernels', async () => [await buildKernels(engineOptions())]],
  ['cpu', async () => [await provideTensorflow('cpu'), await buildKernels(engineOptions())]],
  ['cuda', async () => [await provideTensorflow('cuda'), await buildKernels(engineOptions())]],
]);

/** A file that ENCODER names is copied into the cache, so that later starts need not be told of it. */
async function provideEncoder(): Promise<string> {
  const cacheFolder = encoderCacheFolder();
  const { encoder: wish } = readSettings({ encoder: commonSettings.encoder }, childEnvironment());
  if (wish === 'off') return 'ENCODER=off: no encoder';
  const found = await findEncoder('auto', cacheFolder);
  return found ?? (await fetchEncoder({ wish, cacheFolder }))!;
}

async function provideTensorflow(kind: NativeEngineKind): Promise<string> {
  return (await provideEngine(kind, engineOptions())).bindingPath;
}

function engineOptions(): ProvideOptions {
  let shown = '';
  return {
    cacheFolder: engineCacheFolder(),
    onProgress: (line) => {
      // A line for each step, not for each megabyte: this is read in build logs.
      const step = line.replace(/: +\d+ of/, ':');
      if (step !== shown) process.stdout.write(`${step}\n`);
      shown = step;
    },
  };
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${AppError.from(error).message}\n`);
  process.exitCode = 1;
});
