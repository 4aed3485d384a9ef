import { privateFolders } from '../../shared/access/private-folder';

/** What the command line takes from its environment. */
export interface CliConfig {
  readonly server: string;
  /** Kept out of the command line, where every user of a machine could read it. */
  readonly apiKey: string | undefined;
  /** Where services of this user leave their admin keys. */
  readonly adminKeyFolders: readonly string[];
}

export function readCliConfig(env: NodeJS.ProcessEnv = process.env): CliConfig {
  const given = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  return {
    server: given('EARSHOT_SERVER') ?? 'http://127.0.0.1:8080',
    apiKey: given('EARSHOT_API_KEY'),
    adminKeyFolders: privateFolders(env),
  };
}
