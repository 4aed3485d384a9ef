import type { EventRule } from '../contracts/stream';
import { followRamp, type RampResponse } from './smoothing';

/** The start or the end of one event. */
export interface EventChange {
  readonly event: 'started' | 'ended';
  readonly eventId: number;
  readonly label: string;
  readonly onsetSeconds: number;
  /** Null while the event lasts. */
  readonly offsetSeconds: number | null;
  readonly peakConfidence: number;
}

interface Sound {
  readonly onsetSeconds: number;
  peak: number;
  /** Time at which the probability fell below the off-threshold; undefined while it is above. */
  fellSeconds: number | undefined;
  /** Set once the start of the event has been reported. */
  eventId: number | undefined;
}

interface Track {
  readonly label: string;
  readonly onThreshold: number;
  readonly offThreshold: number;
  probability: number;
  smoothed: number;
  sound: Sound | undefined;
}

export interface EventDetectorOptions {
  /** Number of events of this stream that an earlier detector reported. */
  readonly eventsBefore?: number;
  /**
   * The threshold of each class. The thresholds of the rule are scaled by it, relative to 0.5. Absent:
   * the thresholds of the rule apply unchanged.
   */
  readonly thresholds?: readonly number[] | undefined;
}

/** The class threshold to which the thresholds of the rule refer. */
const usualOnThreshold = 0.5;

/**
 * Turns probabilities over time into events, one per sound.
 *
 * Between two windows the probability is interpolated linearly. The first-order low-pass and the
 * threshold crossings are solved in continuous time, so a rule means the same at every hop: a shorter
 * hop only follows the sound more closely. A pause shorter than the merge gap belongs to the event. A
 * sound shorter than the minimum duration, with its pauses, is not reported.
 */
export class EventDetector {
  readonly #rule: EventRule;
  readonly #tracks: readonly Track[];
  #atSeconds = 0;
  #judged = false;
  #events: number;

  /** @param classes in the order of the probabilities */
  constructor(
    rule: EventRule,
    classes: readonly string[],
    { eventsBefore = 0, thresholds }: EventDetectorOptions = {},
  ) {
    this.#rule = rule;
    this.#events = eventsBefore;
    this.#tracks = classes.map((label, index) => {
      const scale = thresholds === undefined ? 1 : thresholds[index]! / usualOnThreshold;
      const [onThreshold, offThreshold] = [scale * rule.onThreshold, scale * rule.offThreshold];
      return { label, onThreshold, offThreshold, probability: 0, smoothed: 0, sound: undefined };
    });
  }

  /** Number of events reported so far. */
  get events(): number {
    return this.#events;
  }

  /**
   * Processes the probabilities of one window.
   * @param atSeconds end of the window, later than that of the previous one
   * @param probabilities one per class
   * @returns the events that have started or ended
   */
  push(atSeconds: number, probabilities: ArrayLike<number>): EventChange[] {
    const spanSeconds = atSeconds - this.#atSeconds;
    if (!(spanSeconds > 0) || probabilities.length !== this.#tracks.length) {
      throw new RangeError(
        `Expected ${this.#tracks.length} probabilities after ${this.#atSeconds} s, got ${probabilities.length} at ${atSeconds} s.`,
      );
    }
    const changes: EventChange[] = [];
    this.#tracks.forEach((track, index) => {
      const probability = probabilities[index]!;
      // Before the first window no probability is known; it is taken as constant.
      const from = this.#judged ? track.probability : probability;
      const { smoothingSeconds } = this.#rule;
      const response = followRamp(track.smoothed, from, probability, spanSeconds, smoothingSeconds);
      this.#walk(track, response, changes);
      track.probability = probability;
      track.smoothed = response.pieces.at(-1)!.endValue;
      this.#settle(track, atSeconds, changes);
    });
    this.#atSeconds = atSeconds;
    this.#judged = true;
    return changes;
  }

  /** Ends the stream at `atSeconds`; events that still last end there. */
  finish(atSeconds: number): EventChange[] {
    const changes: EventChange[] = [];
    for (const track of this.#tracks) {
      if (track.sound === undefined) continue;
      track.sound.fellSeconds ??= Math.max(atSeconds, this.#atSeconds);
      this.#end(track, track.sound, changes);
    }
    return changes;
  }

  #walk(track: Track, { pieces, crossing }: RampResponse, changes: EventChange[]): void {
    const { onThreshold, offThreshold } = track;
    for (const piece of pieces) {
      const above = track.sound !== undefined && track.sound.fellSeconds === undefined;
      if (!above && piece.endValue >= onThreshold) {
        this.#rise(track, this.#atSeconds + crossing(piece, onThreshold), changes);
      } else if (above && piece.endValue < offThreshold) {
        track.sound!.fellSeconds = this.#atSeconds + crossing(piece, offThreshold);
        track.sound!.peak = Math.max(track.sound!.peak, piece.startValue);
        continue;
      }
      if (track.sound !== undefined && track.sound.fellSeconds === undefined) {
        track.sound.peak = Math.max(track.sound.peak, piece.startValue, piece.endValue);
      }
    }
  }

  #rise(track: Track, onsetSeconds: number, changes: EventChange[]): void {
    const { sound } = track;
    if (sound?.fellSeconds !== undefined) {
      if (onsetSeconds - sound.fellSeconds <= this.#rule.mergeGapSeconds) {
        sound.fellSeconds = undefined;
        return;
      }
      this.#end(track, sound, changes);
    }
    track.sound = { onsetSeconds, peak: 0, fellSeconds: undefined, eventId: undefined };
  }

  /** Reports the start and the end of the track's sound once they are certain. */
  #settle(track: Track, nowSeconds: number, changes: EventChange[]): void {
    const { sound } = track;
    if (sound === undefined) return;
    const { fellSeconds } = sound;
    if (fellSeconds !== undefined && nowSeconds - fellSeconds > this.#rule.mergeGapSeconds) {
      this.#end(track, sound, changes);
      return;
    }
    if (sound.eventId === undefined && this.#lasted(sound, nowSeconds)) this.#start(track, sound, changes);
  }

  #lasted({ onsetSeconds, fellSeconds }: Sound, nowSeconds: number): boolean {
    return (fellSeconds ?? nowSeconds) - onsetSeconds >= this.#rule.minDurationSeconds;
  }

  #start({ label }: Track, sound: Sound, changes: EventChange[]): void {
    sound.eventId = ++this.#events;
    const { eventId, onsetSeconds, peak } = sound;
    changes.push({
      event: 'started',
      eventId,
      label,
      onsetSeconds,
      offsetSeconds: null,
      peakConfidence: peak,
    });
  }

  #end(track: Track, sound: Sound, changes: EventChange[]): void {
    const offsetSeconds = sound.fellSeconds!;
    if (sound.eventId === undefined && this.#lasted(sound, offsetSeconds)) this.#start(track, sound, changes);
    if (sound.eventId !== undefined) {
      const { eventId, onsetSeconds, peak } = sound;
      const { label } = track;
      changes.push({ event: 'ended', eventId, label, onsetSeconds, offsetSeconds, peakConfidence: peak });
    }
    track.sound = undefined;
  }
}
