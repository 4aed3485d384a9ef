import type { EncoderFrontEnd } from '../../contracts/front-end';
import { AppError } from '../../errors/app-error';

// Apart from encoder-file.ts, for threads that load no network.

const missing = { missing: 'encoder' };

/** What is said of a version whose encoder is not on this machine. */
export function encoderMissing({ encoder: { name } }: EncoderFrontEnd): AppError {
  return new AppError(
    'engine-unavailable',
    `The encoder ${name} is not here: npm run encoder fetches it, and ENCODER=off keeps it out.`,
    { details: missing },
  );
}

/** What is said of a path that ENCODER names and that cannot be read. */
export function encoderPathUnreadable(path: string, cause: Error): AppError {
  const message = `ENCODER=${path}: ${cause.message}.`;
  return new AppError('invalid-configuration', message, { cause, details: missing });
}

/** Tells whether an error says that no encoder is on this machine, whatever the reason. */
export function isEncoderMissing({ details }: AppError): boolean {
  return details['missing'] === missing.missing;
}
