import { AppError } from '../errors/app-error';

/**
 * Waits for `work` at most `timeoutMs`. After that, the result or error of `work` is ignored.
 * @param what names the work in the error message, for example `Loading the version`
 * @throws AppError engine-unavailable after `timeoutMs`; whatever `work` throws before
 */
export async function withTimeout<T>(what: string, timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new AppError('engine-unavailable', `${what} took more than ${timeoutMs / 1000} s, and was given up.`),
      );
    }, timeoutMs);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
