import type { Request } from 'express';
import { MulterError } from 'multer';
import { AppError } from '../../../../shared/errors/app-error';
import { tooLarge, type BoundedBody, type UploadLimits } from './bounded-body';
import { classifyQuerySchema } from '../classify-query';
import { assertBoundary, formProblem, readParts } from './form';
import { jsonOverheadBytes, readHuggingFaceRequest } from './hugging-face-request';
import { readAll, readBody, type BodyReading } from './read-body';
import { hasBody } from './unread-body';

/** The form field that carries the recording. */
export const uploadField = 'audio';

/** What a form may weigh besides its recording: boundaries and part headers. */
const formOverheadBytes = 16 * 1024;
/** A form has one part; others are read as well, so that the error can name them. */
const maxParts = 16;

const jsonType = 'application/json';

/** A recording as it was sent. */
export interface Upload {
  readonly bytes: Uint8Array;
  readonly lengthBytes: number;
  /** How many classes to name, where the body says so. */
  readonly topK?: number | undefined;
}

/**
 * The recording in a request: a form's file `audio`, base64 in JSON, or the body itself.
 * @throws AppError malformed-request, payload-too-large, unsupported-media, request-timeout, overloaded;
 *   or the signal's reason
 */
export async function readUpload(req: Request, reading: BodyReading): Promise<Upload> {
  if (!hasBody(req)) throw nothingSent();
  const { limits } = reading;
  const type = mediaType(req);
  const { bytes, topK } = isForm(req, type)
    ? await readBody(req, reading, formOverheadBytes, (body) => readForm(body, limits))
    : await readBody(req, reading, type === jsonType ? jsonOverheadBytes(limits.maxBytes) : 0, (body) =>
        readWhole(body, type),
      );
  if (bytes.byteLength > limits.maxBytes) throw tooLarge(limits);
  if (bytes.byteLength === 0) {
    throw new AppError(
      'malformed-request',
      'The recording is empty: send an audio file of more than 0 bytes.',
    );
  }
  return { bytes, lengthBytes: bytes.byteLength, topK };
}

function mediaType({ headers }: Request): string {
  return (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
}

/** @throws AppError malformed-request, unsupported-media */
function isForm(req: Request, type: string): boolean {
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

async function readWhole(body: BoundedBody, type: string): Promise<Pick<Upload, 'bytes' | 'topK'>> {
  return type === jsonType ? readHuggingFaceRequest(body) : { bytes: await readAll(body) };
}

async function readForm(body: BoundedBody, limits: UploadLimits): Promise<Pick<Upload, 'bytes' | 'topK'>> {
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
  return { bytes: part.bytes };
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
