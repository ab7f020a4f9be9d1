import type { Config } from '#core/config/settings.ts';

/** What a command that talks to the running core is given. */
export interface CommandDeps {
  readonly config: Config;
  readonly stdout: { write(text: string): unknown };
}

export function writeJson({ stdout }: CommandDeps, value: unknown): void {
  stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
