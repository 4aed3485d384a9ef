import path from 'node:path';
import { AppError } from '../../../shared/errors/app-error';

const maxNameBytes = 200;
const maxDepth = 8;
/** Names that Windows reserves for devices, whatever their extension. */
const deviceName = /^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$/i;
const archiveName = /\.(zip|tar|t?gz|bz2|xz|zst|7z|rar)$/i;

/**
 * Normalises a file name of any system: folders are separated by `/`. Names with `..` stay as they are.
 */
export function tidyName(name: string): string {
  const slashed = name.replaceAll('\\', '/');
  return slashed === '' || slashed.split('/').includes('..') ? slashed : path.posix.normalize(slashed);
}

/**
 * Checks a file name that tidyName has normalised: it must be relative, stay within its folder and be
 * valid on every system. Colons are allowed, although Windows refuses them: recorders write them into
 * times.
 * @throws AppError malformed-request
 */
export function assertClipName(name: string): void {
  const reason = reasonAgainst(name);
  if (reason === undefined) return;
  const shown = JSON.stringify(name.slice(0, maxNameBytes));
  throw new AppError('malformed-request', `The file name ${shown} is not taken: ${reason}.`);
}

function reasonAgainst(name: string): string | undefined {
  const parts = name.split('/');
  if (name.startsWith('/') || /^[a-z]:\//i.test(name)) return 'it is absolute';
  if (parts.includes('..')) return 'it leads out of the folder';
  if (/[\p{Cc}\ufffd]/u.test(name)) return 'it holds a control character or one that is no text';
  if (parts.length > maxDepth) return `it lies more than ${maxDepth} folders deep`;
  const partReason = parts.map(reasonAgainstPart).find((reason) => reason !== undefined);
  if (partReason !== undefined) return partReason;
  return archiveName.test(name) ? 'archives within a dataset are not unpacked' : undefined;
}

function reasonAgainstPart(part: string): string | undefined {
  if (part === '' || part === '.') return 'a part of it is empty';
  if (/[. ]$/.test(part)) return 'it ends in a point or a blank';
  if (deviceName.test(part)) return 'it means a device on some systems';
  return Buffer.byteLength(part) > maxNameBytes ? `it is longer than ${maxNameBytes} bytes` : undefined;
}
