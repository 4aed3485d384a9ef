import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { NetworkConfig } from '../../contracts/architecture';
import { encoderFrontEnd } from '../../contracts/front-end';
import { download, reasonOf } from '../../download/download';
import { AppError } from '../../errors/app-error';
import { ifAbsent } from '../../errors/machine-fault';
import { fileSha256 } from '../../runtime/file-sha256';
import { writeFileAtomically } from '../../runtime/write-atomically';
import { encoderPathUnreadable } from './encoder-errors';

/** EfficientAT's public release of the encoder; 4,066,513 bytes, MIT licence. */
const encoderUrl = 'https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/mn04_as_mAP_432.pt';
const { name: encoderName, sha256: encoderSha256 } = encoderFrontEnd.encoder;
/** More than the file has; a server that sends something else is stopped there. */
const maxBytes = 8 * 2 ** 20;
/** A connection that brings nothing for so long is given up. */
const idleMs = 30_000;

/**
 * `auto`: from the cache, or from its public release; `off`: none; an address to fetch it from; or the
 * path of its file.
 */
export type EncoderWish = 'auto' | 'off' | (string & {});

/**
 * Where a fetched encoder is kept: its name says what is in it, so another version's is never taken for
 * it.
 */
export function cachedEncoderFile(cacheFolder: string): string {
  return join(cacheFolder, `${encoderName}-${encoderSha256.slice(0, 16)}.pt`);
}

/**
 * The encoder's file on this machine, without asking the network.
 * @returns undefined where there is none; a damaged file in the cache is taken away and counts as none
 * @throws AppError invalid-configuration where a path was named and nothing can be read there;
 *   engine-unavailable, with the file system's error as cause, where it cannot be told whether the cache
 *   has it
 */
export async function findEncoder(wish: EncoderWish, cacheFolder: string): Promise<string | undefined> {
  if (wish === 'off') return undefined;
  if (urlOf(wish) === undefined) {
    await access(wish).catch((cause: unknown) => {
      throw encoderPathUnreadable(wish, cause as Error);
    });
    return wish;
  }
  const file = cachedEncoderFile(cacheFolder);
  const sha256 = await fileSha256(file)
    .catch(ifAbsent(undefined))
    .catch((cause: unknown) => {
      const message = `The encoder in the cache cannot be read: ${(cause as Error).message}.`;
      throw new AppError('engine-unavailable', message, { cause });
    });
  if (sha256 === undefined) return undefined;
  if (sha256 === encoderSha256) return file;
  await rm(file, { force: true }).catch(() => undefined);
  return undefined;
}

/**
 * Does what `findEncoder` does where one of these networks hears with it; else the result is undefined.
 */
export async function findEncoderFor(
  networks: readonly NetworkConfig[],
  wish: EncoderWish,
  cacheFolder: string,
): Promise<string | undefined> {
  const isNeeded = networks.some(({ architecture }) => architecture === 'encoder');
  return isNeeded ? findEncoder(wish, cacheFolder) : undefined;
}

/** Where a wish lets it be fetched from; undefined: nowhere. */
function urlOf(wish: EncoderWish): string | undefined {
  return wish === 'auto' ? encoderUrl : /^https?:\/\//.test(wish) ? wish : undefined;
}

export interface FetchEncoderOptions {
  readonly wish: EncoderWish;
  readonly cacheFolder: string;
  readonly signal?: AbortSignal;
}

/**
 * Puts the encoder into the cache, from where the wish says: its public release, an address or a file.
 * It appears there complete and checked, or not at all.
 * @returns its path in the cache; undefined where none is wanted
 * @throws AppError engine-unavailable with the reason and what else can be done
 */
export async function fetchEncoder(options: FetchEncoderOptions): Promise<string | undefined> {
  const { wish, cacheFolder, signal } = options;
  if (wish === 'off') return undefined;
  const url = urlOf(wish);
  const file = cachedEncoderFile(cacheFolder);
  try {
    const bytes = url === undefined ? await readFile(wish) : await fetchBytes(url, signal);
    const found = createHash('sha256').update(bytes).digest('hex');
    if (found !== encoderSha256) {
      throw new Error(`what arrived has the sha256 ${found}, and ${encoderSha256} is expected`);
    }
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomically(file, bytes);
    return file;
  } catch (cause) {
    const advice = 'Fetch it by other means and name its path with ENCODER, or set ENCODER=off.';
    const message = `The encoder ${encoderName} could not be had from ${url ?? wish}: ${reasonOf(cause)}. ${advice}`;
    throw new AppError('engine-unavailable', message, { cause });
  }
}

/**
 * The encoder's file: where it is on this machine, or fetched.
 * @returns undefined where none is wanted
 * @throws AppError as findEncoder and fetchEncoder
 */
export async function findOrFetchEncoder(options: FetchEncoderOptions): Promise<string | undefined> {
  return (await findEncoder(options.wish, options.cacheFolder)) ?? fetchEncoder(options);
}

async function fetchBytes(url: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of download(url, { maxBytes, idleMs, signal })) chunks.push(chunk);
  return Buffer.concat(chunks);
}
