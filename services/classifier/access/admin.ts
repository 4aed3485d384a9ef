import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../../../shared/errors/app-error';
import type { Caller, Identify } from './api-keys';
import { assertOriginAllowed } from './origin';

/** As much of a request as says who makes it, and from where. */
export interface AdminRequest {
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/**
 * Lets through who may change what is served and trained: with an admin key where there is one in `API_KEYS_FILE`, else
 * from this very machine.
 * @throws AppError unauthorized, rate-limited, forbidden
 */
export type AssertAdmin = (request: AdminRequest) => Caller;

export function createAssertAdmin(identify: Identify): AssertAdmin {
  return (request) => {
    const caller = identify(request.headers);
    // A page of another host in a browser on this machine is not this machine's user.
    assertOriginAllowed(request.headers, []);
    if (caller.admin === 'granted') return caller;
    if (caller.admin === 'denied') {
      throw new AppError('forbidden', 'This key is no admin key; one has "admin": true in API_KEYS_FILE.');
    }
    if (isLocal(request)) return caller;
    throw new AppError(
      'forbidden',
      'Ask from the machine that the service runs on, or give it an admin key ("admin": true in API_KEYS_FILE).',
    );
  };
}

/** What proxies add: whoever is behind one is somewhere else. */
const proxyHeaders = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

const loopbackAddress = /^(::1|(::ffff:)?127(\.\d{1,3}){3})$/;
/** A name that leads here by somebody else's DNS is not among them. */
const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

function isLocal({ headers, socket }: AdminRequest): boolean {
  return (
    loopbackAddress.test(socket.remoteAddress ?? '') &&
    loopbackHost.test(headers.host ?? '') &&
    proxyHeaders.every((name) => headers[name] === undefined)
  );
}
