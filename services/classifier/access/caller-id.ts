import { createAddressOf, type AddressedRequest, type TrustedProxies } from './address';
import { anyone, type Caller } from './api-keys';

/**
 * Returns the account of a request, by which capacity is shared among callers: its key's name, or
 * without a key its address (see createAddressOf).
 */
export type CallerIdOf = (caller: Caller, request: AddressedRequest) => string;

export function createCallerIdOf(proxies: TrustedProxies): CallerIdOf {
  const addressOf = createAddressOf(proxies);
  return (caller, request) => (caller === anyone ? `address ${addressOf(request)}` : `key ${caller.name}`);
}
