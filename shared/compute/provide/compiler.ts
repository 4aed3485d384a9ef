/** `CXX` as make understands it: words with spaces between them (`ccache g++`); empty: g++. */
export function compilerCommand(env: NodeJS.ProcessEnv): [string, ...string[]] {
  const [first = 'g++', ...others] = (env['CXX'] ?? '').split(/\s+/).filter((word) => word !== '');
  return [first, ...others];
}

/** What to install where the compiler is missing. */
export function compilerToInstall(compiler: string): string {
  return compiler === 'g++' ? 'g++' : `${compiler}, which CXX names, or without CXX g++`;
}
