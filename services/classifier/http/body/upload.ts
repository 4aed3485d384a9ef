import type { Request } from 'express';
import { MulterError } from 'multer';
import { AppError } from '../../../../shared/errors/app-error';
import { BoundedBody, refuseEncoded, tooLarge, type UploadLimits } from './bounded-body';
import { classifyQuerySchema } from '../classify-query';
import { assertBoundary, formProblem, readParts } from './form';
import { hasBody } from './unread-body';
import type { HeldUpload } from './upload-memory';

/** The form field that carries the recording. */
export const uploadField = 'audio';

/** What a form may weigh besides its recording: boundaries and part headers. */
const formOverheadBytes = 16 * 1024;
/** Memory that is made for the first bytes of a recording. */
const firstBytes = 64 * 1024;
/** One is right; what more there is, is named. */
const maxParts = 16;

/**
 * The recording in a request: a form's file `audio`, or the body itself.
 * @param hold counts its bytes; its owner lets go of them when the recording is answered
 * @throws AppError malformed-request, payload-too-large, unsupported-media, request-timeout, overloaded;
 *   or the signal's reason
 */
export async function readUpload(
  req: Request,
  limits: UploadLimits,
  signal: AbortSignal,
  hold: (giveUp: () => void) => HeldUpload,
): Promise<Uint8Array> {
  if (!hasBody(req)) throw nothingSent();
  const isForm = isFormRequest(req);
  const overheadBytes = isForm ? formOverheadBytes : 0;
  refuseEncoded(req.headers);
  if (Number(req.headers['content-length'] ?? 0) > limits.maxBytes + overheadBytes) throw tooLarge(limits);
  const body = new BoundedBody(req, limits, overheadBytes, signal);
  const held = hold(() => body.destroy(tooManyBytes()));
  body.countIn(held);
  const claimedBytes = Number(req.headers['content-length'] ?? NaN);
  let bytes: Uint8Array;
  try {
    bytes = isForm ? await readForm(body, limits) : await readAll(body, claimedBytes);
  } finally {
    // Nothing of it outlives this function, whatever became of the form.
    body.destroy();
    held.arrived();
  }
  if (bytes.byteLength === 0) {
    throw new AppError(
      'malformed-request',
      'The recording is empty: send an audio file of more than 0 bytes.',
    );
  }
  return bytes;
}

function tooManyBytes(): AppError {
  return new AppError('overloaded', 'Too many recordings are on their way; try again in 5 s.', {
    details: { retryAfterSeconds: 5 },
  });
}

/** @throws AppError malformed-request, unsupported-media */
function isFormRequest(req: Request): boolean {
  const type = (req.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  if (type === 'multipart/form-data') {
    assertBoundary(req.headers);
    return true;
  }
  if (!type.startsWith('multipart/')) return false;
  throw new AppError(
    'unsupported-media',
    `The body is ${type}: send a form as multipart/form-data, or the recording itself as the body.`,
  );
}

function nothingSent(): AppError {
  const example = `curl -F ${uploadField}=@dog.wav …/classify`;
  return new AppError(
    'malformed-request',
    `The body is empty: send the recording itself as the body, or as the file "${uploadField}" of a form (${example}).`,
  );
}

/** @param claimedBytes what the header says, which Node holds a body to; NaN where it says nothing */
async function readAll(body: BoundedBody, claimedBytes: number): Promise<Uint8Array> {
  const maxBytes = Number.isNaN(claimedBytes) ? Infinity : claimedBytes;
  let bytes = new Uint8Array(0);
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    const needed = length + chunk.byteLength;
    if (needed > bytes.byteLength) {
      // It grows with what has come: a claim alone takes no memory.
      const larger = new Uint8Array(Math.min(maxBytes, Math.max(firstBytes, 2 * needed)));
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    bytes.set(chunk, length);
    length = needed;
  }
  return length === bytes.byteLength ? bytes : bytes.slice(0, length);
}

async function readForm(body: BoundedBody, limits: UploadLimits): Promise<Uint8Array> {
  const parts = await readParts(body, maxParts).catch((error: unknown) => {
    throw explain(error);
  });
  const strange = parts.find(({ name }) => name !== uploadField);
  if (strange !== undefined) throw unknownField(strange.name);
  const [part, ...others] = parts;
  if (part === undefined) throw wrongForm('The form is empty.');
  if (others.length > 0) throw wrongForm(`The form holds ${parts.length} parts "${uploadField}".`);
  if (part.bytes.byteLength > limits.maxBytes) throw tooLarge(limits);
  if (!part.isFile && isWord(part.bytes)) {
    throw wrongForm(
      `The part "${uploadField}" is a text, not a recording; curl sends a file with an @ before its name.`,
    );
  }
  return part.bytes;
}

/** A line of text, as a file's name is one; no recording is. */
function isWord(bytes: Uint8Array): boolean {
  return bytes.byteLength <= 4096 && /^[\x20-\x7e]+$/.test(Buffer.from(bytes).toString('latin1'));
}

/** What went wrong with a form, for its sender. */
function explain(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof MulterError && error.code.startsWith('LIMIT')) {
    return wrongForm(`The form holds more than ${maxParts} parts, or one with too large a head.`);
  }
  return new AppError('malformed-request', formProblem(error), { cause: error });
}

function unknownField(name: string): AppError {
  const isOption = name in classifyQuerySchema.shape;
  const hint = isOption ? ` The option ${name} goes into the query: ?${name}=…` : '';
  return wrongForm(
    `The form holds the field ${JSON.stringify(name.slice(0, 80))}, which is not known here.${hint}`,
  );
}

function wrongForm(what: string): AppError {
  const todo = `Send exactly one file, in the field "${uploadField}"; options go into the query.`;
  return new AppError('malformed-request', `${what} ${todo}`);
}
