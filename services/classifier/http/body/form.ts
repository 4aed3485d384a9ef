import type { IncomingHttpHeaders } from 'node:http';
import type { Request } from 'express';
import multer, { type MulterError, memoryStorage } from 'multer';
import { AppError } from '../../../../shared/errors/app-error';
import type { BoundedBody } from './bounded-body';

/** A part of a form, whether it came with a file's name or without. */
export interface FormPart {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Whether it has a file's name, or a type that only files have. */
  readonly isFile: boolean;
}

/** The part of busboy, which reads forms for multer, that is used here. */
export interface FormReader extends NodeJS.WritableStream {
  prependListener(
    event: 'file',
    listener: (name: string, content: unknown, info: { filename?: string }) => void,
  ): this;
}

const boundaryParameter = /;\s*boundary\s*=\s*("[^"]+"|[^\s;"]+)/i;

/** @throws AppError malformed-request when a form does not say where its parts begin */
export function assertBoundary(headers: IncomingHttpHeaders): void {
  if (boundaryParameter.test(headers['content-type'] ?? '')) return;
  throw new AppError(
    'malformed-request',
    'The header Content-Type: multipart/form-data lacks the boundary of the form. Leave the header to your HTTP library, ' +
      'which knows the boundary that it writes into the body.',
  );
}

/**
 * All parts of a form, in memory; `body` bounds them all together.
 * @param maxParts more are an error of multer, as is whatever else is wrong with the form
 */
export async function readParts(body: BoundedBody, maxParts: number): Promise<FormPart[]> {
  const options = {
    storage: memoryStorage(),
    defParamCharset: 'utf8',
    // Parts without a file's name come as text: in Latin-1 a character is a byte, whatever the bytes
    // are.
    defCharset: 'latin1',
    limits: { fields: maxParts, files: maxParts, parts: maxParts, fieldSize: Infinity, headerPairs: 20 },
    streamHandler: (request: NodeJS.ReadableStream, reader: FormReader): void => {
      // multer passes over files without a name.
      reader.prependListener('file', (_name, _content, info) => (info.filename ??= 'unnamed'));
      request.pipe(reader);
    },
  };
  const request = body as unknown as Request & { files?: Express.Multer.File[] };
  const read = multer(options).any();
  await new Promise<void>((resolve, reject) => {
    read(request, undefined as never, (error: unknown) => {
      if (error === undefined || error === null) resolve();
      else reject(error instanceof Error ? error : new Error('unreadable', { cause: error }));
    });
  });
  const files = request.files ?? [];
  const fields = Object.entries((request.body ?? {}) as Record<string, unknown>);
  return [
    ...files.map(({ fieldname, buffer }) => ({ name: fieldname, bytes: buffer, isFile: true })),
    ...fields.flatMap(([name, values]) => [values].flat().map((value) => textPart(name, value))),
  ];
}

function textPart(name: string, value: unknown): FormPart {
  const bytes = Buffer.from(typeof value === 'string' ? value : '', 'latin1');
  return { name, bytes, isFile: false };
}

/** What is wrong with a form that cannot be read, for its sender. */
export function formProblem(error: unknown): string {
  const { name, message } = error as Error;
  if (name === 'MulterError') {
    const { field } = error as MulterError;
    return `The form cannot be read: ${message}${field === undefined ? '' : ` (field "${field}")`}.`;
  }
  if (/^Unexpected end of (form|file)/.test(message)) {
    return (
      'The body is not a well-formed multipart/form-data form: its closing boundary is missing. ' +
      'The boundary in Content-Type must be the one in the body.'
    );
  }
  return `The body is not a well-formed multipart/form-data form: ${message}.`;
}
