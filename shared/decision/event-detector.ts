import type { EventRule } from '../contracts/stream';
import { endOfRamp, followRamp, type RampResponse } from './smoothing';

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
  /** Time at which the score fell below the off-threshold; undefined while it is above. */
  fellSeconds: number | undefined;
  /** Set once the start of the event has been reported. */
  eventId: number | undefined;
}

interface Track extends EventClass {
  score: number;
  smoothed: number;
  sound: Sound | undefined;
}

/** A class, and the scores at which its sounds start and end. */
export interface EventClass {
  readonly label: string;
  readonly onThreshold: number;
  /** The threshold below which an event ends; it is at most `onThreshold`. */
  readonly offThreshold: number;
}

/** The times of the rule; all in seconds. */
type EventTimes = Pick<EventRule, 'smoothingSeconds' | 'minDurationSeconds' | 'mergeGapSeconds'>;

/**
 * Turns scores over time into events, one per sound.
 *
 * Between two windows the score is interpolated linearly. The first-order low-pass and the
 * threshold crossings are solved in continuous time, so a rule means the same at every hop: a shorter
 * hop only follows the sound more closely. A pause shorter than the merge gap belongs to the event. A
 * sound shorter than the minimum duration, with its pauses, is not reported.
 */
export class EventDetector {
  readonly #rule: EventTimes;
  readonly #tracks: readonly Track[];
  #atSeconds = 0;
  #judged = false;
  #events: number;

  /**
   * @param classes in the order of the scores
   * @param eventsBefore number of events of the same sound that an earlier detector reported
   */
  constructor(rule: EventTimes, classes: readonly EventClass[], eventsBefore = 0) {
    this.#rule = rule;
    this.#events = eventsBefore;
    this.#tracks = classes.map((of) => ({ ...of, score: 0, smoothed: 0, sound: undefined }));
  }

  /** Number of events reported so far. */
  get events(): number {
    return this.#events;
  }

  /**
   * Processes the scores of one window.
   * @param atSeconds end of the window, later than that of the previous one
   * @param scores one per class, from 0 to 1
   * @returns the events that have started or ended
   */
  push(atSeconds: number, scores: ArrayLike<number>): EventChange[] {
    const spanSeconds = atSeconds - this.#atSeconds;
    if (!(spanSeconds > 0) || scores.length !== this.#tracks.length) {
      throw new RangeError(
        `Expected ${this.#tracks.length} scores after ${this.#atSeconds} s, got ${scores.length} at ${atSeconds} s.`,
      );
    }
    const changes: EventChange[] = [];
    this.#tracks.forEach((track, index) => {
      const score = scores[index]!;
      // Before the first window no score is known; it is taken as constant.
      const from = this.#judged ? track.score : score;
      const { smoothingSeconds } = this.#rule;
      const { smoothed } = track;
      track.score = score;
      // The smoothed score stays between its start and the scores: mostly, nothing can happen.
      if (track.sound === undefined && Math.max(smoothed, from, score) < track.onThreshold) {
        track.smoothed = endOfRamp(smoothed, from, score, spanSeconds, smoothingSeconds);
        return;
      }
      const response = followRamp(smoothed, from, score, spanSeconds, smoothingSeconds);
      this.#walk(track, response, changes);
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
