import { mkdirSync, readdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { CloudEvent } from '../../../shared/contracts/cloud-event';
import type { Clock } from '../../../shared/runtime/clock';
import { syncFolder } from '../../../shared/runtime/write-atomically';
import { Segment, segmentNumberOf, type Place } from './segment';

export interface DiskQueueOptions {
  readonly folder: string;
  readonly maxBytes: number;
  readonly clock: Clock;
  /** Called when the disk does not sync or remove a file; nothing is lost by that alone. */
  readonly onTrouble: (error: unknown) => void;
}

/** Appended events survive a power failure after at most so long. */
const syncMs = 1000;
const maxSegmentBytes = 1024 * 1024;
/** A full queue loses one segment, so at most this share of it, at a time. */
const segmentShare = 1 / 8;

/**
 * Events on disk, in segments that are only appended to. An event is with the operating system when
 * `append` returns, so `kill -9` of the process loses none; a power failure loses at most the last
 * second. Appending is synchronous: a write of some hundred bytes into the page cache takes
 * microseconds, and the order of events on disk is that in which they were heard.
 */
export class DiskQueue {
  readonly #options: DiskQueueOptions;
  /** The oldest first; the last may be the one that is appended to. */
  readonly #segments: Segment[] = [];
  #active: Segment | undefined;
  #nextNumber: number;
  #cancelSync: (() => void) | undefined;
  /** Whether the folder has a new file that a power failure may take. */
  #hasNewFile = false;
  /** Called when a segment was removed to make room, with all that waits in it. */
  onOverflow: (segment: Segment) => void = () => undefined;

  /** @throws the file system's error where the folder cannot be written to */
  constructor(options: DiskQueueOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    const numbers = readdirSync(options.folder).map((name) => segmentNumberOf(name) ?? -1);
    this.#nextNumber = Math.max(-1, ...numbers) + 1;
  }

  /** Size on disk, without the dead letters. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** Appends an event. @throws the file system's error; the event is then not queued */
  append(text: string): Place {
    const lengthBytes = Buffer.byteLength(text) + 1;
    this.#makeRoom(lengthBytes);
    const segment = this.#segmentFor(lengthBytes);
    try {
      const place = segment.append(text);
      this.#scheduleSync();
      return place;
    } catch (error) {
      // A part of the line may be on the disk: nothing may follow it in this file.
      this.#seal();
      throw error;
    }
  }

  /**
   * Takes over what earlier processes left, as the oldest.
   * @returns the events in their order, and the number of lines that are no events
   * @throws the file system's error
   */
  async load(): Promise<{
    readonly waiting: { place: Place; event: CloudEvent }[];
    readonly damaged: number;
  }> {
    const { folder } = this.#options;
    const own = new Set(this.#segments.map(({ number }) => number));
    const names = (await readdir(folder))
      .map((name) => ({ name, number: segmentNumberOf(name) ?? -1 }))
      .filter(({ number }) => number >= 0 && !own.has(number))
      .sort((a, b) => a.number - b.number)
      .map(({ name }) => name);
    const found: Segment[] = [];
    const waiting: { place: Place; event: CloudEvent }[] = [];
    let damaged = 0;
    for (const name of names) {
      const segment = Segment.existing(folder, name);
      const loaded = await segment.load();
      damaged += loaded.damaged;
      waiting.push(...loaded.waiting);
      if (loaded.waiting.length === 0) segment.remove();
      else found.push(segment);
    }
    this.#segments.unshift(...found);
    return { waiting, damaged };
  }

  /** @throws the file system's error; Error where the bytes are no event */
  read(place: Place): Promise<{ readonly event: CloudEvent; readonly text: string }> {
    return place.segment.read(place);
  }

  /** Notes that an event has left; a segment that all have left is removed, but for the last one. */
  remove(place: Place): void {
    try {
      if (!place.segment.markDone(place) || place.segment === this.#active) return;
      this.#forget(place.segment);
    } catch (error) {
      this.#options.onTrouble(error);
    }
  }

  /** Syncs what was appended. */
  async close(): Promise<void> {
    this.#cancelSync?.();
    await this.#sync().catch(this.#options.onTrouble);
    await this.#active?.seal().catch(this.#options.onTrouble);
    this.#active = undefined;
  }

  #segmentFor(lengthBytes: number): Segment {
    const { folder, maxBytes } = this.#options;
    const largest = Math.min(maxSegmentBytes, maxBytes * segmentShare);
    if (this.#active !== undefined && this.#active.bytes + lengthBytes > largest) this.#seal();
    if (this.#active === undefined) {
      this.#active = Segment.create(folder, this.#nextNumber);
      this.#nextNumber = this.#active.number + 1;
      this.#segments.push(this.#active);
      this.#hasNewFile = true;
    }
    return this.#active;
  }

  #seal(): void {
    const sealed = this.#active;
    this.#active = undefined;
    if (sealed === undefined) return;
    sealed.seal().catch(this.#options.onTrouble);
    if (sealed.isEmpty) this.#forget(sealed);
  }

  #makeRoom(lengthBytes: number): void {
    while (this.#segments.length > 0 && this.bytes + lengthBytes > this.#options.maxBytes) {
      const oldest = this.#segments[0]!;
      if (oldest === this.#active) this.#active = undefined;
      this.#forget(oldest);
      this.onOverflow(oldest);
    }
  }

  #forget(segment: Segment): void {
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    try {
      segment.remove();
    } catch (error) {
      this.#options.onTrouble(error);
    }
  }

  #scheduleSync(): void {
    this.#cancelSync ??= this.#options.clock.setTimer(() => {
      this.#cancelSync = undefined;
      this.#sync().catch(this.#options.onTrouble);
    }, syncMs);
  }

  async #sync(): Promise<void> {
    const isNew = this.#hasNewFile;
    this.#hasNewFile = false;
    await this.#active?.sync();
    if (isNew) await syncFolder(this.#options.folder);
  }
}
