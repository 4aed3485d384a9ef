import type { RequestHandler } from 'express';
import { AppError } from '../../../../shared/errors/app-error';
import type { Identify } from '../../access/api-keys';
import type { CallerIdOf } from '../../access/caller-id';
import type { Gate } from '../../access/admission';

/**
 * A plain `GET /stream`; WebSockets are upgraded before a request gets here (stream/stream-server.ts). A browser does not
 * tell its page why a handshake was refused: the page asks here, and is refused for the same reason.
 */
export function streamRoute(gate: Gate, identify: Identify, callerIdOf: CallerIdOf): RequestHandler {
  return (req, res) => {
    gate.assertStreamRoom(callerIdOf(identify(req.headers), req));
    res.setHeader('Upgrade', 'websocket');
    throw new AppError(
      'upgrade-required',
      'Connect here with a WebSocket; GET /asyncapi.json says what is spoken over it.',
    );
  };
}
