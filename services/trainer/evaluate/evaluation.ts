import type { Calibration, CalibrationReport } from '../../../shared/contracts/calibration';
import type { Golden } from '../../../shared/contracts/lifecycle';
import type { FrontEnds } from '../../../shared/contracts/members';
import type { EpochEvaluation, ServedReport, ValidationProfile } from '../../../shared/contracts/report';
import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import type { EncodedWeights, WeightsDtype } from '../../../shared/registry/weights-file';
import type { FoldSplit } from '../data/folds';
import type { Example } from '../optimise/predict';
import type { TrainedRun } from '../optimise/train';
import type { Recipe } from '../recipes/recipe';

export interface EvaluationOptions {
  readonly frontEnds: FrontEnds;
  readonly classes: readonly string[];
  readonly dtype: WeightsDtype;
  /** Sounds that are none of the classes, by kind; none where nothing is to know them. */
  readonly madeSounds: Readonly<Record<string, readonly Example[]>>;
  readonly engine: LoadedEngine;
  readonly choose: Recipe['choose'];
}

/** The members of a version that were trained on one split. */
export interface FoldNetworks {
  readonly split: FoldSplit;
  /** One for each front end, in their order. */
  readonly networks: readonly TrainedRun[];
  /**
   * The same with other seeds, one network after the other: not published, they only show what averaging
   * does.
   */
  readonly peers: readonly TrainedRun[];
}

/**
 * In the order in which a version holds them: fold after fold, each fold's in the order of the front
 * ends.
 */
export function membersOf(folds: readonly FoldNetworks[]): readonly [TrainedRun, ...TrainedRun[]] {
  return folds.flatMap(({ networks }) => networks) as [TrainedRun, ...TrainedRun[]];
}

/** What is published, and what it is worth. */
export interface VersionEvaluation {
  /** The weights as they will be served. */
  readonly encoded: EncodedWeights;
  /**
   * Largest |logit difference| between them and the trained float32 weights, over the validation clips.
   */
  readonly maxLogitError: number;
  /** Judges the epoch that was chosen and is served. Absent: the last epochs are served. */
  readonly best?: EpochEvaluation;
  readonly last: EpochEvaluation;
  /** Absent: nothing is rejected. */
  readonly calibration?: CalibrationReport;
  /** Judges what is served, as callers see it. */
  readonly served: ServedReport;
  /** Describes what is served on the validation clips. */
  readonly reference: ValidationProfile;
  readonly golden: Golden;
}

/** What of a report is published. */
export function calibrationOf(report: CalibrationReport | undefined): Calibration | undefined {
  return report && { temperature: report.temperature, unknownBelow: report.unknown.threshold };
}
