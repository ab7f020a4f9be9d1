import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Api } from '../support/api-client.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

interface Seen {
  readonly made: number;
  readonly ended: number;
  readonly aborted: number;
}

const pieceLength = 65_536;

describe("a plugin's stream", () => {
  let platform: TestPlatform;
  let ops: Api;
  let token: string;
  before(async () => {
    platform = await startPlatform({
      fixtures: ['streamer'],
      config: { pluginRestartDelayMs: 2, pluginQuarantineDeaths: 100 },
    });
    await platform.reached('streamer', 'ready');
    ops = await platform.as('ops', 'operator');
    token = await platform.token('ops', 'operator');
  });
  after(() => platform?.stop());

  const open = (query: string, signal?: AbortSignal): Promise<Response> =>
    fetch(`${platform.app.addresses.api}/streamer/stream?${query}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: signal ?? null,
    });
  const seen = (): Promise<Seen> => ops.ok<Seen>('GET', '/streamer/seen');
  const counted = (outcome: string): Promise<number> =>
    platform.sample('returnit_http_streams_total', { plugin: 'streamer', outcome });

  it('is larger than a frame, and whole', async () => {
    const response = await open('pieces=100');
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8');
    const text = await response.text();
    assert.ok(text.length > platform.config.pluginFrameMaxBytes);
    assert.equal(text.length, 100 * pieceLength);
  });

  it('cuts up a piece that is too large for a frame, never within a character', async () => {
    assert.equal(await (await open('pieces=0&way=long')).text(), '😀'.repeat(100_000));
  });

  it('makes no more than the client takes, and ends when the client goes away', async () => {
    const before = await seen();
    const abort = new AbortController();
    const response = await open('pieces=100000', abort.signal);
    const reader = response.body?.getReader();
    await reader?.read();
    let made = -1;
    await until('no more is made', async () => {
      const known = made;
      made = (await seen()).made;
      return made > before.made && made === known;
    });
    assert.ok(made - before.made < 1000, `${made - before.made} pieces were made`);
    abort.abort();
    await until('it is ended', async () => {
      const { ended, aborted } = await seen();
      return ended === before.ended + 1 && aborted === before.aborted + 1;
    });
    assert.equal(await counted('client_gone'), 1);
  });

  for (const [way, code] of [
    ['hang', 'TIMEOUT'],
    ['throw', 'PLUGIN_FAILED'],
    ['number', 'PLUGIN_FAILED'],
    ['die', 'PLUGIN_UNAVAILABLE'],
  ] as const) {
    it(`is seen to be incomplete when the plugin fails in the middle: ${way}`, async () => {
      const failed = await counted('plugin_failed');
      await assert.rejects(async () => (await open(`way=${way}`)).text());
      await until('it is counted', async () => (await counted('plugin_failed')) === failed + 1);
      assert.ok(platform.logs.some((line) => line.msg === 'Stream cut off' && line['code'] === code));
      if (way === 'die') {
        await platform.died('streamer', 1);
        await platform.reached('streamer', 'ready');
      }
      assert.equal((await (await open('pieces=2')).text()).length, 2 * pieceLength);
    });
  }
});
