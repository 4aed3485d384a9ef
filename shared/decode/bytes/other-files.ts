import { hasTextAt, textAt } from './bytes';

/** What a file is that holds no sound itself, and what to send instead. */
interface OtherFile {
  readonly what: string;
  readonly todo: string;
  readonly starts: readonly string[];
}

const unpack = 'send what is in it';
const itself = 'send the recording itself, as the body or as the file "audio" of a form';

const others: readonly OtherFile[] = [
  { what: 'a gzip archive', todo: unpack, starts: ['\x1f\x8b'] },
  { what: 'a ZIP archive', todo: unpack, starts: ['PK\x03\x04'] },
  { what: 'an archive', todo: unpack, starts: ['Rar!', '7z\xbc\xaf', 'BZh', '\xfd7zXZ'] },
  { what: 'a picture', todo: itself, starts: ['\x89PNG', '\xff\xd8\xff', 'GIF8', 'II*\0', 'MM\0*'] },
  { what: 'a PDF document', todo: itself, starts: ['%PDF'] },
  { what: 'a page of HTML or XML', todo: itself, starts: ['<!', '<?xml', '<html', '<HTML'] },
  { what: 'a playlist, which only names recordings', todo: itself, starts: ['#EXTM3U', 'ffconcat'] },
  { what: 'MIDI, notes without a sound', todo: 'send a recording of them', starts: ['MThd'] },
  { what: 'a program', todo: itself, starts: ['\x7fELF', 'MZ'] },
  { what: 'JSON', todo: itself, starts: ['{', '[{', '["'] },
];

const lookedBytes = 4096;
const leastBase64Letters = 64;

/** Told from the first few thousand bytes. */
function isBase64(bytes: Uint8Array): boolean {
  const text = textAt(bytes, 0, Math.min(bytes.length, lookedBytes));
  if (/^data:[^,]{0,200};base64,/.test(text)) return true;
  const letters = text.replace(/[\r\n]/g, '');
  return letters.length >= leastBase64Letters && /^[\w+/-]+={0,2}$/.test(letters);
}

/** A sentence about bytes that are known to be no sound, with what to do; undefined of all others. */
export function describeOtherFile(bytes: Uint8Array, start: number): string | undefined {
  const found = others.find(({ starts }) => starts.some((text) => hasTextAt(bytes, start, text)));
  if (found !== undefined) return `This is ${found.what}: ${found.todo}.`;
  return isBase64(bytes)
    ? 'This is text in Base64: send the bytes that it stands for, as the body or as the file "audio" of a form.'
    : undefined;
}
