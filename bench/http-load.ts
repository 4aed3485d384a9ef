import { Agent } from 'node:http';
import { call } from './service';

/** A recording as a server under test takes it: the raw bytes, or a form with the file `audio`. */
export interface RequestBody {
  readonly contentType: string;
  readonly bytes: Buffer;
}

export function formBody(contentType: string, bytes: Buffer): RequestBody {
  const boundary = 'earshot-bench-boundary';
  const head =
    `--${boundary}\r\nContent-Disposition: form-data; name="audio"; filename="clip"\r\n` +
    `Content-Type: ${contentType}\r\n\r\n`;
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    bytes: Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
}

/** No two requests send the same recording: what remembers earlier ones gains nothing by it. */
export function varied(wav: Buffer, request: number): Buffer {
  const copy = Buffer.from(wav);
  for (let at = 1000; at + 1 < copy.length; at += 2000) copy.writeInt16LE((request % 2000) - 1000, at);
  return copy;
}

/** Closed loop: each connection sends its next request when the last is answered. @returns milliseconds a request */
export async function closedLoop(
  port: number,
  bodyOf: (request: number) => RequestBody,
  connections: number,
  until: number,
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const times: number[] = [];
  let requests = 0;
  const client = async (): Promise<void> => {
    while (Date.now() < until) {
      const { contentType, bytes } = bodyOf(requests++);
      const headers = { 'content-type': contentType };
      const { status, body, ms } = await call(port, 'POST', '/classify', bytes, agent, headers);
      if (status !== 200) throw new Error(`POST /classify answered ${status}: ${body.slice(0, 200)}`);
      times.push(ms);
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  agent.destroy();
  return times;
}
