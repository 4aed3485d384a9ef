import {
  clientMessageSchema,
  startMessageSchema,
  type ResumeMessage,
  type StartMessage,
} from '../../../shared/contracts/stream';
import { AppError } from '../../../shared/errors/app-error';

export type ClientMessage = StartMessage | ResumeMessage | { readonly type: 'stop' };

/**
 * A text frame as a message; Vosk's way of saying things becomes ours.
 * @throws AppError malformed-request that lists each problem
 */
export function parseClientMessage(text: string): ClientMessage {
  const parsed = clientMessageSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    // Of the shapes a message can have, only the one that it claims to be is worth explaining.
    const list = parsed.error.issues.flatMap(explain).join('; ');
    throw new AppError('malformed-request', `The message is not valid. ${list}.`);
  }
  const message = parsed.data;
  if ('type' in message) return message;
  if ('eof' in message) return { type: 'stop' };
  return startMessageSchema.parse({ type: 'start', sampleRate: message.config.sample_rate });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError('malformed-request', 'The message is not JSON.');
  }
}

type Issue = NonNullable<ReturnType<typeof clientMessageSchema.safeParse>['error']>['issues'][number];

function explain(issue: Issue): string[] {
  if (issue.code === 'invalid_union') return (issue.errors[0] ?? []).map(describe);
  return [describe(issue)];
}

function describe({ path, message }: { readonly path: PropertyKey[]; readonly message: string }): string {
  return path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`;
}
