import { privateFolders } from '../../shared/access/private-folder';

/** Settings that the command line reads from environment variables. */
export interface CliConfig {
  readonly server: string;
  /** Not an option: every user of the machine could read it in the list of processes. */
  readonly apiKey: string | undefined;
  /** Folders in which services of this user store their admin keys. */
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
