import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { at, createFetch, denied, hello, publicAddress, resolveTo, startServer } from './net-fixture.ts';

describe('net.fetch and addresses', { timeout: 60_000 }, () => {
  it('refuses hosts that are not granted, whatever they are spelled like', async (t) => {
    const { port, requests } = await startServer(t, hello);
    const { fetch, denials } = await createFetch(t, { hosts: ['api.example.com:443', '*.example.org:443'] });
    const spellings = [
      '127.0.0.1',
      '0x7f.1',
      '2130706433',
      '0177.0.0.1',
      '127.1',
      'localhost',
      '[::1]',
      '[::ffff:127.0.0.1]',
    ];
    for (const host of spellings) {
      await assert.rejects(fetch(`http://${host}:${port}/`), { code: 'NOT_CAPABLE' }, host);
    }
    await assert.rejects(fetch('http://api.example.com/'), denied('api.example.com:80'));
    await assert.rejects(fetch('https://example.org/'), denied('example.org:443'));
    assert.equal((await denials()).length, spellings.length + 2);
    assert.equal(requests.length, 0);
  });

  it('opens a private address only by a granted block, under each of its spellings', async (t) => {
    const { port, requests } = await startServer(t, hello);
    const { fetch } = await createFetch(t, { hosts: [`127.0.0.0/8:${port}`, '*:1'] });
    for (const host of ['127.0.0.1', '0x7f.1', '2130706433', '127.1']) {
      const { status, statusText, text } = await fetch(`http://${host}:${port}/`);
      assert.deepEqual([status, statusText, text], [200, 'OK', 'hello'], host);
    }
    assert.equal(requests.length, 4);
    await assert.rejects(fetch('http://127.0.0.1:1/'), {
      code: 'NOT_CAPABLE',
      message: /private address: only a block such as "127\.0\.0\.1\/32:1", requested and granted, opens it$/,
    });
    await assert.rejects(fetch('http://10.0.0.1:1/'), { code: 'NOT_CAPABLE' });
    await assert.rejects(fetch('http://169.254.169.254:1/latest/meta-data'), { code: 'NOT_CAPABLE' });
  });

  it('reaches IPv6 addresses by their literals', async (t) => {
    const { port } = await startServer(t, hello, '::1');
    const { fetch } = await createFetch(t, { hosts: [`[::1/128]:${port}`] });
    assert.equal((await fetch(`http://[::1]:${port}/`)).text, 'hello');
    assert.equal((await fetch(`http://[0:0:0:0:0:0:0:1]:${port}/`)).text, 'hello');
  });

  it('does not let a granted name lead to a private address', async (t) => {
    const { port, requests } = await startServer(t, hello);
    const hosts = {
      'inside.example': ['127.0.0.1'],
      'both.example': [publicAddress, '127.0.0.1'],
      'six.example': ['::1'],
      'mapped.example': ['::ffff:127.0.0.1'],
      'cloud.example': ['169.254.169.254'],
    };
    const { fetch, denials } = await createFetch(t, {
      hosts: Object.keys(hosts).map((host) => `${host}:${port}`),
      resolve: resolveTo(hosts),
    });
    for (const host of Object.keys(hosts))
      await assert.rejects(fetch(`http://${host}:${port}/`), { code: 'NOT_CAPABLE' });
    assert.deepEqual((await denials()).toSorted(), [
      `127.0.0.1:${port}`,
      `127.0.0.1:${port}`,
      `169.254.169.254:${port}`,
      `[::1]:${port}`,
      `[::ffff:127.0.0.1]:${port}`,
    ]);
    assert.equal(requests.length, 0);
  });

  it('needs the name and the block together', async (t) => {
    const { port } = await startServer(t, hello);
    const resolve = resolveTo({ 'inside.example': ['127.0.0.1'], 'other.example': ['127.0.0.1'] });
    const { fetch } = await createFetch(t, { hosts: [`inside.example:${port}`, '127.0.0.0/8'], resolve });
    assert.equal((await fetch(`http://inside.example:${port}/`)).text, 'hello');
    await assert.rejects(fetch(`http://other.example:${port}/`), denied(`other.example:${port}`));
  });

  it('connects to the address that was checked, not to what the name has become since', async (t) => {
    const { port, requests } = await startServer(t, hello);
    const asked: string[] = [];
    const answers = [['127.0.0.2'], ['127.0.0.1'], ['127.0.0.1']];
    const { fetch } = await createFetch(t, {
      // What is checked first may be reached, what comes after it may not.
      hosts: [`rebind.example:${port}`, `127.0.0.2/32:${port}`],
      resolve: (host) => {
        asked.push(host);
        return Promise.resolve(at(...(answers.shift() ?? [])));
      },
    });
    // Nothing listens on 127.0.0.2: a connection that asked for the name again would have arrived.
    await assert.rejects(fetch(`http://rebind.example:${port}/`), { code: 'FETCH_FAILED', message: /ECONNREFUSED$/ });
    assert.deepEqual(asked, ['rebind.example']);
    await assert.rejects(fetch(`http://rebind.example:${port}/`), denied(`127.0.0.1:${port}`));
    assert.equal(requests.length, 0);
  });

  it('says so when a name has no address, or the resolver fails', async (t) => {
    const { fetch } = await createFetch(t, {
      hosts: ['none.example:80', 'failing.example:80'],
      resolve: (host) =>
        host === 'none.example'
          ? Promise.resolve([])
          : Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })),
    });
    await assert.rejects(fetch('http://none.example/'), {
      code: 'FETCH_FAILED',
      message: /^Cannot fetch none\.example: /,
    });
    await assert.rejects(fetch('http://failing.example/'), {
      code: 'FETCH_FAILED',
      message: 'Cannot fetch failing.example: ENOTFOUND',
    });
  });

  it('refuses what is no plain http or https request', async (t) => {
    const { fetch } = await createFetch(t, { hosts: ['*'] });
    for (const url of ['file:///etc/passwd', 'ftp://a.example/', 'data:,x', 'nonsense', 'http://', 'javascript:1']) {
      await assert.rejects(fetch(url), { code: 'INVALID_CALL', message: /the URL must begin with https/ }, url);
    }
    await assert.rejects(fetch('https://kim:secret@a.example/'), (error: Error) => {
      assert.match(error.message, /must not carry credentials; send an authorization header$/);
      assert.ok(!error.message.includes('secret'));
      return true;
    });
    for (const method of ['CONNECT', 'TRACE', 'TRACK', 'get', '', 'GET /'])
      await assert.rejects(fetch('https://a.example/', { method }), { code: 'INVALID_CALL', message: /\/method/ });
  });

  it('goes on working after many hosts', async (t) => {
    const { port } = await startServer(t, (_request, response) =>
      response.setHeader('connection', 'close').end('hello'),
    );
    const { fetch } = await createFetch(t, {
      hosts: [`*:${port}`, `127.0.0.0/8:${port}`],
      resolve: () => Promise.resolve(at('127.0.0.1')),
    });
    for (let host = 0; host < 220; host += 1)
      assert.equal((await fetch(`http://h${host}.example:${port}/`)).text, 'hello');
  });

  it('goes on working while many hosts keep their connections open, and ends with them', async (t) => {
    const { port } = await startServer(t, hello);
    const { fetch } = await createFetch(t, {
      hosts: [`*:${port}`, `127.0.0.0/8:${port}`],
      resolve: () => Promise.resolve(at('127.0.0.1')),
    });
    for (let host = 0; host < 220; host += 1)
      assert.equal((await fetch(`http://h${host}.example:${port}/`)).text, 'hello');
    const again = await Promise.all([0, 219].map((host) => fetch(`http://h${host}.example:${port}/`)));
    assert.deepEqual(
      again.map(({ text }) => text),
      ['hello', 'hello'],
    );
  });
});

