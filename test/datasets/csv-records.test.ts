import { csvRecords } from '../../shared/datasets/csv-records';
import { decodeText } from '../../shared/datasets/text-encoding';

const read = (text: string, delimiter = ','): (readonly string[])[] =>
  [...csvRecords(text, delimiter)].map(({ fields }) => fields);

describe('csvRecords', () => {
  it.each<[string, string, string, (readonly string[])[]]>([
    [
      'lines that end in LF',
      'a,b\nc,d',
      ',',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'in CR LF',
      'a,b\r\nc,d\r\n',
      ',',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'in CR',
      'a,b\rc,d\r',
      ',',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    ['in each of them', 'a\r\nb\rc\nd', ',', [['a'], ['b'], ['c'], ['d']]],
    ['blank and empty lines', '\n \n,,\na,b\n\n', ',', [['a', 'b']]],
    ['blanks around', ' a , "b" \t,c\u00a0\n', ',', [['a', 'b', 'c']]],
    ['tabs', 'a\t b\t\n', '\t', [['a', 'b', '']]],
    ['quoted separators, quotes and lines', '"a,""b""\r\nc",d\ne', ',', [['a,"b"\r\nc', 'd'], ['e']]],
    ['a quote within a value', '5" disk,b', ',', [['5" disk', 'b']]],
    ['an empty quoted value', '"",b', ',', [['', 'b']]],
  ])('reads %s', (_, text, delimiter, expected) => {
    expect(read(text, delimiter)).toEqual(expected);
  });

  it('numbers lines as editors do', () => {
    const text = 'a\r\n\r\n"b\r\nc"\rd\n';
    expect([...csvRecords(text, ',')].map(({ line }) => line)).toEqual([1, 3, 5]);
  });

  it.each([
    ['an unclosed quote', 'a\n"b,c\n', 'the quote in line 2 is not closed'],
    ['text behind a quote', 'a\n"b"c', 'line 2 has text behind a closing quote'],
    ['a record of 10 MB', `a\n${'b'.repeat(1e7)}`, 'line 2 is longer than 65536 characters'],
    ['a quote that swallows the rest', `"${'b\n'.repeat(1e6)}`, 'line 1 is longer than 65536 characters'],
    ['32 million fields', ','.repeat(3.2e7), 'line 1 has more than 1000 fields'],
  ])('refuses %s at once', (_, text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});

describe('decodeText', () => {
  const text = 'größe,„a“ – €\n';
  const utf16be = Buffer.from(text, 'utf16le').swap16();
  it.each<[string, Buffer, string]>([
    ['UTF-8', Buffer.from(text), 'UTF-8'],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${text}`), 'UTF-8'],
    ['UTF-16LE with a mark', Buffer.from(`\ufeff${text}`, 'utf16le'), 'UTF-16LE'],
    ['UTF-16LE without', Buffer.from(`filename,${text}`, 'utf16le'), 'UTF-16LE'],
    ['UTF-16BE with a mark', Buffer.concat([Buffer.of(0xfe, 0xff), utf16be]), 'UTF-16BE'],
    ['Windows-1252', Buffer.from('6772f6df652c846193209620800a', 'hex'), 'Windows-1252'],
  ])('reads %s', (_, bytes, encoding) => {
    expect(decodeText(bytes)).toEqual({ text: expect.stringContaining(text), encoding });
  });

  it('takes the beginning of a text, cut within a character', () => {
    expect(decodeText(Buffer.from('größe').subarray(0, 3), false)).toEqual({ text: 'gr', encoding: 'UTF-8' });
  });
});
