import { AppError } from '../../errors/app-error';
import { buildKernels } from './build-kernels';
import { defaultEngineCache } from './choose-engine';
import { defaultEncoderCache, fetchEncoder, findEncoder } from './provide-encoder';
import { provideEngine, type NativeEngineKind } from './provide';

/**
 * `npm run engine -- cpu|cuda` and `npm run encoder`: fetches and builds ahead of its first use what a service or a trainer needs, for
 * images and machines without a network.
 */
async function main([kind, ...rest]: readonly string[]): Promise<void> {
  if (kind === 'encoder' && rest.length === 0) {
    const cacheFolder = defaultEncoderCache(process.env);
    const wish = process.env['ENCODER'] ?? 'auto';
    const file = (await findEncoder(wish, cacheFolder)) ?? (await fetchEncoder({ wish, cacheFolder }));
    process.stdout.write(`${file ?? 'ENCODER=off: no encoder'}\n`);
    return;
  }
  if (!isKind(kind) || rest.length > 0) {
    throw new AppError('invalid-configuration', 'Which engine? npm run engine -- cpu, or cuda.');
  }
  let shown = '';
  const options = {
    cacheFolder: defaultEngineCache(process.env),
    onProgress: (line: string) => {
      // A line for each step, not for each megabyte: this is read in build logs.
      const step = line.replace(/: +\d+ of/, ':');
      if (step !== shown) process.stdout.write(`${step}\n`);
      shown = step;
    },
  };
  const { bindingPath } = await provideEngine(kind, options);
  process.stdout.write(`${bindingPath}\n`);
  if (kind === 'cpu') process.stdout.write(`${await buildKernels(options)}\n`);
}

function isKind(kind: string | undefined): kind is NativeEngineKind {
  return kind === 'cpu' || kind === 'cuda';
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${AppError.from(error).message}\n`);
  process.exitCode = 1;
});
