/** A record of a CSV: a line, or several where a quoted field contains line breaks. */
export interface CsvRecord {
  /** The fields, without quotes and surrounding spaces. */
  readonly fields: readonly string[];
  /** Number of its first line in the file, from 1. */
  readonly line: number;
}

/** The reason why text cannot be parsed as CSV; the message names the line. */
export class CsvFault extends Error {
  override readonly name = 'CsvFault';
}

/**
 * Maximum length of a record in characters. A longer one means an unclosed quote, or that the file is no
 * CSV.
 */
export const maxRecordLength = 65_536;
const maxFields = 1000;

const [quote, cr, lf] = [0x22, 0x0d, 0x0a];

/**
 * Parses a CSV (RFC 4180) as spreadsheets and programs write it. Lines end with CR LF, LF or CR; spaces
 * around a field are ignored; a quote inside an unquoted field is an ordinary character. Records with
 * only empty fields are dropped. Time and memory are proportional to the text.
 * @param delimiter one character
 * @throws CsvFault for an unclosed quote, text after a closing quote, or a record of more than 65,536
 * characters or 1000 fields
 */
export function* csvRecords(text: string, delimiter: string): Generator<CsvRecord> {
  const reader = new RecordReader(text, delimiter.charCodeAt(0));
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    if (record.fields.some((field) => field !== '')) yield record;
  }
}

class RecordReader {
  readonly #text: string;
  readonly #delimiter: number;
  #at = 0;
  #line = 1;
  /** Offset of the start of the record. */
  #start = 0;

  constructor(text: string, delimiter: number) {
    this.#text = text;
    this.#delimiter = delimiter;
  }

  next(): CsvRecord | undefined {
    if (this.#at >= this.#text.length) return undefined;
    const line = this.#line;
    this.#start = this.#at;
    const fields: string[] = [];
    do {
      if (fields.length === maxFields) throw new CsvFault(`line ${line} has more than ${maxFields} fields`);
      fields.push(this.#field(line));
    } while (this.#skipDelimiter());
    this.#skipLineEnd();
    return { fields, line };
  }

  #field(line: number): string {
    this.#skipBlanks();
    if (this.#text.charCodeAt(this.#at) === quote) return this.#quoted();
    const start = this.#at;
    while (!this.#isFieldEnd()) this.#advance(line);
    return this.#text.slice(start, this.#at).trim();
  }

  #quoted(): string {
    const openedIn = this.#line;
    let field = '';
    let start = ++this.#at;
    for (;;) {
      if (this.#at >= this.#text.length) throw new CsvFault(`the quote in line ${openedIn} is not closed`);
      const code = this.#text.charCodeAt(this.#at);
      if (code === quote) {
        field += this.#text.slice(start, this.#at++);
        // A doubled quote stands for one quote character in the field.
        if (this.#text.charCodeAt(this.#at) !== quote) break;
        start = this.#at;
      } else if (code === cr || code === lf) {
        this.#skipLineEnd();
        this.#refuseLong(openedIn);
        continue;
      }
      this.#advance(openedIn);
    }
    this.#skipBlanks();
    if (!this.#isFieldEnd()) {
      throw new CsvFault(`line ${this.#line} has text behind a closing quote; double a quote within a value`);
    }
    return field.trim();
  }

  #isFieldEnd(): boolean {
    const code = this.#text.charCodeAt(this.#at);
    return code === this.#delimiter || code === lf || code === cr || this.#at >= this.#text.length;
  }

  /** Skips spaces and tabs; a tab that is the delimiter is not skipped. */
  #skipBlanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === this.#delimiter || (code !== 0x20 && code !== 0x09 && code !== 0xa0)) return;
      this.#advance(this.#line);
    }
  }

  #skipDelimiter(): boolean {
    if (this.#text.charCodeAt(this.#at) !== this.#delimiter) return false;
    this.#at++;
    return true;
  }

  #skipLineEnd(): void {
    if (this.#at >= this.#text.length) return;
    const isPair = this.#text.charCodeAt(this.#at) === cr && this.#text.charCodeAt(this.#at + 1) === lf;
    this.#at += isPair ? 2 : 1;
    this.#line++;
  }

  #advance(line: number): void {
    this.#at++;
    this.#refuseLong(line);
  }

  #refuseLong(line: number): void {
    if (this.#at - this.#start <= maxRecordLength) return;
    throw new CsvFault(`line ${line} is longer than ${maxRecordLength} characters; is a quote not closed?`);
  }
}
