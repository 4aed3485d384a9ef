import { stringify } from 'yaml';
import { documentedYaml, renderComposition } from './kubernetes';

/** The patches of docs/deployment.md that bring models without a shared volume, by their titles. */
export const modelSources = ['Image volume', 'Models from an image', 'Models from an address'] as const;

/** The base with one of them, as YAML text. */
export function patchedWith(title: (typeof modelSources)[number] | 'MIG', components: string[] = []): string {
  const patches = [{ patch: stringify(documentedYaml(title)) }];
  return renderComposition({ components, image: title === 'MIG' ? 'cuda' : 'cpu', more: { patches } });
}
