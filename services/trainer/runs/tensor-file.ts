import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AppError } from '../../../shared/errors/app-error';
import type { WeightValues } from '../../../shared/registry/weights-file';
import { writeFileAtomically } from '../../../shared/runtime/write-atomically';
import { flagOf } from '../options/command-line';

/**
 * Named groups of named float32 arrays, and a JSON value about them: one file, checked by its sha256.
 */
export interface TensorFile {
  readonly about: unknown;
  readonly groups: Readonly<Record<string, WeightValues>>;
}

interface Header {
  readonly about: unknown;
  readonly entries: readonly (readonly [group: string, name: string, length: number])[];
}

const digestBytes = 32;

/**
 * Layout: header length (uint32, little-endian), header (JSON), the arrays one after another, sha256 of
 * all before.
 */
export async function writeTensorFile(file: string, { about, groups }: TensorFile): Promise<void> {
  const entries: [string, string, number][] = [];
  const arrays: Buffer[] = [];
  for (const [group, values] of Object.entries(groups)) {
    for (const [name, data] of Object.entries(values)) {
      entries.push([group, name, data.length]);
      arrays.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    }
  }
  const header = Buffer.from(JSON.stringify({ about, entries } satisfies Header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const content = Buffer.concat([length, header, ...arrays]);
  const digest = createHash('sha256').update(content).digest();
  await writeFileAtomically(file, Buffer.concat([content, digest]));
}

/**
 * @throws AppError invalid-checkpoint when the file is damaged; the file system's error when it cannot
 * be read
 */
export async function readTensorFile(file: string): Promise<TensorFile> {
  const bytes = await readFile(file);
  const content = bytes.subarray(0, Math.max(0, bytes.length - digestBytes));
  const digest = createHash('sha256').update(content).digest();
  if (content.length < 4 || !digest.equals(bytes.subarray(content.length))) {
    throw new AppError(
      'invalid-checkpoint',
      `${file} is damaged: delete it and start the run anew with ${flagOf('fresh')}.`,
    );
  }
  const headerEnd = 4 + content.readUInt32LE(0);
  const header = JSON.parse(content.toString('utf8', 4, headerEnd)) as Header;
  const groups: Record<string, Record<string, Float32Array>> = {};
  let offset = headerEnd;
  for (const [group, name, length] of header.entries) {
    const data = new Float32Array(length);
    Buffer.from(data.buffer).set(content.subarray(offset, offset + data.byteLength));
    (groups[group] ??= {})[name] = data;
    offset += data.byteLength;
  }
  return { about: header.about, groups };
}
