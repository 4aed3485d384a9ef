import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { transform } from 'esbuild';
import ts from 'typescript';
import { ServiceProcess } from '../support/service-process';

const projectFolder = join(__dirname, '../../..');

/** The program that README shows. */
async function example(): Promise<string> {
  const readme = await readFile(join(projectFolder, 'README.md'), 'utf8');
  return /```ts\n([^`]*)```/.exec(readme)![1]!;
}

/** What the compiler says of a source in the project's folder, under the project's own options. */
function complaintsOf(source: string): string[] {
  const { config } = ts.readConfigFile(join(projectFolder, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, projectFolder);
  options.incremental = false;
  delete options.tsBuildInfoFile;
  const name = join(projectFolder, 'readme-example.ts');
  const host = ts.createCompilerHost(options);
  host.fileExists = (path) => path === name || ts.sys.fileExists(path);
  host.readFile = (path) => (path === name ? source : ts.sys.readFile(path));
  const program = ts.createProgram([name], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe('the program in README', () => {
  it('compiles, and a misspelt member of the client does not', async () => {
    const source = await example();
    expect(complaintsOf(source)).toEqual([]);
    expect(complaintsOf(source.replace('.classify(', '.clasify('))).toEqual([
      expect.stringContaining('clasify'),
    ]);
  });

  it('prints what the service hears', async () => {
    const service = new ServiceProcess({ MODELS_DIR: join(projectFolder, 'models') });
    const folder = await mkdtemp(join(tmpdir(), 'earshot-readme-'));
    try {
      const url = await service.url();
      await service.line('loaded and warmed up');
      const client = join(projectFolder, 'dist/shared/client/client.js');
      const source = (await example())
        .replace('http://127.0.0.1:8080', url)
        .replace('./shared/client/client', client);
      const { code } = await transform(source, { loader: 'ts', format: 'cjs' });
      await writeFile(join(folder, 'example.cjs'), code);
      const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'example.cjs')], {
        cwd: projectFolder,
      });
      expect(stdout.split('\n')[0]).toMatch(/^dog 0\.\d{3}$|^dog 1\.000$/);
      expect(stdout.trim().split('\n')).toHaveLength(5);
    } finally {
      await service.kill();
      await rm(folder, { recursive: true });
    }
  });
});
