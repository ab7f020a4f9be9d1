/** A project folder with plugins, for tests of what the operator's files decide. */
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export async function createFolder(t: TestContext): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'returnit-test-')));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function writePlugin(
  folder: string,
  manifest: { readonly name: string; readonly [member: string]: unknown },
  files: Readonly<Record<string, string>> = {},
): Promise<string> {
  const plugin = join(folder, manifest.name);
  await mkdir(plugin, { recursive: true });
  await writeFile(join(plugin, 'plugin.json'), JSON.stringify({ version: '1.0.0', ...manifest }, null, 2));
  for (const [name, text] of Object.entries({ 'plugin.ts': 'export const plugin = { setup() {} };\n', ...files })) {
    await writeFile(join(plugin, name), text);
  }
  return plugin;
}
