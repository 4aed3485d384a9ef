import type { Classification } from '../../../shared/contracts/classification';
import type { Manifest } from '../../../shared/contracts/manifest';
import { architectureOf } from '../../../shared/contracts/members';

/** A model as answers name it. */
export function describeModel(manifest: Manifest): Classification['model'] {
  const { version, weights } = manifest;
  return { id: weights.sha256.slice(0, 12), architecture: architectureOf(manifest), version };
}
