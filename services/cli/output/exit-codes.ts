import type { AppError, ErrorCode } from '../../../shared/errors/app-error';

/**
 * Exit codes of sysexits.h, so that scripts can tell errors apart; 130 after Ctrl-C, as shells have it.
 */
export const exitCodes = {
  done: 0,
  software: 70,
  usage: 64,
  data: 65,
  noInput: 66,
  unavailable: 69,
  cannotCreate: 73,
  inputOutput: 74,
  tryLater: 75,
  noPermission: 77,
  interrupted: 130,
} as const;

/** Exit codes of error codes. */
const statuses: Partial<Record<ErrorCode, number>> = {
  'malformed-request': exitCodes.usage,
  'invalid-configuration': exitCodes.usage,
  'unsupported-media': exitCodes.data,
  'undecodable-audio': exitCodes.data,
  'empty-audio': exitCodes.data,
  'non-finite-audio': exitCodes.data,
  'clip-too-long': exitCodes.data,
  'payload-too-large': exitCodes.data,
  'invalid-dataset': exitCodes.data,
  'invalid-checkpoint': exitCodes.data,
  'training-diverged': exitCodes.data,
  // Something exists already, or the promotion gate refuses.
  conflict: exitCodes.cannotCreate,
  'storage-full': exitCodes.inputOutput,
  'not-found': exitCodes.noInput,
  unreachable: exitCodes.unavailable,
  'engine-unavailable': exitCodes.unavailable,
  overloaded: exitCodes.tryLater,
  starting: exitCodes.tryLater,
  draining: exitCodes.tryLater,
  'request-timeout': exitCodes.tryLater,
  unauthorized: exitCodes.noPermission,
  forbidden: exitCodes.noPermission,
  'rate-limited': exitCodes.tryLater,
  cancelled: exitCodes.interrupted,
};

export function exitCodeOf({ code }: Pick<AppError, 'code'>): number {
  return statuses[code] ?? exitCodes.software;
}
