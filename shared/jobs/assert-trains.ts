import { createRequire } from 'node:module';
import { optionalDependencies } from '../../package.json';
import { AppError } from '../errors/app-error';

const require_ = createRequire(__filename);

/**
 * Checks that the packages for training are installed. They are optional dependencies, and the image
 * that only serves lacks them.
 * @throws AppError engine-unavailable, which names the missing packages and the image that can train
 */
export function assertTrains(): void {
  const missing = Object.keys(optionalDependencies).filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  throw new AppError(
    'engine-unavailable',
    `This installation serves and does not train: ${missing.join(' and ')} are not in it. ` +
      'Train with the image `trainer`, by itself or beside this one (REDIS_URL).',
  );
}

function isInstalled(name: string): boolean {
  try {
    require_.resolve(name);
    return true;
  } catch {
    return false;
  }
}
