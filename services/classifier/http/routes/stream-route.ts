import { AppError } from '../../../../shared/errors/app-error';
import type { Admission } from '../../access/admission';
import type { CallerIdOf } from '../../access/caller-id';
import { streamPath } from '../../stream/stream-server';
import { operation } from '../routing/route';

export interface StreamRouteDeps {
  readonly admission: Admission;
  readonly callerIdOf: CallerIdOf;
}

/**
 * A plain `GET /stream`; WebSockets are upgraded before a request gets here (stream/stream-server.ts). A
 * browser does not tell its page why a handshake was refused: the page asks here, and is refused for the
 * same reason.
 */
export const streamRoute = operation({
  method: 'get',
  path: streamPath,
  id: 'stream',
  tag: 'classification',
  summary: 'Live sound over a WebSocket',
  description:
    'What is spoken over it is described by `/asyncapi.json`. Without an upgrade it says why a handshake would be refused, ' +
    'which browsers do not tell; 426 when it would not.',
  access: 'key',
  answers: { 101: { description: 'The connection is a WebSocket now' } },
  errors: ['upgrade-required', 'overloaded', 'starting', 'draining', 'engine-unavailable'],
  handle: ({ admission, callerIdOf }: StreamRouteDeps) => {
    return ({ req, res, caller }) => {
      admission.assertStreamRoom(callerIdOf(caller, req));
      res.setHeader('Upgrade', 'websocket');
      throw new AppError(
        'upgrade-required',
        'Connect here with a WebSocket; GET /asyncapi.json says what is spoken over it.',
      );
    };
  },
});
