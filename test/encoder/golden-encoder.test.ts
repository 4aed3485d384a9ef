import { readFileSync } from 'node:fs';
import path from 'node:path';
import { encoderFrontEnd } from '../../shared/contracts/front-end';
import { kaldiMel } from '../../shared/front-end/kaldi-mel';
import { encoderFeatures } from '../../shared/encoder/mobile-net';
import { createEncoder } from '../../shared/compute/inference/encoder';
import { loadEngine, withEncoder } from '../../shared/compute/provide/load-engine';
import { fileNeeds, libtensorflow } from '../support/needs';
import { describeWithEncoder, pretrainedFolder, publishedEncoderFile } from '../support/pretrained';
import { chooseTestEngine } from '../support/test-engine';

fileNeeds(libtensorflow);

interface Golden {
  readonly frontEnd: { readonly bandMeans: number[]; readonly frameMeans: number[] };
  readonly embedding: number[];
  readonly logits: number[];
}

/** The tone and noise of golden/synthetic.json, as its README defines them. */
function syntheticSound(): Float32Array {
  let state = 1;
  return Float32Array.from({ length: 160_000 }, (_, n) => {
    state = (Math.imul(1_664_525, state) + 1_013_904_223) >>> 0;
    const gain = Math.floor(n / 8000) % 2 === 0 ? 1 : 0.1;
    const tone = 0.4 * Math.sin((2 * Math.PI * 440 * n) / 32_000) * gain;
    return tone + 0.05 * ((2 * state) / 2 ** 32 - 1);
  });
}

describeWithEncoder('the published encoder (needs ../shared/pretrained)', () => {
  const golden = JSON.parse(
    readFileSync(path.join(pretrainedFolder, 'golden', 'synthetic.json'), 'utf8'),
  ) as Golden;
  const sound = syntheticSound();

  it('hears the picture that its authors’ front end makes', () => {
    const picture = kaldiMel(sound);
    const [bands, frames] = [golden.frontEnd.bandMeans.length, golden.frontEnd.frameMeans.length];
    expect(picture).toHaveLength(bands * frames);
    const bandMeans = new Float64Array(bands);
    const frameMeans = new Float64Array(frames);
    picture.forEach((value, at) => {
      bandMeans[at % bands]! += value / frames;
      frameMeans[Math.floor(at / bands)]! += value / bands;
    });
    expectClose(bandMeans, golden.frontEnd.bandMeans, 1e-5);
    expectClose(frameMeans, golden.frontEnd.frameMeans, 1e-5);
  });

  it.each(['native', 'cpu', 'wasm'])('gives the published features and tags on %s', async (name) => {
    const { kernels, ...choice } = await chooseTestEngine(name === 'wasm' ? 'wasm' : 'cpu');
    const engine = await loadEngine({ ...choice, encoderFile: publishedEncoderFile });
    const computes = name === 'native' ? { ...engine, kernels: kernels! } : engine;
    const encoder = createEncoder(await withEncoder(computes, [encoderFrontEnd], 'models'));
    // A shorter one beside it: windows of different lengths go through the network apart.
    const outputs = encoder.encode([sound.subarray(0, 20_000), sound]);
    encoder.dispose();
    const row = outputs.subarray(outputs.length / 2);
    expectClose(row.subarray(0, encoderFeatures), golden.embedding, 1e-4);
    expectClose(row.subarray(encoderFeatures), golden.logits, 1e-3);
  });
});

function expectClose(values: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  expect(values).toHaveLength(expected.length);
  const differences = expected.map((value, i) => Math.abs(value - values[i]!));
  expect(Math.max(...differences)).toBeLessThan(tolerance);
}
