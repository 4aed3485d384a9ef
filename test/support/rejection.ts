import { AppError } from '../../shared/errors/app-error';

/** The AppError that a promise rejects with; anything else fails the test. */
export async function rejection(promise: Promise<unknown>): Promise<AppError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw new Error('expected an AppError', { cause: error });
  }
  throw new Error('expected a rejection, got an answer');
}
