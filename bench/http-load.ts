import { Agent, request } from 'node:http';

/** One request's body, as all servers under test take it: the raw recording, or a form with the file `audio`. */
export interface RequestBody {
  readonly contentType: string;
  readonly bytes: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly ms: number;
}

export function rawBody(contentType: string, bytes: Buffer): RequestBody {
  return { contentType, bytes };
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

export function call(
  port: number,
  method: string,
  path: string,
  body?: RequestBody,
  agent?: Agent,
): Promise<Answer> {
  const startedAt = performance.now();
  return new Promise((done, fail) => {
    const headers =
      body === undefined ? {} : { 'content-type': body.contentType, 'content-length': body.bytes.length };
    const outgoing = request(
      { host: '127.0.0.1', port, method, path, headers, ...(agent && { agent }) },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => (text += chunk));
        answer.on('end', () => {
          done({ status: answer.statusCode ?? 0, text, ms: performance.now() - startedAt });
        });
      },
    );
    outgoing.on('error', fail);
    outgoing.end(body?.bytes);
  });
}

/** Closed loop: each connection sends its next request when the last is answered. @returns milliseconds a request */
export async function closedLoop(
  port: number,
  body: RequestBody,
  connections: number,
  until: number,
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const times: number[] = [];
  const client = async (): Promise<void> => {
    while (Date.now() < until) {
      const { status, text, ms } = await call(port, 'POST', '/classify', body, agent);
      if (status !== 200) throw new Error(`POST /classify answered ${status}: ${text.slice(0, 200)}`);
      times.push(ms);
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  agent.destroy();
  return times;
}
