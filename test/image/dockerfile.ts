/** One instruction of a Dockerfile, its continued lines joined: `RUN`, `apt-get update && ...`. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export interface Stage {
  readonly name: string;
  /** The image or the earlier stage that it starts from, arguments replaced. */
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

/** What the image says about the process that it starts. */
export interface ImageConfig {
  readonly env: Readonly<Record<string, string>>;
  /** What its `RUN` steps see beside `env`. */
  readonly args: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly user: string;
  readonly command: readonly string[];
  readonly healthCommand: readonly string[] | undefined;
}

/**
 * A Dockerfile's stages; knows as much of the language as the project's own uses.
 * @param buildArgs what `docker build --build-arg` sets
 * @throws Error for anything else
 */
export function parseDockerfile(text: string, buildArgs: Readonly<Record<string, string>> = {}): Stage[] {
  const args = new Map<string, string>();
  const stages: (Stage & { instructions: Instruction[] })[] = [];
  for (const instruction of instructionsOf(text)) {
    if (instruction.name === 'ARG') {
      const [key, value] = instruction.text.split('=') as [string, string?];
      const stage = stages.at(-1);
      // Those above the stages have a default; a stage names the ones that it reads.
      if ((stage === undefined) === (value === undefined))
        throw new Error(`ARG ${instruction.text}: not known here`);
      if (stage === undefined) args.set(key, buildArgs[key] ?? value!);
      else stage.instructions.push({ name: 'ARG', text: `${key}=${args.get(key)!}` });
    } else if (instruction.name === 'FROM') {
      const [image, , name] = instruction.text.split(/\s+/);
      const from = image!.replace(/\$\{(\w+)\}/g, (_, key: string) => args.get(key) ?? '');
      stages.push({ name: name ?? String(stages.length), from, instructions: [] });
    } else {
      stages.at(-1)!.instructions.push(instruction);
    }
  }
  return stages;
}

function instructionsOf(text: string): Instruction[] {
  const lines = text.split('\n').filter((line) => !line.trimStart().startsWith('#'));
  const joined = lines
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n');
  return joined
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name, rest] = /^(\w+)\s+(.*)$/.exec(line)!;
      return { name: name!, text: rest! };
    });
}

/** The stage, and below it those that it starts from, lowest first. */
export function ancestry(stages: readonly Stage[], name: string): Stage[] {
  const stage = stages.find((candidate) => candidate.name === name);
  return stage === undefined ? [] : [...ancestry(stages, stage.from), stage];
}

/** What a container of that stage starts, and how. */
export function imageConfig(stages: readonly Stage[], name: string): ImageConfig {
  const instructions = ancestry(stages, name).flatMap((stage) => stage.instructions);
  const last = (wanted: string): string | undefined =>
    instructions.findLast((instruction) => instruction.name === wanted)?.text;
  const list = (text = '[]'): string[] => JSON.parse(text) as string[];
  const pairsOf = (wanted: string): Record<string, string> => {
    const words = instructions.filter((i) => i.name === wanted).flatMap((i) => i.text.split(/\s+/));
    const pairs = words.map((pair): [string, string] => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at), pair.slice(at + 1)];
    });
    return Object.fromEntries(pairs);
  };
  const health = last('HEALTHCHECK')?.replace(/^.*?CMD\s+/, '');
  return {
    env: pairsOf('ENV'),
    args: pairsOf('ARG'),
    workdir: last('WORKDIR') ?? '/',
    user: last('USER') ?? 'root',
    command: [...list(last('ENTRYPOINT')), ...list(last('CMD'))],
    healthCommand: health === undefined ? undefined : list(health),
  };
}
