import type { Manifest } from '../../../shared/contracts/manifest';
import type { ValidationProfile } from '../../../shared/contracts/report';
import {
  confidenceBin,
  confidenceBins,
  countBins,
  levelBin,
  levelBins,
  stabilityIndex,
} from '../../../shared/decision/distribution';
import type { ObservedWindow } from './judge-windows';

export const driftKinds = ['classes', 'confidence', 'levels'] as const;
export type DriftKind = (typeof driftKinds)[number];

/** Number of the latest windows that are compared with the reference. */
const maxWindows = 1000;
/** The index is not computed with fewer windows, because chance alone would look like drift. */
const minWindows = 100;

type Bins = Readonly<Record<DriftKind, number>>;

/**
 * Compares recently served windows with the validation clips of the model: the predicted classes, their
 * confidence, and the level of the sound.
 */
export class Drift {
  #version = '';
  #classes: readonly string[] = [];
  #reference: Readonly<Record<DriftKind, readonly number[]>> | undefined;
  /** A ring buffer; `#next` is the position that is written next. */
  #windows: Bins[] = [];
  #next = 0;

  /** Starts anew for the model that serves from now on. */
  expect({ version, classes }: Manifest, reference: ValidationProfile | undefined): void {
    this.#version = version;
    this.#classes = classes;
    this.#windows = [];
    this.#next = 0;
    this.#reference = reference && {
      classes: countBins(reference.answers, classes.length),
      confidence: reference.confidence,
      levels: reference.levels,
    };
  }

  readonly look = (manifest: Manifest, windows: readonly ObservedWindow[]): void => {
    if (manifest.version !== this.#version) return;
    for (const { level, nearest, confidence } of windows) {
      this.#windows[this.#next] = {
        classes: this.#classes.indexOf(nearest),
        confidence: confidenceBin(confidence),
        levels: levelBin(level.soundDecibels),
      };
      this.#next = (this.#next + 1) % maxWindows;
    }
  };

  /** Number of windows that are compared. */
  get windows(): number {
    return this.#windows.length;
  }

  /**
   * Returns the population stability index; NaN while there are too few windows, or where the model has
   * no reference.
   */
  index(kind: DriftKind): number {
    if (this.#reference === undefined || this.#windows.length < minWindows) return NaN;
    const sizes = { classes: this.#classes.length, confidence: confidenceBins, levels: levelBins };
    const counts = countBins(
      this.#windows.map((window) => window[kind]),
      sizes[kind],
    );
    return stabilityIndex(counts, this.#reference[kind]);
  }
}
