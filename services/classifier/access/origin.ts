import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../../../shared/errors/app-error';
import { isTrusted, plainAddress, type TrustedProxies } from './address';

/** The parts of a request that tell which page a browser sends it for. */
export interface PageRequest {
  readonly method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly socket?: { readonly remoteAddress?: string | undefined };
}

export interface OriginSettings {
  /** Other origins whose pages may use the service, as `normaliseOrigin` writes them; `*` for any. */
  readonly allowedOrigins: readonly string[];
  /** Host names, besides its own, by which a service on loopback may be addressed; `*` for any. */
  readonly allowedHosts: readonly string[];
  /** Whether the service listens on a loopback address only. */
  readonly isLoopback: boolean;
  /** Proxies whose `X-Forwarded-Host` is believed. */
  readonly trustedProxies: TrustedProxies;
}

/**
 * Decides which pages may use the service, by the headers with which browsers name a request's origin.
 * Clients other than browsers send no Origin; only keys restrict them.
 */
export interface OriginRules {
  /**
   * Checks a request's origin and host name.
   * @returns the allowed foreign origin; undefined for the service's own pages and for other clients
   * @throws AppError forbidden for pages of other origins, and for a Host that is not this service's
   */
  admit(request: PageRequest): string | undefined;
  /** Whether the request comes from one of the service's own pages, or from no page. */
  isOwn(request: PageRequest): boolean;
}

export function createOriginRules(settings: OriginSettings): OriginRules {
  const { allowedOrigins, isLoopback } = settings;
  const isOwn = (request: PageRequest): boolean => {
    const { origin, 'sec-fetch-site': site } = request.headers;
    // Pages cannot set this header. Old browsers, and requests over plain http, do not carry it.
    if (site === 'same-origin') return true;
    if (origin !== undefined) return ownHosts(request, settings).includes(hostOf(origin));
    return site === undefined || site === 'none' || isLink(request);
  };
  return {
    isOwn,
    admit: (request) => {
      const { origin, host } = request.headers;
      if (isLoopback && !isKnownHost(host, settings.allowedHosts)) throw unknownHost(host!);
      if (isOwn(request)) return undefined;
      const page = origin === undefined ? undefined : normaliseOrigin(origin);
      if (page !== undefined && (allowedOrigins.includes('*') || allowedOrigins.includes(page)))
        return origin;
      const name = page ?? 'other sites';
      throw new AppError(
        'forbidden',
        `Pages of ${name} may not use this service, unless ALLOWED_ORIGINS lists their origin.`,
      );
    },
  };
}

/**
 * Canonical form of an origin: lower case, without trailing slash and default port. `null` stays `null`.
 */
export function normaliseOrigin(origin: string): string {
  const [, scheme, host] = /^([a-z][a-z0-9+.-]*):\/\/([^/]*)\/*$/.exec(origin.trim().toLowerCase()) ?? [];
  if (scheme === undefined || host === undefined) return origin.trim().toLowerCase();
  return `${scheme}://${withoutPort(host, scheme)}`;
}

/** An origin's host, with its port unless that is the scheme's default; empty where it has no host. */
function hostOf(origin: string): string {
  return /^https?:\/\/(.+)$/.exec(normaliseOrigin(origin))?.[1] ?? '';
}

function withoutPort(host: string, scheme: string): string {
  const ports: Readonly<Record<string, string>> = { http: ':80', https: ':443', ws: ':80', wss: ':443' };
  const port = ports[scheme];
  return port !== undefined && host.endsWith(port) ? host.slice(0, -port.length) : host;
}

/**
 * The hosts that the origins of the service's own pages may have. Behind a TLS proxy the scheme is not
 * known, so the default ports of both schemes are removed.
 */
function ownHosts({ headers, socket }: PageRequest, { trustedProxies }: OriginSettings): string[] {
  const hosts = [headers.host];
  if (isTrusted(trustedProxies, plainAddress(socket?.remoteAddress ?? ''))) {
    const [forwarded, port] = ['x-forwarded-host', 'x-forwarded-port'].map((name) => lastOf(headers[name]));
    hosts.push(forwarded, forwarded === undefined || port === undefined ? undefined : `${forwarded}:${port}`);
  }
  return hosts
    .filter((host) => host !== undefined && host !== '')
    .flatMap((host) => ['http', 'https'].map((scheme) => withoutPort(host!.toLowerCase(), scheme)));
}

/** The last entry of a header's list: the one that the nearest proxy wrote. */
function lastOf(value: string | string[] | undefined): string | undefined {
  return value?.toString().split(',').at(-1)?.trim();
}

/** Whether a user followed a link. The page with the link cannot read the answer, so this is allowed. */
function isLink({ method, headers }: PageRequest): boolean {
  const isDocument = headers['sec-fetch-dest'] === 'document';
  return method === 'GET' && headers['sec-fetch-mode'] === 'navigate' && isDocument;
}

const loopbackName = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * Whether a Host header may name a service on loopback. In a DNS rebinding attack a page's own name
 * resolves to 127.0.0.1, so the browser sees no foreign origin, but the Host header shows that name.
 * Names without a dot are allowed: nobody can register them in the public DNS.
 */
function isKnownHost(host: string | undefined, allowed: readonly string[]): boolean {
  if (host === undefined || host === '' || allowed.includes('*')) return true;
  const lower = host.toLowerCase();
  const name = lower.replace(/:\d*$/, '').replace(/\.$/, '');
  return (
    loopbackName.test(name) || /^[\w-]+$/.test(name) || allowed.includes(lower) || allowed.includes(name)
  );
}

function unknownHost(host: string): AppError {
  const name = /^[\w.:[\]-]{1,255}$/.test(host) ? host : 'this name';
  return new AppError(
    'forbidden',
    `This service listens for its own machine, and is not known as ${name}: ask for localhost, or put the name into ALLOWED_HOSTS.`,
  );
}

/** Whether an address to listen on is reachable from this machine only. */
export function isLoopbackAddress(host: string): boolean {
  return loopbackName.test(host.toLowerCase()) || /^(::1|::ffff:127(\.\d{1,3}){3})$/i.test(host);
}
