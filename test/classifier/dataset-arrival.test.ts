import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseTrustedProxies } from '../../services/classifier/access/address';
import { createHttpServer } from '../../services/classifier/http/server/http-server';
import { RawConnection } from '../support/raw-connection';

const timeoutMs = 50;
let server: Server;
let port: number;
beforeEach(async () => {
  const app: RequestListener = (req, res) => {
    req.resume();
    req.once('end', () => res.end('all of it'));
  };
  server = createHttpServer(app, { trustedProxies: parseTrustedProxies('')! }, timeoutMs);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** Sends a request but for its last byte. */
async function begin(target: string): Promise<RawConnection> {
  const connection = new RawConnection(port);
  const head = [`POST ${target} HTTP/1.1`, `Host: 127.0.0.1:${port}`, 'Content-Length: 2'];
  await connection.send(`${head.join('\r\n')}\r\n\r\na`);
  return connection;
}

it.each(['/datasets?name=a', '/datasets/?name=a', '/Datasets', 'http://earshot.test/datasets/?name=a'])(
  'gives a dataset more time to arrive than other requests: %s',
  async (target) => {
    const dataset = await begin(target);
    const other = await begin('/datasets-of-others');
    expect(await other.until('request-timeout')).toContain('408');
    await dataset.send('b');
    expect(await dataset.until('all of it')).toContain('200 OK');
    dataset.hangUp();
    other.hangUp();
  },
);
