import type { EventRule } from '../contracts/stream';
import { followRamp, type RampResponse } from './smoothing';

/** What became known of one event. */
export interface EventChange {
  readonly event: 'started' | 'ended';
  readonly eventId: number;
  readonly label: string;
  readonly onsetSeconds: number;
  /** Null while it lasts. */
  readonly offsetSeconds: number | null;
  readonly peakConfidence: number;
}

interface Sound {
  readonly onsetSeconds: number;
  peak: number;
  /** When it fell below the off-threshold; undefined while it is above. */
  fellSeconds: number | undefined;
  /** Set once it has been told of. */
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
  /** Events of the same stream, told of by another detector. */
  readonly eventsBefore?: number;
  /** Each class's own: the rule's thresholds are multiples of it, and the usual 0.5 stands for it. Absent: the rule's, as they are. */
  readonly thresholds?: readonly number[] | undefined;
}

/** What a class's own threshold is in the rule's terms. */
const usualOnThreshold = 0.5;

/**
 * Turns probabilities over time into events, each sound once.
 *
 * Between two judgements a probability is taken to move in a straight line, and the smoothing (a low-pass of the first order) and
 * the crossings of the thresholds are solved in continuous time. So a rule means the same at every hop: judging more often
 * changes only how closely the line follows the sound. A pause shorter than the merge gap is part of the event; what is
 * shorter than the least duration, pauses closed, is none.
 */
export class EventDetector {
  readonly #rule: EventRule;
  readonly #tracks: readonly Track[];
  #atSeconds = 0;
  #judged = false;
  #events: number;

  /**
   * @param classes in the order of the probabilities
   */
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

  /** Events told of so far. */
  get events(): number {
    return this.#events;
  }

  /**
   * @param atSeconds end of the judged window, later than the last
   * @param probabilities one per class
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
      // Of the time before the first judgement nothing else is known.
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

  /** The stream is over at `atSeconds`: what lasts ends there. */
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

  /** What is certain by now is told. */
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
