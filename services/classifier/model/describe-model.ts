import type { Classification } from '../../../shared/contracts/classification';
import type { Manifest } from '../../../shared/contracts/manifest';

/** A model as answers name it. */
export function describeModel({ version, network, weights }: Manifest): Classification['model'] {
  return { id: weights.sha256.slice(0, 12), architecture: network.architecture, version };
}
