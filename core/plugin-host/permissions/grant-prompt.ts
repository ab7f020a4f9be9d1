import { createInterface } from 'node:readline';
import type { Manifest, RequestedItem } from '../manifest/manifest.ts';

export type GrantAnswer = 'yes' | 'no' | 'always';

export interface MissingGrant extends RequestedItem {
  readonly plugin: Pick<Manifest, 'name' | 'version'>;
}

export interface AnsweredGrant extends MissingGrant {
  readonly answer: GrantAnswer;
}

export interface AskForGrantsOptions {
  readonly missing: readonly MissingGrant[];
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

const answers: Readonly<Record<string, GrantAnswer>> = {
  y: 'yes',
  yes: 'yes',
  n: 'no',
  no: 'no',
  always: 'always',
  a: 'always',
};

/** Asks once per missing grant. What is still open when the input ends is not in the result. */
export async function askForGrants(options: AskForGrantsOptions): Promise<readonly AnsweredGrant[]> {
  const { missing, input, output } = options;
  const reader = createInterface({ input, terminal: false });
  const lines = reader[Symbol.asyncIterator]();
  const answered: AnsweredGrant[] = [];
  try {
    for (const item of missing) {
      output.write(`\n${describe(item)}\n`);
      const answer = await readAnswer(lines, output);
      if (answer === undefined) break;
      answered.push({ ...item, answer });
    }
  } finally {
    reader.close();
  }
  return answered;
}

async function readAnswer(
  lines: AsyncIterator<string>,
  output: NodeJS.WritableStream,
): Promise<GrantAnswer | undefined> {
  for (;;) {
    output.write('Allow? [y] this time, [n] not this time, [always] keep it in plugins/grants.json: ');
    const line = await lines.next();
    if (line.done === true) return undefined;
    const answer = answers[line.value.trim().toLowerCase()];
    if (answer !== undefined) return answer;
    output.write('Please answer y, n or always\n');
  }
}

/** The manifest's text is the plugin author's: shown on one line, without control characters. */
function describe({ plugin, permission, resource, why }: MissingGrant): string {
  const reason = why === undefined ? 'it does not say why' : why.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ');
  return `${plugin.name}@${plugin.version} asks for ${permission} access to "${resource}"\n  why: ${reason}`;
}
