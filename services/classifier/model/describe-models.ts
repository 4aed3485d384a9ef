import audioSetLabels from '../../../shared/encoder/audioset-labels.json';
import { architectureOf, encoderOf, isMultiLabel } from '../../../shared/contracts/members';
import type { Labels, ModelDetails, ModelList, ModelSummary } from '../../../shared/contracts/service-status';
import type { ServingState } from '../../../shared/contracts/lifecycle';
import { servedEvaluation } from '../../../shared/contracts/report';
import { AppError } from '../../../shared/errors/app-error';
import { isShortage } from '../../../shared/errors/machine-fault';
import type { Registry, RegistryListing, Version } from '../../../shared/registry/registry';
import { readReport } from '../../../shared/registry/report-file';
import { readServingState } from '../../../shared/registry/serving-state';
import type { Engines } from './engine/engines';
import type { ModelAdmin } from './model-admin';
import type { ModelHost } from './model-host';
import type { Shadow } from './shadow';

/** The registry is read at most this often, because that hashes every weights file. */
const freshMs = 5000;

export interface DescribeDeps {
  readonly registry: Registry;
  readonly host: ModelHost;
  readonly shadow: Shadow;
  readonly admin: Pick<ModelAdmin, 'problem'>;
  readonly modelsFolder: string;
  readonly scorersOf: Engines['scorersOf'];
  readonly now: () => number;
}

export interface DescribeModels {
  /** Returns every version, broken ones with the reason, and which one serves. */
  list(): Promise<ModelList>;
  /** @throws AppError not-found */
  details(version: string): Promise<ModelDetails>;
  /** Returns the labels of the model that serves. @throws AppError starting */
  labels(): Labels;
}

export function createDescribeModels({
  registry,
  host,
  shadow,
  admin,
  modelsFolder,
  scorersOf,
  now,
}: DescribeDeps): DescribeModels {
  let latest: { readonly readMs: number; readonly listing: Promise<RegistryListing> } | undefined;
  const listing = (): Promise<RegistryListing> => {
    if (latest === undefined || now() - latest.readMs > freshMs) {
      const reading = { readMs: now(), listing: registry.list() };
      latest = reading;
      // After a failure the next request reads the registry again.
      reading.listing.catch(() => {
        if (latest === reading) latest = undefined;
      });
    }
    return latest.listing;
  };
  const served = (): string | undefined => host.current?.manifest.version;
  return {
    async list() {
      const [{ versions, broken }, { state, problems }] = await Promise.all([
        listing(),
        readServingState(modelsFolder),
      ]);
      const inference = host.current?.inference;
      const { problem } = host;
      const unreadable = problems.filter((reason) => problem?.reason.includes(reason) !== true);
      return {
        served:
          inference === undefined
            ? null
            : {
                version: inference.manifest.version,
                engine: inference.engine,
                scorers: [...scorersOf(inference.manifest.weights.sha256)],
              },
        current: state?.current ?? null,
        previous: state?.previous[0] ?? null,
        pinned: state?.pinned ?? null,
        shadow: shadow.figures ?? null,
        problems: [
          ...unreadable.map((reason) => ({ reason })),
          ...[problem, admin.problem].flatMap((found) => (found === undefined ? [] : [{ ...found }])),
        ],
        models: [
          ...versions.map((version) => summarise(version, served(), state)),
          ...broken.map(({ name, problem: reason }) => corrupt(name, reason)),
        ],
      };
    },
    labels() {
      if (host.current === undefined) throw new AppError('starting', 'The model is being loaded.');
      const { manifest } = host.current;
      const { version, classes, frontEnds } = manifest;
      const tags = encoderOf(frontEnds) === undefined ? [] : audioSetLabels;
      return { version, multiLabel: isMultiLabel(manifest), classes, tags };
    },
    async details(name) {
      const { state } = await readServingState(modelsFolder);
      const figures = shadow.figures;
      const place = {
        pinned: state?.pinned === name,
        shadow: figures?.version === name ? figures : null,
      };
      const version = await registry.read(name).catch((error: unknown) => {
        if (isShortage(error)) throw error;
        return AppError.from(error);
      });
      if (version instanceof AppError) {
        if (version.code === 'not-found') throw version;
        return { ...corrupt(name, version.message), ...place, validation: null, gate: null };
      }
      const report = await readReport(version.folder);
      const validation = report && servedEvaluation(report).validation;
      return {
        ...summarise(version, served(), state),
        ...place,
        validation: validation
          ? {
              clips: validation.clips,
              correct: validation.correct,
              accuracyInterval: validation.accuracyInterval,
              recall: Object.fromEntries(validation.perClass.map((row) => [row.class, row.recall])),
            }
          : null,
        gate: report?.gate ?? null,
      };
    },
  };
}

function corrupt(version: string, reason: string): ModelSummary {
  return { version, status: 'corrupt', reason };
}

function summarise(
  { manifest }: Version,
  served: string | undefined,
  state: ServingState | undefined,
): ModelSummary {
  const { version } = manifest;
  const other = version === state?.previous[0] ? 'previous' : 'candidate';
  return {
    version,
    status: version === served ? 'served' : other,
    architecture: architectureOf(manifest),
    createdAt: manifest.createdAt,
    parameters: manifest.parameters,
    classes: manifest.classes,
    validationAccuracy: manifest.metrics.validationAccuracy,
    testAccuracy: manifest.metrics.testAccuracy,
  };
}
