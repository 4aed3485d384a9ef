import { isSystemFile } from '../../../shared/datasets/file-index';
import { FileNames } from '../../../shared/datasets/file-names';
import { unzip } from '../../../shared/datasets/unzip';
import { AppError } from '../../../shared/errors/app-error';
import { assertClipName } from './clip-name';

export interface UnpackRequest {
  readonly zipFile: string;
  readonly folder: string;
  readonly maxBytes: number;
  readonly maxFiles: number;
}

export interface Unpacked {
  /** The single top-level folder that holds all files; undefined if there is none. */
  readonly top: string | undefined;
}

/** How often `assertWanted` is called during unpacking. */
const pollMs = 100;

/**
 * Unpacks a zip file, without the files that operating systems add.
 * @throws AppError malformed-request; what `assertWanted` throws
 */
export async function unpackArchive(request: UnpackRequest, assertWanted: () => void): Promise<Unpacked> {
  const unwanted = new AbortController();
  const poll = setInterval(() => {
    try {
      assertWanted();
    } catch (caught) {
      unwanted.abort(caught);
    }
  }, pollMs);
  const names = new FileNames();
  const place = (name: string): string | undefined => {
    if (isSystemFile(name)) return undefined;
    assertClipName(name);
    names.add(name);
    return name;
  };
  try {
    await unzip({ ...request, place: () => place, flush: true, signal: unwanted.signal });
    return { top: names.top };
  } catch (caught) {
    if (!(caught instanceof AppError) || caught.code !== 'malformed-request') throw caught;
    throw new AppError('malformed-request', `The archive is refused: ${caught.message}`, { cause: caught });
  } finally {
    clearInterval(poll);
  }
}
