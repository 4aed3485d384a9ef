import { AppError } from '../../errors/app-error';

/** The error for bytes that are not what their format says, with the place where that shows. */
export function damaged(format: string, byteOffset: number, what: string): AppError {
  return new AppError(
    'undecodable-audio',
    `The ${format} file is damaged: ${what} (at byte ${byteOffset}).`,
    {
      details: { format, byteOffset },
    },
  );
}
