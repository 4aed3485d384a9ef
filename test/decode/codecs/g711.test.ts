import { aLawTable, muLawTable } from '../../../shared/decode/codecs/g711';
import { aLawValue, muLawValue } from '../../support/wav-file';

const codes = Array.from({ length: 256 }, (_, code) => code);

describe('G.711', () => {
  it('decodes every A-law code to the value of ITU-T table 1', () => {
    expect([...aLawTable]).toEqual(codes.map(aLawValue));
  });

  it('decodes every µ-law code to the value of ITU-T table 2', () => {
    // Codes for +0 and −0 are both zero; the sign of that zero means nothing.
    expect([...muLawTable].map((value) => value + 0)).toEqual(codes.map((code) => muLawValue(code) + 0));
  });

  it('has the recommendation’s extremes', () => {
    expect([aLawTable[0xaa], aLawTable[0x2a], aLawTable[0xd5]]).toEqual([
      4032 / 4096,
      -4032 / 4096,
      1 / 4096,
    ]);
    expect([muLawTable[0x80], muLawTable[0x00], muLawTable[0xff]]).toEqual([8031 / 8192, -8031 / 8192, 0]);
  });
});
