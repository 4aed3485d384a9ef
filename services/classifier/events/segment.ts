import { appendFileSync, closeSync, fdatasync, openSync, rmSync, writeSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cloudEventSchema, type CloudEvent } from '../../../shared/contracts/cloud-event';
import { ifAbsent } from '../../../shared/errors/machine-fault';

/** Where a queued event lies. */
export interface Place {
  readonly segment: Segment;
  /** Number of its line, from 0. */
  readonly line: number;
  readonly offset: number;
  /** The length without the line feed. */
  readonly lengthBytes: number;
}

const eventsSuffix = '.events';
const doneSuffix = '.done';
const lineFeed = 0x0a;
const syncDescriptor = promisify(fdatasync);

/** @returns the number in the name of a segment's file; undefined for another file */
export function segmentNumberOf(fileName: string): number | undefined {
  const digits = /^(\d{1,15})\.events$/.exec(fileName)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * A file of queued events, one CloudEvent in JSON a line, and a file that names the lines that have
 * left. Both only grow, and both are removed when every line has left.
 */
export class Segment {
  readonly number: number;
  readonly #eventsFile: string;
  readonly #doneFile: string;
  #descriptor: number | undefined;
  #lines = 0;
  #eventBytes = 0;
  #doneBytes = 0;
  #waiting = 0;
  #isRemoved = false;

  private constructor(folder: string, name: string, descriptor?: number) {
    this.number = Number(name);
    this.#eventsFile = join(folder, `${name}${eventsSuffix}`);
    this.#doneFile = join(folder, `${name}${doneSuffix}`);
    this.#descriptor = descriptor;
  }

  /**
   * Creates an empty segment with the first free number from `number` on.
   * @throws the file system's error
   */
  static create(folder: string, number: number): Segment {
    for (let free = number; ; free++) {
      const name = String(free).padStart(12, '0');
      try {
        const descriptor = openSync(join(folder, `${name}${eventsSuffix}`), 'wx', 0o600);
        // Marks of a file that a power failure took.
        rmSync(join(folder, `${name}${doneSuffix}`), { force: true });
        return new Segment(folder, name, descriptor);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  /** A segment that an earlier process left; `load` tells what waits in it. */
  static existing(folder: string, fileName: string): Segment {
    return new Segment(folder, fileName.slice(0, -eventsSuffix.length));
  }

  /** Size of both files. */
  get bytes(): number {
    return this.#eventBytes + this.#doneBytes;
  }

  /** Whether nothing waits in it. */
  get isEmpty(): boolean {
    return this.#waiting === 0;
  }

  /** Whether its files were removed, because all events have left or to make room. */
  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /**
   * Hands a line to the operating system, so that it outlives this process.
   * @throws the file system's error; the segment then takes no more lines
   */
  append(text: string): Place {
    const bytes = Buffer.from(`${text}\n`, 'utf8');
    const written = writeSync(this.#descriptor!, bytes);
    if (written < bytes.length) throw new Error('the disk took only a part of an event');
    const offset = this.#eventBytes;
    this.#eventBytes += bytes.length;
    this.#waiting++;
    return { segment: this, line: this.#lines++, offset, lengthBytes: bytes.length - 1 };
  }

  /**
   * Reads what waits in a segment of an earlier process.
   * @returns the events in their order, and the number of lines that are no events
   * @throws the file system's error
   */
  async load(): Promise<{
    readonly waiting: { place: Place; event: CloudEvent }[];
    readonly damaged: number;
  }> {
    const content = await readFile(this.#eventsFile);
    const doneText = await readFile(this.#doneFile, 'utf8').catch(ifAbsent(''));
    const done = new Set(doneText.split('\n').map((digits) => (digits === '' ? -1 : Number(digits))));
    this.#eventBytes = content.length;
    this.#doneBytes = doneText.length;
    const waiting: { place: Place; event: CloudEvent }[] = [];
    let damaged = 0;
    for (let offset = 0; offset < content.length; this.#lines++) {
      const end = content.indexOf(lineFeed, offset);
      const lengthBytes = (end === -1 ? content.length : end) - offset;
      const event = parseEvent(content.toString('utf8', offset, offset + lengthBytes));
      const place = { segment: this, line: this.#lines, offset, lengthBytes };
      offset += lengthBytes + 1;
      if (done.has(place.line)) continue;
      if (event === undefined) damaged++;
      else waiting.push({ place, event });
    }
    this.#waiting = waiting.length;
    return { waiting, damaged };
  }

  /** @throws the file system's error; Error where the bytes are no event */
  async read({ offset, lengthBytes }: Place): Promise<{ readonly event: CloudEvent; readonly text: string }> {
    const file = await open(this.#eventsFile, 'r');
    try {
      const bytes = Buffer.alloc(lengthBytes);
      await file.read(bytes, 0, lengthBytes, offset);
      const text = bytes.toString('utf8');
      const event = parseEvent(text);
      if (event === undefined) throw new Error('a queued event is damaged');
      return { event, text };
    } finally {
      await file.close();
    }
  }

  /**
   * Notes that an event has left.
   * @returns whether none is left that waits
   * @throws the file system's error; the event is then delivered again after the next start
   */
  markDone({ line }: Place): boolean {
    this.#waiting--;
    if (this.#isRemoved) return false;
    const text = `${line}\n`;
    // Nothing is lost with it, so it is never synced.
    appendFileSync(this.#doneFile, text, { mode: 0o600 });
    this.#doneBytes += text.length;
    return this.#waiting === 0;
  }

  /** Makes what was appended survive a power failure. @throws the file system's error */
  async sync(): Promise<void> {
    if (this.#descriptor !== undefined) await syncDescriptor(this.#descriptor);
  }

  /** Ends appending; what was appended survives a power failure then. @throws the file system's error */
  async seal(): Promise<void> {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) return;
    this.#descriptor = undefined;
    try {
      await syncDescriptor(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  /** Removes both files. @throws the file system's error */
  remove(): void {
    this.#isRemoved = true;
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) closeSync(descriptor);
    // The events first: marks without events mean nothing, events without marks would be sent again.
    rmSync(this.#eventsFile, { force: true });
    rmSync(this.#doneFile, { force: true });
  }
}

function parseEvent(text: string): CloudEvent | undefined {
  try {
    return cloudEventSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
