import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseGrants } from '#core/plugin-host/permissions/grants.ts';
import { listPluginFiles } from '#core/plugin-host/manifest/plugin-files.ts';
import { readManifest, requestedResources, type Manifest } from '#core/plugin-host/manifest/manifest.ts';
import { driverErrors } from '../../plugins/drivers/errors.ts';
import { notificationErrors } from '../../plugins/notifications/errors.ts';
import { orderErrors } from '../../plugins/orders/errors.ts';
import { paymentErrors } from '../../plugins/payments/errors.ts';
import { trackingErrors } from '../../plugins/tracking/errors.ts';
import { webhookErrors } from '../../plugins/webhooks/errors.ts';

const root = new URL('../../plugins/', import.meta.url).pathname;
const codes = {
  drivers: driverErrors,
  notifications: notificationErrors,
  orders: orderErrors,
  payments: paymentErrors,
  tracking: trackingErrors,
  webhooks: webhookErrors,
};

/** What plugins are bundled with. */
const packages = ['#plugin-api', 'typebox', 'stripe', 'h3-js', 'standardwebhooks'];

const builtins = /^node:(path|url|util|events|buffer|stream|crypto|timers|assert|async_hooks|string_decoder)$/;

async function readSources(folder: string): Promise<string> {
  const files = await listPluginFiles(folder);
  return files
    .filter(({ path }) => path.endsWith('.ts'))
    .map(({ path }) => readFileSync(join(folder, path), 'utf8'))
    .join('\n');
}

for (const [name, errors] of Object.entries(codes)) {
  describe(`plugins/${name}`, () => {
    const folder = join(root, name);
    const readme = readFileSync(join(folder, 'README.md'), 'utf8');
    const manifest = (): Promise<Manifest> => readManifest(join(folder, 'plugin.json'));

    it('has the form of a plugin folder', () => {
      for (const file of ['README.md', 'plugin.json', 'plugin.ts', 'routes.ts', 'errors.ts', 'migrations']) {
        assert.ok(existsSync(join(folder, file)), file);
      }
      const wiring = readFileSync(join(folder, 'plugin.ts'), 'utf8').trim().split('\n').length;
      assert.ok(wiring <= 80, `plugin.ts has ${wiring} lines`);
      for (const part of ['**Owns**', '**Consumes**', '**Emits**', '**Fails like this**', '**Drill**']) {
        assert.ok(readme.includes(part), `README.md has no ${part}`);
      }
    });

    it('is granted exactly what it asks for and cannot do without', async () => {
      const text = readFileSync(join(root, 'grants.json'), 'utf8');
      const { grants } = parseGrants(text, 'plugins/grants.json').grants;
      const { reason: _reason, grantedBy: _grantedBy, at: _at, ...granted } = grants[name] ?? {};
      const { permissions } = await manifest();
      const needed = Object.entries(permissions).filter(([, section]) => !('optional' in section && section.optional));
      assert.deepEqual(granted, requestedResources({ permissions: Object.fromEntries(needed) }));
    });

    it('records exactly the metrics that it declares, and its README names them', async () => {
      const used = new Set((await readSources(folder)).match(/returnit_[a-z_]+/g) ?? []);
      const declared = Object.keys((await manifest()).metrics);
      assert.deepEqual([...used].toSorted(), declared.toSorted());
      for (const metric of declared) assert.ok(readme.includes(metric), metric);
    });

    it('has its error codes and events in its README', async () => {
      for (const code of Object.keys(errors)) assert.ok(readme.includes(`\`${code}\``), code);
      const { events = {} } = (await manifest()).permissions;
      for (const event of [...(events.subscribe ?? []), ...(events.publish ?? [])]) {
        if (!event.endsWith('*')) assert.ok(readme.includes(`\`${event}\``), event);
      }
    });

    it('imports its own files, the plugin API, packages and what the sandbox leaves of Node', async () => {
      const imports = [...(await readSources(folder)).matchAll(/^(import .*|\} )from '([^']+)';$/gm)];
      for (const [statement, , from = ''] of imports) {
        if (from.startsWith('node:')) assert.match(from, builtins, statement);
        else if (from.startsWith('.')) assert.doesNotMatch(from, /\.\.\/\.\.|core/, statement);
        else assert.ok(packages.includes(from), statement);
      }
      assert.ok(imports.length > 0);
    });
  });
}
