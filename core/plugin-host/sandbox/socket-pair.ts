import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SocketPair {
  readonly near: Socket;
  /** Paused from the start: nothing is read from it here, so it can be handed to another process. */
  readonly far: Socket;
}

/** Two ends of one connection, as socketpair(2) makes them; Node has no call for it. */
export class SocketPairs {
  #server: Promise<{ readonly server: Server; readonly dir: string; readonly path: string }> | undefined;
  /** One connection at a time: the next to be accepted is the one that was just opened. */
  #last: Promise<unknown> = Promise.resolve();

  make(): Promise<SocketPair> {
    const made = this.#last.then(() => this.#make());
    this.#last = Promise.allSettled([made]);
    return made;
  }

  async stop(): Promise<void> {
    const started = await this.#server;
    this.#server = undefined;
    if (started === undefined) return;
    started.server.close();
    await rm(started.dir, { recursive: true, force: true });
  }

  async #make(): Promise<SocketPair> {
    this.#server ??= listen();
    const { server, path } = await this.#server;
    server.ref();
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const near = connect(path);
    try {
      const [[far]] = await Promise.all([accepted, once(near, 'connect')]);
      return { near, far };
    } finally {
      server.unref();
    }
  }
}

/** In a folder that only this user may enter: nobody else can connect in between. */
async function listen(): Promise<{ server: Server; dir: string; path: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'returnit-pair-'));
  const path = join(dir, 's');
  const server = createServer({ pauseOnConnect: true });
  server.listen(path);
  await once(server, 'listening');
  server.unref();
  return { server, dir, path };
}
