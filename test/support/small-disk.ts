import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { userNamespace } from './needs';

const isolation = ['--map-root-user', '--mount'];

export const smallDisk = userNamespace(...isolation, 'mount', '-t', 'tmpfs', 'none', '/tmp');

/**
 * Runs a script of Node in a name space of its own, where `folder` is an empty disk of so many
 * kilobytes.
 * @returns what it printed
 */
export async function runOnSmallDisk(folder: string, kilobytes: number, script: string): Promise<string> {
  const mount = `mount -t tmpfs -o size=${kilobytes}k none "$0" && exec "$1" -e "$2"`;
  const child = spawn(
    'unshare',
    ['--user', ...isolation, 'sh', '-c', mount, folder, process.execPath, script],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`The script ended with ${code}: ${output}`);
  return output;
}
