import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from './free-port';
import { projectFolder } from './kubernetes';

/** The name that the examples of docs/deployment.md have. */
export const proxiedHost = 'earshot.example.com';

export const proxyNames = ['nginx', 'caddy', 'haproxy'] as const;
type ProxyName = (typeof proxyNames)[number];

export interface Proxy {
  readonly port: number;
  /** Where it passes requests on, with `/` at its end. */
  readonly path: string;
  /** Its certificate, signed by itself. */
  readonly ca: Buffer;
  close(): Promise<void>;
}

export interface ProxyOptions {
  readonly folder: string;
  readonly servicePort: number;
  readonly belowPath: boolean;
  /** In place of what the examples have for the longest rest of a connection to the service. */
  readonly keepAlive?: string;
}

/** The example for a proxy, and what it says of a path. */
function examplesOf(name: ProxyName): [root: string, below: string] {
  const text = readFileSync(join(projectFolder, 'docs/deployment.md'), 'utf8');
  const found = [...text.matchAll(new RegExp(`\`\`\`${name}\\n([^\`]*)\`\`\``, 'g'))].map(
    ([, block]) => block!,
  );
  if (found.length !== 2) throw new Error(`${found.length} examples for ${name}`);
  return found as [string, string];
}

/** Puts the lines for a path where the documentation says. */
const belowPath: Readonly<Record<ProxyName, (root: string, below: string) => string>> = {
  nginx: (root, below) => root.replace(/ {2}location = \/metrics .*\n {2}location \/ .*\n/, below),
  caddy: (root, below) => root.replace(/ {2}respond [^]*\n {2}\}\n/, below),
  haproxy: (root, below) => root.replace(/( {2}http-request return )/, `${below}$1`),
};

/** What the machine of a test has elsewhere: the port, the certificate, the service. */
function adapted(text: string, folder: string, port: number, options: ProxyOptions): string {
  const changes: readonly (readonly [from: RegExp, to: string])[] = [
    [/listen 443/g, `listen 127.0.0.1:${port}`],
    [/bind :443/g, `bind 127.0.0.1:${port}`],
    [
      /^earshot\.example\.com \{/gm,
      `https://${proxiedHost}:${port} {\n  bind 127.0.0.1\n  tls ${folder}/fullchain.pem ${folder}/privkey.pem`,
    ],
    [/\/etc\/ssl\/earshot/g, folder],
    [/127\.0\.0\.1:8080/g, `127.0.0.1:${options.servicePort}`],
    ...(options.keepAlive === undefined ? [] : ([[/\b55s\b/g, options.keepAlive]] as const)),
  ];
  return changes.reduce((changed, [from, to]) => changed.replace(from, to), text);
}

/** The rest of a configuration, as distributions bring it, and how the program is started with it. */
const programs: Readonly<
  Record<ProxyName, (config: string, folder: string) => [text: string, args: string[]]>
> = {
  nginx: (config, folder) => {
    const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (kind) => `${kind}_temp_path ${folder}/${kind};`,
    );
    const user = process.geteuid!() === 0 ? 'user root;' : '';
    const main = `${user} daemon off; pid ${folder}/pid; error_log ${folder}/error.log warn; events { worker_connections 2048; }`;
    return [
      `${main} http { access_log off; ${scratch.join(' ')}\n${config}}`,
      ['-p', folder, '-e', `${folder}/error.log`, '-c', join(folder, 'config')],
    ];
  },
  caddy: (config, folder) => [
    `{\n  admin off\n  auto_https disable_redirects\n  storage file_system ${folder}\n}\n${config}`,
    ['run', '--adapter', 'caddyfile', '--config', join(folder, 'config')],
  ],
  haproxy: (config, folder) => [
    `global\n  maxconn 2000\n${config}`,
    ['-db', '-q', '-f', join(folder, 'config')],
  ],
};

/** Runs a proxy as docs/deployment.md has it, with TLS, on a free port. */
export async function startProxy(name: ProxyName, options: ProxyOptions): Promise<Proxy> {
  const [root, below] = examplesOf(name);
  const text = options.belowPath ? belowPath[name](root, below) : root;
  if (options.belowPath && text === root)
    throw new Error(`There is no place for the path in ${name}’s example.`);
  const folder = join(
    options.folder,
    `${name}-${options.belowPath ? 'path' : 'root'}-${options.keepAlive ?? ''}`,
  );
  mkdirSync(folder);
  makeCertificate(folder);
  const port = await freePort();
  const [config, args] = programs[name](adapted(text, folder, port, options), folder);
  writeFileSync(join(folder, 'config'), config);
  const child = spawn(name, args, {
    env: {
      PATH: `${process.env['PATH']}:/usr/sbin`,
      HOME: folder,
      XDG_DATA_HOME: folder,
      XDG_CONFIG_HOME: folder,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (words: string) => (said += words));
  const closed = once(child, 'close');
  while (!(await isListening(port))) {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${said}`);
    await pause(20);
  }
  return {
    port,
    path: options.belowPath ? '/earshot/' : '/',
    ca: readFileSync(join(folder, 'fullchain.pem')),
    close: async () => {
      child.kill('SIGTERM');
      // HAProxy waits for its connections, which a browser keeps.
      const killing = setTimeout(() => child.kill('SIGKILL'), 2000);
      await closed;
      clearTimeout(killing);
    },
  };
}

function makeCertificate(folder: string): void {
  const [key, certificate] = [join(folder, 'privkey.pem'), join(folder, 'fullchain.pem')];
  const subject = ['-subj', `/CN=${proxiedHost}`, '-addext', `subjectAltName=DNS:${proxiedHost}`];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '1'];
  execFileSync('openssl', ['req', ...kind, ...subject, '-keyout', key, '-out', certificate], {
    stdio: 'pipe',
  });
  writeFileSync(join(folder, 'earshot.pem'), readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'));
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
