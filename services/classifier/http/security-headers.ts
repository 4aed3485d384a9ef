import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** A Host header as it may stand in another header. */
const plainHost = /^[\w.:[\]-]{1,255}$/;

/** Not every browser takes WebSockets to the page's own host for `'self'`. */
function ownSockets(host: string | undefined): string {
  return host !== undefined && plainHost.test(host) ? `ws://${host} wss://${host}` : "'self'";
}

/**
 * What browsers are told of every answer: scripts, styles and worklets come from this host only, and
 * connections go to it only; no other site may frame the page; the microphone is for this page alone.
 * Whether all this is to be had over TLS only is for the proxy in front to say, which knows
 * (docs/deployment.md).
 */
export function securityHeaders(): RequestHandler {
  const protect = helmet({
    strictTransportSecurity: false,
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        baseUri: ["'none'"],
        connectSrc: ["'self'", (req) => ownSockets(req.headers.host)],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        imgSrc: ["'self'", 'data:', 'blob:'],
        mediaSrc: ["'self'", 'data:', 'blob:'],
        objectSrc: ["'none'"],
        workerSrc: ["'self'"],
      },
    },
  });
  return (req, res, next) => {
    res.setHeader('Permissions-Policy', 'microphone=(self), camera=(), geolocation=()');
    protect(req, res, next);
  };
}
