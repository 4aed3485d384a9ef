/**
 * EfficientAT's `mn04_as` (Schmid et al., arXiv 2211.04772): a MobileNetV3 of width 0.4 that tags a
 * sound with AudioSet's 527 classes. The figures were read off the published model.
 */

export type Activation = 'relu' | 'hard-swish';

/**
 * An inverted residual: expand, depthwise, squeeze and excite, project; batch norm behind each
 * convolution.
 */
export interface MobileBlock {
  /** `features.4`, as in the checkpoint. */
  readonly name: string;
  readonly inChannels: number;
  /** Channels of the depthwise convolution; equal to `inChannels` where the block does not expand. */
  readonly expanded: number;
  readonly kernel: 3 | 5;
  readonly stride: 1 | 2;
  /** Channels between the two layers of squeeze-and-excitation; 0: the block has none. */
  readonly squeezed: number;
  readonly outChannels: number;
  readonly activation: Activation;
  /** Whether the block's input is added to its output. */
  readonly residual: boolean;
}

/** Bands of the front end's picture, the height of the network's input. */
export const encoderBands = 128;
/** Channels of the stem, a 3 × 3 convolution of stride 2 with hard swish. */
export const stemChannels = 8;
/** The mean of each channel of the last convolution (1 × 1, hard swish): what describes a sound. */
export const encoderFeatures = 384;
/** Units of the hidden layer between the features and the tags, with hard swish. */
export const tagHidden = 512;
/** AudioSet's classes. */
export const encoderTags = 527;
/** One input of a head: the features, then the logits of the tags. */
export const encoderOutputs = encoderFeatures + encoderTags;
/** The epsilon of every batch norm. */
export const encoderNormEpsilon = 0.001;

/** expanded, kernel, stride, squeezed, out, activation */
type Row = readonly [number, 3 | 5, 1 | 2, number, number, Activation];

const rows: readonly Row[] = [
  [8, 3, 1, 0, 8, 'relu'],
  [24, 3, 2, 0, 16, 'relu'],
  [32, 3, 1, 0, 16, 'relu'],
  [32, 5, 2, 8, 16, 'relu'],
  [48, 5, 1, 16, 16, 'relu'],
  [48, 5, 1, 16, 16, 'relu'],
  [96, 3, 2, 0, 32, 'hard-swish'],
  [80, 3, 1, 0, 32, 'hard-swish'],
  [72, 3, 1, 0, 32, 'hard-swish'],
  [72, 3, 1, 0, 32, 'hard-swish'],
  [192, 3, 1, 48, 48, 'hard-swish'],
  [272, 3, 1, 72, 48, 'hard-swish'],
  [272, 5, 2, 72, 64, 'hard-swish'],
  [384, 5, 1, 96, 64, 'hard-swish'],
  [384, 5, 1, 96, 64, 'hard-swish'],
];

export const mobileBlocks: readonly MobileBlock[] = rows.map((row, index) => {
  const [expanded, kernel, stride, squeezed, outChannels, activation] = row;
  const inChannels = index === 0 ? stemChannels : rows[index - 1]![4];
  return {
    name: `features.${index + 1}`,
    inChannels,
    expanded,
    kernel,
    stride,
    squeezed,
    outChannels,
    activation,
    residual: stride === 1 && inChannels === outChannels,
  };
});
