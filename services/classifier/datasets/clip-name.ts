import { AppError } from '../../../shared/errors/app-error';

const maxNameBytes = 200;
const maxDepth = 8;
/** Names that mean a device on Windows, whatever their extension. */
const deviceName = /^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$/i;
const archiveName = /\.(zip|tar|t?gz|bz2|xz|zst|7z|rar)$/i;
/** What operating systems put beside files. */
const clutter = /(^|\/)(__MACOSX\/|\.[^/]*(\/|$)|Thumbs\.db$|desktop\.ini$)/i;

/** Whether a file of an archive was put there by its maker's operating system: nobody misses it. */
export function isClutter(name: string): boolean {
  return clutter.test(name) && !name.split('/').includes('..');
}

/**
 * Lets a file name pass that is harmless on every file system; folders are separated by `/`.
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
  if (name.startsWith('/')) return 'it is absolute';
  if (parts.includes('..')) return 'it leads out of the folder';
  if (/[\u0000-\u001f\u007f\\:]/.test(name)) return 'it holds a control character, a backslash or a colon';
  if (parts.length > maxDepth) return `it lies more than ${maxDepth} folders deep`;
  const inPart = parts.map(reasonAgainstPart).find((reason) => reason !== undefined);
  if (inPart !== undefined) return inPart;
  return archiveName.test(name) ? 'archives within a dataset are not unpacked' : undefined;
}

function reasonAgainstPart(part: string): string | undefined {
  if (part === '' || part === '.') return 'a part of it is empty';
  if (part.startsWith('.')) return 'it is hidden';
  if (/[. ]$/.test(part)) return 'it ends in a point or a blank';
  if (deviceName.test(part)) return 'it means a device on some systems';
  return Buffer.byteLength(part) > maxNameBytes ? `it is longer than ${maxNameBytes} bytes` : undefined;
}
