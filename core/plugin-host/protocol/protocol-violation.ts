import { AppError } from '#core/errors/app-error.ts';

/** The other side broke the protocol. There is no way back: the connection, and with it the plugin's process, ends. */
export class ProtocolViolation extends AppError {
  override readonly name = 'ProtocolViolation';

  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    super('PROTOCOL_VIOLATION', `Cannot accept frame: ${message}`, { details });
  }
}
