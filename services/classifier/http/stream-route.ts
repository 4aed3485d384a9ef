import type { RequestHandler } from 'express';
import { AppError } from '../../../shared/errors/app-error';

/** A plain `GET /stream`; WebSockets are upgraded before a request gets here (stream/stream-server.ts). */
export const streamRoute: RequestHandler = (_req, res) => {
  res.setHeader('Upgrade', 'websocket');
  throw new AppError(
    'upgrade-required',
    'Connect here with a WebSocket; GET /asyncapi.json says what is spoken over it.',
  );
};
