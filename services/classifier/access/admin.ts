import { AppError } from '../../../shared/errors/app-error';
import { anyone, type Caller, type Identify } from './api-keys';
import type { OriginRules, PageRequest } from './origin';

/**
 * Lets through who may change what is served and trained: whoever sends an admin key, of `API_KEYS_FILE` or the one
 * that the service made at its start.
 * @throws AppError unauthorized, rate-limited, forbidden
 */
export type AssertAdmin = (request: PageRequest) => Caller;

export function createAssertAdmin(identify: Identify, origins: OriginRules): AssertAdmin {
  return (request) => {
    const { headers } = request;
    const caller = identify(headers);
    // A page of another host has no business here, whatever key it was given.
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
