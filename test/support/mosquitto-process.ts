import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port';
import { program } from './needs';
import { findProgram } from './programs';

export const mosquitto = program('mosquitto');

/** A real MQTT broker on a free port; killed and started again, it has the same port. */
export class MosquittoProcess {
  readonly port: number;
  readonly #folder: string;
  #child: ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
  }

  /** @param extra lines of its configuration */
  static async start(extra: readonly string[] = ['allow_anonymous true']): Promise<MosquittoProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'earshot-mosquitto-'));
    // Started by root, it runs as a user of its own.
    await chmod(folder, 0o755);
    const broker = new MosquittoProcess(await freePort(), folder);
    const lines = [`listener ${broker.port} 127.0.0.1`, 'persistence false', 'log_dest stderr', ...extra];
    await writeFile(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`);
    await broker.restart();
    return broker;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  /** Returns when it accepts connections. */
  async restart(): Promise<void> {
    const child = spawn(findProgram('mosquitto')!, ['-c', join(this.#folder, 'mosquitto.conf')], {
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      createInterface(child.stderr).on('line', (line) => {
        if (/version \S+ running/.test(line)) resolve();
      });
      child.once('close', () => {
        reject(new Error('mosquitto ended'));
      });
    });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
