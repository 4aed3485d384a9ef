import { AppError } from '../errors/app-error';

/**
 * What `work` gives, if it comes in time; what it does afterwards is nobody's concern any more.
 * @param what says in the error what took too long, as in `Loading the version`
 * @throws AppError engine-unavailable after `limitMs`; whatever `work` throws before
 */
export async function withTimeout<T>(what: string, limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new AppError('engine-unavailable', `${what} took more than ${limitMs / 1000} s, and was given up.`),
      );
    }, limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
