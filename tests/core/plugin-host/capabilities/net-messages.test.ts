import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { createFetch, startServer } from './net-fixture.ts';

describe('net.fetch and messages', { timeout: 60_000 }, () => {
  it('sends method, headers and body, and sets itself what belongs to the connection', async (t) => {
    const { port, requests } = await startServer(t, (_request, response) =>
      response
        .writeHead(
          201,
          [
            ['set-cookie', 'a=1'],
            ['set-cookie', 'b=2'],
            ['x-answer', 'yes'],
          ].flat(),
        )
        .end(Buffer.from([0, 255])),
    );
    const { fetch } = await createFetch(t, { hosts: [`127.0.0.0/8:${port}`] });
    const { status, headers, body } = await fetch(`http://127.0.0.1:${port}/charge?x=1#part`, {
      method: 'POST',
      headers: [
        ['host', 'evil.example'],
        ['Content-Length', '1'],
        ['transfer-encoding', 'chunked'],
        ['connection', 'upgrade'],
        ['x-mine', 'yes'],
      ],
      body: Buffer.from('{"amount":1}').toString('base64'),
    });
    assert.equal(status, 201);
    assert.equal(body, Buffer.from([0, 255]).toString('base64'));
    assert.deepEqual(
      headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value),
      ['a=1', 'b=2'],
    );
    const [request] = requests;
    assert.deepEqual([request?.method, request?.url, request?.body], ['POST', '/charge?x=1', '{"amount":1}']);
    assert.equal(request?.headers.host, `127.0.0.1:${port}`);
    assert.equal(request?.headers['content-length'], '12');
    assert.equal(request?.headers['x-mine'], 'yes');
    for (const bad of ['a b', 'a\n', ''])
      await assert.rejects(fetch(`http://127.0.0.1:${port}/`, { headers: [[bad, 'x']] }), { code: 'FETCH_FAILED' });
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`, { headers: [['x', 'a\r\nb: c']] }), {
      code: 'FETCH_FAILED',
    });
  });

  it('decodes bodies, and leaves alone what it does not know', async (t) => {
    const text = 'hello '.repeat(100);
    const encoded: Readonly<Record<string, Buffer>> = {
      gzip: gzipSync(text),
      'X-GZIP': gzipSync(text),
      deflate: deflateSync(text),
      br: brotliCompressSync(text),
      zstd: zstdCompressSync(text),
      'deflate, gzip': gzipSync(deflateSync(text)),
      identity: Buffer.from(text),
      'own-kind': Buffer.from(text),
    };
    const { port } = await startServer(t, (request, response) => {
      const encoding = decodeURIComponent(request.url?.slice(1) ?? '');
      response.writeHead(200, { 'content-encoding': encoding }).end(request.method === 'HEAD' ? '' : encoded[encoding]);
    });
    const { fetch } = await createFetch(t, { hosts: [`127.0.0.0/8:${port}`] });
    for (const encoding of Object.keys(encoded)) {
      const url = `http://127.0.0.1:${port}/${encodeURIComponent(encoding)}`;
      assert.equal((await fetch(url)).text, text, encoding);
      assert.equal((await fetch(url, { method: 'HEAD' })).text, '', encoding);
    }
  });

  it('ends broken encodings with an error', async (t) => {
    const { port } = await startServer(t, (_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('no gzip at all'),
    );
    const { fetch } = await createFetch(t, { hosts: [`127.0.0.0/8:${port}`] });
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`), { code: 'FETCH_FAILED', message: /Z_DATA_ERROR$/ });
  });

  it('takes no more than the limit, endless and encoded bodies included', async (t) => {
    let closed: Promise<unknown> | undefined;
    const { port } = await startServer(t, (request, response) => {
      if (request.url === '/bomb') {
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(50_000_000)));
      } else if (request.url === '/exact') {
        response.end(Buffer.alloc(100_000));
      } else {
        closed = once(response, 'close');
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(16_384)));
        };
        response.on('drain', more);
        more();
      }
    });
    const { fetch } = await createFetch(t, {
      hosts: [`127.0.0.0/8:${port}`],
      config: { netResponseMaxBytes: 100_000 },
    });
    const url = `http://127.0.0.1:${port}`;
    assert.equal((await fetch(`${url}/exact`)).text.length, 100_000);
    const tooLarge = { code: 'FETCH_FAILED', message: /the response has more than 100000 bytes$/ };
    await assert.rejects(fetch(`${url}/bomb`), tooLarge);
    await assert.rejects(fetch(`${url}/endless`), tooLarge);
    await closed;
  });

  it('ends at the deadline, before the headers and in the body, and drops the connection', async (t) => {
    const closed: Promise<unknown>[] = [];
    const { port } = await startServer(t, (request, response) => {
      closed.push(once(response, 'close'));
      if (request.url === '/body') response.write('beginning');
    });
    const { fetch } = await createFetch(t, { hosts: [`127.0.0.0/8:${port}`] });
    for (const path of ['headers', 'body']) {
      await assert.rejects(fetch(`http://127.0.0.1:${port}/${path}`, { timeoutMs: 200 }), { code: 'TIMEOUT' });
    }
    assert.equal((await Promise.all(closed)).length, 2);
  });

  it('says what went wrong with the connection', async (t) => {
    const { port } = await startServer(t, (request) => request.socket.destroy());
    const { fetch } = await createFetch(t, { hosts: ['127.0.0.0/8'] });
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`), { code: 'FETCH_FAILED', message: /UND_ERR_SOCKET$/ });
    await assert.rejects(fetch('http://127.0.0.1:1/'), {
      code: 'FETCH_FAILED',
      message: 'Cannot fetch 127.0.0.1:1: ECONNREFUSED',
    });
    await assert.rejects(fetch(`https://127.0.0.1:${port}/`), { code: 'FETCH_FAILED' });
  });

  it('reads no more of an answer than is wanted, however long it is, and has its status', async (t) => {
    const { port } = await startServer(t, (request, response) => {
      if (request.url === '/endless') {
        response.writeHead(200);
        const write = (): boolean =>
          response.destroyed || response.write('x'.repeat(65_536), () => setImmediate(write));
        return write();
      }
      if (request.url === '/bomb')
        return response.writeHead(500, { 'content-encoding': 'gzip' }).end(gzipSync('a'.repeat(5_000_000)));
      return response.end('short');
    });
    const { fetch } = await createFetch(t, { hosts: [`127.0.0.0/8:${port}`], config: { netResponseMaxBytes: 1000 } });
    const ask = async (path: string, responseMaxBytes: number) => {
      const { status, text } = await fetch(`http://127.0.0.1:${port}${path}`, { responseMaxBytes });
      return [status, text];
    };
    assert.deepEqual(await ask('/endless', 10), [200, 'x'.repeat(10)]);
    assert.deepEqual(await ask('/bomb', 3), [500, 'aaa']);
    assert.deepEqual(await ask('/short', 3), [200, 'sho']);
    assert.deepEqual(await ask('/short', 5), [200, 'short']);
    assert.deepEqual(await ask('/short', 0), [200, '']);
    // No plugin gets more than the operator allows by asking for more.
    await assert.rejects(ask('/endless', 1001), { code: 'FETCH_FAILED', message: /has more than 1000 bytes$/ });
  });
});
