import * as tf from '@tensorflow/tfjs-core';
import { batchNormKernels } from '../network/batch-norm';

/** What is used of the package's backend, which does not export its type. */
interface NativeBackend {
  readonly binding: {
    readonly TF_ATTR_TYPE: number;
    readonly TF_ATTR_FLOAT: number;
    readonly TF_ATTR_BOOL: number;
    readonly TF_FLOAT: number;
  };
  executeSingleOutput(name: string, attributes: unknown[], inputs: tf.Tensor[]): tf.Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: unknown[],
    inputs: tf.Tensor[],
    outputs: number,
  ): tf.Tensor[];
}

/**
 * libtensorflow's own operations for batch norm in training, which TensorFlow.js would compose of a
 * dozen passes over memory. Called when the native backend is registered.
 */
export function registerTrainingKernels(): void {
  const backendName = 'tensorflow';
  // Typed as always there; undefined before the first time.
  const known = tf.getKernel(batchNormKernels.forward, backendName) as tf.KernelConfig | undefined;
  if (known !== undefined) return;
  const float = ({ binding }: NativeBackend, name: string, value: number): unknown => ({
    name,
    type: binding.TF_ATTR_FLOAT,
    value,
  });
  const floatType = ({ binding }: NativeBackend, name: string): unknown => ({
    name,
    type: binding.TF_ATTR_TYPE,
    value: binding.TF_FLOAT,
  });
  const normAttributes = (backend: NativeBackend, attrs: tf.NamedAttrMap | undefined): unknown[] => [
    floatType(backend, 'T'),
    floatType(backend, 'U'),
    float(backend, 'epsilon', attrs!['epsilon'] as number),
    { name: 'is_training', type: backend.binding.TF_ATTR_BOOL, value: true },
  ];
  tf.registerKernel({
    kernelName: batchNormKernels.forward,
    backendName,
    kernelFunc: ({ inputs, backend, attrs }) => {
      const native = backend as unknown as NativeBackend;
      const { x, scale, shift, mean, variance } = inputs as tf.NamedTensorMap;
      const share = float(native, 'exponential_avg_factor', attrs!['momentum'] as number);
      const attributes = [...normAttributes(native, attrs), share];
      const operands = [x!, scale!, shift!, mean!, variance!];
      return native.executeMultipleOutputs('FusedBatchNormV3', attributes, operands, 6);
    },
  });
  tf.registerKernel({
    kernelName: batchNormKernels.gradient,
    backendName,
    kernelFunc: ({ inputs, backend, attrs }) => {
      const native = backend as unknown as NativeBackend;
      const { dy, x, scale, saved1, saved2, saved3 } = inputs as tf.NamedTensorMap;
      const operands = [dy!, x!, scale!, saved1!, saved2!, saved3!];
      const attributes = normAttributes(native, attrs);
      return native.executeMultipleOutputs('FusedBatchNormGradV3', attributes, operands, 5).slice(0, 3);
    },
  });
  tf.registerKernel({
    kernelName: batchNormKernels.reluGradient,
    backendName,
    kernelFunc: ({ inputs, backend }) => {
      const native = backend as unknown as NativeBackend;
      const { dy, y } = inputs as tf.NamedTensorMap;
      return [native.executeSingleOutput('ReluGrad', [floatType(native, 'T')], [dy!, y!])];
    },
  });
}
