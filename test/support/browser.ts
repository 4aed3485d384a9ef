import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { describeWith, program } from './needs';
import { findProgram } from './programs';

/** As Debian calls it, and as others do. */
const chromiumNames = ['chromium', 'chromium-browser', 'google-chrome'];

/** Tests in a real browser. */
export const describeWithChromium = describeWith(program(...chromiumNames));

export interface TestBrowser {
  /** A page of its own: nothing is kept from another test. */
  open(options?: PageOptions): Promise<TestPage>;
  close(): Promise<void>;
}

export interface PageOptions {
  /** Whether the page may use the microphone; it may not unless stated. */
  readonly microphone?: boolean;
  readonly colorScheme?: 'light' | 'dark';
  readonly reducedMotion?: 'reduce' | 'no-preference';
  readonly width?: number;
  /** Takes a certificate that nobody vouches for. */
  readonly ignoreCertificate?: boolean;
}

export interface TestPage {
  readonly page: Page;
  /** Every address that was asked for. */
  readonly requests: readonly string[];
  /** What the browser complained of, defects included. */
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

/**
 * Chromium with a microphone that plays a WAV file over and over, and without anything that would talk
 * to its makers.
 * @param hosts names that lead to this machine without being `localhost`
 */
export async function startBrowser(microphoneFile: string, hosts: readonly string[]): Promise<TestBrowser> {
  const profile = await mkdtemp(join(tmpdir(), 'earshot-browser-'));
  const browser = await chromium.launch({
    executablePath: chromiumNames.map(findProgram).find((file) => file !== undefined)!,
    env: { ...process.env, HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile },
    args: [
      '--no-sandbox',
      '--use-fake-device-for-media-stream',
      `--use-file-for-fake-audio-capture=${microphoneFile}`,
      `--host-resolver-rules=${hosts.map((host) => `MAP ${host} 127.0.0.1`).join(', ')}`,
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      ...['--no-first-run', '--disable-quic', '--disable-domain-reliability', '--no-default-browser-check'],
    ],
  });
  return {
    open: async (options = {}) => {
      const context = await browser.newContext({
        viewport: { width: options.width ?? 1280, height: 900 },
        colorScheme: options.colorScheme ?? 'light',
        reducedMotion: options.reducedMotion ?? 'no-preference',
        ignoreHTTPSErrors: options.ignoreCertificate ?? false,
        permissions: options.microphone === true ? ['microphone'] : [],
      });
      return watch(context, await context.newPage());
    },
    close: async () => {
      await browser.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

function watch(context: BrowserContext, page: Page): TestPage {
  const requests: string[] = [];
  const complaints: string[] = [];
  context.on('request', (request) => requests.push(request.url()));
  page.on('websocket', (socket) => requests.push(socket.url()));
  page.on('pageerror', (error) => complaints.push(`${error.name}: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  return { page, requests, complaints, close: () => context.close() };
}
