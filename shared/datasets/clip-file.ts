import { AppError, type ErrorCode } from '../errors/app-error';

/** A recording longer than this is no clip; only its first window would be used. */
export const maxClipSeconds = 600;

/** 600 s of stereo at 96 kHz and 24 bits take 346 MB; what is larger is no clip either. */
export const maxClipBytes = 512 * 2 ** 20;

/** What says that a recording is at fault; any other failure is not its own. */
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
