import { createAddressOf, type AddressedRequest, type TrustedProxies } from './address';
import { anyone, type Caller } from './api-keys';

/**
 * On whose account a request goes where callers share what there is: its key's, or, of a caller without a key, its address's
 * (see createAddressOf). Two requests of one account never count as two callers.
 */
export type CallerIdOf = (caller: Caller, request: AddressedRequest) => string;

export function createCallerIdOf(proxies: TrustedProxies): CallerIdOf {
  const addressOf = createAddressOf(proxies);
  return (caller, request) => (caller === anyone ? `address ${addressOf(request)}` : `key ${caller.name}`);
}
