export type TextEncodingName = 'UTF-8' | 'UTF-16LE' | 'UTF-16BE' | 'Windows-1252';

export interface DecodedText {
  readonly text: string;
  readonly encoding: TextEncodingName;
}

/**
 * The characters of Windows-1252 from 0x80 to 0x9F (WHATWG Encoding); elsewhere it equals Latin-1. Node
 * 20's decoder of that name leaves these as control characters.
 */
const windows1252 =
  '\u20AC\u0081\u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152\u008D\u017D\u008F' +
  '\u0090\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153\u009D\u017E\u0178';

/** Number of bytes that are inspected to detect UTF-16 without a byte order mark. */
const sampledBytes = 1024;

/**
 * Decodes text as editors and spreadsheets save it: UTF-8 or UTF-16 with a byte order mark. Without one
 * it is UTF-8, UTF-16 where every other byte is zero as in Latin text, or else Windows-1252, which
 * accepts all bytes. The mark is removed.
 * @param isWhole false: the bytes are the beginning of a text, and may end within a character
 */
export function decodeText(bytes: Buffer, isWhole = true): DecodedText {
  const encoding = unicodeEncoding(bytes);
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: !isWhole });
    return { text, encoding };
  } catch {
    if (encoding !== 'UTF-8') return { text: new TextDecoder(encoding).decode(bytes), encoding };
    const text = bytes.toString('latin1').replace(/[\u0080-\u009f]/g, (letter) => {
      return windows1252[letter.charCodeAt(0) - 0x80]!;
    });
    return { text, encoding: 'Windows-1252' };
  }
}

function unicodeEncoding(bytes: Buffer): Exclude<TextEncodingName, 'Windows-1252'> {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'UTF-16LE';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'UTF-16BE';
  const sample = bytes.subarray(0, sampledBytes);
  const zeros = [0, 0];
  for (const [index, byte] of sample.entries()) if (byte === 0) zeros[index % 2]!++;
  const [even, odd] = zeros as [number, number];
  if (odd > sample.length / 4 && even === 0) return 'UTF-16LE';
  if (even > sample.length / 4 && odd === 0) return 'UTF-16BE';
  return 'UTF-8';
}
