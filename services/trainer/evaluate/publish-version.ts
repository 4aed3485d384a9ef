import { createHash } from 'node:crypto';
import { manifestFormat, type Manifest } from '../../../shared/contracts/manifest';
import { architectureOf, isMultiLabel, type FrontEnds } from '../../../shared/contracts/members';
import type {
  CrossValidation,
  EpochMetrics,
  LearningCurve,
  Report,
  ServedReport,
} from '../../../shared/contracts/report';
import type { MemberForm } from '../../../shared/compute/network/members';
import { parameterCount } from '../../../shared/compute/network/network';
import { goldenFileName } from '../../../shared/registry/golden-file';
import type { Registry, Version } from '../../../shared/registry/registry';
import { reportFileName } from '../../../shared/registry/report-file';
import { weightsFileNames, type WeightsDtype } from '../../../shared/registry/weights-file';
import { calibrationOf, membersOf, type FoldNetworks, type VersionEvaluation } from './evaluation';
import { meanHistory } from './mean-history';
import { parameterTable } from '../report/parameter-table';
import { renderReportHtml } from '../report/render-report-html';
import type { RunSettings } from '../runs/run-settings';

/** The members of a version, and what they are worth together. */
export interface PublishedNetworks {
  readonly members: readonly [MemberForm, ...MemberForm[]];
  readonly settings: RunSettings;
  readonly engine: string;
  readonly history: readonly EpochMetrics[];
  readonly evaluation: VersionEvaluation;
  readonly crossValidation?: CrossValidation;
  readonly learningCurve?: LearningCurve;
  /** A multi-label version has a probability for each class from which on the class is heard. */
  readonly thresholds?: readonly number[];
}

/** The networks of one or several folds, to be published as one version. */
export function networksOf(folds: readonly FoldNetworks[], evaluation: VersionEvaluation): PublishedNetworks {
  const runs = membersOf(folds);
  const [{ progress }] = runs;
  const { settings, engine } = progress;
  const history = meanHistory(runs.map((run) => run.progress.history));
  return { members: runs, settings, engine, history, evaluation };
}

export interface VersionFacts {
  readonly createdAt: Date;
  readonly classes: readonly string[];
  readonly frontEnds: FrontEnds;
  readonly initialisation: Manifest['initialisation'];
  readonly data: Manifest['data'];
  readonly code: Manifest['code'];
  readonly dtype: WeightsDtype;
}

/** The batch that the report's parameter tables are for. */
const tableBatchSize = 32;

/**
 * Puts trained networks into the registry, with their manifest and reports. Done again (the same run, or
 * a process that was killed just after), it gives the version that is there.
 * @throws AppError invalid-checkpoint when another version has the name
 */
export async function publishVersion(
  registry: Registry,
  published: PublishedNetworks,
  facts: VersionFacts,
): Promise<Version> {
  const { manifest, report } = describeVersion(published, facts);
  const content = {
    [weightsFileNames.manifest]: JSON.stringify(published.evaluation.encoded.manifest, null, 2),
    [weightsFileNames.bytes]: published.evaluation.encoded.bytes,
    [goldenFileName]: JSON.stringify(published.evaluation.golden),
    [reportFileName]: `${JSON.stringify(report, null, 2)}\n`,
    'report.html': renderReportHtml(report),
  };
  return registry.publish(manifest, content).catch(async (error: unknown) => {
    const existing = await registry.read(manifest.version).catch(() => undefined);
    if (existing?.manifest.weights.sha256 === manifest.weights.sha256) return existing;
    throw error;
  });
}

/** The manifest and report of trained networks, published or not. */
export function describeVersion(
  published: PublishedNetworks,
  facts: VersionFacts,
): { readonly manifest: Manifest; readonly report: Report } {
  const manifest = createManifest(published, facts);
  return { manifest, report: createReport(published, manifest) };
}

