import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { errorCodes, type ErrorCode } from '#core/errors/codes.ts';
import { problemContentType, problemType } from '#core/errors/problem-type.ts';

const codeOfError: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  HPE_HEADER_OVERFLOW: ['HEADERS_TOO_LARGE', 'Cannot read the headers: they are larger than HTTP_HEADERS_MAX_BYTES'],
  ERR_HTTP_REQUEST_TIMEOUT: ['REQUEST_TIMEOUT', 'Cannot read the request: it took too long to arrive'],
};

/** What is not even HTTP never reaches Koa: it is answered here, in the same form, and the connection ends. */
export function answerClientError(error: NodeJS.ErrnoException, stream: Duplex): void {
  const socket = stream as Socket & { readonly _httpMessage?: { readonly headersSent: boolean } };
  // Once an answer has begun, a second one would be read as part of it.
  if (error.code === 'ECONNRESET' || !socket.writable || socket._httpMessage?.headersSent === true) {
    socket.destroy();
    return;
  }
  const [code, detail] = codeOfError[error.code ?? ''] ?? [
    'MALFORMED_REQUEST',
    'Cannot read the request: it is not well-formed HTTP/1.1',
  ];
  const { status, title } = errorCodes[code];
  const text = JSON.stringify({ type: problemType(code), title, status, detail, code });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: ${problemContentType}\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
}
