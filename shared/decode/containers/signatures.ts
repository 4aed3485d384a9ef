import { hasTextAt, textAt, viewOf } from '../bytes/bytes';
import { childrenOf, ids, readVint, vintLength } from './ebml';

/** How to recognise a container by its first bytes. */
export interface Signature {
  readonly format: string;
  /**
   * ffmpeg's name for the container. It is passed explicitly, because some formats that ffmpeg would
   * detect open other files.
   */
  readonly demuxer: string;
  readonly matches: (bytes: Uint8Array, start: number) => boolean;
}

const starts =
  (...texts: readonly string[]) =>
  (bytes: Uint8Array, start: number): boolean =>
    texts.some((text) => hasTextAt(bytes, start, text));

/** The containers that ffmpeg decodes. */
export const ffmpegSignatures: readonly Signature[] = [
  { format: 'mp4', demuxer: 'mov', matches: isMp4 },
  { format: 'matroska', demuxer: 'matroska', matches: (bytes, start) => isEbml(bytes, start, 'matroska') },
  { format: 'webm', demuxer: 'matroska', matches: (bytes, start) => isEbml(bytes, start, 'webm') },
  { format: 'asf', demuxer: 'asf', matches: starts('\x30\x26\xb2\x75\x8e\x66\xcf\x11') },
  { format: 'aiff', demuxer: 'aiff', matches: isAiff },
  { format: 'au', demuxer: 'au', matches: starts('.snd') },
  { format: 'caf', demuxer: 'caf', matches: starts('caff\0\x01') },
  { format: 'amr', demuxer: 'amr', matches: starts('#!AMR\n', '#!AMR-WB\n') },
  { format: 'w64', demuxer: 'w64', matches: starts('riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb') },
  { format: 'sph', demuxer: 'nistsphere', matches: starts('NIST_1A\n') },
  { format: 'voc', demuxer: 'voc', matches: starts('Creative Voice File\x1a') },
  { format: 'avi', demuxer: 'avi', matches: (bytes, start) => isRiff(bytes, start, 'AVI ') },
  { format: 'flv', demuxer: 'flv', matches: starts('FLV\x01') },
  { format: 'ape', demuxer: 'ape', matches: starts('MAC ') },
  { format: 'wavpack', demuxer: 'wv', matches: starts('wvpk') },
  { format: 'tta', demuxer: 'tta', matches: starts('TTA1') },
  { format: 'dsf', demuxer: 'dsf', matches: starts('DSD ') },
  { format: 'ac3', demuxer: 'ac3', matches: starts('\x0b\x77') },
  { format: 'mpeg-ps', demuxer: 'mpeg', matches: starts('\0\0\x01\xba') },
  { format: 'mpegts', demuxer: 'mpegts', matches: isTransportStream },
  { format: 'aac', demuxer: 'aac', matches: (bytes, start) => isAdtsRun(bytes, start, 2) },
];

export function isRiff(bytes: Uint8Array, start: number, form: string): boolean {
  return starts('RIFF', 'RIFX', 'RF64', 'BW64')(bytes, start) && hasTextAt(bytes, start + 8, form);
}

/** Tells whether `fLaC` and a valid STREAMINFO header stand at `start`. */
export function isFlac(bytes: Uint8Array, start: number): boolean {
  return hasTextAt(bytes, start, 'fLaC') && hasTextAt(bytes, start + 5, '\0\0\x22');
}

function isAiff(bytes: Uint8Array, start: number): boolean {
  return hasTextAt(bytes, start, 'FORM') && starts('AIFF', 'AIFC')(bytes, start + 8);
}

const isMainBox = starts('ftyp', 'moov', 'mdat', 'wide', 'styp', 'moof');
/** Boxes that writers put in front: space for an index, or a preview picture. */
const isFrontBox = starts('skip', 'free', 'pnot', 'PICT', 'pict', 'uuid', 'junk', 'prfl', 'sidx', 'emsg');
const maxFrontBoxes = 16;

/** Recognises ISO base media and QuickTime files, also without `ftyp`. */
function isMp4(bytes: Uint8Array, start: number): boolean {
  const view = viewOf(bytes);
  let at = start;
  for (let box = 0; box < maxFrontBoxes && at + 16 <= bytes.length; box += 1) {
    if (isMainBox(bytes, at + 4)) return true;
    if (!isFrontBox(bytes, at + 4)) return false;
    const size = view.getUint32(at);
    const length = size === 1 ? Number(view.getBigUint64(at + 8)) : size;
    if (length < 8) return false;
    at += length;
  }
  return false;
}

/** Matroska and WebM differ in the document type that their header states. */
function isEbml(bytes: Uint8Array, start: number, documentType: string): boolean {
  if (!hasTextAt(bytes, start, '\x1a\x45\xdf\xa3')) return false;
  const sizeAt = start + 4;
  const sizeLength = vintLength(bytes[sizeAt], 8);
  const size = sizeLength === undefined ? undefined : readVint(bytes, sizeAt, sizeLength, false);
  if (sizeLength === undefined || size === undefined) return false;
  const header = bytes.subarray(sizeAt + sizeLength, sizeAt + sizeLength + size);
  const stated = [...childrenOf(header)].find(({ id }) => id === ids.documentType);
  // Some writers pad the type with zeros.
  const text = stated === undefined ? '' : textAt(stated.body, 0, 32).replace(/\0.*$/s, '');
  return text === documentType || (text === '' && documentType === 'matroska');
}

/** Recognises packets of 188 bytes by their sync byte; three in a row are no coincidence. */
function isTransportStream(bytes: Uint8Array, start: number): boolean {
  return [0, 188, 376].every((offset) => bytes[start + offset] === 0x47);
}

/** Recognises AAC in ADTS: `count` consecutive frames of one kind. */
export function isAdtsRun(bytes: Uint8Array, start: number, count: number): boolean {
  let at = start;
  for (let frame = 0; frame < count; frame += 1) {
    const isHeader = at + 7 <= bytes.length && bytes[at] === 0xff && (bytes[at + 1]! & 0xf6) === 0xf0;
    if (!isHeader || bytes[at + 2] !== bytes[start + 2]) return false;
    const size = ((bytes[at + 3]! & 3) << 11) | (bytes[at + 4]! << 3) | (bytes[at + 5]! >> 5);
    if (size < 7) return false;
    at += size;
  }
  return true;
}
