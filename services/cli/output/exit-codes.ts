import type { AppError, ErrorCode } from '../../../shared/errors/app-error';

/** As in sysexits.h, so that a script can tell what went wrong; and a shell's own for Ctrl-C. */
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

/** The one place where a code becomes an exit status. */
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
  // What is there already, or what the gate refuses.
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
