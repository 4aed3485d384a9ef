import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { EncoderFrontEnd } from '../../contracts/front-end';
import { encoderWeights } from '../network/encoder-weights';
import { readTorchFile } from '../../encoder/torch-file';
import { AppError } from '../../errors/app-error';
import type { WeightArrays } from '../network/network';

/**
 * The weights of the encoder that a front end names.
 * @param file where it is on this machine; undefined: it is not here
 * @throws AppError engine-unavailable where it is not here, or is another one; invalid-checkpoint where
 *   it is damaged
 */
export async function loadEncoderWeights(
  frontEnd: EncoderFrontEnd,
  file: string | undefined,
): Promise<WeightArrays> {
  if (file === undefined) throw encoderMissing(frontEnd);
  const { name, sha256 } = frontEnd.encoder;
  const bytes = await readFile(file);
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
    throw new AppError(
      'engine-unavailable',
      `${file} is not the encoder ${name} that the version was made for.`,
    );
  }
  return encoderWeights(readTorchFile(bytes));
}

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