function createManifest(published: PublishedNetworks, facts: VersionFacts): Manifest {
  const { settings, engine, thresholds } = published;
  const members = describeMembers(published.members, facts.frontEnds);
  const { encoded, best, last, maxLogitError } = published.evaluation;
  const served = best ?? last;
  const day = facts.createdAt.toISOString().slice(0, 10).replaceAll('-', '');
  return {
    formatVersion: manifestFormat,
    version: `${nameOf(members)}-${day}-${contentSha256(encoded.sha256, thresholds).slice(0, 8)}`,
    createdAt: facts.createdAt.toISOString(),
    ...(settings.recipe === undefined ? {} : { recipe: settings.recipe }),
    hyperparameters: settings.hyperparameters,
    protocol: settings.protocol,
    seed: settings.seed,
    frontEnds: [...facts.frontEnds],
    members,
    parameters: published.members.reduce((sum, { network }) => sum + parameterCount(network), 0),
    classes: [...facts.classes],
    initialisation: facts.initialisation,
    inputScaling: 'unit',
    data: facts.data,
    epoch: served.epoch,
    epochRule: best === undefined ? 'last' : 'best-validation',
    metrics: {
      validationAccuracy: served.validation.accuracy,
      validationLoss: served.validation.loss,
      ...(served.test === undefined
        ? {}
        : { testAccuracy: served.test.accuracy, testMacroF1: served.test.macro.f1 }),
      ...answeredShares(published.evaluation.served),
    },
    ...calibrationFacts(published),
    code: facts.code,
    engine,
    weights: {
      format: 'tfjs',
      dtype: facts.dtype,
      bytes: encoded.bytes.length,
      sha256: encoded.sha256,
      maxLogitError,
    },
  };
}

function describeMembers(members: PublishedNetworks['members'], frontEnds: FrontEnds): Manifest['members'] {
  const [first, ...others] = members;
  const describe = ({ frontEnd, network }: MemberForm): Manifest['members'][number] => ({
    frontEnd: frontEnds.indexOf(frontEnd),
    network: network.config,
  });
  return [describe(first), ...others.map(describe)];
}

function nameOf(members: Manifest['members']): string {
  return isMultiLabel({ members }) ? 'audioset' : architectureOf({ members }).replaceAll('+', '-');
}

/**
 * What tells a version from others of its day: its weights, and thresholds where they are all that it
 * has.
 */
function contentSha256(weights: string, thresholds: readonly number[] | undefined): string {
  if (thresholds === undefined) return weights;
  return createHash('sha256').update(JSON.stringify(thresholds)).digest('hex');
}

function calibrationFacts({ evaluation, thresholds }: PublishedNetworks): Pick<Manifest, 'calibration'> {
  if (thresholds !== undefined) {
    return { calibration: { temperature: 1, unknownBelow: 0, thresholds: [...thresholds] } };
  }
  const calibration = calibrationOf(evaluation.calibration);
  return calibration === undefined ? {} : { calibration };
}

/** The shares of clips that are answered with the right class, for the manifest. */
export function answeredShares({
  validation,
  test,
}: ServedReport): Pick<Manifest['metrics'], 'validationAnswered' | 'testAnswered'> {
  return {
    validationAnswered: validation.answered / validation.clips,
    ...(test === undefined ? {} : { testAnswered: test.answered / test.clips }),
  };
}

function createReport(published: PublishedNetworks, manifest: Manifest): Report {
  const { frontEnds, members, recipe, classes, hyperparameters, initialisation, inputScaling } = manifest;
  const { protocol, seed, data, code, engine } = manifest;
  const { evaluation, crossValidation, learningCurve } = published;
  const { best, last, calibration, served, reference } = evaluation;
  return {
    formatVersion: manifestFormat,
    version: manifest.version,
    createdAt: manifest.createdAt,
    configuration: {
      frontEnds,
      members,
      ...(recipe === undefined ? {} : { recipe }),
      classes,
      hyperparameters,
      initialisation,
      inputScaling,
      protocol,
      seed,
      data,
      code,
      engine,
    },
    history: [...published.history],
    evaluations: { ...(best === undefined ? {} : { best }), last },
    ...(calibration === undefined ? {} : { calibration }),
    parameterTable: parameterTable(published.members[0].network, tableBatchSize),
    ...(crossValidation === undefined ? {} : { crossValidation }),
    ...(learningCurve === undefined ? {} : { learningCurve }),
    served,
    reference,
  };
}
