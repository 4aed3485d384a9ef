import { isClutter } from '../../../shared/datasets/file-index';
import { FileNames } from '../../../shared/datasets/file-names';
import { unzip } from '../../../shared/datasets/unzip';
import { AppError } from '../../../shared/errors/app-error';
import { assertClipName } from './clip-name';

export interface UnpackOrder {
  readonly zipFile: string;
  readonly folder: string;
  readonly maxBytes: number;
  readonly maxFiles: number;
}

export interface Unpacked {
  /** The one folder that all files lie in, if they do. */
  readonly top: string | undefined;
}

/** How often a long piece of work looks whether it is still wanted. */
const lookEveryMs = 100;

/** Unpacks what is not an operating system's own. @throws AppError malformed-request; what `assertWanted` throws */
export async function unpackArchive(order: UnpackOrder, assertWanted: () => void): Promise<Unpacked> {
  const unwanted = new AbortController();
  const look = setInterval(() => {
    try {
      assertWanted();
    } catch (caught) {
      unwanted.abort(caught);
    }
  }, lookEveryMs);
  const names = new FileNames();
  const place = (name: string): string | undefined => {
    if (isClutter(name)) return undefined;
    assertClipName(name);
    names.add(name);
    return name;
  };
  try {
    await unzip({ ...order, place: () => place, flush: true, signal: unwanted.signal });
    return { top: names.top };
  } catch (caught) {
    if (!(caught instanceof AppError) || caught.code !== 'malformed-request') throw caught;
    throw new AppError('malformed-request', `The archive is refused: ${caught.message}`, { cause: caught });
  } finally {
    clearInterval(look);
  }
}
