import { Connection, type RequestBody } from './connection';

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

/** Bytes at both ends of a body that `vary` does not change: headers of files and forms. */
const edgeBytes = 1000;

/** Changes a PCM file in place, differently for each request, so that no cache can answer it. */
export function vary(bytes: Buffer, request: number): void {
  for (let at = edgeBytes; at < bytes.length - edgeBytes; at += 2000) {
    bytes.writeInt16LE((request % 2000) - 1000, at);
  }
}

export interface ClosedLoop {
  readonly port: number;
  readonly body: RequestBody;
  /** Whether each request sends a different body; it must be PCM then. */
  readonly varied: boolean;
  readonly connections: number;
  readonly seconds: number;
}

/**
 * Runs connections that send their next request when the last one is answered.
 * @returns ms of each request
 */
export async function closedLoop({
  port,
  body,
  varied,
  connections,
  seconds,
}: ClosedLoop): Promise<number[]> {
  const until = performance.now() + seconds * 1000;
  const times: number[] = [];
  let requests = 0;
  const client = async (): Promise<void> => {
    const connection = new Connection(port);
    const own = { ...body, bytes: Buffer.from(body.bytes) };
    while (performance.now() < until) {
      if (varied) vary(own.bytes, requests++);
      times.push((await connection.ask(own)).ms);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: connections }, client));
  return times;
}
