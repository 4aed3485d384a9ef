import { AppError, type ErrorCode } from '../errors/app-error';

/** Maximum duration of a clip; of a longer recording only the first window would be used. */
export const maxClipSeconds = 600;

/** Maximum size of a clip. 600 s of stereo at 96 kHz and 24 bits take 346 MB. */
export const maxClipBytes = 512 * 2 ** 20;

/** Error codes for which the recording is the cause. */
const clipFaults: readonly ErrorCode[] = [
  'unsupported-media',
  'undecodable-audio',
  'empty-audio',
  'non-finite-audio',
  'clip-too-long',
];

export function isClipFault(caught: unknown): caught is AppError {
  return caught instanceof AppError && clipFaults.includes(caught.code);
}
