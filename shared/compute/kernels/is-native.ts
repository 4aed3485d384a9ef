import type { NetworkConfig } from '../../contracts/architecture';
import type { KernelsChoice } from './kernels-addon';

/**
 * Whether the kernels compute this network. Apart from them, for threads that choose an engine and do
 * not compute.
 */
export function isNative(config: NetworkConfig): boolean {
  switch (config.architecture) {
    case 'cnn':
      return config.batchNorm === 'counted';
    case 'transformer':
      return true;
    // The encoder is; a head on it is plain arithmetic (shared/compute/network/head.ts).
    case 'encoder':
    case 'small':
      return true;
    default:
      return false;
  }
}

/** Whether this network is computed on the kernels; else TensorFlow.js computes it. */
export function isOnKernels(kernels: KernelsChoice | undefined, config: NetworkConfig): boolean {
  return kernels?.computes === 'networks' && isNative(config);
}
