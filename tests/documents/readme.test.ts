import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import { loadConfig } from '#core/config/config.ts';
import { registerOtherCommands } from '#core/cli/other-commands.ts';
import { registerStartCommand } from '#core/cli/start.ts';
import { catalogue } from '#core/telemetry/catalogue.ts';
import { readBlocks, readReadme, readSection, readTables, root } from './readme.ts';
import { tables } from './tables.ts';

const text = readReadme();
const sections = [
  'Run it',
  'What you should see',
  "Drivers' phones",
  'Map of the folders',
  'Write a plugin in ten minutes',
  'Configuration',
  'Telemetry contract',
  'An external broker',
  'The stack',
  'Failure drills',
  'Security and its limits',
  'Tests',
  'Decisions',
];

describe('README.md', () => {
  it('has its sections in the order of the house style', () => {
    assert.deepEqual(
      [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title),
      sections,
    );
  });

  for (const [name, table] of Object.entries(tables)) {
    it(`has the table "${name}" as the code has it`, () => {
      assert.deepEqual(readTables(text).get(name), table(), 'run: node bin/run.mjs tests/documents/write-tables.ts');
    });
  }

  it('links only to what exists', () => {
    const headings = new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => toAnchor(title)));
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (target.startsWith('#')) assert.ok(headings.has(target.slice(1)), target);
      else if (!target.startsWith('https:')) assert.ok(existsSync(join(root, target.split('#')[0] ?? '')), target);
    }
  });

  it('lists every decision, and no other', () => {
    const files = readdirSync(join(root, 'core', 'decisions')).toSorted();
    const listed = [...readSection(text, 'Decisions').matchAll(/\]\(core\/decisions\/([^)]+)\)/g)].map(
      ([, file]) => file,
    );
    assert.deepEqual(listed, files);
  });

  it('has JSON and TypeScript that can be read', () => {
    for (const { language, code } of readBlocks(text)) {
      if (language === 'json') assert.ok(isJson(code), code);
      if (language === 'ts') stripTypeScriptTypes(code);
    }
  });

  it('names metrics that exist', () => {
    const known = new Set(catalogue.map(({ name }) => name));
    const declared = readFileSync(join(root, 'tests/fixtures/plugins/parcels/plugin.json'), 'utf8');
    for (const [name] of text.matchAll(/\breturnit_[a-z]+_[a-z_]+\b/g)) {
      assert.ok(
        known.has(name) || [...known].some((metric) => metric.startsWith(name)) || declared.includes(name),
        name,
      );
    }
  });

  it('names settings that exist', () => {
    const settings = new Set((readTables(text).get('settings') ?? []).map((line) => /`([^`]+)`/.exec(line)?.[1]));
    for (const [, name = ''] of text.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`/g)) {
      assert.ok(settings.has(name) || isErrorCode(name), name);
    }
  });
});

describe('commands of README.md', () => {
  const program = createProgram();
  const scripts = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }).scripts;

  it('exist, with their options', () => {
    const commands = [...text.matchAll(/npx returnit ([^\n`|)]*)/g)].map(([, line = '']) => line);
    assert.ok(commands.length > 10);
    for (const line of commands) assertCommand(program, line.trim().split(/\s+/));
  });

  it('exist where runbooks name them, with their options', () => {
    const folder = join(root, 'alerts/runbooks');
    for (const page of readdirSync(folder)) {
      const commands = readFileSync(join(folder, page), 'utf8').matchAll(/npx returnit ([^\n`|)]*)/g);
      for (const [, line = ''] of commands) assertCommand(program, line.trim().split(/\s+/));
    }
  });

  it('has every command of the command line', () => {
    const groups = program.commands.flatMap((command) =>
      command.commands.length === 0
        ? [command.name()]
        : command.commands.map((inner) => `${command.name()} ${inner.name()}`),
    );
    for (const name of groups) assert.ok(text.includes(`\`npx returnit ${name}`), name);
  });

  it('names scripts of package.json', () => {
    for (const [, script = ''] of text.matchAll(/npm (?:run )?(start|test|demo|check|bench|[a-z]+:[a-z]+)\b/g)) {
      assert.ok(script in scripts, script);
    }
  });
});

describe('plugins', () => {
  it('each have a README.md that the map links to', () => {
    for (const entry of readdirSync(join(root, 'plugins'), { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      assert.ok(existsSync(join(root, 'plugins', entry.name, 'README.md')), entry.name);
      assert.ok(readSection(text, 'Map of the folders').includes(`plugins/${entry.name}/README.md`), entry.name);
    }
  });
});

function createProgram(): Command {
  const config = loadConfig({});
  const { stdin, stdout } = process;
  const program = new Command('returnit');
  registerStartCommand(program, {
    loadConfig: () => config,
    projectDir: root,
    stdin,
    stdout,
    stopSignal: new AbortController().signal,
  });
  registerOtherCommands(program, { config, projectDir: root, stdout });
  return program;
}

function assertCommand(program: Command, words: readonly string[]): void {
  let command = program;
  for (const word of words) {
    if (word.startsWith('--')) {
      const flag = word.split('=')[0];
      assert.ok(flag === '--help' || command.options.some(({ long }) => long === flag), `${words.join(' ')}: ${word}`);
    } else if (command.commands.length > 0) {
      const inner = command.commands.find((candidate) => candidate.name() === word);
      assert.ok(inner !== undefined, `${words.join(' ')}: ${word}`);
      command = inner;
    }
  }
}

function isJson(code: string): boolean {
  const parses = (json: string): boolean => {
    try {
      JSON.parse(json);
      return true;
    } catch {
      return false;
    }
  };
  return parses(code) || code.trim().split('\n').every(parses);
}

function isErrorCode(name: string | undefined): boolean {
  return (readTables(text).get('errors') ?? []).some((line) => line.startsWith(`| \`${name}\` `));
}

/** As GitHub makes it. */
function toAnchor(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}
