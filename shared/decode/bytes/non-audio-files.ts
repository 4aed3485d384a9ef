import { hasTextAt, textAt } from './bytes';

/** A kind of file without audio, and what to send instead. */
interface NonAudioFile {
  readonly what: string;
  readonly advice: string;
  readonly starts: readonly string[];
}

const unpackAdvice = 'send what is in it';
const sendFileAdvice = 'send the recording itself, as the body or as the file "audio" of a form';

const nonAudioFiles: readonly NonAudioFile[] = [
  { what: 'a gzip archive', advice: unpackAdvice, starts: ['\x1f\x8b'] },
  { what: 'a ZIP archive', advice: unpackAdvice, starts: ['PK\x03\x04'] },
  { what: 'an archive', advice: unpackAdvice, starts: ['Rar!', '7z\xbc\xaf', 'BZh', '\xfd7zXZ'] },
  {
    what: 'a picture',
    advice: sendFileAdvice,
    starts: ['\x89PNG', '\xff\xd8\xff', 'GIF8', 'II*\0', 'MM\0*'],
  },
  { what: 'a PDF document', advice: sendFileAdvice, starts: ['%PDF'] },
  { what: 'a page of HTML or XML', advice: sendFileAdvice, starts: ['<!', '<?xml', '<html', '<HTML'] },
  {
    what: 'a playlist, which only names recordings',
    advice: sendFileAdvice,
    starts: ['#EXTM3U', 'ffconcat'],
  },
  { what: 'MIDI, notes without a sound', advice: 'send a recording of them', starts: ['MThd'] },
  { what: 'a program', advice: sendFileAdvice, starts: ['\x7fELF', 'MZ'] },
  { what: 'JSON', advice: sendFileAdvice, starts: ['{', '[{', '["'] },
];

const maxInspectedBytes = 4096;
const minBase64Letters = 64;

/** Tells whether the file looks like Base64 text, by its first `maxInspectedBytes` bytes. */
function isBase64(bytes: Uint8Array): boolean {
  const text = textAt(bytes, 0, Math.min(bytes.length, maxInspectedBytes));
  if (/^data:[^,]{0,200};base64,/.test(text)) return true;
  const letters = text.replace(/[\r\n]/g, '');
  return letters.length >= minBase64Letters && /^[\w+/-]+={0,2}$/.test(letters);
}

/**
 * Returns a sentence for a file that is known to contain no audio, with advice what to send; undefined
 * for other files.
 */
export function describeNonAudioFile(bytes: Uint8Array, start: number): string | undefined {
  const found = nonAudioFiles.find(({ starts }) => starts.some((text) => hasTextAt(bytes, start, text)));
  if (found !== undefined) return `This is ${found.what}: ${found.advice}.`;
  return isBase64(bytes)
    ? 'This is text in Base64: send the bytes that it stands for, as the body or as the file "audio" of a form.'
    : undefined;
}
