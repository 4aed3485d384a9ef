import type { RequestHandler } from 'express';
import type { OriginRules } from '../access/origin';

/**
 * Headers that a page of an allowed origin may send to any route, and may read, besides those that any
 * page may.
 */
const requestHeaders = ['Authorization', 'Content-Type', 'X-Request-Id'];
const answerHeaders =
  'Allow, Inference-Header-Content-Length, Location, Retry-After, WWW-Authenticate, X-Request-Id';
/** For how long a browser need not ask again. */
const preflightSeconds = '600';

/**
 * Refuses pages of other origins, and lets those of allowed ones read what is answered (CORS, as the
 * Fetch standard has it). Cookies are no part of this service, so that nothing is said of credentials:
 * keys come in a header.
 * @param methods that routes answer @param headers that some route takes
 */
export function crossOrigin(
  rules: OriginRules,
  methods: readonly string[],
  headers: readonly string[],
): RequestHandler {
  const allowedHeaders = [...new Set([...requestHeaders, ...headers])].sort().join(', ');
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
    res.setHeader('Access-Control-Allow-Methods', methods.join(', '));
    res.setHeader('Access-Control-Allow-Headers', allowedHeaders);
    res.setHeader('Access-Control-Max-Age', preflightSeconds);
    // Chrome asks this of services in private networks and on its own machine.
    if (req.headers['access-control-request-private-network'] !== undefined) {
      res.setHeader('Access-Control-Allow-Private-Network', 'true');
    }
    res.status(204).end();
  };
}
