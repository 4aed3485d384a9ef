import { clientMessageSchema, type ClientMessage } from '../../../shared/contracts/stream';
import { AppError } from '../../../shared/errors/app-error';

/** Parses a text frame. @throws AppError malformed-request that lists each problem */
export function parseClientMessage(text: string): ClientMessage {
  const parsed = clientMessageSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`,
  );
  throw new AppError('malformed-request', `The message is not valid. ${problems.join('; ')}.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError('malformed-request', 'The message is not JSON.');
  }
}
