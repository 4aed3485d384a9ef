import { joinFrames, joinedSamples } from '../../shared/front-end/frames';
import { reportFrontEnd, type FrontEnd } from '../../shared/contracts/front-end';

const ramp = (samples: number): Float32Array =>
  Float32Array.from({ length: samples }, (_, index) => index + 1);

describe('joinFrames', () => {
  it('lays the report’s nine frames of a second, half a second apart, end to end', () => {
    const joined = joinFrames(ramp(80_000), reportFrontEnd);
    expect(joined).toHaveLength(144_000);
    // Frame f begins with the window's sample 8,000 f and ends with 8,000 f + 15,999 (counted from one
    // in the ramp).
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8].map((frame) => joined[16_000 * frame])).toEqual([
      1, 8_001, 16_001, 24_001, 32_001, 40_001, 48_001, 56_001, 64_001,
    ]);
    expect([15_999, 31_999, 143_999].map((index) => joined[index])).toEqual([16_000, 24_000, 80_000]);
    // Half a second into the second frame is the start of the third.
    expect(joined[24_000]).toBe(16_001);
  });

  it('pads a short window with zeros at its end', () => {
    const joined = joinFrames(ramp(20_000), reportFrontEnd);
    expect(joined.subarray(0, 16_000).at(-1)).toBe(16_000);
    expect(joined[16_000 + 11_999]).toBe(20_000);
    expect(joined[16_000 + 12_000]).toBe(0);
    expect(joined[32_000 + 3_999]).toBe(20_000);
    expect(joined.subarray(36_000).every((sample) => sample === 0)).toBe(true);
  });

  it('cuts a long window', () => {
    expect([...joinFrames(ramp(90_000), reportFrontEnd)]).toEqual([
      ...joinFrames(ramp(80_000), reportFrontEnd),
    ]);
  });

  it('writes every sample of its place in a batch, whatever stood there, and nothing beside it', () => {
    const out = new Float32Array(3 * 144_000).fill(7);
    expect(joinFrames(ramp(10), reportFrontEnd, out, 144_000)).toBe(out);
    expect(out[143_999]).toBe(7);
    expect(out[288_000]).toBe(7);
    expect(out.subarray(144_000, 288_000).includes(7)).toBe(true); // the ramp's own seventh sample
    expect(out.subarray(144_010, 288_000).every((sample) => sample === 0)).toBe(true);
  });

  it('takes other layouts from the front end', () => {
    const frontEnd: FrontEnd = {
      kind: 'frames',
      sampleRate: 10,
      windowSeconds: 0.8,
      frameSeconds: 0.3,
      hopSeconds: 0.2,
    };
    expect(joinedSamples(frontEnd)).toBe(9);
    expect([...joinFrames(ramp(8), frontEnd)]).toEqual([1, 2, 3, 3, 4, 5, 5, 6, 7]);
  });

  it('refuses too little room and frames that do not fit', () => {
    expect(() => joinFrames(ramp(1), reportFrontEnd, new Float32Array(143_999))).toThrow('room for 144000');
    expect(() => joinFrames(ramp(1), { ...reportFrontEnd, frameSeconds: 6 })).toThrow('fit the window');
  });
});
