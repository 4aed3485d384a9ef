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

/** Windows that are compared with the reference: the latest. */
const maxWindows = 1000;
/** With fewer, chance alone would look like drift. */
const minWindows = 100;

type Bins = Readonly<Record<DriftKind, number>>;

/**
 * How far what is served is from what the model was validated on: which classes it hears, how sure it
 * is, and how loud it is.
 */
export class Drift {
  #version = '';
  #classes: readonly string[] = [];
  #reference: Readonly<Record<DriftKind, readonly number[]>> | undefined;
  /** A ring. */
  #windows: Bins[] = [];
  #next = 0;

  /** Another model answers from now on: what was heard before says nothing of it. */
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

  /** Windows compared. */
  get windows(): number {
    return this.#windows.length;
  }

  /** Population stability index; NaN while too little was heard, or where the model has no reference. */
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
