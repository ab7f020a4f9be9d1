import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import fc from 'fast-check';
import type { Line } from '#plugin-api';
import type { Config } from '#core/config/settings.ts';
import { readSample } from '../../support/platform.ts';
import { until } from '../../support/until.ts';
import { createFakePlugin, startHttpFixture, type FakePlugin, type HttpFixture } from './http-fixture.ts';
import { problemOf } from './http-problem.ts';

const type = 'application/x-ndjson';
const schema = {
  type: 'object',
  required: ['grams'],
  properties: { grams: { type: 'integer', minimum: 1 }, note: { type: 'string' } },
  additionalProperties: false,
};

interface Reader extends FakePlugin {
  readonly lines: Line[];
  readonly failures: string[];
}

describe('a body of lines', () => {
  let fixture: HttpFixture;
  afterEach(() => fixture.stop());

  async function start(config: Partial<Config> = {}): Promise<Reader> {
    fixture = await startHttpFixture(config);
    const plugin = Object.assign(createFakePlugin(), { lines: [] as Line[], failures: [] as string[] });
    const fetch = async (body: unknown): Promise<readonly Line[] | undefined> => {
      try {
        const { lines = [], done } = await fixture.read(plugin, body);
        plugin.lines.push(...lines);
        return done ? undefined : lines;
      } catch (error) {
        plugin.failures.push((error as { code: string }).code);
        throw error;
      }
    };
    let number: unknown;
    plugin.handler = async ({ body, query }) => {
      number = body;
      if ((query as { stream?: string }).stream !== undefined) return { status: 200, contentType: type, stream: 1 };
      while ((await fetch(body)) !== undefined);
      return { status: 200, body: { lines: plugin.lines.length } };
    };
    plugin.piece = async ({ end }) => {
      if (end === true) return { bytes: '', done: true };
      const lines = await fetch(number);
      if (lines === undefined) return { bytes: '', done: true };
      return {
        bytes: Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join('')).toString('base64'),
        done: false,
      };
    };
    await fixture.route(plugin, {
      verb: 'post',
      path: '/lines',
      roles: 'public',
      bodyAs: 'lines',
      body: schema,
      query: { type: 'object', properties: { stream: { type: 'string' } } },
      streams: { contentTypes: [type], handler: 1 },
    });
    return plugin;
  }
  const post = (body: string | Uint8Array<ArrayBuffer>, path = '/lines'): Promise<Response> =>
    fixture.request(path, { method: 'POST', body, headers: { 'content-type': type } });
  const head = (path = '/lines'): string =>
    `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n`;
  const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
  const ended = (outcome: string): Promise<true> =>
    until(`it ended as ${outcome}`, async () => {
      const text = await fixture.metrics();
      return readSample(text, 'returnit_http_uploads_total', { plugin: 'orders', outcome }) === 1;
    });

  it('reaches the plugin as parsed lines, each with its number; blank ones count and are left out', async () => {
    const plugin = await start();
    const answer = await post('\uFEFF{"grams":1}\r\n\n  \t\n{"grams":2,"note":"é\\n"}\n{"grams":3}');
    assert.deepEqual(await answer.json(), { lines: 3 });
    assert.deepEqual(plugin.lines, [
      { line: 1, value: { grams: 1 } },
      { line: 4, value: { grams: 2, note: 'é\n' } },
      { line: 5, value: { grams: 3 } },
    ]);
    await ended('complete');
  });

  it('tells of each line that cannot be taken what is wrong with it, and goes on', async () => {
    const plugin = await start({ httpLineMaxBytes: 60 });
    const broken = Buffer.from([0x22, 0xff, 0x22]).toString('latin1');
    const lines = [
      '{"grams":0,"x":1}',
      '{"grams":',
      `{"note":"${'y'.repeat(200)}"}`,
      '"\\ud800"',
      broken,
      '{"grams":9}',
    ];
    await post(Buffer.from(`${lines.join('\n')}\n`, 'latin1'));
    const told = plugin.lines.map((line) => ('problem' in line ? line.problem : line.value));
    assert.deepEqual(
      told.map((line) => (line as { code?: string }).code),
      ['VALIDATION_FAILED', 'MALFORMED_JSON', 'BODY_TOO_LARGE', 'MALFORMED_JSON', 'MALFORMED_JSON', undefined],
    );
    assert.deepEqual(told.at(-1), { grams: 9 });
    const [first, second, third] = told as { detail: string; status: number; errors?: unknown }[];
    assert.deepEqual([first?.status, second?.status, third?.status], [422, 400, 413]);
    assert.deepEqual(first?.errors, [
      { in: 'body', pointer: '#/x', detail: 'is not a known field; known are "grams", "note"' },
      { in: 'body', pointer: '#/grams', detail: 'must be >= 1: it is 0' },
    ]);
    assert.match(second?.detail ?? '', /^Cannot parse the line as JSON: it ends too early at line 1/);
    assert.match(third?.detail ?? '', /at most 60 bytes/);
  });

  it('is the same however it is cut into pieces', async () => {
    const plugin = await start({ pluginFrameMaxBytes: 1024 });
    const line = fc.oneof(
      fc.constant(''),
      fc.constant('{'),
      fc.nat(300).map((n) => `{"grams":1,"note":"${'é'.repeat(n)}"}`),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 12 }), fc.array(fc.nat(40)), async (lines, cuts) => {
        plugin.lines.length = 0;
        const bytes = Buffer.from(`${lines.join('\n')}\n`);
        const socket = await fixture.openSocket();
        socket.write(head());
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          const part = bytes.subarray(at, at + cut);
          at += part.length;
          if (part.length > 0)
            socket.write(Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]));
        }
        socket.write('0\r\n\r\n');
        await once(socket, 'data');
        socket.destroy();
        const expected = lines.flatMap((text, index) =>
          text === '' ? [] : [[index + 1, text.startsWith('{"') && Buffer.byteLength(text) <= 128]],
        );
        assert.deepEqual(
          plugin.lines.map((each) => [each.line, 'value' in each]),
          expected,
        );
      }),
      { numRuns: 40 },
    );
  });

  it('is answered line by line while it still arrives', async () => {
    await start();
    const socket = await fixture.openSocket();
    let received = '';
    socket.on('data', (data: string) => (received += data));
    socket.write(head('/lines?stream=yes'));
    for (const grams of [1, 2, 3]) {
      socket.write(chunk(`{"grams":${grams}}\n`));
      await until(`line ${grams} is answered`, () => received.includes(`{"line":${grams},"value":{"grams":${grams}}}`));
    }
    socket.write('0\r\n\r\n');
    await until('the answer is complete', () => received.endsWith('0\r\n\r\n'));
    assert.match(received, /^HTTP\/1\.1 200 OK\r\n.*content-type: application\/x-ndjson; charset=utf-8\r\n/s);
  });

  it('is taken whole from a client that reads its answer only afterwards', async () => {
    await start({ httpStreamStallMs: 2000 });
    const socket = await fixture.openSocket();
    socket.pause();
    socket.write(head('/lines?stream=yes'));
    const note = 'x'.repeat(150);
    for (let batch = 0; batch < 100; batch += 1)
      socket.write(
        chunk(
          Array.from({ length: 100 }, (_, index) => `{"grams":${batch * 100 + index + 1},"note":"${note}"}\n`).join(''),
        ),
      );
    socket.write('0\r\n\r\n');
    await ended('complete');
    let received = '';
    socket.on('data', (data: string) => (received += data));
    socket.resume();
    await until('the answer is complete', () => received.endsWith('0\r\n\r\n'));
    assert.equal(received.match(/"line":/g)?.length, 10_000);
  });

  it('has at most HTTP_LINES_MAX lines: those are handed over, then it fails', async () => {
    const plugin = await start({ httpLinesMax: 3 });
    const problem = await problemOf(await post('{"grams":1}\n\n{"grams":2}\n{"grams":3}\n{"grams":4}\n'));
    assert.deepEqual([problem.status, problem.code], [413, 'BODY_TOO_LARGE']);
    assert.match(problem.detail, /at most 3 lines/);
    assert.equal(plugin.lines.length, 3);
    await ended('too_large');
  });

  it('has at most HTTP_LINES_MAX_BYTES', async () => {
    await start({ httpLinesMaxBytes: 100 });
    assert.equal((await post('{"grams":1}\n'.repeat(9))).status, 413);
    assert.match(
      await fixture.raw(`${head()}${chunk('{"grams":1}\n'.repeat(9))}`),
      /^HTTP\/1\.1 413 .*at most 100 bytes/s,
    );
  });

  it('that stalls is given up: 408, or a stream that is seen to be incomplete', async () => {
    const plugin = await start({ httpBodyStallMs: 100 });
    assert.match(await fixture.raw(`${head()}${chunk('{"grams":1}\n{"gr')}`), /^HTTP\/1\.1 408 .*REQUEST_TIMEOUT/s);
    assert.deepEqual(plugin.lines, [{ line: 1, value: { grams: 1 } }]);
    const streamed = await fixture.raw(`${head('/lines?stream=yes')}${chunk('{"grams":1}\n{"gr')}`);
    assert.match(streamed, /^HTTP\/1\.1 200 .*"line":1/s);
    assert.doesNotMatch(streamed, /0\r\n\r\n$/);
  });

  it('must arrive within HTTP_LINES_TIMEOUT_MS', async () => {
    await start({ httpLinesTimeoutMs: 300 });
    const socket = await fixture.openSocket();
    socket.write(head());
    const drip = setInterval(() => socket.write(chunk('{"grams":1}\n')), 20);
    const [answer] = (await once(socket, 'data')) as [string];
    clearInterval(drip);
    assert.match(answer, /^HTTP\/1\.1 408 .*within 300 ms/s);
  });

  it('may take longer than other requests', async () => {
    const plugin = await start({ httpRequestTimeoutMs: 50, httpLinesTimeoutMs: 60_000 });
    const socket = await fixture.openSocket();
    socket.write(`${head()}${chunk('{"grams":1}\n')}`);
    await until('the line is there', () => plugin.lines.length === 1);
    const waitUntilMs = performance.now() + 1500;
    await until('Node has looked for late requests', () => performance.now() > waitUntilMs);
    socket.write(`${chunk('{"grams":2}\n')}0\r\n\r\n`);
    assert.match(String(await once(socket, 'data')), /^HTTP\/1\.1 200 /);
  });

  it('whose client goes away fails in the plugin', async () => {
    const plugin = await start();
    const socket = await fixture.openSocket();
    socket.write(`${head()}${chunk('{"grams":1}\n')}`);
    await until('the line is there', () => plugin.lines.length === 1);
    socket.destroy();
    await until('the plugin knows', () => plugin.failures.includes('CANCELLED'));
    await ended('client_gone');
  });

  it('that the plugin does not read to its end does not hold up the answer', async () => {
    const plugin = await start();
    plugin.handler = () => ({ status: 200, body: { enough: true } });
    const socket = await fixture.openSocket();
    socket.write(`${head()}${chunk('{"grams":1}\n')}`);
    assert.match(String(await once(socket, 'data')), /^HTTP\/1\.1 200 .*enough/s);
    await once(socket, 'close');
    await ended('unread');
  });

  it('is of the content types of NDJSON, and its line stands in the description of the API', async () => {
    await start();
    assert.equal((await fixture.request('/lines', { json: { grams: 1 } })).status, 415);
    const { paths } = (await (await fixture.request('/openapi.json')).json()) as {
      paths: Record<string, { post: { requestBody: { content: Record<string, { schema: object }> } } }>;
    };
    const { content } = paths['/lines']?.post.requestBody ?? { content: {} };
    assert.deepEqual(Object.keys(content), [type, 'application/ndjson', 'application/jsonl']);
    assert.deepEqual(content[type]?.schema, schema);
  });
});
