/** What the client needs of a WebSocket: a browser's own, or the `ws` package's in Node. */
export interface SocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: 'close',
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

export interface ClientOptions {
  /** Where the service is; its path is kept, so that it may live below a reverse proxy's prefix. */
  readonly baseUrl: string | URL;
  /** Sent as a bearer token, and to streams as a subprotocol. */
  readonly apiKey?: string | undefined;
  /** The platform's own unless given. */
  readonly fetch?: typeof globalThis.fetch;
  readonly createSocket?: (url: string, protocols: readonly string[]) => SocketLike;
}
