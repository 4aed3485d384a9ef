import {
  closeCodes,
  doneMessageSchema,
  errorMessageSchema,
  eventMessageSchema,
  keyProtocolPrefix,
  noticeMessageSchema,
  predictionMessageSchema,
  readyMessageSchema,
  resumeMessageSchema,
  startMessageSchema,
  stopMessageSchema,
  streamProtocol,
} from '../../../../shared/contracts/stream';
import { streamPath } from '../../stream/stream-server';
import type { Json } from '../routing/route';
import { componentSchemas } from './json-schemas';

/** The schemas that messages are checked with, by their names in the document. */
const fromClient = {
  start: startMessageSchema,
  resume: resumeMessageSchema,
  stop: stopMessageSchema,
};
const fromServer = {
  ready: readyMessageSchema,
  prediction: predictionMessageSchema,
  event: eventMessageSchema,
  notice: noticeMessageSchema,
  error: errorMessageSchema,
  done: doneMessageSchema,
};

const summaries: Readonly<Record<keyof typeof fromClient | keyof typeof fromServer | 'audio', string>> = {
  start: 'The first message of a new stream',
  resume: 'The first message on a new connection after one was lost',
  audio: 'Sound in the encoding that `start` named, cut anywhere; a binary frame',
  stop: 'No more audio comes: what is sent behind it is passed over',
  ready: 'The answer to `start` and `resume`: audio may be sent',
  prediction: 'What is to be heard in one window',
  event: 'A sound has started or ended',
  notice: 'Something that the client should know',
  error: 'Why the connection is about to close',
  done: 'The last message of a stream',
};

const closings: Readonly<Record<keyof typeof closeCodes, string>> = {
  done: 'after `done`, or when the client closes',
  draining: 'the service shuts down; `done` came before, start again elsewhere',
  unsupportedData: 'audio that cannot be decoded or is of a kind not taken',
  malformed: 'a text frame that is no message',
  policy: 'a message out of order, nothing sent for too long, or an unknown stream resumed',
  tooBig: 'a frame too large',
  internal: 'our own fault',
  overloaded: 'too much to do, or a client that does not read; the error says when to try again',
};

/** The AsyncAPI 3.0 document of `/stream`, made from the schemas it works with. */
export function asyncApiDocument(version: string): Json {
  const names = [...Object.keys(fromClient), 'audio', ...Object.keys(fromServer)];
  return {
    asyncapi: '3.0.0',
    info: { title: 'Earshot', version, description: describeProtocol(), license: { name: 'MIT' } },
    defaultContentType: 'application/json',
    channels: {
      stream: {
        address: streamPath,
        title: 'Live sound',
        messages: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }])),
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
      },
    },
    operations: {
      listen: operation('receive', 'What clients send', [...Object.keys(fromClient), 'audio']),
      tell: operation('send', 'What clients get', Object.keys(fromServer)),
    },
    components: {
      messages: Object.fromEntries(names.map((name) => [name, message(name as keyof typeof summaries)])),
      schemas: { ...componentSchemas(fromClient, 'input'), ...componentSchemas(fromServer, 'output') },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function describeProtocol(): string {
  const codes = Object.entries(closeCodes).map(
    ([name, code]) => `* ${code}: ${closings[name as keyof typeof closeCodes]}`,
  );
  return [
    'Live sound over a WebSocket: text frames carry JSON, binary frames carry audio. One stream a connection.',
    `Subprotocol \`${streamProtocol}\`. Where API keys are asked for: \`Authorization: Bearer KEY\`, or, from a browser, the further subprotocol \`${keyProtocolPrefix}KEY\`.`,
    'A handshake is refused with 401, 403, 404, 429 or 503, and with Retry-After where trying again helps.',
    'A stream whose connection is lost is kept for `limits.resumeSeconds`.',
    'When another model is promoted, a stream goes on with it from the next window, on the same clock, and gets the notice `model-changed` ' +
      'before the first prediction of it; where the labels are others, events that last are ended. Only a stream whose hop is ' +
      'longer than the new model’s window is closed, with 1008.',
    `Close codes:\n${codes.join('\n')}`,
  ].join('\n\n');
}

function operation(action: 'receive' | 'send', summary: string, names: readonly string[]): Json {
  return {
    action,
    summary,
    channel: { $ref: '#/channels/stream' },
    messages: names.map((name) => ({ $ref: `#/channels/stream/messages/${name}` })),
  };
}

function message(name: keyof typeof summaries): Json {
  const summary = summaries[name];
  if (name === 'audio') {
    return {
      name,
      summary,
      contentType: 'application/octet-stream',
      payload: { type: 'string', format: 'binary' },
    };
  }
  return { name, summary, payload: { $ref: `#/components/schemas/${name}` } };
}
