import type { Request, Response } from 'express';
import multer, { MulterError, memoryStorage } from 'multer';
import { AppError } from '../../../shared/errors/app-error';
import { BoundedBody, refuseEncoded, tooLarge, type UploadLimits } from './bounded-body';

/** The form field that carries the recording. */
export const uploadField = 'audio';

/** What a form may weigh besides its recording: boundaries and part headers. */
const formOverheadBytes = 16 * 1024;

/**
 * The recording in a request: a form's file `audio`, or the body itself.
 * @throws AppError malformed-request, payload-too-large, unsupported-media, request-timeout; or the signal's reason
 */
export async function readUpload(
  req: Request,
  res: Response,
  limits: UploadLimits,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const isForm = req.is('multipart/form-data') !== false;
  const overheadBytes = isForm ? formOverheadBytes : 0;
  refuseEncoded(req.headers);
  if (Number(req.headers['content-length'] ?? 0) > limits.maxBytes + overheadBytes) throw tooLarge(limits);
  // A client that asked first is told to go on only now, when it is sure to be heard.
  if (req.headers.expect?.toLowerCase() === '100-continue') res.writeContinue();

  const body = new BoundedBody(req, limits, overheadBytes, signal);
  const claimedBytes = Number(req.headers['content-length'] ?? NaN);
  const bytes = isForm ? await readForm(body, limits) : await readAll(body, claimedBytes);
  if (bytes.byteLength === 0) {
    throw new AppError(
      'malformed-request',
      'The recording is empty: send an audio file of more than 0 bytes.',
    );
  }
  return bytes;
}

/** @param claimedBytes what the header says, which Node holds a body to; NaN where it says nothing */
async function readAll(body: BoundedBody, claimedBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let whole: Uint8Array | undefined;
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    // Made when the first bytes are there: a claim alone takes no memory.
    if (!Number.isNaN(claimedBytes)) (whole ??= new Uint8Array(claimedBytes)).set(chunk, length);
    else chunks.push(chunk);
    length += chunk.byteLength;
  }
  return whole ?? Buffer.concat(chunks);
}

async function readForm(body: BoundedBody, limits: UploadLimits): Promise<Buffer> {
  const read = multer({
    storage: memoryStorage(),
    limits: { fileSize: limits.maxBytes, files: 1, fields: 0, parts: 1, headerPairs: 20 },
  }).single(uploadField);
  const request = body as unknown as Request & { file?: Express.Multer.File };
  await new Promise<void>((resolve, reject) => {
    read(request, undefined as unknown as Response, (error: unknown) => {
      if (error === undefined || error === null) resolve();
      else reject(explain(error, limits));
    });
  });
  if (request.file === undefined) throw wrongForm('The form holds no file.');
  return request.file.buffer;
}

/** What went wrong with a form, for its sender. */
function explain(error: unknown, limits: UploadLimits): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof MulterError) return explainMulter(error, limits);
  return new AppError('malformed-request', 'The body is not a well-formed multipart/form-data form.', {
    cause: error,
  });
}

function explainMulter(error: MulterError, limits: UploadLimits): AppError {
  if (error.code === 'LIMIT_FILE_SIZE') return tooLarge(limits);
  if (error.code === 'LIMIT_FIELD_COUNT') return wrongForm('The form holds a part that is not a file.');
  if (error.code === 'LIMIT_FILE_COUNT' || error.code === 'LIMIT_PART_COUNT' || error.field === uploadField) {
    return wrongForm('The form holds more than one part.');
  }
  if (error.code === 'LIMIT_UNEXPECTED_FILE') return wrongForm('The form holds its file in another field.');
  return wrongForm(`${error.message}.`);
}

function wrongForm(what: string): AppError {
  const todo = `Send exactly one file, in the field "${uploadField}"; options go into the query.`;
  return new AppError('malformed-request', `${what} ${todo}`);
}
