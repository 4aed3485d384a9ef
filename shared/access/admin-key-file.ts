import { createHash } from 'node:crypto';
import { readFile, readdir, readlink, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../errors/app-error';
import { writeFileAtomically } from '../runtime/write-atomically';
import { makePrivateFolder, openPrivateFolder, readPrivateFile, type PrivateFolder } from './private-folder';

/** The file of a running service for its own user: the admin key, and the address of the service. */
const adminKeySchema = z.strictObject({
  /** The bound address: 127.0.0.1, ::1, or 0.0.0.0 and :: for all addresses. */
  address: z.string(),
  port: z.int().min(1).max(65_535),
  /**
   * Identifies the loopback interface: a container's differs from that of the machine, though both may
   * share a folder.
   */
  network: z.string(),
  key: z.string().regex(/^[\w-]{43}$/),
  createdAt: z.iso.datetime(),
});
export type AdminKeyRecord = z.infer<typeof adminKeySchema>;

export interface Place {
  readonly address: string;
  readonly port: number;
}

const maxFileBytes = 4096;

/**
 * Writes a key, readable by this user only, into the first usable folder (`privateFolders`).
 * @returns the path of the file
 * @throws AppError storage-full, which names each folder and its problem
 */
export async function writeAdminKey(folders: readonly string[], place: Place, key: string): Promise<string> {
  const network = await ownNetwork();
  const record: AdminKeyRecord = { ...place, network, key, createdAt: new Date().toISOString() };
  const failures: string[] = [];
  for (const path of folders) {
    try {
      const folder = await makePrivateFolder(path);
      try {
        await removeStale(folder, record);
        const name = fileNameOf(record);
        await writeFileAtomically(folder.pathOf(name), `${JSON.stringify(record)}\n`, 0o600);
        // On a file system without permissions the key is removed again.
        await readPrivateFile(folder, name, maxFileBytes).catch(async (error: unknown) => {
          await rm(folder.pathOf(name), { force: true });
          throw error;
        });
        return join(path, name);
      } finally {
        await folder.close();
      }
    } catch (error) {
      failures.push(`${path}: ${(error as Error).message}`);
    }
  }
  throw new AppError('storage-full', failures.join('; '));
}

/** Removes the file of `writeAdminKey`, unless a later service at the same address has replaced it. */
export async function removeAdminKey(file: string, key: string): Promise<void> {
  const content = await readFile(file, 'utf8').catch(() => '');
  if (content.includes(key)) await rm(file, { force: true });
}

/** Returns the keys of this user's services in the same network namespace, the newest first. */
export async function readAdminKeys(folders: readonly string[]): Promise<AdminKeyRecord[]> {
  const network = await ownNetwork();
  const found: AdminKeyRecord[] = [];
  for (const path of folders) {
    // A folder that is missing or not private holds no trustworthy key.
    const folder = await openPrivateFolder(path).catch(() => undefined);
    if (folder === undefined) continue;
    found.push(...(await recordsIn(folder).finally(() => folder.close())));
  }
  return found
    .filter((record) => record.network === network)
    .sort((a, b) => b.createdAt.localeCompare(a.createdAt));
}

async function recordsIn(folder: PrivateFolder): Promise<AdminKeyRecord[]> {
  const names = (await readdir(folder.pathOf('')).catch(() => [])).filter((name) => name.endsWith('.json'));
  const records = await Promise.all(
    names.map(async (name) => {
      try {
        const content: unknown = JSON.parse(await readPrivateFile(folder, name, maxFileBytes));
        return adminKeySchema.safeParse(content).data;
      } catch {
        return undefined;
      }
    }),
  );
  return records.flatMap((record) => (record === undefined ? [] : [record]));
}

/** Removes the files of killed services. A key is useless once nothing listens at its address. */
async function removeStale(folder: PrivateFolder, { network }: AdminKeyRecord): Promise<void> {
  const records = await recordsIn(folder);
  const stale = await Promise.all(
    records.map(async (record) => record.network === network && !(await isListening(record))),
  );
  for (const [index, record] of records.entries()) {
    if (stale[index] === true) await rm(folder.pathOf(fileNameOf(record)), { force: true });
  }
}

/** Tells whether a service listens there. A wildcard address can be connected to as it is. */
function isListening({ address, port }: Place): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: 1000 });
    const answer = (listening: boolean) => () => {
      socket.destroy();
      resolve(listening);
    };
    socket.once('connect', answer(true)).once('timeout', answer(true));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      answer(error.code !== 'ECONNREFUSED')();
    });
  });
}

function fileNameOf({ address, port, network }: AdminKeyRecord): string {
  const which = createHash('sha256').update(network).digest('hex').slice(0, 8);
  return `admin-key-${address.replaceAll(':', '_')}-${port}-${which}.json`;
}

/**
 * Identifies the network namespace of this process, which is the same on the machine and in every
 * container that shares it.
 */
async function ownNetwork(): Promise<string> {
  const facts = [
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').then((id) => id.trim()),
    readlink('/proc/self/ns/net'),
  ];
  return Promise.all(facts).then(
    (known) => known.join(' '),
    () => hostname(),
  );
}
