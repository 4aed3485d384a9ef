import { manifestSchema, type Manifest } from '../../shared/contracts/manifest';
import type { Report } from '../../shared/contracts/report';
import { describeEngine, type LoadedEngine } from '../../shared/compute/provide/load-engine';
import { createScorer } from '../../shared/compute/inference/scorer';
import {
  joinWeights,
  memberForms,
  splitWeights,
  storedParameters,
} from '../../shared/compute/network/members';
import { parameterCount, type Network } from '../../shared/compute/network/network';
import { initialWeights } from '../../shared/compute/network/initial-weights';
import { goldenFileName } from '../../shared/registry/golden-file';
import { openRegistry, type Version } from '../../shared/registry/registry';
import { reportFileName } from '../../shared/registry/report-file';
import {
  decodeWeights,
  encodeWeights,
  weightsFileNames,
  type EncodedWeights,
} from '../../shared/registry/weights-file';
import { goldenOf } from '../../services/trainer/evaluate/golden';
import { manifest as fakeManifest } from './fake-inference';

/** Weights by networks and seed: millions of them are rounded once a process. */
const encoded = new Map<string, EncodedWeights>();

function randomWeights(networks: readonly Network[], seed: number): EncodedWeights {
  const key = JSON.stringify([networks.map(({ config, classes }) => [config, classes]), seed]);
  const known = encoded.get(key);
  if (known !== undefined) return known;
  const initial = networks.map((network, index) => initialWeights(network, seed + index));
  const stored = { parameters: storedParameters(networks) };
  const weights = encodeWeights(stored, joinWeights(initial), 'float16');
  encoded.set(key, weights);
  return weights;
}

export interface RandomModelOptions {
  /** Of the weights: another seed, other answers. */
  readonly seed?: number;
  readonly changes?: Partial<Manifest>;
  readonly report?: Report;
  /** Computes its golden probabilities as a trainer does. */
  readonly engine?: LoadedEngine;
}

/**
 * Publishes an untrained network of the real shape: it knows nothing, and answers each sound with
 * numbers of its own.
 */
export async function publishRandomModel(
  folder: string,
  version: string,
  { seed = 7, changes = {}, report, engine }: RandomModelOptions = {},
): Promise<Version> {
  const manifest = { ...fakeManifest, ...changes };
  const forms = memberForms(manifest, manifest.classes.length);
  const networks = forms.map(({ network }) => network);
  const stored = { parameters: storedParameters(networks) };
  const weights = randomWeights(networks, seed);
  const golden = (loaded: LoadedEngine): Record<string, string> => {
    const values = splitWeights(networks, decodeWeights(stored, weights.manifest, weights.bytes));
    const scorers = networks.map((network, index) => createScorer(network, values[index]!, loaded));
    const { temperature } = manifest.calibration ?? {};
    const answers = goldenOf(
      forms.map(({ frontEnd }, index) => ({ frontEnd, scorer: scorers[index]! })),
      { ...manifest, engine: loaded },
      temperature,
      describeEngine(loaded, ...networks.map(({ config }) => config)),
    );
    for (const scorer of scorers) scorer.dispose();
    return { [goldenFileName]: JSON.stringify(answers) };
  };
  return openRegistry(folder).publish(
    manifestSchema.parse({
      ...manifest,
      version,
      parameters: networks.reduce((sum, network) => sum + parameterCount(network), 0),
      weights: {
        ...manifest.weights,
        dtype: 'float16',
        bytes: weights.bytes.byteLength,
        sha256: weights.sha256,
      },
    }),
    {
      [weightsFileNames.manifest]: JSON.stringify(weights.manifest),
      [weightsFileNames.bytes]: weights.bytes,
      ...(report === undefined ? {} : { [reportFileName]: JSON.stringify({ ...report, version }) }),
      ...(engine === undefined ? {} : golden(engine)),
    },
  );
}
