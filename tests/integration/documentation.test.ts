/** The documentation of a whole platform: its examples are right, its commands run. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formatsPlugin from 'ajv-formats';
import { roles } from '#core/http/authentication.ts';
import { toPdf, toPng } from '../plugins/orders/files.ts';
import type { OpenApi } from '../support/openapi-check.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { paste } from '../support/shell.ts';

interface Example {
  readonly where: string;
  readonly schema: object;
  readonly value: unknown;
}

/** Of parameters, bodies and answers. */
function examplesOf(document: OpenApi): readonly Example[] {
  return Object.entries(document.paths).flatMap(([template, verbs]) =>
    Object.entries(verbs).flatMap(([verb, { parameters, requestBody, responses }]) => {
      const where = `${verb.toUpperCase()} ${template}`;
      const parts: readonly (readonly [string, unknown])[] = [
        ...parameters.map((parameter) => [`${where} ${parameter.name}`, parameter] as const),
        ...Object.values(requestBody?.content ?? {}).map((content) => [`${where} body`, content] as const),
        ...Object.entries(responses).flatMap(([status, { content = {} }]) =>
          Object.values(content).map((each) => [`${where} ${status}`, each] as const),
        ),
      ];
      return parts.flatMap(([name, part]) => {
        const { schema = {}, ...rest } = part as { readonly schema?: object; readonly example?: unknown };
        return 'example' in rest ? [{ where: name, schema, value: rest.example }] : [];
      });
    }),
  );
}

/** A plugin that could not start in time is started again. */
async function allReady(platform: TestPlatform): Promise<void> {
  for (const { name } of platform.app.plugins()) await platform.reached(name, 'ready');
}

const unescape = (html: string): string =>
  html
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');

/** Secrets of webhooks are sealed with it. */
const webhookKey = 'WEBHOOKS_SECRET_KEY';

describe('the documentation of a platform', { timeout: 300_000 }, () => {
  let platform: TestPlatform;
  let document: OpenApi;
  let page: string;
  let files: string;

  before(async () => {
    files = await mkdtemp(path.join(tmpdir(), 'returnit-docs-'));
    await writeFile(path.join(files, 'file.pdf'), toPdf());
    await writeFile(path.join(files, 'file.png'), toPng());
    process.env[webhookKey] = Buffer.alloc(32, 7).toString('base64');
    platform = await startPlatform();
    await allReady(platform);
    document = await platform.openApi();
    const ops = await platform.as('ops', 'operator');
    await ops.ok('POST', '/drivers', { driverId: 'd1', name: 'The driver of the examples', vehicle: 'van' });
    page = await (await fetch(`${platform.app.addresses.api}/docs`)).text();
  });
  after(async () => {
    await platform?.stop();
    Reflect.deleteProperty(process.env, webhookKey);
    await rm(files, { recursive: true });
  });

  it('has an example of every body, every answer and every parameter that must be there', () => {
    const there = new Set(examplesOf(document).map(({ where }) => where));
    for (const [template, verbs] of Object.entries(document.paths)) {
      for (const [verb, operation] of Object.entries(verbs)) {
        // The core's own pages answer what has no schema of its own.
        if (operation.tags.includes('core') && !template.startsWith('/jobs') && !template.startsWith('/plugins'))
          continue;
        const where = `${verb.toUpperCase()} ${template}`;
        // Files and lines are no values that a page could show.
        const types = Object.keys(operation.requestBody?.content ?? {});
        if (types.includes('application/json')) assert.ok(there.has(`${where} body`), `${where} body`);
        for (const { name, required } of operation.parameters)
          if (required) assert.ok(there.has(`${where} ${name}`), `${where} ${name}`);
        for (const status of Object.keys(operation.responses).filter((each) => /^20[0-3]$/.test(each))) {
          assert.ok(there.has(`${where} ${status}`), `${where} ${status}`);
        }
      }
    }
  });

  it('has only examples that match their schemas', () => {
    const ajv = new Ajv2020({ allErrors: true, strict: false });
    // Its types say that the module is the default member; the module itself is callable.
    (formatsPlugin as unknown as (ajv: Ajv2020) => void)(ajv);
    const examples = examplesOf(document);
    assert.ok(examples.length > 60, String(examples.length));
    for (const { where, schema, value } of examples) {
      const validate = ajv.compile({ ...schema, components: document.components });
      assert.ok(validate(value), `${where}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`);
    }
  });

  /** The command of an operation, as somebody would copy it from the page. */
  const commandOf = (operationId: string): string => {
    const section = page.slice(page.indexOf(`id="${operationId}"`));
    return unescape(/<code>(curl[^<]*)<\/code>/.exec(section)?.[1] ?? '');
  };

  async function call(operationId: string): Promise<{ readonly status: number; readonly text: string }> {
    const tokens = await Promise.all(
      roles.map(async (role) => [`${role.toUpperCase()}_TOKEN`, await platform.token(role, 'd1')] as const),
    );
    const command = `${commandOf(operationId)} -w '\n%{http_code}'`;
    // With the files that the commands send.
    const { code, stdout, stderr } = await paste(command, { cwd: files, environment: Object.fromEntries(tokens) });
    assert.equal(code, 0, `${command}\n${stderr}`);
    const end = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(end + 1)), text: stdout.slice(0, end) };
  }

  it('has commands that work when they are pasted', async () => {
    const expected: readonly (readonly [operationId: string, status: number])[] = [
      ['post_drivers', 201],
      ['post_drivers_driverId_devices', 201],
      ['get_drivers_driverId', 200],
      ['post_drivers_driverId_shift', 200],
      ['get_drivers', 200],
      ['post_orders', 201],
      ['get_orders', 200],
      // There is no order with the id of the examples: who pastes it is told so, and not that the request is wrong.
      ['get_orders_orderId', 404],
      ['post_orders_orderId_cancel', 404],
      ['get_tracking_drivers', 200],
      ['get_jobs_queues', 200],
      ['get_plugins', 200],
      ['get_openapi_json', 200],
      ['get_well_known_jwks_json', 200],
    ];
    for (const [operationId, status] of expected) {
      const pasted = await call(operationId);
      assert.equal(pasted.status, status, `${commandOf(operationId)}\n${pasted.text}`);
    }
  });

  it('has a command for each operation, and none of them is refused as malformed', async () => {
    const ids = Object.values(document.paths).flatMap((verbs) =>
      Object.values(verbs).map(({ operationId }) => operationId),
    );
    assert.ok(ids.length > 40);
    const malformed: string[] = [];
    for (const id of ids) {
      const { status, text } = await call(id);
      // Nobody has granted this platform the example's host: it says so.
      if (text.includes('"WEBHOOK_URL_NOT_ALLOWED"')) continue;
      if ([400, 403, 405, 415, 422].includes(status) || status >= 500) {
        malformed.push(`${commandOf(id)}\n${status} ${text}`);
      }
    }
    assert.deepEqual(malformed, []);
  });
});
