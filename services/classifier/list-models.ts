import type { ModelList } from '../../shared/contracts/service-status';
import type { Inference } from '../../shared/engine/inference';
import type { Registry, Version } from '../../shared/registry/registry';

/** Reading the registry means hashing every weights file: not more often than this. */
const freshMs = 5000;

/** What `GET /models` answers: every version, the broken ones with the reason, and which one serves. */
export function createListModels(
  registry: Registry,
  serving: () => Inference | undefined,
  now: () => number,
): () => Promise<ModelList> {
  let latest: { readonly readMs: number; readonly listing: ReturnType<Registry['list']> } | undefined;
  const list = (): ReturnType<Registry['list']> => {
    if (latest === undefined || now() - latest.readMs > freshMs) {
      latest = { readMs: now(), listing: registry.list() };
    }
    return latest.listing;
  };
  return async () => {
    const { versions, broken } = await list();
    const inference = serving();
    const served = inference?.manifest.version;
    return {
      served:
        inference === undefined ? null : { version: inference.manifest.version, engine: inference.engine },
      models: [
        ...versions.map((version) => describe(version, served)),
        ...broken.map(({ name, problem }) => ({
          version: name,
          status: 'corrupt' as const,
          reason: problem,
        })),
      ],
    };
  };
}

function describe({ manifest }: Version, served: string | undefined): ModelList['models'][number] {
  return {
    version: manifest.version,
    status: manifest.version === served ? 'served' : 'available',
    architecture: manifest.network.architecture,
    createdAt: manifest.createdAt,
    parameters: manifest.parameters,
    classes: manifest.classes,
    validationAccuracy: manifest.metrics.validationAccuracy,
    testAccuracy: manifest.metrics.testAccuracy,
  };
}
