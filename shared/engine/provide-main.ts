import { AppError } from '../errors/app-error';
import { defaultEngineCache } from './choose-engine';
import { provideEngine, type NativeEngineKind } from './provide';

/** `npm run engine -- cpu|cuda`: fetches and builds the engine ahead of its first use, for images and machines without a network. */
async function main([kind, ...rest]: readonly string[]): Promise<void> {
  if (!isKind(kind) || rest.length > 0) {
    throw new AppError('invalid-configuration', 'Which engine? npm run engine -- cpu, or cuda.');
  }
  let shown = '';
  const { bindingPath } = await provideEngine(kind, {
    cacheFolder: defaultEngineCache(process.env),
    onProgress: (line) => {
      // A line for each step, not for each megabyte: this is read in build logs.
      const step = line.replace(/: +\d+ of/, ':');
      if (step !== shown) process.stdout.write(`${step}\n`);
      shown = step;
    },
  });
  process.stdout.write(`${bindingPath}\n`);
}

function isKind(kind: string | undefined): kind is NativeEngineKind {
  return kind === 'cpu' || kind === 'cuda';
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${AppError.from(error).message}\n`);
  process.exitCode = 1;
});
