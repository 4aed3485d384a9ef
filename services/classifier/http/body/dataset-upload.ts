import { Readable } from 'node:stream';
import type { Request, Response } from 'express';
import multer, { MulterError, type StorageEngine } from 'multer';
import { maxCsvBytes } from '../../../../shared/datasets/csv-file';
import { shownValue } from '../../../../shared/datasets/dataset-problems';
import { AppError } from '../../../../shared/errors/app-error';
import type { Intake, IntakeLimits } from '../../datasets/intake';
import { BoundedBody, refuseEncoded, tooLarge } from './bounded-body';
import { assertBoundary, formProblem, type FormReader } from './form';
import { hasBody } from './unread-body';

export interface DatasetUploadLimits extends IntakeLimits {
  readonly idleMs: number;
  /** … and, behind so long, one from which on average too little comes. */
  readonly graceMs: number;
}

/** Lists that a program sends as text; recordings are files. */
const maxTextParts = 4;
/** A form has a boundary and a part's head for each file. */
const overheadBytesPerFile = 1024;
const archiveTypes = ['application/zip', 'application/x-zip-compressed', 'application/octet-stream'];

/**
 * Brings a request's files into `intake` as they come; nothing is kept in memory.
 * @throws AppError malformed-request, payload-too-large, unsupported-media, request-timeout; or the
 *   signal's reason
 */
export async function readDatasetUpload(
  req: Request,
  intake: Intake,
  limits: DatasetUploadLimits,
  signal: AbortSignal,
): Promise<void> {
  if (!hasBody(req)) throw nothingSent();
  const isForm = req.is('multipart/form-data') !== false;
  const isArchive = req.is(archiveTypes) !== false;
  refuseEncoded(req.headers);
  if (!isForm && !isArchive) {
    const given = req.headers['content-type'] ?? 'missing';
    throw new AppError(
      'unsupported-media',
      `The Content-Type is ${given}: send a form (multipart/form-data) with recordings and a CSV, or a zip as application/zip.`,
    );
  }
  const overheadBytes = isForm ? limits.maxFiles * overheadBytesPerFile : 0;
  if (Number(req.headers['content-length'] ?? 0) > limits.maxBytes + overheadBytes) throw tooLarge(limits);
  if (isForm) assertBoundary(req.headers);
  const body = new BoundedBody(req, limits, overheadBytes, signal);
  try {
    if (isForm) await readForm(body, intake, limits);
    else await intake.addArchive(body);
  } finally {
    // Nothing of it outlives this function, whatever became of the form.
    body.destroy();
  }
}

function nothingSent(): AppError {
  return new AppError(
    'malformed-request',
    'The body is empty: send a form (multipart/form-data) with recordings and a CSV, or a zip as application/zip.',
  );
}

async function readForm(body: BoundedBody, intake: Intake, limits: DatasetUploadLimits): Promise<void> {
  let failure: unknown;
  /** The rest of an upload that is refused need not come. */
  const fail = (caught: unknown): void => {
    failure ??= caught;
    body.destroy(caught as Error);
  };
  const options = {
    storage: storageOf(intake, fail),
    preservePath: true,
    defParamCharset: 'utf8',
    // Parts without a file's name come as text: in Latin-1 a character is a byte, whatever the bytes
    // are.
    defCharset: 'latin1',
    limits: { files: limits.maxFiles, fields: maxTextParts, fieldSize: maxCsvBytes, headerPairs: 20 },
    streamHandler: (form: NodeJS.ReadableStream, reader: FormReader): void => {
      // multer passes over files without a name: the part's own may be one.
      reader.prependListener('file', (name, _content, info) => {
        if (info.filename === undefined && !isFileName(name)) fail(noFile(name));
        info.filename ??= name;
      });
      form.pipe(reader);
    },
  };
  const request = body as unknown as Request;
  const read = multer(options).any();
  await new Promise<void>((resolve, reject) => {
    read(request, undefined as unknown as Response, (error: unknown) => {
      if (failure === undefined && (error === undefined || error === null)) resolve();
      else reject(explain(failure ?? error, limits));
    });
  });
  for (const [name, values] of Object.entries((request.body ?? {}) as Record<string, unknown>)) {
    if (!isFileName(name)) throw noFile(name);
    for (const value of [values].flat()) {
      const bytes = Buffer.from(typeof value === 'string' ? value : '', 'latin1');
      await add(intake, name, Readable.from([bytes]));
    }
  }
}

/** Whether a part's name is a file's, as of `sounds.csv`. */
function isFileName(name: string): boolean {
  return /\.\w+$/.test(name);
}

function noFile(name: string): AppError {
  return new AppError(
    'malformed-request',
    `The form has a part "${shownValue(name)}" that is no file: give each file its name, as curl -F file=@a.wav does. ` +
      "The dataset's name goes into the query, ?name=….",
  );
}

async function add(intake: Intake, name: string, content: Readable): Promise<void> {
  if (/\.zip$/i.test(name)) await intake.addArchive(content);
  else await intake.addFile(name, content);
}

function storageOf(intake: Intake, fail: (caught: unknown) => void): StorageEngine {
  // One after the other: a name's folder and the count of bytes are shared.
  let last: Promise<void> = Promise.resolve();
  return {
    _handleFile: (_req, file, done) => {
      last = last.then(() => add(intake, file.originalname, file.stream));
      last.then(
        () => {
          done(null, {});
        },
        (caught: unknown) => {
          file.stream.resume();
          fail(caught);
          done(caught);
        },
      );
    },
    // The whole folder is removed at once.
    _removeFile: (_req, _file, done) => {
      done(null);
    },
  };
}

function explain(error: unknown, { maxFiles }: DatasetUploadLimits): Error {
  if (error instanceof AppError || isFileError(error)) return error;
  if (error instanceof MulterError && error.code === 'LIMIT_FILE_COUNT') {
    return new AppError('payload-too-large', `A dataset has at most ${maxFiles} files.`, {
      details: { maxFiles },
    });
  }
  if (error instanceof MulterError) {
    return new AppError(
      'malformed-request',
      `${error.message}. Send files, each with its name; the dataset's name goes into the query: ?name=…`,
    );
  }
  return new AppError('malformed-request', formProblem(error), { cause: error });
}

function isFileError(caught: unknown): caught is NodeJS.ErrnoException {
  return typeof caught === 'object' && caught !== null && 'syscall' in caught;
}
