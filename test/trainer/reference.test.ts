import { referenceOf } from '../../services/trainer/evaluate/validation-profile';
import { reportFrontEnd } from '../../shared/contracts/front-end';
import { windowFormat } from '../../shared/contracts/members';
import { swell } from '../support/signals';

describe('what a version keeps of its validation clips', () => {
  it('has their levels without a microphone’s offset, as a service measures them', () => {
    const sound = swell(5, reportFrontEnd.sampleRate).map((sample) => 0.01 * sample);
    const levelsOf = (offset: number): readonly number[] => {
      const samples = sound.map((sample) => sample + offset);
      const answers = { logits: [[Float32Array.of(1, 0)]], evidence: [undefined] };
      const clips = [{ filename: 'a.wav', fold: 1, source: 'a', label: 0, samples }];
      return referenceOf(clips, answers, undefined, windowFormat({ frontEnds: [reportFrontEnd] })).levels;
    };
    expect(levelsOf(0.1)).toEqual(levelsOf(0));
  });
});
