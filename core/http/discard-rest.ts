import type { IncomingMessage } from 'node:http';

/** Who has sent nothing for so long is waiting for the answer, or gone. */
const quietMs = 500;
const longestMs = 5000;

/**
 * Reads what is left of a request and keeps none of it, for a while: a connection that is closed while its client still
 * sends is reset, and the answer is lost with it (RFC 9112 §9.6). `done` is called once, at the end of the request or of
 * that while.
 */
export function discardRest(request: IncomingMessage, done: () => void): void {
  const finish = (): void => {
    clearTimeout(quiet);
    clearTimeout(longest);
    request.off('data', onData);
    request.off('end', finish);
    request.off('close', finish);
    done();
  };
  const quiet = setTimeout(finish, quietMs);
  const longest = setTimeout(finish, longestMs);
  const onData = (): void => void quiet.refresh();
  request.on('data', onData);
  request.once('end', finish);
  request.once('close', finish);
  request.resume();
}
