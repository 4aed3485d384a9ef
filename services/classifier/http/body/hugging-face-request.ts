import { z } from 'zod';
import { AppError } from '../../../../shared/errors/app-error';
import { parseInput } from '../routing/parse-input';

/** Hugging Face's audio-classification task as JSON. What is not known is refused. */
export const huggingFaceRequestSchema = z.strictObject({
  inputs: z.string().describe('The audio file, in base64'),
  parameters: z
    .strictObject({
      top_k: z.int().min(1).max(1000).nullish().describe('How many classes to name; 5 unless given'),
    })
    .nullish(),
});

/** What a body may weigh besides its recording. */
const maxOtherBytes = 16 * 1024;
/** A string of so many bytes is the recording; it never becomes part of what is parsed. */
const longBytes = 1024;
/** Base64 is decoded so many characters at a time: each decoded part takes memory of its own beside its bytes. */
const decodedAtOnce = 16 * 1024;
const quote = 0x22;
const backslash = 0x5c;
const slash = 0x2f;

/** What a body in JSON may weigh besides a recording of `maxBytes`: base64 is longer by a third. */
export function jsonOverheadBytes(maxBytes: number): number {
  return Math.ceil(maxBytes / 3) + maxOtherBytes;
}

/**
 * The recording in a JSON body, and how many classes it asks for. The base64 is decoded chunk by chunk;
 * of the rest, which takes time with the number of its values, there is little.
 * @throws AppError malformed-request; what reading the body throws
 */
export async function readHuggingFaceRequest(
  body: AsyncIterable<Buffer>,
): Promise<{ readonly bytes: Uint8Array; readonly topK: number | undefined }> {
  const parts = new RequestParts();
  for await (const chunk of body) parts.add(chunk);
  const { inputs, parameters } = parseInput(huggingFaceRequestSchema, parseJson(parts.text), 'body');
  // A short recording was left where it was.
  if (inputs !== '') parts.recording.add(Buffer.from(inputs));
  return { bytes: parts.recording.end(), topK: parameters?.top_k ?? undefined };
}

/** Takes the first long string out of a JSON text that comes in chunks. */
class RequestParts {
  readonly recording = new Base64Decoder();
  /** The JSON in which that string is empty. */
  text: Buffer = Buffer.alloc(0);
  #part: 'before' | 'within' | 'behind' = 'before';
  /** How much of the text has been searched for a long string. */
  #searchedBytes = 0;

  add(chunk: Buffer): void {
    if (this.#part === 'within') this.#addWithin(chunk);
    else this.text = Buffer.concat([this.text, chunk]);
    if (this.#part === 'before') this.#lookForStart();
    if (this.text.byteLength <= maxOtherBytes) return;
    throw wrong(`The JSON has more than ${maxOtherBytes} bytes besides the recording.`);
  }

  /** Searches when a long string may have come, not after each of many tiny chunks. */
  #lookForStart(): void {
    const { byteLength } = this.text;
    if (byteLength - this.#searchedBytes <= longBytes && byteLength <= maxOtherBytes) return;
    this.#searchedBytes = byteLength;
    const start = startOfLongString(this.text);
    if (start === undefined) return;
    const rest = this.text.subarray(start);
    this.text = this.text.subarray(0, start);
    this.#part = 'within';
    this.#addWithin(rest);
  }

  #addWithin(chunk: Buffer): void {
    const end = chunk.indexOf(quote);
    this.recording.add(end < 0 ? chunk : chunk.subarray(0, end));
    if (end < 0) return;
    this.#part = 'behind';
    this.text = Buffer.concat([this.text, chunk.subarray(end)]);
  }
}

/** Where the first long string begins, behind its quote; undefined: there is none so far. */
function startOfLongString(json: Buffer): number | undefined {
  let open = json.indexOf(quote);
  while (open >= 0 && open < maxOtherBytes) {
    let end = json.indexOf(quote, open + 1);
    // No quote is escaped in base64, so that only short strings are searched.
    while (end >= 0 && end - open <= longBytes && isEscaped(json, end)) end = json.indexOf(quote, end + 1);
    if ((end < 0 ? json.byteLength : end) - open > longBytes) return open + 1;
    if (end < 0) return undefined;
    open = json.indexOf(quote, end + 1);
  }
  return undefined;
}

function isEscaped(json: Buffer, at: number): boolean {
  let backslashes = 0;
  while (json[at - 1 - backslashes] === backslash) backslashes++;
  return backslashes % 2 === 1;
}

function parseJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'));
  } catch (cause) {
    const message = `The body is not JSON, as its Content-Type says. ${todo}`;
    throw new AppError('malformed-request', message, { cause });
  }
}

/** Decodes base64 that comes in parts, in which slashes may be escaped as JSON allows. */
class Base64Decoder {
  readonly #decoded: Buffer[] = [];
  #pending = '';
  #isEscaped = false;

  add(part: Buffer): void {
    const text = this.#pending + this.#unescape(part).toString('latin1');
    if (text.length < decodedAtOnce) {
      this.#pending = text;
      return;
    }
    // What may be padding waits for what follows.
    const ready = Math.max(0, text.length - 4) & ~3;
    this.#decode(text.slice(0, ready));
    this.#pending = text.slice(ready);
  }

  /** @returns bytes that own their buffer */
  end(): Uint8Array<ArrayBuffer> {
    const digits = this.#pending.replace(/={1,2}$/, '');
    if (this.#isEscaped || digits.length % 4 === 1) throw notBase64();
    this.#decode(digits);
    const bytes = new Uint8Array(this.#decoded.reduce((sum, { byteLength }) => sum + byteLength, 0));
    let at = 0;
    for (const part of this.#decoded) {
      bytes.set(part, at);
      at += part.byteLength;
    }
    return bytes;
  }

  /** Takes the backslashes before slashes away. */
  #unescape(part: Buffer): Buffer {
    if (!this.#isEscaped && !part.includes(backslash)) return part;
    const plain = Buffer.alloc(part.byteLength);
    let length = 0;
    for (const byte of part) {
      if (this.#isEscaped && byte !== slash) throw notBase64();
      this.#isEscaped = byte === backslash;
      if (!this.#isEscaped) plain[length++] = byte;
    }
    return plain.subarray(0, length);
  }

  /** Node passes over what is not base64; then the bytes are fewer than the text's length says. */
  #decode(digits: string): void {
    const bytes = Buffer.from(digits, 'base64');
    if (bytes.byteLength !== Math.floor((digits.length * 3) / 4)) throw notBase64();
    this.#decoded.push(bytes);
  }
}

const todo =
  'Send {"inputs": "the audio file in base64"}, or the file itself under a Content-Type of its own.';

function wrong(what: string): AppError {
  return new AppError('malformed-request', `${what} ${todo}`);
}

function notBase64(): AppError {
  return wrong('`inputs` is not base64.');
}
