import type { FrontEnd } from '../../shared/contracts/front-end';
import type { Manifest } from '../../shared/contracts/manifest';
import type { Report } from '../../shared/contracts/report';
import { parameterCount } from '../../shared/network/network';
import type { Registry, Version } from '../../shared/registry/registry';
import { weightsFileNames, type WeightsDtype } from '../../shared/registry/weights-file';
import type { RunEvaluation } from './evaluate-run';
import { parameterTable } from './parameter-table';
import { renderReportHtml } from './report/render-report-html';
import type { TrainedRun } from './train';

export interface VersionFacts {
  readonly createdAt: Date;
  readonly classes: readonly string[];
  readonly frontEnd: FrontEnd;
  readonly data: Manifest['data'];
  readonly code: Manifest['code'];
  readonly dtype: WeightsDtype;
}

/** The batch that the report's parameter tables are for. */
const tableBatchSize = 32;

/** Puts a finished run's best epoch into the registry, with its manifest and reports. */
export async function publishVersion(
  registry: Registry,
  run: TrainedRun,
  evaluation: RunEvaluation,
  facts: VersionFacts,
): Promise<Version> {
  const manifest = createManifest(run, evaluation, facts);
  const report = createReport(run, evaluation, manifest);
  return registry.publish(manifest, {
    [weightsFileNames.manifest]: JSON.stringify(evaluation.encoded.manifest, null, 2),
    [weightsFileNames.bytes]: evaluation.encoded.bytes,
    'report.json': `${JSON.stringify(report, null, 2)}\n`,
    'report.html': renderReportHtml(report),
  });
}

function createManifest(run: TrainedRun, evaluation: RunEvaluation, facts: VersionFacts): Manifest {
  const { settings, engine } = run.progress;
  const { encoded, best } = evaluation;
  const day = facts.createdAt.toISOString().slice(0, 10).replaceAll('-', '');
  return {
    formatVersion: 1,
    version: `${settings.network.architecture}-${day}-${encoded.sha256.slice(0, 8)}`,
    createdAt: facts.createdAt.toISOString(),
    ...settings,
    parameters: parameterCount(run.network),
    classes: [...facts.classes],
    frontEnd: facts.frontEnd,
    initialisation: 'pytorch-uniform',
    inputScaling: 'unit',
    data: facts.data,
    epoch: best.epoch,
    epochRule: 'best-validation',
    metrics: {
      validationAccuracy: best.validation.accuracy,
      validationLoss: best.validation.loss,
      ...(best.test === undefined
        ? {}
        : { testAccuracy: best.test.accuracy, testMacroF1: best.test.macro.f1 }),
    },
    code: facts.code,
    engine,
    weights: {
      format: 'tfjs',
      dtype: facts.dtype,
      bytes: encoded.bytes.length,
      sha256: encoded.sha256,
      maxLogitError: evaluation.maxLogitError,
    },
  };
}

function createReport(run: TrainedRun, evaluation: RunEvaluation, manifest: Manifest): Report {
  const { network, classes, frontEnd, hyperparameters, initialisation, inputScaling } = manifest;
  const { protocol, seed, data, code, engine } = manifest;
  return {
    formatVersion: 1,
    version: manifest.version,
    createdAt: manifest.createdAt,
    configuration: {
      network,
      classes,
      frontEnd,
      hyperparameters,
      initialisation,
      inputScaling,
      protocol,
      seed,
      data,
      code,
      engine,
    },
    history: [...run.progress.history],
    evaluations: { best: evaluation.best, last: evaluation.last },
    parameterTable: parameterTable(run.network, tableBatchSize),
  };
}
