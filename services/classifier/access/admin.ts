import { AppError } from '../../../shared/errors/app-error';
import { anyone, type Caller, type Identify } from './api-keys';
import type { OriginRules, PageRequest } from './origin';

/**
 * Returns the caller of a request that may change what is served and trained. The request must carry an
 * admin key: one of `API_KEYS_FILE`, or the one that the service generated at its start.
 * @throws AppError unauthorized, rate-limited, forbidden
 */
export type AssertAdmin = (request: PageRequest) => Caller;

export function createAssertAdmin(identify: Identify, origins: OriginRules): AssertAdmin {
  return (request) => {
    const { headers } = request;
    const caller = identify(headers);
    // Pages of other origins are refused even with a valid key.
    if (!origins.isOwn(request)) {
      throw new AppError('forbidden', 'Pages of other origins may change nothing here, whatever their key.');
    }
    if (caller.admin) return caller;
    if (caller !== anyone) {
      throw new AppError('forbidden', 'This key is no admin key; one has "admin": true in API_KEYS_FILE.');
    }
    const sent = headers.authorization === undefined ? '' : 'The key sent is not known here. ';
    throw new AppError(
      'unauthorized',
      `${sent}Only an admin may change this: npx earshot on the service's own machine finds the key by itself; ` +
        'other clients send Authorization: Bearer KEY (docs/operation.md).',
    );
  };
}
