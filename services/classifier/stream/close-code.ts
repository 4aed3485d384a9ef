import { closeCodes, type CloseCode } from '../../../shared/contracts/stream';
import type { ErrorCode } from '../../../shared/errors/app-error';

/** Maps error codes to WebSocket close codes. A code that is not listed is an internal error. */
const codes: Partial<Record<ErrorCode, CloseCode>> = {
  'malformed-request': closeCodes.malformed,
  'wrong-order': closeCodes.policy,
  conflict: closeCodes.policy,
  'not-found': closeCodes.policy,
  'request-timeout': closeCodes.policy,
  'payload-too-large': closeCodes.tooBig,
  'unsupported-media': closeCodes.unsupportedData,
  'undecodable-audio': closeCodes.unsupportedData,
  'non-finite-audio': closeCodes.unsupportedData,
  overloaded: closeCodes.overloaded,
  'engine-unavailable': closeCodes.overloaded,
  starting: closeCodes.overloaded,
  draining: closeCodes.draining,
};

export function closeCodeOf(code: ErrorCode): CloseCode {
  return codes[code] ?? closeCodes.internal;
}
