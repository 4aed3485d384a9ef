import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import WebSocket from 'ws';
import { createDecoderPool } from '../shared/decode/pool/decoder-pool';
import type { ServerMessage } from '../shared/contracts/stream';
import { projectFolder } from './service';

const chunkSeconds = 0.02;

/** A sample recording as mono 16-bit PCM, which Microphone sends in a loop. */
export async function sampleSound(sampleRate: number): Promise<Buffer> {
  const pool = createDecoderPool({ threads: 1 });
  const bytes = await readFile(join(projectFolder, 'samples', 'dog.ogg'));
  const { samples } = await pool.decode(bytes, { sampleRate, maxSeconds: 60 });
  await pool.close();
  const pcm = Buffer.alloc(samples.length * 2);
  samples.forEach((sample, index) => {
    pcm.writeInt16LE(Math.round(Math.max(-1, Math.min(1, sample)) * 32_767), index * 2);
  });
  return pcm;
}

/**
 * A simulated live microphone: it sends a chunk every 20 ms of real time, whether or not answers come.
 */
export class Microphone {
  readonly lagsMs: number[] = [];
  readonly messages = new Map<ServerMessage['type'], number>();
  closeCode: number | undefined;
  refused = false;
  readonly closed: Promise<void>;
  readonly #socket: WebSocket;
  readonly #sound: Buffer;
  readonly #sampleRate: number;
  readonly #sentMs: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(port: number, sound: Buffer, sampleRate: number, hopSeconds: number) {
    this.#sound = sound;
    this.#sampleRate = sampleRate;
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/stream`, ['earshot.v1']);
    this.#socket.on('open', () => {
      this.#socket.send(JSON.stringify({ type: 'start', sampleRate, hopSeconds, silenceDbfs: null }));
    });
    this.#socket.on('message', (data: Buffer) => {
      this.#onMessage(JSON.parse(data.toString('utf8')) as ServerMessage);
    });
    this.closed = new Promise((resolve) => {
      this.#socket.on('error', () => (this.refused = this.#sentMs.length === 0));
      this.#socket.on('close', (code) => {
        clearInterval(this.#timer);
        this.closeCode = code;
        resolve();
      });
    });
  }

  stop(): void {
    clearInterval(this.#timer);
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send('{"type":"stop"}');
  }

  #onMessage(message: ServerMessage): void {
    this.messages.set(message.type, (this.messages.get(message.type) ?? 0) + 1);
    if (message.type === 'ready') this.#play();
    if (message.type !== 'prediction' || this.#timer === undefined) return;
    // The chunk with the window's last sample. The 4.4 ms of further sound that the resampler needs
    // count as lag.
    const chunk = Math.ceil(message.endSeconds / chunkSeconds - 1e-6) - 1;
    const sentMs = this.#sentMs[chunk];
    if (sentMs !== undefined) this.lagsMs.push(performance.now() - sentMs);
  }

  #play(): void {
    const startedMs = performance.now();
    const bytes = Math.round(chunkSeconds * this.#sampleRate) * 2;
    this.#timer = setInterval(() => {
      while (this.#sentMs.length * chunkSeconds * 1000 <= performance.now() - startedMs) {
        const at = (this.#sentMs.length * bytes) % (this.#sound.length - bytes);
        this.#sentMs.push(performance.now());
        this.#socket.send(this.#sound.subarray(at, at + bytes));
      }
    }, chunkSeconds * 1000);
  }
}
