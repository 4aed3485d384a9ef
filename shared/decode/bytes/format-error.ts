import { AppError } from '../../errors/app-error';

/** Returns the error for bytes that violate their format, with the position of the violation. */
export function formatError(format: string, byteOffset: number, what: string): AppError {
  return new AppError(
    'undecodable-audio',
    `The ${format} file is damaged: ${what} (at byte ${byteOffset}).`,
    {
      details: { format, byteOffset },
    },
  );
}
