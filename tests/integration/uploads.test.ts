import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

const mebibyte = 1_048_576;
const callTimeoutMs = 1000;

describe('a body in pieces', () => {
  let platform: TestPlatform;
  let token: string;
  before(async () => {
    platform = await startPlatform({
      fixtures: ['streamer'],
      config: { pluginRestartDelayMs: 2, pluginQuarantineDeaths: 100, httpBodyStallMs: 4 * callTimeoutMs },
    });
    await platform.reached('streamer', 'ready');
    token = await platform.token('ops', 'operator');
  });
  after(() => platform?.stop());

  function send(verb: string, path: string, contentType: string, length?: number): ClientRequest {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': contentType,
      ...(length === undefined ? {} : { 'content-length': length }),
    };
    const sent = request(`${platform.app.addresses.api}${path}`, { method: verb, agent: false, headers });
    // What becomes of it is told by the answer.
    sent.on('error', () => undefined);
    sent.flushHeaders();
    return sent;
  }
  const put = (length?: number): ClientRequest => send('PUT', '/streamer/file', 'image/png', length);
  const post = (): ClientRequest => send('POST', '/streamer/lines', 'application/x-ndjson');
  const answerOf = async (sent: ClientRequest): Promise<IncomingMessage> =>
    ((await once(sent, 'response')) as [IncomingMessage])[0];
  const counted = (outcome: string): Promise<number> =>
    platform.sample('returnit_http_uploads_total', { plugin: 'streamer', outcome });
  const open = (): Promise<number> => platform.sample('returnit_http_uploads_open', { plugin: 'streamer' });
  const receivedBytes = (): Promise<number> =>
    platform.sample('returnit_http_upload_bytes_total', { plugin: 'streamer' });

  async function codeOf(answer: IncomingMessage): Promise<string> {
    return (JSON.parse(await text(answer)) as { code: string }).code;
  }
  it('larger than a frame arrives whole, and goes out again as it is', async () => {
    const file = randomBytes(9 * mebibyte);
    const sent = put(file.length);
    sent.end(file);
    const answer = await answerOf(sent);
    const sha256 = createHash('sha256').update(file).digest('hex');
    assert.deepEqual(JSON.parse(await text(answer)), { bytes: file.length, sha256 });
    const response = await fetch(`${platform.app.addresses.api}/streamer/file`, {
      headers: { authorization: `Bearer ${token}` },
    });
    assert.equal(response.headers.get('content-type'), 'image/png');
    assert.equal(response.headers.get('content-disposition'), 'attachment; filename="file.png"');
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.ok(file.equals(Buffer.from(await response.arrayBuffer())));
  });

  it('may arrive more slowly than a call may take', async () => {
    const sent = put(4);
    for (const byte of 'slow') {
      const nextMs = performance.now() + 0.6 * callTimeoutMs;
      await until('it is time for the next byte', () => performance.now() > nextMs);
      sent.write(byte);
    }
    assert.equal((await answerOf(sent)).statusCode, 200);
  });

  it('of a client that stalls is answered by 408, of one that goes away it is forgotten', async () => {
    const slow = await counted('client_slow');
    const stalled = put(100);
    stalled.write('half');
    const answer = await answerOf(stalled);
    assert.deepEqual([answer.statusCode, await codeOf(answer)], [408, 'REQUEST_TIMEOUT']);
    assert.equal(await counted('client_slow'), slow + 1);
    const gone = put(100);
    gone.write('half');
    await until('it is being taken', async () => (await open()) === 1);
    gone.destroy();
    await until('it is counted', async () => (await counted('client_gone')) === 1);
    assert.equal(await open(), 0);
  });

  it('of which more is sent than a route takes is answered by 413', async () => {
    const sent = put();
    const chunk = Buffer.alloc(mebibyte);
    for (let index = 0; index < 12; index += 1) sent.write(chunk);
    const answer = await answerOf(sent);
    assert.deepEqual([answer.statusCode, await codeOf(answer)], [413, 'BODY_TOO_LARGE']);
    sent.destroy();
    await until('none is open', async () => (await open()) === 0);
  });

  it('is answered by 503 when the plugin is killed in the middle, and taken again after its restart', async () => {
    const before = await receivedBytes();
    const sent = put(100);
    sent.write('half');
    await until('the plugin reads it', async () => (await receivedBytes()) === before + 4);
    // Asked for before: it may come sooner than the death is known here.
    const answering = answerOf(sent);
    await platform.kill('streamer');
    const answer = await answering;
    assert.deepEqual([answer.statusCode, await codeOf(answer)], [503, 'PLUGIN_UNAVAILABLE']);
    sent.destroy();
    await platform.reached('streamer', 'ready');
    const again = put(4);
    again.end('file');
    assert.equal((await answerOf(again)).statusCode, 200);
    assert.equal(await open(), 0);
  });

  it('of lines is answered while it arrives, however long its client takes', async () => {
    const sent = post();
    sent.write('{"count":1}\n');
    const answer = await answerOf(sent);
    assert.equal(answer.statusCode, 200);
    let received = '';
    answer.setEncoding('utf8').on('data', (data: string) => (received += data));
    await until('the first is answered', () => received === '1 1\n');
    const nextMs = performance.now() + 2.5 * callTimeoutMs;
    await until('more than the time of a call has passed', () => performance.now() > nextMs);
    sent.write('nonsense\n');
    await until('the second is answered', () => received === '1 1\n2 MALFORMED_JSON\n');
    sent.end(`${Array.from({ length: 5000 }, (_, index) => `{"count":${index}}`).join('\n')}\n`);
    await once(answer, 'end');
    assert.equal(received.split('\n').length, 5003);
    assert.match(received, /\n5002 4999\n$/);
  });

  it('of lines is seen to be answered in part when the plugin hangs or is killed', async () => {
    for (const way of ['hang', 'die'] as const) {
      const failed = await platform.sample('returnit_http_streams_total', {
        plugin: 'streamer',
        outcome: 'plugin_failed',
      });
      const sent = post();
      sent.write('{"count":1}\n');
      const answer = await answerOf(sent);
      const body = assert.rejects(text(answer));
      if (way === 'hang') sent.write('{"count":2,"way":"hang"}\n');
      else await platform.kill('streamer');
      await body;
      sent.destroy();
      await until('it is counted', async () => {
        const labels = { plugin: 'streamer', outcome: 'plugin_failed' };
        return (await platform.sample('returnit_http_streams_total', labels)) === failed + 1;
      });
      await platform.reached('streamer', 'ready');
    }
    assert.equal(await open(), 0);
  });

  it('of lines is not read faster than the plugin takes them', async () => {
    const before = await receivedBytes();
    const sent = post();
    sent.write('{"count":1,"way":"hang"}\n');
    const line = `{"count":1${' '.repeat(60_000)}}\n`;
    for (let index = 0; index < 500; index += 1) sent.write(line);
    const answer = await answerOf(sent);
    assert.equal(answer.statusCode, 504);
    assert.ok((await receivedBytes()) - before < mebibyte, 'no more than it had asked for');
    sent.destroy();
    await until('none is open', async () => (await open()) === 0);
  });
});
