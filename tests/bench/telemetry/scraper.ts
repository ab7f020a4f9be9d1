import { once } from 'node:events';
import { connect } from 'node:net';

/** Of a piece that is read, which is then forgotten. */
const bufferBytes = 64 * 1024;
const headersMaxBytes = 4096;
const timeoutMs = 10_000;
const lastChunk = '\r\n0\r\n\r\n';

export interface Scraper {
  /** @returns how long it took from the request to the last byte of the answer, in ms */
  scrape(accept: string): Promise<number>;
}

/**
 * Reads metrics as cheaply as can be: a megabyte that is kept for each scrape made the collector of this process take both
 * processors, and a core that waited for one looked slow.
 */
export function createScraper(url: URL): Scraper {
  const buffer = Buffer.allocUnsafe(bufferBytes);
  const port = Number(url.port);
  return {
    async scrape(accept) {
      let head = '';
      let end = '';
      const take = (bytes: number): boolean => {
        if (head.length < headersMaxBytes) head += buffer.toString('latin1', 0, Math.min(bytes, headersMaxBytes));
        end = (end + buffer.toString('latin1', Math.max(0, bytes - lastChunk.length), bytes)).slice(-lastChunk.length);
        return true;
      };
      const startedAtMs = performance.now();
      const socket = connect({ host: url.hostname, port, onread: { buffer, callback: take } });
      socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`Cannot scrape: nothing came for ${timeoutMs} ms`)));
      socket.write(
        `GET ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\naccept: ${accept}\r\nconnection: close\r\n\r\n`,
      );
      await once(socket, 'close');
      const tookMs = performance.now() - startedAtMs;
      if (!head.startsWith('HTTP/1.1 200 ') || end !== lastChunk)
        throw new Error(`Cannot scrape ${url.href}: the answer is "${head.slice(0, 100)}", ended by "${end}"`);
      return tookMs;
    },
  };
}
