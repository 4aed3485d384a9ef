import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../../../shared/errors/app-error';
import { isTrusted, plainAddress, type TrustedProxies } from './address';

/** As much of a request as says on whose behalf a browser makes it. */
export interface PageRequest {
  readonly method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly socket?: { readonly remoteAddress?: string | undefined };
}

export interface OriginSettings {
  /** Other origins whose pages may use the service, as `normaliseOrigin` writes them; `*` for any. */
  readonly allowedOrigins: readonly string[];
  /** Names under which a service on loopback may be asked besides its own; `*` for any. */
  readonly allowedHosts: readonly string[];
  /** Whether the service listens for its own machine only. */
  readonly isLoopback: boolean;
  /** Proxies whose `X-Forwarded-Host` is believed. */
  readonly trustedProxies: TrustedProxies;
}

/** Whose pages may ask. Browsers say for whom they ask; other clients send no Origin, and are what keys are for. */
export interface OriginRules {
  /**
   * @returns the other origin that the request comes from, and whose pages may; undefined for the service's own pages and for
   *   what is no browser
   * @throws AppError forbidden for pages of other origins, and for names by which nobody calls this service
   */
  admit(request: PageRequest): string | undefined;
  /** Whether it comes from the service's own pages, or from no page. */
  isOwn(request: PageRequest): boolean;
}

export function createOriginRules(settings: OriginSettings): OriginRules {
  const { allowedOrigins, isLoopback } = settings;
  const isOwn = (request: PageRequest): boolean => {
    const { origin, 'sec-fetch-site': site } = request.headers;
    // Pages cannot write this header, and old browsers, and those that ask over plain http, leave it out.
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

/** The same text for the same origin: without a slash at its end and without the scheme's own port. `null` is one, too. */
export function normaliseOrigin(origin: string): string {
  const [, scheme, host] = /^([a-z][a-z0-9+.-]*):\/\/([^/]*)\/*$/.exec(origin.trim().toLowerCase()) ?? [];
  if (scheme === undefined || host === undefined) return origin.trim().toLowerCase();
  return `${scheme}://${withoutPort(host, scheme)}`;
}

/** An origin's host, and its port unless that goes without saying; empty where it has none. */
function hostOf(origin: string): string {
  return /^https?:\/\/(.+)$/.exec(normaliseOrigin(origin))?.[1] ?? '';
}

function withoutPort(host: string, scheme: string): string {
  const ports: Readonly<Record<string, string>> = { http: ':80', https: ':443', ws: ':80', wss: ':443' };
  const port = ports[scheme];
  return port !== undefined && host.endsWith(port) ? host.slice(0, -port.length) : host;
}

/** What an origin of the service's own pages has for a host. The scheme is not known behind a proxy for TLS. */
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

/** Of what several proxies wrote, what the nearest one did. */
function lastOf(value: string | string[] | undefined): string | undefined {
  return value?.toString().split(',').at(-1)?.trim();
}

/** Someone followed a link, or typed the address: the page with the link learns nothing of the answer. */
function isLink({ method, headers }: PageRequest): boolean {
  const isDocument = headers['sec-fetch-dest'] === 'document';
  return method === 'GET' && headers['sec-fetch-mode'] === 'navigate' && isDocument;
}

const loopbackName = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * Whether a service on loopback is meant by this Host. A page that has its own name lead to 127.0.0.1 (DNS rebinding) is no
 * other origin to the browser, but it cannot hide the name. Names without a dot are nobody's in the public DNS.
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

/** Whether an address to listen on is this machine's alone. */
export function isLoopbackAddress(host: string): boolean {
  return loopbackName.test(host.toLowerCase()) || /^(::1|::ffff:127(\.\d{1,3}){3})$/i.test(host);
}
