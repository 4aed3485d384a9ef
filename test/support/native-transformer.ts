import type { KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { createNetwork } from '../../shared/compute/network/create-network';
import { initialWeights } from '../../shared/compute/network/initial-weights';
import type { ReferenceHead } from './reference-gradients';
import { referenceEncoder } from './reference-encoder';

type AddonTransformer = ReturnType<KernelsAddon['createTransformer']>;

export interface TransformerSize {
  readonly samples: number;
  readonly classes: number;
  readonly heads: 1 | 2 | 4;
  readonly hidden: number;
}

/** A fresh network's, in the addon's order; they do not depend on the clips' length. */
export function transformerWeights(
  { heads, hidden }: Pick<TransformerSize, 'heads' | 'hidden'>,
  classes: number,
  seed: number,
): Record<string, Float32Array> {
  return initialWeights(
    createNetwork({ architecture: 'transformer', dropout: 0, heads, hidden }, classes),
    seed,
  );
}

export function addonTransformer(
  addon: KernelsAddon,
  { instructionSet, ...size }: TransformerSize & { instructionSet: string },
  weights: Readonly<Record<string, Float32Array>>,
  options: { threads?: number; dropout?: number } = {},
): AddonTransformer {
  const transformer = addon.createTransformer({
    instructionSet,
    threads: 2,
    dropout: 0,
    ...size,
    ...options,
  });
  transformer.setWeights(Object.values(weights));
  return transformer;
}

/** For `referencePass`: the encoder in double precision. */
export function transformerHead(heads: number, rate: number): ReferenceHead {
  return (weights, gradients, tokens, { slot, seeds }) =>
    referenceEncoder(weights, gradients, tokens, { heads, rate, slot, seeds });
}
