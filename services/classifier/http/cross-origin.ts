import type { RequestHandler } from 'express';
import type { OriginRules } from '../access/origin';

/** What a page of an allowed origin may send, and may read, besides what any page may. */
const methods = 'DELETE, GET, HEAD, POST';
const requestHeaders =
  'Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id, X-Request-Timeout';
const answerHeaders = 'Allow, Location, Retry-After, WWW-Authenticate, X-Request-Id';
/** For how long a browser need not ask again. */
const preflightSeconds = '600';

/**
 * Refuses pages of other origins, and lets those of allowed ones read what is answered (CORS, as the Fetch standard has
 * it). Cookies are no part of this service, so that nothing is said of credentials: keys come in a header.
 */
export function crossOrigin(rules: OriginRules): RequestHandler {
  return (req, res, next) => {
    res.vary('Origin');
    const origin = rules.admit(req);
    if (origin === undefined) {
      next();
      return;
    }
    res.setHeader('Access-Control-Allow-Origin', origin);
    res.setHeader('Access-Control-Expose-Headers', answerHeaders);
    if (req.method !== 'OPTIONS' || req.headers['access-control-request-method'] === undefined) {
      next();
      return;
    }
    res.vary('Access-Control-Request-Method, Access-Control-Request-Headers');
    res.setHeader('Access-Control-Allow-Methods', methods);
    res.setHeader('Access-Control-Allow-Headers', requestHeaders);
    res.setHeader('Access-Control-Max-Age', preflightSeconds);
    // Chrome asks this of services in private networks and on its own machine.
    if (req.headers['access-control-request-private-network'] !== undefined) {
      res.setHeader('Access-Control-Allow-Private-Network', 'true');
    }
    res.status(204).end();
  };
}