describe('"*:port"', { timeout: 60_000 }, () => {
  const four =
    '0.0.0.0 10.1.1.1 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 ' +
    '198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255';
  const six = ':: ::1 fe80::1 fc00::1 fd00:ec2::254 fec0::1 ff02::1 100::1 2001:db8::1 3fff::1 5f00::1';
  // Mapped, compatible, NAT64, 6to4, Teredo.
  const sixWithFour =
    '::ffff:127.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::a9fe:a9fe 2002:7f00:1:: 2001:0:1::1';
  const inside = `${four} ${six} ${sixWithFour}`.split(' ');

  it('is any public host and no address of ours, by its literal or by a name', async (t) => {
    const { fetch, denials } = await createFetch(t, {
      hosts: ['*:443'],
      resolve: (host) => Promise.resolve(at(inside[Number(host.split('.')[0])] ?? publicAddress)),
    });
    for (const [index, address] of inside.entries()) {
      const literal = address.includes(':') ? `[${address}]` : address;
      await assert.rejects(fetch(`https://${literal}/`), { code: 'NOT_CAPABLE' }, literal);
      await assert.rejects(fetch(`https://${index}.example/`), { code: 'NOT_CAPABLE' }, `a name of ${address}`);
    }
    assert.equal((await denials()).length, Math.min(100, 2 * inside.length));
    // Refused by nobody: it fails on its way, or ends at our deadline.
    await assert.rejects(fetch('https://public.example/', { timeoutMs: 50 }), { code: /^(FETCH_FAILED|TIMEOUT)$/ });
  });
});
