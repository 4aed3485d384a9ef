import path from 'node:path';
import { AppError } from '../../../shared/errors/app-error';

const maxNameBytes = 200;
const maxDepth = 8;
/** Names that mean a device on Windows, whatever their extension. */
const deviceName = /^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$/i;
const archiveName = /\.(zip|tar|t?gz|bz2|xz|zst|7z|rar)$/i;

/** A name as senders write it, on whatever system, with its folders separated by `/`. */
export function tidyName(name: string): string {
  const slashed = name.replaceAll('\\', '/');
  return slashed === '' || slashed.split('/').includes('..') ? slashed : path.posix.normalize(slashed);
}

/**
 * Lets a tidy file name pass that leads nowhere and can be read on every system, but for colons, which recorders write into times
 * of day; folders are separated by `/`.
 * @throws AppError malformed-request
 */
export function assertClipName(name: string): void {
  const refused = reasonAgainst(name);
  if (refused === undefined) return;
  const shown = JSON.stringify(name.slice(0, maxNameBytes));
  throw new AppError('malformed-request', `The file name ${shown} is not taken: ${refused}.`);
}

function reasonAgainst(name: string): string | undefined {
  const parts = name.split('/');
  if (name.startsWith('/') || /^[a-z]:\//i.test(name)) return 'it is absolute';
  if (parts.includes('..')) return 'it leads out of the folder';
  if (/[\p{Cc}\ufffd]/u.test(name)) return 'it holds a control character or one that is no text';
  if (parts.length > maxDepth) return `it lies more than ${maxDepth} folders deep`;
  const inPart = parts.map(reasonAgainstPart).find((reason) => reason !== undefined);
  if (inPart !== undefined) return inPart;
  return archiveName.test(name) ? 'archives within a dataset are not unpacked' : undefined;
}

function reasonAgainstPart(part: string): string | undefined {
  if (part === '' || part === '.') return 'a part of it is empty';
  if (/[. ]$/.test(part)) return 'it ends in a point or a blank';
  if (deviceName.test(part)) return 'it means a device on some systems';
  return Buffer.byteLength(part) > maxNameBytes ? `it is longer than ${maxNameBytes} bytes` : undefined;
}
