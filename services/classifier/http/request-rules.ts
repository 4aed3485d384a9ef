import type { RequestHandler } from 'express';
import { AppError } from '../../../shared/errors/app-error';

/**
 * What RFC 9112 asks of every request, and Node leaves to the application.
 * @param methods that some path answers
 * @throws AppError malformed-request, unknown-coding
 */
export function requestRules(methods: readonly string[]): RequestHandler {
  const allow = [...methods, 'OPTIONS'].sort().join(', ');
  return (req, res, next) => {
    const hosts = req.rawHeaders.filter((name, k) => k % 2 === 0 && name.toLowerCase() === 'host').length;
    if (hosts > 1)
      throw new AppError('malformed-request', 'A request has one Host header; this one has more.');
    if (req.httpVersion === '1.1' && req.headers.host === undefined) {
      throw new AppError('malformed-request', 'The request has no Host header.');
    }
    const coding = req.headers['transfer-encoding'];
    if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked') {
      throw new AppError(
        'unknown-coding',
        `Transfer-Encoding: ${coding} is not understood here: send the body as it is, chunked or with a Content-Length.`,
      );
    }
    if (req.method === 'OPTIONS' && req.url === '*') {
      res.setHeader('Allow', allow);
      res.status(204).end();
      return;
    }
    next();
  };
}
