import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** What to install where the compiler is missing. */
export function compilerToInstall(compiler: string): string {
  return compiler === 'g++' ? 'g++' : `${compiler}, which CXX names, or without CXX g++`;
}

/** Where the headers of Node-API lie. */
export function nodeApiHeaders(): string {
  return join(packageFolder('node-api-headers'), 'include');
}

/** Where an installed package lies. */
export function packageFolder(name: string): string {
  return dirname(createRequire(__filename).resolve(`${name}/package.json`));
}
