/** What to install where the compiler is missing. */
export function compilerToInstall(compiler: string): string {
  return compiler === 'g++' ? 'g++' : `${compiler}, which CXX names, or without CXX g++`;
}
